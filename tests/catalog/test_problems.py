"""Broken configurations, and what is said about each: file, line and what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from pipeline.catalog import ConfigError, check_config, load_config
from pipeline.models.feed import Adapter
from tests.catalog.directory import component, write
from tests.catalog.problem_sinks_cases import SINK_PROBLEMS


class Choices(BaseModel):
    model_config = ConfigDict(extra="forbid")

    zone: str = "UTC"


ADAPTERS = {
    "alertmanager": Adapter("on_prem", lambda document, message: []),
    "zabbix": Adapter("on_prem", lambda document, message: [], options=Choices),
}

ROTATION = """
people: [amara.okafor]
start: 2026-01-05T09:00:00Z
"""

BROKEN: dict[str, tuple[dict[str, str], list[str]]] = {
    **SINK_PROBLEMS,
    "not yaml": (
        {"catalog/a.yaml": "kind: [Component\nmetadata: {}\n"},
        ["catalog/a.yaml:2: not YAML: did not find expected ',' or ']'"],
    ),
    "a key twice": (
        {"feeds.yaml": "zabbix:\n  ttl_seconds: 5\n  ttl_seconds: 6\n"},
        ["feeds.yaml:3: duplicate key 'ttl_seconds', first on line 2"],
    ),
    "a tag that would build an object": (
        {"feeds.yaml": "zabbix: !!python/object/apply:os.getcwd []\n"},
        ["feeds.yaml:1: tag tag:yaml.org,2002:python/object/apply:os.getcwd is not allowed: "
         "configuration is plain values"],
    ),
    "a merge key": (
        {"feeds.yaml": "a: &a {adapter: zabbix}\nb:\n  <<: *a\n"},
        ["feeds.yaml:3: merge keys (<<) are not supported; write the fields out"],
    ),
    "options that an adapter does not take": (
        {"feeds.yaml": "zabbix:\n  options:\n    zoen: CET\nalertmanager:\n  options: {zone: CET}\n"},
        ["feeds.yaml:3: unknown field 'zoen'; did you mean 'zone'?",
         "feeds.yaml:5: options: adapter 'alertmanager' has none"],
    ),
    "an alias of nothing": (
        {"feeds.yaml": "zabbix: *nowhere\n"},
        ["feeds.yaml:1: alias *nowhere has no anchor &nowhere before it"],
    ),
    "an alias of itself": (
        {"feeds.yaml": "zabbix: &loop\n  hold_seconds: *loop\n"},
        ["feeds.yaml:2: alias *loop contains itself"],
    ),
    "a file of another name": (
        {"feed.yaml": "{}\n", "domain/retail.yaml": "{}\n", "sinks.yml": "{}\n"},
        ["domain/retail.yaml:1: not in a folder that Spillway reads; did you mean 'domains'?",
         "feed.yaml:1: not a file that Spillway reads; did you mean 'feeds.yaml'?",
         "sinks.yml:1: only *.yaml is read; rename it to sinks.yaml"],
    ),
    "no descriptor": (
        {"catalog/a.yaml": "- checkout\n"},
        ["catalog/a.yaml:1: not a Backstage descriptor: expected apiVersion, kind, metadata and spec"],
    ),
    "no name and another apiVersion": (
        {"catalog/a.yaml": "apiVersion: v1\nkind: Component\nmetadata:\n  title: Checkout\n"},
        ["catalog/a.yaml:1: apiVersion must be backstage.io/v1alpha1 or another of theirs",
         "catalog/a.yaml:3: metadata.name is missing"],
    ),
    "an unknown annotation": (
        {"catalog/a.yaml": component("checkout", annotations='spillway.dev/teir: "1"')},
        ["catalog/a.yaml:6: unknown annotation 'spillway.dev/teir'; did you mean 'spillway.dev/tier'?"],
    ),
    "annotations that say nothing usable": (
        {"catalog/a.yaml": component(
            "checkout",
            annotations="spillway.dev/tier: 7\nspillway.dev/hosting-model: clod\n"
            "spillway.dev/users: many\nspillway.dev/revenue-per-minute: -3\nspillway.dev/aliases: ','",
        )},
        ["catalog/a.yaml:6: spillway.dev/tier: expected 1 (most critical) to 4, found '7'",
         "catalog/a.yaml:7: spillway.dev/hosting-model: expected cloud, on_prem, hybrid, saas, found 'clod'"
         "; did you mean 'cloud'?",
         "catalog/a.yaml:8: spillway.dev/users: expected a whole number of people such as 6200, found 'many'",
         "catalog/a.yaml:9: spillway.dev/revenue-per-minute: expected an amount a minute such as 9500, found '-3'",
         "catalog/a.yaml:10: spillway.dev/aliases: expected words with commas between, found nothing"],
    ),
    "dangling references": (
        {"catalog/z.yaml": component("team", kind="Group") + "---\n" + component("mall", kind="System"),
         "catalog/a.yaml": component("payments-api") + "---\n" + component(
            "checkout",
            spec="owner: nobody\nsystem: shop\ndomain: retial\ndependsOn:\n  - component:payment-api\n  - 'a b'",
        ), "domains/retail.yaml": "title: Shop\n"},
        ["catalog/a.yaml:14: owner: nothing is called 'nobody'",
         "catalog/a.yaml:15: system: nothing is called 'shop'",
         "catalog/a.yaml:16: domain: nothing is called 'retial'; did you mean 'retail'?",
         "catalog/a.yaml:18: dependsOn: nothing is called 'component:payment-api'; did you mean 'payments-api'?",
         "catalog/a.yaml:19: dependsOn: 'a b' is not an entity reference"],
    ),
    "a reference that could be two": (
        {"catalog/a.yaml": "---\n".join([
            component("ledger"), component("ledger", kind="Resource"),
            component("checkout", spec="dependsOn: [ledger, checkout]"),
        ])},
        ["catalog/a.yaml:15: component:default/checkout depends on itself",
         "catalog/a.yaml:21: dependsOn: 'ledger' could be component:default/ledger or resource:default/ledger"
         "; write the kind"],
    ),
    "a wrong kind of owner": (
        {"catalog/a.yaml": component("checkout", spec="owner: component:checkout\ndependsOn: payments")},
        ["catalog/a.yaml:7: owner: 'component:checkout' must be a group",
         "catalog/a.yaml:8: spec.dependsOn must be a list of references"],
    ),
    "one entity twice": (
        {"catalog/a.yaml": component("checkout"), "catalog/b.yaml": component("Checkout")},
        ["catalog/b.yaml:1: component:default/checkout is already described at catalog/a.yaml:1"],
    ),
    "a rotation and a runbook category that are not there": (
        {"catalog/a.yaml": component(
            "checkout", annotations="spillway.dev/oncall: paymets\nspillway.dev/runbook.certificates: https://a.example"
        ), "oncall/payments.yaml": ROTATION},
        ["catalog/a.yaml:6: no rotation is called 'paymets'; did you mean 'payments'?",
         "catalog/a.yaml:7: domain 'default' has no category 'certificates'; did you mean 'certificate'?"],
    ),
    "misspelt fields, deep ones too": (
        {"domains/retail.yaml": "titel: Shop\ntargets:\n  P1: {respond_minuts: 5, resolve_minutes: 60}\n"},
        ["domains/retail.yaml:1: unknown field 'titel'; did you mean 'title'?",
         "domains/retail.yaml:3: field 'targets.P1.respond_minutes' is missing",
         "domains/retail.yaml:3: unknown field 'targets.P1.respond_minuts'; did you mean 'respond_minutes'?"],
    ),
    "a pack in another's file": (
        {"domains/retail.yaml": "domain: hospital\n"},
        ["domains/retail.yaml:1: domain 'hospital' belongs in domains/hospital.yaml"],
    ),
    "a matrix with holes": (
        {"domains/retail.yaml": """
            urgency:
              - {level: high, severity_at_least: critical}
              - {level: low}
            impact:
              - {level: severe, tier_at_most: 1}
              - {level: minor}
            matrix:
              high: {severe: P1}
              low: {severe: P5, minr: P4}
              hihg: {}
            """},
        ["domains/retail.yaml:8: matrix: no priority for urgency 'high' and impact 'minor'",
         "domains/retail.yaml:9: matrix: no impact line has level 'minr'; did you mean 'minor'?",
         "domains/retail.yaml:9: matrix: no priority for urgency 'low' and impact 'minor'",
         "domains/retail.yaml:9: matrix: unknown priority 'P5'; known: P1, P2, P3, P4",
         "domains/retail.yaml:10: matrix: no urgency line has level 'hihg'; did you mean 'high'?"],
    ),
    "scales that leave gaps": (
        {"domains/retail.yaml": """
            urgency:
              - {level: low}
              - {level: high, severity_at_least: critcal, categories: [certificates]}
            impact: []
            """},
        ["domains/retail.yaml:3: severity_at_least: unknown severity 'critcal'; did you mean 'critical'?",
         "domains/retail.yaml:3: categories: unknown category 'certificates'; did you mean 'certificate'?",
         "domains/retail.yaml:3: urgency: never reached, as the line before has no condition",
         "domains/retail.yaml:3: urgency: the last line must have no condition, so that every incident gets a level",
         "domains/retail.yaml:4: impact: needs at least one line such as 'level: low'"],
    ),
    "priorities without targets, targets out of order": (
        {"domains/retail.yaml": "targets:\n  P1: {respond_minutes: 90, resolve_minutes: 60}\n"
         "  P9: {respond_minutes: 1, resolve_minutes: 2}\n"},
        ["domains/retail.yaml:1: matrix: priority P2 has no targets",
         "domains/retail.yaml:1: matrix: priority P3 has no targets",
         "domains/retail.yaml:1: matrix: priority P4 has no targets",
         "domains/retail.yaml:2: targets: P1 is to be resolved before anybody has to respond",
         "domains/retail.yaml:3: targets: unknown priority 'P9'; known: P1, P2, P3, P4"],
    ),
    "categories twice and words that never match": (
        {"domains/retail.yaml": "categories:\n  - name: database\n    words: [Deadlock]\n  - name: database\n"},
        ["domains/retail.yaml:3: word 'Deadlock' can never match: texts are compared in lower case",
         "domains/retail.yaml:4: category 'database' is already defined on line 2"],
    ),
    "an escalation path to nobody": (
        {"oncall/payments.yaml": ROTATION, "domains/retail.yaml": """
            escalation:
              - priorities: [P1, P7]
                levels:
                  - {after_minutes: 5, notify: [oncall, amara.okafor, payments]}
                  - {after_minutes: 5, notify: [on-call, paymnts]}
              - {priorities: [P1], levels: []}
            """},
        ["domains/retail.yaml:2: priorities: unknown priority 'P7'; known: P1, P2, P3, P4",
         "domains/retail.yaml:5: escalation: a level must come later than the one before",
         "domains/retail.yaml:5: notify: unknown role, rotation or person 'on-call'; did you mean 'oncall'?",
         "domains/retail.yaml:5: notify: unknown role, rotation or person 'paymnts'; did you mean 'payments'?",
         "domains/retail.yaml:6: escalation: priority P1 has a path already; it takes the first"],
    ),
    "business hours that are none": (
        {"domains/retail.yaml": """
            business_hours:
              timezone: Europe/Berln
              days: [0, 7]
              start: 17:00
              end: 09:00
              holidays: [25.12.2026]
            """},
        ["domains/retail.yaml:2: unknown time zone 'Europe/Berln'; did you mean 'Europe/Berlin'?",
         "domains/retail.yaml:3: business_hours: day 7; 0 is Monday, 6 is Sunday",
         "domains/retail.yaml:4: business_hours: start must be before end, as in '09:00', '17:00'"
         "; spans over midnight are for 'week'",
         "domains/retail.yaml:6: holidays: '25.12.2026' is not a date such as 2026-12-25"],
    ),
    "closure and communication of the unknown": (
        {"domains/retail.yaml": "closure:\n  require: [corrective_actions]\n  problem_review: [P0]\n"
         "communication: {status_page: [p1]}\nmajor_incident: {priorities: [P8]}\n"},
        ["domains/retail.yaml:2: require: unknown field of a resolution 'corrective_actions'"
         "; did you mean 'corrective_action'?",
         "domains/retail.yaml:3: problem_review: unknown priority 'P0'; known: P1, P2, P3, P4",
         "domains/retail.yaml:4: status_page: unknown priority 'p1'; did you mean 'P1'?",
         "domains/retail.yaml:5: priorities: unknown priority 'P8'; known: P1, P2, P3, P4"],
    ),
    "rotations": (
        {"catalog/a.yaml": component("checkout"),
         "oncall/empty.yaml": "people: []\nstart: 2026-01-05T09:00:00Z\n",
         "oncall/first.yaml": ROTATION + "services: [checkout]\n",
         "oncall/second.yaml": """
            services: [component:default/checkout, chekout]
            people: [noor.haddad]
            start: 2026-01-05T09:00:00
            timezone: Mars/Base
            overrides:
              - {start: 2026-02-02T00:00:00Z, end: 2026-02-01T00:00:00Z, person: noor.haddad}
            """},
        ["oncall/empty.yaml:1: people: needs at least 1",
         "oncall/second.yaml:1: services: component:default/checkout is already covered by rotation 'first'",
         "oncall/second.yaml:1: services: nothing is called 'chekout'; did you mean 'checkout'?",
         "oncall/second.yaml:3: start: no time zone; write it as 2026-03-10T10:00:00Z",
         "oncall/second.yaml:4: unknown time zone 'Mars/Base'",
         "oncall/second.yaml:6: end: must be after start"],
    ),
    "a rotation twice": (
        {"oncall/a.yaml": "name: payments" + ROTATION, "oncall/b.yaml": "name: payments" + ROTATION},
        ["oncall/b.yaml:1: rotation 'payments' is already defined at oncall/a.yaml:1"],
    ),
    "feeds": (
        {"feeds.yaml": """
            alertmanger:
            Zabbix:
              adapter: zabbix
              hold_seconds: {warn: 30, info: -1}
              ttl_seconds: 0
            zabbix:
              hold_seconds: {warn: 30, info: -1}
            alertmanager:
              hold_seconds: {warning: learned, critical: learned}
              hold_learned: {least_seconds: 240, most_seconds: 120}
            """},
        ["feeds.yaml:1: adapter: there is no adapter 'alertmanger'; did you mean 'alertmanager'?",
         "feeds.yaml:5: ttl_seconds: input should be greater than 0",
         "feeds.yaml:7: hold_seconds: -1 is less than nothing",
         "feeds.yaml:7: hold_seconds: unknown severity 'warn'; did you mean 'warning'?",
         "feeds.yaml:9: hold_seconds: what is critical waits for no habit; give seconds, or nothing",
         "feeds.yaml:10: hold_learned: most_seconds 120 is less than least_seconds 240"],
    ),
    "maintenance that recurs, wrongly": (
        {"catalog/a.yaml": component("shop"),
         "maintenance.yaml": """
             words:
               every: sundays at two
               targets: [shop]
             rule:
               rrule: FREQ=HOURLY
               start: 2026-03-01T02:00:00
               timezone: Europe/Dublim
               duration_minutes: 60
               targets: [shop]
             both:
               every: sunday 02:00-04:00 UTC
               duration_minutes: 60
               targets: [shop]
             """},
        ["maintenance.yaml:2: every: expected days, begin-end and zone: 'sunday 02:00-04:00 Europe/Dublin'",
         "maintenance.yaml:7: unknown time zone 'Europe/Dublim'; did you mean 'Europe/Dublin'?",
         "maintenance.yaml:10: 'every' says when by itself: leave out start, end, rrule, timezone, duration_minutes"],
    ),
    "maintenance of the unknown": (
        {"catalog/a.yaml": component("backup-store"),
         "maintenance.yaml": """
            disks:
              start: 2026-03-10T10:00:00Z
              end: 2026-03-10T10:00:00Z
              targets: [backup-stor]
            nothing:
              start: 2026-03-10T10:00:00Z
              end: 2026-03-10T12:00:00Z
            """},
        ["maintenance.yaml:3: end: must be after start",
         "maintenance.yaml:4: targets: nothing is called 'backup-stor'; did you mean 'backup-store'?",
         "maintenance.yaml:5: a window needs targets, labels or both; this one would cover nothing"],
    ),
    "correlation out of range": (
        {"correlation.yaml": "join_at_least: 2\nwindow_seconds: soon\n---\nwindow_seconds: 5\n"},
        ["correlation.yaml:1: join_at_least: input should be less than or equal to 1",
         "correlation.yaml:2: window_seconds: input should be a valid integer, unable to parse string as an integer",
         "correlation.yaml:4: a second document; this file holds one"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN, ids=str)
def test_every_problem_is_named_with_file_and_line(case: str, tmp_path: Path) -> None:
    files, expected = BROKEN[case]

    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, files), ADAPTERS)

    found = [str(problem) for problem in caught.value.problems]
    assert sorted(found) == sorted(expected)
    assert [problem[:2] for problem in caught.value.problems] == sorted(each[:2] for each in caught.value.problems)


def test_a_directory_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no directory"):
        load_config(tmp_path / "nowhere")


def test_a_file_that_is_not_utf_8_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "feeds.yaml").write_bytes(b"zabbix:\n  space: caf\xe9\n")

    (problem,) = check_config(tmp_path).problems

    assert str(problem) == "feeds.yaml:2: not UTF-8; save the file in that encoding"


def test_what_runs_in_a_circle_is_a_warning_alone(tmp_path: Path) -> None:
    documents = [component("a", spec="dependsOn: [b]"), component("b", spec="dependsOn: [a]")]
    checked = check_config(write(tmp_path, {"catalog/a.yaml": "---\n".join(documents)}))

    assert checked.config is not None
    assert [str(warning) for warning in checked.warnings] == [
        "catalog/a.yaml:1: dependencies run in a circle: "
        "component:default/a -> component:default/b -> component:default/a"
    ]


def test_a_business_term_of_two_entities_and_a_misspelt_kind_are_warnings(tmp_path: Path) -> None:
    documents = [
        component("a", annotations="spillway.dev/aliases: mail"),
        component("b", annotations="spillway.dev/aliases: post, mail"),
        component("c", kind="Componnet"),
    ]
    checked = check_config(write(tmp_path, {"catalog/a.yaml": "---\n".join(documents)}))

    assert checked.config is not None
    assert [str(warning) for warning in checked.warnings] == [
        "catalog/a.yaml:15: alias 'mail' is also an alias of component:default/a",
        "catalog/a.yaml:20: kind 'Componnet' is not read; did you mean 'Component'?",
    ]


def test_adapters_are_not_checked_by_who_does_not_know_them(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, {"feeds.yaml": "own-monitor:\n"}))

    assert config.feeds["own-monitor"].adapter == "own-monitor"


def test_the_error_names_the_first_problem_and_how_many_more(tmp_path: Path) -> None:
    directory = write(tmp_path, {"correlation.yaml": "a: 1\nb: 2\n"})

    with pytest.raises(ConfigError) as caught:
        load_config(directory)

    assert str(caught.value) == "correlation.yaml:1: unknown field 'a' (and 1 more: spillway config check)"

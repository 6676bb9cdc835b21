"""Lint: each rule finds what it is for, at its line, and nothing where all is well; comments silence it in place."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.catalog import open_config
from pipeline.catalog.lint import RULES, Level, Report, lint
from pipeline.feeds import ADAPTERS
from pipeline.recording import to_ms
from tests.catalog.clock_cases import CLOCKS
from tests.catalog.directory import EXAMPLE, component, write
from tests.catalog.lint_console_cases import CONSOLE_CASES
from tests.catalog.lint_oncall_cases import ONCALL_CASES
from tests.catalog.lint_sinks_cases import SINK_CASES

NOW_MS = to_ms("2026-03-11T00:00:00Z")

ROTATION = "people: [amara.okafor, jonas.weber]\nstart: 2026-01-05T09:00:00Z\n"
ALONE = "people: [amara.okafor]\nstart: 2026-01-05T09:00:00Z\n"


def documents(*each: str) -> str:
    return "---\n".join(each)


def shop(*more: str) -> str:
    """A catalogue in which all is well: a service with an owner that is on call, on a database, in a domain."""
    return documents(
        component("checkout", spec="owner: shop-team\ndomain: retail\ndependsOn: [resource:shop-db]"),
        component("shop-db", kind="Resource"),
        component("shop-team", kind="Group", annotations="spillway.dev/oncall: shop"),
        component("retail", kind="Domain", spec="owner: shop-team"),
        *more,
    )


def found(tmp_path: Path, files: dict[str, str], *, at_ms: int = NOW_MS) -> list[str]:
    """What lint says of a directory, the good shop's files among them unless given."""
    given = {"catalog/shop.yaml": shop(), "oncall/shop.yaml": ROTATION, "domains/retail.yaml": "title: Shop\n", **files}
    return said(lint(open_config(write(tmp_path, given), ADAPTERS), at_ms))


def said(report: Report) -> list[str]:
    return [f"{each.place.file}:{each.place.line}: {each.rule}: {each.message}" for each in report.findings]


CASES: dict[str, tuple[dict[str, str], list[str]]] = {
    **ONCALL_CASES,
    **SINK_CASES,
    **CONSOLE_CASES,
    "all is well": ({}, []),
    "a category that never wins": (
        {"domains/retail.yaml": """
            categories:
              - {name: capacity, words: [disk, memory], layers: [storage]}
              - {name: hardware, words: [disk failure, disk], layers: [storage]}
              - {name: empty}
            """},
        ["domains/retail.yaml:3: shadowed-category: category 'hardware' never wins: all that it matches is taken by "
         "capacity ('disk'), capacity, which come first",
         "domains/retail.yaml:4: shadowed-category: category 'empty' never wins: it has no condition"],
    ),
    "a category whose labels an earlier one takes": (
        {"domains/retail.yaml": """
            categories:
              - {name: team, labels: {team: [a, b]}}
              - {name: team-a, labels: {team: [a], zone: [x]}}
              - {name: team-c, labels: {team: [a, c]}}
            """},
        ["domains/retail.yaml:3: shadowed-category: category 'team-a' never wins: all that it matches is taken by "
         "team, which come first"],
    ),
    "a word that never counts": (
        {"domains/retail.yaml": """
            categories:
              - {name: capacity, words: [disk]}
              - {name: hardware, words: [disk failure, fan, riskdisk]}
            """},
        ["domains/retail.yaml:3: shadowed-word: words of 'hardware' are taken by earlier categories: "
         "'disk failure' by capacity ('disk')"],
    ),
    "impact lines that never win": (
        {"domains/retail.yaml": """
            impact:
              - {level: high, tier_at_most: 2}
              - {level: high, users_at_least: 100, tier_at_most: 1}
              - {level: medium, regulatory: [pci-dss, gdpr]}
              - {level: medium, regulatory: [gdpr], users_at_least: 5}
              - {level: low, revenue_per_minute_at_least: 10}
              - {level: low}
            """},
        ["domains/retail.yaml:3: shadowed-priority-rule: impact line 2 (high) never wins: an earlier line holds "
         "whenever it does",
         "domains/retail.yaml:5: shadowed-priority-rule: impact line 4 (medium) never wins: an earlier line holds "
         "whenever it does"],
    ),
    "urgency lines that never win, by two lines together": (
        {"domains/retail.yaml": """
            urgency:
              - {level: high, severity_at_least: error, business_hours: true}
              - {level: medium, severity_at_least: error, business_hours: false}
              - {level: low, severity_at_least: critical}
              - {level: low, severity_at_least: warning, categories: [access]}
              - {level: low}
            """},
        ["domains/retail.yaml:4: shadowed-priority-rule: urgency line 3 (low) never wins: an earlier line holds "
         "whenever it does"],
    ),
    "priorities that never come": (
        {"domains/retail.yaml": """
            urgency: [{level: any}]
            impact: [{level: any}]
            matrix: {any: {any: P3}}
            targets:
              P3: {respond_minutes: 5, resolve_minutes: 60}
              P4: {respond_minutes: 5, resolve_minutes: 60}
            escalation:
              - {priorities: [P3], levels: [{after_minutes: 0, notify: [oncall]}]}
              - {priorities: [P1], levels: [{after_minutes: 0, notify: [oncall]}]}
            """},
        ["domains/retail.yaml:6: unused-priority: targets of P4, which the matrix never gives; people may still set "
         "it by hand",
         "domains/retail.yaml:9: unused-priority: an escalation path of P1, which the matrix never gives"],
    ),
    "priorities that nobody hears of": (
        {"domains/retail.yaml": """
            title: Shop
            escalation:
              - {priorities: [P1], levels: [{after_minutes: 0, notify: [oncall]}]}
            """},
        ["domains/retail.yaml:2: priority-without-escalation: P2 has no escalation path with a level: nobody is "
         "called"],
    ),
    "an end that comes too early, and that nobody may bring about": (
        {"domains/retail.yaml": """
            closure:
              close_after_minutes: 60
              reopen_minutes: {P1: 120}
            permissions:
              resolve: {roles: [responder, source], priorities: {P1: [source]}}
              acknowledge: [responder]
            """},
        ["domains/retail.yaml:3: reopens-too-late: P1: closed before reopen_minutes are over; what is closed does not "
         "reopen",
         "domains/retail.yaml:5: nobody-may: nobody may resolve a P1 incident: no role of a person is left"],
    ),
    "levels that call nobody new": (
        {"domains/retail.yaml": """
            escalation:
              - priorities: [P1, P2]
                hops_max: 1
                levels:
                  - {after_minutes: 0, notify: [oncall, dependency]}
                  - {after_minutes: 5, notify: [oncall]}
                  - {after_minutes: 9, notify: [owner, dependency]}
                  - {after_minutes: 12, notify: [dependency]}
                  - {after_minutes: 15, notify: []}
              - priorities: [P3]
                hops_max: 1
                levels:
                  - {after_minutes: 0, notify: [dependency]}
                  - {after_minutes: 5, notify: [dependency]}
            """},
        ["domains/retail.yaml:6: escalation-loop: the level after 5 min calls only whom earlier levels have called "
         "(oncall), and nobody is called twice",
         "domains/retail.yaml:8: escalation-loop: the level after 12 min asks for service 3 down the chain, and "
         "hops_max is 1",
         "domains/retail.yaml:9: escalation-loop: the level after 15 min calls nobody",
         # What the one service needs has no rotation, so its on-call cannot be called either.
         "domains/retail.yaml:10: escalation-nowhere: the path of P3 calls nobody, for any service of 'retail'",
         "domains/retail.yaml:14: escalation-loop: the level after 5 min asks for service 2 down the chain, and "
         "hops_max is 1"],
    ),
    "a path that calls nobody for any service": (
        {"catalog/shop.yaml": shop().replace("spillway.dev/oncall: shop", "other.dev/x: y"),
         "oncall/shop.yaml": ROTATION + "services: [shop-db]\n",
         "domains/retail.yaml": """
            escalation:
              - {priorities: [P1, P2], levels: [{after_minutes: 0, notify: [oncall]}]}
            """},
        ["catalog/shop.yaml:18: owner-without-rotation: group 'shop-team' has no spillway.dev/oncall, and no rotation "
         "covers its checkout",
         "domains/retail.yaml:2: escalation-nowhere: the path of P1, P2 calls nobody, for any service of 'retail'"],
    ),
    "escalation that leaves gaps": (
        {"oncall/day.yaml": """
            services: [checkout]
            timezone: UTC
            layers:
              - {name: primary, people: [amara.okafor, jonas.weber], start: 2026-01-05T09:00:00Z,
                 on_duty: [{start: 08:00, end: 20:00}]}
            """,
         "oncall/shop.yaml": ROTATION + "services: [shop-db]\n",
         "domains/retail.yaml": """
            escalation:
              - priorities: [P1]
                hops_max: 0
                repeat: {times: 2}
                levels:
                  - {after_minutes: 0, notify: [oncall]}
                  - {after_minutes: 5, notify: [owner, dependency]}
                routes:
                  - {hosting_model: [saas, cloud], also: [shop]}
                  - {hosting_model: [saas], layers: [network], case: provider_case}
              - priorities: [P2]
                fallback: [shop-team]
                levels: [{after_minutes: 0, notify: [oncall]}]
            """},
        ["domains/retail.yaml:3: dependency-without-hops: the path of P1 notifies 'dependency', and its hops_max is 0: "
         "nobody is ever found so",
         "domains/retail.yaml:4: repeat-without-interval: the path of P1 repeats without 'every_minutes': 15 minutes "
         "are taken",
         "domains/retail.yaml:6: level-finds-nobody: level 1 of P1 finds nobody for checkout, as on Wednesday "
         "2026-03-11 00:00 UTC: give the path a 'fallback'",
         "domains/retail.yaml:10: shadowed-route: route 'saas network' is never taken: 'saas/cloud' comes first and "
         "takes all that fits it"],
    ),
    "a service that nobody answers for": (
        {"catalog/more.yaml": component("search", spec="domain: retail\ndependsOn: [component:checkout]")},
        # The default path calls the on-call of what it depends on, so somebody hears of it all the same.
        ["catalog/more.yaml:1: service-without-owner: 'search' has no owner: nobody answers for it",
         "catalog/more.yaml:1: service-without-rotation: no rotation covers 'search': give it one, or an owner that "
         "has one"],
    ),
    "a service that stands alone and calls nobody": (
        {"catalog/more.yaml": component("search", spec="domain: retail")},
        ["catalog/more.yaml:1: escalation-nowhere: the escalation of P1, P2 calls nobody for 'search': give it a "
         "rotation or an owner, or name a rotation in the path",
         "catalog/more.yaml:1: isolated-service: 'search' needs nothing and nothing needs it: write dependsOn, or its "
         "failures stay alone",
         "catalog/more.yaml:1: service-without-owner: 'search' has no owner: nobody answers for it",
         "catalog/more.yaml:1: service-without-rotation: no rotation covers 'search': give it one, or an owner that "
         "has one"],
    ),
    "a service whose names all mean another": (
        {"catalog/more.yaml": component("Checkout", spec="owner: default/shop-team\ndependsOn: [default/checkout]")
         .replace("name: Checkout", "name: Checkout\n  namespace: old")},
        ["catalog/more.yaml:1: unreachable-service: no alert can find 'checkout' by a name, alias, host or label of "
         "its own; 'checkout' means component:default/checkout"],
    ),
    "people and teams without use": (
        {"oncall/other.yaml": ROTATION, "oncall/shop.yaml": ALONE,
         "catalog/more.yaml": component("idle", kind="Group"), "domains/nobody.yaml": "title: Nobody\n"},
        ["catalog/more.yaml:1: unused-group: group 'idle' owns nothing",
         "domains/nobody.yaml:1: unused-domain: nothing in the catalogue belongs to domain 'nobody'",
         "oncall/other.yaml:1: unused-rotation: rotation 'other' covers nothing: list services, name it in an "
         "spillway.dev/oncall or an escalation path",
         "oncall/shop.yaml:1: rotation-of-one: 'amara.okafor' is alone in rotation 'shop': oncall-secondary calls "
         "nobody else"],
    ),
    "a domain without a pack": (
        {"catalog/more.yaml": documents(
            component("lab", kind="Domain"),
            component("probe", spec="owner: shop-team\ndomain: lab\ndependsOn: [component:checkout]"))},
        ["catalog/more.yaml:1: domain-without-pack: domain 'lab' has no policy pack: it works by the default; write "
         "domains/lab.yaml"],
    ),
    "aliases that say too much or nothing": (
        {"catalog/more.yaml": component(
            "mail", kind="Resource", annotations="spillway.dev/aliases: mail server, email, 42, k")},
        ["catalog/more.yaml:6: common-alias: alias 'email' is a common word: texts about other things hold it too",
         "catalog/more.yaml:6: unspoken-alias: alias '42' is not looked for in texts: a lone letter, a number, or too "
         "many words",
         "catalog/more.yaml:6: unspoken-alias: alias 'k' is not looked for in texts: a lone letter, a number, or too "
         "many words"],
    ),
    "maintenance that comes no more, and one that hardly ends": (
        {"maintenance.yaml": """
             done:
               {rrule: "FREQ=DAILY;COUNT=2", start: 2026-01-01T02:00:00, timezone: UTC, duration_minutes: 60,
                targets: [checkout]}
             nights: {every: "day 20:00-06:00 UTC", targets: [checkout]}
             """},
        ["maintenance.yaml:1: window-past: maintenance 'done' comes no more",
         "maintenance.yaml:4: window-wide: maintenance 'nights' hides what it covers in 42% of the next four weeks"],
    ),
    "maintenance that is over": (
        {"maintenance.yaml": """
            over: {start: 2026-03-10T10:00:00Z, end: 2026-03-10T12:00:00Z, targets: [checkout]}
            ahead: {start: 2026-03-12T10:00:00Z, end: 2026-03-12T12:00:00Z, targets: [checkout]}
            """},
        ["maintenance.yaml:1: window-past: maintenance 'over' is over since 2026-03-10 12:00 UTC"],
    ),
    "correlation rules": (
        {"correlation.yaml": """
            rules:
              wide: {match: {severity: [critical, error]}, join: always, group_by: [host]}
              narrow: {when: 'severity == "error" && tier <= 2', join: always, group_by: [host, name]}
              costly: {when: "tier <= 2", join: never}
            """},
        ["correlation.yaml:3: shadowed-rule: rule 'narrow' never wins: 'wide' takes all that it matches",
         "correlation.yaml:4: rule-without-index: rule 'costly' is asked about every episode: give it a match, "
         "or begin with feed == \"zabbix\" && ..."],
    ),
    "warnings of check have names": (
        {"catalog/more.yaml": documents(
            component("a", kind="Resource", annotations="spillway.dev/aliases: till",
                      spec="dependsOn: [resource:b]"),
            component("b", kind="Resource", annotations="spillway.dev/aliases: till", spec="dependsOn: [resource:a]"),
            component("c", kind="Componnet"))},
        ["catalog/more.yaml:1: dependency-circle: dependencies run in a circle: resource:default/a -> "
         "resource:default/b -> resource:default/a",
         "catalog/more.yaml:16: shared-alias: alias 'till' is also an alias of resource:default/a",
         "catalog/more.yaml:22: misspelt-kind: kind 'Componnet' is not read; did you mean 'Component'?"],
    ),
    **CLOCKS,
    "what check refuses is all that is said": (
        {"catalog/more.yaml": component("search"), "correlation.yaml": "a: 1\n"},
        ["correlation.yaml:1: invalid: unknown field 'a'"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_rule_finds_what_it_is_for_with_file_and_line(case: str, tmp_path: Path) -> None:
    files, expected = CASES[case]
    assert found(tmp_path, files) == expected


def test_every_rule_that_needs_no_alerts_is_among_the_cases() -> None:
    tried = {line.split(": ")[1] for _, expected in CASES.values() for line in expected}
    elsewhere = {name for name, rule in RULES.items() if rule.finds.startswith(("recorded: ", "ahead: "))}
    elsewhere |= {"unused-parent", "matrix-falls"}  # test_lint_packs.py
    elsewhere |= {"shadowed-trigger", "proposal-to-nobody"}  # test_major.py
    elsewhere |= {"redacted-need", "unused-pattern"}  # test_privacy.py
    assert set(RULES) - tried - elsewhere == {"check", "unused-allow", "unknown-allow"}


def test_a_catalogue_alone_is_not_blamed_for_what_comes_later(tmp_path: Path) -> None:
    alone = documents(component("checkout", spec="owner: shop-team"))
    report = lint(open_config(write(tmp_path, {"catalog/a.yaml": alone}), ADAPTERS), NOW_MS)
    assert said(report) == []


def test_the_example_company_has_no_error() -> None:
    report = lint(open_config(EXAMPLE, ADAPTERS), NOW_MS)
    assert report.count(Level.ERROR) == 0
    assert {each.rule for each in report.findings} <= {"common-alias", "window-past", "override-past"}


SILENCED = {
    "in the line itself": "over: {start: 2026-03-10T10:00:00Z, end: 2026-03-10T12:00:00Z, targets: [checkout]}"
    "  # spillway-lint: allow window-past -- kept as an example, for later",
    "in the line before": "# spillway-lint: allow window-past\n# said with more words\n\n"
    "over: {start: 2026-03-10T10:00:00Z, end: 2026-03-10T12:00:00Z, targets: [checkout]}",
    "with another rule": "# spillway-lint: allow window-past, invalid\n"
    "over: {start: 2026-03-10T10:00:00Z, end: 2026-03-10T12:00:00Z, targets: [checkout]}",
}


@pytest.mark.parametrize("where", SILENCED)
def test_a_comment_silences_a_rule_at_one_place(where: str, tmp_path: Path) -> None:
    again = "\nagain: {start: 2026-03-10T10:00:00Z, end: 2026-03-10T12:00:00Z, targets: [checkout]}\n"
    files = {"catalog/shop.yaml": shop(), "oncall/shop.yaml": ROTATION, "domains/retail.yaml": "title: Shop\n"}
    directory = write(tmp_path, {**files, "maintenance.yaml": SILENCED[where] + again})
    report = lint(open_config(directory, ADAPTERS), NOW_MS)
    assert [each.message.split("'")[1] for each in report.findings if each.rule == "window-past"] == ["again"]
    assert [each.rule for each in report.silenced] == ["window-past"]


def test_a_descriptor_is_silenced_above_its_first_line(tmp_path: Path) -> None:
    quiet = "# spillway-lint: allow isolated-service, service-without-owner, service-without-rotation\n" + component(
        "x"
    )
    loud = component("y", annotations="spillway.dev/oncall: shop")
    files = {"catalog/more.yaml": quiet.rstrip() + "\n---\n" + loud}
    assert [line.split(": ")[:2] for line in found(tmp_path, files)] == [
        ["catalog/more.yaml:2", "escalation-nowhere"],
        ["catalog/more.yaml:9", "isolated-service"],
        ["catalog/more.yaml:9", "service-without-owner"],
    ]


def test_comments_of_no_use_are_findings_themselves(tmp_path: Path) -> None:
    lines = "title: Shop # spillway-lint: allow shadowed-word\nversion: '2' # spillway-lint: allow shadwed-word\n"
    assert found(tmp_path, {"domains/retail.yaml": lines}) == [
        "domains/retail.yaml:1: unused-allow: 'shadowed-word' finds nothing here: remove it",
        "domains/retail.yaml:2: unknown-allow: there is no rule 'shadwed-word'; did you mean 'shadowed-word'?",
    ]


def test_a_comment_for_a_rule_about_alerts_is_judged_only_where_alerts_are_given(tmp_path: Path) -> None:
    files = {"feeds.yaml": "# spillway-lint: allow feed-silent\nzabbix:\n"}
    assert found(tmp_path, files) == []


def test_what_cannot_be_used_cannot_be_silenced(tmp_path: Path) -> None:
    (line,) = found(tmp_path, {"correlation.yaml": "a: 1 # spillway-lint: allow invalid\n"})
    assert line == "correlation.yaml:1: invalid: unknown field 'a'"

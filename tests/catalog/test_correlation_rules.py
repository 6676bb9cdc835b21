"""``rules`` of ``correlation.yaml``: what loads, what is refused with its line, what lint says, what is shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.catalog import check_config, load_config, open_config
from pipeline.catalog.lint import lint
from pipeline.catalog.rule_words import asks_for, does
from pipeline.cli.config import config as config_command
from pipeline.core.clustering.correlation_rules import WITHOUT_INDEX_MAX
from pipeline.feeds import ADAPTERS
from tests.catalog.directory import component, write

CATALOG = "---\n".join((component("basket", annotations="spillway.dev/tier: '1'"), component("prices")))


def directory(tmp_path: Path, text: str) -> Path:
    return write(tmp_path, {"catalog/a.yaml": CATALOG, "correlation.yaml": text})


def findings(tmp_path: Path, text: str) -> list[tuple[str, int]]:
    report = lint(open_config(directory(tmp_path, text), ADAPTERS), 0)
    return [(each.rule, each.place.line) for each in report.findings if each.place.file == "correlation.yaml"]


GOOD = """
    window_seconds: 600
    rules:
      z-batch: {match: {labels.job: [night, day], severity: error}, join: always, group_by: [labels.job]}
      a-lab: {match: {service: basket}, join: never, with: {when: 'labels.kind == "ward"'}}
      few:
        {match: {feed: zabbix}, min_count: 3, group_by: [host], window: {kind: capped, seconds: 60, max_seconds: 300}}
      tenants: {join: never, group_by: [labels.tenant]}
"""


def test_rules_load_in_the_order_in_which_they_are_written(tmp_path: Path) -> None:
    settings = load_config(directory(tmp_path, GOOD), ADAPTERS).correlation
    assert list(settings.rules) == ["z-batch", "a-lab", "few", "tenants"]
    assert settings.window_seconds == 600
    rule = settings.rules["z-batch"]
    assert (rule.match["severity"], rule.window.kind, rule.window.seconds) == (("error",), "rolling", 900)


def test_one_value_is_a_list_of_one_and_true_is_a_text(tmp_path: Path) -> None:
    text = "rules: {a: {match: {labels.canary: true, labels.port: 443}, join: always, group_by: host}}"
    rule = load_config(directory(tmp_path, text), ADAPTERS).correlation.rules["a"]
    assert (rule.match, rule.group_by) == ({"labels.canary": ("true",), "labels.port": (443,)}, ("host",))


def test_rules_are_told_in_words(tmp_path: Path) -> None:
    rules = load_config(directory(tmp_path, GOOD), ADAPTERS).correlation.rules
    assert [f"{asks_for(rule)}: {does(rule)}" for rule in rules.values()] == [
        "labels.job is night or day, severity is error: one incident for each labels.job, 900 s from the last",
        'service is basket: never with: labels.kind == "ward"',
        "feed is zabbix: an incident from 3 episodes of each host on, 60 s from the last, 300 s in all",
        "every episode: never with another labels.tenant",
    ]


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("{match: {fed: x}, join: never}", "match: there is no fact 'fed'; did you mean 'feed'?"),
        ("{match: {team: x}, join: never}", "match: there is no fact 'team'; did you mean 'terms'?"),
        ("{match: {colour: x}, join: never}", "match: there is no fact 'colour'; a label is written labels.colour"),
        ("{match: {feed: zabix}, join: never}", "match: feed: unknown value 'zabix'; did you mean 'zabbix'?"),
        ("{match: {severity: high}, join: never}", "match: severity: unknown value 'high'"),
        ("{match: {service: nobody}, join: never}", "match: service: nothing is called 'nobody'"),
        ("{match: {tier: 9}, join: never}", "match: tier: 9 is no tier: 1 to 4"),
        (
            "{join: never, when: 'colour == \"x\"'}",
            "when: not an expression in CEL: column 1: undeclared reference to 'colour' (names: labels,",
        ),
        (
            "{join: never, when: 'service == \"basket\"'}",
            "when: service is never 'basket': write 'component:default/basket'",
        ),
        ("{join: never, when: '1 + 1'}", "when: must be true or false, and is int"),
        ("{join: always, group_by: [terms]}", "group_by: terms has several values; group by a label or one of feed,"),
        ("{join: always, group_by: [host, host]}", "group_by: host is named twice"),
        ("{join: always, group_by: [host], title: 'on {labels.x}'}", "title: {labels.x} is not in group_by"),
        (
            "{join: always, match: {feed: zabbix}}",
            "rules.one: 'join: always' needs group_by: facts or labels whose equal values put episodes together",
        ),
        ("{match: {feed: zabbix}}", "rules.one: a rule has one action: 'join: always', 'join: never' or 'min_count'"),
        ("{join: never, min_count: 3}", "rules.one: a rule has one action: 'join: always', 'join: never' or"),
        ("{join: never}", "rules.one: a rule needs match, when or group_by; this one would match every episode"),
        ("{join: never, match: {labels.x: 1.5}}", "rules.one.match.labels.x: a value is a text of 1 to 512 characters"),
        ("{join: never, match: {feed: ''}}", "rules.one.match.feed: a value is a text of 1 to 512 characters or a"),
        ("{join: never, match: {feed: []}}", "rules.one.match.feed: a fact has 1 to 200 values here; leave it out"),
        ("{join: never, match: {feed: zabbix}, window: {seconds: 5}}", "rules.one: 'join: never' has no window"),
        (
            "{min_count: 2, match: {feed: zabbix}, window: {kind: capped}}",
            "rules.one.window: a capped window needs max_seconds, at least as long as seconds",
        ),
        ("{join: never, mach: {feed: x}}", "unknown field 'rules.one.mach'; did you mean 'match'?"),
        ("{join: never, with: {match: {feed: zabix}}, match: {feed: zabbix}}", "match: feed: unknown value 'zabix'"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, rule: str, problem: str) -> None:
    checked = check_config(directory(tmp_path, f"rules:\n  one: {rule}\n"), ADAPTERS)
    (found,) = checked.problems
    assert found.line == 2
    assert found.message.startswith(problem)


def test_a_rule_has_a_name_that_a_metric_can_carry(tmp_path: Path) -> None:
    (found,) = check_config(directory(tmp_path, "rules:\n  A b: {join: never, group_by: [host]}\n")).problems
    assert found.message.startswith("rule 'A b': must be at most 63 lower-case letters")


def test_rules_that_no_index_finds_are_bounded(tmp_path: Path) -> None:
    rules = "\n".join(f"  r{n}: {{join: never, when: 'tier <= 2'}}" for n in range(WITHOUT_INDEX_MAX + 1))
    (found,) = check_config(directory(tmp_path, f"rules:\n{rules}\n")).problems
    assert found.message.startswith(f"more than {WITHOUT_INDEX_MAX} rules without an equality")


def test_lint_finds_what_never_wins_and_what_every_episode_pays_for(tmp_path: Path) -> None:
    text = """
        rules:
          wide: {match: {feed: [zabbix, grafana]}, join: always, group_by: [host]}
          narrow: {when: 'feed == "zabbix" && tier <= 2', join: always, group_by: [host, name]}
          other: {match: {feed: zabbix}, join: always, group_by: [name]}
          apart: {match: {feed: zabbix}, join: never, with: {when: 'name.contains("x")'}}
    """
    assert findings(tmp_path, text) == [("shadowed-rule", 3), ("rule-without-index", 5)]


def test_show_tells_rules_of_inhibition(tmp_path: Path) -> None:
    text = """
        inhibit:
          cluster: {source: {match: {name: Gone}}, target: {match: {severity: warning}}, equal: labels.cluster}
    """
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(config_command, ["show", str(directory(tmp_path, text))])
    title, line = [each for each in shown.output.splitlines() if "nhibition rules" in each or "cluster" in each]
    assert title.startswith("Inhibition rules")
    for words in ("severity is critical, name is Gone", "severity is warning", "the same labels.cluster; 120 s after"):
        assert words in line


def test_show_tells_rules_and_which_concern_a_service(tmp_path: Path) -> None:
    path = directory(tmp_path, GOOD)
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(config_command, ["show", str(path)])
    assert "Correlation rules" in shown.output
    assert "one incident for each labels.job" in shown.output
    effective = CliRunner(env={"COLUMNS": "200"}).invoke(config_command, ["show", str(path), "--effective", "prices"])
    section = effective.output.partition("correlation rules")[2]
    assert "z-batch" in section
    assert "correlation.yaml:3" in section
    assert "4 correlation rules" in CliRunner().invoke(config_command, ["check", str(path)]).output


def test_the_schema_has_the_rules_in_words() -> None:
    out = CliRunner().invoke(config_command, ["schema", "correlation"]).output
    assert '"with"' in out
    assert "episodes that have the same values are one group" in out

"""Adapters in YAML that cannot be used, and what is said about each: line and sentence, all of them at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.catalog import check_config
from pipeline.feeds import ADAPTERS, adapters_of, feeds_of
from pipeline.models.adapter import AdapterSpec
from pipeline.models.policy import Config
from tests.catalog.directory import write
from tests.feeds.declared import LEAST, problems, with_alert

# `LEAST` has four lines, the alert's facts begin on line 5.
BROKEN: dict[str, tuple[str, list[str]]] = {
    "empty": ("", ["1: empty; an adapter has at least 'feed_class', 'kind' and 'alert'"]),
    "a list": ("- a\n", ["1: expected a mapping of names to values"]),
    "nothing but a title": (
        "title: x\n",
        ["1: field 'alert' is missing", "1: field 'feed_class' is missing", "1: field 'kind' is missing"],
    ),
    "two documents": (f"{LEAST}---\n{LEAST}", ["6: a second document; this file holds one"]),
    "another name": (f"name: other\n{LEAST}", ["1: adapter 'other' belongs in adapters/other.yaml"]),
    "a misspelt field": (
        with_alert("sumary: text"), ["5: unknown field 'alert.sumary'; did you mean 'summary'?"],
    ),
    "a feed class that does not exist": (
        LEAST.replace("saas", "sass"),
        ["1: feed_class: input should be 'cloud', 'on_prem', 'saas' or 'desk'"],
    ),
    "a kind that does not exist": (
        LEAST.replace("off: resolved", "off: resolve"),
        ["2: kind.map.off: input should be 'firing', 'resolved', 'acknowledged', 'unacknowledged', "
         "'maintenance_start', 'maintenance_end', 'heartbeat', 'ticket', 'merged', 'control' or 'own'"],
    ),
    "no identity": (
        LEAST.replace("[id]", "[]"),
        ["4: alert.identity: nothing names the condition; list what is the same when it begins and ends"],
    ),
    "no identity where something ends": (
        f"{LEAST}by_kind: {{resolved: {{identity: []}}}}\n",
        ["4: alert.identity: nothing names the condition; list what is the same when it begins and ends"],
    ),
    "two sources": (
        with_alert("name: {path: a, const: b}"),
        ["5: alert.name: exactly one of path, const, template, header, first; found path and const"],
    ),
    "no source": (
        with_alert("event_at: {spelling: rfc1123}"),
        ["5: alert.event_at: exactly one of path, const, template, header, first; found none"],
    ),
    "a number for a path": (
        with_alert("name: 5"),
        ["5: alert.name: expected a path, a list of alternatives, or one of path, const, template, header, first"],
    ),
    "paths that are none": (
        with_alert("name: a..b\nsummary: a-b\ndescription: a[\nticket: '$x'\nreporter: ''\n"),
        ["5: alert.name: 'a..b' is not a path in JMESPath: '.' in column 3; a name with other than letters, digits "
         "and _ needs double quotes",
         "6: alert.summary: 'a-b' is not a path in JMESPath: '-' in column 2; a name with other than letters, digits "
         "and _ needs double quotes",
         "7: alert.description: 'a[' is not a path in JMESPath: it ends too early",
         "8: alert.ticket: '$x' is not a path in JMESPath: '$' in column 1; a name with other than letters, digits "
         "and _ needs double quotes",
         "9: alert.reporter: '' is not a path in JMESPath: it is empty"],
    ),
    "paths that could multiply a message": (
        with_alert(
            "name: '[a, b]'\nsummary: '{a: b}'\ndescription: to_string(a)\nticket: lenght(a)\nreporter: join(a)\n"
        ),
        ["5: alert.name: '[a, b]': [a, b] builds new values; write a template, or several labels",
         "6: alert.summary: '{a: b}': {a: b} builds new values; write a template, or several labels",
         "7: alert.description: 'to_string(a)': there is no function to_string()",
         "8: alert.ticket: 'lenght(a)': there is no function lenght()",
         "9: alert.reporter: 'join(a)': join() takes 2 arguments, and is given 1"],
    ),
    "a path of many parentheses": (
        with_alert(f"name: '{'(' * 250}a{')' * 250}'"),
        ["5: alert.name: a path of 501 characters, at most 500"],
    ),
    "an alternative in a list": (
        with_alert("name:\n  - a\n  - b..c"),
        ["7: alert.name.first.1: 'b..c' is not a path in JMESPath: '.' in column 3; a name with other than letters, "
         "digits and _ needs double quotes"],
    ),
    "templates": (
        with_alert('name: {template: "fixed"}\nsummary: {template: "{a"}\ndescription: {template: "{a b}"}'),
        ["5: alert.name: template: no {path} in it; a fixed text is 'const'",
         "6: alert.summary: template: '{' without its partner; a brace as such is '{{'",
         "7: alert.description: 'a b' is not a path in JMESPath: 'b' in column 3; a name with other than letters, "
         "digits and _ needs double quotes"],
    ),
    "times": (
        with_alert(
            "event_at: {path: a, format: '%d.%m. %H:%M', zone: UTC}\nended_at: {path: a, format: '%Y-%m-%d %H:%M'}\n"
        ) + "by_kind:\n  resolved:\n    event_at: {path: a, format: '%Y-%m-%d %H:%M', zone: Europe/Berln}\n"
        "    ended_at: {path: a, spelling: iso8601}\n",
        ["10: by_kind.resolved.ended_at.spelling: input should be 'iso', 'epoch_seconds', 'epoch_milliseconds', "
         "'epoch_nanoseconds' or 'rfc1123'"],
    ),
    "formats and zones": (
        with_alert(
            "event_at: {path: a, format: '%d.%m. %H:%M', zone: UTC}\nended_at: {path: a, format: '%Y-%m-%d %H:%M'}\n"
        ) + "by_kind:\n  resolved:\n    event_at: {path: a, format: '%Y-%m-%d %H:%M', zone: Europe/Berln}\n"
        "    ended_at: {path: a, spelling: iso, zone: UTC}\n",
        ["10: by_kind.resolved.ended_at: zone: only a format without %z needs one",
         "5: alert.event_at: format: '%d.%m. %H:%M' does not tell year, month, day, hour and minute",
         "6: alert.ended_at: format: it has no %z, so 'zone' must say where the source's clock is, as Europe/Berlin",
         "9: by_kind.resolved.event_at: zone: 'Europe/Berln' is not a time zone; write it as Europe/Berlin or UTC"],
    ),
    "a default severity without a reason": (
        with_alert("severity: {path: p, default: error}"),
        ["5: alert.severity: 'default' and 'because' come together: an assumed severity says why"],
    ),
    "conditions": (
        f"{LEAST}"
        "skip:\n"
        "  - {when: member.a ==, because: x}\n"
        "  - {when: membr.a == 1, because: x}\n"
        "  - {when: member.a == message.b, because: x}\n"
        "  - {when: message.a, because: x}\n"
        "  - {when: size(message), because: x}\n"
        "require:\n"
        "  - when: member.a.matches(member.b)\n"
        "    otherwise: x\n",
        ["12: require.0.when: matches() takes its pattern in quotes: a pattern from a message may cost any time",
         "6: skip.0.when: not an expression in CEL: column 12: mismatched input '<EOF>'",
         "7: skip.1.when: not an expression in CEL: column 6: undeclared reference to 'membr.a' (names: member, "
         "headers)",
         "8: skip.2.when: about 'member' and 'message' at once; make it two conditions",
         "10: skip.4.when: must be true or false, and is int"],
    ),
    "rules": (
        with_alert(
            "severity:\n  path: p\n  rules:\n"
            "    - when: member.a == 1\n      severity: error\n    - when: member.a +\n      severity: error\n"
        )
        .replace("off: resolved}", "off: resolved}, rules: [{when: member.a + 1, kind: firing}]"),
        ["2: kind.rules.0.when: must be true or false, and is int",
         "10: alert.severity.rules.1.when: not an expression in CEL: column 11: mismatched input '<EOF>'"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_everything_that_is_wrong_is_said_with_its_line(tmp_path: Path, name: str) -> None:
    text, expected = BROKEN[name]

    assert sorted(problems(tmp_path, text)) == sorted(expected)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("zabbix", "adapter 'zabbix' is there already, built in or by a package; choose another name"),
        ("Plant", "adapter 'Plant': must be lower-case letters, digits, '-', '_' or '.', as a topic's name"),
    ],
)
def test_a_name_that_is_taken_or_no_topics_is_refused(tmp_path: Path, name: str, sentence: str) -> None:
    assert problems(tmp_path, LEAST, name) == [f"1: {sentence}"]


def test_a_built_in_adapter_is_not_replaced_where_nobody_has_checked() -> None:
    spec = AdapterSpec.model_validate(
        {"name": "zabbix", "feed_class": "saas", "kind": "state", "alert": {"identity": ["id"]}}
    )
    with pytest.raises(ValueError, match="adapter zabbix of the configuration has the name of another one"):
        adapters_of(Config(adapters={"zabbix": spec}))


def test_feeds_may_use_an_adapter_of_the_configuration(tmp_path: Path) -> None:
    files = {"adapters/plant.yaml": LEAST, "feeds.yaml": "leipzig: {adapter: plant}\n"}
    checked = check_config(write(tmp_path, files), ADAPTERS)

    assert checked.config is not None, checked.problems
    feeds = feeds_of(checked.config)
    assert (feeds["leipzig"].adapter, feeds["plant"].adapter) == ("plant", "plant")


def test_a_feed_of_a_broken_adapter_is_not_reported_again_and_a_misspelt_one_gets_a_hint(tmp_path: Path) -> None:
    feeds = "a: {adapter: plant}\nb: {adapter: plent}\nc: {adapter: plant, options: {zone: UTC}}\n"
    checked = check_config(write(tmp_path, {"adapters/plant.yaml": "x: 1\n", "feeds.yaml": feeds}), ADAPTERS)

    assert [str(each) for each in checked.problems if each.file == "feeds.yaml"] == [
        "feeds.yaml:2: adapter: there is no adapter 'plent'; did you mean 'plant'?",
        "feeds.yaml:3: options: adapter 'plant' has none",
    ]

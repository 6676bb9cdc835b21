"""Rules: valid for the real promtool, each alert shown to fire and not to fire, each with a page on what to do."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tools.generate_observability import CASES, RULES, stale
from tools.observability import cases
from tools.observability.catalogue import ALERTS, GROUPS
from tools.observability.model import Recording
from tools.observability.series import every_series

PROMETHEUS_OWN: Final = {"up", "ALERTS"}
NAMES: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
PROMQL_WORDS: Final = frozenset(
    "sum by max min count avg rate increase changes histogram_quantile avg_over_time last_over_time absent vector topk "
    "group and or on offset abs bool unless without le time".split()
)


def names_in(expression: str) -> set[str]:
    """Names of series in a query: what is left without selectors, windows, groupings and words of the language."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(by|on|without) \([^)]*\)|offset \w+|\b\d[\w.]*", " ", expression)
    return set(NAMES.findall(bare)) - PROMQL_WORDS


def known() -> set[str]:
    exposed = {name for series in every_series() for name in series.exposed}
    recorded = {rule.name for group in GROUPS.values() for rule in group.rules if isinstance(rule, Recording)}
    return exposed | recorded | PROMETHEUS_OWN


def test_no_file_is_stale() -> None:
    assert not stale(), "run: python -m tools.generate_observability"


def test_promtool_takes_the_rules(promtool: Path) -> None:
    files = sorted(RULES.glob("*.yaml"))
    done = subprocess.run([promtool, "check", "rules", *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", sorted(CASES.glob("*.yaml")), ids=lambda path: path.stem)
def test_alerts_fire_when_they_should_and_else_not(promtool: Path, file: Path) -> None:
    done = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert.name}-{alert.severity}")
def test_every_alert_is_shown_to_fire_and_not_to_fire(alert: object) -> None:
    name = getattr(alert, "name")  # noqa: B009  # the parameter is an object to pytest
    shown = {case.count > 0 for case in cases.CASES if case.alert == name}
    assert shown == ({True} if name == "SpillwayWatchdog" else {True, False})


def test_rules_ask_for_series_that_exist() -> None:
    for group in GROUPS.values():
        for rule in group.rules:
            assert names_in(rule.expression) <= known(), rule.name


def test_recorded_series_say_level_metric_and_operation() -> None:
    for group in GROUPS.values():
        for rule in group.rules:
            if isinstance(rule, Recording):
                assert re.fullmatch(r"[a-z_]+:[a-z0-9_]+:[a-z0-9_]+", rule.name)
                level = rule.name.split(":")[0].split("_")
                assert all(label in rule.expression for label in level), rule.name


def test_every_alert_says_what_it_means_in_a_sentence_and_where() -> None:
    for alert in ALERTS:
        assert alert.description.endswith("."), alert.name
        assert not alert.summary.endswith("."), alert.name
        assert alert.runbook_url.endswith(f"/{alert.name}")


def test_a_query_of_a_series_that_does_not_exist_is_found() -> None:
    found = names_in('sum by (stage) (rate(spillway_made_up_total{namespace=~"$namespace"}[5m])) > 14.4 * 0.001')
    assert found == {"spillway_made_up_total"}

"""Dashboards: whole, of series that exist, of queries that Prometheus reads, tied to no data source."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.observability.test_rules import known, names_in
from tools.generate_observability import DASHBOARDS as PLACE
from tools.observability.catalogue import ALERTS
from tools.observability.dashboards import DASHBOARDS
from tools.observability.dashboards.grafana import Dashboard, Panel, Row, as_json

ALL = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.uid)


def panels(dashboard: Dashboard) -> list[dict[str, Any]]:
    found = json.loads(as_json(dashboard))["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def test_every_file_is_that_of_a_dashboard() -> None:
    assert {path.stem for path in PLACE.glob("*.json")} == {dashboard.uid for dashboard in DASHBOARDS}
    assert len({dashboard.uid for dashboard in DASHBOARDS}) == len(DASHBOARDS)


@ALL
def test_every_panel_has_a_title_a_description_and_a_unit(dashboard: Dashboard) -> None:
    for panel in panels(dashboard):
        assert panel["title"], panel
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]


@ALL
def test_ids_and_titles_are_unique_and_panels_do_not_overlap(dashboard: Dashboard) -> None:
    whole = json.loads(as_json(dashboard))["panels"]
    assert len({panel["id"] for panel in whole}) == len(whole)
    assert len({panel.title for panel in dashboard.panels}) == len(dashboard.panels)
    taken: set[tuple[int, int]] = set()
    for panel in whole:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


@ALL
def test_no_data_source_is_named_but_the_chosen_one(dashboard: Dashboard) -> None:
    def sources(node: object) -> set[str]:
        if isinstance(node, dict):
            own = {node["datasource"]["uid"]} if isinstance(node.get("datasource"), dict) else set()
            return own.union(*(sources(each) for each in node.values()))
        return set().union(*(sources(each) for each in node)) if isinstance(node, list) else set()

    assert sources(json.loads(as_json(dashboard))) == {"${datasource}"}


@ALL
def test_queries_ask_for_series_that_exist_in_the_chosen_namespaces(dashboard: Dashboard) -> None:
    for panel in dashboard.panels:
        for query in panel.queries:
            assert names_in(query.expression) <= known(), panel.title
            assert "$namespace" in query.expression or "up == 0" in query.expression, panel.title


@ALL
def test_runbooks_of_panels_are_of_alerts(dashboard: Dashboard) -> None:
    assert {panel.runbook for panel in dashboard.panels} <= {"", *(alert.name for alert in ALERTS)}


def test_promtool_reads_every_query(promtool: Path, tmp_path: Path) -> None:
    rules = [
        {"record": f"query:{dashboard.uid.replace('-', '_')}_{place}:once", "expr": query.expression}
        for dashboard in DASHBOARDS
        for place, query in enumerate(query for panel in dashboard.panels for query in panel.queries)
    ]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    done = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_thresholds_rise_where_much_is_bad_and_turn_green_where_little_is() -> None:
    def colours(**more: Any) -> list[tuple[str, float | None]]:
        panel = Panel(title="t", description="d.", unit="s", queries=[], **more)
        dashboard = Dashboard(uid="u", title="t", description="d.", rows=[Row(title="r", panels=[panel])])
        (shown,) = panels(dashboard)
        return [(step["color"], step["value"]) for step in shown["fieldConfig"]["defaults"]["thresholds"]["steps"]]

    assert colours(warns=1, alarms=5) == [("green", None), ("yellow", 1), ("red", 5)]
    assert colours(warns=0.9, alarms=0.5, below=True) == [("red", None), ("yellow", 0.5), ("green", 0.9)]
    assert colours(alarms=1, below=True) == [("red", None), ("green", 1)]

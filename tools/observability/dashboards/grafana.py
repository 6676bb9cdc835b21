"""Dashboards of Grafana as values of Python: what our three need, and no more.

Grafana's own SDK describes every panel there is with thousands of classes; five kinds of them are used here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from tools.observability.model import RUNBOOKS

WIDTH: Final = 24
"""Columns of Grafana's grid."""

SCHEMA_VERSION: Final = 39
"""Of Grafana 10 and later, which migrate it forward by themselves."""

SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

Kind = Literal["timeseries", "stat", "table", "bargauge"]

Unit = Literal["s", "short", "percentunit", "bytes", "ops", "reqps", "none", "dtdurations", "dateTimeAsIso"]
"""Grafana's names. ``short`` is a count, ``ops`` something a second."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query.

    Attributes:
        expression: PromQL.
        legend: name of what it answers; ``{{label}}`` stands for a label's value.
        instant: only the newest value, for tables.
    """

    expression: str
    legend: str = ""
    instant: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel.

    Attributes:
        description: what it shows and what to think of it.
        warns, alarms: from which values on it is yellow and red; None: never.
        below: the thresholds are lower bounds: what is below them is bad.
        runbook: name of the alert that is about it.
        height: rows of the grid.
    """

    title: str
    description: str
    unit: Unit
    queries: Sequence[Query]
    kind: Kind = "timeseries"
    width: int = 8
    height: int = 7
    warns: float | None = None
    alarms: float | None = None
    below: bool = False
    runbook: str = ""
    stacked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Panels under a headline."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """One dashboard.

    Attributes:
        uid: never changes: links lead to it.
        variables: label -> series that has its values, beside the namespace.
    """

    uid: str
    title: str
    description: str
    rows: Sequence[Row]
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def panels(self) -> list[Panel]:
        """All panels."""
        return [panel for row in self.rows for panel in row.panels]


def as_json(dashboard: Dashboard) -> str:
    """The file that Grafana reads."""
    document = {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["spillway"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "links": [_link_to_others()],
        "templating": {"list": _variables(dashboard)},
        "annotations": {"list": [_firing()]},
        "panels": _panels(dashboard.rows),
    }
    return json.dumps(document, indent=1, sort_keys=False) + "\n"


def _link_to_others() -> dict[str, Any]:
    return {
        "title": "Spillway",
        "type": "dashboards",
        "tags": ["spillway"],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
    }


def _variables(dashboard: Dashboard) -> list[dict[str, Any]]:
    source = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    wanted = {"namespace": "spillway_build_info", **dashboard.variables}
    return [source, *(_variable(label, series) for label, series in wanted.items())]


def _variable(label: str, series: str) -> dict[str, Any]:
    chosen = "" if label == "namespace" else '{namespace=~"$namespace"}'
    return {
        "name": label,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": f"label_values({series}{chosen}, {label})", "refId": label},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _firing() -> dict[str, Any]:
    return {
        "name": "Spillway alerts",
        "datasource": SOURCE,
        "enable": True,
        "iconColor": "red",
        "expr": 'ALERTS{alertstate="firing",service="spillway",severity="critical",namespace=~"$namespace"}',
        "titleFormat": "{{alertname}}",
        "step": "60s",
    }


def _panels(rows: Sequence[Row]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    y = 0
    for row in rows:
        found.append(_row(len(found) + 1, row.title, y))
        x, y, tallest = 0, y + 1, 0
        for panel in row.panels:
            if x + panel.width > WIDTH:
                x, y, tallest = 0, y + tallest, 0
            found.append(_panel(len(found) + 1, panel, x, y))
            x, tallest = x + panel.width, max(tallest, panel.height)
        y += tallest
    return found


def _row(number: int, title: str, y: int) -> dict[str, Any]:
    place = {"x": 0, "y": y, "w": WIDTH, "h": 1}
    return {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}


def _panel(number: int, panel: Panel, x: int, y: int) -> dict[str, Any]:
    links = [{"title": "Runbook", "url": RUNBOOKS + panel.runbook, "targetBlank": True}] if panel.runbook else []
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height},
        "links": links,
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel),
        "targets": [_target(place, query, panel) for place, query in enumerate(panel.queries)],
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    shown: dict[str, Any] = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": _steps(panel)}}
    if panel.kind == "timeseries":
        custom: dict[str, Any] = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never"}
        custom["stacking"] = {"mode": "normal" if panel.stacked else "none"}
        custom["thresholdsStyle"] = {"mode": "off" if panel.alarms is None else "line"}
        shown |= {"custom": custom, "min": 0, "color": {"mode": "palette-classic"}}
    else:
        shown["color"] = {"mode": "thresholds"}
    return shown


def _steps(panel: Panel) -> list[dict[str, Any]]:
    bounds = [(panel.warns, "yellow"), (panel.alarms, "red")]
    if not panel.below:
        return [{"color": "green", "value": None}, *({"color": c, "value": v} for v, c in bounds if v is not None)]
    # The colour of a step holds from its value on, so a lower bound begins with the worst.
    worst = "red" if panel.alarms is not None else "yellow"
    steps: list[dict[str, Any]] = [{"color": worst, "value": None}]
    if panel.alarms is not None:
        steps.append({"color": "green" if panel.warns is None else "yellow", "value": panel.alarms})
    return [*steps, *([{"color": "green", "value": panel.warns}] if panel.warns is not None else [])]


def _options(panel: Panel) -> dict[str, Any]:
    calculated = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    if panel.kind == "timeseries":
        legend = {"displayMode": "list", "placement": "bottom", "showLegend": True}
        return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
    if panel.kind == "stat":
        return {"reduceOptions": calculated, "colorMode": "background", "graphMode": "area", "textMode": "auto"}
    if panel.kind == "bargauge":
        return {"reduceOptions": calculated, "orientation": "horizontal", "displayMode": "basic"}
    return {"showHeader": True}


def _target(place: int, query: Query, panel: Panel) -> dict[str, Any]:
    target: dict[str, Any] = {
        "refId": chr(ord("A") + place),
        "datasource": SOURCE,
        "expr": query.expression,
        "legendFormat": query.legend or "__auto",
    }
    if query.instant or panel.kind == "table":
        target |= {"instant": True, "range": False, "format": "table"}
    return target

"""The head of each runbook: what fires, when, and how loud. The rest of a page is written by people.

A head stands between ``<!-- alert -->`` and ``<!-- end of alert -->``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from tools.observability.catalogue import ALERTS
from tools.observability.model import Alert

SECTIONS: Final = (
    "What it means",
    "Who notices",
    "Look first",
    "Restore service",
    "When it is a false alarm",
    "Escalate",
)
"""What every page answers, in this order."""

_HEAD: Final = re.compile(r"<!-- alert -->\n.*?<!-- end of alert -->\n", re.DOTALL)


def alerts_named(name: str) -> list[Alert]:
    """The rules of one name: some fire at two levels."""
    return [alert for alert in ALERTS if alert.name == name]


def head(name: str) -> str:
    """The generated head of a page.

    Raises:
        KeyError: no alert has this name.
    """
    rules = alerts_named(name)
    if not rules:
        raise KeyError(f"no alert {name}: delete its runbook, or declare it in tools/observability")
    lines = ["<!-- alert -->", ""]
    for rule in rules:
        hold = "at once" if rule.hold == "0m" else f"after {rule.hold}"
        lines += [f"**{rule.severity}**, {hold}: {rule.description}", "", "```promql", rule.expression, "```", ""]
    return "\n".join([*lines, "<!-- end of alert -->", ""])


def with_head(path: Path) -> str:
    """The page with its head made anew."""
    text, fresh = path.read_text(), head(path.stem)
    if _HEAD.search(text):
        return _HEAD.sub(lambda _: fresh, text, count=1)
    title, _, rest = text.partition("\n")
    return f"{title}\n\n{fresh}{rest}"


def index() -> str:
    """The table of all runbooks, critical ones first."""
    order = {severity: place for place, severity in enumerate(("critical", "warning", "info", "none"))}
    first: dict[str, Alert] = {}
    for alert in sorted(ALERTS, key=lambda alert: order[alert.severity]):
        first.setdefault(alert.name, alert)
    rows = [f"| [{name}]({name}.md) | {alert.severity} | {alert.description} |" for name, alert in first.items()]
    return "\n".join(["| alert | severity | means |", "| --- | --- | --- |", *rows, ""])


def page() -> str:
    """The list of all runbooks as a page."""
    return (
        "# Runbooks\n\nOne page for each alert: what it means, who notices, what to look at first, how to restore "
        "service. How alerts get to people is in [monitoring](../monitoring.md).\n\n"
        f"{index()}\n"
        "Commands are `spillway`'s and `kubectl`'s; `-n spillway` stands for your namespace. In plain processes, "
        "replace `kubectl logs` by where standard error goes.\n\n"
        "Call `spillway ...` in the toolbox: `kubectl -n spillway exec deployment/spillway-toolbox -- spillway ...` "
        "([off by default](../kubernetes.md#a-place-for-commands)). Where each component has a user of its own, the "
        "others' pods lack the rights for it; there only `spillway health` is of use. `POD` is a pod of the component "
        "that the page is about.\n\n"
        "With `layout: together` all stages are in `statefulset/spillway-pipeline`: take its name wherever a page says "
        "`spillway-dedupe`, `deployment/spillway-deliver` and so on. A restart is one of all stages then.\n"
    )

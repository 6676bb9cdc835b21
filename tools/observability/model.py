"""What rules consist of, and how they become a file of Prometheus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import yaml

RUNBOOKS: Final = "https://spillway.dev/runbooks/"
"""Where runbooks are published; the chart puts another address in its place where one is given."""

Severity = Literal["critical", "warning", "info", "none"]
"""``critical``: wake somebody. ``warning``: the same working day. ``info``: when somebody looks.
``none``: all is well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording rule.

    Attributes:
        name: ``level:metric:operations``; the level names the labels that are left.
        expression: PromQL.
    """

    name: str
    expression: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alerting rule.

    Attributes:
        name: ``Spillway`` and what is wrong.
        expression: PromQL; what it answers fires.
        hold: for how long it must be so.
        summary: one line, with the labels that say where.
        description: what it means for those who use Spillway.
        aspect: tells rules of one name apart.
    """

    name: str
    expression: str
    severity: Severity
    summary: str
    description: str
    hold: str = "0m"
    aspect: str = ""

    @property
    def runbook_url(self) -> str:
        """The page that says what to do."""
        return RUNBOOKS + self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rules that are evaluated one after another."""

    name: str
    rules: Sequence[Recording | Alert]

    @property
    def alerts(self) -> list[Alert]:
        """Those of its rules that alert."""
        return [rule for rule in self.rules if isinstance(rule, Alert)]


class _Dumper(yaml.SafeDumper):
    """Texts over several lines as blocks, which people can read."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)

LINE_CHARACTERS: Final = 1_000
"""No line is broken: a query that is searched for is found."""


def to_yaml(document: object, source: str) -> str:
    """A file with a head that says where it comes from.

    Args:
        document: lists, dictionaries, texts and numbers.
        source: the module that it is made from.
    """
    body = yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=LINE_CHARACTERS, allow_unicode=True)
    return f"# Made by `python -m tools.generate_observability` from {source}: change it there.\n{body}"


def as_document(group: Group) -> dict[str, Any]:
    """A group of rules as Prometheus reads it; it is evaluated as often as Prometheus evaluates by default."""
    return {"groups": [{"name": group.name, "rules": [_rule(rule) for rule in group.rules]}]}


def _rule(rule: Recording | Alert) -> dict[str, Any]:
    if isinstance(rule, Recording):
        return {"record": rule.name, "expr": rule.expression}
    labels = {"severity": rule.severity, "service": "spillway"} | ({"aspect": rule.aspect} if rule.aspect else {})
    return {
        "alert": rule.name,
        "expr": rule.expression,
        "for": rule.hold,
        "labels": labels,
        "annotations": {
            "summary": rule.summary,
            "description": rule.description,
            "runbook_url": rule.runbook_url,
        },
    }

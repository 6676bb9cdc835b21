"""The options that narrow lists and searches of incidents, one for each filter."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import click

from pipeline.records.reading import BadFilterError, Filters, parse_filters
from pipeline.records.reading.filters import NAMES

Decorated = Callable[..., Any]

_OPTIONS: Final = {
    "kind": "incident or bridge.",
    "state": "One of these states; repeatable, or several between commas.",
    "priority": "One of these priorities; repeatable, or several between commas.",
    "open": "true: not closed, merged or cancelled; false: those that are.",
    "domain": "Of this domain.",
    "service": "Affects this service.",
    "owner": "Of this team.",
    "assignee": "Of this person, or 'nobody'.",
    "category": "Of this category.",
    "hosting_model": "cloud, on_prem, hybrid or saas.",
    "infrastructure_layer": "application, database, network, compute, identity...",
    "severity": "Of this severity.",
    "space": "Of this correlation space.",
    "at_risk": "true: a clock is due soon or has missed its target.",
    "member": "true: a member of a bridge incident.",
    "muted": "true: its notifications are muted.",
    "opened_from": "Opened on or after: 2026-11-01, or a moment with its zone.",
    "opened_to": "Opened before.",
}
SERVICE_PREFIX: Final = "component:default/"


def filter_options(function: Decorated) -> Decorated:
    """An option for each filter."""
    for name in reversed(_OPTIONS):
        option = f"--{name.replace('_', '-')}"
        function = click.option(option, f"filter_{name}", multiple=True, metavar="WORD", help=_OPTIONS[name])(function)
    return function


def filters_of(asked: dict[str, Any]) -> Filters:
    """The filters that options say; they are taken out of what was asked.

    Raises:
        click.ClickException: one cannot be; the message says what would be right.
    """
    given = {name: list(asked.pop(f"filter_{name}")) for name in NAMES if f"filter_{name}" in asked}
    # A service by its bare name, as people say it.
    given["service"] = [each if ":" in each else SERVICE_PREFIX + each for each in given.get("service", [])]
    try:
        return parse_filters(given, int(time.time() * 1_000))
    except BadFilterError as wrong:
        raise click.ClickException(str(wrong)) from None

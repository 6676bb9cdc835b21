"""``spillway incident``: what people ask of Major Incidents: declare, confirm, reject, demote, lead, correct."""

from __future__ import annotations

from typing import Any, Final

import click

from pipeline.cli.incident_ask import ask, asks
from pipeline.models.command import CommandType, Role
from pipeline.models.major import CoordinatedStatus


def _as_commander(asked: dict[str, Any]) -> dict[str, Any]:
    """Who declares or takes back does so as a commander, unless he says otherwise."""
    return asked | {"role": asked["role"] or Role.COMMANDER.value}


@click.command()
@asks
@click.option("--reason", required=True, help="Why it is one; everybody reads it.")
def declare(reason: str, **asked: Any) -> None:
    """Declare an incident a Major Incident, whatever the thresholds say."""
    ask(CommandType.DECLARE_MAJOR, _as_commander(asked), reason=reason)


@click.command()
@asks
@click.option("--commander", "assignee", help="Who leads the response.")
def confirm(assignee: str | None, **asked: Any) -> None:
    """Confirm a proposed Major Incident."""
    ask(CommandType.CONFIRM_MAJOR, _as_commander(asked), assignee=assignee)


@click.command()
@asks
@click.option("--reason", required=True, help="Why it is none.")
def reject(reason: str, **asked: Any) -> None:
    """Reject a proposed Major Incident."""
    ask(CommandType.REJECT_MAJOR, _as_commander(asked), reason=reason)


@click.command()
@asks
@click.option("--reason", required=True, help="Why it was none.")
def demote(reason: str, **asked: Any) -> None:
    """Take a Major Incident back: its members go on as incidents of their own."""
    ask(CommandType.DEMOTE_MAJOR, _as_commander(asked), reason=reason)


@click.command()
@asks
@click.argument("person")
def commander(person: str, **asked: Any) -> None:
    """Say who leads the response to a Major Incident."""
    ask(CommandType.ASSIGN_COMMANDER, asked, assignee=person)


@click.command()
@asks
@click.argument("word", metavar="STATUS", type=click.Choice([each.value for each in CoordinatedStatus][:-1]))
def status(word: str, **asked: Any) -> None:
    """Set the coordinated status of a Major Incident; `resolve` ends it."""
    ask(CommandType.SET_STATUS, asked, status=word)


@click.command()
@asks
@click.option("--users", type=click.IntRange(0), help="People affected.")
@click.option("--revenue", "revenue_per_minute", type=click.FloatRange(0), help="Money a minute at stake.")
@click.option("--reason", required=True, help="How that is known.")
def correct(users: int | None, revenue_per_minute: float | None, reason: str, **asked: Any) -> None:
    """Put the estimated impact of an incident right; it holds whatever is estimated later."""
    if users is None and revenue_per_minute is None:
        raise click.UsageError("give --users, --revenue or both")
    ask(CommandType.CORRECT_IMPACT, asked, users=users, revenue_per_minute=revenue_per_minute, reason=reason)


MAJOR: Final[tuple[click.Command, ...]] = (declare, confirm, reject, demote, commander, status, correct)
"""The commands of this file."""

"""``spillway incident``: how an incident ends, what keeps it from coming back, and what belongs together."""

from __future__ import annotations

from typing import Any, Final

import click

from pipeline.cli.incident_ask import Decorated, ask, asks
from pipeline.cli.resolution_code import warn_of_code
from pipeline.models.closure import USUAL_CODES
from pipeline.models.command import CommandType


def _resolution_options(function: Decorated) -> Decorated:
    for option in (
        click.option("--corrective-action", help="What keeps it from coming back; is kept until it is done."),
        click.option("--workaround", help="What restored the service without removing the cause."),
        click.option("--fix", help="What removed the cause."),
        click.option("--cause", help="What caused it."),
        click.option("--summary", required=True, help="What was done."),
        click.option("--code", required=True, help=f"As the policy has it; usually {', '.join(USUAL_CODES)}."),
    ):
        function = option(function)
    return function


_FIELDS: Final = ("code", "summary", "cause", "fix", "workaround", "corrective_action")


def _ask_with_resolution(kind: CommandType, asked: dict[str, Any]) -> None:
    warn_of_code(asked)
    ask(kind, asked, resolution={name: asked.pop(name) for name in _FIELDS})


@click.command()
@asks
@_resolution_options
def resolve(**asked: Any) -> None:
    """Resolve an incident, and say how; also one that resolved by itself, to document it."""
    _ask_with_resolution(CommandType.RESOLVE, asked)


@click.command()
@asks
@_resolution_options
def close(**asked: Any) -> None:
    """Close an incident with its documentation."""
    _ask_with_resolution(CommandType.CLOSE, asked)


@click.command()
@asks
@click.option("--reason", required=True, help="What shows that it is not over.")
def reopen(reason: str, **asked: Any) -> None:
    """Reopen a resolved incident."""
    ask(CommandType.REOPEN, asked, reason=reason)


@click.command()
@asks
@click.option("--reason", required=True, help="'false alarm', 'duplicate', 'test', or in your own words.")
def cancel(reason: str, **asked: Any) -> None:
    """Cancel an incident that was none. Takes --role commander, unless the policy says otherwise."""
    ask(CommandType.CANCEL, asked, reason=reason)


@click.group()
def action() -> None:
    """Corrective actions: what keeps it from coming back."""


@action.command()
@asks
@click.argument("text")
@click.option("--id", "action_id", help="Its id; one that is known is brought up to date.")
@click.option("--owner", help="Who does it.")
@click.option("--due", help="By which day: 2026-12-31.")
def add(text: str, action_id: str | None, owner: str | None, due: str | None, **asked: Any) -> None:
    """Add a corrective action."""
    ask(CommandType.ADD_ACTION, asked, action={"id": action_id, "text": text, "owner": owner, "due": due})


@action.command()
@asks
@click.argument("action_id", metavar="ACTION")
def done(action_id: str, **asked: Any) -> None:
    """Complete a corrective action."""
    ask(CommandType.COMPLETE_ACTION, asked, action={"id": action_id})


@click.command()
@asks
@click.option("--into", required=True, metavar="INCIDENT", help="The incident that goes on.")
def merge(into: str, **asked: Any) -> None:
    """Merge an incident into another of the same space."""
    ask(CommandType.MERGE, asked, into=into)


@click.command()
@asks
@click.option("--episode", "episodes", multiple=True, required=True, help="An episode that moves out; repeatable.")
def split(episodes: tuple[str, ...], **asked: Any) -> None:
    """Split episodes out of an incident into one of their own."""
    ask(CommandType.SPLIT, asked, episodes=episodes)


@click.command()
@asks
def adopt(**asked: Any) -> None:
    """Let an incident go by the policy pack in force instead of the one that it was opened under.

    `spillway policy preview` says beforehand what that changes.
    """
    ask(CommandType.ADOPT_POLICY, asked)


END: Final[tuple[click.Command, ...]] = (resolve, close, reopen, cancel, action, merge, split, adopt)
"""The commands of this file."""

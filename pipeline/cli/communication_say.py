"""``spillway communication``: what people say to an audience, and whether a draft is published."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli.incident_ask import ask, asks
from pipeline.models.command import CommandType
from pipeline.models.communications import STATES


@click.command()
@asks
@click.argument("audience")
@click.argument("text", required=False)
@click.option("--state", type=click.Choice(STATES), help="What it says of the incident; default: as it was told last.")
def say(audience: str, text: str | None, state: str | None, **asked: Any) -> None:
    """Say TEXT to an audience; without TEXT its template says the newest facts.

    Where the audience needs approval it waits as a draft, unless you may approve.
    """
    ask(CommandType.COMMUNICATE, asked, audience=audience, text=text, state=state)


@click.command()
@asks
@click.argument("audience")
def approve(audience: str, **asked: Any) -> None:
    """Publish what waits for approval."""
    ask(CommandType.APPROVE_COMMUNICATION, asked, audience=audience)


@click.command()
@asks
@click.argument("audience")
def discard(audience: str, **asked: Any) -> None:
    """Throw a draft away; --note says why."""
    ask(CommandType.DISCARD_COMMUNICATION, asked, audience=audience)


@click.command()
@asks
@click.argument("duty")
def fulfil(duty: str, **asked: Any) -> None:
    """Record that a notice that was owed is given; --note says how."""
    ask(CommandType.FULFIL_DUTY, asked, duty=duty)


SAYING = (say, approve, discard, fulfil)
"""Commands of the group."""

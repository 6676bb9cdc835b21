"""``spillway incident``: what people ask while an incident is open: who has it, whom it waits for, what restored it."""

from __future__ import annotations

from typing import Any, Final

import click

from pipeline.cli.incident_ask import ask, asks
from pipeline.models.command import CommandType, WaitingFor

_PARTIES: Final = click.Choice([each.value for each in WaitingFor])


@click.command()
@asks
def ack(**asked: Any) -> None:
    """Acknowledge an incident: somebody is on it, escalation stops."""
    ask(CommandType.ACKNOWLEDGE, asked)


@click.command()
@asks
def unack(**asked: Any) -> None:
    """Hand an incident back: nobody is on it, people are called again."""
    ask(CommandType.UNACKNOWLEDGE, asked)


@click.command()
@asks
def start(**asked: Any) -> None:
    """Start work on an incident; that acknowledges it, too."""
    ask(CommandType.START, asked)


@click.command()
@asks
@click.argument("assignee")
def assign(assignee: str, **asked: Any) -> None:
    """Assign an incident to a person or a team."""
    ask(CommandType.ASSIGN, asked, assignee=assignee)


@click.command()
@asks
def unassign(**asked: Any) -> None:
    """Assign an incident to nobody."""
    ask(CommandType.UNASSIGN, asked)


@click.command()
@asks
@click.argument("level", metavar="PRIORITY")
def priority(level: str, **asked: Any) -> None:
    """Set an incident's priority, one of its domain's scale, such as P2."""
    ask(CommandType.SET_PRIORITY, asked, priority=level)


@click.command()
@asks
@click.argument("words", metavar="TEXT")
@click.option("--audience", help="Whom it is for; default: internal, which nobody else ever sees.")
def note(words: str, audience: str | None, **asked: Any) -> None:
    """Add words to the timeline."""
    ask(CommandType.NOTE, asked | {"note": words}, audience=audience)


@click.command()
@asks
@click.option("--reason", required=True, help="Why more people are needed.")
def escalate(reason: str, **asked: Any) -> None:
    """Escalate an incident: call the next people now."""
    ask(CommandType.ESCALATE, asked, reason=reason)


@click.command("clear-suspect")
@asks
@click.argument("ref")
@click.option("--reason", help="Why it is not the cause.")
def clear_suspect(ref: str, reason: str | None, **asked: Any) -> None:
    """Say that a suspect, by its catalogue reference, is not the cause: the next one's owner is engaged."""
    ask(CommandType.CLEAR_SUSPECT, asked, ref=ref, reason=reason)


@click.command()
@asks
@click.argument("waiting_for", metavar="FOR", type=_PARTIES)
@click.option("--ticket", help="Their ticket; that it is answered ends the wait.")
@click.option("--case", help="Their support case; likewise.")
@click.option("--url", help="The address of either.")
def wait(waiting_for: str, ticket: str | None, case: str | None, url: str | None, **asked: Any) -> None:
    """Wait for somebody outside: customer, vendor or provider. Several may be waited for at a time."""
    ask(CommandType.WAIT, asked, waiting_for=waiting_for, link=_link(waiting_for, ticket, case, url))


@click.command()
@asks
@click.argument("waiting_for", metavar="[FOR]", type=_PARTIES, required=False)
@click.option("--ticket", help="Of several that which has this ticket.")
@click.option("--case", help="Of several that which has this support case.")
def resume(waiting_for: str | None, ticket: str | None, case: str | None, **asked: Any) -> None:
    """Wait no longer, for one or for all; for a mitigated incident: the workaround does not hold."""
    if (ticket or case) and waiting_for is None:
        raise click.UsageError("say whose ticket or case it is: customer, vendor or provider")
    ask(CommandType.RESUME, asked, waiting_for=waiting_for, link=_link(waiting_for or "", ticket, case, None))


def _link(party: str, ticket: str | None, case: str | None, url: str | None) -> dict[str, str | None] | None:
    if ticket is not None and case is not None:
        raise click.UsageError("give --ticket or --case, not both")
    if ticket is None and case is None:
        return None
    kind = f"{party}_ticket" if ticket is not None else f"{party}_case"
    return {"kind": kind, "id": ticket or case, "url": url}


@click.command()
@asks
@click.argument("workaround")
@click.option("--owed", help="What is still to be done, as a corrective action; default: to fix what it stands in for.")
@click.option("--owner", help="Who does that; default: whom the incident is assigned to.")
@click.option("--due", help="By which day: 2026-12-31.")
def mitigate(workaround: str, owed: str | None, owner: str | None, due: str | None, **asked: Any) -> None:
    """Say that a workaround restored the service, and which; the fix is owed."""
    action = {"text": owed, "owner": owner, "due": due}
    ask(CommandType.MITIGATE, asked, workaround=workaround, action=action if any(action.values()) else None)


@click.command()
@asks
@click.argument("kind")
@click.argument("link_id")
@click.option("--url", help="Its address.")
@click.option("--state", help="Its state there; 'answered' or 'resolved' ends a wait for it.")
def link(kind: str, link_id: str, url: str | None, state: str | None, **asked: Any) -> None:
    """Link a record elsewhere, or bring its state up to date: a provider's case, a vendor's ticket, a problem."""
    ask(CommandType.LINK, asked, link={"kind": kind, "id": link_id, "url": url, "state": state})


RESPONSE: Final[tuple[click.Command, ...]] = (
    ack, unack, start, assign, unassign, priority, note, escalate, clear_suspect, wait, resume, mitigate, link,
)  # fmt: skip
"""The commands of this file."""

"""What is known of a record that nobody can look up: what was last told. For the ledger, and for no more."""

from __future__ import annotations

from typing import Any

from pipeline.core.outward.send import Send
from pipeline.models.remote import STATES, Remote, RemoteState
from pipeline.sinks.told import Told


def last_told(send: Send, told: Told, extra: dict[str, Any] | None = None) -> Remote:
    """The record of a sink that takes what it is told and keeps nothing that we could read: mail, a stream, a webhook.

    Args:
        send: what was delivered.
        told: its body, read.
        extra: what the sink has to remember instead of what it remembered before; None: the same.
    """
    before = send.remote
    kept = before.extra if before is not None else {}
    return Remote(
        id=before.id if before is not None else send.incident_id,
        key=before.key if before is not None else "",
        url=before.url if before is not None else "",
        state=state_of(told),
        fields=fields_of(told),
        extra=kept if extra is None else extra,
    )


def state_of(told: Told) -> RemoteState:
    """The state that the incident's record elsewhere should be in; open where the body does not say."""
    return STATES.get(told.state, RemoteState.OPEN)


def fields_of(told: Told) -> dict[str, str]:
    """The fields that both sides write, as they were told."""
    named = {name: told.incident.get(name) for name in ("priority", "assignee", "title")}
    return {"state": str(state_of(told))} | {name: str(value) for name, value in named.items() if value}

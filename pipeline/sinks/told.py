"""What a body tells, for sinks that word it anew: the snapshot, the new entries, calls and messages. Pure."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import orjson

IMPORTANT: Final = frozenset(
    {
        "acknowledge",
        "unacknowledge",
        "assign",
        "unassign",
        "escalate",
        "escalation_exhausted",
        "page",
        "page_failed",
        "hand_back",
        "identify",
        "clear_suspect",
        "wait_for_customer",
        "wait_for_vendor",
        "wait_for_provider",
        "wait_over",
        "resume",
        "case_owed",
        "remind_case",
        "mitigate",
        "known_error",
        "resolve",
        "resolution",
        "remind",
        "reopen",
        "close",
        "cancel",
        "merge",
        "split",
        "bridge",
        "declare",
        "propose",
        "promote",
        "commander",
        "correct_impact",
        "status",
        "link",
        "note",
        "priority",
        "sla_breached",
        "duty",
        "duty_warning",
        "duty_missed",
        "communication_draft",
        "refused_assign",
        "refused_set_priority",
        "refused_resolve",
        "refused_close",
        "refused_cancel",
        "refused_merge",
    }
)
"""Actions of the timeline that matter to whoever works on the incident elsewhere: what happened to it, what is asked of
somebody, and what was refused, as the record there goes back then. That it was opened the record itself says."""


class Call(NamedTuple):
    """Somebody is called.

    Attributes:
        key: of the step and the person; a sink makes a call of one key once.
        because: why, in words.
        service: for which, as a catalogue reference; "" where none was found.
    """

    key: str
    person: str
    because: str = ""
    runbook: str | None = None
    service: str = ""


class Words(NamedTuple):
    """A message to an audience that is published; drafts are not among them.

    Attributes:
        number: which of its stream, of one audience and page, it is: unique there, and rising.
        state: where the incident is for the audience (`pipeline.core.communication.communicate`).
        next_update_ms: when the next is promised; None: none is.
        approved_by: the person who approved or said it; "": it was published without one. What the world reads asks for
            one (`Published.approval`).
    """

    number: int
    audience: str
    page: str
    state: str
    subject: str
    text: str
    at_ms: int = 0
    next_update_ms: int | None = None
    approved_by: str = ""


class Told(NamedTuple):
    """A body, read.

    Attributes:
        entries: of the timeline, new in this delivery; long ones are cut, and of many the oldest are left out.
        calls: people called since the last delivery, never cut.
        messages: published since the last delivery, never cut.
    """

    change: str
    revision: int
    incident: dict[str, Any]
    entries: list[dict[str, Any]]
    calls: list[Call]
    messages: list[Words]

    @property
    def state(self) -> str:
        """The incident's state."""
        return str(self.incident.get("state", ""))


def told(body: str) -> Told:
    """Read a body of `pipeline.core.outward.delivery_body`."""
    data = orjson.loads(body)["data"]
    calls = [Call(**_known(each, Call._fields)) for each in data.get("calls", ())]
    messages = [Words(**_known(each, Words._fields)) for each in data.get("messages", ())]
    return Told(data["change"], data["revision"], data["incident"], data["entries"], calls, messages)


def _known(given: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Of a later release's fields those that this one reads."""
    return {name: given[name] for name in names if name in given}

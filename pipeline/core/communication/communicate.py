"""Telling people: a stream of messages for each audience, from the newest facts, at the cadence that was promised.

A message is due when the state that an audience is told changes, and when the next update that it was promised is
due. Nobody has to write it: the machine does, and what somebody writes counts as the update. Every audience that was
told something is told how it ended, and nothing after that. Once there is a bridge incident it alone speaks: its
members say so once and are silent until it lets them go. Where a message needs approval it is a draft, brought up to
date until somebody approves it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from pipeline.core.clocks import sla
from pipeline.core.communication import audiences, duties
from pipeline.core.communication.audiences import MINUTE_MS, Channel
from pipeline.core.communication.templates import tidy
from pipeline.core.draft import Draft
from pipeline.core.practice.desk import MACHINE, Desk
from pipeline.core.practice.lifecycle import ENDED_STATES, OPEN_STATES, WAITING_STATES
from pipeline.models.communications import SPOKEN, UPDATE, needs_approval
from pipeline.models.incident import Incident, IncidentChange, IncidentState
from pipeline.models.incident_parts import AudienceStream, Communication
from pipeline.models.major import CoordinatedStatus

COMMUNICATIONS_MAX: Final = 40
"""Messages on the record of an incident: a day of half-hourly ones to one audience. The timeline has all of them."""

COMMUNICATIONS_FIRST_KEPT: Final = 4
"""Of those the first that stay, so that the record says how each of four audiences heard of it."""

STREAMS_MAX: Final = 32
"""Audiences and places that one incident speaks to: four audiences in each of eight domains."""

DRAFT: Final = "draft"
PUBLISHED: Final = "published"

LAST_WORDS: Final = frozenset({"resolved", "cancelled", "moved"})
"""States after which nothing is said until the incident comes back."""


_ENDS: Final[dict[str, str]] = {IncidentState.CANCELLED: "cancelled", IncidentState.MERGED: "moved"}
_PHASES: Final[dict[str, str]] = {
    IncidentState.MITIGATED: "mitigated",
    **dict.fromkeys(WAITING_STATES, "waiting"),
}


@dataclass(frozen=True, slots=True)
class Words:
    """What is to be said: a state, by which template, and by whom.

    Attributes:
        message: what a person says, for the template `SPOKEN`.
        approved: whoever says it may publish without asking.
    """

    state: str
    template: str
    by: str = MACHINE
    message: str = ""
    approved: bool = False


def tell(desk: Desk, draft: Draft, state: str) -> None:
    """Tell every audience that hears of this priority a state, once for each state in a row."""
    incident = draft.incident
    duties.owe(desk, draft)
    if incident.bridge_id is not None:
        return
    for channel in list(audiences.channels(desk, incident)):
        stream = incident.streams.get(channel.key)
        begins = stream is None and state not in LAST_WORDS and channel.hears(incident) and incident.muted is None
        if begins or (stream is not None and stream.state != state):
            _say(desk, draft, channel, Words(state, state))


def keep(desk: Desk, draft: Draft) -> None:
    """Tell each audience what the revision changes for it. Called before each revision is written."""
    incident = draft.incident
    if not incident.streams and not incident.domains and not _concerns(desk, incident):
        return
    duties.owe(desk, draft)
    for stream in list(incident.streams.values()):
        state = phase(incident, stream.state)
        if state != stream.state:
            _say(desk, draft, audiences.channel_of(desk, incident, stream), Words(state, state))
    if incident.state in ENDED_STATES:
        _end(desk, draft)
    silent = incident.bridge_id is not None or incident.logged_at_ms is None or incident.muted is not None
    if silent or incident.state not in OPEN_STATES:
        return
    for channel in audiences.channels(desk, incident):
        if channel.key not in incident.streams and channel.hears(incident):
            state = phase(incident, "")
            _say(desk, draft, channel, Words(state, state))


def _concerns(desk: Desk, incident: Incident) -> bool:
    """Whether anybody is told of such an incident, or is owed a notice; hardly ever, and asked with each revision."""
    policy = desk.policy(incident)
    rules, priority = policy.communication, incident.priority
    owed = any(not each.priorities or priority in each.priorities for each in rules.duties)
    if priority in rules.heard or owed or incident.duties:
        return True
    return None in rules.heard and priority == policy.priorities[0]


def phase(incident: Incident, told: str) -> str:
    """The state to tell of an incident, to an audience that was told another before ('' for none).

    That a cause is identified is told by `tell`, when it is: here it is only gone back to.
    """
    if incident.state not in OPEN_STATES:
        kept = told == "moved" or (told in LAST_WORDS and incident.state in _ENDS)
        return told if kept else _ENDS.get(incident.state, "resolved")
    if incident.bridge_id is not None:
        return "moved"
    if incident.state in _PHASES or incident.status == CoordinatedStatus.MONITORING:
        return _PHASES.get(incident.state, "mitigated")
    if told in {"investigating", "identified"}:
        return told
    return "identified" if incident.identified and told != "resolved" else "investigating"


def next_due_ms(incident: Incident) -> int | None:
    """When the next message or notice is due; None: none is promised or owed."""
    if not incident.streams and not incident.duties:
        return None
    dues = [each.next_update_ms for each in incident.streams.values()]
    dues.append(duties.next_due_ms(incident))
    return min([due for due in dues if due is not None], default=None)


def on_due(desk: Desk, draft: Draft) -> None:
    """Say what is due: to each audience once, from the newest facts, however late it has become.

    What was promised is said though the priority is one by now that promises nothing more.
    """
    incident = draft.incident
    duties.on_due(draft)
    for stream in list(incident.streams.values()):
        if stream.next_update_ms is None or stream.next_update_ms > draft.now_ms:
            continue
        stream.next_update_ms = None
        if incident.state in OPEN_STATES and incident.bridge_id is None:
            channel = audiences.channel_of(desk, incident, stream)
            _say(desk, draft, channel, Words(phase(incident, stream.state), UPDATE))


def speak(desk: Desk, draft: Draft, audience: str, words: Words) -> bool:
    """Say what somebody wants said to an audience; False: nobody knows that audience, and nothing was done."""
    found = audiences.channels_of(desk, draft.incident, audience)
    for channel in found:
        _say(desk, draft, channel, words)
    return bool(found)


def pending(incident: Incident, stream: AudienceStream) -> Communication | None:
    """The draft of a stream that waits for approval."""
    for each in reversed(incident.communications):
        if (each.audience, each.page, each.status) == (stream.audience, stream.page, DRAFT):
            return each
    return None


def publish(draft: Draft, stream: AudienceStream, message: Communication, by: str) -> None:
    """A draft goes out as it is; what it promises counts from here."""
    message.status, message.approved_by, message.at_ms = PUBLISHED, by, draft.now_ms
    stream.published += 1
    text = f"{by} approved for {_reader(message)}: {_gist(message)}"
    draft.note("communication", by, text, IncidentChange.NOTED, **_facts(message))


def discard(draft: Draft, message: Communication, by: str, because: str) -> None:
    """A draft is thrown away."""
    draft.incident.communications.remove(message)
    text = f"draft for {_reader(message)} discarded: {because}"
    draft.note("communication_discarded", by, text, IncidentChange.NOTED, **_facts(message))


def _say(desk: Desk, draft: Draft, channel: Channel, words: Words) -> None:
    incident = draft.incident
    stream = incident.streams.get(channel.key)
    if stream is None:
        if len(incident.streams) >= STREAMS_MAX:
            return
        stream = incident.streams[channel.key] = AudienceStream(audience=channel.audience, page=channel.page)
    waiting = pending(incident, stream)
    if words.state in LAST_WORDS and not stream.published and words.by == MACHINE:
        stream.state, stream.next_update_ms = words.state, None
        if waiting is not None:
            discard(draft, waiting, MACHINE, "it ended before anything was published")
        return
    held = needs_approval(channel.audience, channel.rule) and not words.approved
    if waiting is not None and waiting.by != MACHINE and words.by == MACHINE and words.state in LAST_WORDS:
        _drop(draft, stream, waiting, "it ended before that was approved")
        waiting = None
    if waiting is not None and waiting.by != MACHINE and words.by == MACHINE and held:
        _remind(draft, channel, stream, waiting, words)
        return
    _write(desk, draft, channel, stream, words, waiting, held=held)


def _drop(draft: Draft, stream: AudienceStream, waiting: Communication, because: str) -> None:
    """Throw a draft away; its number is the next message's."""
    stream.number -= 1
    discard(draft, waiting, MACHINE, because)


def _end(desk: Desk, draft: Draft) -> None:
    """Nobody can approve anything any more. Whoever was told of the incident is told how it ended all the same."""
    incident = draft.incident
    for stream in incident.streams.values():
        waiting = pending(incident, stream)
        if waiting is None:
            continue
        _drop(draft, stream, waiting, f"the incident is {incident.state}, and nobody can approve it any more")
        told = [
            each for each in incident.communications if (each.audience, each.page) == (stream.audience, stream.page)
        ]
        if stream.state in LAST_WORDS and stream.published and not (told and told[-1].state in LAST_WORDS):
            channel = audiences.channel_of(desk, incident, stream)
            _write(desk, draft, channel, stream, Words(stream.state, stream.state), None, held=False)


def _remind(draft: Draft, channel: Channel, stream: AudienceStream, waiting: Communication, words: Words) -> None:
    """What a person wrote and nobody has approved yet is not overwritten."""
    stream.state, stream.next_update_ms = words.state, _promise(draft, channel, words.state)
    waiting.state, waiting.next_update_ms = words.state, stream.next_update_ms
    text = f"the draft of {waiting.by} for {_reader(waiting)} still waits for approval"
    draft.note("communication_draft", MACHINE, text, **_facts(waiting))


def _write(
    desk: Desk,
    draft: Draft,
    channel: Channel,
    stream: AudienceStream,
    words: Words,
    waiting: Communication | None,
    *,
    held: bool,
) -> None:
    """Make the message, as a draft or published; a draft that waits is replaced by it."""
    incident = draft.incident
    due_ms = _promise(draft, channel, words.state)
    number = stream.number + (waiting is None)
    given = audiences.about(
        desk, channel, incident, draft.now_ms, words.state, number=number, next_update_ms=due_ms, message=words.message
    )
    said, translations, problem = audiences.render(channel, words.template, given)
    message = Communication(
        at_ms=draft.now_ms,
        page=channel.page,
        state=words.state,
        text=said.text,
        audience=channel.audience,
        subject=said.subject,
        number=number,
        kind=words.template if words.template in {UPDATE, SPOKEN} else "state",
        status=DRAFT if held else PUBLISHED,
        by=words.by,
        next_update_ms=due_ms,
        translations=translations,
    )
    if waiting is not None:
        incident.communications.remove(waiting)
    _keep(incident, message)
    stream.state, stream.number, stream.next_update_ms = words.state, number, due_ms
    stream.published += not held
    _note(draft, message, problem)
    if not held:
        sla.informed(desk, draft, channel.audience)


def _note(draft: Draft, message: Communication, problem: str) -> None:
    if problem:
        text = f"template for {_reader(message)}, {message.state}, failed: the built-in words were used ({problem})"
        draft.note("template_failed", MACHINE, tidy(text))
    if message.status == DRAFT:
        text = f"draft for {_reader(message)}, {message.state}, waits for approval: {_gist(message)}"
        draft.note("communication_draft", message.by, text, IncidentChange.NOTED, **_facts(message))
    else:
        text = f"told {_reader(message)}, {message.state}: {_gist(message)}"
        draft.note("communication", message.by, text, IncidentChange.NOTED, **_facts(message))


def _keep(incident: Incident, message: Communication) -> None:
    told = incident.communications
    told.append(message)
    if len(told) > COMMUNICATIONS_MAX:
        del told[COMMUNICATIONS_FIRST_KEPT : len(told) - COMMUNICATIONS_MAX + COMMUNICATIONS_FIRST_KEPT]


def _promise(draft: Draft, channel: Channel, state: str) -> int | None:
    """When the next message is due, in whole minutes so that what is read is kept; None: none is promised."""
    incident = draft.incident
    if state in LAST_WORDS or incident.state not in OPEN_STATES or not channel.hears(incident):
        return None
    every_ms = channel.every_ms(incident.priority)
    return max(draft.now_ms + 1, (draft.now_ms + every_ms) // MINUTE_MS * MINUTE_MS) if every_ms else None


def _reader(message: Communication) -> str:
    name = message.audience.replace("_", " ")
    return name if message.page in {message.audience, ""} else f"{name} ({message.page})"


def _gist(message: Communication) -> str:
    """The first line of a message: the timeline is read line by line, and its facts have the whole text."""
    return message.text.partition("\n")[0]


def _facts(message: Communication) -> dict[str, Any]:
    return {
        "audience": message.audience,
        "page": message.page,
        "state": message.state,
        "number": message.number,
        "status": message.status,
        "subject": message.subject,
        "message": message.text,
        "next_update_ms": message.next_update_ms,
    }

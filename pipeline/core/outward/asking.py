"""Commands that come of what people did there: each change in the words of `pipeline.models.command`.

The actor is the person there, the role `source`, the time theirs; the id is a hash, so that what comes twice changes
nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from pipeline.core.draft import MACHINE
from pipeline.core.identity import content_hash
from pipeline.core.outward.sides import Sides
from pipeline.core.practice.commands import encode_command
from pipeline.core.practice.lifecycle import OPEN_STATES, UNANSWERED_STATES, WAITING_STATES
from pipeline.core.step import Output
from pipeline.models.command import Command, CommandType, Link, Resolution, Role, Target, WaitingFor
from pipeline.models.incident import IncidentKind
from pipeline.models.remote import RemoteLink, RemoteState, SinkUpdate

RESOLUTION_CODE: Final = "resolved_elsewhere"
"""Of a resolution that comes without a code."""

LINK_KINDS: Final = {"support_case": "provider_case"}
"""Kinds of links there that have another word here."""

_WAITED_FOR: Final = {"provider_case": WaitingFor.PROVIDER, "vendor_ticket": WaitingFor.VENDOR}

_ENDED_THERE: Final = frozenset({RemoteState.RESOLVED, RemoteState.CLOSED})


class Asking:
    """The commands of one update, about one incident."""

    def __init__(self, update: SinkUpdate, sides: Sides, at_ms: int) -> None:
        """Begin without any.

        Args:
            update: what came.
            sides: of the incident.
            at_ms: when it happened there, never in the future.
        """
        self._update = update
        self._sides = sides
        self._at = datetime.fromtimestamp(at_ms / 1_000, UTC)
        self.author = _person(update.author) or update.sink
        self.commands: list[Command] = []

    @property
    def at_ms(self) -> int:
        """When it was asked, as the command says."""
        return int(self._at.timestamp() * 1_000)

    def add(self, kind: CommandType, mark: str = "", actor: str | None = None, **given: Any) -> str:
        """Ask for something; its id.

        Args:
            kind: what is asked.
            mark: of what may be asked several times by one update; by default that update and kind.
            actor: who asks; by default the author of the update.
            given: further fields of the command.
        """
        of = (mark,) if mark else (self._update.update_id,)
        command = Command(
            command_id=content_hash(self._update.sink, self._update.incident_id, *of, kind),
            type=kind,
            actor=_person(actor or "") or self.author,
            role=Role.SOURCE,
            at=self._at,
            target=Target(incident_id=self._update.incident_id),
            **given,
        )
        self.commands.append(command)
        return command.command_id

    def field(self, name: str, value: str, *, ended_as_resolved: bool) -> list[str]:
        """Ask for the value of a field; the ids of the commands, none where nothing of the kind can be asked."""
        if name == "priority":
            return [self.add(CommandType.SET_PRIORITY, priority=value[:16])]
        if name == "assignee":
            return [self.add(CommandType.ASSIGN, assignee=value) if value else self.add(CommandType.UNASSIGN)]
        if name == "state":
            return self._state(RemoteState(value), ended_as_resolved=ended_as_resolved)
        return []

    def resolve(self) -> str:
        """Ask that it be resolved, as it was there."""
        update = self._update
        summary = update.resolution or f"resolved in {update.sink} by {self.author}"
        code = (update.resolution_code or RESOLUTION_CODE)[:64]
        return self.add(CommandType.RESOLVE, resolution=Resolution(code=code, summary=summary))

    def link(self, link: RemoteLink) -> str:
        """Ask that a record that hangs on it there hang on it here."""
        kind = LINK_KINDS.get(link.kind, link.kind)
        state = link.state[:64] if link.state else None
        asked = Link(kind=kind, id=link.id, url=link.url, state=state)
        return self.add(CommandType.LINK, f"{self._update.update_id}/{kind}/{link.id}", link=asked)

    def _state(self, there: RemoteState, *, ended_as_resolved: bool) -> list[str]:  # noqa: PLR0911  # a table in prose
        here = self._sides.state
        if there in _ENDED_THERE:
            return self._end(closed=there == RemoteState.CLOSED and not ended_as_resolved)
        if here == "resolved":
            reason = f"{self._update.sink}: {there} again there"
            return [self.add(CommandType.REOPEN, reason=reason)]
        if here not in OPEN_STATES:
            return []
        if there == RemoteState.WAITING:
            return [] if here in WAITING_STATES else [self._wait()]
        if there == RemoteState.MITIGATED:
            words = self._update.resolution or f"mitigated in {self._update.sink} by {self.author}"
            return [self.add(CommandType.MITIGATE, workaround=words)]
        if here in WAITING_STATES:
            return [self.add(CommandType.RESUME)]
        return self._answer(there)

    def _answer(self, there: RemoteState) -> list[str]:
        here = self._sides.state
        if there == RemoteState.ACKNOWLEDGED and here in UNANSWERED_STATES:
            return [self.add(CommandType.ACKNOWLEDGE)]
        if there == RemoteState.IN_PROGRESS and here in {*UNANSWERED_STATES, "acknowledged"}:
            return [self.add(CommandType.START)]
        if there == RemoteState.IN_PROGRESS and here == "mitigated":
            return [self.add(CommandType.RESUME)]
        return []

    def _end(self, *, closed: bool) -> list[str]:
        asked = [self.resolve()] if self._sides.state in OPEN_STATES else []
        return [*asked, self.add(CommandType.CLOSE)] if closed else asked

    def _wait(self) -> str:
        update, linked = self._update, None
        for each in update.links:
            kind = LINK_KINDS.get(each.kind, each.kind)
            if kind in _WAITED_FOR and update.waiting_for in (None, _WAITED_FOR[kind]):
                linked = Link(kind=kind, id=each.id, url=each.url)
                break
        whom = update.waiting_for or (_WAITED_FOR[linked.kind] if linked else WaitingFor.CUSTOMER)
        return self.add(CommandType.WAIT, waiting_for=whom, link=linked)


def _person(name: str) -> str:
    """Who asks; "" for who is called like the machine, as anybody there may call himself: its acts count for less."""
    return "" if name.strip() == MACHINE else name


def own_link(sink: str, incident_id: str, link: Link, nth: int) -> Command:
    """The command by which the record there hangs on the incident; nobody asked for it."""
    return Command(
        command_id=content_hash(sink, incident_id, link.id, link.state or "", str(nth), CommandType.LINK),
        type=CommandType.LINK,
        actor=MACHINE,
        role=Role.SYSTEM,
        target=Target(incident_id=incident_id),
        link=link,
    )


def outputs(commands: list[Command], sides: Sides, incident_id: str, now_ms: int) -> list[Output]:
    """The records of commands, where the incident is decided."""
    is_bridge = sides.facts.get("kind") == IncidentKind.BRIDGE
    topic = "bridge.commands" if is_bridge else "commands"
    key = incident_id if is_bridge else str(sides.facts.get("space", ""))
    return [Output(topic, key.encode(), encode_command(each), now_ms) for each in commands]

"""Silences of one partition: which one mutes an episode, found by what it names and not by asking one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import orjson

from pipeline.core.identity import short_id
from pipeline.core.topology import Topology
from pipeline.models.command import Command
from pipeline.models.correlation_rules import LABEL_FACT, LIST_FACTS, NUMBER_FACTS, REFERENCE_FACTS, TEXT_FACTS
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.silence import COMMANDS_OF_A_SILENCE_MAX, SILENCE_SCHEMA, Silence, SilenceRequest
from pipeline.models.wire import to_json

SILENCES_MAX: Final = 1_000
"""Silences kept in one partition: with more of them nobody knows what is muted."""

DAY_MS: Final = 24 * 60 * 60 * 1_000

_FACTS: Final = frozenset((*TEXT_FACTS, *NUMBER_FACTS, *LIST_FACTS))
_ABOUT_PEOPLE: Final = frozenset({"feed", "feed_class"})
"""Facts by which a silence means reports by people, too: those are muted only where it says so."""


class Silences:
    """The silences of one partition."""

    def __init__(self, topology: Topology, resolve: Callable[[str], str | None], days_max: int) -> None:
        """Args: ``days_max`` is for how many days from now one may be asked for."""
        self._topology = topology
        self._resolve = resolve
        self._days_max = days_max
        self._known: dict[str, Silence] = {}
        self._by_target: dict[str, dict[str, None]] = {}
        self._by_condition: dict[str, dict[str, None]] = {}
        self._by_fact: dict[str, dict[str | int, dict[str, None]]] = {}
        self._in_force = 0

    def __bool__(self) -> bool:
        """Whether any is in force."""
        return self._in_force > 0

    def get(self, silence_id: str) -> Silence | None:
        """A silence that is kept, in force or ended early."""
        return self._known.get(silence_id)

    # -- people

    def add(self, command: Command, request: SilenceRequest, space: str, now_ms: int) -> Silence | None:
        """Begin one; None where the command was applied before.

        Raises:
            BadRecord: it is too long, over already, about no fact, or one too many.
        """
        silence_id = short_id("SIL", command.command_id)
        if silence_id in self._known:
            return None
        if not (request.targets or request.match or request.conditions):
            words = "silence: names no targets, match or conditions: it would mute everything"
            raise BadRecord(Reason.MISSING_FIELD, words)
        until_ms = self._until(request.until.timestamp(), now_ms)
        unknown = [fact for fact in request.match if fact not in _FACTS and not fact.startswith(LABEL_FACT)]
        if unknown:
            raise BadRecord(Reason.WRONG_TYPE, "silence.match: a name is no fact; labels are written labels.<name>")
        if len(self._known) >= SILENCES_MAX:
            raise BadRecord(Reason.TOO_LARGE, f"{SILENCES_MAX:,} silences are in force: end one first")
        refs = [ref for ref in map(self._resolve, request.targets) if ref is not None]
        silence = Silence(
            id=silence_id,
            space=space,
            targets=list(request.targets),
            refs=list(dict.fromkeys(refs)),
            match={fact: self._values(fact, values) for fact, values in request.match.items()},
            conditions=list(request.conditions),
            since_ms=now_ms,
            until_ms=until_ms,
            owner=request.owner,
            reason=request.reason,
            actor=command.actor,
            commands=[command.command_id],
        )
        self._enter(silence)
        return silence

    def extend(self, command: Command, until_s: float, now_ms: int) -> Silence | None:
        """Let one end at another time; None where the command was applied before.

        Raises:
            BadRecord: there is none, or the time is none.
        """
        silence = self._asked(command)
        if command.command_id in silence.commands:
            return None
        silence.until_ms = self._until(until_s, now_ms)
        self._note(silence, command)
        return silence

    def end(self, command: Command, now_ms: int) -> Silence | None:
        """End one early; None where the command was applied before.

        Raises:
            BadRecord: there is none in force.
        """
        silence = self._asked(command)
        if command.command_id in silence.commands:
            return None
        silence.ended_at_ms = now_ms
        self._note(silence, command)
        self._leave(silence)
        return silence

    def forget(self, silence_id: str) -> Silence | None:
        """Its time is up: take it out."""
        silence = self._known.pop(silence_id, None)
        if silence is not None and silence.ended_at_ms is None:
            self._leave(silence)
        return silence

    def _asked(self, command: Command) -> Silence:
        silence = self._known.get(command.target.silence or "")
        if silence is None or (silence.ended_at_ms is not None and command.command_id not in silence.commands):
            raise BadRecord(Reason.UNKNOWN_TARGET, f"{command.type}: no such silence is in force in this space")
        return silence

    def _until(self, until_s: float, now_ms: int) -> int:
        until_ms = round(until_s * 1_000)
        if until_ms <= now_ms:
            raise BadRecord(Reason.WRONG_TYPE, "silence.until: is over already; ask for a later time")
        if until_ms - now_ms > self._days_max * DAY_MS:
            words = f"silence.until: more than {self._days_max} days ahead (silence_days_max of correlation.yaml)"
            raise BadRecord(Reason.WRONG_TYPE, f"{words}; ask for less, and extend it while it is needed")
        return until_ms

    def _values(self, fact: str, values: Iterable[str | int]) -> list[str | int]:
        """Values as the facts of episodes have them."""
        if fact in REFERENCE_FACTS:
            return [self._resolve(str(value)) or str(value) for value in values]
        return list(values) if fact in NUMBER_FACTS else [str(value) for value in values]

    def _note(self, silence: Silence, command: Command) -> None:
        silence.commands.append(command.command_id)
        del silence.commands[:-COMMANDS_OF_A_SILENCE_MAX]

    # -- asking

    def muting(self, space: str, alert_key: str, facts: Mapping[str, Any], labels: Mapping[str, str]) -> Silence | None:
        """The silence that mutes an episode, of several the one that ends last.

        Args:
            space: of the episode.
            alert_key: its condition.
            facts: what is known of it, by the names of correlation rules.
            labels: of its alert.
        """
        found: dict[str, None] = {}
        places = self._places(facts)
        for place in places:
            found |= self._by_target.get(place, {})
        found |= self._by_condition.get(alert_key, {})
        for fact, by_value in self._by_fact.items():
            for value in _values_of(fact, facts, labels):
                found |= by_value.get(value, {})
        best: Silence | None = None
        for silence_id in found:
            silence = self._known[silence_id]
            if silence.space != space or not self._holds(silence, alert_key, places, facts, labels):
                continue
            if best is None or (silence.until_ms, silence.id) > (best.until_ms, best.id):
                best = silence
        return best

    def _places(self, facts: Mapping[str, Any]) -> set[str]:
        """What an episode is about, what that runs on, and its host as reported."""
        entity, host = facts.get("entity") or "", facts.get("host") or ""
        places = self._topology.runs_on(entity) if entity else set()
        return (places | {facts.get("service") or "", host.lower()}) - {""}

    def _holds(
        self,
        silence: Silence,
        alert_key: str,
        places: set[str],
        facts: Mapping[str, Any],
        labels: Mapping[str, str],
    ) -> bool:
        if facts.get("feed_class") == "desk" and not (_ABOUT_PEOPLE & silence.match.keys() or silence.conditions):
            return False
        if silence.targets and places.isdisjoint(_names(silence)):
            return False
        if silence.conditions and alert_key not in silence.conditions:
            return False
        return all(
            any(value in values for value in _values_of(fact, facts, labels)) for fact, values in silence.match.items()
        )

    # -- state

    def load(self, value: bytes) -> Silence:
        """Take one back.

        Raises:
            ValueError: it is of a schema that this release does not read.
        """
        document = orjson.loads(value)
        if document.get("schema") != SILENCE_SCHEMA:
            raise ValueError(f"silence of schema {document.get('schema')!r}, this release reads {SILENCE_SCHEMA}")
        silence = Silence(**document)
        self._enter(silence)
        return silence

    def dump(self, silence_id: str) -> bytes | None:
        """The record of one; None where it is gone."""
        silence = self._known.get(silence_id)
        return None if silence is None else to_json(silence)

    def deadlines(self) -> list[tuple[str, int]]:
        """When each ends, or is forgotten."""
        return [(silence.id, silence.until_ms) for silence in self._known.values()]

    def _enter(self, silence: Silence) -> None:
        self._known[silence.id] = silence
        if silence.ended_at_ms is not None:
            return
        self._in_force += 1
        for place, name in self._entries(silence):
            place.setdefault(name, {})[silence.id] = None

    def _leave(self, silence: Silence) -> None:
        self._in_force -= 1
        for place, name in self._entries(silence):
            place.get(name, {}).pop(silence.id, None)
            if not place.get(name):
                place.pop(name, None)

    def _entries(self, silence: Silence) -> list[tuple[dict[Any, dict[str, None]], Any]]:
        """Where a silence is found: by its targets, else its conditions, else the first fact that it asks for."""
        if silence.targets:
            return [(self._by_target, name) for name in _names(silence)]
        if silence.conditions:
            return [(self._by_condition, key) for key in silence.conditions]
        fact, values = min(silence.match.items())
        by_value = self._by_fact.setdefault(fact, {})
        return [(by_value, value) for value in values]


def _names(silence: Silence) -> set[str]:
    """References, and every name as it was asked for: a host that no catalogue lists has no other."""
    return {*silence.refs, *(target.lower() for target in silence.targets)}


def _values_of(fact: str, facts: Mapping[str, Any], labels: Mapping[str, str]) -> Iterable[Any]:
    if fact.startswith(LABEL_FACT):
        value = labels.get(fact[len(LABEL_FACT) :])
        return () if value is None else (value,)
    value = facts.get(fact)
    if fact in LIST_FACTS:
        return value or ()
    return () if value is None or value == "" else (value,)

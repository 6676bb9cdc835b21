"""The window: what the active and the shadow configuration made of the newest alerts, in a form that is compared.

Its unit is an episode. The two sides cut and name episodes each for itself, so one of the active side and one of the
shadow's are taken for the same where they are about the same condition and began at about the same time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

import orjson

from pipeline.backtest.side import NONE, IncidentFact, PageFact, Side, why_of
from pipeline.models.incident import IncidentKind

UNITS_MAX: Final = 20_000
"""Episodes that are compared, the newest: some 20 MiB, and compared in a tenth of a second."""

BRIDGES_MAX: Final = 200
"""Major Incidents that are compared."""

SAME_RUN_MS: Final = 15 * 60_000
"""How far apart the beginnings of one run may be on the two sides: one of them may hold it back for as long."""

ACTIVE, SHADOW = 0, 1
SIDES: Final = (ACTIVE, SHADOW)
_LETTERS: Final = "as"
_UNIT: Final = "u/"


@dataclass(slots=True)
class Unit:
    """One episode as both sides see it.

    Attributes:
        began_ms: when the first side that knew of it had it, stream time.
        place: topic, partition, offset and index of its first alert.
        episodes: its id on each side.
        incidents: the incident that it is in on each side.
        whys: JSON of why, on each side.
        outcomes: disposition and reason of its first alert, on each side.
    """

    alert_key: str
    began_ms: int
    place: tuple[str, int, int, int]
    episodes: list[str | None] = field(default_factory=lambda: [None, None])
    incidents: list[str | None] = field(default_factory=lambda: [None, None])
    whys: list[str] = field(default_factory=lambda: ["", ""])
    outcomes: list[tuple[str, str]] = field(default_factory=lambda: [("joined", "unknown"), ("joined", "unknown")])


class Window:
    """Both sides of the newest episodes, and their incidents."""

    def __init__(self, since_ms: int, versions: tuple[str, str]) -> None:
        """Begin empty.

        Args:
            since_ms: what began before is known and not compared.
            versions: of the active and of the shadow configuration.
        """
        self._since_ms = since_ms
        self._versions = versions
        self._next = 0
        self._units: dict[int, Unit] = {}
        self._of_episode: tuple[dict[str, int], dict[str, int]] = ({}, {})
        self._of_key: dict[str, list[int]] = {}
        self._of_incident: tuple[dict[str, set[int]], dict[str, set[int]]] = ({}, {})
        self._facts: tuple[dict[str, IncidentFact], dict[str, IncidentFact]] = ({}, {})
        self._dirty: dict[str, None] = {}

    # -- what happens

    def opened(
        self,
        side: int,
        episode_id: str,
        alert_key: str,
        at_ms: int,
        place: tuple[str, int, int, int],
        outcome: tuple[str, str] | None = None,
    ) -> None:
        """An episode began on a side."""
        if episode_id in self._of_episode[side]:
            return
        number = self._matching(side, alert_key, at_ms)
        if number is None:
            number, self._next = self._next, self._next + 1
            self._units[number] = Unit(alert_key, at_ms, place)
            self._of_key.setdefault(alert_key, []).append(number)
        unit = self._units[number]
        unit.episodes[side] = episode_id
        if outcome is not None:
            unit.outcomes[side] = outcome
        self._of_episode[side][episode_id] = number
        self._touch(number)
        while len(self._units) > UNITS_MAX:
            self._forget(next(iter(self._units)))

    def happened(self, side: int, event: dict[str, Any]) -> None:
        """An incident event of a side."""
        incident = event["incident"]
        name = incident["id"]
        calls = [page for episode_id in event["joined"] for page in self._join(side, episode_id, name)]
        for entry in event["entries"]:
            number = self._of_episode[side].get(entry["facts"].get("episode_id") or "")
            if number is not None and (why := why_of(entry)) is not None:
                self._units[number].whys[side] = why.decode()
                self._touch(number)
        if name in self._of_incident[side] or incident["kind"] == IncidentKind.BRIDGE:
            self._note(side, name, event)
            if calls:
                self._facts[side][name].inherit(calls)

    def counterpart(self, incident_id: str) -> str | None:
        """The shadow's incident that most of an active one's episodes are in."""
        numbers = self._of_incident[ACTIVE].get(incident_id, ())
        found = Counter(each for number in numbers if (each := self._units[number].incidents[SHADOW]) is not None)
        return min(found, key=lambda each: (-found[each], each), default=None)

    def episode(self, episode_id: str) -> str | None:
        """The shadow's name of an active episode."""
        number = self._of_episode[ACTIVE].get(episode_id)
        return None if number is None else self._units[number].episodes[SHADOW]

    def _matching(self, side: int, alert_key: str, at_ms: int) -> int | None:
        """The unit that waits for this run on this side."""
        for number in self._of_key.get(alert_key, ()):
            unit = self._units[number]
            if unit.episodes[side] is None and abs(unit.began_ms - at_ms) <= SAME_RUN_MS:
                return number
        return None

    def _join(self, side: int, episode_id: str, incident_id: str) -> list[PageFact]:
        """Put an episode into an incident; gives the calls of the one that it left as the last, which was merged."""
        number = self._of_episode[side].get(episode_id)
        if number is None:  # it began before anybody looked
            return []
        unit, of_incident = self._units[number], self._of_incident[side]
        before = unit.incidents[side]
        if before == incident_id:
            return []
        calls = [] if before is None else self._leave(side, number, before)
        unit.incidents[side] = incident_id
        of_incident.setdefault(incident_id, set()).add(number)
        self._touch(number)
        return calls

    def _leave(self, side: int, number: int, incident_id: str) -> list[PageFact]:
        numbers = self._of_incident[side][incident_id]
        numbers.discard(number)
        if numbers:
            return []
        del self._of_incident[side][incident_id]
        return self._drop_fact(side, incident_id)

    def _note(self, side: int, name: str, event: dict[str, Any]) -> None:
        facts, incident = self._facts[side], event["incident"]
        fact = facts.get(name)
        if fact is None:
            fact = facts[name] = IncidentFact(name, incident["kind"], priority=incident["priority"])
            bridges = [each.id for each in facts.values() if each.kind == IncidentKind.BRIDGE]
            for oldest in bridges[: max(0, len(bridges) - BRIDGES_MAX)]:
                self._drop_fact(side, oldest)
        fact.note(event)
        self._dirty[f"{_LETTERS[side]}/{name}"] = None

    def _drop_fact(self, side: int, name: str) -> list[PageFact]:
        fact = self._facts[side].pop(name, None)
        if fact is None:
            return []
        self._dirty[f"{_LETTERS[side]}/{name}"] = None
        return fact.pages

    def _forget(self, number: int) -> None:
        unit = self._units.pop(number)
        numbers = self._of_key[unit.alert_key]
        numbers.remove(number)
        if not numbers:
            del self._of_key[unit.alert_key]
        for side in SIDES:
            self._of_episode[side].pop(unit.episodes[side] or "", None)
            if (incident_id := unit.incidents[side]) is not None:
                self._leave(side, number, incident_id)
        self._touch(number)

    def _touch(self, number: int) -> None:
        self._dirty[f"{_UNIT}{number}"] = None

    # -- state

    def take_changes(self) -> list[tuple[str, bytes | None]]:
        """State records changed since the last call; None means removed."""
        changes = [(key, self._dump(key)) for key in self._dirty]
        self._dirty.clear()
        return changes

    def _dump(self, key: str) -> bytes | None:
        kind, _, name = key.partition("/")
        if kind == "u":
            unit = self._units.get(int(name))
            return None if unit is None else orjson.dumps(asdict(unit))
        fact = self._facts[_LETTERS.index(kind)].get(name)
        return None if fact is None else orjson.dumps(asdict(fact) | {"pages": [list(page) for page in fact.pages]})

    def restore(self, records: Iterable[tuple[str, bytes]]) -> None:
        """Take all state records back."""
        units: dict[int, Unit] = {}
        facts: list[tuple[int, IncidentFact]] = []
        for key, value in records:
            kind, _, name = key.partition("/")
            document = orjson.loads(value)
            if kind == "u":
                document["place"] = tuple(document["place"])
                document["outcomes"] = [tuple(each) for each in document["outcomes"]]
                units[int(name)] = Unit(**document)
            else:
                document["pages"] = [PageFact(*page) for page in document["pages"]]
                document["members"] = tuple(document["members"])
                facts.append((_LETTERS.index(kind), IncidentFact(**document)))
        for number in sorted(units):
            self._enter(number, units[number])
        for side, fact in sorted(facts, key=lambda each: (each[1].detected_at_ms, each[1].id)):
            self._facts[side][fact.id] = fact

    def _enter(self, number: int, unit: Unit) -> None:
        self._units[number] = unit
        self._next = number + 1
        self._of_key.setdefault(unit.alert_key, []).append(number)
        for side in SIDES:
            if (episode_id := unit.episodes[side]) is not None:
                self._of_episode[side][episode_id] = number
            if (incident_id := unit.incidents[side]) is not None:
                self._of_incident[side].setdefault(incident_id, set()).add(number)

    # -- comparison

    def newest_ms(self) -> int:
        """When the newest unit began; 0 without any."""
        newest = next(reversed(self._units.values()), None)
        return 0 if newest is None else newest.began_ms

    def sides(self, until_ms: int) -> tuple[Side, Side]:
        """Both sides, as a backtest has them, of what began since the start and by ``until_ms``."""
        chosen = [unit for unit in self._units.values() if self._since_ms <= unit.began_ms <= until_ms]
        return self._side(ACTIVE, chosen), self._side(SHADOW, chosen)

    def _side(self, which: int, units: list[Unit]) -> Side:
        side = Side(self._versions[which])
        facts = self._facts[which]
        bridges = [each for each in facts.values() if each.kind == IncidentKind.BRIDGE]
        named = dict.fromkeys(name for unit in units if (name := unit.incidents[which]) in facts and name is not None)
        side.incidents += [_since(facts[name], self._since_ms) for name in named]
        side.incidents += [each for each in bridges if each.detected_at_ms >= self._since_ms]
        numbers = {each.id: number for number, each in enumerate(side.incidents)}
        topics: dict[str, int] = {}
        outcomes: dict[tuple[str, str], int] = {}
        for number, unit in enumerate(units):
            topic, partition, offset, index = unit.place
            side.episodes.append(number)
            side.holders.append(numbers.get(unit.incidents[which] or "", NONE))
            side.outcomes.append(outcomes.setdefault(unit.outcomes[which], len(outcomes)))
            side.topics.append(topics.setdefault(topic, len(topics)))
            side.partitions.append(partition)
            side.offsets.append(offset)
            side.indexes.append(index)
            if unit.whys[which]:
                side.whys[number] = unit.whys[which].encode()
        side.topic_names, side.outcome_names = list(topics), list(outcomes)
        return side


def _since(fact: IncidentFact, since_ms: int) -> IncidentFact:
    """The incident without calls from before the comparison began."""
    pages = [page for page in fact.pages if page.at_ms >= since_ms]
    return replace(fact, pages=pages)

"""The comparison of two sides: figures first, then every difference with ids, alerts and reasons."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from math import log2
from statistics import median
from typing import Any, Final

from pipeline.backtest.overlap import ALERTS_NAMED_MAX, Overlap, Shared, overlap
from pipeline.backtest.reasons import reason_of
from pipeline.backtest.relate import Relations, relate
from pipeline.backtest.side import IncidentFact, Place, Side
from pipeline.models.incident import IncidentKind
from pipeline.models.scales import PRIORITIES_MAX

KIND_WEIGHTS: Final[dict[str, float]] = {
    "major_lost": 64,
    "major_gained": 32,
    "no_longer_paged": 16,
    "lost": 8,
    "newly_paged": 8,
    "merged": 4,
    "split": 4,
    "priority": 4,
    "moved": 2,
    "detected": 2,
    "gained": 2,
    "changed": 1,
}
"""What a reader must see first: what would have gone unseen, then what would have called people for nothing."""

PRIORITY_WEIGHTS: Final[tuple[float, ...]] = (16, 8, 2)
"""Of the most urgent priorities of a scale; others weigh 1."""

DETECTED_SECONDS_MIN: Final = 1
"""What is nearer is the same moment: timers of stages go by whole seconds."""


@dataclass(slots=True)
class Difference:
    """One difference.

    Attributes:
        kind: one of `KIND_WEIGHTS`.
        baseline, new: ids of the incidents on either side.
        text: what happened, in words.
        priority: the highest of all of them.
        alerts: how many alerts it is about.
        first: the first of these.
        why: side -> reason with its evidence, for the first of these.
        facts: figures of this kind of difference.
    """

    kind: str
    baseline: list[str]
    new: list[str]
    text: str
    priority: str = ""
    alerts: int = 0
    first: list[Place] = field(default_factory=list)
    why: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    priority_place: int = PRIORITIES_MAX

    def weight(self) -> float:
        """How much it matters."""
        return KIND_WEIGHTS[self.kind] * _weight_of(self.priority_place) * (1 + log2(1 + self.alerts))

    def document(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self) | {"first": [list(place) for place in self.first]}


@dataclass(slots=True)
class Comparison:
    """What differs between two sides.

    Attributes:
        summary: figure -> count; thresholds are set on these.
        differences: the most important first.
    """

    summary: dict[str, float]
    differences: list[Difference]


def compare(old: Side, new: Side) -> Comparison:
    """Compare two sides of one recording."""
    laid = overlap(old, new)
    relations = relate(laid)
    differences = _Differences(old, new, laid, relations).all()
    differences.sort(key=lambda each: (-each.weight(), each.kind, each.baseline, each.new))
    return Comparison(_summary(old, new, laid, relations, differences), differences)


def _summary(
    old: Side, new: Side, laid: Overlap, relations: Relations, differences: list[Difference]
) -> dict[str, float]:
    kinds = Counter(each.kind for each in differences)
    earlier, later = _times(differences)
    both = relations.counterparts()  # what was merged into another of its own side holds nothing and is no incident
    pages_old, pages_new = (sum(len(each.pages) for each in side.incidents) for side in (old, new))
    return {
        "alerts": max(len(old.episodes), len(new.episodes)),
        "incidents_baseline": len(both) + len(relations.merged) + len(relations.lost),
        "incidents_new": len(both) + len(relations.split) + len(relations.gained),
        "same": len(relations.same),
        "changed": len(relations.changed),
        "merged": len(relations.merged),
        "split": len(relations.split),
        "gained": len(relations.gained),
        "lost": len(relations.lost),
        "alerts_moved": sum(each.alerts for each in relations.moved.values()),
        "pages_baseline": pages_old,
        "pages_new": pages_new,
        "pages_saved": pages_old - pages_new,
        "newly_paged": sum(each.facts["pages"] for each in differences if each.kind == "newly_paged"),
        "no_longer_paged": sum(each.facts["pages"] for each in differences if each.kind == "no_longer_paged"),
        "detected_earlier": len(earlier),
        "detected_later": len(later),
        "median_seconds_earlier": median(earlier) if earlier else 0,
        "median_seconds_later": median(later) if later else 0,
        "priority_changed": kinds["priority"],
        "priority_lowered": sum(each.kind == "priority" and each.facts["lowered"] for each in differences),
        "major_gained": kinds["major_gained"],
        "major_lost": kinds["major_lost"],
        "suppressed_gained": laid.hidden_gained,
        "suppressed_lost": laid.hidden_lost,
        "alerts_unmatched": laid.unmatched,
    }


def _times(differences: list[Difference]) -> tuple[list[float], list[float]]:
    """Seconds by which incidents were detected earlier, and later."""
    later = [each.facts["seconds_later"] for each in differences if each.kind == "detected"]
    return [-seconds for seconds in later if seconds < 0], [seconds for seconds in later if seconds > 0]


class _Differences:
    """Makes the differences, one kind after another."""

    def __init__(self, old: Side, new: Side, laid: Overlap, relations: Relations) -> None:
        self._old, self._new, self._laid, self._relations = old, new, laid, relations

    def all(self) -> list[Difference]:
        """Every difference, in no order."""
        return [
            *self._merged(),
            *self._split(),
            *self._moved(),
            *self._one_sided(),
            *self._changed(),
            *self._paged(),
            *self._counterparts(),
            *self._majors(),
        ]

    def _merged(self) -> list[Difference]:
        into: dict[int, list[int]] = {}
        for one, home in self._relations.merged.items():
            into.setdefault(home, []).append(one)
        made = []
        for home, merged in into.items():
            others = [self._relations.homes_new[home], *merged]
            moved = [self._laid.shared[one, home] for one in merged]
            text = f"{len(others)} incidents become one: {self._new.incidents[home].title}"
            made.append(self._difference("merged", others, [home], text, moved))
        return made

    def _split(self) -> list[Difference]:
        out_of: dict[int, list[int]] = {}
        for one, home in self._relations.split.items():
            out_of.setdefault(home, []).append(one)
        made = []
        for home, parts in out_of.items():
            others = [self._relations.homes_old[home], *parts]
            moved = [self._laid.shared[home, part] for part in parts]
            text = f"one incident becomes {len(others)}: {self._old.incidents[home].title}"
            made.append(self._difference("split", [home], others, text, moved))
        return made

    def _moved(self) -> list[Difference]:
        return [
            self._difference("moved", [one], [other], f"alerts move to: {self._new.incidents[other].title}", [shared])
            for (one, other), shared in self._relations.moved.items()
        ]

    def _one_sided(self) -> list[Difference]:
        """Incidents whose alerts are in none of the other side's."""
        laid, lost, gained = self._laid.shared, self._relations.lost, self._relations.gained
        was, now = self._old.incidents, self._new.incidents
        made = [
            self._difference("lost", [each], [], f"no incident any more: {was[each].title}", [laid[each, -1]])
            for each in lost
            if (each, -1) in laid
        ]
        return made + [
            self._difference("gained", [], [each], f"a new incident: {now[each].title}", [laid[-1, each]])
            for each in gained
            if (-1, each) in laid
        ]

    def _changed(self) -> list[Difference]:
        """Counterparts that lost alerts to no incident, or took some in that were in none."""
        relations, made = self._relations, []
        for one, other in relations.changed:
            moved = [shared for shared in (relations.left.get(one), relations.joined.get(other)) if shared is not None]
            if moved:
                left, joined = (
                    each.alerts if each else 0 for each in (relations.left.get(one), relations.joined.get(other))
                )
                text = f"{left} alerts left out, {joined} taken in: {self._new.incidents[other].title}"
                made.append(self._difference("changed", [one], [other], text, moved, left=left, joined=joined))
        return made

    def _paged(self) -> list[Difference]:
        """People who are called for a failure on one side alone."""
        made = []
        for olds, news in self._relations.failures():
            before = Counter((page.person, page.service) for each in olds for page in self._old.incidents[each].pages)
            after = Counter((page.person, page.service) for each in news for page in self._new.incidents[each].pages)
            for kind, people in (("no_longer_paged", before - after), ("newly_paged", after - before)):
                if people:
                    called = [
                        {"person": who, "service": what, "times": n}
                        for (who, what), n in sorted(people.items(), key=str)
                    ]
                    text = (
                        f"{kind.replace('_', ' ')}: {', '.join(dict.fromkeys(str(each['person']) for each in called))}"
                    )
                    made.append(self._difference(kind, olds, news, text, [], pages=people.total(), people=called))
        return made

    def _counterparts(self) -> list[Difference]:
        """Counterparts that were detected at another time, or got another priority."""
        made = []
        for one, other in self._relations.counterparts():
            was, now = self._old.incidents[one], self._new.incidents[other]
            later = (now.detected_at_ms - was.detected_at_ms) / 1_000
            if abs(later) >= DETECTED_SECONDS_MIN:
                text = f"detected {abs(later):,.0f} s {'later' if later > 0 else 'earlier'}: {now.title}"
                made.append(self._difference("detected", [one], [other], text, [], seconds_later=later))
            if was.priority != now.priority:
                text = f"{was.priority} becomes {now.priority}: {now.title}"
                lowered = now.place > was.place
                made.append(self._difference("priority", [one], [other], text, [], lowered=lowered))
        return made

    def _majors(self) -> list[Difference]:
        """Major Incidents that one side alone has: none of their members has its home in one of the other side."""
        names_old = {each.id: number for number, each in enumerate(self._old.incidents)}
        names_new = {each.id: number for number, each in enumerate(self._new.incidents)}
        majors_old, majors_new = _majors(self._old, names_old), _majors(self._new, names_new)
        homes_old, homes_new = self._relations.homes_old, self._relations.homes_new
        made = []
        for bridge, members in majors_old.items():
            if not _met(members, homes_old, homes_new, majors_new.values()):
                text = f"no Major Incident any more: {self._old.incidents[bridge].title}"
                made.append(self._difference("major_lost", [bridge], [], text, []))
        for bridge, members in majors_new.items():
            if not _met(members, homes_new, homes_old, majors_old.values()):
                text = f"a Major Incident: {self._new.incidents[bridge].title}"
                made.append(self._difference("major_gained", [], [bridge], text, []))
        return made

    def _difference(
        self, kind: str, olds: list[int], news: list[int], text: str, moved: list[Shared], **facts: Any
    ) -> Difference:
        was: list[IncidentFact] = [self._old.incidents[each] for each in olds]
        now: list[IncidentFact] = [self._new.incidents[each] for each in news]
        place, first_priority = min(
            ((each.place, each.priority) for each in (*was, *now) if each.priority), default=(PRIORITIES_MAX, "")
        )
        first = [pair for shared in moved for pair in shared.named][:ALERTS_NAMED_MAX]
        return Difference(
            kind,
            [each.id for each in was],
            [each.id for each in now],
            text,
            first_priority,
            sum(each.alerts for each in moved),
            [self._old.place(one) if one >= 0 else self._new.place(other) for one, other in first],
            {
                side: reason
                for side, told, at in (("baseline", self._old, 0), ("new", self._new, 1))
                if first and (reason := reason_of(told, first[0][at]))
            },
            facts,
            place,
        )


def _weight_of(place: int) -> float:
    """Weight of a priority by its place in its scale; 1 for what comes after those that have one."""
    return PRIORITY_WEIGHTS[place] if place < len(PRIORITY_WEIGHTS) else 1


def _majors(side: Side, names: dict[str, int]) -> dict[int, set[int]]:
    """Number of each bridge incident -> numbers of its members."""
    return {
        number: {names[member] for member in each.members if member in names}
        for number, each in enumerate(side.incidents)
        if each.kind == IncidentKind.BRIDGE
    }


def _met(members: set[int], homes: dict[int, int], back: dict[int, int], others: Any) -> bool:
    """Whether a bridge incident of the other side links a home of one of the members, or what has its home in one."""
    wanted = {homes[each] for each in members if each in homes}
    wanted |= {other for other, home in back.items() if home in members}
    return any(wanted & linked for linked in others)

"""The overlap of two sides: which incidents of the one have alerts in common with which of the other.

Weighed by episodes, not by alerts: a condition that repeats a thousand times counts once.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from pipeline.backtest.side import NONE, Side
from pipeline.models.decision import Disposition

ALERTS_NAMED_MAX: Final = 5
"""Alerts named of a difference: enough to look one up."""

HIDDEN: Final = frozenset((Disposition.SUPPRESSED.value, Disposition.HELD.value))
"""Dispositions of alerts that no incident shows."""


@dataclass(slots=True)
class Shared:
    """What an incident of the baseline and one of the new side have in common; `NONE` stands for no incident.

    Attributes:
        episodes: different pairs of episodes.
        alerts: alerts, repeats included.
        named: positions of the first, on both sides.
    """

    episodes: int = 0
    alerts: int = 0
    named: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True)
class Overlap:
    """All that two sides have in common.

    Attributes:
        shared: (incident of the baseline, incident of the new side) -> what they share.
        hidden_gained: alerts that the new side alone suppresses or holds.
        hidden_lost: alerts that the baseline alone does.
        unmatched: alerts that one side alone has: an adapter reads its messages in another way.
    """

    shared: dict[tuple[int, int], Shared]
    hidden_gained: int = 0
    hidden_lost: int = 0
    unmatched: int = 0


def overlap(old: Side, new: Side) -> Overlap:
    """Lay two sides over each other, alert by alert."""
    hidden_old, hidden_new = (_hidden(side) for side in (old, new))
    pairs: dict[tuple[int, int], Shared] = {}
    found = Overlap({})
    for at_old, at_new in _positions(old, new):
        if NONE in (at_old, at_new):
            found.unmatched += 1
        key = (NONE if at_old == NONE else old.episodes[at_old], NONE if at_new == NONE else new.episodes[at_new])
        # What was held when it came and let out later is hidden no longer.
        was = at_old != NONE and hidden_old[old.outcomes[at_old]] and old.holder(key[0]) == NONE
        now = at_new != NONE and hidden_new[new.outcomes[at_new]] and new.holder(key[1]) == NONE
        found.hidden_gained += now and not was
        found.hidden_lost += was and not now
        shared = pairs.get(key)
        if shared is None:
            shared = pairs[key] = Shared(1)
        shared.alerts += 1
        if len(shared.named) < ALERTS_NAMED_MAX:
            shared.named.append((at_old, at_new))
    for (episode_old, episode_new), shared in pairs.items():
        holders = old.holder(episode_old), new.holder(episode_new)
        if holders == (NONE, NONE):
            continue
        total = found.shared.setdefault(holders, Shared())
        total.episodes += 1
        total.alerts += shared.alerts
        total.named = sorted({*total.named, *shared.named})[:ALERTS_NAMED_MAX]
    return found


def _hidden(side: Side) -> list[bool]:
    """Number of an outcome -> whether it hides its alert."""
    return [disposition in HIDDEN for disposition, _ in side.outcome_names]


def _positions(old: Side, new: Side) -> Iterator[tuple[int, int]]:
    """Positions of each alert on both sides; `NONE` where a side does not have it."""
    places = "topic_names", "topics", "partitions", "offsets", "indexes"
    if all(getattr(old, name) == getattr(new, name) for name in places):
        yield from ((position, position) for position in range(len(old.episodes)))
        return
    # One side read a message in another way. A recording put together by hand may even hold a place twice.
    waiting: dict[tuple[str, int, int, int], deque[int]] = defaultdict(deque)
    for position in range(len(new.episodes)):
        waiting[new.place(position)].append(position)
    for position in range(len(old.episodes)):
        others = waiting[old.place(position)]
        yield position, others.popleft() if others else NONE
    for others in waiting.values():
        yield from ((NONE, position) for position in others)

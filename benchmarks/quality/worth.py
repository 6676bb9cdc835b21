"""What each kind of evidence is worth: by how much F1 falls when weights are trained without it.

Weights are trained several times, on worlds of other seeds each time, with everything and without one kind at a time;
what is compared is the same world under both. Setting a weight to zero without training again would blame a kind for
what others could have said instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

from benchmarks.quality.metrics import Interval, interval
from benchmarks.quality.report import Sheet

Weights = TypeVar("Weights")
World = TypeVar("World")
ALL: Final = "everything"


class Score(NamedTuple):
    """One world under weights that were trained without a kind.

    Attributes:
        without: the kind; `ALL`: none was left out.
        draw: which worlds the weights were trained on.
        world: what they were tried on.
    """

    without: str
    draw: int
    world: str
    f1: float


@dataclass(frozen=True, slots=True)
class Worth:
    """What a kind is worth: the fall of F1 without it, and where it lies."""

    kind: str
    fall: Interval

    @property
    def verdict(self) -> str:
        """In a word or two; what is worth nothing is to be removed."""
        if self.fall.low > 0:
            return "worth it"
        return "does harm" if self.fall.high < 0 else "not shown"


def scores(
    kinds: Mapping[str, frozenset[str]],
    draws: Sequence[Sequence[World]],
    tried_on: Mapping[str, World],
    fit: Callable[[Sequence[World], frozenset[str]], Weights],
    f1: Callable[[World, Weights], float],
) -> Iterator[Score]:
    """Train and try, one score at a time.

    Args:
        kinds: names of features by kind of evidence.
        draws: the worlds of each training.
        tried_on: other worlds, by name.
        fit: trains with these features alone.
        f1: B-cubed F1 of a world under weights.
    """
    everything = frozenset[str]().union(*kinds.values())
    for draw, worlds in enumerate(draws):
        for kind in (ALL, *kinds):
            weights = fit(worlds, everything - kinds.get(kind, frozenset()))
            for name, world in tried_on.items():
                yield Score(kind, draw, name, f1(world, weights))


def worths(found: Iterable[Score]) -> list[Worth]:
    """What each kind is worth, most first. Where it lies is by bootstrap over worlds, each the mean of its draws."""
    by_kind: dict[str, dict[str, dict[int, float]]] = {}
    for score in found:
        by_kind.setdefault(score.without, {}).setdefault(score.world, {})[score.draw] = score.f1
    whole = by_kind.pop(ALL)
    made = [
        Worth(kind, interval([_fall(whole[world], without) for world, without in worlds.items()]))
        for kind, worlds in by_kind.items()
    ]
    return sorted(made, key=lambda each: (-each.fall.mean, each.kind))


def _fall(whole: Mapping[int, float], without: Mapping[int, float]) -> float:
    return sum(whole[draw] - f1 for draw, f1 in without.items()) / len(without)


def sheet(found: Sequence[Worth], kinds: Mapping[str, frozenset[str]]) -> Sheet:
    """As a table."""
    lines = [
        [
            each.kind,
            ", ".join(sorted(kinds[each.kind])),
            f"{each.fall.mean:+.4f}",
            f"{each.fall.low:+.4f} to {each.fall.high:+.4f}",
            each.verdict,
        ]
        for each in found
    ]
    head = ["kind of evidence", "features", "F1 falls without it by", "95 %", ""]
    return Sheet("What each kind of evidence is worth", head, lines)

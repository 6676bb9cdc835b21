"""How good a rule is: pairs of episodes that it puts together or keeps apart, against where people let them end.

Pairs are counted from sizes of groups, never one by one: an incident of ten thousand has fifty million.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.models.correlation_rules import CorrelationRule
from pipeline.suggest.history import Act, History, Seen


@dataclass(frozen=True, slots=True)
class Figures:
    """What a rule would do.

    Attributes:
        episodes: how many it matches.
        pairs: of episodes that it decides about; ``right``: those that ended so.
        acts: of people that it agrees with in at least half of their pairs; ``act_pairs``: pairs that people moved,
            ``act_right``: those of them that it decides the same way.
    """

    episodes: int
    pairs: int
    right: int
    acts: int
    act_pairs: int
    act_right: int

    @property
    def precision(self) -> float:
        """Share of its pairs that ended as it says."""
        return self.right / self.pairs if self.pairs else 0.0

    @property
    def recall(self) -> float:
        """Share of the pairs that people decided which it decides the same way."""
        return self.act_right / self.act_pairs if self.act_pairs else 0.0


def groups_of(rule: CorrelationRule, episodes: Mapping[str, Seen]) -> dict[str, int]:
    """Episode -> number of the group that an always-join rule would put it into; those that do not match are left out.

    A group goes on as its window says; afterwards the same values begin another.
    """
    found: dict[str, int] = {}
    going: dict[tuple[str, ...], tuple[int, int, int]] = {}
    for name, seen in episodes.items():
        key = key_of(rule, seen)
        if key is None:
            continue
        number, first_ms, last_ms = going.get(key, (len(found), seen.at_ms, seen.at_ms))
        if key not in going or seen.at_ms > rule.window.end_ms(first_ms, last_ms):
            number, first_ms = len(found), seen.at_ms
        going[key] = (number, first_ms, seen.at_ms)
        found[name] = number
    return found


def key_of(rule: CorrelationRule, seen: Seen) -> tuple[str, ...] | None:
    """Space and values of an episode that a rule groups by; None where it does not match."""
    facts = seen.facts
    if any(facts.get(fact) not in values for fact, values in rule.match.items()):
        return None
    values = [facts.get(fact) for fact in rule.group_by]
    return None if None in values else (seen.space, *map(str, values))


def of_always(rule: CorrelationRule, history: History) -> Figures:
    """The figures of an always-join rule: pairs that it puts together."""
    groups = groups_of(rule, history.episodes)
    pairs = _together(groups.values())
    right = _together((group, history.ended[name]) for name, group in groups.items())
    acts = [_crossing(act, groups) for act in history.merges]
    return _figures(len(groups), pairs, right, [(same, of_all) for same, _, of_all in acts])


def of_never(rule: CorrelationRule, history: History) -> Figures:
    """The figures of a never-join rule: of the pairs that ever met in an incident, those that it keeps apart."""
    sides = {name: side for name, seen in history.episodes.items() if (side := side_of(rule, seen)) is not None}
    pairs = right = 0
    for met in history.met.values():
        here = [(sides[name], history.ended[name]) for name in met if name in sides]
        apart = _differing(Counter(side for side, _ in here), rule)
        by_end: dict[str, Counter[str]] = {}
        for side, end in here:
            by_end.setdefault(end, Counter())[side] += 1
        pairs += apart
        right += apart - sum(_differing(counts, rule) for counts in by_end.values())
    acts = [_crossing(act, sides) for act in history.splits]
    return _figures(len(sides), pairs, right, [(different, of_all) for _, different, of_all in acts])


def side_of(rule: CorrelationRule, seen: Seen) -> str | None:
    """On which side of a never-join rule an episode is; None: on none."""
    if rule.with_ is None:
        key = key_of(rule, seen)
        return None if key is None else "\n".join(key)
    for side, selector in (("one", rule), ("other", rule.with_)):
        if all(seen.facts.get(fact) in values for fact, values in selector.match.items()):
            return side
    return None


def _figures(episodes: int, pairs: int, right: int, acts: list[tuple[int, int]]) -> Figures:
    agreeing = sum(2 * decided >= of_all for decided, of_all in acts if of_all)
    return Figures(episodes, pairs, right, agreeing, sum(n for _, n in acts), sum(n for n, _ in acts))


def _together(groups: Iterable[object]) -> int:
    """Pairs that have the same group."""
    return sum(count * (count - 1) // 2 for count in Counter(groups).values())


def _differing(counts: Counter[str], rule: CorrelationRule) -> int:
    """Pairs on different sides."""
    if rule.with_ is not None:
        return counts["one"] * counts["other"]
    total = sum(counts.values())
    return (total * total - sum(count * count for count in counts.values())) // 2


def _crossing(act: Act, sides: Mapping[str, object]) -> tuple[int, int, int]:
    """Of the pairs that a person decided: how many are on one side, how many on different ones, how many there are."""
    kept = Counter(sides[name] for name in act.kept if name in sides)
    moved = Counter(sides[name] for name in act.moved if name in sides)
    same = sum(count * moved[side] for side, count in kept.items())
    both = sum(kept.values()) * sum(moved.values())
    return same, both - same, len(act.kept) * len(act.moved)


def concerned(rule: CorrelationRule, history: History) -> set[str]:
    """The episodes that a rule matches, and those that people acted on: the rest would drown them."""
    names = {name for name, seen in history.episodes.items() if _matches(rule, seen)}
    for act in (*history.merges, *history.splits):
        names |= {*act.kept, *act.moved}
    return names


def _matches(rule: CorrelationRule, seen: Seen) -> bool:
    return (side_of(rule, seen) if rule.action == "never" else key_of(rule, seen)) is not None


def partition_figures(ended: Mapping[str, str], truth: Mapping[str, str], names: Iterable[str]) -> tuple[float, float]:
    """Precision and recall of pairs of one outcome against another, over some of the episodes that both have."""
    common = [name for name in names if name in truth and name in ended]
    both = _together((ended[name], truth[name]) for name in common)
    ours, theirs = _together(ended[name] for name in common), _together(truth[name] for name in common)
    return (both / ours if ours else 1.0, both / theirs if theirs else 1.0)

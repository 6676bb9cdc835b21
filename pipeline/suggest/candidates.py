"""Which rules people's merges and splits speak for: tried, judged, narrowed, and the best of them kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import Any, Final

from pipeline.models.correlation_rules import CorrelationRule, Selector, Window
from pipeline.suggest.figures import Figures, key_of, of_always, of_never
from pipeline.suggest.history import Act, History

SUPPORT_MIN: Final = 3
"""Merges, or splits, that a rule must agree with: two may be chance, or one person's habit of one night."""

PRECISION_MIN: Final = 0.9
"""Share of a rule's pairs that must have ended as it says: a rule goes before all evidence."""

VALUES_MIN: Final = 2
"""Values, or pairs of values, that people acted on before a rule speaks of all values: one is a case, not a kind."""

FACTS_TRIED_MAX: Final = 12
"""Facts that are tried, those that the most acts share: pairs of them are tried, too, and each reads all episodes."""

NARROWED_MAX: Final = 2
"""Conditions that a rule is narrowed by: with more of them it tells of single cases."""

SUGGESTIONS_MAX: Final = 5

_WINDOWS_SECONDS: Final = (300, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400)
"""Lengths that people would write."""


@dataclass(slots=True)
class Suggestion:
    """One rule that people's acts speak for.

    Attributes:
        also: other facts to group by that decide the same pairs here, and may decide others elsewhere.
        name: what it would be called.
        rule: ready to be used.
        figures: on the recording.
        people: how many different people's acts agree with it.
        backtest: pairs of the whole recording without people's acts: precision and recall before and with the rule.
    """

    name: str
    rule: CorrelationRule
    figures: Figures
    people: int
    backtest: dict[str, float] = field(default_factory=dict)
    also: list[str] = field(default_factory=list)


def suggestions(history: History) -> list[Suggestion]:
    """The best rules, most agreeing acts first; none where there is too little evidence."""
    found = [*_of_kind(history, history.merges, _always), *_of_kind(history, history.splits, _never)]
    found.sort(key=lambda each: (-each.figures.acts, -each.figures.recall, -each.figures.precision, each.name))
    return _without_repeats(found, history)[:SUGGESTIONS_MAX]


def _of_kind(
    history: History, acts: list[Act], kind: Callable[[History, tuple[str, ...]], Iterator[CorrelationRule]]
) -> Iterator[Suggestion]:
    if len(acts) < SUPPORT_MIN:
        return
    telling = _telling_facts(history, acts, together=kind is _always)
    explained = 0
    for facts in (*((fact,) for fact in telling), *combinations(telling, 2)):
        if len(facts) > 1 and explained == len(acts):
            return  # one fact says it all
        for rule in kind(history, facts):
            figures = _judge(rule, history)
            if figures.acts < SUPPORT_MIN:
                continue
            closer, figures = _narrowed(rule, figures, history, acts)
            if figures.precision >= PRECISION_MIN and figures.acts >= SUPPORT_MIN:
                explained = max(explained, figures.acts)
                yield Suggestion(_name(closer), closer, figures, _people(closer, history, acts))


def _judge(rule: CorrelationRule, history: History) -> Figures:
    return of_always(rule, history) if rule.action == "always" else of_never(rule, history)


def _telling_facts(history: History, acts: list[Act], *, together: bool) -> list[str]:
    """Facts that the two sides of the most acts share, or that tell them apart."""
    counts: Counter[str] = Counter()
    for act in acts:
        kept, moved = _values(history, act.kept), _values(history, act.moved)
        for fact in kept.keys() & moved.keys():
            shared = not kept[fact].isdisjoint(moved[fact])
            counts[fact] += shared if together else not shared
    often = [(fact, count) for fact, count in counts.items() if count >= SUPPORT_MIN]
    return [fact for fact, _ in sorted(often, key=lambda each: (-each[1], each[0]))[:FACTS_TRIED_MAX]]


def _values(history: History, episodes: Iterable[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name in episodes:
        seen = history.episodes.get(name)
        for fact, value in (seen.facts if seen is not None else {}).items():
            found.setdefault(fact, set()).add(value)
    return found


def _always(history: History, facts: tuple[str, ...]) -> Iterator[CorrelationRule]:
    """Join what has the same values, for as long as it took between those that people put together."""
    gaps: list[int] = []
    shared: set[tuple[str, ...]] = set()
    for act in history.merges:
        both = [history.episodes[name] for name in (*act.kept, *act.moved) if name in history.episodes]
        gaps += [later - earlier for earlier, later in pairwise(sorted(seen.at_ms for seen in both))]
        shared |= {tuple(seen.facts[fact] for fact in facts) for seen in both if seen.facts.keys() >= {*facts}}
    if len(shared) < VALUES_MIN:
        return
    longest = max(gaps, default=0) / 1_000
    seconds = next((length for length in _WINDOWS_SECONDS if length >= longest), _WINDOWS_SECONDS[-1])
    yield CorrelationRule(join="always", group_by=facts, window=Window(seconds=seconds))


def _never(history: History, facts: tuple[str, ...]) -> Iterator[CorrelationRule]:
    """Keep apart what has other values; or two values that people have parted again and again."""
    parted: Counter[tuple[str, str]] = Counter()
    for act in history.splits:
        kept, moved = (_values(history, side).get(facts[0], set()) for side in (act.kept, act.moved))
        if len(kept) == len(moved) == 1 and kept != moved:
            one, other = sorted((*kept, *moved))
            parted[one, other] += 1
    if len(facts) > 1 or len(parted) >= VALUES_MIN:
        yield CorrelationRule(join="never", group_by=facts)
    for (one, other), count in parted.items():
        if count >= SUPPORT_MIN and len(facts) == 1:
            given: dict[str, Any] = {"with": Selector(match={facts[0]: (other,)})}
            yield CorrelationRule(join="never", match={facts[0]: (one,)}, **given)


def _narrowed(
    rule: CorrelationRule, figures: Figures, history: History, acts: list[Act]
) -> tuple[CorrelationRule, Figures]:
    """The rule with conditions that all agreeing acts meet, as long as they make it more precise."""
    for _ in range(NARROWED_MAX):
        if figures.precision >= PRECISION_MIN or rule.with_ is not None:
            break
        best: tuple[CorrelationRule, Figures] | None = None
        for fact, value in _common(history, acts, rule):
            closer = rule.model_copy(update={"match": {**rule.match, fact: (value,)}})
            judged = _judge(closer, history)
            if judged.acts >= figures.acts and judged.precision > (best[1] if best else figures).precision:
                best = closer, judged
        if best is None:
            break
        rule, figures = best
    return rule, figures


def _common(history: History, acts: list[Act], rule: CorrelationRule) -> list[tuple[str, str]]:
    """Facts and values that every episode of at least `SUPPORT_MIN` acts has, beside those of the rule."""
    counts: Counter[tuple[str, str]] = Counter()
    for act in acts:
        values = _values(history, (*act.kept, *act.moved))
        number = sum(name in history.episodes for name in (*act.kept, *act.moved))
        for fact, found in values.items():
            having = sum(
                fact in history.episodes[name].facts for name in (*act.kept, *act.moved) if name in history.episodes
            )
            if len(found) == 1 and having == number and fact not in rule.group_by and fact not in rule.match:
                counts[fact, next(iter(found))] += 1
    often = [(pair, count) for pair, count in counts.items() if count >= SUPPORT_MIN]
    return [pair for pair, _ in sorted(often, key=lambda each: (-each[1], each[0]))[:FACTS_TRIED_MAX]]


def _people(rule: CorrelationRule, history: History, acts: list[Act]) -> int:
    """How many different people did something that the rule agrees with."""
    agreeing = set()
    for act in acts:
        known = {name: history.episodes[name] for name in (*act.kept, *act.moved) if name in history.episodes}
        alone = History(dict(sorted(known.items(), key=lambda each: each[1].at_ms)), ended=history.ended)
        (alone.merges if rule.action == "always" else alone.splits).append(act)
        if act.actor not in agreeing and _judge(rule, alone).acts:
            agreeing.add(act.actor)
    return len(agreeing)


def _name(rule: CorrelationRule) -> str:
    parts = [*rule.group_by, *(value for values in rule.match.values() for value in map(str, values))]
    words = "-".join(part.rpartition(".")[2] if part in rule.group_by else part for part in parts)
    plain = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in words.lower())
    return f"{'join' if rule.action == 'always' else 'apart'}-{plain.strip('-')}"[:60].rstrip("-")


def _without_repeats(found: list[Suggestion], history: History) -> list[Suggestion]:
    """Of several that decide the same pairs the one that says most: few conditions, few episodes, many values."""
    kept: dict[tuple[Any, ...], Suggestion] = {}
    for each in sorted(found, key=lambda one: _plainness(one, history)):
        figures = each.figures
        first = kept.setdefault((each.rule.action, figures.pairs, figures.right, figures.act_right), each)
        if first is not each and each.rule.group_by and not {*first.rule.group_by} <= {*each.rule.group_by}:
            first.also.append(_briefly(each.rule))
    names: Counter[str] = Counter()
    chosen = [each for each in found if each in kept.values()]
    for each in chosen:
        names[each.name] += 1
        if names[each.name] > 1:
            each.name = f"{each.name}-{names[each.name]}"
    return chosen


def _plainness(each: Suggestion, history: History) -> tuple[int, int, int, str]:
    rule = each.rule
    values = {key_of(rule, seen) for seen in history.episodes.values()}
    return len(rule.group_by) + len(rule.match), each.figures.episodes, -len(values), _briefly(rule)


def _briefly(rule: CorrelationRule) -> str:
    where = ", ".join(f"{fact} is {' or '.join(map(str, values))}" for fact, values in rule.match.items())
    return f"{', '.join(rule.group_by)}{f' where {where}' if where else ''}"

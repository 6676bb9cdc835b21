"""How alike two incidents are, and why: pure, on what is known of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

# What each thing that is shared weighs. The same alert, or the same cause, is the same failure nearly always; the same
# service or category alone is not; the least is what two of the weaker ones come to.
ALERT_WEIGHT: Final = 4.0
CAUSE_WEIGHT: Final = 3.0
WORDS_WEIGHT: Final = 3.0
SERVICE_WEIGHT: Final = 1.2
REACHED_WEIGHT: Final = 0.6
RESOURCE_WEIGHT: Final = 1.5
CATEGORY_WEIGHT: Final = 0.6
SCORE_MIN: Final = 1.7

# Two texts of different failures share a fifth of their words easily.
WORDS_SHARE_MIN: Final = 0.2

# As many words, alerts or things are named in a reason.
NAMED_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class Traits:
    """What an incident can be compared by.

    Attributes:
        conditions: alert key -> what it says.
        cause: the suspect that is identified, else the first that is evident.
        resources: entities that are affected and are no services.
        words: lexemes of title and symptoms.
    """

    kind: str
    service: str | None
    services: frozenset[str]
    categories: frozenset[str]
    cause: str | None
    resources: frozenset[str]
    conditions: Mapping[str, str] = field(default_factory=dict)
    words: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Likeness:
    """How much two share, and what, in words; what tells most first."""

    score: float
    because: list[str]


def traits_of(snapshot: dict[str, Any], conditions: Mapping[str, str], words: Iterable[str]) -> Traits:
    """What an incident can be compared by."""
    services = {each for each in (snapshot.get("service"), *_list(snapshot.get("services"))) if _is_text(each)}
    categories = {each for each in (snapshot.get("category"), *_list(snapshot.get("categories"))) if _is_text(each)}
    entities = {each for each in _list(snapshot.get("entities")) if _is_text(each)}
    service, kind = snapshot.get("service"), snapshot.get("kind")
    return Traits(
        kind=str(kind) if _is_text(kind) else "incident",
        service=str(service) if _is_text(service) else None,
        services=frozenset(services),
        categories=frozenset(categories),
        cause=_cause(snapshot),
        resources=frozenset(entities - services),
        conditions=conditions,
        words=frozenset(each for each in words if len(each) > 2 and not each.isdigit()),
    )


def likeness(one: Traits, other: Traits) -> Likeness | None:
    """What two incidents share; None where it is too little to say that they are alike."""
    found = [
        each
        for each in (
            _alerts(one, other),
            _same_cause(one, other),
            _words(one, other),
            _things(one, other),
            _service(one, other),
            _category(one, other),
        )
        if each is not None
    ]
    score = sum(weight for weight, _ in found)
    if score < SCORE_MIN:
        return None
    return Likeness(round(score, 3), [words for _, words in sorted(found, key=lambda each: -each[0])])


def _alerts(one: Traits, other: Traits) -> tuple[float, str] | None:
    shared = [one.conditions[key] for key in one.conditions if key in other.conditions]
    if not shared:
        return None
    share = len(shared) / min(len(one.conditions), len(other.conditions))
    return ALERT_WEIGHT * (0.5 + 0.5 * share), f"the same alert: {_named(shared)}"


def _same_cause(one: Traits, other: Traits) -> tuple[float, str] | None:
    if one.cause is None or one.cause != other.cause:
        return None
    return CAUSE_WEIGHT, f"the same suspected cause: {name_of(one.cause)}"


def _words(one: Traits, other: Traits) -> tuple[float, str] | None:
    shared = one.words & other.words
    smaller = min(len(one.words), len(other.words))
    if not smaller or (share := len(shared) / smaller) < WORDS_SHARE_MIN:
        return None
    told = sorted(shared, key=lambda word: (-len(word), word))
    return WORDS_WEIGHT * share, f"told in like words: {_named(told)}"


def _things(one: Traits, other: Traits) -> tuple[float, str] | None:
    shared = sorted(one.resources & other.resources)
    if not shared:
        return None
    share = len(shared) / len(one.resources)
    return RESOURCE_WEIGHT * (0.5 + 0.5 * share), f"on the same: {_named(map(name_of, shared))}"


def _service(one: Traits, other: Traits) -> tuple[float, str] | None:
    if one.service is not None and one.service == other.service:
        return SERVICE_WEIGHT, f"the same service: {name_of(one.service)}"
    if shared := sorted(one.services & other.services):
        return REACHED_WEIGHT, f"affected both: {_named(map(name_of, shared))}"
    return None


def _category(one: Traits, other: Traits) -> tuple[float, str] | None:
    shared = sorted(one.categories & other.categories)
    return (CATEGORY_WEIGHT, f"the same category: {_named(shared)}") if shared else None


def name_of(ref: str) -> str:
    """What people call an entity: the end of its reference."""
    return ref.rpartition("/")[2]


def _cause(snapshot: dict[str, Any]) -> str | None:
    identified = snapshot.get("identified")
    if _is_text(identified):
        return str(identified)
    for each in _list(snapshot.get("suspects")):
        if isinstance(each, dict) and each.get("evident") and _is_text(each.get("ref")):
            return str(each["ref"])
    return None


def _named(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - NAMED_MAX} more" if len(every) > NAMED_MAX else ""
    return ", ".join(every[:NAMED_MAX]) + more


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)

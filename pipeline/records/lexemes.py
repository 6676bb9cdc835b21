"""Facts of an incident as words of the search index, and what of them a search may ask for.

A fact is a lexeme such as ``#domain=payments``: no word of a text begins like this, so that the two never meet, also
where only the beginning of a word is searched for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from pipeline.core.outward.incident_event import TIME_MS_MAX

# PostgreSQL takes lexemes of 2,046 bytes, and a character has four at most.
LEXEME_CHARACTERS_MAX: Final = 500

# Of one incident: a zone that goes down names hundreds of entities and tickets; more is found by their words.
LEXEMES_MAX: Final = 1_500

_FACTS: Final = (
    "kind",
    "state",
    "priority",
    "severity",
    "category",
    "domain",
    "service",
    "owner",
    "assignee",
    "hosting_model",
    "infrastructure_layer",
    "space",
)
_SEVERAL: Final = {"categories": "category", "domains": "domain", "services": "service"}
_ENDED: Final = ("closed", "merged", "cancelled")


def lexemes_of(incident: dict[str, Any]) -> list[str]:
    """The facts of an incident, sorted; what is too long for an index is left out."""
    found = dict.fromkeys(each for each in _told(incident) if len(each) <= LEXEME_CHARACTERS_MAX and "\0" not in each)
    return sorted(list(found)[:LEXEMES_MAX])


def fact(name: str, value: str) -> str:
    """A fact as the index has it."""
    return f"#{name}={value}"


def is_fact(word: str) -> str:
    """A fact without a value: ``open``, ``ended``, ``unassigned``, ``member``, ``alone``, ``muted``, ``loud``."""
    return fact("is", word)


def id_fact(name: str) -> str:
    """The fact that something is known by a name: its own id, or that of a ticket, a host, a provider's case."""
    return fact("id", name.lower())


def day_fact(moment: datetime) -> str:
    """The day (UTC) of opening."""
    return fact("day", f"{moment.astimezone(UTC):%Y-%m-%d}")


def month_fact(year: int, month: int) -> str:
    """The month (UTC) of opening."""
    return fact("month", f"{year:04}-{month:02}")


def _told(incident: dict[str, Any]) -> Iterator[str]:
    for name in _FACTS:
        if value := _text(incident.get(name)):
            yield fact(name, value)
    if state := _text(incident.get("state")):
        yield is_fact("ended" if state in _ENDED else "open")
    if not _text(incident.get("assignee")):
        yield is_fact("unassigned")
    yield is_fact("member" if _text(incident.get("bridge_id")) else "alone")
    yield is_fact("muted" if isinstance(incident.get("muted"), dict) else "loud")
    opened = incident.get("opened_at_ms")
    if isinstance(opened, int) and 0 <= opened <= TIME_MS_MAX:
        moment = datetime.fromtimestamp(opened / 1_000, UTC)
        yield from (day_fact(moment), month_fact(moment.year, moment.month))
    for several, name in _SEVERAL.items():
        yield from (fact(name, each) for each in _texts(incident.get(several)))
    if cause := _text(incident.get("identified")):
        yield fact("cause", cause)
    yield from map(id_fact, _names(incident))


def _names(incident: dict[str, Any]) -> Iterator[str]:
    """What it is known by: ids first, which matter most."""
    yield from filter(None, (_text(incident.get(name)) for name in ("id", "bridge_id", "merged_into")))
    yield from _texts(incident.get("absorbed"))
    for several in ("tickets", "links"):
        entries = incident.get(several)
        for each in entries if isinstance(entries, list) else ():
            if isinstance(each, dict) and (number := _text(each.get("id"))):
                yield number
    for ref in (*_texts(incident.get("entities")), *_texts(incident.get("services"))):
        yield ref
        if name := ref.rpartition("/")[2]:
            yield name


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: Any) -> Iterable[str]:
    return [each for each in value if isinstance(each, str) and each] if isinstance(value, list) else []

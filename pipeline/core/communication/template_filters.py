"""Filters of message templates: how moments, spans, sums and lists are written for people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import pass_context
from jinja2.runtime import Context

TITLES_SHOWN_MAX: Final = 8
"""Names in one sentence of a message: whoever reads it on a telephone reads no more."""

_MINUTE_MS: Final = 60_000
_UNITS: Final = (("day", 1_440), ("hour", 60), ("minute", 1))


@pass_context
def local_time(context: Context, at_ms: int, zone: str | None = None) -> str:
    """A moment on the audience's wall clock: ``10:30 CET``, with its date where that is not today's."""
    place = ZoneInfo(zone or context["timezone"])
    moment = datetime.fromtimestamp(at_ms // 1_000, UTC).astimezone(place)
    today = datetime.fromtimestamp(context["now"] // 1_000, UTC).astimezone(place).date()
    clock = f"{moment:%H:%M} {moment.tzname()}"
    return clock if moment.date() == today else f"{moment:%Y-%m-%d} {clock}"


@pass_context
def local_date(context: Context, at_ms: int, zone: str | None = None) -> str:
    """The day of a moment at the audience's place: ``2026-03-10``."""
    return f"{datetime.fromtimestamp(at_ms // 1_000, UTC).astimezone(ZoneInfo(zone or context['timezone'])):%Y-%m-%d}"


def duration(span_ms: float) -> str:
    """A span in its two largest units: ``1 hour 5 minutes``; less than a minute is ``less than a minute``."""
    left = int(span_ms // _MINUTE_MS)
    parts: list[str] = []
    for name, minutes in _UNITS:
        count, left = divmod(left, minutes)
        if count:
            parts.append(plural(count, name))
    return " ".join(parts[:2]) or "less than a minute"


def number(value: float) -> str:
    """A number with separators: ``12,500``."""
    return f"{value:,.0f}"


@pass_context
def money(context: Context, value: float) -> str:
    """A sum in the company's currency: ``EUR 12,500``."""
    return f"{context['currency']} {value:,.0f}".strip()


def titles(names: Sequence[str], most: int = TITLES_SHOWN_MAX) -> str:
    """Names as one phrase: ``A, B and C``; of many the first, and how many more."""
    most = max(1, min(int(most), TITLES_SHOWN_MAX))
    shown, more = [str(each) for each in names[:most]], len(names) - most
    if more > 0:
        return f"{', '.join(shown)} and {more:,} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def plural(count: float, name: str) -> str:
    """A count with its noun: ``1 minute``, ``2 minutes``."""
    return f"{count:,.0f} {name}" if count == 1 else f"{count:,.0f} {name}s"


def _upper(text: str) -> str:
    return str(text).upper()


def _lower(text: str) -> str:
    return str(text).lower()


def _sentence(text: str) -> str:
    """With a capital letter first; the rest as it is."""
    text = str(text)
    return text[:1].upper() + text[1:]


def _words(name: str) -> str:
    """A name of ours as words: ``in_progress`` is ``in progress``."""
    return str(name).replace("_", " ")


def _length(value: Sequence[Any]) -> int:
    return len(value)


def _first(value: Sequence[Any]) -> Any:
    """The first of a list, or nothing."""
    return value[0] if value else ""


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "local_time": local_time,
    "local_date": local_date,
    "duration": duration,
    "number": number,
    "money": money,
    "titles": titles,
    "plural": plural,
    "upper": _upper,
    "lower": _lower,
    "sentence": _sentence,
    "words": _words,
    "length": _length,
    "first": _first,
}
"""All that a template can use; none of them can grow its input more than a little."""

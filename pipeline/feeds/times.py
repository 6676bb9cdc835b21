"""Times as sources spell them, to epoch milliseconds UTC. Strict: a field's spelling is known, not guessed.

A time without a zone is refused: adding a zone would invent a fact. Go's zero time (year 1) means "none".
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_YEAR_OF_ZERO_TIME: Final = 1
# Last millisecond of the year 9999: what `datetime` can still show.
_TIME_MS_MAX: Final = 253_402_300_799_999


def iso_ms(text: str) -> int | None:
    """Epoch milliseconds of an ISO 8601 time with a zone, however spelled; None for zero time.

    Raises:
        ValueError: not such a time, without a zone, or before 1970.
    """
    moment = datetime.fromisoformat(text)
    if moment.year == _YEAR_OF_ZERO_TIME:
        return None
    if moment.tzinfo is None:
        raise ValueError("time without a zone")
    return _checked((moment - _EPOCH) // _MILLISECOND)


def epoch_ms(value: object, per_second: int) -> int:
    """Epoch milliseconds of a number, or of a string of digits, that counts seconds or milliseconds.

    Args:
        value: what the field holds.
        per_second: units in a second: 1 for seconds, 1000 for milliseconds.

    Raises:
        ValueError: not a number, or outside the years 1970 to 9999.
    """
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError("not a number")
    if not 0 <= value <= _TIME_MS_MAX:
        raise ValueError("outside the years 1970 to 9999")
    return _checked(int(value * 1_000) // per_second)


def _checked(time_ms: int) -> int:
    if not 0 <= time_ms <= _TIME_MS_MAX:
        raise ValueError("outside the years 1970 to 9999")
    return time_ms

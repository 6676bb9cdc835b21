"""Where a list goes on: opaque to whoever carries it, checked when it comes back.

A cursor holds the sort key of the last row that was told, never a count of rows: rows that come, go or change do not
move what is left. It belongs to one question; with other filters it is refused.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NoBase64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2s
from typing import Any, Final

import orjson

# Ids have 256 characters at most, so that a cursor is far shorter.
CURSOR_CHARACTERS_MAX: Final = 2_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS_MAX: Final = 253_370_764_800_000_000  # year 9999


class BadCursorError(ValueError):
    """A cursor that was not given out for this question; the message is one sentence for a person."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__("the cursor is not one of this list with these filters: start again without it")


def encode(question: str, key: Sequence[Any]) -> str:
    """A cursor behind a row.

    Args:
        question: which list with which filters it belongs to.
        key: the row's sort key: texts, numbers and moments.
    """
    plain = [_microseconds(each) if isinstance(each, datetime) else each for each in key]
    packed = orjson.dumps([_digest(question), *plain])
    return urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode(question: str, cursor: str, kinds: Sequence[type]) -> list[Any]:
    """The sort key in a cursor.

    Args:
        question: which list with which filters it must belong to.
        cursor: as it came.
        kinds: of the values, in order: ``str``, ``int``, ``float`` or ``datetime``.

    Raises:
        BadCursorError: it is not one of this question.
    """
    if not 0 < len(cursor) <= CURSOR_CHARACTERS_MAX or not cursor.isascii():
        raise BadCursorError
    try:
        found = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (NoBase64, orjson.JSONDecodeError):
        raise BadCursorError from None
    if not isinstance(found, list) or len(found) != len(kinds) + 1 or found[0] != _digest(question):
        raise BadCursorError
    return [_value(value, kind) for value, kind in zip(found[1:], kinds, strict=True)]


def _value(value: Any, kind: type) -> Any:
    if kind is datetime:
        if type(value) is not int or not 0 <= value < _MICROSECONDS_MAX:
            raise BadCursorError
        return _EPOCH + timedelta(microseconds=value)
    if type(value) is not kind or (isinstance(value, str) and "\0" in value):
        raise BadCursorError
    if isinstance(value, int) and abs(value) > _MICROSECONDS_MAX:
        raise BadCursorError
    return value


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _digest(question: str) -> str:
    return blake2s(question.encode(), digest_size=6).hexdigest()

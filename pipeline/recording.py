"""Recordings: NDJSON, one Kafka record a line, in arrival order. The format is a contract (see docs/replay.md)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from pipeline.core.step import Headers, Record, StreamRecord

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


TIMESTAMP_MS_MAX: Final = 221_845_392_000_000
"""The year 9000: later moments are no times, and calendars cannot compute with them."""


class RecordingError(Exception):
    """A line that is not a record; says which line and what is wrong."""


def read_recording(lines: Iterable[bytes], name: str) -> Iterator[StreamRecord]:
    """Parse a recording line by line; empty lines are passed over.

    Args:
        lines: the file.
        name: what to call it in messages.

    Raises:
        RecordingError: at the first line that is not a record.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield _parse(orjson.loads(line))
        except (ValueError, TypeError, KeyError) as error:
            what = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
            raise RecordingError(f"{name}:{number}: not a recorded Kafka record: {what}") from error


def _parse(document: Any) -> StreamRecord:
    if not isinstance(document, dict):
        raise TypeError("a line is one JSON object")
    if "value_base64" in document:
        value: bytes | None = b64decode(document["value_base64"], validate=True)
    elif document["value"] is None:
        value = None
    else:
        value = orjson.dumps(document["value"])
    key = b64decode(document["key_base64"], validate=True) if "key_base64" in document else _key(document.get("key"))
    at_ms = to_ms(document["timestamp"])
    if not -1 <= at_ms <= TIMESTAMP_MS_MAX:  # Kafka's own word for "none" is -1
        raise ValueError(f"timestamp {document['timestamp']!r} is not between the years 1970 and 9000")
    return StreamRecord(
        str(document["topic"]),
        _whole(document, "partition"),
        _whole(document, "offset"),
        at_ms,
        key,
        value,
        _headers(document),
    )


def _whole(document: dict[str, Any], field: str) -> int:
    number = int(document.get(field, 0))
    if not 0 <= number < 1 << 63:
        raise ValueError(f"{field} {number} is no {field} of Kafka's")
    return number


def _headers(document: dict[str, Any]) -> Headers:
    if "headers_base64" in document:
        return tuple((str(name), b64decode(text, validate=True)) for name, text in document["headers_base64"])
    headers = document.get("headers") or {}
    if not isinstance(headers, dict):
        raise TypeError("headers are an object of name and text, or a list in headers_base64")
    return tuple((str(name), str(text).encode()) for name, text in headers.items())


def _key(key: object) -> bytes | None:
    return None if key is None else str(key).encode()


def to_ms(moment: object) -> int:
    """Epoch milliseconds of an RFC 3339 time with a zone, or of epoch milliseconds themselves.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(moment, int) and not isinstance(moment, bool):
        return moment
    parsed = datetime.fromisoformat(str(moment))
    if parsed.tzinfo is None:
        raise ValueError(f"timestamp {moment!r} has no time zone")
    return round(parsed.timestamp() * 1_000)


def to_rfc3339(at_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds."""
    moment = _EPOCH + timedelta(milliseconds=at_ms)  # no floating point on the way
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write_line(record: Record) -> bytes:
    """One line of a recording, with its newline. Bytes that are not JSON go as base64."""
    document: dict[str, Any] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": to_rfc3339(record.timestamp),
    }
    document |= _text(record.key)
    document |= _written_headers(record.headers)
    document |= _written_value(record.value)
    return orjson.dumps(document) + b"\n"


def _written_value(value: bytes | None) -> dict[str, Any]:
    if value is None:
        return {"value": None}
    try:
        parsed = orjson.loads(value)
        readable = parsed is not None and orjson.loads(orjson.dumps(parsed)) == parsed
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):  # not JSON, or nested deeper than can be written
        readable = False
    # A value of JSON null is not the same as none, which is how the file reads it.
    return {"value": parsed} if readable else {"value_base64": b64encode(value).decode()}


def _written_headers(headers: Headers) -> dict[str, Any]:
    """Headers as an object of texts; where that would lose one (binary, the same name twice), as base64 in order.

    A header without a value, which Kafka allows, is an empty one.
    """
    given = [(name, value or b"") for name, value in headers]
    try:
        texts = {name: value.decode() for name, value in given}
    except UnicodeDecodeError:
        texts = {}
    if len(texts) == len(given):
        return {"headers": texts}
    return {"headers_base64": [[name, b64encode(value).decode()] for name, value in given]}


def _text(key: bytes | None) -> dict[str, str | None]:
    try:
        return {"key": None if key is None else key.decode()}
    except UnicodeDecodeError:
        return {"key_base64": b64encode(key or b"").decode()}

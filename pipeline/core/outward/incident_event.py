"""Reads the events on ``incidents`` and ``problems`` for the stages that carry them on, and refuses what is not one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import orjson

from pipeline.core.step import Record
from pipeline.models.command import COMMAND_ID_CHARACTERS_MAX
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.problem import PROBLEM_SCHEMA

INCIDENT_EVENT_SCHEMA: Final = 1

# 9999-12-31, the last day that a date in Python, RFC 3339 or PostgreSQL can spell here.
TIME_MS_MAX: Final = 253_402_214_400_000

# Ids and words of ours are far shorter; what is longer is not ours, and would not fit a header or a body.
ID_CHARACTERS_MAX: Final = 256

REVISION_MAX: Final = (1 << 63) - 1
"""What a column of whole numbers holds."""

SEAL: Final = re.compile(r"[0-9a-f]{64}")
"""What a seal looks like: SHA-256, hexadecimal."""

_MISSING: Final = object()


class IncidentEvent(NamedTuple):
    """One revision of one incident.

    Attributes:
        change: what happened, an ``IncidentChange`` word.
        at_ms: when, epoch milliseconds.
        entries: timeline entries that this revision added.
        incident: the full snapshot.
        command_id: of the command that it obeys or refuses; None: it follows from none.
        joined, left: episodes that became members with this revision, or are members no longer.
    """

    incident_id: str
    revision: int
    change: str
    at_ms: int
    entries: list[dict[str, Any]]
    incident: dict[str, Any]
    command_id: str | None = None
    joined: Sequence[str] = ()
    left: Sequence[str] = ()

    @property
    def seal(self) -> str | None:
        """The seal of this revision; None where an older release wrote it, or it is not one."""
        return _seal(self.incident)


class ProblemEvent(NamedTuple):
    """One revision of one problem; fields as those of `IncidentEvent`."""

    problem_id: str
    revision: int
    change: str
    at_ms: int
    entries: list[dict[str, Any]]
    problem: dict[str, Any]
    command_id: str | None = None

    @property
    def seal(self) -> str | None:
        """The seal of this revision; None where it is not one."""
        return _seal(self.problem)


def _seal(snapshot: dict[str, Any]) -> str | None:
    found = snapshot.get("chain")
    return found if isinstance(found, str) and SEAL.fullmatch(found) else None


def read_object(record: Record, *schemas: int) -> dict[str, Any]:
    """The JSON object of a record of one of our own topics.

    Raises:
        BadRecord: empty, not JSON, not an object, or of a schema that this release does not read.
    """
    if not record.value:
        raise BadRecord(Reason.EMPTY, f"{record.topic}: no value")
    try:
        document = orjson.loads(record.value)
    except orjson.JSONDecodeError as error:
        raise BadRecord(Reason.BROKEN_JSON, f"{record.topic}: not JSON at position {error.pos}") from error
    if not isinstance(document, dict):
        found = type(document).__name__
        raise BadRecord(Reason.WRONG_TYPE, f"{record.topic}: expected an object, got {found}")
    if document.get("schema") not in schemas:
        raise BadRecord(Reason.UNKNOWN_SCHEMA, f"{record.topic}: this release reads schema {_listed(schemas)}")
    return document


def _listed(schemas: Sequence[int]) -> str:
    return " or ".join(map(str, sorted(schemas)))


def need(document: dict[str, Any], name: str, *kinds: type) -> Any:
    """A field that must be there, of one of the given types.

    Raises:
        BadRecord: it is missing or of another type.
    """
    value = document.get(name, _MISSING)
    if value is _MISSING:
        raise BadRecord(Reason.MISSING_FIELD, f"no field {name}")
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        allowed = " or ".join(kind.__name__ for kind in kinds)
        raise BadRecord(Reason.WRONG_TYPE, f"{name}: expected {allowed}, got {type(value).__name__}")
    return value


def read_time_ms(document: dict[str, Any], name: str) -> int:
    """A field that holds epoch milliseconds.

    Raises:
        BadRecord: missing, not an integer, or outside of what a date can spell.
    """
    value: int = need(document, name, int)
    if not 0 <= value <= TIME_MS_MAX:
        raise BadRecord(Reason.WRONG_TYPE, f"{name}: not a time in epoch milliseconds")
    return value


def read_event(record: Record) -> IncidentEvent:
    """The event that a record of ``incidents`` holds.

    Raises:
        BadRecord: it is not an incident event of this schema.
    """
    *_, document = found = _read(record, INCIDENT_EVENT_SCHEMA, "incident_id", "incident")
    return IncidentEvent(*found[:-1], _command_id(document), _ids(document, "joined"), _ids(document, "left"))


def read_problem_event(record: Record) -> ProblemEvent:
    """The event that a record of ``problems`` holds.

    Raises:
        BadRecord: it is not a problem event of this schema.
    """
    *_, document = found = _read(record, PROBLEM_SCHEMA, "problem_id", "problem")
    return ProblemEvent(*found[:-1], _command_id(document))


def _command_id(document: dict[str, Any]) -> str | None:
    """The command that an event obeys or refuses; None: it follows from none, or an older release did not say."""
    found = document.get("command_id")
    return found if isinstance(found, str) and 0 < len(found) <= COMMAND_ID_CHARACTERS_MAX else None


def _ids(document: dict[str, Any], name: str) -> list[str]:
    """Ids of episodes; what an older release or somebody else wrote there may be none."""
    found = document.get(name)
    if not isinstance(found, list):
        return []
    return [each for each in found if isinstance(each, str) and 0 < len(each) <= ID_CHARACTERS_MAX]


def _read(
    record: Record, schema: int, id_name: str, snapshot_name: str
) -> tuple[str, int, str, int, list[dict[str, Any]], dict[str, Any], dict[str, Any]]:
    document = read_object(record, schema)
    own_id: str = need(document, id_name, str)
    change: str = need(document, "change", str)
    entries: list[Any] = need(document, "entries", list)
    if not all(isinstance(entry, dict) for entry in entries):
        raise BadRecord(Reason.WRONG_TYPE, "entries: expected objects")
    if not (0 < len(own_id) <= ID_CHARACTERS_MAX and 0 < len(change) <= ID_CHARACTERS_MAX):
        raise BadRecord(Reason.WRONG_TYPE, f"{id_name} and change: 1 to {ID_CHARACTERS_MAX} characters")
    revision: int = need(document, "revision", int)
    if not 0 <= revision <= REVISION_MAX:
        raise BadRecord(Reason.WRONG_TYPE, "revision: not a number of a revision")
    snapshot: dict[str, Any] = need(document, snapshot_name, dict)
    return own_id, revision, change, read_time_ms(document, "at_ms"), entries, snapshot, document

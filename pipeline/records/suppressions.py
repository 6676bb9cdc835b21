"""Suppressions in the records store: what was hidden, written once each, and asked for by time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, select

from pipeline.models.suppression import Suppression, What
from pipeline.records.indexed import cut
from pipeline.records.tables import INCIDENTS, SUPPRESSIONS
from pipeline.records.values import upsert

FETCHED_AT_ONCE: Final = 5_000
"""Rows that a question holds in memory at a time."""

TOLD_MAX: Final = 100
"""Of one condition: what passes by itself every few minutes has thousands in a month."""

SILENCES_MAX: Final = 1_000
"""As many as one partition keeps in force."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_KEY: Final = ("episode_id", "what", "since")


def write(connection: Connection, hidden: Sequence[Suppression]) -> None:
    """Write suppressions; of one that is told again the later stands, so that writing twice changes nothing."""
    newest = {tuple(row[name] for name in _KEY): row for row in sorted(map(_row, hidden), key=lambda row: row["until"])}
    rows = [newest[key] for key in sorted(newest)]  # sorted, so that two workers lock them in the same order
    upsert(connection, SUPPRESSIONS, rows, "suppressions.until <= excluded.until")


def between(connection: Connection, from_ms: int, to_ms: int) -> Iterator[Suppression]:
    """Suppressions that ended in a span of time, in the order of their ends."""
    until = SUPPRESSIONS.c.until
    query = select(SUPPRESSIONS).where(until >= _moment(from_ms), until < _moment(to_ms))
    query = query.order_by(until, SUPPRESSIONS.c.episode_id, SUPPRESSIONS.c.what)
    yield from map(_suppression, connection.execution_options(yield_per=FETCHED_AT_ONCE).execute(query).mappings())


def about(connection: Connection, name: str) -> list[Suppression]:
    """Suppressions of an episode, or of a condition by its alert key, oldest first; the newest `TOLD_MAX`."""
    since = SUPPRESSIONS.c.since
    query = select(SUPPRESSIONS).where((SUPPRESSIONS.c.episode_id == name) | (SUPPRESSIONS.c.alert_key == name))
    newest = connection.execute(query.order_by(since.desc(), SUPPRESSIONS.c.what).limit(TOLD_MAX)).mappings()
    return [_suppression(row) for row in newest][::-1]


def silences(connection: Connection) -> list[Suppression]:
    """Silences, in force or over, those that began last first; the newest `SILENCES_MAX`."""
    query = select(SUPPRESSIONS).where(SUPPRESSIONS.c.what == What.SILENCE.value)
    newest = connection.execute(query.order_by(SUPPRESSIONS.c.since.desc()).limit(SILENCES_MAX)).mappings()
    return [_suppression(row) for row in newest]


def begun_between(connection: Connection, from_ms: int, to_ms: int) -> Iterable[tuple[str, int, list[str]]]:
    """Incidents that were detected in a span of time: id, when, and the entities that they are about."""
    detected = INCIDENTS.c.snapshot["detected_at_ms"].astext
    columns = (INCIDENTS.c.id, detected, INCIDENTS.c.snapshot["entities"])
    query = select(*columns).where(INCIDENTS.c.kind == "incident", INCIDENTS.c.updated_at >= _moment(from_ms))
    for incident_id, at, entities in connection.execute(query):
        if at is not None and at.isdigit() and from_ms <= int(at) < to_ms and isinstance(entities, list):
            yield incident_id, int(at), [each for each in entities if isinstance(each, str)]


def _suppression(row: Mapping[Any, Any]) -> Suppression:
    given = {name: value for name, value in row.items() if name not in ("since", "until")}
    return Suppression(since_ms=_ms(row["since"]), until_ms=_ms(row["until"]), **given)


def _row(hidden: Suppression) -> dict[str, Any]:
    row = {name: value for name, value in asdict(hidden).items() if name != "schema"}
    row["alert_key"] = cut(row["alert_key"])
    row["since"], row["until"] = _moment(row.pop("since_ms")), _moment(row.pop("until_ms"))
    return row


def _moment(at_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=at_ms)


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)

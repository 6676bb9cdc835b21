"""What was hidden from people in a period, as far as somebody may see it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, text

from pipeline.records.hidden_report import LATER_MS, Begun, report
from pipeline.records.reading.scope import Scope, domains_within
from pipeline.records.reading.stepping import OPENED
from pipeline.records.suppressions import between

# An incident is opened soon after it is detected; by then, or it counts as none that began in the period.
_OPENED_LATER_MAX: Final = timedelta(days=1)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def suppression(connection: Connection, scope: Scope, from_ms: int, to_ms: int) -> dict[str, Any]:
    """What was hidden in a period, by what, and who was not called for it; see `hidden_report.report`.

    Args:
        connection: to the records store.
        scope: what belongs to no domain is told to those alone who may see all.
        from_ms: epoch milliseconds; what is hidden counts when that ends.
        to_ms: the end of the period, not in it.
    """
    begun = list(_begun(connection, scope, from_ms, to_ms + LATER_MS))
    hidden = between(connection, from_ms, to_ms)
    return report((each for each in hidden if scope is None or each.domain in scope), begun)


def _begun(connection: Connection, scope: Scope, from_ms: int, to_ms: int) -> Iterator[Begun]:
    within, parameters = domains_within(scope)
    begin, end = (_EPOCH + timedelta(milliseconds=each) for each in (from_ms, to_ms))
    asked = text(f"""
        SELECT id, detected_at, snapshot->'entities' AS entities FROM incidents
        WHERE kind = 'incident' AND detected_at >= :begin AND detected_at < :end
            AND {OPENED} >= :begin AND {OPENED} < :opened_by AND {within}""")  # noqa: S608  # of our own words
    given = parameters | {"begin": begin, "end": end, "opened_by": end + _OPENED_LATER_MAX}
    for incident_id, detected, entities in connection.execute(asked, given):
        if isinstance(entities, list):
            at_ms = (detected - _EPOCH) // timedelta(milliseconds=1)
            yield incident_id, at_ms, [each for each in entities if isinstance(each, str)]

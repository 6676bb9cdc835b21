"""Past incidents that are like one, why they are, how they ended, and what fixed them.

Candidates come from the index by each thing that could be shared, the newest first; how much is shared of all decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from pipeline.records.lexemes import fact, id_fact
from pipeline.records.reading.found import COLUMNS, IncidentRow, row_of
from pipeline.records.reading.lexical import either, quoted
from pipeline.records.reading.likeness import Likeness, Traits, likeness, traits_of
from pipeline.records.reading.rare import rare_words
from pipeline.records.reading.scope import Scope, domains_within
from pipeline.records.reading.stepping import newest
from pipeline.records.reading.timeline import without_nul

LIMIT_MAX: Final = 50

# The newest of each thing that could be shared: older ones of a thing that common tell nothing new.
CANDIDATES_MAX: Final = 40

# Names and words that are asked for; each costs a look into the index.
ASKED_MAX: Final = 12


@dataclass(frozen=True, slots=True)
class Similar:
    """A past incident that is like another.

    Attributes:
        score: how much they share; the more the better.
        because: what they share, in words; what tells most first.
        ended: it is resolved, closed or cancelled.
        code: how it ended, a resolution code of the policy; None: nobody has said.
        summary: what was done.
        fix: what removed the cause.
        workaround: what restored the service.
        known_errors: ids of known errors that fitted.
        took_seconds: from its opening to its resolution; None: it is not resolved.
    """

    incident: IncidentRow
    score: float
    because: list[str]
    ended: bool
    code: str | None
    summary: str | None
    cause: str | None
    fix: str | None
    workaround: str | None
    known_errors: list[str]
    took_seconds: float | None


def similar(connection: Connection, incident_id: str, scope: Scope, limit: int = 10) -> list[Similar] | None:
    """Incidents like one: those that have ended first, and of these the most alike.

    It is none of its own: not itself, what was merged with it, its bridge incident or another member of that.

    Args:
        connection: to the records store.
        incident_id: of the one.
        scope: what may be seen.
        limit: how many at most; 50 at most.

    Returns:
        None where there is no incident of that id that may be seen.
    """
    known_id = without_nul(incident_id)
    within, parameters = domains_within(scope)
    one = text(f"SELECT {COLUMNS}, snapshot FROM incidents WHERE id = :id AND {within}")  # noqa: S608  # of our own words
    row = connection.execute(one, parameters | {"id": known_id}).mappings().one_or_none()
    if row is None:
        return None
    conditions = _conditions(connection, [known_id]).get(known_id, {})
    mine = traits_of(row["snapshot"], conditions, _own_words(connection, known_id))
    ids = _candidates(connection, known_id, mine, scope)
    found = [each for each in _compared(connection, ids, mine, row_of(row), row["snapshot"], scope) if each is not None]
    found.sort(key=lambda each: (not each.ended, -each.score, each.incident.id))
    return found[: max(1, min(limit, LIMIT_MAX))]


def _candidates(connection: Connection, incident_id: str, mine: Traits, scope: Scope) -> list[str]:
    """Ids of what shares something that tells."""
    found: dict[str, None] = {}
    for facts in _shared(connection, mine):
        narrowed = [facts, quoted(fact("kind", mine.kind))]
        if scope is not None:
            narrowed.append(either(fact("domain", each) for each in sorted(scope)))
        places = newest(connection, narrowed, "incidents.id <> :id", {"id": incident_id}, CANDIDATES_MAX)
        found |= dict.fromkeys(each.id for each in places)
    asked = text("""
        SELECT incident_id FROM episodes WHERE alert_key = ANY(cast(:keys AS text[])) AND incident_id <> :id
        ORDER BY opened_at DESC LIMIT :rows""")
    keys = list(mine.conditions)[: ASKED_MAX * 4]
    given = {"keys": keys, "id": incident_id, "rows": CANDIDATES_MAX * 2}
    return list(found | dict.fromkeys(connection.scalars(asked, given)))


def _shared(connection: Connection, mine: Traits) -> list[str]:
    """Parts of a `tsquery`, each of which finds what shares one thing."""
    asked = []
    if mine.cause:
        asked.append(either((fact("cause", mine.cause), id_fact(mine.cause))))
    if mine.service and mine.categories:
        same = [
            quoted(fact("service", mine.service)),
            either(fact("category", each) for each in sorted(mine.categories)),
        ]
        asked.append(" & ".join(same))
    elif mine.service:
        asked.append(quoted(fact("service", mine.service)))
    if mine.resources:
        asked.append(either(id_fact(each) for each in sorted(mine.resources)[:ASKED_MAX]))
    if words := rare_words(connection, mine.words, ASKED_MAX):
        asked.append("(" + " | ".join(quoted(each) for each in words) + ")")
    return asked


def _compared(
    connection: Connection,
    ids: list[str],
    mine: Traits,
    own: IncidentRow,
    snapshot: dict[str, Any],
    scope: Scope,
) -> list[Similar | None]:
    within, parameters = domains_within(scope)
    asked = text(f"""
        SELECT {COLUMNS}, snapshot, {_WORDS} AS own_words FROM incidents
        WHERE id = ANY(cast(:ids AS text[])) AND {within}""")  # noqa: S608  # of our own words
    rows = connection.execute(asked, parameters | {"ids": ids}).mappings().all()
    conditions = _conditions(connection, [each["id"] for each in rows])
    now = max((each["opened_at"] for each in rows if each["opened_at"]), default=None)
    found: list[Similar | None] = []
    for each in rows:
        row = row_of(each)
        if not _is_own(own, snapshot, row):
            theirs = traits_of(each["snapshot"], conditions.get(row.id, {}), set(each["own_words"]))
            found.append(_similar(row, each["snapshot"], likeness(mine, theirs), own.opened_at or now))
    return found


def _is_own(own: IncidentRow, snapshot: dict[str, Any], row: IncidentRow) -> bool:
    """Whether it is a part of the same: then it cannot tell what fixed it before."""
    absorbed = snapshot.get("absorbed")
    same = {own.id, own.merged_into, own.bridge_id, *(absorbed if isinstance(absorbed, list) else ())} - {None}
    others = {row.id, row.merged_into, row.bridge_id} - {None}
    return row.state == "merged" or not same.isdisjoint(others)


# What is shared with something that long ago weighs half as much: services, and what breaks them, change.
HALF_LIFE_DAYS: Final = 365


def _similar(
    row: IncidentRow, snapshot: dict[str, Any], shared: Likeness | None, now: datetime | None
) -> Similar | None:
    if shared is None:
        return None
    age_days = abs((now - row.opened_at).total_seconds()) / 86_400 if now and row.opened_at else 0.0
    resolution = snapshot.get("resolution")
    told: dict[str, Any] = resolution if isinstance(resolution, dict) else {}
    errors = snapshot.get("known_errors")
    took = (row.resolved_at - row.opened_at).total_seconds() if row.resolved_at and row.opened_at else None
    return Similar(
        incident=row,
        score=round(shared.score * 0.5 ** min(age_days / HALF_LIFE_DAYS, 2.0), 3),
        because=shared.because,
        ended=row.state in ("resolved", "closed", "cancelled"),
        code=_said(told.get("code")),
        summary=_said(told.get("summary")),
        cause=_said(told.get("cause")),
        fix=_said(told.get("fix")),
        workaround=_said(told.get("workaround")) or _said(snapshot.get("workaround")),
        known_errors=[str(each.get("id")) for each in errors if isinstance(each, dict)]
        if isinstance(errors, list)
        else [],
        took_seconds=took,
    )


def _said(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


# Words of what was seen: a resolution that is worded alike is no likeness of two failures.
_WORDS: Final = "tsvector_to_array(ts_filter(words, '{a,c}'))"


def _own_words(connection: Connection, incident_id: str) -> set[str]:
    asked = text(f"SELECT {_WORDS} FROM incidents WHERE id = :id")  # noqa: S608  # of our own words
    return set(connection.scalar(asked, {"id": incident_id}) or ())


# Of one incident: what a storm brings in has thousands, and the first of them tell what it was.
CONDITIONS_MAX: Final = 100


def _conditions(connection: Connection, ids: list[str]) -> dict[str, dict[str, str]]:
    """Incident -> alert key -> what that alert says, of the first conditions of each."""
    asked = text("""
        SELECT incident_id, alert_key, summary FROM unnest(cast(:ids AS text[])) AS one CROSS JOIN LATERAL (
            SELECT incident_id, alert_key, summary FROM episodes WHERE incident_id = one ORDER BY opened_at LIMIT :most
        ) AS first""")
    found: dict[str, dict[str, str]] = {}
    for incident_id, key, summary in connection.execute(asked, {"ids": ids, "most": CONDITIONS_MAX}):
        found.setdefault(incident_id, {})[key] = summary or key
    return found

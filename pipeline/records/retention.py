"""Retention: what ended long enough ago is removed, whole months at once where that can be, and it is written down.

An incident that is not over is never touched, nor one that is a part of such: merged into it, or linked to its bridge.
Months whose incidents are all over go as tables, in a moment and without a trace in the others; what is left of ended
incidents in other months goes row by row, a few at a time. A run that is interrupted goes on at the next.
"""

# ruff: noqa: S608  # statements are put together of names of our own tables, of nothing that anybody sends
from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from pipeline.models.privacy import RETENTION_MONTHS_MAX
from pipeline.records.months import LOCK_WAIT_MS, Month, existing, is_busy
from pipeline.records.store import RecordsStore
from pipeline.records.tables import RETENTION_RUNS

MONTHS_MIN: Final = 1

INCIDENTS_AT_ONCE: Final = 500
"""Incidents of one transaction: their rows are locked for as long as it takes to remove them."""

ROWS_AT_ONCE: Final = 5_000

# "retain" in ASCII; a key that no other program on the same database is likely to use.
RETENTION_LOCK: Final = 0x7265_7461696E

SYSTEM: Final = "spillway"

Seen = Callable[[int], None]

_OVER: Final = "{0}.state IN ('closed', 'merged', 'cancelled') AND coalesce({0}.updated_at, {0}.closed_at) < :cutoff"

# Ended before the cut-off, and so have the incident that it was merged into and its bridge incident.
_VICTIMS: Final = f"""
    SELECT incidents.id FROM incidents
    WHERE {_OVER.format("incidents")} AND NOT EXISTS (
        SELECT FROM incidents AS whole WHERE whole.id IN (incidents.merged_into, incidents.bridge_id)
            AND (({_OVER.format("whole")}) IS NOT TRUE))
"""

_OF_INCIDENTS: Final = (
    "timeline",
    "incident_events",
    "deliveries",
    "ledger",
    "episode_members",
    "episodes",
    "measures",
)
"""Tables that say of a row whose it is."""

_OTHERS: Final = {
    # Of no incident, or of one that is gone or that nobody here has heard of.
    "episodes": "coalesce(ended_at, updated_at) < :cutoff AND NOT EXISTS "
    "(SELECT FROM incidents WHERE incidents.id = episodes.incident_id)",
    "deliveries": "at < :cutoff AND NOT EXISTS (SELECT FROM incidents WHERE incidents.id = deliveries.incident_id)",
    "suppressions": "until < :cutoff AND ended <> 'on' AND NOT EXISTS "
    "(SELECT FROM incidents WHERE incidents.id = suppressions.incident_id)",
    "problem_events": "EXISTS (SELECT FROM problems WHERE problems.id = problem_id "
    "AND problems.state IN ('closed', 'rejected') AND problems.updated_at < :cutoff)",
    "problems": "state IN ('closed', 'rejected') AND updated_at < :cutoff",
}
"""Rows that are old enough by themselves. Events of a problem go before it, for it says how old they are."""


class Removed(NamedTuple):
    """What a run removed, or would remove.

    Attributes:
        cutoff: what ended before it goes.
        rows: by table; of tables of whole months those of each.
        dropped: tables of whole months.
        seconds: how long it took.
    """

    cutoff: datetime
    rows: dict[str, int]
    dropped: list[str]
    seconds: float


def _nobody_looks(rows: int) -> None:
    del rows


def _to_the_end() -> bool:
    return True


def cutoff_of(months: int, now: datetime) -> datetime:
    """The first moment of the month so many months ago.

    Raises:
        ValueError: not a number of months from `MONTHS_MIN` to `RETENTION_MONTHS_MAX`.
    """
    if not MONTHS_MIN <= months <= RETENTION_MONTHS_MAX:
        raise ValueError(f"months: {MONTHS_MIN} to {RETENTION_MONTHS_MAX} are possible")
    return Month.of(now).plus(-months).begins


def due(connection: Connection, now: datetime) -> bool:
    """Whether no run has begun today, in UTC, by itself or by a person."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    query = text("SELECT NOT EXISTS (SELECT FROM retention_runs WHERE at >= :today)")
    return bool(connection.scalar(query, {"today": today}))


def retain(
    store: RecordsStore,
    months: int,
    now: datetime,
    *,
    actor: str = SYSTEM,
    seen: Seen = _nobody_looks,
    goes_on: Callable[[], bool] = _to_the_end,
) -> Removed:
    """Remove what ended before the month so many months ago, and write down what that was.

    Args:
        store: whose rows.
        months: whole months that are kept beside the one that is on.
        now: the time.
        actor: who asked for it.
        seen: told how many rows have gone.
        goes_on: asked between two transactions; what is left then is left to the next run.

    Raises:
        ValueError: not a possible number of months.
        SQLAlchemyError: the database is away or refused; what was removed until then is.
    """
    began, cutoff = monotonic(), cutoff_of(months, now)
    rows: Counter[str] = Counter()
    dropped: list[str] = []
    for name, count in _drop_months(store, cutoff):
        dropped.append(name)
        rows[name.rsplit("_", 2)[0]] += count
    for work in (_incidents_gone, *(_rows_gone(table) for table in _OTHERS)):
        while goes_on() and (gone := store.change(partial(work, cutoff=cutoff))):
            rows.update(gone)
            seen(rows.total())
    gone_rows = {name: count for name, count in sorted(rows.items()) if count}
    removed = Removed(cutoff, gone_rows, dropped, monotonic() - began)
    run = {
        "at": now,
        "months": months,
        "cutoff": cutoff,
        "actor": actor,
        "removed": removed.rows,
        "dropped": dropped,
        "seconds": round(removed.seconds, 3),
    }
    store.change(lambda connection: connection.execute(RETENTION_RUNS.insert().values(run)))
    store.forget_months()
    return removed


def would_remove(connection: Connection, months: int, now: datetime) -> Removed:
    """What `retain` would remove now; changes nothing.

    Raises:
        ValueError: not a possible number of months.
    """
    began, cutoff = monotonic(), cutoff_of(months, now)
    given = {"cutoff": cutoff}
    dropped = [
        name
        for name, (parent, month) in existing(connection).items()
        if _is_over(connection, name, parent, month, cutoff)
    ]
    rows: Counter[str] = Counter()
    ours = f"WITH victims AS ({_VICTIMS}) SELECT count(*) FROM "
    rows["incidents"] = connection.scalar(text(f"{ours} victims"), given) or 0
    for table in _OF_INCIDENTS:
        rows[table] = (
            connection.scalar(text(f"{ours} {table} WHERE incident_id IN (SELECT id FROM victims)"), given) or 0
        )
    # Suppressions of incidents that go, go after them.
    after = _OTHERS["suppressions"].replace("incidents.id =", f"incidents.id NOT IN ({_VICTIMS}) AND incidents.id =")
    for table, condition in (_OTHERS | {"suppressions": after}).items():
        rows[table] += connection.scalar(text(f"SELECT count(*) FROM {table} WHERE {condition}"), given) or 0
    return Removed(cutoff, {name: count for name, count in sorted(rows.items()) if count}, dropped, monotonic() - began)


def _drop_months(store: RecordsStore, cutoff: datetime) -> list[tuple[str, int]]:
    """Drop the tables of months that nobody needs; one that is in use is left to the next run."""
    gone = []
    for name, (parent, month) in store.ask(existing).items():
        try:
            count = store.change(partial(_drop, name=name, parent=parent, month=month, cutoff=cutoff))
        except OperationalError as error:
            if not is_busy(error):
                raise
        else:
            if count is not None:
                gone.append((name, count))
    return gone


def _drop(connection: Connection, name: str, parent: str, month: Month, cutoff: datetime) -> int | None:
    connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}"))
    if not _is_over(connection, name, parent, month, cutoff):
        return None
    # From here on nothing is written into it; what came since the look is seen by the next.
    connection.execute(text(f"LOCK TABLE {parent} IN ACCESS EXCLUSIVE MODE"))
    if not _is_over(connection, name, parent, month, cutoff):
        return None
    count: int = connection.scalar(text(f"SELECT count(*) FROM {name}")) or 0
    connection.execute(text(f"DROP TABLE {name}"))
    return count


def _is_over(connection: Connection, name: str, parent: str, month: Month, cutoff: datetime) -> bool:
    """Whether all of a month goes: it is before the cut-off, and no row in it is of anything that stays."""
    if month.plus(1).begins > cutoff:
        return False
    if parent == "suppressions":
        stays = f"NOT ({_OTHERS['suppressions']})".replace("suppressions.", f"{name}.")
    else:
        known = f"EXISTS (SELECT FROM incidents WHERE incidents.id = {name}.incident_id)"
        stays = f"{known} AND {name}.incident_id NOT IN ({_VICTIMS})"
    query = text(f"SELECT NOT EXISTS (SELECT FROM {name} WHERE {stays})")
    return bool(connection.scalar(query, {"cutoff": cutoff}))


def _incidents_gone(connection: Connection, cutoff: datetime) -> Counter[str]:
    """Remove some of the incidents that go, with all that is theirs; rows by table."""
    victims = text(f"{_VICTIMS} ORDER BY incidents.id LIMIT {INCIDENTS_AT_ONCE} FOR UPDATE OF incidents")
    given: dict[str, Any] = {"ids": list(connection.scalars(victims, {"cutoff": cutoff}))}
    gone: Counter[str] = Counter()
    if given["ids"]:
        for table in _OF_INCIDENTS:
            done = connection.execute(text(f"DELETE FROM {table} WHERE incident_id = ANY(:ids)"), given)
            gone[table] = done.rowcount
        gone["incidents"] = connection.execute(text("DELETE FROM incidents WHERE id = ANY(:ids)"), given).rowcount
    return +gone


def _rows_gone(table: str) -> Callable[..., Counter[str]]:
    def work(connection: Connection, cutoff: datetime) -> Counter[str]:
        some = f"SELECT ctid, tableoid FROM {table} WHERE {_OTHERS[table]} LIMIT {ROWS_AT_ONCE}"
        done = connection.execute(text(f"DELETE FROM {table} WHERE (ctid, tableoid) IN ({some})"), {"cutoff": cutoff})
        return +Counter({table: done.rowcount})

    return work

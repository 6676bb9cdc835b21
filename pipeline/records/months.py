"""Months of history: a table for each, made ahead and when one is needed, and what they are called.

What lies in a month without a table goes to the table ``<name>_odd``, so a month that cannot be made now costs
nothing but that its rows are moved later. Tables are made outside of the transaction that writes rows, and never wait
long: who waits for a table keeps all others out of it.
"""

# ruff: noqa: S608  # statements are put together of names of our own tables, of nothing that anybody sends
from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import OperationalError

from pipeline.core.outward.incident_event import IncidentEvent
from pipeline.core.outward.record import Told
from pipeline.core.outward.told import DeliveryTold
from pipeline.models.suppression import Suppression
from pipeline.records.values import moment_of

PARTITIONED: Final[dict[str, str]] = {
    "incident_events": "at",
    "timeline": "revised_at",
    "suppressions": "since",
    "deliveries": "at",
}
"""Tables that are partitioned by month -> by which column."""

MONTHS_AHEAD: Final = 2
"""Months made ahead: whoever looks once a month whether they are there has a month to repair what keeps them away."""

MONTHS_BACK_MAX: Final = 120
"""What is older comes of a wrong clock or of a test: it lies among the odd ones."""

LOCK_WAIT_MS: Final = 2_000
"""Somebody reads a table for long: rows go to the odd ones meanwhile."""

RETRY_SECONDS: Final = 60.0
"""Then it is tried again: not with each batch, which would wait each time."""

# "months" in ASCII; a key that no other program on the same database is likely to use.
MONTHS_LOCK: Final = 0x6D6F_6E746873


class Month(NamedTuple):
    """A month in UTC."""

    year: int
    number: int

    @classmethod
    def of(cls, moment: datetime) -> Month:
        """The month that a moment lies in."""
        utc = moment.astimezone(UTC)
        return cls(utc.year, utc.month)

    def plus(self, months: int) -> Month:
        """The month so many later; earlier where the number is negative."""
        at = self.year * 12 + self.number - 1 + months
        return Month(at // 12, at % 12 + 1)

    @property
    def begins(self) -> datetime:
        """Its first moment."""
        return datetime(self.year, self.number, 1, tzinfo=UTC)

    @property
    def suffix(self) -> str:
        """What the names of its tables end with."""
        return f"{self.year:04}_{self.number:02}"


class Months:
    """Makes months in one database, and remembers which are there."""

    def __init__(self, engine: Engine) -> None:
        """Describe; nothing connects yet."""
        self._engine = engine
        self._known: set[Month] = set()
        self._retry_at: dict[Month, float] = {}

    def ensure(self, told: Iterable[Told]) -> None:
        """Make the months that a batch lies in, and those ahead of now, as far as they can be made now.

        Raises:
            SQLAlchemyError: the database is away or refused.
        """
        now = datetime.now(UTC)
        this = Month.of(now)
        oldest, newest = this.plus(-MONTHS_BACK_MAX).begins, this.plus(MONTHS_AHEAD + 1).begins - timedelta(seconds=1)
        moments = {moment for each in told if (moment := _moment(each)) is not None and oldest <= moment <= newest}
        wanted = {this.plus(ahead) for ahead in range(MONTHS_AHEAD + 1)} | {Month.of(moment) for moment in moments}
        for month in sorted(wanted - self._known):
            if monotonic() < self._retry_at.get(month, 0.0):
                continue
            try:
                with self._engine.begin() as connection:
                    make(connection, month)
            except OperationalError as error:
                if not is_busy(error):
                    raise
                self._retry_at[month] = monotonic() + RETRY_SECONDS
            else:
                self._known.add(month)

    def forget(self) -> None:
        """Somebody may have removed months: look again."""
        self._known.clear()


def make(connection: Connection, month: Month) -> list[str]:
    """Make the tables of a month that are not there, and move there what lies among the odd ones; their names.

    Raises:
        OperationalError: somebody reads or writes for longer than `LOCK_WAIT_MS`; see `is_busy`.
    """
    connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}"))
    connection.execute(select(func.pg_advisory_xact_lock(MONTHS_LOCK)))
    present = set(existing(connection))
    made = [table for table in PARTITIONED if f"{table}_{month.suffix}" not in present]
    for table in made:
        _make(connection, table, PARTITIONED[table], month)
    return made


def existing(connection: Connection) -> dict[str, tuple[str, Month]]:
    """Tables of months: name -> the table that it is a part of, and its month."""
    query = text("""
        SELECT child.relname, parent.relname AS parent FROM pg_inherits
        JOIN pg_class AS child ON child.oid = inhrelid JOIN pg_class AS parent ON parent.oid = inhparent
        WHERE child.relkind = 'r' AND parent.relnamespace = current_schema()::regnamespace ORDER BY child.relname
    """)
    found: dict[str, tuple[str, Month]] = {}
    for name, parent in connection.execute(query):
        year, _, number = name.removeprefix(f"{parent}_").partition("_")
        if parent in PARTITIONED and year.isdigit() and number.isdigit():
            found[name] = (parent, Month(int(year), int(number)))
    return found


def is_busy(error: OperationalError) -> bool:
    """Whether a table could not be had because others use it."""
    return getattr(error.orig, "sqlstate", None) in _BUSY


_BUSY: Final = ("55P03", "40P01")  # lock not available in time; deadlock


def _make(connection: Connection, table: str, column: str, month: Month) -> None:
    name, first, last = f"{table}_{month.suffix}", month.begins, month.plus(1).begins
    odd, within = f"{table}_odd", f"{column} >= '{first}' AND {column} < '{last}'"
    for statement in (
        f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)",
        # Nobody writes odd rows of this month between the move and the attachment.
        f"LOCK TABLE {odd} IN ACCESS EXCLUSIVE MODE",
        f"WITH moved AS (DELETE FROM {odd} WHERE {within} RETURNING *) INSERT INTO {name} SELECT * FROM moved",
        f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{first}') TO ('{last}')",
    ):
        connection.execute(text(statement.replace(":", r"\:")))


def _moment(told: Told) -> Any:
    match told.fact:
        case IncidentEvent() | DeliveryTold():
            return moment_of(told.fact.at_ms)
        case Suppression():
            return moment_of(told.fact.since_ms)
        case _:
            return None

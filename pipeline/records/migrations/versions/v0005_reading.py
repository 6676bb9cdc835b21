"""Indexes for the board, the lists and the search."""

from __future__ import annotations

from typing import Final

from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"

_STATEMENTS: Final = (
    # The order of the board; resolved incidents are not on it.
    """CREATE INDEX incidents_board ON incidents (
        coalesce(priority_rank, 999), coalesce(due_at, '9000-01-01 00:00:00+00'::timestamptz),
        coalesce(opened_at, '9000-01-01 00:00:00+00'::timestamptz), id)
        WHERE state NOT IN ('closed', 'merged', 'cancelled') AND state <> 'resolved'""",
    # The counts of the board, answered from the index alone, whatever the rows weigh. An entry of an index has 2,704
    # bytes at most: `pipeline.records.rows` keeps these columns short.
    """CREATE INDEX incidents_counted ON incidents (priority, state)
        INCLUDE (kind, priority_rank, breached, due_at, assignee, domain, domains)
        WHERE state NOT IN ('closed', 'merged', 'cancelled')""",
    # The order of lists.
    "CREATE INDEX incidents_newest ON incidents (coalesce(opened_at, '1971-01-01 00:00:00+00'::timestamptz), id)",
)


def upgrade() -> None:
    """Columns, tables and indexes."""
    for statement in _STATEMENTS:
        op.execute(statement)

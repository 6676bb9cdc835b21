"""Measures of each incident, and the views of maturity."""

from __future__ import annotations

from typing import Final

from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"

_STATEMENTS: Final[tuple[str, ...]] = ()


def upgrade() -> None:
    """Columns, tables and indexes."""
    for statement in _STATEMENTS:
        op.execute(statement)

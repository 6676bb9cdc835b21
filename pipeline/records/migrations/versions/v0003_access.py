"""Who may come in and who did: tokens, sessions, receipts of commands, the access log."""

from __future__ import annotations

from typing import Final

from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"

_STATEMENTS: Final[tuple[str, ...]] = ()


def upgrade() -> None:
    """Columns, tables and indexes."""
    for statement in _STATEMENTS:
        op.execute(statement)

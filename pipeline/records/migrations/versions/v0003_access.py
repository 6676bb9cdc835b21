"""Who may come in and who did: tokens, sessions, receipts of commands, the access log."""

from __future__ import annotations

from typing import Final

from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"

_STATEMENTS: Final[tuple[str, ...]] = (
    """CREATE TABLE receipts (
        command_id text PRIMARY KEY, subject text NOT NULL, key text, digest text NOT NULL, kind text NOT NULL,
        about text NOT NULL, type text NOT NULL, asked_at timestamptz NOT NULL, accepted_at timestamptz)""",
    "CREATE UNIQUE INDEX receipts_by_key ON receipts (subject, key) WHERE key IS NOT NULL",
    "CREATE INDEX receipts_by_time ON receipts (asked_at)",
)


def upgrade() -> None:
    """Columns, tables and indexes."""
    for statement in _STATEMENTS:
        op.execute(statement)

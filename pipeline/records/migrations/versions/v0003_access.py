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
    """CREATE TABLE access_tokens (
        id text PRIMARY KEY, secret_hash bytea NOT NULL, name text NOT NULL, grants jsonb NOT NULL,
        created_at timestamptz NOT NULL, created_by text NOT NULL, expires_at timestamptz NOT NULL,
        revoked_at timestamptz, revoked_by text, last_used_at timestamptz)""",
    # a name is who it was in the log: no two tokens may answer to one at the same time
    "CREATE UNIQUE INDEX access_tokens_by_name ON access_tokens (name) WHERE revoked_at IS NULL",
    """CREATE TABLE sessions (
        secret_hash bytea PRIMARY KEY, reference text NOT NULL, subject text NOT NULL, name text NOT NULL,
        token_id text REFERENCES access_tokens ON DELETE CASCADE, groups text[] NOT NULL DEFAULT '{}',
        created_at timestamptz NOT NULL, seen_at timestamptz NOT NULL, expires_at timestamptz NOT NULL)""",
    "CREATE INDEX sessions_by_subject ON sessions (subject, created_at)",
    "CREATE INDEX sessions_by_token ON sessions (token_id) WHERE token_id IS NOT NULL",
    "CREATE INDEX sessions_by_expiry ON sessions (expires_at)",
    """CREATE TABLE access_log (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL, request_id text NOT NULL,
        subject text, came_by text, credential text, address text NOT NULL, action text NOT NULL,
        method text NOT NULL, path text NOT NULL, target text, status integer NOT NULL, reason text)""",
    "CREATE INDEX access_log_by_time ON access_log (at, id)",
    "CREATE INDEX access_log_by_subject ON access_log (subject, id) WHERE subject IS NOT NULL",
    "CREATE INDEX access_log_by_target ON access_log (target, id) WHERE target IS NOT NULL",
)


def upgrade() -> None:
    """Columns, tables and indexes."""
    for statement in _STATEMENTS:
        op.execute(statement)

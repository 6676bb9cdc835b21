"""What Alembic runs for each migration: on the connection, and in the transaction, of who asks for it."""

from __future__ import annotations

from alembic import context

from pipeline.records.migrations import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
context.run_migrations()

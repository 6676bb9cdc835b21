"""Versions of the records store's schema, kept by Alembic; one file a version in ``versions``.

A version is never edited once it is released: a new one is added, and names the one before.
"""

from __future__ import annotations

from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, func, select

# Any number that no other program on the same database is likely to use; "spillway" in ASCII, cut to 63 bits.
MIGRATION_LOCK: Final = 0x7370696C_6C776179

VERSION_TABLE: Final = "spillway_version"


class StoreVersionError(Exception):
    """The database was set up by a newer release; the message is one line."""


def migrate(engine: Engine) -> int:
    """Bring the database to this release's schema; the number of versions applied.

    All or nothing. Workers that start together queue on a lock that ends with its transaction.

    Raises:
        StoreVersionError: the database is of a newer release.
        SQLAlchemyError: the database refused.
    """
    config = Config()
    config.set_main_option("script_location", "pipeline.records:migrations")
    scripts = ScriptDirectory.from_config(config)
    known = [each.revision for each in scripts.walk_revisions()][::-1]
    with engine.begin() as connection:
        connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        present = present_version(connection)
        if present is not None and present not in known:
            raise StoreVersionError(
                f"the records store has schema version {present}, this release knows {known[-1]}: upgrade this worker"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        return len(known) if present is None else len(known) - 1 - known.index(present)


def present_version(connection: Connection) -> str | None:
    """The version that a database has; None where it has none yet."""
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()

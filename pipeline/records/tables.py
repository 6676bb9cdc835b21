"""Tables of the records store, and the versions that lead to them.

A migration is never edited once it is released: a new one is added to `MIGRATIONS`.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    Engine,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    Table,
    Text,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

METADATA: Final = MetaData()

SCHEMA_VERSIONS: Final = Table(
    "spillway_schema",
    METADATA,
    Column("version", Integer, primary_key=True),
    Column("applied_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    comment="versions of this schema that were applied",
)

INCIDENTS: Final = Table(
    "incidents",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("kind", Text),
    Column("space", Text),
    Column("state", Text),
    Column("title", Text),
    Column("priority", Text),
    Column("urgency", Text),
    Column("impact", Text),
    Column("category", Text),
    Column("domain", Text),
    Column("service", Text),
    Column("owner", Text),
    Column("assignee", Text),
    Column("bridge_id", Text),
    Column("merged_into", Text),
    Column("users_affected", Double),
    Column("revenue_per_minute", Double),
    Column("alerts_total", Double),
    Column("episodes_total", Double),
    Column("opened_at", DateTime(timezone=True)),
    Column("acknowledged_at", DateTime(timezone=True)),
    Column("resolved_at", DateTime(timezone=True)),
    Column("closed_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
    Column("snapshot", JSONB, nullable=False),
    comment="each incident as its newest revision says",
)

INCIDENT_EVENTS: Final = Table(
    "incident_events",
    METADATA,
    Column("incident_id", Text, primary_key=True),
    Column("revision", BigInteger, primary_key=True),
    Column("change", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("body", JSONB, nullable=False),
    Column("sealed", Text),
    Column("seal", Text),
    comment="each revision of each incident: the snapshot as it was, and its actions as they were sealed",
)

TIMELINE: Final = Table(
    "timeline",
    METADATA,
    Column("incident_id", Text, primary_key=True),
    Column("revision", BigInteger, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("at", DateTime(timezone=True)),
    Column("action", Text),
    Column("actor", Text),
    Column("text", Text),
    Column("facts", JSONB),
    Column("event_at", DateTime(timezone=True)),
    Column("changed", JSONB),
    ForeignKeyConstraint(["incident_id", "revision"], ["incident_events.incident_id", "incident_events.revision"]),
    comment="each action on each incident, in order of revision and position",
)

SUPPRESSIONS: Final = Table(
    "suppressions",
    METADATA,
    Column("episode_id", Text, primary_key=True),
    Column("what", Text, primary_key=True),
    Column("since", DateTime(timezone=True), primary_key=True),
    Column("until", DateTime(timezone=True), nullable=False),
    Column("ended", Text, nullable=False),
    Column("alert_key", Text, nullable=False),
    Column("space", Text, nullable=False),
    Column("feed", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("alerts", BigInteger, nullable=False),
    Column("runs", BigInteger, nullable=False),
    Column("entity", Text),
    Column("service", Text),
    Column("domain", Text),
    Column("incident_id", Text),
    Column("let_in_by", Text),
    Column("priority", Text),
    Column("pages", JSONB, nullable=False),
    Column("decided_by", JSONB, nullable=False),
    comment="what was hidden from people, or told later, by what, and who was not called for it",
)

PROBLEMS: Final = Table(
    "problems",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("state", Text),
    Column("title", Text),
    Column("reason", Text),
    Column("domain", Text),
    Column("service", Text),
    Column("owner", Text),
    Column("assignee", Text),
    Column("cause_ref", Text),
    Column("category", Text),
    Column("occurrences_total", Double),
    Column("opened_at", DateTime(timezone=True)),
    Column("resolved_at", DateTime(timezone=True)),
    Column("closed_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True)),
    Column("snapshot", JSONB, nullable=False),
    comment="each problem as its newest revision says",
)

PROBLEM_EVENTS: Final = Table(
    "problem_events",
    METADATA,
    Column("problem_id", Text, primary_key=True),
    Column("revision", BigInteger, primary_key=True),
    Column("change", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("entries", JSONB, nullable=False),
    Column("sealed", Text),
    Column("seal", Text),
    comment="each revision of each problem: its actions, as they were sealed",
)

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        """CREATE TABLE incidents (
            id text PRIMARY KEY, revision bigint NOT NULL, kind text, space text, state text, title text,
            priority text, urgency text, impact text, category text, domain text, service text, owner text,
            assignee text, bridge_id text, merged_into text, users_affected double precision,
            revenue_per_minute double precision, alerts_total double precision,
            episodes_total double precision, opened_at timestamptz, acknowledged_at timestamptz,
            resolved_at timestamptz, closed_at timestamptz, updated_at timestamptz, snapshot jsonb NOT NULL)""",
        "CREATE INDEX incidents_open ON incidents (opened_at DESC) WHERE state NOT IN ('closed', 'merged')",
        "CREATE INDEX incidents_by_opening ON incidents (opened_at DESC)",
        "CREATE INDEX incidents_by_bridge ON incidents (bridge_id) WHERE bridge_id IS NOT NULL",
        """CREATE TABLE incident_events (
            incident_id text, revision bigint, change text NOT NULL, at timestamptz NOT NULL,
            body jsonb NOT NULL, PRIMARY KEY (incident_id, revision))""",
        "CREATE INDEX incident_events_by_time ON incident_events (at)",
        """CREATE TABLE timeline (
            incident_id text, revision bigint, position integer, at timestamptz, action text, actor text,
            text text, facts jsonb, PRIMARY KEY (incident_id, revision, position),
            FOREIGN KEY (incident_id, revision) REFERENCES incident_events)""",
    ),
    (
        """CREATE TABLE suppressions (
            episode_id text, what text, since timestamptz, until timestamptz NOT NULL, ended text NOT NULL,
            alert_key text NOT NULL, space text NOT NULL, feed text NOT NULL, summary text NOT NULL,
            severity text NOT NULL, alerts bigint NOT NULL, runs bigint NOT NULL, entity text, service text,
            domain text, incident_id text, let_in_by text, priority text, pages jsonb NOT NULL,
            decided_by jsonb NOT NULL, PRIMARY KEY (episode_id, what, since))""",
        "CREATE INDEX suppressions_by_end ON suppressions (until)",
    ),
    (  # to find what an episode or an alert led to; entries that are about none are in no index
        """CREATE INDEX timeline_by_episode ON timeline ((facts->>'episode_id'))
            WHERE facts->>'episode_id' IS NOT NULL""",
        """CREATE INDEX timeline_by_episodes ON timeline USING gin ((facts->'episodes'))
            WHERE facts->'episodes' IS NOT NULL""",
        "CREATE INDEX timeline_by_origin ON timeline ((facts->'origin')) WHERE facts->'origin' IS NOT NULL",
        "CREATE INDEX timeline_by_alert_key ON timeline ((facts->>'alert_key')) WHERE facts->>'alert_key' IS NOT NULL",
        """CREATE INDEX timeline_by_source ON timeline ((facts->>'source_episode_id') text_pattern_ops)
            WHERE facts->>'source_episode_id' IS NOT NULL""",
        "CREATE INDEX suppressions_by_alert_key ON suppressions (alert_key)",
    ),
    (  # the timeline as an audit: what each action changed, when it happened, and the chain of seals
        "ALTER TABLE incident_events ADD COLUMN sealed text, ADD COLUMN seal text",
        "ALTER TABLE timeline ADD COLUMN event_at timestamptz, ADD COLUMN changed jsonb",
        "DROP INDEX incidents_open",
        """CREATE INDEX incidents_open ON incidents (opened_at DESC)
            WHERE state NOT IN ('closed', 'merged', 'cancelled')""",
        """CREATE TABLE problems (
            id text PRIMARY KEY, revision bigint NOT NULL, state text, title text, reason text, domain text,
            service text, owner text, assignee text, cause_ref text, category text,
            occurrences_total double precision, opened_at timestamptz, resolved_at timestamptz,
            closed_at timestamptz, updated_at timestamptz, snapshot jsonb NOT NULL)""",
        "CREATE INDEX problems_by_opening ON problems (opened_at DESC)",
        """CREATE TABLE problem_events (
            problem_id text, revision bigint, change text NOT NULL, at timestamptz NOT NULL, entries jsonb NOT NULL,
            sealed text, seal text, PRIMARY KEY (problem_id, revision))""",
    ),
)
"""Statements of each version, the first version first."""

# Any number that no other program on the same database is likely to use; "spillway" in ASCII, cut to 63 bits.
MIGRATION_LOCK: Final = 0x7370696C_6C776179


class StoreVersionError(Exception):
    """The database was set up by a newer release; the message is one line."""


def migrate(engine: Engine) -> int:
    """Bring the database to this release's schema; the number of versions applied.

    All or nothing. Workers that start together queue on a lock that ends with its transaction.

    Raises:
        StoreVersionError: the database is of a newer release.
        SQLAlchemyError: the database refused.
    """
    with engine.begin() as connection:
        connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        connection.execute(
            text(
                "CREATE TABLE IF NOT EXISTS spillway_schema "
                "(version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
            )
        )
        present = connection.scalar(select(func.max(SCHEMA_VERSIONS.c.version))) or 0
        if present > len(MIGRATIONS):
            raise StoreVersionError(
                f"the records store has schema version {present}, this release knows {len(MIGRATIONS)}: "
                "upgrade this worker"
            )
        for version in range(present + 1, len(MIGRATIONS) + 1):
            for statement in MIGRATIONS[version - 1]:
                connection.execute(text(statement))
            connection.execute(insert(SCHEMA_VERSIONS).values(version=version))
        return len(MIGRATIONS) - present

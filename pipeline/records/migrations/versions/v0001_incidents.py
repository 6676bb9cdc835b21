"""Incidents, their revisions and timelines, suppressions and problems: the schema before Alembic kept its versions.

Earlier releases counted their own versions in a table ``spillway_schema``; what is missing of them is done first.
"""

from __future__ import annotations

from typing import Final

from alembic import op
from sqlalchemy import inspect, text

revision: str = "0001"
down_revision: str | None = None

_STATEMENTS: Final[tuple[tuple[str, ...], ...]] = (
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
"""Statements of each version of earlier releases, the first version first."""

_EARLIER: Final = "spillway_schema"


def upgrade() -> None:
    """From nothing, or from what an earlier release left."""
    connection = op.get_bind()
    present = 0
    if inspect(connection).has_table(_EARLIER):
        present = connection.scalar(text("SELECT max(version) FROM spillway_schema")) or 0
        connection.execute(text("DROP TABLE spillway_schema"))
    for statements in _STATEMENTS[present:]:
        for statement in statements:
            op.execute(statement)

"""What the console reads: who is affected, until when, what was said; episodes; deliveries; what is open outside.

``incidents.words`` is what the full-text search looks in. It holds the words of title, symptoms, notes and resolution,
and beside them the incident's facts as lexemes of their own (``domain=payments``), so that one index answers both.

History is partitioned by month, so that a month that nobody needs any more goes as a whole. What lies in a month that
has no table goes to the table ``..._odd``.
"""

from __future__ import annotations

from typing import Final

from alembic import op
from sqlalchemy import text

revision: str = "0002"
down_revision: str | None = "0001"

_COLUMNS: Final = (
    """ALTER TABLE incidents
        ADD COLUMN priority_rank integer, ADD COLUMN severity text, ADD COLUMN hosting_model text,
        ADD COLUMN infrastructure_layer text, ADD COLUMN commander text, ADD COLUMN status text,
        ADD COLUMN episodes_open double precision, ADD COLUMN reopened double precision,
        ADD COLUMN detected_at timestamptz, ADD COLUMN mitigated_at timestamptz, ADD COLUMN state_since_at timestamptz,
        ADD COLUMN due_at timestamptz, ADD COLUMN breached boolean NOT NULL DEFAULT false,
        ADD COLUMN domains text[] NOT NULL DEFAULT '{}', ADD COLUMN services text[] NOT NULL DEFAULT '{}',
        ADD COLUMN lexemes text[] NOT NULL DEFAULT '{}', ADD COLUMN symptoms_text text NOT NULL DEFAULT '',
        ADD COLUMN notes_text text NOT NULL DEFAULT '', ADD COLUMN resolution_text text NOT NULL DEFAULT ''""",
    """ALTER TABLE incidents ADD COLUMN words tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('english', coalesce(title, '')), 'A')
        || setweight(to_tsvector('english', resolution_text), 'B')
        || setweight(to_tsvector('english', symptoms_text), 'C')
        || setweight(to_tsvector('english', notes_text), 'D')
        || array_to_tsvector(lexemes)) STORED""",
    "CREATE INDEX incidents_by_words ON incidents USING gin (words)",
    "CREATE INDEX incidents_by_merge ON incidents (merged_into) WHERE merged_into IS NOT NULL",
)

_SET_ASIDE: Final = (
    "ALTER TABLE timeline RENAME TO timeline_before",
    "ALTER TABLE incident_events RENAME TO incident_events_before",
    "ALTER TABLE suppressions RENAME TO suppressions_before",
)

_PARTITIONED: Final = (
    """CREATE TABLE incident_events (
        incident_id text NOT NULL, revision bigint NOT NULL, change text NOT NULL, at timestamptz NOT NULL,
        body jsonb NOT NULL, sealed text, seal text, command_id text) PARTITION BY RANGE (at)""",
    """CREATE TABLE timeline (
        incident_id text NOT NULL, revision bigint NOT NULL, position integer NOT NULL, at timestamptz, action text,
        actor text, text text, facts jsonb, event_at timestamptz, changed jsonb, revised_at timestamptz NOT NULL)
        PARTITION BY RANGE (revised_at)""",
    """CREATE TABLE suppressions (
        episode_id text NOT NULL, what text NOT NULL, since timestamptz NOT NULL, until timestamptz NOT NULL,
        ended text NOT NULL, alert_key text NOT NULL, space text NOT NULL, feed text NOT NULL, summary text NOT NULL,
        severity text NOT NULL, alerts bigint NOT NULL, runs bigint NOT NULL, entity text, service text, domain text,
        incident_id text, let_in_by text, priority text, pages jsonb NOT NULL, decided_by jsonb NOT NULL)
        PARTITION BY RANGE (since)""",
    """CREATE TABLE deliveries (
        topic_partition integer NOT NULL, topic_offset bigint NOT NULL, at timestamptz NOT NULL,
        incident_id text NOT NULL, sink text NOT NULL, direction text NOT NULL, outcome text NOT NULL,
        revision bigint, attempt integer, body jsonb NOT NULL) PARTITION BY RANGE (at)""",
    "CREATE TABLE incident_events_odd PARTITION OF incident_events DEFAULT",
    "CREATE TABLE timeline_odd PARTITION OF timeline DEFAULT",
    "CREATE TABLE suppressions_odd PARTITION OF suppressions DEFAULT",
    "CREATE TABLE deliveries_odd PARTITION OF deliveries DEFAULT",
)

# Months that version 0001 holds; a time that is no incident's (year 9999) is left to the odd ones.
_MONTHS: Final = """
    SELECT DISTINCT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM') FROM (
        SELECT at FROM incident_events_before UNION ALL SELECT since FROM suppressions_before) AS found
    WHERE at BETWEEN '2000-01-01+00' AND now() + interval '1 month' ORDER BY 1
"""
_TABLES: Final = ("incident_events", "timeline", "suppressions", "deliveries")

_BROUGHT_OVER: Final = (
    """INSERT INTO incident_events (incident_id, revision, change, at, body, sealed, seal)
        SELECT incident_id, revision, change, at, body, sealed, seal FROM incident_events_before""",
    """INSERT INTO timeline (incident_id, revision, position, at, action, actor, text, facts, event_at, changed,
            revised_at)
        SELECT entry.incident_id, entry.revision, entry.position, entry.at, entry.action, entry.actor, entry.text,
            entry.facts, entry.event_at, entry.changed, event.at
        FROM timeline_before AS entry JOIN incident_events_before AS event USING (incident_id, revision)""",
    """INSERT INTO suppressions (episode_id, what, since, until, ended, alert_key, space, feed, summary, severity,
            alerts, runs, entity, service, domain, incident_id, let_in_by, priority, pages, decided_by)
        SELECT episode_id, what, since, until, ended, alert_key, space, feed, summary, severity,
            alerts, runs, entity, service, domain, incident_id, let_in_by, priority, pages, decided_by
        FROM suppressions_before""",
    "DROP TABLE timeline_before",
    "DROP TABLE incident_events_before",
    "DROP TABLE suppressions_before",
)

_INDEXES: Final = (
    "ALTER TABLE incident_events ADD PRIMARY KEY (incident_id, revision, at)",
    "CREATE INDEX incident_events_by_time ON incident_events (at)",
    "CREATE INDEX incident_events_by_command ON incident_events (command_id) WHERE command_id IS NOT NULL",
    "ALTER TABLE problem_events ADD COLUMN command_id text",
    "CREATE INDEX problem_events_by_command ON problem_events (command_id) WHERE command_id IS NOT NULL",
    "ALTER TABLE timeline ADD PRIMARY KEY (incident_id, revision, position, revised_at)",
    """CREATE INDEX timeline_by_episode ON timeline ((facts->>'episode_id'))
        WHERE facts->>'episode_id' IS NOT NULL""",
    """CREATE INDEX timeline_by_episodes ON timeline USING gin ((facts->'episodes'))
        WHERE facts->'episodes' IS NOT NULL""",
    "CREATE INDEX timeline_by_origin ON timeline ((facts->'origin')) WHERE facts->'origin' IS NOT NULL",
    "CREATE INDEX timeline_by_alert_key ON timeline ((facts->>'alert_key')) WHERE facts->>'alert_key' IS NOT NULL",
    """CREATE INDEX timeline_by_source ON timeline ((facts->>'source_episode_id') text_pattern_ops)
        WHERE facts->>'source_episode_id' IS NOT NULL""",
    "ALTER TABLE suppressions ADD PRIMARY KEY (episode_id, what, since)",
    "CREATE INDEX suppressions_by_end ON suppressions (until)",
    "CREATE INDEX suppressions_by_alert_key ON suppressions (alert_key)",
    "ALTER TABLE deliveries ADD PRIMARY KEY (topic_partition, topic_offset, at)",
    "CREATE INDEX deliveries_by_incident ON deliveries (incident_id, at)",
)

_NEW: Final = (
    """CREATE TABLE episodes (
        id text PRIMARY KEY, alert_key text NOT NULL, space text NOT NULL, state text NOT NULL, feed text, summary text,
        severity text, entity text, service text, domain text, incident_id text, reason text NOT NULL,
        alerts bigint NOT NULL, opened_at timestamptz NOT NULL, ended_at timestamptz, updated_at timestamptz NOT NULL,
        first_event_at timestamptz, alert jsonb NOT NULL)""",
    "CREATE INDEX episodes_by_incident ON episodes (incident_id) WHERE incident_id IS NOT NULL",
    "CREATE INDEX episodes_by_alert_key ON episodes (alert_key)",
    """CREATE TABLE episode_members (
        episode_id text, incident_id text, revision bigint NOT NULL, at timestamptz NOT NULL, present boolean NOT NULL,
        PRIMARY KEY (episode_id, incident_id))""",
    "CREATE INDEX episode_members_by_incident ON episode_members (incident_id)",
    """CREATE TABLE ledger (
        sink text, incident_id text, remote_state text, remote_key text, remote_url text, orphan boolean NOT NULL,
        updated_at timestamptz NOT NULL, entry jsonb NOT NULL, PRIMARY KEY (sink, incident_id))""",
    "CREATE INDEX ledger_by_incident ON ledger (incident_id)",
    """CREATE TABLE projected (
        topic text, partition integer, topic_id text, next_offset bigint NOT NULL, reached_at timestamptz,
        PRIMARY KEY (topic, partition, topic_id))""",
    """CREATE TABLE retention_runs (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL, months integer NOT NULL,
        cutoff timestamptz NOT NULL, actor text NOT NULL, removed jsonb NOT NULL, dropped text[] NOT NULL,
        seconds double precision NOT NULL)""",
    # The words of notes of what was written before, as the projection keeps them from now on.
    """UPDATE incidents SET notes_text = found.words FROM (
        SELECT incident_id, left(string_agg(text, E'\\n' ORDER BY revision, position), 100000) AS words FROM timeline
        WHERE actor <> 'spillway' AND text IS NOT NULL GROUP BY incident_id) AS found
        WHERE incidents.id = found.incident_id""",
)


def upgrade() -> None:
    """Columns, tables and indexes; what version 0001 holds is brought over month by month."""
    for statement in (*_COLUMNS, *_SET_ASIDE, *_PARTITIONED):
        op.execute(statement)
    for month in op.get_bind().scalars(text(_MONTHS)).all():
        year, number = map(int, month.split("-"))
        following = f"{year + number // 12}-{number % 12 + 1:02}"
        for table in _TABLES:
            op.execute(
                f"CREATE TABLE {table}_{year}_{number:02} PARTITION OF {table} "
                f"FOR VALUES FROM ('{month}-01 00:00:00+00') TO ('{following}-01 00:00:00+00')"
            )
    for statement in (*_BROUGHT_OVER, *_INDEXES, *_NEW):
        op.execute(statement)

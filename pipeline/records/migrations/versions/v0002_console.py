"""What the console reads: who is affected, until when, what was said; episodes; deliveries; what is open outside.

``incidents.words`` is what the full-text search looks in. It holds the words of title, symptoms, notes and resolution,
and beside them the incident's facts as lexemes of their own (``domain=payments``), so that one index answers both.
"""

from __future__ import annotations

from typing import Final

from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"

_STATEMENTS: Final = (
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
    "ALTER TABLE incident_events ADD COLUMN command_id text",
    "CREATE INDEX incident_events_by_command ON incident_events (command_id) WHERE command_id IS NOT NULL",
    """CREATE TABLE episodes (
        id text PRIMARY KEY, alert_key text NOT NULL, space text NOT NULL, state text NOT NULL, feed text, summary text,
        severity text, entity text, service text, domain text, incident_id text, reason text NOT NULL,
        alerts bigint NOT NULL, opened_at timestamptz NOT NULL, ended_at timestamptz, updated_at timestamptz NOT NULL,
        first_event_at timestamptz, alert jsonb NOT NULL)""",
    "CREATE INDEX episodes_by_incident ON episodes (incident_id) WHERE incident_id IS NOT NULL",
    "CREATE INDEX episodes_by_alert_key ON episodes (alert_key)",
    """CREATE TABLE deliveries (
        topic_partition integer NOT NULL, topic_offset bigint NOT NULL, at timestamptz NOT NULL,
        incident_id text NOT NULL, sink text NOT NULL, direction text NOT NULL, outcome text NOT NULL,
        revision bigint, attempt integer, body jsonb NOT NULL, PRIMARY KEY (topic_partition, topic_offset))""",
    "CREATE INDEX deliveries_by_incident ON deliveries (incident_id, at)",
    """CREATE TABLE ledger (
        sink text, incident_id text, remote_state text, remote_key text, remote_url text, orphan boolean NOT NULL,
        updated_at timestamptz NOT NULL, entry jsonb NOT NULL, PRIMARY KEY (sink, incident_id))""",
    "CREATE INDEX ledger_by_incident ON ledger (incident_id)",
    """CREATE TABLE projected (
        topic text, partition integer, next_offset bigint NOT NULL, PRIMARY KEY (topic, partition))""",
)


def upgrade() -> None:
    """Columns, tables and indexes."""
    for statement in _STATEMENTS:
        op.execute(statement)

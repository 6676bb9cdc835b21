"""Measures of each incident, and the views of maturity over them.

``measured`` computes the measures of an incident from its newest snapshot and its timeline; ``measures`` holds what it
came to, for all figures are counted from that. What each column means is in ``docs/analytics.md``.
"""

# ruff: noqa: S608  # the statements are put together of names in this file, of nothing that anybody sends
from __future__ import annotations

from typing import Final

from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"

_STATES: Final = (
    "detected",
    "logged",
    "acknowledged",
    "in_progress",
    "escalated",
    "waiting_customer",
    "waiting_vendor",
    "waiting_provider",
    "mitigated",
    "resolved",
    "reopened",
)
"""States that an incident leaves again: what is spent in the others is after its end."""

_TIME_MS_MAX: Final = 253_402_214_400_000
_COUNT_MAX: Final = 1_000_000_000_000
"""What is larger is no count and no duration of ours: a damaged snapshot must not stop the projection."""

_FAR_DAYS: Final = 30
"""A source that says that it began longer ago has a clock that is wrong, and one such would be the mean of a year."""

_COLUMNS: Final = (
    ("incident_id", "text PRIMARY KEY", "the incident or bridge incident"),
    ("revision", "bigint NOT NULL", "revision that it was measured at"),
    ("kind", "text", "incident or bridge"),
    ("state", "text", "as of that revision"),
    ("counted", "boolean NOT NULL", "it was neither merged into another nor cancelled: times and promises count it"),
    ("priority", "text", "the newest; only those of one rank compare across domains"),
    ("priority_rank", "integer", "place in the scale of its domain, 0 the most urgent"),
    ("domain", "text", "service domain"),
    ("domains", "text[] NOT NULL", "its own, and of a bridge incident those of its members"),
    ("service", "text", "catalogue reference of what it is about"),
    ("owner", "text", "team that owns that"),
    ("category", "text", "category in its domain"),
    ("hosting_model", "text", "cloud, on_prem, hybrid or saas"),
    ("infrastructure_layer", "text", "layer of what is broken"),
    ("condition", 'text COLLATE "C"', "alert key of its first symptom"),
    ("cause", 'text COLLATE "C"', "probable cause that was told to people"),
    ("began_at", "timestamptz", "when its first symptom began, by the clock of the source"),
    ("detected_at", "timestamptz", "when its first symptom arrived"),
    ("acknowledged_at", "timestamptz", "when a person first acknowledged it or began to work on it"),
    ("restored_at", "timestamptz", "when the service was restored: by a workaround, or by the resolution"),
    ("resolved_at", "timestamptz", "when it was resolved; null again after a reopening"),
    ("ended_at", "timestamptz", "when it was closed, cancelled or merged"),
    ("detect_ms", "bigint", "began to detected"),
    ("acknowledge_ms", "bigint", "detected to acknowledged, round the clock"),
    ("restore_ms", "bigint", "detected to restored, round the clock"),
    ("resolve_ms", "bigint", "detected to resolved, round the clock"),
    ("self_healed", "boolean NOT NULL", "resolved, and no person had acknowledged it or done anything to end it"),
    ("muted", "boolean NOT NULL", "nobody was called for it for a time: all of it was expected or silenced"),
    ("reopened", "bigint NOT NULL", "how often"),
    ("alerts", "bigint NOT NULL", "alerts decided into it, repeats left out"),
    ("episodes", "bigint NOT NULL", "runs of conditions that ever joined"),
    ("calls", "integer NOT NULL", "times that somebody was called"),
    ("calls_asked", "integer NOT NULL", "of those the ones that a person asked for by escalating"),
    ("people", "integer NOT NULL", "different people who were called"),
    ("escalations", "integer NOT NULL", "levels that fired by themselves, the first one left out"),
    ("escalations_asked", "integer NOT NULL", "escalations that people asked for"),
    ("routes", "integer NOT NULL", "escalation routes that were taken by rule"),
    ("exhausted", "integer NOT NULL", "times that a path ended without an answer"),
    ("nobody", "integer NOT NULL", "times that nobody was found to call"),
    ("reassigned", "integer NOT NULL", "times that it was given to somebody, less the first"),
    ("rerouted", "integer NOT NULL", "times that its owning team changed, less the first"),
    ("response_decided_at", "timestamptz", "when the response clock was met or missed, whichever came first"),
    ("response_kept", "boolean", "it was met in time"),
    ("response_used_ms", "bigint", "time used on the calendar of the clock, once it was met, in time or late"),
    ("resolution_decided_at", "timestamptz", "when the resolution clock was met or missed, whichever came first"),
    ("resolution_kept", "boolean", "it was met in time"),
    ("resolution_used_ms", "bigint", "time used on the calendar of the clock, once it was met, in time or late"),
    ("updates_missed", "bigint NOT NULL", "periods without the promised update"),
    *((f"in_{state}_ms", "bigint", f"time in the state {state}, before it left it; null: none") for state in _STATES),
)
"""Name, type and meaning."""


def _number(path: str, highest: int) -> str:
    """A number of a snapshot; null where it is none, or none that it can be."""
    value = f"({path} #>> '{{}}')::numeric"
    return (
        f"CASE WHEN jsonb_typeof({path}) = 'number' THEN"
        f" CASE WHEN {value} BETWEEN 0 AND {highest} THEN {value}::bigint END END"
    )


def _moment(path: str) -> str:
    return f"timestamptz 'epoch' + ({_number(path, _TIME_MS_MAX)}) * interval '1 millisecond'"


def _word(path: str) -> str:
    return f"CASE WHEN jsonb_typeof({path}) = 'string' THEN {path} #>> '{{}}' END"


def _span(start: str, end: str) -> str:
    """Milliseconds between two moments; none is negative, for clocks differ."""
    # Not `greatest`, which takes nothing for 0.
    length = f"round(extract(epoch FROM {end} - {start}) * 1000)::bigint"
    return f"CASE WHEN {end} < {start} THEN 0 ELSE {length} END"


def _facts() -> str:
    """What the snapshot says, where it says it in numbers."""
    clocks = ", ".join(
        f"""{_moment(f"s #> '{{clocks,{name},breached_at_ms}}'")} AS {name}_missed_at,
            {_moment(f"s #> '{{clocks,{name},met_at_ms}}'")} AS {name}_met_at,
            {_number(f"s #> '{{clocks,{name},elapsed_ms}}'", _COUNT_MAX)} AS {name}_elapsed_ms"""
        for name in ("response", "resolution")
    )
    states = ", ".join(_number(f"s #> '{{time_in,{state}}}'", _COUNT_MAX) + f" AS in_{state}_ms" for state in _STATES)
    return f"""(SELECT
        {_number("s #> '{priority_rank}'", 1_000)}::integer AS rank,
        {_word("s #> '{hosting_model}'")} AS hosting_model,
        {_word("s #> '{infrastructure_layer}'")} AS infrastructure_layer,
        {_word("s #> '{identified}'")} AS cause,
        {_moment("s #> '{detected_at_ms}'")} AS detected_at,
        {_moment("s #> '{mitigated_at_ms}'")} AS mitigated_at,
        {_number("s #> '{reopened}'", _COUNT_MAX)} AS reopened,
        {_number("s #> '{alerts_total}'", _COUNT_MAX)} AS alerts,
        {_number("s #> '{episodes_total}'", _COUNT_MAX)} AS episodes,
        coalesce(jsonb_typeof(s -> 'muted') = 'object', false) AS muted,
        {_number("s #> '{clocks,update,missed}'", _COUNT_MAX)} AS updates_missed,
        {_moment("s #> '{clocks,update,breached_at_ms}'")} AS update_missed_at,
        {clocks}, {states}
        FROM (SELECT i.snapshot AS s OFFSET 0) AS once) AS facts"""


def _acts() -> str:
    """What the timeline says was done."""
    return """(SELECT
        min(at) FILTER (WHERE action IN ('acknowledge', 'start')) AS acknowledged_at,
        min(event_at) FILTER (WHERE action IN ('detect', 'join')) AS symptom_at,
        (array_agg(facts ->> 'alert_key' ORDER BY revision, position) FILTER (WHERE action = 'detect'))[1] AS condition,
        coalesce(bool_or(actor <> 'spillway' AND (action IN ('resolve', 'mitigate') OR action LIKE 'wait\\_for\\_%')),
            false) AS ended_by_people,
        coalesce(bool_or(action = 'mute'), false) AS muted,
        count(*) FILTER (WHERE action = 'page')::integer AS calls,
        count(*) FILTER (WHERE action = 'page' AND asked)::integer AS calls_asked,
        count(DISTINCT facts ->> 'person') FILTER (WHERE action = 'page')::integer AS people,
        greatest(count(*) FILTER (WHERE action = 'escalate' AND actor = 'spillway'),
            count(DISTINCT facts ->> 'step') FILTER (WHERE action = 'page' AND NOT asked
                AND facts ->> 'step' ~ '/[0-9]+$' AND facts ->> 'step' !~ '/1/1$'))::integer AS escalations,
        count(*) FILTER (WHERE action = 'escalate' AND actor <> 'spillway')::integer AS escalations_asked,
        count(*) FILTER (WHERE action = 'route')::integer AS routes,
        count(*) FILTER (WHERE action = 'escalation_exhausted')::integer AS exhausted,
        count(*) FILTER (WHERE action = 'page_failed')::integer AS nobody,
        count(*) FILTER (WHERE jsonb_typeof(changed #> '{assignee,1}') = 'string')::integer AS assignments,
        count(*) FILTER (WHERE jsonb_typeof(changed #> '{owner,1}') = 'string')::integer AS owners
        FROM (SELECT revision, position, at, event_at, action, actor, facts, changed,
            bool_or(action = 'escalate' AND actor <> 'spillway') OVER (PARTITION BY revision) AS asked
            FROM timeline WHERE incident_id = i.id) AS entries) AS acts"""


def _measured() -> str:
    """The view that computes."""
    in_states = ", ".join(f"nullif(facts.in_{state}_ms, 0)" for state in _STATES)
    is_incident = "i.kind IS NOT DISTINCT FROM 'incident' AND "  # of a damaged one it is not known
    return f"""CREATE VIEW measured ({", ".join(name for name, _, _ in _COLUMNS)}) AS
    SELECT i.id, i.revision, i.kind, i.state, i.state IS NULL OR i.state NOT IN ('merged', 'cancelled'),
        i.priority, facts.rank, i.domain,
        CASE WHEN i.domains = '{{}}' AND i.domain IS NOT NULL THEN ARRAY[i.domain] ELSE i.domains END,
        i.service, i.owner, i.category, facts.hosting_model, facts.infrastructure_layer, acts.condition, facts.cause,
        moments.began_at, facts.detected_at, acts.acknowledged_at, moments.restored_at, i.resolved_at,
        CASE WHEN i.state IN ('closed', 'cancelled', 'merged') THEN coalesce(i.closed_at, i.updated_at) END,
        {_span("moments.began_at", "facts.detected_at")},
        {_span("facts.detected_at", "acts.acknowledged_at")},
        {_span("facts.detected_at", "moments.restored_at")},
        {_span("facts.detected_at", "i.resolved_at")},
        {is_incident}i.resolved_at IS NOT NULL AND acts.acknowledged_at IS NULL AND NOT acts.ended_by_people,
        acts.muted OR facts.muted, coalesce(facts.reopened, 0), coalesce(facts.alerts, 0), coalesce(facts.episodes, 0),
        acts.calls, acts.calls_asked, acts.people, acts.escalations, acts.escalations_asked, acts.routes,
        acts.exhausted, acts.nobody, greatest(0, acts.assignments - 1), greatest(0, acts.owners - 1),
        coalesce(facts.response_missed_at, facts.response_met_at),
        CASE WHEN facts.response_missed_at IS NOT NULL THEN false WHEN facts.response_met_at IS NOT NULL THEN true END,
        CASE WHEN facts.response_met_at IS NOT NULL THEN facts.response_elapsed_ms END,
        coalesce(facts.resolution_missed_at, facts.resolution_met_at),
        CASE WHEN facts.resolution_missed_at IS NOT NULL THEN false
            WHEN facts.resolution_met_at IS NOT NULL THEN true END,
        CASE WHEN facts.resolution_met_at IS NOT NULL THEN facts.resolution_elapsed_ms END,
        coalesce(facts.updates_missed, 0) + CASE WHEN facts.update_missed_at IS NOT NULL THEN 1 ELSE 0 END,
        {in_states}
    FROM incidents i
    CROSS JOIN LATERAL {_facts()}
    CROSS JOIN LATERAL {_acts()}
    CROSS JOIN LATERAL (SELECT
        CASE WHEN symptom.at BETWEEN facts.detected_at - interval '{_FAR_DAYS} days' AND facts.detected_at
            THEN symptom.at WHEN symptom.at > facts.detected_at THEN facts.detected_at END AS began_at,
        least(facts.mitigated_at, i.resolved_at) AS restored_at
        FROM (SELECT least(acts.symptom_at, i.opened_at) AS at) AS symptom) AS moments"""


def _spread(name: str, moment: str) -> str:
    """Mean, median and 90th percentile in seconds of what became final in the quarter."""
    of = f"{name}_ms::float8 / 1000"
    final = f"FILTER (WHERE counted AND date_trunc('quarter', {moment} AT TIME ZONE 'UTC') = quarter)"
    return f"""count({name}_ms) {final} AS {name}_count,
        avg({of}) {final} AS {name}_seconds_mean,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY {of}) {final} AS {name}_seconds_median,
        percentile_cont(0.9) WITHIN GROUP (ORDER BY {of}) {final} AS {name}_seconds_p90"""


def _kept(name: str) -> str:
    final = f"counted AND date_trunc('quarter', {name}_decided_at AT TIME ZONE 'UTC') = quarter"
    return f"""count(*) FILTER (WHERE {final} AND {name}_kept) AS {name}_kept,
        count(*) FILTER (WHERE {final} AND NOT {name}_kept) AS {name}_missed"""


_FINAL: Final = (
    "detected_at",
    "acknowledged_at",
    "restored_at",
    "resolved_at",
    "response_decided_at",
    "resolution_decided_at",
)
"""Moments at which a measure becomes final, and by which it belongs to a period."""

_QUARTERS: Final = f"""CROSS JOIN LATERAL (
    SELECT DISTINCT date_trunc('quarter', moment AT TIME ZONE 'UTC') AS quarter
    FROM unnest(ARRAY[{", ".join(_FINAL)}]) AS moment WHERE moment IS NOT NULL) AS quarters"""


def _maturity(view: str, by: tuple[str, ...], meaning: str) -> tuple[str, str]:
    """A view of the figures of each quarter, in UTC, and of each value of the columns."""
    detected = "date_trunc('quarter', detected_at AT TIME ZONE 'UTC') = quarter"
    keys = ", ".join(("quarter", *by))
    return (
        f"""CREATE VIEW {view} AS SELECT quarter::date AS quarter{"".join(f", {each}" for each in by)},
        count(*) FILTER (WHERE {detected} AND counted) AS incidents,
        count(*) FILTER (WHERE {detected} AND state = 'merged') AS merged,
        count(*) FILTER (WHERE {detected} AND state = 'cancelled') AS cancelled,
        count(*) FILTER (WHERE {detected} AND counted AND self_healed) AS self_healed,
        count(*) FILTER (WHERE {detected} AND counted AND muted) AS muted,
        count(*) FILTER (WHERE {detected} AND counted AND reopened > 0) AS reopened,
        {_spread("detect", "detected_at")}, {_spread("acknowledge", "acknowledged_at")},
        {_spread("restore", "restored_at")}, {_spread("resolve", "resolved_at")},
        {_kept("response")}, {_kept("resolution")},
        coalesce(sum(alerts) FILTER (WHERE {detected}), 0)::bigint AS alerts,
        coalesce(sum(calls) FILTER (WHERE {detected}), 0)::bigint AS calls,
        coalesce(sum(calls_asked) FILTER (WHERE {detected}), 0)::bigint AS calls_asked,
        coalesce(sum(escalations) FILTER (WHERE {detected}), 0)::bigint AS escalations,
        coalesce(sum(escalations_asked) FILTER (WHERE {detected}), 0)::bigint AS escalations_asked,
        coalesce(sum(reassigned) FILTER (WHERE {detected}), 0)::bigint AS reassigned,
        coalesce(sum(rerouted) FILTER (WHERE {detected}), 0)::bigint AS rerouted,
        coalesce(sum(updates_missed) FILTER (WHERE {detected}), 0)::bigint AS updates_missed
        FROM measures {_QUARTERS} WHERE kind = 'incident' GROUP BY {keys}""",
        f"COMMENT ON VIEW {view} IS '{meaning}'",
    )


def _adherence() -> tuple[str, ...]:
    parts = " UNION ALL ".join(
        f"""SELECT date_trunc('quarter', {name}_decided_at AT TIME ZONE 'UTC')::date AS quarter, domain, priority,
        priority_rank, '{name}'::text AS clock, {name}_kept AS kept FROM measures
        WHERE kind = 'incident' AND counted AND {name}_decided_at IS NOT NULL"""
        for name in ("response", "resolution")
    )
    return (
        f"""CREATE VIEW sla_adherence AS SELECT quarter, domain, priority, priority_rank, clock,
        count(*) FILTER (WHERE kept) AS kept, count(*) FILTER (WHERE NOT kept) AS missed,
        count(*) FILTER (WHERE kept)::float8 / count(*) AS adherence
        FROM ({parts}) AS clocks GROUP BY 1, 2, 3, 4, 5""",
        "COMMENT ON VIEW sla_adherence IS"
        " 'clocks that were met or missed in each quarter (UTC), by domain and by its own priorities'",
    )


def _noise() -> tuple[str, ...]:
    return (
        """CREATE VIEW noise AS
        SELECT quarter, domain, sum(alerts_hidden)::bigint AS alerts_hidden,
            (sum(alerts_hidden) + sum(alerts_in_incidents))::bigint AS alerts,
            sum(episodes)::bigint AS episodes, sum(incidents)::bigint AS incidents,
            sum(incidents_called)::bigint AS incidents_called, sum(calls)::bigint AS calls,
            1 - sum(incidents)::float8 / nullif(sum(alerts_hidden) + sum(alerts_in_incidents), 0) AS reduction
        FROM (
            SELECT date_trunc('quarter', detected_at AT TIME ZONE 'UTC')::date AS quarter, domain, 0 AS alerts_hidden,
                CASE WHEN kind = 'incident' THEN alerts ELSE 0 END AS alerts_in_incidents,
                CASE WHEN kind = 'incident' THEN episodes ELSE 0 END AS episodes,
                (kind = 'incident' AND counted)::integer AS incidents,
                (kind = 'incident' AND calls > 0)::integer AS incidents_called, calls
            FROM measures WHERE detected_at IS NOT NULL
            UNION ALL
            SELECT date_trunc('quarter', since AT TIME ZONE 'UTC')::date, domain, alerts, 0, 0, 0, 0, 0
            FROM suppressions WHERE what NOT IN ('chronic', 'silence')) AS parts
        GROUP BY quarter, domain""",
        "COMMENT ON VIEW noise IS 'alerts in, incidents out, people called, by quarter (UTC) and domain'",
    )


def _time_in_states() -> tuple[str, ...]:
    spans = ", ".join(f"('{state}', in_{state}_ms)" for state in _STATES)
    return (
        f"""CREATE VIEW time_in_states AS
        SELECT date_trunc('quarter', ended_at AT TIME ZONE 'UTC')::date AS quarter, domain, priority, priority_rank,
            spans.state, count(*) AS incidents, sum(ms)::float8 / 1000 AS seconds,
            avg(ms)::float8 / 1000 AS seconds_mean,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY ms::float8 / 1000) AS seconds_median,
            percentile_cont(0.9) WITHIN GROUP (ORDER BY ms::float8 / 1000) AS seconds_p90
        FROM measures CROSS JOIN LATERAL (VALUES {spans}) AS spans (state, ms)
        WHERE kind = 'incident' AND counted AND ended_at IS NOT NULL AND ms IS NOT NULL
        GROUP BY 1, 2, 3, 4, 5""",
        "COMMENT ON VIEW time_in_states IS 'time that ended incidents had spent in each state, by quarter of the end'",
    )


def _indexes() -> tuple[str, ...]:
    """One for each moment by which something belongs to a period: block ranges, for rows come in order of time.

    The condition has a tree, because its incidents lie far apart.
    """
    return tuple(
        f"CREATE INDEX measures_by_{moment.removesuffix('_at')} ON measures USING brin ({moment})"
        f" WITH (pages_per_range = 16)"
        for moment in (*_FINAL, "ended_at")
    )


_STATEMENTS: Final[tuple[str, ...]] = (
    f"CREATE TABLE measures ({', '.join(f'{name} {kind}' for name, kind, _ in _COLUMNS)}) WITH (fillfactor = 80)",
    "COMMENT ON TABLE measures IS 'what each incident comes to in numbers: one row each, written with its revisions'",
    *(f"COMMENT ON COLUMN measures.{name} IS '{meaning}'" for name, _, meaning in _COLUMNS),
    *_indexes(),
    _measured(),
    "COMMENT ON VIEW measured IS 'measures, computed anew from the snapshot and the timeline of each incident'",
    "INSERT INTO measures SELECT * FROM measured ORDER BY detected_at",
    *_maturity("maturity_by_quarter", (), "figures of each quarter (UTC); see docs/analytics.md"),
    *_maturity(
        "maturity_by_priority",
        ("domain", "priority", "priority_rank"),
        "figures by domain and by its own priorities: scales of two domains do not compare by name",
    ),
    *_maturity("maturity_by_domain", ("domain",), "figures by service domain"),
    *_maturity("maturity_by_service", ("service",), "figures by service"),
    *_maturity("maturity_by_hosting", ("hosting_model",), "figures by hosting model"),
    *_maturity("maturity_by_layer", ("infrastructure_layer",), "figures by infrastructure layer"),
    *_adherence(),
    *_noise(),
    *_time_in_states(),
)


def upgrade() -> None:
    """The table, the views, and what is there already in both."""
    for statement in _STATEMENTS:
        op.execute(statement)

"""Figures of a period: what belongs to it, who may see it, and that all ways to ask give one number."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from sqlalchemy import TextClause, text

from pipeline.cli.stats import stats
from pipeline.core.outward.incident_event import IncidentEvent
from pipeline.records.analytics.compare import changes, compare
from pipeline.records.analytics.figures import By, Direction, Figures, RepeatBy
from pipeline.records.analytics.maturity import maturity, quarters
from pipeline.records.analytics.periods import (
    ALL_TIME,
    Period,
    PeriodError,
    before,
    last_days,
    quarter,
    quarter_named,
    quarter_of,
)
from pipeline.records.analytics.sides import escalations, noise, repeats, states
from pipeline.records.analytics.trend import Every, Measure, trend
from pipeline.records.store import RecordsStore

DAY_MS = 24 * 3_600_000
QUARTER_MS = round(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1_000)
"""The beginning of the quarter that most tests ask about."""

Q1 = quarter(2026, 1)


def event(name: str, detected_ms: int, *acts: tuple[int, str], **fields: Any) -> IncidentEvent:
    """An incident with actions so many milliseconds after its detection, by people."""
    snapshot = {"kind": "incident", "state": "logged", "priority": "P1", "priority_rank": 0, "domain": "retail"}
    snapshot |= {"detected_at_ms": detected_ms, "opened_at_ms": detected_ms, "alerts_total": 2} | fields
    entries: list[dict[str, Any]] = [{"at_ms": detected_ms, "action": "detect", "actor": "spillway",
                                      "facts": {"alert_key": fields.get("service", name)}}]  # fmt: skip
    entries += [{"at_ms": detected_ms + late, "action": action, "actor": "ann"} for late, action in acts]
    return IncidentEvent(name, 1, "updated", detected_ms, entries, snapshot)


def whole(store: RecordsStore, period: Period, scope: frozenset[str] | None = None) -> Figures:
    return store.ask(lambda connection: maturity(connection, scope, period=period)).whole


def asked(store: RecordsStore, statement: TextClause) -> list[tuple[Any, ...]]:
    return store.ask(lambda connection: [tuple(row) for row in connection.execute(statement)])


def test_an_empty_store_has_figures_of_nothing(store: RecordsStore) -> None:
    for period in (ALL_TIME, Q1):
        found = store.ask(partial(maturity, scope=None, period=period, by=By.PRIORITY))
        assert (found.whole.incidents, found.groups) == (0, [])
        assert (found.whole.acknowledge.count, found.whole.acknowledge.median) == (0, None)
        assert (found.whole.response.ratio, found.whole.repeat_ratio) == (None, None)
    (quiet,) = store.ask(lambda connection: noise(connection, None))
    assert (quiet.alerts, quiet.reduction) == (0, None)
    assert not sum(each.seconds for each in store.ask(lambda connection: states(connection, None)))
    assert store.ask(lambda connection: repeats(connection, None)) == []


def test_of_one_incident_mean_median_and_p90_are_the_same(store: RecordsStore) -> None:
    store.project([event("INC-1", QUARTER_MS, (90_000, "acknowledge"))])
    found = whole(store, Q1).acknowledge
    assert (found.count, found.mean, found.median, found.p90) == (1, 90.0, 90.0, 90.0)


def test_one_incident_of_a_weekend_moves_the_mean_and_not_the_median(store: RecordsStore) -> None:
    spans = [600_000] * 9 + [50 * 3_600_000]
    store.project([event(f"INC-{n}", QUARTER_MS, (span, "acknowledge")) for n, span in enumerate(spans)])
    found = whole(store, Q1).acknowledge
    assert (found.median, found.p90) == (600.0, 18_540.0), "p90 lies a tenth of the way from the ninth to the last"
    assert found.mean == 18_540.0


def test_each_measure_belongs_to_the_period_in_which_it_became_final(store: RecordsStore) -> None:
    day_before = QUARTER_MS - 1
    clock = {"met_at_ms": QUARTER_MS, "breached_at_ms": None}
    clocks = {"response": {"met_at_ms": QUARTER_MS + 5, "breached_at_ms": day_before}, "resolution": clock}
    store.project([event("INC-1", day_before, (1, "start"), clocks=clocks, resolved_at_ms=QUARTER_MS)])
    earlier, later = whole(store, before(Q1)), whole(store, Q1)
    assert (earlier.incidents, later.incidents) == (1, 0)
    assert (earlier.acknowledge.count, later.acknowledge.count) == (0, 1)
    assert (earlier.resolve.count, later.resolve.count) == (0, 1)
    assert (earlier.response.missed, later.response.missed) == (1, 0)
    assert (earlier.resolution.kept, later.resolution.kept) == (0, 1)
    assert (earlier.alerts, later.alerts) == (2, 0)


def test_a_period_holds_its_first_moment_and_not_its_end(store: RecordsStore) -> None:
    end_ms = round(datetime(2026, 4, 1, tzinfo=UTC).timestamp() * 1_000)
    store.project([event(f"INC-{at}", at) for at in (QUARTER_MS - 1, QUARTER_MS, end_ms - 1, end_ms)])
    assert [whole(store, each).incidents for each in (before(Q1), Q1, quarter(2026, 2))] == [1, 2, 1]


def test_quarters_begin_where_the_zone_says(store: RecordsStore) -> None:
    """Half past eleven in the evening of New Year's Eve, UTC, is the new year in Vienna and not yet in New York."""
    store.project([event("INC-1", QUARTER_MS - 1_800_000)])
    for zone, wanted in (("UTC", [1, 0]), ("Europe/Vienna", [0, 1]), ("America/New_York", [1, 0])):
        now = datetime(2026, 2, 1, tzinfo=UTC)
        told = store.ask(partial(quarters, scope=None, count=2, now=now, zone=zone))
        assert [each.whole.incidents for each in told] == wanted, zone


def test_days_of_a_trend_are_those_of_the_zone_also_where_the_clocks_change(store: RecordsStore) -> None:
    late = round(datetime(2026, 3, 29, 22, 30, tzinfo=UTC).timestamp() * 1_000)  # 00:30 on the 30th, summer time
    store.project([event("INC-1", late)])
    period = Period(datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 3, 31, tzinfo=UTC), "Europe/Vienna")
    points = store.ask(
        lambda connection: trend(connection, None, measure=Measure.INCIDENTS, period=period, every=Every.DAY)
    )
    assert [(each.start, each.value) for each in points] == [
        ("2026-03-28", 0), ("2026-03-29", 0), ("2026-03-30", 1), ("2026-03-31", 0),
    ]  # fmt: skip


def test_names_of_quarters_are_read_and_anything_else_is_refused() -> None:
    assert quarter_named("2026-q4").end == datetime(2027, 1, 1, tzinfo=UTC)
    assert before(quarter(2026, 1, "Asia/Tokyo")) == quarter(2025, 4, "Asia/Tokyo")
    assert quarter_of(datetime(2026, 3, 31, 23, tzinfo=UTC), "Europe/Vienna").name == "2026-Q2"
    for wrong in ("2026-Q0", "Q1", "1900-Q1", "9999-Q4", "2026-Q1'; DROP TABLE measures"):
        with pytest.raises(PeriodError):
            quarter_named(wrong)
    week = last_days(7, datetime(2026, 2, 8, tzinfo=UTC))
    assert before(week).start == datetime(2026, 1, 25, tzinfo=UTC)


def test_what_is_out_of_scope_is_counted_nowhere(store: RecordsStore) -> None:
    mine = [event(f"INC-{n}", QUARTER_MS + n, (10, "acknowledge"), service="s") for n in range(3)]
    others = [event(f"INC-x{n}", QUARTER_MS + n, domain="office", service="s") for n in range(4)]
    bridge = event("MI-1", QUARTER_MS, kind="bridge", domain="office", domains=["office", "retail"])
    store.project([*mine, *others, bridge])
    scope = frozenset({"retail"})
    found = whole(store, Q1, scope)
    assert (found.incidents, found.repeats) == (3, 2), "the first of its own is no repeat of another domain's"
    assert whole(store, Q1, frozenset()).incidents == 0
    (quiet,) = store.ask(lambda connection: noise(connection, scope, period=Q1))
    assert (quiet.incidents, quiet.alerts) == (3, 6)
    (offender,) = store.ask(lambda connection: repeats(connection, scope, period=Q1, by=RepeatBy.SERVICE))
    assert (offender.incidents, offender.repeats, offender.newest) == (3, 2, "INC-2")
    assert [each.incidents for each in store.ask(lambda connection: escalations(connection, scope, period=Q1))] == [3]


def test_a_repeat_is_one_within_the_days_also_across_the_edge_of_the_period(store: RecordsStore) -> None:
    days = (-31, -29, 0, 31)  # 29 days apart, then 31: the second of the quarter repeats nothing
    store.project([event(f"INC-{day}", QUARTER_MS + day * DAY_MS, service="s") for day in days])
    assert whole(store, Q1).repeats == 1
    assert whole(store, ALL_TIME).repeats == 2
    (wider,) = store.ask(lambda connection: repeats(connection, None, period=Q1, days=40))
    assert wider.repeats == 2


def test_merged_and_cancelled_ones_are_no_incidents_but_their_alerts_came(store: RecordsStore) -> None:
    clocks = {"response": {"met_at_ms": QUARTER_MS, "breached_at_ms": None}}
    store.project(
        [event(f"INC-{state}", QUARTER_MS, (5, "acknowledge"), state=state, clocks=clocks)
         for state in ("merged", "cancelled", "closed")]
    )  # fmt: skip
    found = whole(store, Q1)
    assert (found.incidents, found.merged, found.cancelled, found.alerts) == (1, 1, 1, 6)
    assert (found.acknowledge.count, found.response.kept) == (1, 1)


def test_priorities_of_two_scales_are_not_put_together(store: RecordsStore) -> None:
    store.project(
        [
            event("INC-1", QUARTER_MS, priority="P2", priority_rank=1),
            event("INC-2", QUARTER_MS, priority="P2", priority_rank=1, domain="office"),
            event("INC-3", QUARTER_MS, priority="P2", priority_rank=0, domain="clinic"),
            event("INC-4", QUARTER_MS, priority="high", priority_rank=1, domain="clinic"),
        ]
    )
    found = store.ask(lambda connection: maturity(connection, None, period=Q1, by=By.PRIORITY))
    assert [(each.group["priority_rank"], each.label, each.domains) for each in found.groups] == [
        (0, "P2", ["clinic"]), (1, "P2", ["office", "retail"]), (1, "high", ["clinic"]),
    ]  # fmt: skip


def test_better_and_worse_are_said_of_enough_incidents_alone(store: RecordsStore) -> None:
    for count, quick in ((10, 60_000), (4, 1_000)):
        store.project(
            [event(f"INC-{count}-{n}", QUARTER_MS + n, (quick, "acknowledge"), domain=str(count)) for n in range(count)]
            + [event(f"INC-{count}-old-{n}", QUARTER_MS - DAY_MS, (120_000, "acknowledge"), domain=str(count))
               for n in range(count)]
        )  # fmt: skip
    many = store.ask(lambda connection: compare(connection, frozenset({"10"}), period=Q1))
    told = {each.figure: each for each in many.changes}
    assert told["acknowledge.median"].direction == Direction.BETTER
    assert told["acknowledge.median"].words == "Time to acknowledge, median: better, down by 50%"
    assert told["calls_each"].direction == Direction.SAME
    back = {each.figure: each.direction for each in changes(many.figures, many.figures_before)}
    assert back["acknowledge.median"] == Direction.WORSE
    few = store.ask(lambda connection: compare(connection, frozenset({"4"}), period=Q1))
    assert {each.figure: each.direction for each in few.changes}["acknowledge.median"] == Direction.UNKNOWN


def test_views_functions_and_the_command_line_agree(store: RecordsStore, empty: str) -> None:
    clocks = {"response": {"met_at_ms": QUARTER_MS + 9, "breached_at_ms": QUARTER_MS + 8}, "resolution": {
        "met_at_ms": QUARTER_MS + 10, "breached_at_ms": None}}  # fmt: skip
    store.project(
        [event(f"INC-{n}", QUARTER_MS + n, (n * 7_001, "acknowledge"), (n * 9_001, "page"), clocks=clocks,
               resolved_at_ms=QUARTER_MS + n * 20_011, domain="ab"[n % 2], priority_rank=n % 3)
         for n in range(1, 24)]
    )  # fmt: skip
    functions = whole(store, Q1)
    view = store.ask(
        lambda connection: connection.execute(
            text("SELECT * FROM maturity_by_quarter WHERE quarter = '2026-01-01'")
        ).mappings().one()
    )  # fmt: skip
    ask = ["--records-url", empty, "--quarter", "2026-Q1", "--json"]
    command = orjson.loads(CliRunner().invoke(stats, ask).output)["maturity"]["whole"]
    for name in ("detect", "acknowledge", "restore", "resolve"):
        spread = getattr(functions, name)
        for part in ("count", "mean", "median", "p90"):
            value = getattr(spread, part)
            column = f"{name}_count" if part == "count" else f"{name}_seconds_{part}"
            assert float(view[column]) == pytest.approx(value, abs=0.001), column
            assert command[name][part] == value
    for name in ("incidents", "alerts", "calls", "escalations", "reassigned", "reopened", "self_healed"):
        assert view[name] == getattr(functions, name) == command[name], name
    for clock in ("response", "resolution"):
        kept = getattr(functions, clock)
        assert (view[f"{clock}_kept"], view[f"{clock}_missed"]) == (kept.kept, kept.missed)
        summed = text("SELECT sum(kept), sum(missed) FROM sla_adherence WHERE clock = :clock").bindparams(clock=clock)
        assert asked(store, summed) == [(kept.kept, kept.missed)]


@pytest.mark.parametrize(
    "view",
    [
        "maturity_by_priority",
        "maturity_by_domain",
        "maturity_by_service",
        "maturity_by_hosting",
        "maturity_by_layer",
        "noise",
    ],
)
def test_groups_of_a_view_add_up_to_all(store: RecordsStore, view: str) -> None:
    store.project([event(f"INC-{n}", QUARTER_MS + n, domain=str(n % 4), service=str(n % 5)) for n in range(20)])
    found = store.ask(lambda connection: connection.scalar(text(f"SELECT sum(incidents) FROM {view}")))  # noqa: S608
    assert found == 20

"""Late topology: what the catalogue comes to know is found in open episodes, once, exactly also over restarts."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import orjson
import pytest

from pipeline.core.alerts.enrich import Enricher
from pipeline.core.clustering import late
from pipeline.core.clustering.correlate import CorrelateProcessor
from pipeline.core.clustering.late import EXAMINED_AT_ONCE, UNDER_WAY_MS, UNEXAMINED, Late
from pipeline.core.step import CONFIG_HEADER, TICK_KEY, StreamRecord
from pipeline.models.alert import Alert, Severity
from pipeline.models.clocks import BusinessHours, Targets
from pipeline.models.episode import EpisodeChange
from pipeline.models.policy import DEFAULT_DOMAIN, Config
from pipeline.replay import Replay, UnknownVersionError
from tests.core.builders import (
    HOUR,
    MINUTE,
    PAY,
    ROTATIONS,
    SECOND,
    T0,
    Bench,
    alert,
    catalogue,
    config,
    entity,
    moment,
    opened,
    policy,
    resolved,
    rotation,
    values,
)
from tests.stories import payloads

LEDGER = "component:default/ledger"
KNOWN = catalogue(entity(LEDGER, tier=1, users=500, depends_on=(PAY,)), *catalogue().entities.values())
BEFORE = config(version="one")
AFTER = config(
    version="two",
    catalogue=KNOWN,
    rotations={**ROTATIONS, "ledger": rotation("ledger", "eve", services=("ledger",))},
)


def stranger(key: str = "k1", name: str = "ledger", **fields: Any) -> Alert:
    """An alert about something that no catalogue lists, yet."""
    given = {"entity": None, "service": None, "domain": None, "labels": {"service": name}, **fields}
    return alert(key, **given)


def reload(bench: Bench, setup: Config = AFTER) -> None:
    bench.setup = setup
    bench.restart()


def events_of(bench: Bench, at_ms: int) -> list[dict[str, Any]]:
    return values(bench.tick(at_ms), "incidents")


def test_an_open_incident_learns_what_it_is_about_when_the_catalogue_does() -> None:
    bench = Bench("correlate", BEFORE)
    (before,) = values(bench.put("episodes", opened(stranger()), T0), "incidents")
    assert (before["incident"]["service"], before["incident"]["owner"]) == ("unlisted:service/ledger", None)
    reload(bench)

    (after,) = events_of(bench, T0 + SECOND)

    incident = after["incident"]
    assert (incident["service"], incident["owner"], incident["domain"]) == (LEDGER, "ledger-team", "shop")
    assert incident["title"] == "Ledger: k1 is out of bounds"
    assert incident["entities"] == [LEDGER]
    assert incident["users_affected"] == 500
    assert [page["person"] for page in incident["escalation"]["paged"]] == ["eve"]
    entry = next(each for each in after["entries"] if each["action"] == "enrich")
    assert entry["facts"] == {
        "episode_id": "EP-k1",
        "entity": LEDGER,
        "service": LEDGER,
        "matched_by": "label:service",
        "config_version": "two",
    }
    assert bench.processor.next_deadline_ms() != T0
    assert events_of(bench, T0 + 2 * SECOND) == []
    (joined,) = values(
        bench.put("episodes", opened(alert("k2", entity=PAY, service=PAY)), T0 + 3 * SECOND), "incidents"
    )
    assert joined["incident_id"] == after["incident_id"]


def test_clocks_have_counted_by_the_calendar_of_before_until_another_domain_is_known() -> None:
    targets = {
        name: Targets(respond_minutes=60, resolve_minutes=600, calendar="business") for name in ("P1", "P2", "P3", "P4")
    }
    always = BusinessHours(week={"monday-sunday": ("00:00-24:00",)})
    nights = BusinessHours(week={"monday-sunday": ("00:00-01:00",)})  # it is ten o'clock
    packs = {
        DEFAULT_DOMAIN: policy(DEFAULT_DOMAIN, targets=targets, business_hours=always),
        "shop": policy(targets=targets, business_hours=nights),
    }
    bench = Bench("correlate", config(version="one", domains=packs))
    bench.put("episodes", opened(stranger()), T0)
    bench.tick(T0 + HOUR)
    reload(bench, config(version="two", catalogue=KNOWN, domains=packs))
    after = events_of(bench, T0 + HOUR + SECOND)[-1]
    assert after["incident"]["domain"] == "shop"
    assert after["incident"]["clocks"]["resolution"]["elapsed_ms"] == HOUR


def test_the_first_record_after_a_reload_finds_incidents_that_are_up_to_date() -> None:
    bench = Bench("correlate", BEFORE)
    bench.put("episodes", opened(stranger()), T0)
    reload(bench)
    outputs = bench.put("episodes", opened(alert("k2", entity=PAY, service=PAY)), T0 + SECOND)
    first, second = values(outputs, "incidents")
    assert first["entries"][0]["action"] == "enrich"
    assert second["joined"] == ["EP-k2"]
    assert second["incident_id"] == first["incident_id"]


@pytest.mark.parametrize("restarts", [(0, 0), (1, 0), (0, 1), (2, 2)])
def test_it_happens_once_whatever_is_restarted_in_between(restarts: tuple[int, int]) -> None:
    bench, events = Bench("correlate", BEFORE), []
    for number in range(3):
        bench.put("episodes", opened(stranger(f"k{number}", f"thing-{number}", summary="x")), T0)
    bench.put("episodes", opened(stranger("k9")), T0)
    reload(bench)
    for _ in range(restarts[0]):
        bench.restart()
    events += events_of(bench, T0 + SECOND)
    for _ in range(restarts[1]):
        bench.restart()
    events += events_of(bench, T0 + 2 * SECOND)
    entries = [entry for event in events for entry in event["entries"]]
    assert [entry["facts"]["episode_id"] for entry in entries if entry["action"] == "enrich"] == ["EP-k9"]
    bench.changes()
    bench.tick(T0 + 9 * SECOND)
    assert not [key for key, _ in bench.changes() if key.startswith(b"u/")]
    kept = {key: orjson.loads(value) for key, value in bench.state.items() if key.startswith(b"u/")}
    assert {key: document[2] for key, document in kept.items()} == {b"u/EP-k%d" % number: "two" for number in range(3)}


def test_what_dies_before_its_commit_is_found_again() -> None:
    bench = Bench("correlate", BEFORE)
    bench.put("episodes", opened(stranger()), T0)
    reload(bench)
    state = dict(bench.state)
    lost = events_of(bench, T0 + SECOND)
    bench.processor = CorrelateProcessor.__new__(CorrelateProcessor)  # its memory is gone, and nothing was committed
    again = Bench("correlate", AFTER)
    for key, value in state.items():
        again.processor.restore(key, value)
    again.processor.restored()
    assert events_of(again, T0 + SECOND) == lost != []


def test_names_are_held_as_after_a_restart() -> None:
    bench = Bench("correlate", BEFORE)
    for number in range(6):
        about = stranger(f"k{number}") if number % 2 else alert(f"k{number}", entity=PAY, service=PAY)
        bench.put("episodes", opened(about), T0 + number * SECOND)
    reload(bench)
    assert events_of(bench, T0 + MINUTE)
    assert isinstance(bench.processor, CorrelateProcessor)
    names = bench.processor._book.names()
    bench.restart()
    assert bench.processor._book.names() == names


def test_what_was_under_way_when_the_configuration_changed_is_looked_at_too() -> None:
    bench = Bench("correlate", BEFORE)
    bench.put("episodes", opened(alert("k0")), T0)
    reload(bench)
    bench.put("episodes", opened(stranger()), T0 + SECOND)  # enriched by an ingest that has the old configuration
    bench.restart()
    found = events_of(bench, T0 + UNDER_WAY_MS + SECOND)
    assert [entry["action"] for event in found for entry in event["entries"]].count("enrich") == 1


@pytest.mark.parametrize("restart", ["never", "before it comes", "after it has come"])
def test_a_restart_in_the_minute_after_a_change_moves_no_deadline_and_forgets_none(restart: str) -> None:
    bench = Bench("correlate", BEFORE)
    bench.put("episodes", opened(alert("k0")), T0)
    reload(bench)
    bench.put("episodes", opened(alert("k7", entity=PAY, service=PAY)), T0 + SECOND)
    bench.changes()  # decided by the new configuration from here on, as the state says
    if restart == "before it comes":
        bench.restart()
    bench.put("episodes", opened(stranger()), T0 + 2 * SECOND)
    bench.changes()
    if restart == "after it has come":
        bench.restart()
    seconds = (3, 30, 63, 7_200)
    told = {at: events_of(bench, T0 + at * SECOND) for at in seconds}
    actions = {at: [entry["action"] for event in told[at] for entry in event["entries"]] for at in seconds}
    assert [at for at in seconds if "enrich" in actions[at]] == [63]


def test_what_dedupe_had_held_is_looked_at_at_once() -> None:
    bench = Bench("correlate", AFTER)
    bench.put("episodes", opened(stranger(), reason="released"), T0)
    assert events_of(bench, T0 + SECOND)


def test_many_are_looked_at_some_at_a_time() -> None:
    bench = Bench("correlate", BEFORE)
    for number in range(EXAMINED_AT_ONCE + 10):
        about = stranger(f"k{number}", "ledger" if number % 100 == 0 else f"thing-{number}", severity=Severity.INFO)
        bench.put("episodes", opened(about), T0 + number * MINUTE)
    reload(bench, AFTER)
    end_ms = T0 + (EXAMINED_AT_ONCE + 10) * MINUTE
    assert bench.processor.next_deadline_ms() is not None
    bench.tick(end_ms)
    bench.tick(end_ms + 2 * SECOND)
    bench.changes()
    marks = [orjson.loads(value)[2] for key, value in bench.state.items() if key.startswith(b"u/")]
    assert set(marks) == {"two"}
    assert len(marks) == EXAMINED_AT_ONCE + 10 - 6


@pytest.mark.parametrize("end", ["cleared", "never_known"])
def test_what_is_over_is_not_kept(end: str) -> None:
    bench = Bench("correlate", config(version="one", domains={"shop": policy()}))
    bench.put("episodes", opened(stranger()), T0)
    bench.changes()
    assert b"u/EP-k1" in bench.state
    if end == "cleared":
        over = opened(resolved(entity=None), T0 + SECOND, change=EpisodeChange.RESOLVED)
        bench.put("episodes", over, T0 + SECOND)
        bench.changes()
        assert b"u/EP-k1" not in bench.state
    reload(bench)
    assert len(events_of(bench, T0 + 2 * SECOND)) == (end == "never_known")


def test_what_is_kept_and_the_member_are_all_that_enrichment_looks_at() -> None:
    """Fields that `Enricher` reads: where one more is read, it must be kept as well."""
    read: set[str] = set()

    class Watched(Alert):
        __slots__ = ()

        def __getattribute__(self, name: str) -> Any:
            read.add(name)
            return super().__getattribute__(name)

    plain = stranger(name="nobody", description="of nothing", feed_class="desk")
    subject = Watched(**{field.name: getattr(plain, field.name) for field in fields(Alert)})
    read.clear()
    Enricher(AFTER).enrich(subject)
    kept = {"feed", "feed_class", "name", "summary", "description", "labels"}
    written = {"host", "mentions", "entity", "space"}
    assert read <= kept | written


def test_the_oldest_goes_where_too_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late, "KEPT_MAX", 2)
    kept = Late()
    changed = [kept.keep(f"e{number}", stranger(), UNEXAMINED, number) for number in range(3)]
    assert changed == [["e0"], ["e1"], ["e2", "e0"]]
    again = Late()
    for name in ("e2", "e1"):
        again.load(name, kept.dump(name) or b"")
    again.restored()
    assert list(again.unexamined("two")) == ["e1", "e2"]


# -- in a replay


def fires(name: str, at_ms: int, offset: int) -> StreamRecord:
    body = payloads.alertmanager({"alertname": name, "service": "ledger", "severity": "critical"}, name, moment(at_ms))
    return StreamRecord("alerts.raw.alertmanager", 0, offset, at_ms, None, orjson.dumps(body))


def named(version: str, at_ms: int) -> StreamRecord:
    return StreamRecord("alerts.raw.alertmanager", 0, 9, at_ms, TICK_KEY, None, ((CONFIG_HEADER, version.encode()),))


def test_a_recording_across_a_reload_decides_each_part_by_its_configuration() -> None:
    twice = [named("two", T0 + MINUTE)] * 2  # one for each partition that it was recorded from
    recording = [fires("A", T0, 0), *twice, fires("B", T0 + 2 * MINUTE, 1)]
    outcome = Replay(BEFORE, AFTER).run(recording, run_on_seconds=60)
    services = [orjson.loads(event.value or b"")["incident"]["service"] for event in outcome.events]
    assert services[0] == "unlisted:service/ledger"
    assert set(services[1:]) == {LEDGER}
    assert len({event.key for event in outcome.events}) == 1
    assert [event.value for event in Replay(BEFORE, AFTER).run(recording, run_on_seconds=60).events] == [
        event.value for event in outcome.events
    ]


def test_a_version_that_was_not_given_is_an_error_that_names_it() -> None:
    with pytest.raises(UnknownVersionError, match="from here on configuration three decided"):
        Replay(BEFORE, AFTER).run([fires("A", T0, 0), named("three", T0 + MINUTE)])

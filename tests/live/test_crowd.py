"""Many alerts over four partitions by the machine's clock: each is decided once, and held ones are let go."""

from __future__ import annotations

import random
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from confluent_kafka import Message

from pipeline.core.step import TICK_KEY
from pipeline.records.store import RecordsStore
from tests.live.conftest import MakeSite
from tests.live.site import HANDLED_SECONDS_MAX, Site
from tests.stories import payloads
from tests.support import wait_until

ALERTS = 2_000
CONDITIONS = 300
PARTITIONS = 4
FEED = "alerts.raw.alertmanager"
HOLD_SECONDS = 2
SYMPTOMS = ("ErrorRatio", "Latency", "Saturation", "ConnectionsExhausted", "QueueLength", "DiskFull", "Down")


class Condition:
    """Something that can be wrong, and its source's view of it."""

    def __init__(self, number: int, entity: str, severity: str, now: datetime) -> None:
        name = SYMPTOMS[number % len(SYMPTOMS)]
        self.labels = {"alertname": f"{name}{number}", "service": entity, "severity": severity}
        self.summary = f"{name} of {entity} is bad in way {number}"
        self.started = now
        self.firing = False

    def next(self, chance: random.Random, now: datetime) -> dict[str, Any]:
        """Fires, says so again, or recovers."""
        if not self.firing:
            self.firing, self.started = True, now
        elif chance.random() < 0.25:
            self.firing = False
            return payloads.alertmanager(self.labels, self.summary, self.started, now)
        return payloads.alertmanager(self.labels, self.summary, self.started)


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    site = make_site(partitions=PARTITIONS)
    (site.directory / "feeds.yaml").write_text(f"alertmanager:\n  hold_seconds: {{warning: {HOLD_SECONDS}}}\n")
    site.make_topics()
    return site


def crowd(site: Site, chance: random.Random) -> list[dict[str, Any]]:
    """Alerts of many conditions of the example company, as they would come within ten minutes."""
    entities = sorted(ref.rpartition("/")[2] for ref in site.config.catalogue.entities)
    begin = datetime.now(UTC) - timedelta(minutes=10)
    conditions = [
        Condition(number, chance.choice(entities), chance.choice(("critical", "error", "warning")), begin)
        for number in range(CONDITIONS)
    ]
    moments = (begin + timedelta(seconds=600 * number / ALERTS) for number in range(ALERTS))
    return [chance.choice(conditions).next(chance, moment) for moment in moments]


def is_let_in(message: Message, summary: str) -> bool:
    entries = orjson.loads(message.value() or b"{}").get("entries", [])
    return any(entry["action"] == "held" and summary in entry["text"] for entry in entries)


def is_tick_after(message: Message, due_ms: int) -> bool:
    return message.key() == TICK_KEY and message.value() is None and message.timestamp()[1] >= due_ms


@pytest.mark.parametrize("seed", [7])
def test_every_alert_of_a_crowd_ends_in_exactly_one_disposition(site: Site, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 a repeatable sequence, not a secret
    sys.stdout.write(f"seed {seed}\n")
    worker = site.worker().wait_ready()
    for alert in crowd(site, chance):
        site.send(FEED, orjson.dumps(alert), partition=chance.randrange(PARTITIONS))
    site.flush()
    wait_until(lambda: worker.dispositions().total() >= ALERTS, HANDLED_SECONDS_MAX, f"{ALERTS} alerts are decided")

    # Nothing else comes now: only a tick can tell the stage that it has waited long enough.
    # It is about what nothing else is about, so that nothing speaks for it earlier.
    lonely = {"alertname": "Lonely", "service": "island", "severity": "warning"}
    site.send(FEED, orjson.dumps(payloads.alertmanager(lonely, "the island is slow", datetime.now(UTC))))
    site.flush()
    events = site.read(
        "incidents", lambda found: any(is_let_in(each, "the island") for each in found), "the held alert is let in"
    )
    due_ms = next(each for each in events if is_let_in(each, "the island")).timestamp()[1]
    site.read("episodes", lambda found: any(is_tick_after(each, due_ms) for each in found), "the tick that let it in")

    decided = worker.dispositions()
    assert decided.total() == ALERTS + 1
    assert decided["dead_lettered"] == 0
    assert min(decided[each] for each in ("repeated", "joined", "opened", "held")) > 0, decided
    assert worker.remainder() == 0
    series = worker.series()
    assert series["spillway_end_to_end_seconds_count"].total() == ALERTS + 1
    assert series["spillway_dead_letters_total"].total() == 0
    check_records(site, decided["opened"], decided["joined"])
    assert worker.terminate() == 0, worker.said()


def check_records(site: Site, opened: int, joined: int) -> None:
    """The records store comes to hold the incidents, with all alerts that were decided into one."""
    store = RecordsStore(site.settings.records_url or "")

    def members() -> list[dict[str, Any]]:
        return [each for each in store.incidents() if each["kind"] == "incident"]

    def is_complete() -> bool:
        return bool(sum(each["alerts_total"] for each in members()) == opened + joined)

    try:
        wait_until(is_complete, HANDLED_SECONDS_MAX, f"{opened + joined} alerts are in incidents of the store")
        assert 0 < opened <= len(members()) < CONDITIONS
    finally:
        store.close()

"""Urgent first, on Kafka: what is critical in a feed with a backlog does not wait for it, and is decided once."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any, Final

import orjson
import pytest
import yaml
from aiokafka.admin import AIOKafkaAdminClient

from pipeline.runtime.note import OffsetNote
from tests.live.conftest import MakeSite
from tests.live.site import HANDLED_SECONDS_MAX, Site
from tests.live.worker import Worker
from tests.stories import payloads
from tests.support import wait_until

FEED: Final = "alertmanager"
TOPIC: Final = f"alerts.raw.{FEED}"
STAGES: Final = ("ingest", "dedupe")
BACKLOG: Final = 3_000
SLOW_PER_SECOND: Final = 20
"""So the backlog would take two and a half minutes, more than any wait here."""

URGENT_AT: Final = (2_000, 2_900)
"""Offsets of what is critical, far behind its turn."""


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    site = make_site(partitions=1)
    allow(site, SLOW_PER_SECOND)
    site.make_topics()
    return site


def allow(site: Site, per_second: int) -> None:
    """How many messages a second of the feed are handed on."""
    quota = {"messages_per_second": per_second, "burst": per_second}
    (site.directory / "feeds.yaml").write_text(yaml.safe_dump({FEED: {"quota": quota}}))


def fill(site: Site) -> None:
    """A backlog of conditions that each say once that they fire; few of them are critical."""
    for number in range(BACKLOG):
        severity = "critical" if number in URGENT_AT else "warning"
        labels = {"alertname": f"Rule{number}", "service": "checkout", "severity": severity}
        site.send(TOPIC, orjson.dumps(payloads.alertmanager(labels, "it does not answer", datetime.now(UTC))))
    site.flush()


def offsets(messages: list[Any]) -> Counter[int]:
    """Raw offset of each alert -> how often it went on."""
    return Counter(orjson.loads(message.value())["origin"][2] for message in messages if message.value())


def note(site: Site) -> tuple[int, OffsetNote]:
    """The committed offset of the feed, and what stands beside it."""

    async def ask() -> dict[Any, Any]:
        admin = AIOKafkaAdminClient(bootstrap_servers=site.settings.bootstrap)
        await admin.start()
        try:
            found: dict[Any, Any] = await admin.list_consumer_group_offsets(site.settings.group("ingest"))
            return found
        finally:
            await admin.close()

    wire = site.settings.wire(TOPIC)
    (found,) = (each for place, each in asyncio.run(ask()).items() if place.topic == wire)
    return found.offset, OffsetNote.from_text(found.metadata)


def urgent_alerts(site: Site) -> list[Any]:
    return site.read("alerts", lambda found: offsets(found).keys() >= set(URGENT_AT), "what is urgent goes first")


def let_go(site: Site, worker: Worker) -> None:
    """Lift the quota, and wait until all is handed on; what names the configuration comes after it."""
    allow(site, 1_000_000)
    worker.hang_up()
    wait_until(lambda: note(site)[0] >= BACKLOG, HANDLED_SECONDS_MAX, "the backlog is handed on")


def test_what_is_critical_in_a_backlog_goes_first_and_each_alert_goes_once(site: Site) -> None:
    fill(site)
    worker = site.worker(stages=STAGES).wait_ready()
    found = offsets(urgent_alerts(site))

    assert len(found) < BACKLOG / 2, "the backlog was gone before what is urgent could be seen to go first"
    assert note(site)[1].ahead, "a successor would decide it again"
    assert worker.series()["spillway_feed_ahead_records_total"][FEED,] == len(URGENT_AT)
    let_go(site, worker)
    alerts = site.read("alerts", lambda found: len(offsets(found)) >= BACKLOG, "every alert goes on")
    assert offsets(alerts) == dict.fromkeys(range(BACKLOG), 1)
    assert note(site)[1].ahead == ""
    opened = site.read("episodes", lambda found: len(found) >= BACKLOG, "each condition opens an episode")
    assert len(opened) == BACKLOG
    assert worker.remainder() == 0


def test_a_successor_of_a_killed_worker_does_not_decide_it_again(site: Site) -> None:
    fill(site)
    first = site.worker(stages=STAGES).wait_ready()
    urgent_alerts(site)
    first.kill()
    second = site.worker(stages=STAGES).wait_ready()
    begin = note(site)[0]
    wait_until(lambda: note(site)[0] > begin, HANDLED_SECONDS_MAX, "the successor goes on with the backlog")

    assert second.series().get("spillway_feed_ahead_records_total", {}) == {}
    let_go(site, second)
    alerts = site.read("alerts", lambda found: len(offsets(found)) >= BACKLOG, "every alert goes on")
    assert offsets(alerts) == dict.fromkeys(range(BACKLOG), 1)


def test_what_went_ahead_last_of_all_leaves_nothing_behind(site: Site) -> None:
    for number in range(200):
        labels = {"alertname": f"Rule{number}", "service": "checkout", "severity": "warning"}
        site.send(TOPIC, orjson.dumps(payloads.alertmanager(labels, "it does not answer", datetime.now(UTC))))
    labels = {"alertname": "Last", "service": "checkout", "severity": "critical"}
    site.send(TOPIC, orjson.dumps(payloads.alertmanager(labels, "it does not answer", datetime.now(UTC))))
    site.flush()
    worker = site.worker(stages=STAGES).wait_ready()

    site.read("alerts", lambda found: 200 in offsets(found), "what is urgent goes first")
    wait_until(lambda: note(site)[0] >= 201, HANDLED_SECONDS_MAX, "the offset passes what went ahead")
    assert worker.remainder() == 0

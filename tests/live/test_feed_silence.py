"""A feed that falls silent, on Kafka: its silence is an incident while another feed talks, and ends when it does."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import orjson
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource

from tests.live.conftest import MakeSite
from tests.live.site import HANDLED_SECONDS_MAX, Site
from tests.stories import payloads
from tests.support import wait_until

TALKING, QUIET = "alertmanager", "partner-lab"
WITHIN_SECONDS = 120


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    site = make_site(partitions=2)
    expect = f"expect: {{within_seconds: {WITHIN_SECONDS}, about: checkout}}"
    (site.directory / "feeds.yaml").write_text(
        f"{TALKING}:\n  {expect}\n{QUIET}:\n  adapter: alertmanager\n  {expect}\n"
    )
    site.make_topics()
    # Raw topics have the broker's time. A test cannot wait for minutes, so here the quiet feed's have its producer's.
    quiet = ConfigResource(ConfigResource.Type.TOPIC, site.settings.wire(f"alerts.raw.{QUIET}"))
    quiet.add_incremental_config(
        ConfigEntry("message.timestamp.type", "CreateTime", incremental_operation=AlterConfigOpType.SET)
    )
    for done in site.admin.incremental_alter_configs([quiet]).values():
        done.result()
    return site


def say(site: Site, feed: str, number: int, ago_seconds: float = 0) -> None:
    """One message of a feed, as of some time ago: a test cannot wait for minutes."""
    labels = {"alertname": f"Note{number}", "service": "checkout", "severity": "info"}
    value = orjson.dumps(payloads.alertmanager(labels, "a note", datetime.now(UTC)))
    producer = Producer({"bootstrap.servers": site.settings.bootstrap, "log_level": 0})
    at_ms = int((time.time() - ago_seconds) * 1_000)
    producer.produce(site.settings.wire(f"alerts.raw.{feed}"), value, partition=number % 2, timestamp=at_ms)
    assert producer.flush(10) == 0


def told(messages: list[Any]) -> list[tuple[str, str]]:
    events = [orjson.loads(cast(bytes, each.value())) for each in messages if each.value()]
    return [(each["change"], each["alert"]["feed"]) for each in events if each["reason"].startswith("feed_")]


def while_another_talks(site: Site) -> Callable[[list[Any]], bool]:
    """Whether the silence is told; the other feed goes on talking, however long a busy machine takes to tell it."""
    numbers = itertools.count(10)
    said_at = [time.monotonic()]

    def is_told(messages: list[Any]) -> bool:
        if time.monotonic() - said_at[-1] > WITHIN_SECONDS / 10:
            say(site, TALKING, next(numbers))
            said_at.append(time.monotonic())
        return told(messages) == [("opened", QUIET)]

    return is_told


def test_a_feed_that_falls_silent_is_an_incident_until_it_is_heard(site: Site) -> None:
    for number in range(2):
        say(site, QUIET, number, ago_seconds=3 * WITHIN_SECONDS)
        say(site, TALKING, number)
    worker = site.worker(stages=("ingest", "dedupe")).wait_ready()
    site.read("episodes", while_another_talks(site), "the silence is told")
    gauge = {(QUIET,): 1, (TALKING,): 0}
    wait_until(lambda: worker.series()["spillway_feed_silent"] == gauge, HANDLED_SECONDS_MAX, "the gauge tells it, too")

    say(site, QUIET, 2)
    site.read("episodes", lambda found: ("resolved", "") in told(found), "its end is told")
    assert worker.remainder() == 0
    assert worker.terminate() == 0, worker.said()

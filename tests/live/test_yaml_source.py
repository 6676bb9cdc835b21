"""A source that nobody has heard of, by YAML alone, through the whole pipeline on Kafka."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from confluent_kafka import Message

from pipeline.records.store import RecordsStore
from tests.feeds.test_declarative_page import NAME, block
from tests.live.conftest import MakeSite
from tests.live.site import HANDLED_SECONDS_MAX, Site
from tests.support import wait_until

FEED = f"alerts.raw.{NAME}"
EVENTS_EACH = 3


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """A site whose only news is one file."""
    site = make_site(partitions=1)
    (site.directory / "adapters").mkdir()
    (site.directory / "adapters" / f"{NAME}.yaml").write_text(block("yaml"))
    site.make_topics()
    return site


def alert_of(message: Message) -> dict[str, Any]:
    alert = orjson.loads(message.value() or b"")
    assert isinstance(alert, dict)
    return alert


def test_a_source_by_yaml_alone_opens_and_resolves_an_incident(site: Site) -> None:
    beginning = orjson.loads(block("json"))
    beginning["events"][0]["priority"] = 1
    end = orjson.loads(block("json"))
    end["events"][0] |= {"state": "CLEARED", "cleared": "04.03.2026 03:20:00"}
    strange = beginning | {"schema": "plant/1"}
    worker = site.worker().wait_ready()

    site.send(FEED, orjson.dumps(beginning), headers=[("X-Plant-Delivery", b"d-1")])
    site.send(FEED, orjson.dumps(strange))
    site.send(FEED, orjson.dumps(end), headers=[("X-Plant-Delivery", b"d-2")])
    site.flush()
    alerts = list(map(alert_of, site.read("alerts", lambda found: len(found) >= 2 * EVENTS_EACH, "all alerts")))
    letters = site.read("dead.letter", lambda found: len(found) >= 1, "the dead letter")
    wait_until(
        lambda: worker.dispositions().total() == 2 * EVENTS_EACH + 1, HANDLED_SECONDS_MAX, "every alert is decided"
    )

    raised, cleared = (alert for alert in alerts if alert["name"] == "FILL-17")
    assert (raised["kind"], raised["severity"], raised["delivery_id"]) == ("firing", "critical", "d-1")
    assert (cleared["kind"], cleared["ended_at_ms"]) == ("resolved", 1_772_590_800_000)
    assert raised["alert_key"] == cleared["alert_key"]
    (letter,) = letters
    assert letter.value() == orjson.dumps(strange)
    assert worker.dispositions()["control"] >= 2  # the tests of the line
    assert worker.remainder() == 0

    store = RecordsStore(site.settings.records_url or "")
    try:
        wait_until(lambda: states(store) == ["resolved"], HANDLED_SECONDS_MAX, "the incident is resolved")
        (incident,) = store.incidents()
        assert "fill level low" in incident["title"]
    finally:
        store.close()
    assert worker.terminate() == 0, worker.said()


def states(store: RecordsStore) -> list[str]:
    return [incident["state"] for incident in store.incidents()]

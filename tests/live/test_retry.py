"""The way back, live: what could not be read goes through the normal path once, after its cause is repaired."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
from click.testing import CliRunner
from confluent_kafka.admin import NewTopic

from pipeline.cli.dead_letter import dead_letter
from tests.live.conftest import MakeSite
from tests.live.site import HANDLED_SECONDS_MAX, Site
from tests.stories import payloads
from tests.support import wait_until

LAB = "alerts.raw.lab"
BROKEN = b'{"alerts": ["' + b"x" * 2_000  # long enough that the way back is compressed


def ask(site: Site, *arguments: str) -> str:
    settings = site.settings
    environment = {
        "SPILLWAY_BOOTSTRAP": settings.bootstrap,
        "SPILLWAY_TOPIC_PREFIX": settings.topic_prefix,
        "SPILLWAY_APP_ID": settings.app_id,
    }
    result = CliRunner().invoke(dead_letter, arguments, env=environment)
    assert result.exit_code == 0, result.output
    return result.output


def test_after_the_repair_each_record_goes_through_the_pipeline_once_and_what_fails_again_names_its_first_letter(
    make_site: MakeSite,
) -> None:
    site = make_site(partitions=1)
    site.make_topics()
    wire = site.settings.wire(LAB)
    site.admin.create_topics([NewTopic(wire, 1, 1)])[wire].result()
    labels = {"alertname": "Errors", "service": "checkout", "severity": "critical"}
    alert = payloads.alertmanager(labels, "checkout fails", datetime.now(UTC))
    first = site.worker().wait_ready()
    site.send(LAB, orjson.dumps(alert))
    site.send(LAB, BROKEN)
    site.flush()
    site.read("dead.letter", lambda found: len(found) >= 2, "a topic without a feed is in the dead letter")
    assert first.terminate() == 0, first.said()

    with (site.directory / "feeds.yaml").open("a") as feeds:
        feeds.write("lab:\n  adapter: alertmanager\n")
    second = site.worker().wait_ready()
    letters = orjson.loads(ask(site, "list", "--json"))
    assert [letter["reason"] for letter in letters] == ["unknown_feed", "unknown_feed"]
    assert ask(site, "retry", "--reason", "unknown_feed").splitlines()[-1] == "retried 2 records"
    assert ask(site, "retry", "--reason", "unknown_feed").splitlines()[0] == "retried 0 records"
    assert ask(site, "retry", letters[0]["id"]).splitlines()[0] == "retried 0 records"

    wait_until(lambda: second.dispositions().total() >= 2, HANDLED_SECONDS_MAX, "both records are decided")
    assert +second.dispositions() == {"opened": 1, "dead_lettered": 1}
    assert second.remainder() == 0
    (again,) = orjson.loads(ask(site, "list", "--json", "--waiting"))
    assert (again["reason"], again["retries"], again["first"]) == ("broken_json", 1, letters[1]["id"])
    assert len(site.read("alerts", lambda found: len(found) >= 1, "the alert")) == 1
    assert second.terminate() == 0, second.said()

"""A configuration that changes under a worker: replayed byte for byte, refused when broken, found by watching."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from threading import Timer
from typing import Any

import orjson
import pytest
from confluent_kafka import Message

from pipeline.catalog import load_config
from pipeline.core.step import CONFIG_HEADER, TICK_KEY, StreamRecord, named_version
from pipeline.demo.receiver import Receiver
from pipeline.examples import one_day
from pipeline.models.policy import Config
from pipeline.player import Player
from pipeline.replay import Replay, Step
from tests.live.conftest import MakeSite
from tests.live.site import HANDLED_SECONDS_MAX, Site
from tests.live.test_stories import RUN_ON_SECONDS, Played, check_agreement, check_figures
from tests.live.worker import Worker
from tests.stories import payloads
from tests.support import wait_until

FEED = "alerts.raw.alertmanager"
RELOAD_SECONDS_MAX = 20.0
LEDGER = """apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: ledger, title: Ledger}
spec: {type: service, lifecycle: production, owner: payments-sre, dependsOn: ["resource:payments-db"]}
"""
STRICTER = "join_at_least: 0.9\n"
CHANGES, ALERTS_BETWEEN = 4, 150
DECIDING = ("ingest", "dedupe", "correlate", "bridge", "problem", "deliver")
CHANGED_AFTER = 40
"""Records of the day before its configuration changes: the checkout story is under way then."""


def wait_loaded(worker: Worker, result: str = "loaded", times: int = 1) -> None:
    wait_until(
        lambda: worker.series()["spillway_config_reload_total"][result,] >= times,
        RELOAD_SECONDS_MAX,
        f"the configuration is {result} {times} times",
    )


def changed_day(version: str) -> list[StreamRecord]:
    """The day, with the record in it from which on another configuration decides; what follows it there is one on."""
    day = list(one_day())
    before, after = day[:CHANGED_AFTER], day[CHANGED_AFTER:]
    offset = sum(record.topic == FEED for record in before)
    named = StreamRecord(FEED, 0, offset, before[-1].timestamp, TICK_KEY, None, ((CONFIG_HEADER, version.encode()),))
    moved = [each._replace(offset=each.offset + 1) if each.topic == FEED else each for each in after]
    return [*before, named, *moved]


def change(site: Site) -> Config:
    """A company that changes its catalogue and its threshold; says what is in force then."""
    (site.directory / "catalog" / "ledger.yaml").write_text(LEDGER)
    (site.directory / "correlation.yaml").write_text(STRICTER)
    return load_config(site.directory)


@pytest.mark.parametrize("kills", [False, True])
def test_a_day_whose_configuration_changes_is_the_same_live_and_replayed(
    make_site: MakeSite, receiver: Receiver, address: str, kills: bool
) -> None:
    site = make_site(partitions=1, clock="recording")
    site.send_to(address, receiver.secret)
    site.make_topics()
    before, workers = site.config, [site.worker().wait_ready()]
    after = change(site)
    replay, player = Replay(before, after), Player(site.settings)
    unchanged = Replay(before).run(one_day(), run_on_seconds=RUN_ON_SECONDS)

    def successor() -> None:
        workers[0].kill()
        workers.append(site.worker())

    def steps() -> Iterator[Step]:
        told = False
        for step in replay.steps(changed_day(after.version), run_on_seconds=RUN_ON_SECONDS):
            if named_version(step.record) and not told:
                told = True
                workers[0].hang_up()
                wait_loaded(workers[0])
                if kills:
                    Timer(0.02, successor).start()
            yield step

    try:
        player.play(steps())
        player.wait_for("record", "incidents")
    finally:
        player.close()
    played = Played(site, receiver, replay, player.events, len(player.dead_letters))
    check_agreement(played)
    check_figures(played, workers[-1].wait_ready())
    assert [event.value for event in replay.outcome.events] != [event.value for event in unchanged.events]
    assert workers[-1].terminate() == 0, workers[-1].said()


def as_config_map(place: Path, numbers: Iterator[int], source: Path) -> None:
    """Put files into place as Kubernetes does: a directory aside, and a link that is swapped to it in one moment."""
    aside = place / f"..{next(numbers)}"
    aside.mkdir(parents=True)
    for file in source.iterdir():
        (aside / file.name).write_bytes(file.read_bytes())
        if not (place / file.name).is_symlink():
            (place / file.name).symlink_to(Path("..data") / file.name)
    link = place / "..data_tmp"
    link.symlink_to(aside.name)
    link.replace(place / "..data")


def test_a_swapped_config_map_is_found_and_a_broken_one_is_refused(make_site: MakeSite, tmp_path: Path) -> None:
    site = make_site(partitions=2)
    source, mounted, numbers = tmp_path / "source", site.directory / "catalog" / "map", count()
    source.mkdir()
    (source / "wiki.yaml").write_text(LEDGER.replace("ledger", "almanac").replace("Ledger", "Almanac"))
    as_config_map(mounted, numbers, source)
    site.make_topics()
    worker = site.worker().wait_ready()
    (first,) = worker.series()["spillway_config_version"]
    fires(site, "LedgerDown", "the ledger is down")
    early = newest(site)
    assert (early["service"], early["config_version"]) == ("unlisted:service/ledger", *first)
    assert worker.series()["spillway_alerts_unmatched_total"] == {("alertmanager",): 1}

    (source / "wiki.yaml").write_text(LEDGER.replace("payments-db", "no-such-thing"))
    as_config_map(mounted, numbers, source)
    wait_loaded(worker, "refused")
    assert list(worker.series()["spillway_config_version"]) == [first]
    refused = next(line for line in worker.said().splitlines() if '"configuration refused"' in line)
    assert "no-such-thing" in orjson.loads(refused)["why"]

    (source / "wiki.yaml").write_text(LEDGER)
    as_config_map(mounted, numbers, source)
    wait_loaded(worker)
    (second,) = worker.series()["spillway_config_version"]
    assert second == (load_config(site.directory).version,) != first
    wait_until(
        lambda: not any(worker.series()["spillway_config_partitions_behind"].values()),
        RELOAD_SECONDS_MAX,
        "every partition decides by the new configuration",
    )
    found = newest(site, lambda incident: incident["service"] == "component:default/ledger")
    assert (found["id"], found["config_version"]) == (early["id"], *first)  # it was opened under the old one
    fires(site, "LedgerSlow", "the ledger answers slowly")
    joined = newest(site, lambda incident: incident["episodes_total"] == 2)
    assert joined["id"] == early["id"]
    wait_until(lambda: worker.dispositions().total() >= 2, HANDLED_SECONDS_MAX, "both alerts are decided")
    assert worker.series()["spillway_alerts_unmatched_total"] == {("alertmanager",): 1}
    assert worker.remainder() == 0
    assert worker.terminate() == 0, worker.said()


def test_reloads_while_alerts_come_lose_none_and_count_none_twice(make_site: MakeSite) -> None:
    site = make_site(partitions=2)
    site.make_topics()
    worker = site.worker().wait_ready()
    for number in range(CHANGES):
        for each in range(ALERTS_BETWEEN):
            labels = {"alertname": f"Rule{number}-{each}", "service": "checkout", "severity": "critical"}
            body = orjson.dumps(payloads.alertmanager(labels, f"rule {each}", datetime.now(UTC)))
            site.send(FEED, body, partition=each % 2)
        (site.directory / "correlation.yaml").write_text(f"window_seconds: {900 + number}\n")
        worker.hang_up()
        wait_loaded(worker, times=number + 1)
    site.flush()
    sent = CHANGES * ALERTS_BETWEEN

    def settled() -> bool:
        series = worker.series()
        return worker.dispositions().total() >= sent and not any(series["spillway_config_partitions_behind"].values())

    wait_until(settled, HANDLED_SECONDS_MAX, f"{sent} alerts are decided, and no partition is behind")
    assert worker.dispositions() == Counter({"opened": 1, "joined": sent - 1})
    assert worker.remainder() == 0
    told = [orjson.loads(line) for line in worker.said().splitlines() if '"configuration in force"' in line]
    assert {each["stage"] for each in told} == set(DECIDING)
    assert worker.terminate() == 0, worker.said()


def fires(site: Site, name: str, summary: str) -> None:
    labels = {"alertname": name, "service": "ledger", "severity": "critical"}
    site.send(FEED, orjson.dumps(payloads.alertmanager(labels, summary, datetime.now(UTC))))
    site.flush()


def newest(site: Site, wanted: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
    """The snapshot of an incident, as soon as one is as wanted."""

    def as_wanted(found: list[Message]) -> list[dict[str, Any]]:
        return [each for each in (orjson.loads(message.value() or b"") for message in found) if wanted(each)]

    found = site.read("incidents.state", as_wanted, "an incident as it should be")
    snapshot: dict[str, Any] = as_wanted(found)[-1]
    return snapshot

"""A shadow on the live stream: what differs shows, nothing of it gets out, and its promotion is followed at once."""

from __future__ import annotations

import re
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
from click.testing import CliRunner, Result
from confluent_kafka import Message

from pipeline.catalog import load_config
from pipeline.cli import main
from pipeline.demo.receiver import Receiver
from pipeline.flow import SHADOW_CHANGELOG, SHADOW_STATUS
from pipeline.kafka.scan import all_topics, scan
from pipeline.shadow.marker import MARKER
from tests.live.conftest import MakeSite
from tests.live.site import HANDLED_SECONDS_MAX, Site
from tests.live.worker import Worker
from tests.stories import payloads
from tests.support import wait_until

FEED: Final = "alerts.raw.alertmanager"
SHADOW_RUN: Final = (sys.executable, "-m", "pipeline", "shadow", "run")
NEVER: Final = "join_at_least: 1.0\n"
"""No evidence reaches it, so every condition opens an incident of its own."""

PAIR: Final = ("Down", "Slow")


class Shadowed:
    """A site whose shadow differs from it in one setting."""

    def __init__(self, site: Site, root: Path) -> None:
        self.site, self.place, self.source = site, root / "shadow", root / "source"
        shutil.copytree(site.directory, self.source)
        (self.source / "correlation.yaml").write_text(NEVER)
        self.sent = 0

    def command(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["shadow", *arguments], env=self.site.settings.to_environment())

    def status(self) -> Any:
        said = self.command("status", "--json")
        assert said.exit_code == 0, said.output
        return orjson.loads(said.output)

    def fire(self, service: str, *names: str) -> None:
        """Conditions of one service, on both partitions."""
        for number, name in enumerate(names):
            labels = {"alertname": f"{service}{name}", "service": service, "severity": "critical"}
            body = orjson.dumps(payloads.alertmanager(labels, f"{service} is {name}", datetime.now(UTC)))
            self.site.send(FEED, body, partition=number % 2)
            self.sent += 1
        self.site.flush()

    def incidents(self, episodes: int) -> dict[str, int]:
        """Live incidents by id, with their episodes, as soon as there are so many episodes in all."""

        def found(messages: list[Message]) -> dict[str, int]:
            snapshots = (orjson.loads(message.value() or b"") for message in messages)
            return {each["id"]: each["episodes_total"] for each in snapshots if each["kind"] == "incident"}

        read = self.site.read("incidents.state", lambda got: sum(found(got).values()) >= episodes, "live incidents")
        return found(read)


def wait_outcome(worker: Worker, outcome: str, number: int) -> None:
    wait_until(
        lambda: worker.series()["spillway_shadow_incidents"][outcome,] == number,
        HANDLED_SECONDS_MAX,
        f"the shadow tells {number} incidents {outcome}",
    )


def test_a_shadow_shows_what_differs_writes_nothing_and_is_promoted(
    make_site: MakeSite, receiver: Receiver, address: str, tmp_path: Path
) -> None:
    site = make_site(partitions=2, shadow_config=tmp_path / "shadow")
    shadowed = Shadowed(site, tmp_path)
    site.send_to(address, receiver.secret)
    shutil.copy(site.directory / "sinks.yaml", shadowed.source / "sinks.yaml")  # it could tell, if it did
    site.make_topics()
    active, shadow = site.worker().wait_ready(), site.worker(SHADOW_RUN).wait_ready()
    assert "there is no shadow" in shadowed.command("status").output
    started = shadowed.command("start", str(shadowed.source), "--warm-up", "1m")
    assert started.exit_code == 0, started.output
    version = load_config(shadowed.source).version
    wait_until(lambda: version in running(shadow), HANDLED_SECONDS_MAX, "the shadow runs")

    shadowed.fire("checkout", *PAIR)
    wait_outcome(shadow, "split", 1)
    (incident_id,) = shadowed.incidents(2)
    found = shadowed.status()
    assert (found["version"], found["records"], found["remainder"]) == (version, shadowed.sent, 0)
    assert (found["summary"]["incidents_baseline"], found["summary"]["incidents_new"]) == (1, 2)
    split = next(each for each in found["differences"] if each["kind"] == "split")
    assert split["baseline"] == [incident_id]
    assert "below_threshold" in split["why"]["new"]
    assert shadow.series()["spillway_shadow_disagreement_ratio"][()] == 1  # rounded up
    assert "1  split off another" in shadowed.command("status").output

    shadow.kill()  # and what comes meanwhile is decided once by the next
    shadowed.fire("search", *PAIR)
    shadow = site.worker(SHADOW_RUN).wait_ready()
    wait_outcome(shadow, "split", 2)
    found = shadowed.status()
    assert (found["records"], found["remainder"], found["summary"]["incidents_new"]) == (shadowed.sent, 0, 4)
    assert found["summary"]["incidents_baseline"] == 2

    live = shadowed.incidents(4)
    check_nothing_got_out(site, receiver, set(live))
    promoted = shadowed.command("promote")
    assert promoted.exit_code == 0, promoted.output
    assert load_config(site.directory).version == version
    wait_until(lambda: in_force(active, version) >= 2, HANDLED_SECONDS_MAX, "correlate has taken it")
    shadowed.fire("orders-api", *PAIR)
    now = shadowed.incidents(6)
    assert sorted(now.values()) == [1, 1, 2, 2]
    assert live.items() <= now.items()
    wait_until(lambda: not running(shadow), HANDLED_SECONDS_MAX, "the shadow rests")
    wait_until(lambda: not kept_state(site), HANDLED_SECONDS_MAX, "its state is forgotten")
    assert "there is no shadow" in shadowed.command("status").output
    assert shadow.terminate() == 0, shadow.said()
    assert active.terminate() == 0, active.said()


def test_a_shadow_that_decides_the_same_agrees_on_a_stream_of_several_partitions(
    make_site: MakeSite, tmp_path: Path
) -> None:
    site = make_site(partitions=2, shadow_config=tmp_path / "shadow")
    shadowed = Shadowed(site, tmp_path)
    same = (site.directory / "correlation.yaml").read_text() + "# another version, and nothing else\n"
    (shadowed.source / "correlation.yaml").write_text(same)
    site.make_topics()
    assert shadowed.command("start", str(shadowed.source)).exit_code == 0
    site.worker().wait_ready()
    shadow = site.worker(SHADOW_RUN).wait_ready()
    services = [each.name for each in site.config.catalogue.entities.values() if each.type == "service"]
    for name in (*PAIR, "Failing"):
        for service in services:
            shadowed.fire(service, f"{name}A", f"{name}B")
    wait_until(
        lambda: shadow.series()["spillway_shadow_records_total"][()] >= shadowed.sent,
        HANDLED_SECONDS_MAX,
        "all is read",
    )
    live = shadowed.incidents(shadowed.sent)
    wait_outcome(shadow, "same", len(live))
    found = shadowed.status()
    assert found["disagreement_ratio"] == 0, found["differences"]
    assert (found["records"], found["remainder"]) == (shadowed.sent, 0)
    # Of two symptoms in different partitions either may be first, and with it the suspect whose owner is called.
    calls = found["summary"]["pages_baseline"], found["summary"]["pages_new"]
    assert min(calls) > 0
    assert abs(calls[0] - calls[1]) <= len(live)


def test_a_second_process_takes_over_and_the_first_ends_itself(make_site: MakeSite, tmp_path: Path) -> None:
    site = make_site(partitions=2, shadow_config=tmp_path / "shadow")
    shadowed = Shadowed(site, tmp_path)
    site.make_topics()
    assert shadowed.command("start", str(shadowed.source)).exit_code == 0
    first = site.worker(SHADOW_RUN).wait_ready()
    shadowed.fire("checkout", *PAIR)
    wait_until(lambda: first.series()["spillway_shadow_records_total"][()] >= 2, HANDLED_SECONDS_MAX, "it decides")
    second = site.worker(SHADOW_RUN).wait_ready()
    shadowed.fire("search", *PAIR)
    wait_until(first.ended, HANDLED_SECONDS_MAX, "the first is fenced")
    assert '"event":"fatal"' in first.said()
    wait_until(lambda: shadowed.status()["records"] == shadowed.sent, HANDLED_SECONDS_MAX, "the second has it all")
    assert shadowed.status()["remainder"] == 0

    marker, content = shadowed.place / MARKER, (shadowed.place / MARKER).read_bytes()
    marker.write_bytes(b"half of i")  # as a disk that fills up, or is away for a moment, leaves it
    wait_until(lambda: '"shadow refused"' in second.said(), HANDLED_SECONDS_MAX, "the shadow cannot be read")
    shadowed.fire("orders-api", *PAIR)
    marker.write_bytes(content)
    wait_until(lambda: shadowed.status()["records"] == shadowed.sent, HANDLED_SECONDS_MAX, "it goes on from its state")
    assert shadowed.status()["remainder"] == 0
    assert shadowed.command("drop").exit_code == 0
    assert "there is no shadow" in shadowed.command("status").output, "though its process has not noticed yet"
    wait_until(lambda: not kept_state(site), HANDLED_SECONDS_MAX, "its state is forgotten")
    assert second.terminate() == 0, second.said()


def in_force(worker: Worker, version: str) -> int:
    """Partitions of correlate that decide by a configuration."""
    told = [orjson.loads(line) for line in worker.said().splitlines() if '"configuration in force"' in line]
    return len({each["partition"] for each in told if (each["stage"], each["version"]) == ("correlate", version)})


def running(worker: Worker) -> set[str]:
    """Versions that run as shadow: none or one."""
    return {version for (version,) in worker.series().get("spillway_shadow_running", ())}


def kept_state(site: Site) -> dict[bytes, bytes]:
    """What the shadow's topics hold."""
    client = {"bootstrap.servers": site.settings.bootstrap}
    names = [site.settings.wire(name) for name in (SHADOW_CHANGELOG, SHADOW_STATUS)]
    latest: dict[bytes, bytes] = {}
    for record in scan(client, dict.fromkeys(names, (0,))):
        if record.value is None:
            latest.pop(record.key or b"", None)
        else:
            latest[record.key or b""] = record.value
    return latest


def check_nothing_got_out(site: Site, receiver: Receiver, live: set[str]) -> None:
    """Every topic but the shadow's two, and the sink, know the active incidents alone."""
    wait_until(lambda: set(receiver._revisions) == live, HANDLED_SECONDS_MAX, "the sink heard of every live incident")
    client = {"bootstrap.servers": site.settings.bootstrap}
    prefix = site.settings.topic_prefix
    own = {prefix + SHADOW_CHANGELOG, prefix + SHADOW_STATUS}
    names = {each: parts for each, parts in all_topics(client).items() if each.startswith(prefix) and each not in own}
    ids = {
        found.decode() for each in scan(client, names) for found in re.findall(rb"INC-[A-Z2-7]{12}", each.value or b"")
    }
    assert ids == live

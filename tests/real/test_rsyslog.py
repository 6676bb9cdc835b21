"""A real rsyslog, with the configuration that the feed's page says to paste, writing into Kafka what `logger` sends."""

from __future__ import annotations

import os
import platform
import re
import socket
import subprocess
from pathlib import Path
from typing import Final

import pytest

from pipeline.kafka.ports import free_ports
from tests.live.site import Site
from tests.real.conftest import Running, Start, body_of, change_of
from tests.real.debian import program
from tests.support import wait_until

PAGE: Final = Path(__file__).parents[2] / "docs" / "feeds" / "syslog.md"
MODULES: Final = f"usr/lib/{platform.machine()}-linux-gnu/rsyslog"
READY_SECONDS_MAX: Final = 20.0

FIREWALL: Final = """\
apiVersion: backstage.io/v1alpha1
kind: Resource
metadata:
  name: edge-firewall
  title: Edge firewall
  labels: {{host: {host}}}
  annotations: {{spillway.dev/infrastructure-layer: network}}
spec: {{type: firewall, owner: retail-platform, system: shop}}
"""

RELAY: Final = """\
global(workDirectory="{place}")
module(load="imtcp")
input(type="imtcp" address="127.0.0.1" port="{port}")
"""


def page_configuration(bootstrap: str, topic: str) -> str:
    """What the page says to paste, with this test's brokers and topic in it."""
    (block,) = re.findall(r"```conf\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert block.count('"kafka:9092"') == block.count('"alerts.raw.syslog"') == 1
    return str(block).replace('"kafka:9092"', f'"{bootstrap}"').replace('"alerts.raw.syslog"', f'"{topic}"')


class Relay:
    """rsyslog on a port of its own."""

    def __init__(self, running: Running, port: int) -> None:
        self._running = running
        self._port = port
        self._logger = program(("logger",), "bsdutils")

    def log(self, text: str, *options: str) -> None:
        """Send a line as a program on some machine does."""
        self._running.check()
        to = ["--server", "127.0.0.1", "--port", str(self._port), "--tcp"]
        command = [str(self._logger.path), *to, *options, "--", text]
        environment = os.environ | self._logger.environment
        subprocess.run(command, check=True, timeout=READY_SECONDS_MAX, env=environment)

    def listens(self) -> bool:
        self._running.check()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


@pytest.fixture
def relay(site: Site, start: Start, tmp_path: Path) -> Relay:
    host = socket.gethostname()
    (site.directory / "catalog" / "edge.yaml").write_text(FIREWALL.format(host=host))
    site.make_topics()
    found = program(
        ("rsyslogd",),
        "rsyslog",
        "rsyslog-kafka",
        "libestr0",
        "libfastjson4",
        "librdkafka1",
        needs=f"{MODULES}/omkafka.so",
    )
    port, file = free_ports(1)[0], tmp_path / "rsyslog.conf"
    pasted = page_configuration(site.settings.bootstrap, site.settings.wire("alerts.raw.syslog"))
    file.write_text(RELAY.format(place=tmp_path, port=port) + pasted)
    where = ["-f", str(file), "-i", str(tmp_path / "rsyslogd.pid"), "-M", str(found.root / MODULES)]
    started = Relay(start(found, "rsyslog", ["-n", *where]), port)
    wait_until(started.listens, READY_SECONDS_MAX, "rsyslog listens")
    return started


def test_lines_that_devices_log_open_and_resolve_an_incident(site: Site, relay: Relay) -> None:
    worker = site.worker().wait_ready()
    peer = ("--sd-id", "ha@32473", "--sd-param", 'peer="edge-firewall-2"', "--tag", "kernel", "--id=412")

    relay.log("connection opened", "--priority", "kern.info", "--tag", "kernel")
    relay.log("HA heartbeat lost", "--priority", "kern.crit", "--msgid", "HA_FAIL", *peer)
    relay.log("interface ge-0/0/7 changed state to down", "--priority", "kern.err", "--tag", "ifmgr", "--rfc3164")
    site.read("incidents", lambda found: found and body_of(found[-1])["incident"]["episodes_total"] == 2, "an incident")
    relay.log("interface ge-0/0/7 changed state to up", "--priority", "kern.notice", "--tag", "ifmgr", "--rfc3164")
    relay.log("HA heartbeat restored", "--priority", "kern.info", "--msgid", "HA_OK", *peer)
    events = site.read("incidents", lambda found: "resolved" in map(change_of, found), "its resolution")

    incident = body_of(events[-1])["incident"]
    assert len({message.key() for message in events}) == 1
    assert incident["title"] == "Edge firewall: HA heartbeat lost"
    assert (incident["episodes_total"], incident["episodes_open"]) == (2, 0)
    alerts = [body_of(each) for each in site.read("alerts", lambda found: len(found) >= 5, "five alerts")]
    assert {each["entity"] for each in alerts} == {"resource:default/edge-firewall"}
    assert sorted(each["kind"] for each in alerts) == ["control", "firing", "firing", "resolved", "resolved"]
    assert all(each.get("event_at_ms") or each.get("ended_at_ms") for each in alerts)
    assert (worker.dispositions()["dead_lettered"], worker.remainder()) == (0, 0)

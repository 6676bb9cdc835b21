"""A real Prometheus scrapes what our processes expose, loads the rules, and answers every panel."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import time
from typing import Any, Final
from urllib.request import urlopen

import pytest
import yaml
from prometheus_client import CollectorRegistry

from pipeline.console.maturity import MaturityMetrics
from pipeline.console.metrics import ConsoleMetrics
from pipeline.core.step import Effects
from pipeline.flow import STAGES
from pipeline.gateway.metrics import GatewayMetrics
from pipeline.kafka.ports import free_ports
from pipeline.models.decision import Decision, Disposition, Origin, Reason
from pipeline.models.delivery import DeliveryOutcome
from pipeline.runtime.health import HealthServer
from pipeline.runtime.metrics import Metrics
from pipeline.runtime.process_metrics import expose_process
from pipeline.shadow.metrics import ShadowMetrics
from pipeline.sinks.base import Answer
from pipeline.sinks.metrics import SinkMetrics
from tests.support import wait_until
from tools.generate_observability import RULES
from tools.observability.ask import ask, queries

ROOT: Final = Path(__file__).parents[2]
START_SECONDS_MAX: Final = 30
EMPTY_MAX: Final = 8
"""Queries with nothing to tell where nothing waits or is refused, and of figures of a month that nobody has counted."""

ASKING: Final = "python -m tools.observability.ask http://localhost:9090"
"""As docs/monitoring.md has it."""


class Watched:
    """One process with every series there is, and the Prometheus that watches it."""

    def __init__(self, prometheus: Path, place: Path) -> None:
        self._metrics_port, port = free_ports(2)
        self.address = f"http://127.0.0.1:{port}"
        self.registry = CollectorRegistry()
        expose_process(self.registry, "worker")
        self.metrics = Metrics(self.registry, [stage.name for stage in STAGES], feeds=["zabbix"])
        self._gateway = GatewayMetrics(self.registry, ["zabbix"])
        self._sinks = SinkMetrics(self.registry)
        self._sinks.start(["desk"])
        ShadowMetrics(self.registry)
        self._console = ConsoleMetrics(self.registry)
        MaturityMetrics(self.registry)
        self._health = HealthServer(self._metrics_port, self.registry, dict, "127.0.0.1")
        self._health.start()
        self._process = self._started(prometheus, place, port)

    def _started(self, prometheus: Path, place: Path, port: int) -> subprocess.Popen[bytes]:
        target = {"targets": [f"127.0.0.1:{self._metrics_port}"], "labels": {"namespace": "test"}}
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(RULES / "*.yaml")],
            "scrape_configs": [{"job_name": "spillway", "static_configs": [target]}],
        }
        file = place / "prometheus.yml"
        file.write_text(yaml.safe_dump(config))
        data = place / "data"
        with (place / "prometheus.log").open("wb") as log:
            return subprocess.Popen(
                [
                    prometheus,
                    f"--config.file={file}",
                    f"--storage.tsdb.path={data}",
                    f"--web.listen-address=127.0.0.1:{port}",
                    "--web.console.libraries=/nonexistent",
                ],
                stdout=log,
                stderr=log,
            )

    def work(self) -> None:
        """A second's work of every process."""
        now = time()
        origin = Origin("alerts.raw.zabbix", 0, 0, 0)
        opened = Decision(origin, Disposition.OPENED, Reason.FIRST_SYMPTOM, int(now * 1_000))
        self.metrics.committed("correlate", 1, Effects(decisions=[opened], ahead_ms={"zabbix": 40}), 0.01, now)
        self.metrics.figures.observe("dedupe", {"feed_last_seen_timestamp_seconds": {"zabbix": now}})
        self.metrics.figures.observe("correlate", {"state_entries": {"incidents": 1.0}})
        self.metrics.figures.observe("deliver", {"deliveries_waiting": {"desk": 1.0}})
        self.metrics.config_in_force("v1")
        self._gateway.answered("zabbix", 202, 0.01, 100, None)
        self._console.answered("/", "GET", 200, 0.01)
        self._sinks.attempted("desk", Answer(DeliveryOutcome.DELIVERED), 0.1)
        self._sinks.told("desk", 1.0)

    def get(self, path: str) -> Any:
        with urlopen(f"{self.address}{path}") as answer:  # noqa: S310  # our own, on this machine
            return json.load(answer)["data"]

    def answers(self, query: str) -> int:
        try:
            return ask(self.address, query)
        except OSError:
            return 0

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(START_SECONDS_MAX)
        self._health.stop()


@pytest.fixture(scope="module")
def watched(prometheus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    made = Watched(prometheus, tmp_path_factory.mktemp("prometheus"))
    try:
        recorded = "namespace_stage:spillway_partitions:max"
        wait_until(lambda: made.answers(recorded), START_SECONDS_MAX, "Prometheus has scraped and recorded")
        yield made
    finally:
        made.stop()


def test_every_rule_is_loaded_and_evaluated_without_an_error(watched: Watched) -> None:
    def bad() -> list[tuple[str, str]]:
        groups = watched.get("/api/v1/rules")["groups"]
        return [(rule["name"], rule["health"]) for group in groups for rule in group["rules"] if rule["health"] != "ok"]

    assert len(watched.get("/api/v1/rules")["groups"]) == len(list(RULES.glob("*.yaml")))
    wait_until(lambda: not bad(), START_SECONDS_MAX, f"every rule is well; not so: {bad()}")


def test_every_panel_is_answered(watched: Watched) -> None:
    empty: list[str] = []

    def enough() -> bool:
        watched.work()
        empty[:] = [f"{name}: {query}" for name, query in queries() if not watched.answers(query)]
        return len(empty) <= EMPTY_MAX

    try:
        wait_until(enough, START_SECONDS_MAX, "panels are answered")
    finally:
        sys.stdout.write("\n".join(["nothing:", *empty]))


def test_the_command_of_the_page_asks_what_every_panel_asks(watched: Watched) -> None:
    python, *words = ASKING.replace("http://localhost:9090", watched.address).split()
    assert python == "python"
    done = subprocess.run([sys.executable, *words], cwd=ROOT, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].endswith(" with nothing to tell, 0 refused")


def test_the_watchdog_fires_and_lost_alerts_are_noticed(watched: Watched) -> None:
    def alerts() -> set[str]:
        return {alert["labels"]["alertname"] for alert in watched.get("/api/v1/alerts")["alerts"]}

    wait_until(lambda: "SpillwayWatchdog" in alerts(), START_SECONDS_MAX, "the watchdog fires")
    assert "SpillwayConservationBroken" not in alerts()
    watched.metrics.conservation_remainder.labels("dedupe").set(1)
    wait_until(lambda: "SpillwayConservationBroken" in alerts(), START_SECONDS_MAX, "a lost alert is noticed")

"""A real Prometheus and a real Alertmanager: a rule fires and resolves, and an incident opens and resolves."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import yaml

from pipeline.kafka.ports import free_ports
from tests.live.site import Site
from tests.live.worker import Worker
from tests.real.conftest import Start, body_of, change_of
from tests.real.debian import program
from tests.real.exporter import Exporter, exporting
from tests.support import wait_until

TOKEN: Final = "a token that Alertmanager knows"
TOKEN_VARIABLE: Final = "SPILLWAY_GATEWAY_ALERTMANAGER"
SEEN_SECONDS_MAX: Final = 20.0

RULES: Final = {
    "groups": [
        {
            "name": "checkout",
            "rules": [
                {
                    "alert": "CheckoutQueueGrows",
                    "expr": "checkout_queue_depth > 100",
                    "labels": {"severity": "critical", "service": "checkout"},
                    "annotations": {
                        "summary": "{{ $value }} orders wait in the checkout",
                        "runbook_url": "https://runbooks.northwind-market.example/checkout",
                    },
                },
                {"alert": "Watchdog", "expr": "vector(1)", "labels": {"severity": "none"}},
            ],
        }
    ]
}


def written(path: Path, document: object) -> Path:
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def start_prometheus(start: Start, place: Path, exporter: Exporter, alertmanager: str) -> None:
    """Prometheus scrapes the exporter and evaluates the rule every second."""
    written(place / "rules.yml", RULES)
    configuration = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [{"job_name": "shop", "static_configs": [{"targets": [exporter.address]}]}],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
    }
    start(
        program(("prometheus",), "prometheus"),
        "prometheus",
        [
            f"--config.file={written(place / 'prometheus.yml', configuration)}",
            f"--storage.tsdb.path={place / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{free_ports(1)[0]}",
            "--rules.alert.resend-delay=1s",  # what Alertmanager did not take while it started comes again at once
        ],
    )


def start_alertmanager(start: Start, place: Path, gateway_port: int) -> str:
    """Alertmanager sends what it gets to the gateway within a second; its address."""
    hook = {
        "url": f"http://127.0.0.1:{gateway_port}/v1/feeds/alertmanager",
        "send_resolved": True,
        "http_config": {"authorization": {"credentials": TOKEN}},
    }
    route = {"receiver": "spillway", "group_by": ["alertname"], "group_wait": "1s", "group_interval": "1s"}
    configuration = {"route": route, "receivers": [{"name": "spillway", "webhook_configs": [hook]}]}
    port = free_ports(1)[0]
    start(
        program(
            ("alertmanager", "prometheus-alertmanager"),
            "prometheus-alertmanager",
            data="/usr/share/prometheus/alertmanager",
        ),
        "alertmanager",
        [
            f"--config.file={written(place / 'alertmanager.yml', configuration)}",
            f"--storage.path={place / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ],
    )
    return f"127.0.0.1:{port}"


@pytest.fixture
def gateway_port(site: Site, tmp_path: Path) -> Iterator[int]:
    """Where a real gateway takes the messages of Alertmanager, which knows its token."""
    rule = {"alertmanager": {"gateway": {"auth": {"scheme": "bearer", "secrets_env": [TOKEN_VARIABLE]}}}}
    written(site.directory / "feeds.yaml", rule)
    site.make_topics()
    port = free_ports(1)[0]
    command = (sys.executable, "-m", "pipeline", "gateway", "--listen", f"127.0.0.1:{port}")
    gateway = Worker(site.settings, tmp_path / "gateway.log", command, {TOKEN_VARIABLE: TOKEN})
    yield port
    gateway.kill()


def test_a_rule_that_fires_and_resolves_opens_and_resolves_an_incident(
    site: Site, gateway_port: int, start: Start, tmp_path: Path
) -> None:
    worker = site.worker()
    with exporting() as exporter:
        start_prometheus(start, tmp_path, exporter, start_alertmanager(start, tmp_path, gateway_port))
        exporter.depth = 4_711
        worker.wait_ready()
        opened = site.read("incidents", lambda found: found, "the incident of the rule that fires")
        exporter.depth = 3
        events = site.read("incidents", lambda found: "resolved" in map(change_of, found), "its resolution")

    assert [change_of(message) for message in opened[:1]] == ["opened"]
    assert len({message.key() for message in events}) == 1
    incident = body_of(events[-1])["incident"]
    assert incident["title"] == "Checkout: 4711 orders wait in the checkout"
    assert (incident["priority"], incident["episodes_total"], incident["episodes_open"]) == ("P1", 1, 0)
    check_what_came(site, worker)


def check_what_came(site: Site, worker: Worker) -> None:
    """Every message of Alertmanager is on the raw topic as it came, read, and accounted for."""
    raw = site.read("alerts.raw.alertmanager", lambda found: len(found) >= 2, "what Alertmanager sent")
    kinds = {"firing", "resolved", "heartbeat"}
    alerts = site.read("alerts", lambda found: kinds <= {body_of(each)["kind"] for each in found}, "all alerts")
    rule = [body_of(each) for each in alerts if body_of(each)["name"] == "CheckoutQueueGrows"]
    assert len({each["alert_key"] for each in rule}) == len({each["source_episode_id"] for each in rule}) == 1
    assert all(each["entity"] == "component:default/checkout" and each["severity"] == "critical" for each in rule)
    ended = next(each for each in rule if each["kind"] == "resolved")
    assert ended["event_at_ms"] < ended["ended_at_ms"]
    assert ended["links"]["source"].startswith("http://")
    assert {body_of(each)["kind"] for each in alerts if body_of(each)["name"] == "Watchdog"} == {"heartbeat"}
    assert {body_of(each)["version"] for each in raw} == {"4"}
    wait_until(lambda: not worker.remainder(), SEEN_SECONDS_MAX, "nothing is unaccounted for")
    assert worker.dispositions()["dead_lettered"] == 0

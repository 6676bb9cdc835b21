"""A noisy fortnight: spikes that pass, a job that is late every night, a link that flaps, work that was announced, and
two outages that are real. ``python -m tests.stories.fortnight DIRECTORY`` writes the recording and its company.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from shutil import copytree
from typing import Final

from pipeline.examples import config_directory
from tests.stories.generate import Story
from tests.stories.payloads import alertmanager

BEGIN: Final = datetime(2026, 3, 2, tzinfo=UTC)
DAYS: Final = 14
MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

SPIKE: Final = ("PaymentsLatencyHigh", "payments-api", "p95 of /charge is above 1.2 s")
LAG: Final = ("ReplicaBehind", "payments-db", "the replica is more than 30 s behind")
LINK: Final = ("PeeringDown", "edge-cdn", "peering session is down")
DISK: Final = ("DiskBusy", "orders-db", "disk is 98 % busy")
FAILS: Final = ("CheckoutFails", "checkout", "20 % of checkout requests fail")
CHARGES: Final = ("ChargesFail", "payments-api", "half of all charges fail")

WINDOW: Final = """
orders-db-disks:
  start: 2026-03-08T04:00:00Z
  end: 2026-03-08T05:00:00Z
  targets: [orders-db]
"""


class Fortnight(Story):
    """Runs of conditions instead of single messages."""

    def run(
        self, condition: tuple[str, str, str], begins: float, lasts: float, severity: str = "error", every: int = 0
    ) -> None:
        """One run: it fires, is said again every so many seconds, and is over."""
        name, service, summary = condition
        labels = {"alertname": name, "service": service, "severity": severity, "cluster": "shop-prod-1"}
        started = self.at(begins)
        for after in range(0, int(lasts), every) if every else (0,):
            self.alert(begins + after, "alertmanager", alertmanager(labels, summary, started))
        self.alert(begins + lasts, "alertmanager", alertmanager(labels, summary, started, self.at(begins + lasts)))


def fortnight() -> Fortnight:
    """The recording."""
    story = Fortnight(BEGIN)
    for spike in range(DAYS * 6):
        story.run(SPIKE, spike * 4 * HOUR + 17 * MINUTE, 40 + spike % 3 * 5)
    for night in range(DAYS):
        story.run(LAG, night * DAY + 2 * HOUR, 25 * MINUTE, every=5 * MINUTE)
    for turn in range(15):
        story.run(LINK, 4 * DAY + 12 * HOUR + turn * 40, 20, severity="critical")
    for minute in (5, 20, 35):
        story.run(DISK, 6 * DAY + 4 * HOUR + minute * MINUTE, 4 * MINUTE, severity="critical", every=MINUTE)
    outage = 8 * DAY + 14 * HOUR
    story.run(SPIKE, outage, 20 * MINUTE, every=MINUTE)
    story.run(FAILS, outage + 20, 19 * MINUTE, severity="critical", every=MINUTE)
    story.run(CHARGES, 10 * DAY + 20 * HOUR + 23 * MINUTE, 12 * MINUTE, severity="critical", every=MINUTE)
    return story


def company(directory: Path) -> Path:
    """The example company, which lets what it has learned wait and ranks chronic alerts lower."""
    copytree(config_directory(), directory)
    feeds = directory / "feeds.yaml"
    learned = "alertmanager:\n  hold_seconds: {warning: 60, error: learned}\n  hold_learned: {most_seconds: 120}"
    feeds.write_text(feeds.read_text().replace("alertmanager:\n  hold_seconds: {warning: 60, info: 120}", learned, 1))
    retail = directory / "domains" / "retail.yaml"
    retail.write_text(retail.read_text() + "chronic: {severity_at_most: error, incidents_at_least: 5}\n")
    maintenance = directory / "maintenance.yaml"
    maintenance.write_text(maintenance.read_text() + WINDOW)
    return directory


def write(directory: Path) -> Path:
    """Write the recording and the company into a directory; the recording's path."""
    company(directory / "company")
    recording = directory / "fortnight.ndjson"
    recording.write_bytes(fortnight().lines())
    return recording


if __name__ == "__main__":
    write(Path(sys.argv[1]))

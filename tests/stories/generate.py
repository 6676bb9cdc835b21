"""Writes the three stories as recordings: ``python -m tests.stories.generate``. Same bytes each time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from tests.stories import payloads

DAY = datetime(2026, 3, 10, tzinfo=UTC)
SPACE = "production"
SHOP = {"namespace": "shop", "cluster": "shop-prod-1", "severity": "critical"}


class Story:
    """Collects records and writes them in arrival order, with offsets by topic."""

    def __init__(self, start: datetime) -> None:
        self.start = start
        self._records: list[tuple[datetime, int, str, str | None, Any]] = []

    def at(self, seconds: float) -> datetime:
        """A moment of the story."""
        return self.start + timedelta(seconds=seconds)

    def alert(self, seconds: float, feed: str, value: Any) -> None:
        """A raw message of a feed."""
        self._add(seconds, f"alerts.raw.{feed}", None, value)

    def command(self, seconds: float, command_id: str, kind: str, actor: str, **arguments: Any) -> None:
        """What a person asks."""
        value = {"command_id": command_id, "type": kind, "actor": actor, **arguments}
        self._add(seconds, "commands", SPACE, value)

    def change(self, seconds: float, **value: Any) -> None:
        """A change."""
        self._add(seconds, "changes", SPACE, value)

    def _add(self, seconds: float, topic: str, key: str | None, value: Any) -> None:
        self._records.append((self.at(seconds), len(self._records), topic, key, value))

    def lines(self) -> bytes:
        """The recording."""
        offsets: dict[str, int] = {}
        out = []
        for moment, _, topic, key, value in sorted(self._records, key=lambda each: each[:2]):
            offset = offsets.get(topic, 0)
            offsets[topic] = offset + 1
            stamp = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            document = {"topic": topic, "partition": 0, "offset": offset, "timestamp": stamp, "key": key, "headers": {}}
            out.append(orjson.dumps(document | {"value": value}))
        return b"\n".join(out) + b"\n"


def checkout() -> Story:
    """At peak, the payments database runs out of connections. Flapping and maintenance noise around it."""
    story = Story(DAY + timedelta(hours=11, minutes=30))
    symptoms = [
        (0, 445, {"alertname": "CheckoutErrorRatio", "service": "checkout"}, "12 % of checkout requests fail"),
        (7, 440, {"alertname": "PaymentsLatency", "service": "payments-api"}, "p99 of /charge is above 2.5 s"),
        (
            11,
            425,
            {"alertname": "PostgresConnectionsExhausted", "instance": "payments-db-1:9187"},
            "498 of 500 connections of payments-db-1 are in use",
        ),
        (19, 440, {"alertname": "PaymentsErrorRatio", "service": "payments-api"}, "31 % of payment requests fail"),
        (26, 450, {"alertname": "OrdersBacklog", "service": "orders-api"}, "orders wait for payment confirmation"),
    ]
    for begins, ends, labels, summary in symptoms:
        started = story.at(begins)
        for again in range(begins, ends, 30):
            story.alert(again, "alertmanager", payloads.alertmanager(SHOP | labels, summary, started))
        story.alert(ends, "alertmanager", payloads.alertmanager(SHOP | labels, summary, started, story.at(ends)))
    page = ("Checkout page", "https://www.northwind-market.example/checkout")
    story.alert(4, "uptimerobot", payloads.uptimerobot(*page, story.at(4)))
    story.alert(452, "uptimerobot", payloads.uptimerobot(*page, story.at(452), up=True))
    alarm = ("payments-db-connections-high", "payments-db-1")
    reason = "Threshold Crossed: 3 datapoints [496.0, 498.0, 500.0] were greater than the threshold (480.0)."
    story.alert(15, "cloudwatch", payloads.cloudwatch(*alarm, reason, story.at(15)))
    story.alert(430, "cloudwatch", payloads.cloudwatch(*alarm, "Threshold Crossed.", story.at(430), ok=True))
    _disk_that_flaps(story)
    _work_on_the_backup_store(story)
    here = {"target": {"service": "checkout"}}
    story.command(75, "cmd-checkout-1", "acknowledge", "amara.okafor", **here, note="looking at the payments database")
    story.command(95, "cmd-checkout-2", "start", "amara.okafor", **here)
    text = "idle sessions of the report job hold 410 connections; ending them and lowering its pool"
    story.command(210, "cmd-checkout-3", "note", "amara.okafor", **here, note=text)
    lower = {
        "id": "pool",
        "text": "cap the report job at 40 connections for good",
        "owner": "payments",
        "due": "2026-03-20",
    }
    story.command(
        405,
        "cmd-checkout-5",
        "mitigate",
        "amara.okafor",
        **here,
        workaround="the report job is stopped and its sessions are ended; checkout works",
        action=lower,
    )
    story.command(600, "cmd-checkout-4", "note", "amara.okafor", **here, note="stable for two minutes")
    resolution = {
        "code": "configuration",
        "summary": "connections of the report job are capped",
        "cause": "the new report job opens a connection for each tenant and keeps it",
    }
    story.command(2_400, "cmd-checkout-6", "resolve", "amara.okafor", **here, resolution=resolution)
    story.command(3_000, "cmd-checkout-7", "complete_action", "amara.okafor", **here, action={"id": "pool"})
    story.command(3_300, "cmd-checkout-8", "close", "amara.okafor", **here, note="documented")
    return story


def _disk_that_flaps(story: Story) -> None:
    labels = {"alertname": "DiskLatencyHigh", "instance": "log-archive-1:9100", "severity": "warning"}
    for turn in range(8):
        begins, ends = 30 + turn * 50, 55 + turn * 50
        firing = payloads.alertmanager(labels, "write latency of sdb on log-archive-1 above 200 ms", story.at(begins))
        story.alert(begins, "alertmanager", firing)
        resolved = payloads.alertmanager(
            labels, "write latency of sdb on log-archive-1 above 200 ms", story.at(begins), story.at(ends)
        )
        story.alert(ends, "alertmanager", resolved)


def _work_on_the_backup_store(story: Story) -> None:
    labels = {"alertname": "HostDown", "instance": "backup-store-1:9100", "severity": "critical"}
    for again in (60, 180, 300, 420):
        value = payloads.alertmanager(labels, "backup-store-1 does not answer", story.at(60))
        story.alert(again, "alertmanager", value)
    value = payloads.alertmanager(labels, "backup-store-1 does not answer", story.at(60), story.at(540))
    story.alert(540, "alertmanager", value)


TICKETS: list[tuple[int, str, str]] = [
    (0, "xurrent", "Outlook is crawling this morning"),
    (95, "jira", "Mails stay in the outbox for minutes"),
    (170, "xurrent", "Email from customers arrives hours late"),
    (260, "jira", "Outlook keeps saying: trying to connect"),
    (345, "xurrent", "My mailbox does not update on the phone"),
    (430, "jira", "Cannot send mail with attachments to suppliers"),
    (520, "xurrent", "Order confirmations by e-mail are not going out"),
    (610, "jira", "outlook very slow, whole purchasing team"),
    (700, "xurrent", "No new mail since seven o'clock"),
    (790, "jira", "E-mail delivery to the Brno plant is delayed"),
    (900, "xurrent", "Inbox empty although colleagues sent me mail"),
    (1_010, "jira", "Outlook search and sending hang"),
    (1_180, "xurrent", "Mail to the shift leads bounces"),
]

OTHERS: list[tuple[int, str, str]] = [
    (130, "xurrent", "VPN asks for a new token every hour"),
    (300, "xurrent", "Printer on floor 3 jams on every page"),
    (560, "jira", "SAP: please add the new cost centre"),
    (860, "xurrent", "Need a second monitor for the meeting room"),
]


def email() -> Story:
    """An overnight maintenance left a bad mail routing rule; users tell it in their own words."""
    story = Story(DAY + timedelta(hours=7, minutes=30))
    _overnight_maintenance(story)
    for person, (seconds, desk, subject) in enumerate(TICKETS + OTHERS):
        _ticket(story, seconds, desk, 100 + person, subject)
    queue = (7_011_223, "mail-relay-1", "Mail queue length on mail-relay-1 is above 10,000", 3)
    story.alert(380, "zabbix", payloads.zabbix(*queue, story.at(380)))
    story.alert(2_640, "zabbix", payloads.zabbix_recovery(7_011_301, 7_011_223, story.at(2_640)))
    here = {"target": {"ticket": "1004100"}}
    story.command(660, "cmd-email-1", "acknowledge", "lukas.brandt", **here, note="the relay's queue grows")
    story.command(1_300, "cmd-email-2", "start", "lukas.brandt", **here)
    _ask_vendor_and_provider(story, here)
    resolution = {
        "code": "change_reverted",
        "summary": "the routing rule of last night's maintenance was reverted, queues drain",
        "cause": "maintenance CHG-2207 left a rule that sent internal mail through the quarantine relay",
        "corrective_action": "routing rules are tested with a probe mail before a maintenance ends",
    }
    bridge: dict[str, Any] = {"target": {"ticket": "1004100", "bridge": True}}
    commander = bridge | {"role": "commander"}
    story.command(900, "cmd-email-9", "assign_commander", "petra.novak", **commander, assignee="petra.novak")
    story.command(2_520, "cmd-email-4", "resolve", "lukas.brandt", **bridge, resolution=resolution)
    for person, (_, desk, subject) in enumerate(TICKETS):
        _ticket(story, 2_700 + person * 20, desk, 100 + person, subject, done=True)
    story.command(3_600, "cmd-email-10", "close", "petra.novak", **commander, note="mail flows since an hour")
    return story


def _ask_vendor_and_provider(story: Story, here: dict[str, Any]) -> None:
    """The gateway's vendor and the cloud provider of its relays are asked at the same time; one record has both."""
    vendor = {"kind": "vendor_ticket", "id": "MX-88213", "url": "https://support.mailgate.example/MX-88213"}
    case = {"kind": "support_case", "id": "CASE-5530187", "url": "https://support.cloud.example/CASE-5530187"}
    opened = {"state": "open"}
    story.command(
        1_380, "cmd-email-3", "wait", "lukas.brandt", **here, waiting_for="vendor", link=vendor | opened,
        note="who can see why the gateway quarantines internal mail",
    )  # fmt: skip
    story.command(
        1_420, "cmd-email-5", "wait", "lukas.brandt", **here, waiting_for="provider", link=case | opened,
        note="is the relay's network throttled",
    )  # fmt: skip
    story.command(
        1_750, "cmd-email-6", "link", "cloud provider", **here, role="source", link=case | {"state": "resolved"}
    )
    story.command(
        2_100, "cmd-email-7", "link", "mailgate support", **here, role="source", link=vendor | {"state": "answered"}
    )
    text = "the vendor sees rule 14 send internal mail through the quarantine relay; it came with last night's change"
    story.command(2_130, "cmd-email-8", "note", "lukas.brandt", **here, note=text)


def _overnight_maintenance(story: Story) -> None:
    before = -6.5 * 3_600
    value = {
        "change_id": "CHG-2207",
        "kind": "maintenance",
        "summary": "mail routing rules moved to the new gateway",
        "targets": ["mail-routing"],
        "started_at": story.at(before).isoformat(),
        "actor": "messaging team",
    }
    story.change(before, **value)
    story.change(before + 3_600, **value, ended_at=story.at(before + 3_600).isoformat())


def _ticket(story: Story, seconds: int, desk: str, person: int, subject: str, *, done: bool = False) -> None:
    if desk == "xurrent":
        value = payloads.xurrent(1_004_000 + person, subject, person, "Service Desk", done=done)
    else:
        reporter = f"5f00000000000000000{person:05d}"
        value = payloads.jira(f"DESK-{2_200 + person}", subject, "", reporter, story.at(seconds), done=done)
    story.alert(seconds, desk, value)


def hospital() -> Story:
    """The identity provider's certificate has expired; clinicians cannot get to the patient chart."""
    story = Story(DAY + timedelta(hours=13))
    reports = [
        (0, "Cannot open the patient chart, sign in fails"),
        (90, "Medication record: sign in refused on ward 4"),
        (150, "Nobody on the ICU can log in to the chart"),
        (420, "Single sign-on shows a security warning"),
    ]
    for person, (seconds, subject) in enumerate(reports):
        _ticket(story, seconds, "jira", 300 + person, subject)
    labels = {
        "alertname": "X509CertificateExpired",
        "service": "identity-provider",
        "subject_CN": "sso.st-gabriel.example",
        "severity": "warning",
    }
    summary = "the certificate of sso.st-gabriel.example has expired"
    for again in (25, 325, 625, 925):
        story.alert(again, "x509", payloads.alertmanager(labels, summary, story.at(25)))
    story.alert(1_150, "x509", payloads.alertmanager(labels, summary, story.at(25), story.at(1_150)))
    here = {"target": {"service": "identity-provider"}}
    story.command(540, "cmd-hospital-1", "acknowledge", "ines.ferreira", **here, note="renewing the certificate")
    story.command(545, "cmd-hospital-2", "start", "ines.ferreira", **here)
    resolution = {
        "code": "certificate_renewed",
        "summary": "certificate renewed and deployed, sign in works on all wards",
        "cause": "the renewal job ran with a revoked account",
        "corrective_action": "renewal account monitored; expiry alarms at 30, 14 and 7 days go to the identity team",
    }
    story.command(1_200, "cmd-hospital-3", "resolve", "ines.ferreira", **here, resolution=resolution)
    for person, (_, subject) in enumerate(reports):
        _ticket(story, 1_500 + person * 10, "jira", 300 + person, subject, done=True)
    story.command(2_400, "cmd-hospital-4", "close", "ines.ferreira", **here, note="wards confirm")
    return story


STORIES: dict[str, Callable[[], Story]] = {"checkout": checkout, "email": email, "hospital": hospital}


def main() -> None:
    """Write each story beside this file."""
    for name, make in STORIES.items():
        (Path(__file__).parent / f"{name}.ndjson").write_bytes(make().lines())


if __name__ == "__main__":
    main()

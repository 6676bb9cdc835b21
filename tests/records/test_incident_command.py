"""``spillway incident`` against a real records store and a real Kafka."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.cli.communication import communication
from pipeline.cli.incident import incident
from pipeline.core.identity import partition_of
from pipeline.core.outward.incident_event import IncidentEvent
from pipeline.kafka.served import unserved
from pipeline.models.command import Command, CommandType
from pipeline.records.store import RecordsStore

PARTITIONS = 3
START_MS = 1_772_590_302_318
SECONDS_MAX = 20.0


def run(*arguments: str, environment: dict[str, str] | None = None) -> Result:
    clean = dict.fromkeys(("SPILLWAY_RECORDS_URL", "SPILLWAY_BOOTSTRAP", "SPILLWAY_TOPIC_PREFIX"), "")
    return CliRunner().invoke(incident, arguments, env=clean | (environment or {}))


def row(incident_id: str, **snapshot: Any) -> IncidentEvent:
    entry = {"at_ms": START_MS, "action": "opened", "actor": "spillway", "text": "Opened on the first symptom"}
    fields: dict[str, Any] = {
        "id": incident_id,
        "kind": "incident",
        "space": "production",
        "state": "logged",
        "priority": "P1",
    }
    fields |= {"title": "Checkout fails", "opened_at_ms": START_MS, "service": "component:default/checkout"}
    fields |= {"suspects": [{"ref": "resource:default/db", "because": ["all depend on it"]}]}
    return IncidentEvent(incident_id, 1, "opened", START_MS, [entry], {**fields, **snapshot})


@pytest.fixture
def records(store: RecordsStore, empty: str) -> str:
    store.project([row("INC-1"), row("INC-2", state="closed"), row("BRG-1", kind="bridge", title="Shop is down")])
    return empty


@dataclass
class Commands:
    """The command topics of one test."""

    environment: dict[str, str]
    bootstrap: str
    prefix: str

    def read(self, topic: str, key: str) -> list[tuple[bytes | None, Command]]:
        """All that is in the partition where the key belongs."""
        wire, partition = self.prefix + topic, partition_of(key.encode(), PARTITIONS)
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": self.prefix, "log_level": 0})
        try:
            consumer.assign([TopicPartition(wire, partition, 0)])
            _, end = consumer.get_watermark_offsets(TopicPartition(wire, partition), timeout=SECONDS_MAX)
            found = consumer.consume(end, timeout=SECONDS_MAX) if end else []
            return [(message.key(), Command.model_validate_json(message.value() or b"")) for message in found]
        finally:
            consumer.close()


@pytest.fixture
def commands(kafka: str, prefix: str) -> Iterator[Commands]:
    client = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    names = [prefix + name for name in ("commands", "bridge.commands")]
    for made in client.create_topics([NewTopic(name, PARTITIONS, 1) for name in names]).values():
        made.result(SECONDS_MAX)
    assert unserved(client, dict.fromkeys(names, PARTITIONS), SECONDS_MAX) is None
    yield Commands({"SPILLWAY_BOOTSTRAP": kafka, "SPILLWAY_TOPIC_PREFIX": prefix}, kafka, prefix)
    for gone in client.delete_topics(names).values():
        gone.result(SECONDS_MAX)


def test_list_shows_what_is_open_in_a_table(records: str) -> None:
    result = run("list", "--records-url", records)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].split() == ["Incident", "Pri", "State", "Opened", "Service", "Assigned", "to", "What"]
    assert [line.split()[0] for line in lines[1:]] == ["INC-1", "BRG-1"]
    assert "2026-03-04 02:11:42Z" in lines[1]


def test_list_for_machines_is_one_snapshot_a_line(records: str) -> None:
    result = run("list", "--all", "--json", environment={"SPILLWAY_RECORDS_URL": records})
    assert [orjson.loads(line)["id"] for line in result.output.splitlines()] == ["INC-2", "INC-1", "BRG-1"]


def test_show_tells_an_incident_in_words(records: str) -> None:
    result = run("show", "INC-1", "--records-url", records)
    assert "INC-1  P1  logged  Checkout fails" in result.output
    assert "resource:default/db: all depend on it" in result.output
    assert "2026-03-04 02:11:42Z  Opened on the first symptom  (spillway)" in result.output


def test_an_empty_store_says_so(store: RecordsStore, empty: str) -> None:
    assert run("list", "--records-url", empty).output == "No open incidents.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list"], "no records store: give --records-url or set SPILLWAY_RECORDS_URL"),
        (["list", "--records-url", "sqlite:///x"], "PostgreSQL is needed"),
        (["list", "--records-url", "postgresql://nobody@/none?host=/nowhere"], "does not answer"),
        (["ack", "INC-1"], "name the incident's --space"),
        (["resolve", "INC-1", "--space", "s", "--code", "c" * 65, "--summary", "s"], "code: "),
        (["ack", "INC-1", "--space", "s", "--actor", "x" * 300], "actor: "),
    ],
)
def test_what_goes_wrong_is_one_line(arguments: list[str], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    assert said in result.output
    assert len(result.output.splitlines()) == 1


def test_a_store_that_is_not_set_up_and_an_unknown_incident_are_one_line(empty: str) -> None:
    assert "not set up yet, or by an older release" in run("list", "--records-url", empty).output
    RecordsStore(empty).migrate()
    assert "no incident INC-9" in run("show", "INC-9", "--records-url", empty).output
    assert "no incident INC-9" in run("ack", "INC-9", "--records-url", empty).output


def test_a_missing_topic_and_a_missing_broker_are_one_line(kafka: str, prefix: str) -> None:
    environment = {"SPILLWAY_BOOTSTRAP": kafka, "SPILLWAY_TOPIC_PREFIX": prefix}
    missing = run("ack", "INC-1", "--space", "production", environment=environment)
    assert f"topic {prefix}commands is missing" in missing.output


@pytest.mark.parametrize(
    ("arguments", "kind", "fields"),
    [
        (["ack", "INC-1", "--note", "on it"], CommandType.ACKNOWLEDGE, {"note": "on it"}),
        (["assign", "INC-1", "kim"], CommandType.ASSIGN, {"assignee": "kim"}),
        (["priority", "INC-1", "p2"], CommandType.SET_PRIORITY, {"priority": "p2"}),
        (["note", "INC-1", "called the vendor"], CommandType.NOTE, {"note": "called the vendor"}),
        (["reopen", "INC-1", "--reason", "slow again"], CommandType.REOPEN, {"reason": "slow again"}),
        (["start", "INC-1", "--if-state", "acknowledged"], CommandType.START, {"if_state": "acknowledged"}),
        (["unack", "INC-1", "--at", "2026-03-04T02:20:00Z"], CommandType.UNACKNOWLEDGE, {"at": "2026-03-04T02:20:00Z"}),
        (["unassign", "INC-1", "--if-revision", "7"], CommandType.UNASSIGN, {"expected_revision": 7}),
        (["escalate", "INC-1", "--reason", "stuck"], CommandType.ESCALATE, {"reason": "stuck"}),
        (
            ["wait", "INC-1", "vendor", "--ticket", "V-1"],
            CommandType.WAIT,
            {"waiting_for": "vendor", "link": {"kind": "vendor_ticket", "id": "V-1"}},
        ),
        (["resume", "INC-1"], CommandType.RESUME, {}),
        (
            ["mitigate", "INC-1", "failed over", "--owed", "fix the primary", "--due", "2026-03-09"],
            CommandType.MITIGATE,
            {"workaround": "failed over", "action": {"text": "fix the primary", "due": "2026-03-09"}},
        ),
        (
            ["cancel", "INC-1", "--reason", "false alarm", "--role", "commander"],
            CommandType.CANCEL,
            {"reason": "false alarm", "role": "commander"},
        ),
        (["action", "add", "INC-1", "add an alarm"], CommandType.ADD_ACTION, {"action": {"text": "add an alarm"}}),
        (["action", "done", "INC-1", "A-1"], CommandType.COMPLETE_ACTION, {"action": {"id": "A-1"}}),
        (["merge", "INC-1", "--into", "INC-7"], CommandType.MERGE, {"into": "INC-7"}),
        (["split", "INC-1", "--episode", "a", "--episode", "b"], CommandType.SPLIT, {"episodes": ["a", "b"]}),
        (
            ["link", "INC-1", "provider_case", "9", "--url", "https://p.example/9"],
            CommandType.LINK,
            {"link": {"kind": "provider_case", "id": "9", "url": "https://p.example/9"}},
        ),
        (
            ["resolve", "INC-1", "--code", "fixed", "--summary", "pool raised", "--corrective-action", "alert on pool"],
            CommandType.RESOLVE,
            {"resolution": {"code": "fixed", "summary": "pool raised", "corrective_action": "alert on pool"}},
        ),
        (
            ["close", "INC-1", "--code", "fixed", "--summary", "done", "--cause", "leak"],
            CommandType.CLOSE,
            {"resolution": {"code": "fixed", "summary": "done", "cause": "leak"}},
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_is_asked_is_a_command_under_the_incidents_space(
    commands: Commands, records: str, arguments: list[str], kind: CommandType, fields: dict[str, Any]
) -> None:
    result = run(*arguments, "--actor", "kim", "--records-url", records, environment=commands.environment)
    assert result.exit_code == 0, result.output
    [(key, command)] = commands.read("commands", "production")
    assert result.output == f"{command.command_id} accepted\n"
    assert key == b"production"
    assert (command.type, command.actor, command.target.incident_id) == (kind, "kim", "INC-1")
    sent = command.model_dump(mode="json", exclude_none=True)
    assert {name: sent[name] for name in fields} == fields


@pytest.mark.parametrize("extra", [["--bridge"], ["--records-url"]])
def test_a_bridge_incidents_command_goes_to_the_bridge_under_its_id(
    commands: Commands, records: str, extra: list[str]
) -> None:
    known = [*extra, records] if extra == ["--records-url"] else extra
    assert run("ack", "BRG-1", *known, environment=commands.environment).exit_code == 0
    [(key, command)] = commands.read("bridge.commands", "BRG-1")
    assert (key, command.target.incident_id) == (b"BRG-1", "BRG-1")


def test_with_a_space_given_no_records_store_is_needed(commands: Commands) -> None:
    result = run("ack", "INC-5", "--space", "staging", environment=commands.environment)
    assert result.exit_code == 0, result.output
    [(key, command)] = commands.read("commands", "staging")
    assert (key, command.type) == (b"staging", CommandType.ACKNOWLEDGE)


@pytest.mark.parametrize(
    ("arguments", "kind", "fields"),
    [
        (["say", "INC-1", "public", "We are on it."], CommandType.COMMUNICATE, {"audience": "public"}),
        (["say", "INC-1", "public", "--state", "identified"], CommandType.COMMUNICATE, {"state": "identified"}),
        (
            ["approve", "INC-1", "public", "--role", "commander"],
            CommandType.APPROVE_COMMUNICATION,
            {"role": "commander"},
        ),
        (["discard", "INC-1", "public", "--note", "wrong"], CommandType.DISCARD_COMMUNICATION, {"note": "wrong"}),
        (["fulfil", "INC-1", "dpo-notice", "--note", "by phone"], CommandType.FULFIL_DUTY, {"duty": "dpo-notice"}),
    ],
)
def test_what_is_said_to_an_audience_is_a_command(
    commands: Commands, records: str, arguments: list[str], kind: CommandType, fields: dict[str, str]
) -> None:
    environment = commands.environment | {"SPILLWAY_RECORDS_URL": records}
    done = CliRunner().invoke(communication, arguments, env=environment)
    assert done.exit_code == 0, done.output
    ((_, sent),) = commands.read("commands", "production")
    assert sent.type == kind
    assert {name: getattr(sent, name) for name in fields} == fields

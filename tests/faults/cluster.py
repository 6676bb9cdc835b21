"""Brokers that can be killed and come back with their data: one, or three that hold copies of each other's.

Made of the embedded broker: the same engine, watchdog and start, with addresses and properties of a cluster.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from pipeline.kafka.embedded import SINGLE_NODE, EmbeddedKafka
from pipeline.kafka.ports import HOST, free_ports
from tests.faults.proxy import Proxy
from tests.support import wait_until

KILLED_SECONDS_MAX: Final = 20.0
# Three of them and a whole layout share two cores, and one that died reads its logs again.
NODE_START_SECONDS_MAX: Final = 300.0

THREE_NODES: Final[dict[str, str | int]] = {
    "offsets.topic.replication.factor": 3,
    "transaction.state.log.replication.factor": 3,
    "transaction.state.log.min.isr": 2,
    "default.replication.factor": 3,
    "min.insync.replicas": 2,
    # A dead broker is noticed within seconds, so that a scenario sees the failover and not the wait before it.
    "broker.session.timeout.ms": 3_000,
    "broker.heartbeat.interval.ms": 500,
    "replica.lag.time.max.ms": 3_000,
    "controller.quorum.fetch.timeout.ms": 2_000,
    "controller.quorum.election.timeout.ms": 1_000,
}


@dataclass(frozen=True, slots=True)
class Address:
    """Ports of one node: for clients, for its peers' controllers, and for clients that come through a proxy."""

    port: int
    controller_port: int
    proxied_port: int


class Node(EmbeddedKafka):
    """One broker of a cluster, on a directory that outlives it.

    Attributes:
        number: its node id, from 1.
    """

    def __init__(
        self, number: int, directory: Path, addresses: dict[int, Address], advertised_proxy_port: int | None
    ) -> None:
        super().__init__(directory, addresses[number].port, start_seconds_max=NODE_START_SECONDS_MAX)
        self.number = number
        self._addresses = addresses
        self._advertised_proxy_port = advertised_proxy_port

    def _write_properties(self, port: int, controller_port: int) -> None:
        del controller_port  # a node comes back under the address that its peers know
        own = self._addresses[self.number]
        listeners = {"BROKER": port, "CONTROLLER": own.controller_port}
        advertised = {"BROKER": port}
        if self._advertised_proxy_port is not None:
            listeners["PROXIED"] = own.proxied_port
            advertised["PROXIED"] = self._advertised_proxy_port
        voters = ",".join(f"{number}@{HOST}:{each.controller_port}" for number, each in self._addresses.items())
        properties = {
            **SINGLE_NODE,
            **(THREE_NODES if len(self._addresses) > 1 else {}),
            "node.id": self.number,
            "controller.quorum.voters": voters,
            "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in listeners),
            "listeners": _listed(listeners),
            "advertised.listeners": _listed(advertised),
            "log.dirs": str(self.directory / "data"),
        }
        lines = [f"{name}={value}" for name, value in properties.items()]
        (self.directory / "server.properties").write_text("\n".join(lines) + "\n")

    def kill(self) -> None:
        """As kill -9 of Java, and as the machine's end; its data stays."""
        process = self._process
        assert process is not None
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for child in children:
            if "java" in Path(f"/proc/{child}/cmdline").read_text().split("\0")[0]:
                os.kill(int(child), signal.SIGKILL)
        wait_until(lambda: not self.running, KILLED_SECONDS_MAX, "the broker is dead")
        self._stop()


def _listed(listeners: dict[str, int]) -> str:
    return ",".join(f"{name}://{HOST}:{port}" for name, port in listeners.items())


class Cluster:
    """Brokers of one scenario.

    Attributes:
        bootstrap: of all brokers.
        nodes: number -> the broker that runs, or ran, under it.
        proxy: what stands before the first broker, where one does; its own ``bootstrap`` leads through it.
    """

    def __init__(self, place: Path, brokers: int, proxy: Proxy | None = None) -> None:
        ports = free_ports(3 * brokers)
        self._addresses = {number: Address(*ports[3 * number - 3 : 3 * number]) for number in range(1, brokers + 1)}
        self._place = place
        self.proxy = proxy
        self.bootstrap = ",".join(f"{HOST}:{each.port}" for each in self._addresses.values())
        self.nodes: dict[int, Node] = {}

    def __enter__(self) -> Self:
        if self.proxy is not None:
            self.proxy.target_port = self._addresses[1].proxied_port
        self.start(*self._addresses)
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as stack:
            for node in self.nodes.values():
                stack.callback(node._stop)

    def start(self, *numbers: int) -> None:
        """Start brokers, together: none serves before a majority is there."""
        for number in numbers:
            directory = self._place / f"broker-{number}"
            directory.mkdir(parents=True, exist_ok=True)
            port = self.proxy.port if self.proxy is not None else None
            self.nodes[number] = Node(number, directory, self._addresses, port)
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda number: self.nodes[number].__enter__(), numbers))

    def kill(self, *numbers: int) -> None:
        for number in numbers:
            self.nodes[number].kill()


@contextmanager
def cluster(place: Path, brokers: int, *, proxied: bool = False) -> Iterator[Cluster]:
    """Brokers for the time of a block."""
    with ExitStack() as stack:
        proxy = stack.enter_context(Proxy()) if proxied else None
        yield stack.enter_context(Cluster(place, brokers, proxy))

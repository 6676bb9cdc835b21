"""One run: cases over many connections at once, what came of each, and what must hold at the end."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from tests.fuzz.door.cases import CANARY, Case, case
from tests.fuzz.door.checks import Kept, answered, problems
from tests.fuzz.door.schemes import FEEDS, SECRET
from tests.gateway.house import HOST, read_records, send

CONNECTIONS: Final = 48
ANSWER_SECONDS_MAX: Final = 30.0
"""A connection that is neither answered nor closed by then hangs; the gateway's own patience is one second here."""

MEMORY_MEBIBYTES_MAX: Final = 220
"""The gateway's resident set, at most: half of it are the imports, 64 are the room for bodies, twice."""

Failure = tuple[int, str, str]
"""Number, door and what was wrong."""


class Served(NamedTuple):
    """A gateway that is fuzzed."""

    process: subprocess.Popen[str]
    port: int
    health_port: int
    bootstrap: str
    prefix: str
    log: Path

    def peak_mebibytes(self) -> float:
        """The most memory that it ever had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024

    def series(self, pattern: str) -> float:
        """The sum of the series that match."""
        page = send(self.health_port, "/metrics", None, None, "GET").body.decode()
        return sum(float(value) for value in re.findall(rf"^{pattern} (\S+)$", page, re.MULTILINE))


@contextmanager
def served(bootstrap: str, prefix: str, place: Path) -> Iterator[Served]:
    """A gateway with the doors that are fuzzed, over topics of its own."""
    log = place / "gateway.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.door.served", bootstrap, prefix, str(place / "config")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            ports = process.stdout.readline().split()
            assert len(ports) == 2, log.read_text()
            yield Served(process, int(ports[0]), int(ports[1]), bootstrap, prefix, log)
        finally:
            process.stdin.close()
            process.wait()


@dataclass(slots=True)
class Tally:
    """What came of the cases.

    Attributes:
        statuses: of all answers; 0 counts connections that were closed without one.
        kept: what was accepted, by door: how often each value must be in its topic.
    """

    cases: int = 0
    good: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    kept: dict[str, Counter[bytes]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)

    def add(self, fuzzed: Case, raw: bytes | None) -> None:
        """Judge one case; None: its connection hung."""
        self.cases += 1
        self.good += fuzzed.good
        if raw is None:
            self.failures.append((fuzzed.number, fuzzed.door, "neither answered nor closed"))
            return
        found, kept = problems(fuzzed, raw)
        if not found:
            self.statuses.update([answer.status for answer in answered(raw)] or [0])
        for record in kept:
            self._keep(record)
        if found:
            self.failures.append((fuzzed.number, fuzzed.door, "; ".join(dict.fromkeys(found))[:300]))

    def _keep(self, record: Kept) -> None:
        self.kept.setdefault(record.door, Counter())[record.value] += 1


async def told(port: int, parts: list[bytes]) -> bytes | None:
    """Everything that the gateway answers to some bytes; None where the connection hangs."""
    reader, writer = await asyncio.open_connection(HOST, port)
    answer = bytearray()
    try:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            try:
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                while more := await reader.read(65_536):
                    answer += more
            except ConnectionError:  # closed while it was being written to: what was answered before counts
                while more := await _rest(reader):
                    answer += more
            return bytes(answer)
    except TimeoutError:
        return None
    finally:
        writer.close()


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(65_536)
    except ConnectionError:
        return b""


async def fuzz(gateway: Served, seed: int, numbers: range, on_case: Callable[[], None] = lambda: None) -> Tally:
    """Send the cases of some numbers, and judge what comes back."""
    tally, waiting = Tally(), iter(numbers)

    async def client() -> None:
        for number in waiting:
            fuzzed = case(seed, number)
            tally.add(fuzzed, await told(gateway.port, fuzzed.parts))
            on_case()

    await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
    tally.failures += [(-1, "all", fault) for fault in _afterwards(gateway, tally)]
    return tally


def _afterwards(gateway: Served, tally: Tally) -> Iterator[str]:
    """What must hold once all is answered."""
    for door in FEEDS:
        wanted = tally.kept.get(door, Counter())
        found = Counter(
            each.value() or b"" for each in read_records(gateway.bootstrap, f"{gateway.prefix}alerts.raw.{door}", 0)
        )
        if lost := (wanted - found).total():
            yield f"{door}: {lost} accepted messages are not in Kafka with their bytes"
        if strange := (found - wanted).total():
            yield f"{door}: {strange} messages are in Kafka that were not accepted"
    if gateway.process.poll() is not None:
        yield f"the gateway ended with {gateway.process.returncode}"
        return
    if defects := gateway.series(r'spillway_gateway_refused_total\{.*reason="defect".*\}'):
        yield f"{defects:.0f} defects are counted"
    if in_flight := gateway.series("spillway_gateway_requests_in_flight"):
        yield f"{in_flight:.0f} requests are still in flight"
    if (peak := gateway.peak_mebibytes()) > MEMORY_MEBIBYTES_MAX:
        yield f"the gateway had {peak:.0f} MiB"
    log = gateway.log.read_text(errors="replace")
    if "Traceback" in log or "gateway defect" in log:
        yield f"a defect is in the log: {log[-300:]}"
    if CANARY in log or SECRET in log:
        yield "the log repeats what was sent"

"""A soak: everything runs at a steady rate, and nothing may grow: ``python -m benchmarks.soak --minutes 10``.

Every few seconds memory, open file handles and threads of worker, gateway and console are read, with the delay from a
message to its incident. After a warm-up (caches fill, as many incidents close as open) a line is fitted through each
series. Exit code 1: something grows above its limit, the delay too, or an alert is unaccounted for.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

from benchmarks.machine import memory_bytes
from benchmarks.results import BenchmarkError, Results, percentile, say
from benchmarks.soak_site import Life, Site, running_site
from benchmarks.worker import total

SAMPLE_SECONDS: Final = 5.0
WARM_UP_SHARE: Final = 0.4
WARM_UP_SECONDS_MAX: Final = 1_800.0
"""Caches fill in the first minutes, more slowly ever after."""

GROWTH_AN_HOUR_MAX: Final = 0.02
"""Of memory: at twice as much the process would need a restart after three weeks."""

MEMORY_NOISE_BYTES: Final = 12 * 2**20
"""An allocator gives pages back when it likes: what a process at rest was seen to differ by."""

HANDLES_MORE_MAX: Final = 6
THREADS_MORE_MAX: Final = 4
"""From the first to the last quarter of what is judged: a reconnect or a pool's thread more is no leak."""

DELAY_FACTOR_MAX: Final = 2.0
DELAY_NOISE_SECONDS: Final = 2.0
"""The second half's p99 against the first's; other work on the machine may be all of the noise."""


@dataclass(slots=True)
class Series:
    """What was read of one process.

    Attributes:
        at: seconds since the begin.
        memory: resident set, bytes.
    """

    at: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    handles: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)

    def read(self, process: int, at: float) -> None:
        """Read /proc once more."""
        self.memory.append(memory_bytes(process))
        self.handles.append(len(list(Path(f"/proc/{process}/fd").iterdir())))
        self.threads.append(len(list(Path(f"/proc/{process}/task").iterdir())))
        self.at.append(at)

    def since(self, seconds: float) -> Series:
        """What was read from then on."""
        first = next((place for place, at in enumerate(self.at) if at >= seconds), len(self.at))
        return Series(self.at[first:], self.memory[first:], self.handles[first:], self.threads[first:])


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Growth a second of the line through some points, by least squares; 0.0 for fewer than two."""
    if len(times) < 2:
        return 0.0
    middle, mean = sum(times) / len(times), sum(values) / len(values)
    spread = sum((at - middle) ** 2 for at in times)
    return sum((at - middle) * (value - mean) for at, value in zip(times, values, strict=True)) / spread


def more_in_the_end(values: Sequence[int]) -> int:
    """By how much the most of the last quarter is above the most of the first."""
    quarter = max(1, len(values) // 4)
    return max(values[-quarter:]) - max(values[:quarter])


def judged(name: str, series: Series) -> tuple[dict[str, Any], list[str]]:
    """Figures of one process after the warm-up, and what is wrong with them."""
    mean = sum(series.memory) / len(series.memory)
    span = series.at[-1] - series.at[0]
    growth = slope(series.at, series.memory) * span
    allowed = MEMORY_NOISE_BYTES + mean * GROWTH_AN_HOUR_MAX * span / 3_600
    handles, threads = more_in_the_end(series.handles), more_in_the_end(series.threads)
    wrong = []
    if growth > allowed:
        wrong.append(f"{name}: memory grew by {growth / 2**20:.1f} MiB in {span:.0f} s, {allowed / 2**20:.1f} may be")
    if handles > HANDLES_MORE_MAX:
        wrong.append(f"{name}: {handles} file handles more in the end, {HANDLES_MORE_MAX} may be")
    if threads > THREADS_MORE_MAX:
        wrong.append(f"{name}: {threads} threads more in the end, {THREADS_MORE_MAX} may be")
    figures = {
        "memory_mib": round(mean / 2**20, 1),
        "memory_max_mib": round(max(series.memory) / 2**20, 1),
        "memory_growth_mib": round(growth / 2**20, 2),
        "memory_growth_an_hour": round(growth / mean / span * 3_600, 4) if span else 0.0,
        "handles": series.handles[-1],
        "handles_more": handles,
        "threads": series.threads[-1],
        "threads_more": threads,
    }
    return figures, wrong


def delays_judged(
    delays: Sequence[float], noise_seconds: float = DELAY_NOISE_SECONDS
) -> tuple[dict[str, Any], list[str]]:
    """Figures of the delays after the warm-up, in the order in which they came, and what is wrong with them."""
    half = len(delays) // 2
    if not half:
        return {}, ["no incident was opened after the warm-up"]
    early, late = (percentile(sorted(part), 0.99) for part in (delays[:half], delays[half:]))
    ordered = sorted(delays)
    figures = {
        "incidents": len(ordered),
        "p50_seconds": round(percentile(ordered, 0.5), 3),
        "p99_seconds": round(percentile(ordered, 0.99), 3),
        "p99_early_seconds": round(early, 3),
        "p99_late_seconds": round(late, 3),
    }
    allowed = early * DELAY_FACTOR_MAX + noise_seconds
    wrong = [f"delay: p99 rose from {early:.2f} to {late:.2f} s, {allowed:.2f} may be"] if late > allowed else []
    return figures, wrong


def watched(site: Site, life: Life, seconds: float) -> dict[str, Series]:
    """Sample until the time is over.

    Raises:
        BenchmarkError: something ended before.
    """
    series = {name: Series() for name in site.processes}
    began = time.monotonic()
    while (at := time.monotonic() - began) < seconds:
        for name, process in site.processes.items():
            try:
                series[name].read(process, at)
            except (FileNotFoundError, ProcessLookupError):
                raise BenchmarkError(f"{name} ended after {at:.0f} s; {site.worker.last_words()}") from None
        _look_at_the_board(site)
        if life.trouble:
            raise BenchmarkError(life.trouble)
        if int(at / 60) != int((at - SAMPLE_SECONDS) / 60):
            said = ", ".join(f"{name} {each.memory[-1] >> 20} MiB" for name, each in series.items())
            say(f"soak: minute {at / 60:.0f}: {life.opened} failures, {len(life.delays)} incidents; {said}")
        time.sleep(SAMPLE_SECONDS)
    return series


def _look_at_the_board(site: Site) -> None:
    """As somebody does who leaves it open."""
    connection = HTTPConnection("127.0.0.1", site.console.port, timeout=60)
    connection.request("GET", "/api/v1/incidents", headers={"Authorization": f"Bearer {site.console.tokens[0]}"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != 200:  # HTTP
        raise BenchmarkError(f"the console answers {answer.status}")


def soak(minutes: float, rate: float, results: Results, noise_seconds: float = DELAY_NOISE_SECONDS) -> list[str]:
    """Run it; what is wrong, in the order of importance."""
    with running_site() as site, Life(site, rate) as life:
        began = time.time()
        series = watched(site, life, minutes * 60)
        ended, metrics = time.time(), [site.worker.metrics()]
    warm = min(WARM_UP_SECONDS_MAX, minutes * 60 * WARM_UP_SHARE)
    wrong, figures = [], dict[str, Any]()
    if remainder := total(metrics, "spillway_conservation_remainder"):
        wrong.append(f"{remainder:g} alerts are unaccounted for")
    for name, each in series.items():
        figures[name], found = judged(name, each.since(warm))
        wrong += found
    delays, found = delays_judged([delay for at, delay in life.delays if at >= began + warm], noise_seconds)
    results.add(
        "soak",
        f"{minutes:g} minutes",
        minutes=round((ended - began) / 60, 1),
        rate=rate,
        messages=life.sent,
        failures=life.opened,
        **figures,
        delay=delays,
        wrong=wrong + found,
    )
    return wrong + found


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=float, default=1.0, help="failures that begin a second (default: %(default)s)")
    parser.add_argument(
        "--delay-noise-seconds",
        type=float,
        default=DELAY_NOISE_SECONDS,
        help="what other work on the machine may add to the delay (default: %(default)s)",
    )
    parser.add_argument("--results", type=Path, help="results file, appended to")
    arguments = parser.parse_args()
    results = Results(arguments.results, mode="full" if arguments.minutes >= 60 else "quick")
    results.add_machine()
    try:
        wrong = soak(arguments.minutes, arguments.rate, results, arguments.delay_noise_seconds)
    except BenchmarkError as error:
        wrong = [str(error)]
    for line in wrong:
        say(f"soak: {line}")
    say("soak: failed" if wrong else "soak: nothing grew")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())

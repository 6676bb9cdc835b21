"""The bars: what the project promises of its speed, as ratios within one run where they compare.

A bar whose figures have not been measured is not checked, and says so. Each is met, or missed by a factor.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.bar import Bar
from benchmarks.results import newest, read, say

Row = dict[str, Any]


class Figures:
    """The rows of the newest run of each part, by part and name."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = {(row["bench"], row["name"]): row for row in rows}

    def row(self, bench: str, name: str) -> Row:
        """One row; KeyError where it was not measured."""
        return self._rows[bench, name]

    def of(self, bench: str) -> list[Row]:
        """All rows of a part."""
        return [row for (each, _), row in self._rows.items() if each == bench]

    def rate(self, bench: str, name: str) -> float:
        """Alerts per CPU-second, median."""
        return float(self.row(bench, name)["per_cpu_second"]["median"])

    def peer(self, name: str, repeats: str = "90%") -> float:
        """Alerts per CPU-second of a peer."""
        return self.rate("peers", f"{name}, {repeats} repeats")

    def kafka_streams(self) -> float:
        """Alerts per CPU-second of Kafka Streams at 90 % repeats; KeyError where Java was not warmed up before."""
        if not self.row("peers", "Kafka Streams, 90% repeats")["warm_up_alerts"]:
            raise KeyError("warm_up_alerts")
        return self.peer("Kafka Streams")

    def growth(self, axis: str) -> float:
        """Cost of a new alert at the far end of an axis, as a multiple of that at its near end."""
        rows = sorted((row for row in self.of("core") if row["axis"] == axis), key=lambda row: int(row["size"]))
        if len(rows) < 2:
            raise KeyError(axis)
        return float(rows[-1]["new_alert_us"] / rows[0]["new_alert_us"])

    def rules(self) -> float:
        """Cost of a new alert with 1,000 rules of each kind, as a multiple of that with 10."""
        return float(self.row("core", "1,000 rules")["new_alert_us"] / self.row("core", "10 rules")["new_alert_us"])


OURS: Final = "spillway"
STEADY: Final = "2,000 requests/s"
CORE_POINT: Final = "10,000 open incidents"

BARS: Final[tuple[Bar[Figures], ...]] = (
    Bar("peer job against Kafka Streams, alerts per CPU-second", 2, lambda f: f.peer(OURS) / f.kafka_streams()),
    Bar("peer job against Quix Streams", 4, lambda f: f.peer(OURS) / f.peer("Quix Streams")),
    Bar("peer job against stock Faust", 25, lambda f: f.peer(OURS) / f.peer("stock Faust")),
    Bar("peer job against the hand-written loop", 0.5, lambda f: f.peer(OURS) / f.peer("hand-written loop")),
    Bar(
        "whole pipeline against Kafka Streams on the peer job, 90 % repeats",
        1,
        lambda f: f.rate("pipeline", "90% repeats") / f.kafka_streams(),
    ),
    Bar(
        "whole pipeline against Alertmanager, 90 % repeats",
        1,
        lambda f: f.rate("pipeline", "90% repeats") / f.rate("alertmanager", "90% repeats"),
        goal=True,
    ),
    Bar("raw alert to open incident at half load, p50 ms", 60, lambda f: _latency(f, "p50_ms"), least=False),
    Bar("raw alert to open incident at half load, p99 ms", 250, lambda f: _latency(f, "p99_ms"), least=False),
    Bar("ingest, us", 40, lambda f: _core(f, "ingest"), least=False),
    Bar("dedupe of a repeat, us", 10, lambda f: _core(f, "repeat"), least=False),
    Bar("correlate, us an episode with 10,000 open incidents", 120, lambda f: _core(f, "correlate"), least=False),
    Bar("cost of a new alert, fewest to most open incidents", 1.3, lambda f: f.growth("open incidents"), least=False),
    Bar("cost of a new alert, fewest to most services", 1.3, lambda f: f.growth("services"), least=False),
    Bar("cost of a new alert, 1,000 rules against 10", 2.0, Figures.rules, least=False),
    Bar(
        "restore, keys a second, processors alone",
        100_000,
        lambda f: float(f.row("state", "10 episodes an incident")["restore_keys_per_second"]["median"]),
    ),
    Bar("restore, keys a second, Kafka to ready", 100_000, lambda f: float(_restore(f)["keys_per_second"]["median"])),
    Bar(
        "P1 incident of another feed during a storm, max s",
        5,
        lambda f: float(f.row("storm", "10 times capacity")["alertmanager_p1_max_seconds"]),
        least=False,
    ),
    Bar(
        "P1 incident inside the feed that runs away, max s",
        5,
        lambda f: float(f.row("storm", "10 times capacity")["runaway_p1_max_seconds"]),
        least=False,
    ),
    Bar("gateway, requests a second", 2_000, lambda f: _gateway(f, "as fast as it goes", "per_second")),
    Bar("gateway at 2,000 requests a second, p99 ms", 50, lambda f: _gateway(f, STEADY, "p99_ms"), least=False),
    Bar(
        "memory, bytes an open episode (10 an incident)",
        1_024,
        lambda f: float(f.row("state", "10 episodes an incident")["episode_bytes"]["median"]),
        least=False,
    ),
    Bar("board over a million incidents, p95 ms", 200, lambda f: _console(f, "board"), least=False, strict=True),
    Bar("search over a million incidents, p95 ms", 300, lambda f: _console(f, "search"), least=False, strict=True),
    Bar("incident page over a million, p95 ms", 150, lambda f: _console(f, "incident"), least=False, strict=True),
    Bar(
        "command accepted, p99 ms",
        50,
        lambda f: float(_million(f, "command")["p99_ms_1"]),
        least=False,
        strict=True,
    ),
    Bar("streams of changes at once", 500, lambda f: float(_million(f, "streams")["streams"])),
)

MILLION: Final = 1_000_000


def _million(figures: Figures, name: str) -> Row:
    """A row of the console; KeyError where it was measured over a smaller store."""
    row = figures.row("console", name)
    if row["incidents"] < MILLION:
        raise KeyError(name)
    return row


def _console(figures: Figures, begin: str) -> float:
    """The worst p95 of one client of all kinds of requests whose name begins so."""
    names = [str(row["name"]) for row in figures.of("console") if str(row["name"]).startswith(begin)]
    if not names:
        raise KeyError(begin)
    return max(float(_million(figures, name)["p95_ms_1"]) for name in names)


def _latency(figures: Figures, figure: str) -> float:
    return float(figures.row("latency", "half load")[figure]["median"])


def _gateway(figures: Figures, load: str, figure: str) -> float:
    return float(figures.row("gateway", load)[figure]["median"])


def _core(figures: Figures, stage: str) -> float:
    return float(figures.row("core", CORE_POINT)[stage]["mean_us"])


def _restore(figures: Figures) -> Row:
    return figures.row("recovery", "restore")


@dataclass(frozen=True, slots=True)
class Outcome:
    """A bar and what was measured; None where nothing was."""

    bar: Bar[Figures]
    value: float | None

    @property
    def passed(self) -> bool:
        """Whether it fails no check."""
        return self.value is None or self.bar.goal or self.bar.met(self.value)

    def line(self) -> str:
        """For people: met, or how far."""
        bar, value = self.bar, self.value
        sign = ">=" if bar.least else "<="
        if value is None:
            return f"not measured  {bar.text} ({sign} {bar.limit:,g})"
        verdict = "met" if bar.met(value) else f"{_factor(bar, value):.2f}x off"
        return f"{verdict:13} {bar.text}: {value:,.4g} ({'goal ' if bar.goal else ''}{sign} {bar.limit:,g})"


def _factor(bar: Bar[Figures], value: float) -> float:
    return bar.limit / value if bar.least else value / bar.limit


def outcomes(rows: list[Row], bars: tuple[Bar[Figures], ...] = BARS) -> list[Outcome]:
    """Each bar against the newest rows."""
    figures = Figures(newest(rows))

    def value(bar: Bar[Figures]) -> float | None:
        try:
            return bar.figure(figures)
        except KeyError:
            return None

    return [Outcome(bar, value(bar)) for bar in bars]


def report(path: Path) -> int:
    """Say how each bar stands; exit code 1 where one is missed."""
    found = outcomes(read(path))
    for outcome in found:
        say(outcome.line())
    return int(not all(outcome.passed for outcome in found))

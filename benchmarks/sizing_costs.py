"""Costs that sizing goes by: read out of published results where they were measured, else assumed, and each says which.

Nothing is typed over from a table: `costs_of` reads `benchmarks/results.jsonl` (or another results file), so that a new
measurement changes the sizes, and a measurement of your own machine can be put in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.results import newest, read

PUBLISHED: Final = Path(__file__).with_name("results.jsonl")

MEASURED: Final = "measured"
COMPUTED: Final = "computed"
ASSUMED: Final = "assumed"

NEWS_SHARES: Final = {"90% repeats": 0.15, "50% repeats": 0.55, "0% repeats": 1.0}
"""Share of alerts that change an episode, of the benchmark's streams: beside first alerts, one in twenty ends one."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cost:
    """One cost.

    Attributes:
        value: in the unit that its name says.
        kind: measured, computed from what was measured, or assumed.
        source: the run, or why it is assumed so.
    """

    value: float
    kind: str
    source: str


@dataclass(frozen=True, slots=True)
class Costs:
    """What one unit of work takes.

    Attributes:
        alert_us: CPU of the worker for any alert: ingest, dedupe and their Kafka clients.
        news_us: CPU more for an alert that changes an episode: correlate, bridge and what they write.
        ingest_share: of `alert_us`, what ingest takes; dedupe takes the rest.
        dedupe_share: of `news_us`, what dedupe takes.
        bridge_share: of `news_us`, what bridge takes; correlate takes the rest.
        broker_us: CPU of one broker, one copy, for any alert.
        broker_news_us: and more for one that changes an episode.
        episode_bytes: memory of an open episode over all stages.
        episode_keys: records of state that an open episode has.
        restore_keys: state records a second that a process reads back.
        process_mib: memory of a process before any state.
        record_us: CPU of the record stage for an event of an incident.
        request_us: CPU of the gateway for a request.
        streams_core: listeners that a core of the console serves.
        raw_bytes: a raw alert.
        hop_bytes: what an alert adds to the other topics, whatever becomes of it.
        news_bytes: what one that changes an episode adds on top, state and records included.
        compression: by how much producers' compression makes batches smaller.
    """

    alert_us: Cost
    news_us: Cost
    ingest_share: Cost
    dedupe_share: Cost
    bridge_share: Cost
    broker_us: Cost
    broker_news_us: Cost
    episode_bytes: Cost
    episode_keys: Cost
    restore_keys: Cost
    process_mib: Cost
    record_us: Cost
    request_us: Cost
    streams_core: Cost
    raw_bytes: Cost
    hop_bytes: Cost
    news_bytes: Cost
    compression: Cost


ASSUMPTIONS: Final[Mapping[str, tuple[float, str]]] = {
    "request_us": (400.0, "an HTTP request with an HMAC in Python; measured by `python -m benchmarks gateway`"),
    "restore_keys": (80_000.0, "the bar is 100,000; measured by `python -m benchmarks recovery`"),
    "process_mib": (260.0, "four stages in one process; measured by `python -m benchmarks pipeline`"),
    "streams_core": (500.0, "the bar; measured by `python -m benchmarks console`"),
    "episode_bytes": (4_700.0, "measured by `python -m benchmarks state`"),
    "episode_keys": (2.2, "measured by `python -m benchmarks state`"),
}
"""What stands in where the results have no row."""

OTHERS: Final[Mapping[str, tuple[float, str, str]]] = {
    "record_us": (360.0, MEASURED, "docs/records.md, 2026-11-30"),
    "raw_bytes": (790.0, MEASURED, "the benchmark's stream: Alertmanager's shape"),
    "hop_bytes": (1_000.0, ASSUMED, "the normalised alert on `alerts`"),
    "news_bytes": (12_000.0, ASSUMED, "episode, incident event, snapshot, summary and state records"),
    "compression": (4.0, ASSUMED, "lz4 or zstd over batches of JSON that repeats itself; 1 where producers have none"),
}


class Table:
    """The newest rows of a results file."""

    def __init__(self, path: Path) -> None:
        self._rows = {(row["bench"], row["name"]): row for row in newest(read(path))}

    def row(self, bench: str, name: str) -> Row:
        """One row; KeyError where it was not measured."""
        return self._rows[bench, name]

    def cost(self, name: str, bench: str, row: str, of: Callable[[Row], float]) -> Cost:
        """A figure of a row, or what is assumed instead."""
        try:
            found = self.row(bench, row)
            return Cost(of(found), MEASURED, f"{bench}, {row}, {found['run'][:10]}, {found['mode']}")
        except KeyError:
            value, why = ASSUMPTIONS[name]
            return Cost(value, ASSUMED, why)


def costs_of(path: Path = PUBLISHED) -> Costs:
    """The costs by a results file.

    Args:
        path: JSON lines as the benchmarks write them.

    Raises:
        KeyError: parts ``pipeline`` or ``core`` were never measured: nothing can be said without them.
    """
    table = Table(path)
    worker = _line(table, lambda row: 1e6 / row["per_cpu_second"]["median"])
    broker = _line(table, lambda row: 1e6 * row["broker_cpu_seconds"] / row["alerts"])
    core = table.row("core", "10,000 open incidents")
    source = f"core, 10,000 open incidents, {core['run'][:10]}, {core['mode']}"
    us = {name: float(core[name]["mean_us"]) for name in ("ingest", "dedupe", "repeat", "correlate", "bridge")}
    first = us["dedupe"] - us["repeat"]
    news = first + us["correlate"] + us["bridge"]
    lines = {name: Cost(value, kind, why) for name, (value, kind, why) in OTHERS.items()}
    return Costs(
        alert_us=worker[0],
        news_us=worker[1],
        ingest_share=Cost(us["ingest"] / (us["ingest"] + us["repeat"]), COMPUTED, source),
        dedupe_share=Cost(first / news, COMPUTED, source),
        bridge_share=Cost(us["bridge"] / news, COMPUTED, source),
        broker_us=broker[0],
        broker_news_us=broker[1],
        episode_bytes=_state(table, "episode_bytes", lambda row: row["episode_bytes"]["median"]),
        episode_keys=_state(table, "episode_keys", lambda row: row["keys"] / row["episodes"]),
        restore_keys=table.cost("restore_keys", "recovery", "restore", lambda row: row["keys_per_second"]["median"]),
        process_mib=table.cost("process_mib", "pipeline", "90% repeats", lambda row: row["memory_peak_mib"]),
        request_us=table.cost("request_us", "gateway", "as fast as it goes", lambda row: row["cpu_us"]["median"]),
        streams_core=table.cost("streams_core", "console", "streams", lambda row: row["streams"]),
        **lines,
    )


def measured_alerts(path: Path = PUBLISHED) -> int:
    """Alerts of each run that the pipeline's costs come from: a run to compare must warm up for as long.

    Raises:
        KeyError: it was never measured.
    """
    return int(Table(path).row("pipeline", "0% repeats")["alerts"])


def _state(table: Table, name: str, of: Callable[[Row], float]) -> Cost:
    return table.cost(name, "state", "10 episodes an incident", of)


def _line(table: Table, of: Callable[[Row], float]) -> tuple[Cost, Cost]:
    """What any alert costs, and what one that is news costs more: the least squares over the measured shares."""
    rows = {share: table.row("pipeline", name) for name, share in NEWS_SHARES.items()}
    points = [(share, float(of(row))) for share, row in rows.items()]
    mean_x, mean_y = (sum(each) / len(points) for each in zip(*points, strict=True))
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)
    newest_row = rows[1.0]
    source = f"pipeline at {', '.join(NEWS_SHARES)}, {newest_row['run'][:10]}, {newest_row['mode']}"
    return Cost(max(0.0, mean_y - slope * mean_x), COMPUTED, source), Cost(max(0.0, slope), COMPUTED, source)

"""The tables of the README, made from the results file; they stand between two markers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from benchmarks.bars import outcomes
from benchmarks.results import newest, read

README: Final = Path(__file__).parent / "README.md"
BEGIN: Final = "<!-- results: made by `python -m benchmarks table` -->"
END: Final = "<!-- end of results -->"

Row = dict[str, Any]
Cell = Callable[[Row], str]


class MarkerError(Exception):
    """The README has not the markers that the tables stand between."""


def spread(name: str) -> Cell:
    """Median and range of a figure of several runs."""

    def cell(row: Row) -> str:
        figure = row.get(name)
        if not isinstance(figure, dict):
            return plain(name)(row)  # of a run before it was measured several times
        if len(figure["runs"]) == 1:
            return f"{figure['median']:,}"
        return f"{figure['median']:,} ({figure['min']:,}-{figure['max']:,})"

    return cell


def plain(name: str) -> Cell:
    """A figure as it is."""

    def cell(row: Row) -> str:
        value = row.get(name, "")
        return f"{value:,}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)

    return cell


def stage(name: str) -> Cell:
    """Mean and 99th percentile of a stage."""
    return lambda row: f"{row[name]['mean_us']:,} ({row[name]['p99_us']:,})"


COLUMNS: Final[dict[str, tuple[str, dict[str, Cell]]]] = {
    "pipeline": (
        "Whole pipeline, raw topic to `incidents`",
        {
            "alerts": plain("alerts"),
            "alerts/s": spread("per_second"),
            "alerts per CPU-second": spread("per_cpu_second"),
            "broker CPU s": plain("broker_cpu_seconds"),
            "memory MiB": plain("memory_peak_mib"),
        },
    ),
    "latency": (
        "Raw alert produced to incident opened, read committed",
        {
            "alerts/s": plain("rate"),
            "p50 ms": spread("p50_ms"),
            "p99 ms": spread("p99_ms"),
            "p99.9 ms": spread("p999_ms"),
            "incidents": plain("incidents"),
        },
    ),
    "peers": (
        "The peer job",
        {
            "guarantee": plain("guarantee"),
            "alerts": plain("alerts"),
            "alerts/s": spread("per_second"),
            "alerts per CPU-second": spread("per_cpu_second"),
            "broker CPU s": plain("broker_cpu_seconds"),
            "memory MiB": plain("memory_peak_mib"),
        },
    ),
    "alertmanager": (
        "Alertmanager",
        {
            "alerts": plain("alerts"),
            "alerts/s": spread("per_second"),
            "alerts per CPU-second": spread("per_cpu_second"),
            "notifications": plain("notifications"),
            "memory MiB": plain("memory_peak_mib"),
        },
    ),
    "core": (
        "Pure core, us a record: mean (p99)",
        {
            "ingest": stage("ingest"),
            "dedupe, first": stage("dedupe"),
            "dedupe, repeat": stage("repeat"),
            "correlate": stage("correlate"),
            "bridge": stage("bridge"),
            "new alert, all stages": plain("new_alert_us"),
            "90 % repeats, all stages": plain("mean_alert_us"),
        },
    ),
    "state": (
        "State",
        {
            "episodes": plain("episodes"),
            "incidents": plain("incidents"),
            "bytes an episode more": spread("episode_bytes"),
            "restore, keys/s of CPU": spread("restore_keys_per_second"),
        },
    ),
    "scale": (
        "Scale, 90 % repeats",
        {
            "workers": plain("workers"),
            "partitions": plain("partitions"),
            "alerts/s": spread("per_second"),
            "alerts per CPU-second": spread("per_cpu_second"),
            "cores busy, workers and broker": spread("cores"),
        },
    ),
    "storm": (
        "A storm of ten times capacity from one feed",
        {
            "capacity, alerts/s": plain("capacity"),
            "offered": plain("offered_per_second"),
            "seconds": plain("seconds"),
            "alerts": plain("offered"),
            "behind at its end": plain("behind"),
            "recovered in s": plain("recovery_seconds"),
            "memory before, MiB": plain("memory_before_mib"),
            "peak": plain("memory_peak_mib"),
            "went ahead": plain("went_ahead"),
            "P1 of the other feed, s: p50": plain("alertmanager_p1_p50_seconds"),
            "max": plain("alertmanager_p1_max_seconds"),
            "P1 inside the storm: p50": plain("runaway_p1_p50_seconds"),
            "its max": plain("runaway_p1_max_seconds"),
        },
    ),
    "gateway": (
        "Gateway: HTTP request to acknowledged record; the producers alone",
        {
            "requests": plain("requests"),
            "requests/s": spread("per_second"),
            "p50 ms": spread("p50_ms"),
            "p99 ms": spread("p99_ms"),
            "CPU us a request": spread("cpu_us"),
            "broker CPU us": spread("broker_cpu_us"),
            "memory MiB": plain("memory_peak_mib"),
        },
    ),
    "sinks": (
        "A storm of 1,000 incidents into a slow sink, beside one without a limit",
        {
            "requests": plain("requests"),
            "refused": plain("refused"),
            "seconds": plain("seconds"),
            "less urgent told before": plain("out_of_order"),
            "newest of the most urgent, s": plain("most_urgent_told_seconds"),
            "became urgent, told after s: p50": plain("risen_wait_p50_seconds"),
            "max": plain("risen_wait_max_seconds"),
            "backlog": plain("backlog_max"),
            "oldest, s": plain("oldest_max_seconds"),
            "memory before, MiB": plain("memory_before_mib"),
            "peak": plain("memory_peak_mib"),
            "other sink: p50 s": plain("quick_p50_seconds"),
            "last": plain("quick_last_seconds"),
        },
    ),
    "console": (
        "The console over a store of many incidents",
        {
            "incidents": plain("incidents"),
            "first p95 ms": plain("first_p95_ms"),
            "p50": plain("p50_ms_1"),
            "p95": plain("p95_ms_1"),
            "p99": plain("p99_ms_1"),
            "eight at once: p50": plain("p50_ms_8"),
            "p95 of eight": plain("p95_ms_8"),
            "answer bytes": plain("answer_bytes"),
            "streams": plain("streams"),
            "changes/s": plain("changes_per_second"),
            "change told: p50 ms": plain("delay_p50_ms"),
            "change told: p95": plain("delay_p95_ms"),
            "console MiB": plain("memory_mib"),
        },
    ),
    "recovery": (
        "Recovery, seconds; of a kill: from the kill",
        {
            "keys": plain("keys"),
            "keys/s": spread("keys_per_second"),
            "keys per CPU-second": spread("keys_per_cpu_second"),
            "start without state": spread("empty_seconds"),
            "ready": spread("ready_seconds"),
            "first incident": spread("first_seconds"),
            "caught up": spread("caught_up_seconds"),
            "prompt is within": plain("prompt_seconds"),
        },
    ),
}


def write(results: Path, readme: Path = README) -> None:
    """Put the tables of the newest results into the README.

    Raises:
        MarkerError: it has no place for them.
    """
    text = readme.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise MarkerError(f"{readme}: the lines {BEGIN!r} and {END!r} are missing: add them where the tables belong")
    readme.write_text(f"{before}{BEGIN}\n\n{tables(read(results))}\n{END}{after}")


def tables(rows: list[Row]) -> str:
    """Bars first, then each part that was measured."""
    latest = newest(rows)
    parts = [*machines(latest), bars_table(rows)]
    for bench, (title, columns) in COLUMNS.items():
        if found := [row for row in latest if row["bench"] == bench]:
            cells = ([row["name"], *(cell(row) for cell in columns.values())] for row in found)
            parts.append(f"### {title}\n\n{markdown(['', *columns], cells)}\n{remark(found)}\n")
    return "\n".join(parts)


def machines(rows: list[Row]) -> list[str]:
    """What the newest run was made on, if that is known."""
    return [
        f"Newest run: {row['cores']} cores, {row['cpu']}, {row['memory_gib']} GiB; Python {row['python']}, "
        f"Kafka {row['kafka']}; commit {row['commit'] or 'unknown'}.\n"
        for row in rows
        if row["bench"] == "machine" and "commit" in row
    ]


def remark(rows: list[Row]) -> str:
    """When and how the rows were measured."""
    return f"\nRun {rows[0]['run']}, {rows[0]['mode']}."


def bars_table(rows: list[Row]) -> str:
    """Every bar, and how it stands."""
    lines = (
        [
            each.bar.text,
            f"{'>=' if each.bar.least else '<='} {each.bar.limit:,g}{' (goal)' if each.bar.goal else ''}",
            "not measured" if each.value is None else f"{each.value:,.4g}",
            "" if each.value is None else "met" if each.bar.met(each.value) else "missed",
        ]
        for each in outcomes(rows)
    )
    return f"### Bars\n\n{markdown(['bar', 'limit', 'measured', ''], lines)}\n"


def markdown(head: list[str], lines: Iterable[list[str]]) -> str:
    """A Markdown table."""
    every = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in every)

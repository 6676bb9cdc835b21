"""Backtest: seconds and memory over a recording of any size, two configurations at a time.

    python -m benchmarks.backtest --alerts 1000000

The recording is a day of a flood in which nine of ten alerts repeat a condition and hardly anything ends, about five
hundred services: more stays open than in a company whose failures are repaired. It is made in a temporary directory.
"""

from __future__ import annotations

import argparse
import resource
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Final

import orjson

from benchmarks.alerts import START_MS, Flood, webhook
from benchmarks.corpus import write_company
from pipeline.backtest.compare import compare
from pipeline.backtest.run import decide_both
from pipeline.catalog import load_config
from pipeline.core.step import StreamRecord
from pipeline.flow import DAY_MS
from pipeline.recording import write_line

SERVICES: Final = 500
REPEATS: Final = 0.9
ANOTHER: Final = "join_at_least: 0.8\n"
"""What the second configuration has otherwise: it takes more to join an incident, so many are split."""


def main() -> int:
    """Make a recording, compare, print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alerts", type=int, default=50_000)
    alerts = parser.parse_args().alerts
    with TemporaryDirectory(prefix="spillway-backtest-") as name:
        place = Path(name)
        recording, old, new = place / "day.ndjson", place / "old", place / "new"
        for directory in (old, new):
            write_company(SERVICES, directory)
        (new / "correlation.yaml").write_text(ANOTHER)
        write_recording(recording, alerts)
        began = monotonic()
        sides = decide_both(recording, (load_config(old), load_config(new)), 0, lambda read: None)
        decided = monotonic()
        comparison = compare(*sides)
        figures = {
            "alerts": alerts,
            "megabytes": round(recording.stat().st_size / 1e6),
            "seconds": round(decided - began, 1),
            "cpu_seconds_a_side": [round(side.seconds, 1) for side in sides],
            "compare_seconds": round(monotonic() - decided, 1),
            "memory_mib_a_side_at_most": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10,
            "memory_mib_of_the_comparison": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
            "summary": comparison.summary,
        }
    sys.stdout.write(orjson.dumps(figures, option=orjson.OPT_INDENT_2).decode() + "\n")
    return 0


def write_recording(file: Path, alerts: int) -> None:
    """A day of alerts at an even pace."""
    step_ms = DAY_MS / alerts
    with file.open("wb") as out:
        for number, made in enumerate(Flood(alerts=alerts, repeats=REPEATS, services=SERVICES, even=True).make()):
            at_ms, key = START_MS + int(number * step_ms), made.fingerprint.encode()
            out.write(write_line(StreamRecord("alerts.raw.alertmanager", 0, number, at_ms, key, webhook(made.alert))))


if __name__ == "__main__":
    sys.exit(main())

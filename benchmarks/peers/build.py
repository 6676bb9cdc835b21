"""Makes what the peers of other worlds run on, once, in a cache outside the repository: Quix, Kafka Streams."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.results import BenchmarkError, say

CACHE: Final = Path.home() / ".cache" / "spillway" / "benchmarks"
QUIX: Final = "quixstreams==3.28.1"
_SOURCE: Final = Path(__file__).parent / "kafka_streams"


class BuildError(BenchmarkError):
    """A peer cannot be made here; the message says why."""


def quix_python() -> Path:
    """Python of an environment that has Quix Streams: its dependencies are not ours."""
    place = CACHE / QUIX.replace("==", "-")
    python = place / "bin" / "python"
    if not (place / "complete").exists():
        say(f"peers: installing {QUIX}")
        shutil.rmtree(place, ignore_errors=True)
        run([sys.executable, "-m", "venv", str(place)])
        run([str(python), "-m", "pip", "install", "--quiet", QUIX, "orjson"])
        (place / "complete").touch()
    return python


def kafka_streams_classpath() -> str:
    """Class path of the compiled Kafka Streams peer; it is built anew where its source changed."""
    place, newest = CACHE / "kafka-streams", max(path.stat().st_mtime for path in _SOURCE.rglob("*.*"))
    done = place / "complete"
    if not done.exists() or done.stat().st_mtime < newest:
        say("peers: building the Kafka Streams peer with Maven")
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(_SOURCE, place)
        run(
            [
                "mvn",
                "--quiet",
                "--batch-mode",
                "compile",
                "dependency:copy-dependencies",
                "-DoutputDirectory=libraries",
            ],
            place,
        )
        done.touch()
    return f"{place}/target/classes:{place}/libraries/*"


def run(command: list[str], place: Path | None = None) -> None:
    """Run a command of the build.

    Raises:
        BuildError: it failed or is not there.
    """
    try:
        done = subprocess.run(  # noqa: S603  # our own commands
            command, cwd=place, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as missing:
        raise BuildError(f"{command[0]} is not installed") from missing
    if done.returncode:
        raise BuildError(f"{' '.join(command)}: {(done.stdout + done.stderr).strip()[-800:]}")

"""What a process has used, read from /proc, and what machine this is."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any, Final

from pipeline.kafka.engine import KAFKA_VERSION

TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_FIELDS_BEFORE_STATE: Final = 2
"""Process id and name stand before the state in /proc/PID/stat; the name may hold spaces."""


def cpu_seconds(process: int) -> float:
    """User and system time of a process and its threads since it began, seconds; 10 ms is the kernel's step."""
    fields = _stat(process)
    return (int(fields[13 - _FIELDS_BEFORE_STATE]) + int(fields[14 - _FIELDS_BEFORE_STATE])) / TICKS_PER_SECOND


def memory_bytes(process: int) -> int:
    """Memory that a process has in use now (resident set)."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE_BYTES


def memory_peak_bytes(process: int) -> int:
    """The most memory that a process has had in use."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def descendants(process: int) -> dict[int, str]:
    """Processes below this one, and the command line of each."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int(_stat(int(entry.name))[1])
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended meanwhile
    below = {process}
    while more := {child for child, parent in parents.items() if parent in below} - below:
        below |= more
    return {child: _command(child) for child in sorted(below - {process})}


def facts() -> dict[str, Any]:
    """The machine, for the results file: ratios travel, absolute times do not."""
    cpu = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cores": os.cpu_count(),
        "cpu": cpu[0].partition(":")[2].strip() if cpu else platform.machine(),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * PAGE_BYTES / 2**30, 1),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "kafka": KAFKA_VERSION,
        "load_1m": round(os.getloadavg()[0], 2),
    }


def commit() -> str | None:
    """The commit that is measured; None where files differ from it, or nobody knows."""
    try:
        changed = _git(
            "status", "--porcelain", "--untracked-files=no", "--", "pipeline", "benchmarks/*.py", "benchmarks/peers"
        )
        return None if changed else _git("rev-parse", "--short=12", "HEAD")
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str) -> str:
    return subprocess.run(  # noqa: S603  # our own command
        ["git", *arguments],  # noqa: S607  # whichever is installed
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def _stat(process: int) -> list[str]:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def _command(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text().replace("\0", " ").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""

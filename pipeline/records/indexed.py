"""What the indexes of the records store take: longer names are cut, so that no record of others can stop a stage."""

from __future__ import annotations

from typing import Any, Final

import orjson

INDEXED_CHARACTERS_MAX: Final = 600
"""An entry of a PostgreSQL index has 2,704 bytes at most, a character up to four; no id of ours is longer than 512."""

INDEXED_BYTES_MAX: Final = 4 * INDEXED_CHARACTERS_MAX

_INDEXED: Final = ("episode_id", "alert_key", "source_episode_id", "origin")


def cut(name: str) -> str:
    """A name that fits an index."""
    return name[:INDEXED_CHARACTERS_MAX]


def indexable(facts: Any) -> Any:
    """Facts of a timeline entry, of which those that are indexed fit: texts are cut, other values are left out.

    The event that is kept beside the timeline has them whole.
    """
    if not isinstance(facts, dict):
        return facts
    long = {name: facts[name] for name in _INDEXED if name in facts and _is_long(facts[name])}
    if not long:
        return facts
    short = {name: cut(value) for name, value in long.items() if isinstance(value, str)}
    return {name: value for name, value in facts.items() if name not in long} | short


def _is_long(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) > INDEXED_CHARACTERS_MAX
    return len(orjson.dumps(value)) > INDEXED_BYTES_MAX

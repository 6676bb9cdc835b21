"""Which fields of a source's payload its adapter cannot do without, as `tools.field_needs` finds with the samples."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import orjson

FILE: Final = Path(__file__).with_name("needs.json")


class Needs(NamedTuple):
    """Fields of one source, each as its path from the top: ``$.alerts.labels.alertname``.

    Attributes:
        reads: with anything else in them the message is refused, or means something else.
        identity: they tell one condition from another.
    """

    reads: tuple[str, ...]
    identity: tuple[str, ...]


@cache
def needs_of(adapter: str) -> Needs | None:
    """What an adapter needs; None where no sample says."""
    said = orjson.loads(FILE.read_bytes()).get(adapter)
    return None if said is None else Needs(tuple(said["reads"]), tuple(said["identity"]))

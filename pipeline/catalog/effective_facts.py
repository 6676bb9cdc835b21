"""The words of `effective`: a fact, where it comes from, and sections of them."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from pipeline.catalog.problems import Place

DEFAULT: Final = "default"
"""Where what nobody wrote comes from."""


class Fact(NamedTuple):
    """One thing that is in force.

    Attributes:
        name: what it is.
        value: text, number, list or None where there is none; JSON can hold it.
        origin: ``file:line``, perhaps with a word more, or ``default``.
    """

    name: str
    value: Any
    origin: str


class Section(NamedTuple):
    """Facts that belong together, in order."""

    title: str
    facts: list[Fact]


def at(place: Place) -> str:
    """A place in words."""
    return f"{place.file}:{place.line}"

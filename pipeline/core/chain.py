"""The chain of an incident's record: each revision is sealed together with the seal of the one before.

Whoever changes, removes or adds an action later breaks every seal from there on; the newest seal stands on the incident
and in everything that was sent outside, so that a chain made anew from the start is noticed as well. The method is that
of a hash chain (Haber and Stornetta, "How to time-stamp a digital document", 1991).
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from pipeline.models.incident_parts import TimelineEntry


class Sealed(NamedTuple):
    """One revision as it was sealed.

    Attributes:
        content: what was sealed, the JSON of id, revision, change, time and timeline entries, these with their names
            in the order in which the event has them, without white space.
        seal: SHA-256 of the seal before and the content, hexadecimal.
    """

    revision: int
    content: str
    seal: str


class Break(NamedTuple):
    """Where a chain does not hold, and what is wrong there, in words."""

    revision: int
    what: str


def content_of(
    incident_id: str,
    revision: int,
    change: str,
    at_ms: int,
    entries: list[TimelineEntry] | list[dict[str, Any]] | orjson.Fragment,
) -> bytes:
    """What of a revision is sealed. The entries may be those of the core, their JSON, or as read back from that."""
    return orjson.dumps((incident_id, revision, change, at_ms, entries))


def seal(before: str, content: bytes) -> str:
    """The seal of a content after the seal before it; that is empty for the first revision."""
    return sha256(b"%b\n%b" % (before.encode(), content)).hexdigest()


def first_break(sealed: Iterable[Sealed], head: str) -> Break | None:
    """Where the chain of an incident does not hold; None where it does.

    Args:
        sealed: its sealed revisions, in order. The first is sealed with nothing before it.
        head: the newest seal, as the incident itself carries it.
    """
    before, expected = "", None
    for each in sealed:
        if expected is not None and each.revision != expected:
            return Break(expected, f"revision {expected} is missing")
        if seal(before, each.content.encode()) != each.seal:
            return Break(each.revision, "its actions, or what came before, are not those that were sealed")
        before, expected = each.seal, each.revision + 1
    if before != head:
        return Break(expected or 1, "the newest seal is not the one that the incident carries")
    return None

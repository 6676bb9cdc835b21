"""Entity references as Backstage writes them: ``name``, ``kind:name``, ``namespace/name``, ``kind:namespace/name``."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

NAMESPACE_DEFAULT: Final = "default"

# Kinds that make up the catalogue; Backstage's other kinds say nothing about failure.
ENTITY_KINDS: Final = ("component", "resource", "system")
READ_KINDS: Final = (*ENTITY_KINDS, "domain", "group")

_REFERENCE: Final = re.compile(
    r"(?:(?P<kind>[a-z][a-z0-9]*):)?(?:(?P<namespace>[a-z0-9][a-z0-9._-]*)/)?(?P<name>[a-z0-9][a-z0-9._-]*)"
)
_REFERENCE_CHARS_MAX: Final = 200  # Backstage allows 63 for each of kind, namespace and name


class Reference(NamedTuple):
    """A reference as written, lower case; kind and namespace None where left out."""

    kind: str | None
    namespace: str | None
    name: str


def parse_reference(text: str) -> Reference | None:
    """Parts of a reference; None where the text is none."""
    if len(text) > _REFERENCE_CHARS_MAX:
        return None
    match = _REFERENCE.fullmatch(text.strip().lower())
    return Reference(match["kind"], match["namespace"], match["name"]) if match else None


def full(kind: str, namespace: str, name: str) -> str:
    """The one spelling that everything else uses: ``kind:namespace/name``, lower case."""
    return f"{kind}:{namespace}/{name}".lower()


def short(reference: str) -> str:
    """What people call it where the kind is clear: the name, with its namespace unless that is the default."""
    name = reference.partition(":")[2]
    return name.removeprefix(f"{NAMESPACE_DEFAULT}/")

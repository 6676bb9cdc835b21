"""What an import gathers: entities with their dependencies, and remarks on what was not understood."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

NAME_CHARS_MAX: Final = 63
"""Backstage's own limit of a name."""

_HASH_CHARS: Final = 6
_NOT_IN_NAMES: Final = re.compile(r"[^a-z0-9._]+")
COMPONENT: Final = "Component"
RESOURCE: Final = "Resource"
SYSTEM: Final = "System"
GROUP: Final = "Group"


class ImportFailedError(Exception):
    """The input cannot be read at all; the message is one line and says where and what to do."""


@dataclass(slots=True)
class Found:
    """One entity as a source describes it.

    Attributes:
        kind: Component, Resource, System or Group.
        name: in Backstage's spelling.
        title: what people call it, where that is not the name.
        needs: references of what it depends on.
    """

    kind: str
    name: str
    title: str = ""
    description: str = ""
    type: str = ""
    owner: str | None = None
    system: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    needs: set[str] = field(default_factory=set)

    @property
    def ref(self) -> str:
        """``kind:name``."""
        return f"{self.kind.lower()}:{self.name}"


class Gathered:
    """Entities by reference, and how often what was not understood.

    Attributes:
        remarks: what was left out or could not be told -> how often.
    """

    def __init__(self) -> None:
        self.entities: dict[str, Found] = {}
        self.remarks: Counter[str] = Counter()

    def add(self, found: Found) -> Found:
        """Enter an entity; one that is known already stays as it is."""
        return self.entities.setdefault(found.ref, found)

    def remark(self, text: str, times: int = 1) -> None:
        """Note what was not understood."""
        self.remarks[text] += times

    def group(self, name: str) -> str:
        """The name of an owning group, entered as an entity."""
        return self.add(Found(GROUP, slug(name), title=name)).name

    def system(self, name: str) -> str:
        """The name of a system, entered as an entity."""
        return self.add(Found(SYSTEM, slug(name), title=name)).name

    def edges(self) -> int:
        """How many dependencies there are."""
        return sum(len(each.needs) for each in self.entities.values())


def slug(text: str) -> str:
    """A text as a Backstage name; where that loses its end, with a hash of the whole."""
    name = _NOT_IN_NAMES.sub("-", text.strip().lower()).strip("-._")
    if name and len(name) <= NAME_CHARS_MAX:
        return name
    digest = blake2b(text.encode(), digest_size=8).hexdigest()[:_HASH_CHARS]
    return f"{name[: NAME_CHARS_MAX - _HASH_CHARS - 1].rstrip('-._') or 'unnamed'}-{digest}"


def distinct_names(wanted: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    """A name for each of several things: their own, and where some of one kind share it, each with its addition.

    Args:
        wanted: identity, name as the source has it, and what tells it from others of that name (an id, a namespace).
    """
    by_name: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for identity, name, addition in wanted:
        by_name[slug(name)].append((identity, addition))
    names: dict[str, str] = {}
    for name, sharing in by_name.items():
        for identity, addition in sharing:
            names[identity] = name if len(sharing) == 1 else slug(f"{name}-{addition}")
    return names

"""The shelf: policy packs that open incidents of one partition were opened under, kept after the configuration changed.

A pack is named by its stamp: its version for people and a digest of its whole content, defaults included, so that two
packs of one stamp are the same pack, wherever they come from. A pack stands on the shelf, and in the state of its
partition, as long as an open incident uses it, also while it is in force: after a restart under another configuration
nothing else would know it.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final

import orjson
from pydantic import ValidationError

from pipeline.models.policy import DomainPolicy
from pipeline.models.wire import to_json

SHELF_SCHEMA: Final = 1

DIGEST_BYTES: Final = 6
"""Of a stamp: two packs of one version that differ have the same digest once in 10^14 times, and people can read it."""

_UNKNOWN: Final = "extra_forbidden"
_NOT_CONTENT: Final = frozenset(("extends", "abstract"))  # how it was written, not what it says


def content_of(policy: DomainPolicy) -> dict[str, Any]:
    """All that a pack says, defaults included, as JSON has it."""
    return policy.model_dump(mode="json", exclude=set(_NOT_CONTENT))


def stamp_of(policy: DomainPolicy) -> str:
    """``version+digest``: the name of a pack by its content."""
    content = orjson.dumps(content_of(policy), option=orjson.OPT_SORT_KEYS)
    return f"{policy.version}+{blake2b(content, digest_size=DIGEST_BYTES).hexdigest()}"


class Shelf:
    """Packs of one partition by stamp, and how many open incidents use each."""

    __slots__ = ("_packs", "_users")

    def __init__(self) -> None:
        self._packs: dict[str, DomainPolicy] = {}
        self._users: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._packs)

    def pack(self, stamp: str) -> DomainPolicy | None:
        """The pack of a stamp; None where no open incident uses it."""
        return self._packs.get(stamp)

    def count(self, before: str | None, after: str | None, in_force: DomainPolicy | None = None) -> list[str]:
        """An incident goes from one pack to another.

        Args:
            before: the stamp that it counted under; None: it did not.
            after: the stamp that it counts under from now on; None: it has ended.
            in_force: the pack of ``after``, where that is in force.

        Returns:
            The stamps whose state records changed.
        """
        changed: list[str] = []
        if before == after:
            return changed
        if after is not None:
            self._users[after] = self._users.get(after, 0) + 1
            if in_force is not None and after not in self._packs:
                self._packs[after] = in_force
                changed.append(after)
        if before is not None:
            self._users[before] -= 1
            if not self._users[before]:
                del self._users[before]
                if self._packs.pop(before, None) is not None:
                    changed.append(before)
        return changed

    def dump(self, stamp: str) -> bytes | None:
        """The state record of a pack; None where it is gone."""
        pack = self._packs.get(stamp)
        return None if pack is None else to_json({"schema": SHELF_SCHEMA, "pack": content_of(pack)})

    def load(self, stamp: str, value: bytes) -> None:
        """Take a pack back.

        What this release does not know of it, as after a roll-back, is left out. A pack that cannot be read even so is
        not on the shelf: its incidents go by the pack in force.

        Raises:
            ValueError: the schema version is not one that this release reads.
        """
        document = orjson.loads(value)
        if document["schema"] != SHELF_SCHEMA:
            raise ValueError(f"policy pack schema {document['schema']!r}, this release reads {SHELF_SCHEMA}")
        pack = _read(document["pack"])
        if pack is not None:
            self._packs[stamp] = pack

    def restored(self) -> list[str]:
        """All records are back: drop what no incident uses. Returns the stamps whose state records changed."""
        unused = [stamp for stamp in self._packs if stamp not in self._users]
        for stamp in unused:
            del self._packs[stamp]
        return unused


def _read(content: dict[str, Any]) -> DomainPolicy | None:
    """The pack of a content, without what this release does not know of; None where that is none."""
    try:
        return DomainPolicy.model_validate(content)
    except ValidationError as error:
        places = [each["loc"] for each in error.errors(include_url=False) if each["type"] == _UNKNOWN]
    for *way, name in places:
        inner: Any = content
        for part in way:
            inner = inner[part]
        del inner[name]
    try:
        return DomainPolicy.model_validate(content)
    except ValidationError:
        return None

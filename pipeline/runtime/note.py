"""What a committed offset says beside its number: what it belongs to, and which record after it crashed a worker.

Kafka keeps a short text with each committed offset. It is written with the offset, in the same transaction, moves
with the partition, and every stage has it, also one without state. So it holds what a successor must know:

- the make of the topic that the offset belongs to, and of the changelog that the state is in; partition counts;
- a crash: how often, and at which record;
- which records after it were decided already, before their turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Self

import orjson

NOTE_SCHEMA: Final = 1
# The broker takes 4096 bytes (offset.metadata.max.bytes); topics of a stage and the rest need a few hundred.
ERROR_CHARACTERS_MAX: Final = 400


class Crash(NamedTuple):
    """Records of one topic-partition that were in hand when the decisions raised.

    Attributes:
        times: how often it happened.
        offset: the record at fault; None while it is one of several.
        through: the last record that may be at fault.
        error: what was raised, at most `ERROR_CHARACTERS_MAX` characters.
    """

    times: int
    offset: int | None
    through: int
    error: str


@dataclass(frozen=True, slots=True)
class OffsetNote:
    """The text beside a committed offset.

    Attributes:
        topic_id: the topic's id, which a topic that is made anew under the same name does not have; "" if unknown.
        changelog_id: the id of the stage's changelog; "" where it has none.
        partitions: logical topic name -> partition count, of all that placement and state depend on.
        crash: what happened to a record behind the offset, if anything.
        ahead: records behind the offset that are decided already, as `pipeline.core.overtaking` writes them.
    """

    topic_id: str = ""
    changelog_id: str = ""
    partitions: Mapping[str, int] = field(default_factory=dict)
    crash: Crash | None = None
    ahead: str = ""

    def to_text(self) -> str:
        """The note as Kafka keeps it; "" where it says nothing."""
        document: dict[str, Any] = {"schema": NOTE_SCHEMA}
        if self.topic_id:
            document["topic"] = self.topic_id
        if self.changelog_id:
            document["changelog"] = self.changelog_id
        if self.partitions:
            document["partitions"] = self.partitions
        if self.crash is not None:
            document["crash"] = list(self.crash)
        if self.ahead:
            document["ahead"] = self.ahead
        return orjson.dumps(document).decode() if len(document) > 1 else ""

    @classmethod
    def from_text(cls, text: str | None) -> Self:
        """Read a note. Offsets that somebody else set (an operator's tool) have none: it says nothing.

        Raises:
            ValueError: a note of a schema that this release does not read.
        """
        try:
            document = orjson.loads(text or "null")
        except orjson.JSONDecodeError:
            return cls()
        if not isinstance(document, dict) or "schema" not in document:
            return cls()
        if document["schema"] != NOTE_SCHEMA:
            raise ValueError(f"offset note of schema {document['schema']}, this release reads {NOTE_SCHEMA}")
        crash = document.get("crash")
        return cls(
            document.get("topic", ""),
            document.get("changelog", ""),
            document.get("partitions", {}),
            None if crash is None else Crash(*crash),
            document.get("ahead", ""),
        )

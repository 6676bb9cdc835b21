"""Dead letters as they lie on the topic: what each says, which went back, and which of them are asked for.

A letter is the record of a stage that could not process it. A mark names a letter that was sent back; the way back
is in `pipeline.kafka.retry`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.core.step import StreamRecord
from pipeline.flow import RAW_TOPIC_PREFIX
from pipeline.kafka.scan import ScanError, existing, extent, scan

OURS: Final = "spillway-"
RETRIED: Final = "spillway-retried"
"""On a record that was sent back: how often. It stays on its next dead letter, so that a loop is visible."""
FIRST_LETTER: Final = "spillway-first-letter"
"""On a record that was sent back: the id of its first letter. It stays on its next dead letter."""
RETRY_OF: Final = "spillway-retry-of"
"""On a mark in the dead-letter topic: the id of the letter that was sent back."""

Source = tuple[str, int, int, int]
"""The raw record that letters come from: topic, partition, offset, and its time, as topics can be made anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One dead letter without its bytes.

    Attributes:
        id: ``partition:offset`` in the dead-letter topic.
        at_ms: when the record came that could not be processed, epoch milliseconds.
        stage: stage that refused it.
        reason: why, a `Reason`.
        detail: what was wrong and where.
        topic: logical topic that it came from.
        partition: partition there.
        offset: offset there.
        key: its key as text, what is no text escaped; None where it has none.
        index: position in a message of several alerts; None where the whole message is bad.
        bytes_in: index of the member whose letter holds the bytes of the message; None where this one does.
        size_bytes: size of the original value.
        retries: how often the record had been sent back before it came here (again).
        first: id of the record's first letter, where it had been sent back.
    """

    id: str
    at_ms: int
    stage: str
    reason: str
    detail: str
    topic: str
    partition: int
    offset: int
    key: str | None
    index: int | None
    bytes_in: int | None
    size_bytes: int
    retries: int
    first: str | None

    @property
    def source(self) -> Source:
        """The raw record: several letters may come from one."""
        return self.topic, self.partition, self.offset, self.at_ms

    @property
    def feed(self) -> str | None:
        """The feed whose raw topic it came from; None where it came from another topic."""
        return self.topic.removeprefix(RAW_TOPIC_PREFIX) if self.topic.startswith(RAW_TOPIC_PREFIX) else None


@dataclass(slots=True)
class Box:
    """The dead-letter topic as read.

    Attributes:
        letters: in the order of (time, partition, offset).
        gone: raw records that went back, all of their letters with them.
    """

    letters: list[Letter] = field(default_factory=list)
    gone: set[Source] = field(default_factory=set)

    def went_back(self, letter: Letter) -> bool:
        """Whether the record of a letter was sent back."""
        return letter.source in self.gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which letters are asked for; what is not stated does not matter.

    Attributes:
        topic: logical topic that the record came from.
        feed: the same, by the name of its feed.
        text: words in the detail, in any case.
        key: the record's key, whole.
        from_ms: letters of this moment and later, epoch milliseconds.
        until_ms: letters before this moment.
    """

    stage: str | None = None
    reason: str | None = None
    topic: str | None = None
    feed: str | None = None
    text: str | None = None
    key: str | None = None
    from_ms: int | None = None
    until_ms: int | None = None

    def fits(self, letter: Letter) -> bool:
        """Whether a letter is one of them."""
        named = ("stage", "reason", "topic", "feed", "key")
        if any((wanted := getattr(self, name)) is not None and wanted != getattr(letter, name) for name in named):
            return False
        if self.text is not None and self.text.lower() not in letter.detail.lower():
            return False
        if self.from_ms is not None and letter.at_ms < self.from_ms:
            return False
        return self.until_ms is None or letter.at_ms < self.until_ms

    @property
    def says_something(self) -> bool:
        """Whether it leaves anything out."""
        return self != Wanted()


def letter_id(record: StreamRecord) -> str:
    """The id of the letter that lies at a record's place."""
    return f"{record.partition}:{record.offset}"


def parse_letter(record: StreamRecord) -> Letter | None:
    """The letter in a record of the dead-letter topic; None for a mark, or what is no letter of ours."""
    said = _said(record)
    if RETRY_OF in said or f"{OURS}topic" not in said:
        return None
    return Letter(
        id=letter_id(record),
        at_ms=record.timestamp,
        stage=said.get(f"{OURS}stage", ""),
        reason=said.get(f"{OURS}reason", ""),
        detail=said.get(f"{OURS}detail", ""),
        topic=said[f"{OURS}topic"],
        partition=_number(said.get(f"{OURS}partition")) or 0,
        offset=_number(said.get(f"{OURS}offset")) or 0,
        key=None if record.key is None else record.key.decode(errors="backslashreplace"),
        index=_number(said.get(f"{OURS}index")),
        bytes_in=_number(said.get(f"{OURS}bytes-in")),
        size_bytes=len(record.value or b""),
        retries=_number(said.get(RETRIED)) or 0,
        first=said.get(FIRST_LETTER),
    )


def _said(record: StreamRecord) -> dict[str, str]:
    return {name: value.decode(errors="replace") for name, value in record.headers if name.startswith(OURS)}


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


def read_box(client: Mapping[str, Any], topic: str, seen: Callable[[int], None] | None = None) -> Box:
    """All letters and marks, without bytes.

    Args:
        client: configuration of the librdkafka client: the bootstrap address at least.
        topic: the dead-letter topic on the wire.
        seen: told how many records were read, now and then.

    Raises:
        ScanError: the topic cannot be read.
    """
    box = Box()
    sources: dict[str, Source] = {}
    marks: set[str] = set()
    for number, record in enumerate(_scan(client, topic), 1):
        if (letter := parse_letter(record)) is not None:
            box.letters.append(letter)
            sources[letter.id] = letter.source
        elif mark := _said(record).get(RETRY_OF):
            marks.add(mark)
        if seen is not None and number % _TOLD_EVERY == 0:
            seen(number)
    box.gone = {sources[mark] for mark in marks if mark in sources}
    box.letters.sort(key=lambda letter: letter.at_ms)  # stable: offsets stay in order
    return box


_TOLD_EVERY: Final = 500  # records; more often costs more than it tells


def box_size(client: Mapping[str, Any], topic: str) -> int:
    """Records that `read_box` will read at most. Raises as it does."""
    return extent(client, existing(client, [topic]))


def read_letter(client: Mapping[str, Any], topic: str, wanted: str) -> StreamRecord | None:
    """The record of one letter, bytes and all; None where there is none.

    Raises:
        ScanError: the topic cannot be read.
    """
    partition = _number(wanted.partition(":")[0])
    offset = _number(wanted.partition(":")[2])
    if partition is None or offset is None:
        return None
    parts = existing(client, [topic]).get(topic, ())
    if partition not in parts:
        return None
    found = scan(client, {topic: (partition,)}, start_offset=offset)
    return next((record for record in found if record.offset == offset and parse_letter(record)), None)


def _scan(client: Mapping[str, Any], topic: str) -> Iterator[StreamRecord]:
    topics = existing(client, [topic])
    if not topics:
        raise ScanError(f"there is no topic {topic}: make the topics with spillway topics apply")
    return scan(client, topics)

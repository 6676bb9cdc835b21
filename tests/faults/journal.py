"""The journal: which records each committed transaction took, as the brokers remember it.

The offsets of a transaction are records of the internal topic `__consumer_offsets`. Read committed and in order,
they say what every transaction of a stage's partition took from each of its input topics, and with that in which
order the core saw the records of several topics. Nothing in the workers is asked or changed for it.

Kafka's own format (GroupCoordinator, `OffsetCommitKey` and `OffsetCommitValue`): big-endian; strings with a
16-bit length.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pipeline.core.step import StreamRecord

OFFSETS_TOPIC: Final = "__consumer_offsets"
# Versions of a key that is about offsets; others are about members of groups.
_OFFSET_KEYS: Final = (0, 1)


# From this version of a value on the broker's leader epoch stands between offset and text, and from the next on
# lengths are varints, one more than they are.
_EPOCH_SINCE, _COMPACT_SINCE = 3, 4


class Commit(NamedTuple):
    """One committed offset, with the text beside it."""

    group: str
    topic: str
    partition: int
    offset: int
    text: str = ""


@dataclass(slots=True)
class Taken:
    """What one transaction took: wire name of topic -> next offset, and the text beside it."""

    next_offsets: dict[str, int]
    texts: dict[str, str] = field(default_factory=dict)


def decode(key: bytes | None, value: bytes | None) -> Commit | None:
    """A record of `__consumer_offsets`; None where it is about something else."""
    if not key or not value:
        return None
    (version,) = struct.unpack_from(">h", key)
    if version not in _OFFSET_KEYS:
        return None
    group, at = _text(key, 2)
    topic, at = _text(key, at)
    (partition,) = struct.unpack_from(">i", key, at)
    version, offset = struct.unpack_from(">hq", value)
    at = 14 if version >= _EPOCH_SINCE else 10
    text = _compact(value, at) if version >= _COMPACT_SINCE else _text(value, at)[0]
    return Commit(group, topic, partition, offset, text)


def _compact(data: bytes, at: int) -> str:
    length = shift = 0
    while data[at] > 0x7F:
        length |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    length |= data[at] << shift
    return data[at + 1 : at + length].decode()


def _text(data: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">h", data, at)
    return data[at + 2 : at + 2 + length].decode(), at + 2 + length


def transactions(records: Iterable[StreamRecord], groups: Iterable[str]) -> dict[tuple[str, int], list[Taken]]:
    """The transactions of each (group, partition number), in order.

    Args:
        records: all of `__consumer_offsets`, read committed, each partition in order.
        groups: the groups that matter.

    A transaction writes its offsets in one piece, and its marker stands between it and the next: offsets of one
    owner that follow each other without a gap are of one transaction.
    """
    wanted = set(groups)
    found: dict[tuple[str, int], list[Taken]] = defaultdict(list)
    last: tuple[tuple[str, int], int, int] | None = None
    for record in records:
        commit = decode(record.key, record.value)
        if commit is None or commit.group not in wanted:
            last = None
            continue
        owner = (commit.group, commit.partition)
        if last != (owner, record.partition, record.offset - 1):
            found[owner].append(Taken({}))
        found[owner][-1].next_offsets[commit.topic] = commit.offset
        found[owner][-1].texts[commit.topic] = commit.text
        last = (owner, record.partition, record.offset)
    return found

"""Which records of a topic were decided before their turn, and which conditions went ahead with them.

A feed with a backlog has its urgent messages read first. Each is decided once: when its turn comes it is passed over.
What comes before it in the topic is older, so it has no say any more over a condition that went ahead: a recovery of
an earlier run must not end the one that is on, nor a lesser severity take its place. It counts as overtaken.

What is ahead is kept as a text beside the committed offset, so it holds after a restart, and for another owner.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

TEXT_BYTES_MAX: Final = 2_150
"""Before base64, so 2,900 characters of the 4,096 that a broker keeps beside an offset; the rest of the note has the
others. Some 200 messages of one condition each: so much of one partition may be ahead at a time."""

KEY_BYTES: Final = 4
"""Of a condition's hash. Of 200 conditions ahead, one in twenty million others is taken for one of them: what its
source said before, a recovery too, changes nothing then."""

_NUMBER_BYTES_MAX: Final = 5
"""Of a distance between offsets, seven bits a byte: up to 34 thousand million. The first is from zero and may be so
large only; a topic's offsets beyond it are not looked ahead in."""

OFFSET_MAX: Final = (1 << 7 * _NUMBER_BYTES_MAX) - 1
KEYS_MAX: Final = 127
"""Conditions of one message that may be ahead: their count is one byte, and of how many it is urgent another."""

_COUNTS_BYTES: Final = 2


class Overtaking:
    """What is ahead in one topic of one partition."""

    __slots__ = ("_newest", "_records", "_size", "_urgent")

    def __init__(self) -> None:
        """Nothing is."""
        self._records: dict[int, tuple[int, tuple[bytes, ...]]] = {}  # offset -> how many are urgent, hashes of all
        self._newest: dict[bytes, int] = {}  # hash of a condition -> newest offset at which it is ahead
        self._urgent: dict[bytes, int] = {}  # the same of those that were urgent there
        self._size = 0

    def __bool__(self) -> bool:
        return bool(self._records)

    def __contains__(self, offset: int) -> bool:
        return offset in self._records

    def has_room(self, offset: int, keys: int) -> bool:
        """Whether a record of so many conditions may go ahead beside those that are."""
        return offset <= OFFSET_MAX and 0 < keys <= KEYS_MAX and self._size + _size(keys) <= TEXT_BYTES_MAX

    def add(self, offset: int, urgent: Iterable[str], others: Iterable[str] = ()) -> None:
        """A record goes ahead.

        Args:
            offset: its offset.
            urgent: alert keys of the conditions for whose sake it does.
            others: of the rest of its message.
        """
        first, rest = tuple(map(_hash, urgent)), tuple(map(_hash, others))
        self._put(offset, len(first), first + rest)

    def copy(self) -> Overtaking:
        """The same, to be changed apart."""
        return Overtaking.from_text(self.to_text())

    def is_ahead(self, key: str) -> bool:
        """Whether a condition has gone ahead as an urgent one, and its turn has not come."""
        return _hash(key) in self._urgent

    def overtakes(self, key: str, offset: int) -> bool:
        """Whether a newer record of the condition has gone ahead of the one at this offset."""
        return self._newest.get(_hash(key), -1) > offset

    def passed(self, following: int) -> None:
        """The turn has come of all before an offset: forget them."""
        gone = [offset for offset in self._records if offset < following]
        for offset in gone:
            _, hashes = self._records.pop(offset)
            self._size -= _size(len(hashes))
            for each in hashes:
                for newest in (self._newest, self._urgent):
                    if newest.get(each) == offset:
                        del newest[each]

    def to_text(self, following: int = 0) -> str:
        """What is from an offset on, for the note beside it; "" for nothing."""
        encoded, before = bytearray(), 0
        for offset in sorted(each for each in self._records if each >= following):
            urgent, hashes = self._records[offset]
            _put_number(encoded, offset - before)
            encoded += bytes((len(hashes), urgent))
            encoded += b"".join(hashes)
            before = offset
        return b64encode(encoded).decode()

    @classmethod
    def from_text(cls, text: str) -> Overtaking:
        """The same again.

        Raises:
            ValueError: it is not such a text.
        """
        found, encoded, at, offset = cls(), b64decode(text, validate=True), 0, 0
        while at < len(encoded):
            distance, at = _number(encoded, at)
            offset += distance
            count, at = _number(encoded, at)
            urgent, at = _number(encoded, at)
            end = at + count * KEY_BYTES
            if end > len(encoded):
                raise ValueError("what is ahead ends in the middle of a record")
            found._put(offset, urgent, tuple(encoded[each : each + KEY_BYTES] for each in range(at, end, KEY_BYTES)))
            at = end
        return found

    def _put(self, offset: int, urgent: int, hashes: tuple[bytes, ...]) -> None:
        self._records[offset] = urgent, hashes
        self._size += _size(len(hashes))
        for newest, those in ((self._newest, hashes), (self._urgent, hashes[:urgent])):
            for each in those:
                newest[each] = max(offset, newest.get(each, -1))


def _hash(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=KEY_BYTES).digest()


def _size(keys: int) -> int:
    return _NUMBER_BYTES_MAX + _COUNTS_BYTES + keys * KEY_BYTES


def _put_number(encoded: bytearray, number: int) -> None:
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)


def _number(encoded: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        if at >= len(encoded):
            raise ValueError("what is ahead ends in the middle of a number")
        byte = encoded[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7

"""Feed watch: which feeds are heard, and from when on one that is expected to be is silent.

Two signs tell of it, both in headers of ticks on `alerts`, partition 0, so that one place hears of all feeds:

- *heard*: ingest has read a message of a feed in one of its partitions. At most one a minute, feed and partition.
- *read to the end*: the owner of an ingest partition found nothing unread in it.

Silence is a fact about the source only where its partitions were read to the end after the deadline. So a backlog is
no silence, and nor is an outage of ingest or of Kafka: then nobody says that anything was read.

Where every feed stops at once, the door is shut, and fifty incidents would say so. So a feed is called silent while
another one is heard; where none is, the silence is one, of all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import orjson

from pipeline.core.step import TICK_KEY, Output, Record
from pipeline.models.expectation import Expectation
from pipeline.models.wire import to_json

HEARD_HEADER: Final = "spillway-heard"
"""Header of a tick: the ingest partition and the feed that was heard in it, with a space between."""

READ_HEADER: Final = "spillway-read-to-end"
"""Header of a tick: the ingest partition that was read to its end when the tick was written."""

SIGN_MS: Final = 60_000
"""How often a feed is heard of at most, for each partition."""

SIGNS_TOPIC: Final = "alerts"
SIGNS_PARTITION: Final = 0

WATCH_SCHEMA: Final = 1

EVERY_FEED: Final = ""
"""In the place of a feed's name: all of them."""


def heard(feed: str, partition: int, at_ms: int) -> Output:
    """The sign that a feed was heard in an ingest partition."""
    header = (HEARD_HEADER, f"{partition} {feed}".encode())
    return Output(SIGNS_TOPIC, TICK_KEY, None, at_ms, (header,), SIGNS_PARTITION)


def read_to_end(partition: int, at_ms: int) -> Output:
    """The sign that an ingest partition was read to its end."""
    return Output(SIGNS_TOPIC, TICK_KEY, None, at_ms, ((READ_HEADER, str(partition).encode()),), SIGNS_PARTITION)


class Sign(NamedTuple):
    """What a tick tells: ``feed`` was heard, or, where it is None, the partition was read to its end."""

    partition: int
    feed: str | None


def sign_of(record: Record) -> Sign | None:
    """The sign that a tick carries; None for any other."""
    for name, value in record.headers:
        if name in (HEARD_HEADER, READ_HEADER):
            number, _, feed = value.decode(errors="replace").partition(" ")
            if number.isdecimal():
                return Sign(int(number), feed if name == HEARD_HEADER else None)
    return None


class Turn(NamedTuple):
    """A feed fell silent, or is heard again.

    Attributes:
        feed: its name, or `EVERY_FEED`.
        silent: which of both.
        since_ms: when it was heard last; where it never was, since when it has been watched.
        others: for `EVERY_FEED`: the feeds that were missed first.
    """

    feed: str
    silent: bool
    since_ms: int
    others: tuple[str, ...] = ()


@dataclass(slots=True)
class Heard:
    """What is known of one feed, or, under `EVERY_FEED`, of the silence of all.

    Attributes:
        last_ms: when it was heard last; 0: never.
        from_ms: from when on its patience counts: when it was heard last, or later where nobody could be heard.
        partitions: ingest partitions that it was heard in.
        silent: an episode says so.
    """

    last_ms: int = 0
    from_ms: int = 0
    partitions: list[int] = field(default_factory=list)
    silent: bool = False

    def packed(self) -> bytes:
        """For the changelog."""
        return to_json([WATCH_SCHEMA, self.last_ms, self.from_ms, self.partitions, self.silent])

    @classmethod
    def unpacked(cls, packed: bytes) -> Heard:
        """Back from the changelog.

        Raises:
            ValueError: of another schema.
        """
        schema, *fields = orjson.loads(packed)
        if schema != WATCH_SCHEMA:
            raise ValueError(f"feed watch of schema {schema}, this release reads {WATCH_SCHEMA}")
        return cls(*fields)


class FeedWatch:
    """The signs of all feeds.

    Attributes:
        feeds: by name, with `EVERY_FEED` for the silence of all.
        read_ms: ingest partition -> when it was last found read to its end.
        changed: names of feeds, and numbers of partitions, whose record has changed.
    """

    def __init__(self, expected: Mapping[str, Expectation]) -> None:
        self._expected = expected
        self.feeds: dict[str, Heard] = {}
        self.read_ms: dict[int, int] = {}
        self.changed: set[str | int] = set()

    def take(self, sign: Sign, at_ms: int) -> list[Turn]:
        """Take a sign; what follows from it."""
        if sign.feed is not None:
            return list(self._hear(sign.feed, sign.partition, at_ms))
        if at_ms > self.read_ms.get(sign.partition, 0):
            self.read_ms[sign.partition] = at_ms
            self.changed.add(sign.partition)
        return self._miss(at_ms)

    @property
    def expects(self) -> bool:
        """Whether anything is expected of any feed."""
        return bool(self._expected)

    def no_longer_expected(self) -> list[Turn]:
        """End the silence of feeds that nothing is expected of any more, by another configuration."""
        gone = [name for name, each in self.feeds.items() if each.silent and not self.is_expected(name)]
        return [self._ends(name) for name in gone]

    def due_ms(self) -> int | None:
        """From when on another sign that all is read would tell something: a time that has passed where it would now.

        None: nothing is expected, or all that is missed is told already.
        """
        if not self._expected or self._of(EVERY_FEED).silent:
            return None
        if len(self._watched()) < len(self._expected):
            return 0
        return min((self._deadline_ms(name) for name in self._watched() if not self.feeds[name].silent), default=None)

    # -- what follows

    def _hear(self, name: str, partition: int, at_ms: int) -> Iterable[Turn]:
        known = self.feeds.setdefault(name, Heard())
        if partition not in known.partitions:
            known.partitions = sorted((*known.partitions, partition))
        known.last_ms, known.from_ms = max(known.last_ms, at_ms), max(known.from_ms, at_ms)
        self.changed.add(name)
        everybody = self._of(EVERY_FEED)
        if everybody.silent and at_ms > everybody.last_ms:
            yield self._ends(EVERY_FEED)
            self._give_time(at_ms)
        if known.silent and known.last_ms + self._patience_ms(name) > self._read_to_ms(known):
            yield self._ends(name)

    def _give_time(self, at_ms: int) -> None:
        """The door is open again: the others get half of their time to be heard before they are missed."""
        for name in self._watched():
            known = self.feeds[name]
            from_ms = at_ms - self._patience_ms(name) // 2
            if not known.silent and known.from_ms < from_ms:
                known.from_ms = from_ms
                self.changed.add(name)

    def _miss(self, at_ms: int) -> list[Turn]:
        for name in self._expected:
            if name not in self.feeds:  # never heard: it is watched from now on
                self.feeds[name] = Heard(from_ms=at_ms)
                self.changed.add(name)
        if self._of(EVERY_FEED).silent:
            return []
        late = [name for name in self._watched() if not self.feeds[name].silent and self._is_late(name)]
        alone = [name for name in late if self._others_are_heard(name)]
        missed = tuple(name for name in late if name not in alone)
        turns = [self._begins(name) for name in alone]
        if missed:
            everybody = self.feeds.setdefault(EVERY_FEED, Heard())
            everybody.last_ms = max(each.last_ms for name, each in self.feeds.items() if name != EVERY_FEED)
            turns.append(self._begins(EVERY_FEED, missed))
        return turns

    def _begins(self, name: str, others: tuple[str, ...] = ()) -> Turn:
        known = self.feeds[name]
        known.silent = True
        self.changed.add(name)
        return Turn(name, silent=True, since_ms=known.last_ms or known.from_ms, others=others)

    def _ends(self, name: str) -> Turn:
        known = self.feeds[name]
        known.silent = False
        self.changed.add(name)
        return Turn(name, silent=False, since_ms=known.last_ms or known.from_ms)

    # -- what is asked

    def _watched(self) -> list[str]:
        return [name for name in self._expected if name in self.feeds]

    def _of(self, name: str) -> Heard:
        return self.feeds.get(name) or Heard()

    def is_silent(self, name: str) -> bool:
        """Whether a feed is missed, alone or with all others."""
        if self.feeds[name].silent:
            return True
        return self._of(EVERY_FEED).silent and name in self._expected and self._is_late(name)

    def is_expected(self, name: str) -> bool:
        """Whether anything is expected of a feed, or, under `EVERY_FEED`, of any."""
        return bool(self._expected) if name == EVERY_FEED else name in self._expected

    def _patience_ms(self, name: str) -> int:
        expected = self._expected.get(name)
        return expected.within_seconds * 1_000 if expected else 0

    def _deadline_ms(self, name: str) -> int:
        return self.feeds[name].from_ms + self._patience_ms(name)

    def _read_to_ms(self, known: Heard) -> int:
        """Up to when everything that the feed may have said was read; of one that was never heard: everywhere."""
        numbers = known.partitions or list(self.read_ms)
        return min((self.read_ms.get(number, 0) for number in numbers), default=0)

    def _is_late(self, name: str) -> bool:
        return self._deadline_ms(name) <= self._read_to_ms(self.feeds[name])

    def _others_are_heard(self, name: str) -> bool:
        """Whether the silence is the feed's own: another was heard in its second half, or no other is watched."""
        if len(self._expected) == 1:
            return True
        since_ms = self.feeds[name].from_ms + self._patience_ms(name) // 2
        others = (each.last_ms for other, each in self.feeds.items() if other not in (name, EVERY_FEED))
        return any(last_ms >= since_ms for last_ms in others)

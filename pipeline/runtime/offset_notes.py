"""The texts beside the committed offsets of one partition, and what they say of records behind these offsets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from pipeline.core.overtaking import Overtaking
from pipeline.core.step import Processor, Record
from pipeline.runtime.context import StageContext
from pipeline.runtime.note import Crash, OffsetNote
from pipeline.runtime.quarantine import Quarantine
from pipeline.runtime.waiting import by_topic, in_order

USUAL_KEYS: Final = 8
"""Conditions of a message that there must be room for, or reading ahead rests: most messages have one or a few."""


class OffsetNotes:
    """Notes by wire topic, made anew for each commit where there is more to say than what the offset belongs to.

    Attributes:
        ahead: logical topic -> its records that were decided before their turn; none where the stage looks not ahead.
    """

    def __init__(self, context: StageContext, quarantine: Quarantine) -> None:
        """Nothing is known yet. ``quarantine``: what is known of crashes."""
        self.ahead = {topic: Overtaking() for topic in context.inputs} if context.reads_raw else {}
        self._before: dict[str, Overtaking] = {}  # of the transaction under way: what was ahead before it
        self._quarantine = quarantine
        self._wire = context.settings.wire
        self._prefix = context.settings.topic_prefix
        self._notes = {self._wire(topic): context.note(topic) for topic in context.inputs}
        self._plain = {topic: note.to_text() for topic, note in self._notes.items()}

    def learn(self, topic: str, text: str) -> None:
        """Take what stands beside a committed offset of a wire topic.

        Raises:
            ValueError: a note that this release does not read.
        """
        note, logical = OffsetNote.from_text(text), self._logical(topic)
        if note.crash is not None:
            self._quarantine.crashes[logical] = note.crash
        if logical in self.ahead:
            self.ahead[logical] = Overtaking.from_text(note.ahead)

    def texts(self, offsets: Mapping[str, int]) -> Mapping[str, str]:
        """The note of each offset, by wire topic."""
        if not self._quarantine.crashes and not any(self.ahead.values()):
            return self._plain
        return {
            topic: self._text(topic, self._quarantine.pending(self._logical(topic), following), following)
            for topic, following in offsets.items()
        }

    def of_crashes(self, crashes: Mapping[str, Crash]) -> dict[str, str]:
        """The notes that crashes leave, by wire topic: nothing of the transaction under way is ahead.

        Args:
            crashes: by logical topic.
        """
        self.ahead |= self._before
        return {self._wire(topic): self._text(self._wire(topic), crash) for topic, crash in crashes.items()}

    def committed(self, offsets: Mapping[str, int]) -> None:
        """Forget what lies before offsets that are committed; what went ahead with them has."""
        self._before.clear()
        self._quarantine.ahead = False
        for topic, following in offsets.items():
            logical = self._logical(topic)
            self._quarantine.passed(logical, following)
            if ahead := self.ahead.get(logical):
                ahead.passed(following)

    def undecided(self, topic: str, records: list[Record], following: int) -> list[Record]:
        """Records of a wire topic from the next offset on, without those that went ahead.

        Around a rebalance some may be read a second time.
        """
        ahead = self.ahead.get(self._logical(topic))
        if ahead:
            return [each for each in records if each.offset >= following and each.offset not in ahead]
        return records if records[0].offset >= following else [each for each in records if each.offset >= following]

    def may_go_ahead(self, topic: str) -> bool:
        """Whether records of a wire topic may go before their turn: a usual one has room, and none crashed a worker."""
        logical = self._logical(topic)
        ahead = self.ahead.get(logical)
        return ahead is not None and logical not in self._quarantine.crashes and ahead.has_room(0, USUAL_KEYS)

    def going_ahead(
        self, processor: Processor, records: Iterable[Record], offsets: Mapping[str, int]
    ) -> tuple[list[Record], dict[str, int]]:
        """Of records far behind their turn those that go now, and the offsets to note them beside, by wire topic.

        They are ahead once `committed` is called.

        Args:
            processor: says which shall.
            records: what was found; their turn may have come in the meantime.
            offsets: wire topic -> its next offset.
        """
        going: list[Record] = []
        beside: dict[str, int] = {}
        self._before.clear()
        self._quarantine.ahead = True
        for record in sorted(records, key=lambda each: each.offset):
            topic = self._wire(record.topic)
            following = offsets.get(topic)
            if following is None or record.offset < following or not self.may_go_ahead(topic):
                continue
            if record.topic not in self._before:
                self._before[record.topic] = self.ahead[record.topic]
                self.ahead[record.topic] = self.ahead[record.topic].copy()
            ahead = self.ahead[record.topic]
            self._quarantine.hold((record,))
            if record.offset not in ahead and processor.goes_ahead(record, ahead):
                going.append(record)
                beside[topic] = following
        self._quarantine.acquit()
        self._quarantine.ahead = bool(going)
        return in_order(list(by_topic(going).values())) if going else going, beside

    def _text(self, topic: str, crash: Crash | None, following: int = 0) -> str:
        ahead = self.ahead.get(self._logical(topic))
        if crash is None and not ahead:
            return self._plain[topic]
        text = ahead.to_text(following) if ahead else ""
        return replace(self._notes[topic], crash=crash, ahead=text).to_text()

    def _logical(self, topic: str) -> str:
        return topic.removeprefix(self._prefix)

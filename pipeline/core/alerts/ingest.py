"""Ingest: a raw record of any source becomes normalised, enriched alerts, or a dead letter, bytes intact.

Owns the checks before an adapter sees a record (size, JSON, feed) and the bounds of what goes on. Knows no
source's shape. Keeps no state but the ledger: each alert is received here and forwarded, or dead-lettered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipeline.core.alerts.enrich import Enricher
from pipeline.core.alerts.feed_watch import SIGN_MS, heard
from pipeline.core.alerts.folding import Folding
from pipeline.core.alerts.own_alerts import OWN_FEED, as_own
from pipeline.core.alerts.recall import Remembered
from pipeline.core.alerts.sources import Source, sources_of
from pipeline.core.alerts.urgent import urgent_keys
from pipeline.core.overtaking import Overtaking
from pipeline.core.printable import PRINTABLE
from pipeline.core.privacy.redactor import FeedRedactor, Redactor
from pipeline.core.step import Effects, Output, Processor, Record, dead_letter
from pipeline.flow import MEBIBYTE, RAW_TOPIC_PREFIX, RAW_VALUE_BYTES_MAX
from pipeline.models.alert import Alert, Kind, alert_to_wire, as_overtaken, received_again
from pipeline.models.decision import BadRecord, Decision, Disposition, Origin, Reason
from pipeline.models.feed import Adapter
from pipeline.models.policy import Config, Feed

ALERTS_TOPIC: Final = "alerts"
INDEX_HEADER: Final = "spillway-index"
"""Dead letters of one member: its position in the message."""

BYTES_IN_HEADER: Final = "spillway-bytes-in"
"""Dead letters without bytes: the index whose dead letter, of the same raw record, holds them."""

# Each bad member's dead letter holds the whole message, so that it can be read and retried by itself.
# Thousands of bad members would multiply the message by thousands: beyond this sum, they refer to the first.
BAD_MEMBER_BYTES_MAX: Final = 4 * MEBIBYTE

# Bounds of one alert, so that a record on `alerts` stays far below the topic's 1 MiB even where JSON writes
# six bytes for a character. What is cut is cut: the raw record still has it.
LABELS_MAX: Final = 64
LABEL_NAME_CHARS_MAX: Final = 128
LABEL_VALUE_CHARS_MAX: Final = 512
LINKS_MAX: Final = 16
LINK_CHARS_MAX: Final = 2_048
NAME_CHARS_MAX: Final = 512
SUMMARY_CHARS_MAX: Final = 1_024  # PagerDuty's own limit
DESCRIPTION_CHARS_MAX: Final = 4_096
ID_CHARS_MAX: Final = 512

# A clock is trusted that is no further ahead. What is kept in time at all is right within seconds; a machine whose
# clock runs away is minutes or hours ahead, and its alerts would look newer than the recoveries that follow them.
CLOCK_SKEW_MS_MAX: Final = 60_000

_ABOUT_SOMETHING: Final = frozenset({Kind.FIRING, Kind.TICKET})
"""Kinds that should find an entity. Others follow these by their key, or are about nothing."""

_AHEAD_OF_TIME: Final = frozenset({Kind.MAINTENANCE_START, Kind.MAINTENANCE_END})

_ASCII_CONTROLS: Final = bytes((*range(0x20), 0x7F))


class IngestProcessor(Processor):
    """Ingest over one partition of the raw topics.

    Args:
        config: catalogue and feeds, for enrichment.
        adapters: by adapter name.
        feeds: by feed name: the feeds that may come in.
        enricher: of this configuration; partitions of one process share it.
        redactor: takes personal data out before anything else is done; None: nothing is taken out.

    Attributes:
        tells_of_feeds: something is expected of a feed, so whoever runs this tells what was read to its end.

    Raises:
        ValueError: a feed names an adapter that is not there, or options that its adapter does not have.
    """

    stage = "ingest"

    def __init__(
        self,
        config: Config,
        adapters: Mapping[str, Adapter],
        feeds: Mapping[str, Feed],
        enricher: Enricher | None = None,
        redactor: Redactor | None = None,
    ) -> None:
        super().__init__()
        self._redactor = redactor
        self._redactors: dict[str, FeedRedactor | None] = {}
        self._enricher = Enricher(config) if enricher is None else enricher
        self._recall = self._enricher.recall
        self._folding = Folding()
        self._all_expire = config.correlation.ttl_seconds is not None
        self._sources = sources_of(adapters, feeds)
        self.tells_of_feeds = any(feed.expect for feed in feeds.values())
        self._signs: dict[str, int] = {}  # topic -> number of the minute in which it was last told of

    def process(self, record: Record, effects: Effects) -> None:
        """Turn one raw record into alerts and dead letters."""
        value = record.value or b""
        source = self._sources.get(record.topic)
        if self.tells_of_feeds and source is not None:
            self._tell_heard(record, source.feed.name, effects)
        # No value may be a message too, of a source that says all in headers: what decodes bytes decides that.
        if not value and (source is None or source.adapter.decode is None):
            raise BadRecord(Reason.EMPTY, "the record has no value")
        if len(value) > RAW_VALUE_BYTES_MAX:
            raise BadRecord(Reason.TOO_LARGE, f"{len(value)} bytes, at most {RAW_VALUE_BYTES_MAX} are read")
        if source is None:
            raise BadRecord(
                Reason.UNKNOWN_FEED,
                f"no feed reads {record.topic}; add it to feeds.yaml, then retry this record",
            )
        if record.headers:  # adapters look for ids in them
            self._read(record, value, source, effects)
            return
        known = self._recall.get(record.topic, value)
        # With time gone back, what was no future may be one.
        if known is not None and known[0].timestamp_ms <= record.timestamp:
            self._forward_again(record, known, source.feed.name, effects)
            if known.unmatched:
                _count_unmatched(effects, source.feed.name, known.unmatched)
            return
        before, unmatched = len(effects.outputs), effects.unmatched.get(source.feed.name, 0)
        if self._read(record, value, source, effects):
            unmatched = effects.unmatched.get(source.feed.name, 0) - unmatched
            self._recall.put(record.topic, value, Remembered(effects.outputs[before:], unmatched))

    def _tell_heard(self, record: Record, feed: str, effects: Effects) -> None:
        """Tell that a feed talks, once a minute; also by what cannot be read. A restart tells once more."""
        number = record.timestamp // SIGN_MS
        if number > self._signs.get(record.topic, -1):
            self._signs[record.topic] = number
            effects.outputs.append(heard(feed, record.partition, record.timestamp))

    def finish(self, effects: Effects) -> None:
        """Write what was folded."""
        self._folding.finish(effects)

    def refuse(self, record: Record, bad: BadRecord, effects: Effects) -> None:
        """Send a record to the dead letter without personal data: there it lies for longest."""
        redactor = self._redactor_of(record.topic)
        super().refuse(record if redactor is None else redactor.record(record), bad, effects)

    def _redactor_of(self, topic: str) -> FeedRedactor | None:
        """What takes personal data out of a feed's messages, also where nobody reads that feed; None: nothing."""
        if self._redactor is None:
            return None
        if topic not in self._redactors:
            self._redactors[topic] = self._redactor.of_feed(topic.removeprefix(RAW_TOPIC_PREFIX))
        return self._redactors[topic]

    def _read(self, record: Record, value: bytes, source: Source, effects: Effects) -> bool:
        """Read a message that is not known; whether the same bytes come to the same later."""
        feed = source.feed
        results = self._results(record, value, source)
        bad_bytes = bad_first = passing = 0
        for index, result in enumerate(results):
            if isinstance(result, BadRecord):
                if not bad_bytes:
                    bad_first = index
                bad_bytes += len(value)
                holder = None if bad_bytes <= max(BAD_MEMBER_BYTES_MAX, len(value)) else bad_first
                self._refuse_member(record, result, index, holder, effects)
            else:
                passing += put_back(result, record.timestamp)
                result.overtaken = self._is_overtaken(record, result.alert_key)
                passing += result.overtaken
                self._forward(record, result, index, feed, effects)
        return not (bad_bytes or passing)

    def _forward(self, record: Record, alert: Alert, index: int, feed: Feed, effects: Effects) -> None:
        self.ledger.received += 1
        if alert.ttl_seconds is None:
            alert.ttl_seconds = feed.ttl_seconds
        alert.origin = (record.topic, record.partition, record.offset, index)
        alert.received_at_ms = record.timestamp
        self._enricher.enrich(alert)
        if alert.entity is None and alert.kind in _ABOUT_SOMETHING:
            _count_unmatched(effects, feed.name, 1)
        note_ahead(alert, feed.name, effects)
        bound(alert)
        output = Output(ALERTS_TOPIC, alert.alert_key.encode(), alert_to_wire(alert), record.timestamp)
        effects.outputs.append(output)
        if self.pressed and not alert.overtaken:
            self._folding.wrote((record.topic, record.value, index), effects)
        self.ledger.forwarded += 1

    def _forward_again(self, record: Record, known: list[Output], feed: str, effects: Effects) -> None:
        """Forward the alerts of a message that was read before, as of where and when it came now."""
        topic, now_ms = record.topic.encode(), record.timestamp
        for index, output in enumerate(known):
            source = (record.topic, record.value, index)
            overtaken = self._is_overtaken(record, (output.key or b"").decode())
            may_fold = self.pressed and not overtaken
            if may_fold and self._folding.adds(output.key, source, record.offset, now_ms, effects):
                effects.folded[feed] = effects.folded.get(feed, 0) + 1
                continue
            origin = (topic, record.partition, record.offset, index)
            value = received_again(output.value or b"", output.timestamp_ms, origin, now_ms)
            value = as_overtaken(value) if overtaken else value
            effects.outputs.append(Output(ALERTS_TOPIC, output.key, value, now_ms))
            if may_fold:
                self._folding.wrote(source, effects)
        self.ledger.received += len(known)
        self.ledger.forwarded += len(known)

    def _is_overtaken(self, record: Record, key: str) -> bool:
        """Whether a newer message of the condition went ahead of this one."""
        ahead = self.ahead.get(record.topic)
        return ahead is not None and ahead.overtakes(key, record.offset)

    def goes_ahead(self, record: Record, ahead: Overtaking) -> bool:
        """Whether a record shall be decided before its turn, and if so, note it among those.

        It goes where something critical begins in it that is not ahead already, and there is room. What ends by
        silence goes again, as a sign of life: whoever looks ahead lets a condition pass twice a minute at most. A
        record that cannot be read as a whole waits: what it is refused for is told once, in its turn.
        """
        source = self._sources.get(record.topic)
        if source is None:
            return False
        try:
            results = self._results(record, record.value or b"", source)
        except BadRecord:
            return False
        alerts = [each for each in results if isinstance(each, Alert)]
        urgent = dict.fromkeys(urgent_keys(alerts))
        others = dict.fromkeys(each.alert_key for each in alerts if each.alert_key not in urgent)
        expire = self._all_expire or source.feed.ttl_seconds
        lasting = set() if expire else {each.alert_key for each in alerts if not each.ttl_seconds}
        news = [key for key in urgent if not (key in lasting and ahead.is_ahead(key))]
        if not news or len(alerts) < len(results) or not ahead.has_room(record.offset, len(urgent) + len(others)):
            return False
        ahead.add(record.offset, urgent, others)
        return True

    def _results(self, record: Record, value: bytes, source: Source) -> list[Alert | BadRecord]:
        results = source.read(value, record.headers, self._redactor_of(record.topic))
        if source.feed.name == OWN_FEED:
            for alert in results:
                if isinstance(alert, Alert):
                    as_own(alert)
        return results

    def _refuse_member(self, record: Record, bad: BadRecord, index: int, holder: int | None, effects: Effects) -> None:
        """Dead-letter one member of a message; ``holder``: the member whose dead letter holds the bytes."""
        self.ledger.received += 1
        redactor = self._redactor_of(record.topic)
        letter = dead_letter(self.stage, record if redactor is None else redactor.record(record), bad)
        headers = (*letter.headers, (INDEX_HEADER, str(index).encode()))
        if holder is not None:
            headers = (*headers, (BYTES_IN_HEADER, str(holder).encode()))
            letter = letter._replace(value=None)
        effects.outputs.append(letter._replace(headers=headers))
        origin = Origin(record.topic, record.partition, record.offset, index)
        self.decide(effects, Decision(origin, Disposition.DEAD_LETTERED, bad.reason, record.timestamp))


def note_ahead(alert: Alert, feed: str, effects: Effects) -> None:
    """Note how far ahead of the brokers' clock the newest time that an alert tells is; below 0: behind."""
    told_ms = alert.event_at_ms if alert.ended_at_ms is None else alert.ended_at_ms
    if told_ms is None or alert.kind in _AHEAD_OF_TIME:
        return
    ahead_ms = (alert.clock_skew_ms or 0) + told_ms - alert.received_at_ms  # a time that was put back was told later
    most_ms = effects.ahead_ms.get(feed)
    if most_ms is None or ahead_ms > most_ms:
        effects.ahead_ms[feed] = ahead_ms


def _count_unmatched(effects: Effects, feed: str, alerts: int) -> None:
    effects.unmatched[feed] = effects.unmatched.get(feed, 0) + alerts


def put_back(alert: Alert, now_ms: int) -> bool:
    """Put times that have not come yet back, by what the source's clock is ahead; whether there were any.

    The newest of them cannot have been later than now, so the clock is ahead by at least what it is later. Their
    distance from each other is kept: how long it lasted is what a wrong clock measures right. Maintenance is told
    before it begins, so its times may lie ahead.
    """
    if alert.kind in _AHEAD_OF_TIME:
        return False
    newest_ms = max(alert.event_at_ms or 0, alert.ended_at_ms or 0)
    if newest_ms <= now_ms + CLOCK_SKEW_MS_MAX:
        return False
    alert.clock_skew_ms = skew_ms = newest_ms - now_ms
    alert.event_at_ms = None if alert.event_at_ms is None else max(0, alert.event_at_ms - skew_ms)
    alert.ended_at_ms = None if alert.ended_at_ms is None else max(0, alert.ended_at_ms - skew_ms)
    return True


def bound(alert: Alert) -> None:
    """Cut an alert to the bounds and to printable text, in place.

    Of too many labels the first stay, as the source orders them. Control characters would steer the terminals and
    mirror the words of whoever reads the incident, so a space takes their place.
    """
    if _fits(alert):  # nearly all do
        return
    alert.name = _cut(alert.name, NAME_CHARS_MAX)
    alert.summary = _cut(alert.summary, SUMMARY_CHARS_MAX)
    alert.description = _cut(alert.description, DESCRIPTION_CHARS_MAX)
    alert.source_episode_id = alert.source_episode_id and _cut(alert.source_episode_id, ID_CHARS_MAX)
    alert.delivery_id = alert.delivery_id and _cut(alert.delivery_id, ID_CHARS_MAX)
    alert.ticket = alert.ticket and _cut(alert.ticket, ID_CHARS_MAX)
    alert.severity_native = alert.severity_native and _cut(alert.severity_native, ID_CHARS_MAX)
    alert.labels = {
        _cut(name, LABEL_NAME_CHARS_MAX): _cut(value, LABEL_VALUE_CHARS_MAX)
        for name, value in list(alert.labels.items())[:LABELS_MAX]
    }
    # Half an address leads nowhere, so a link is kept whole or not at all.
    links = [
        (_cut(title, NAME_CHARS_MAX), _cut(link, LINK_CHARS_MAX))
        for title, link in alert.links.items()
        if len(link) <= LINK_CHARS_MAX
    ]
    alert.links = dict(links[:LINKS_MAX])


def _fits(alert: Alert) -> bool:
    """Whether `bound` would leave an alert as it is. No control is printable; what else is not takes the long way."""
    name, summary, description = alert.name, alert.summary, alert.description
    ids = "".join(filter(None, (alert.source_episode_id, alert.delivery_id, alert.ticket, alert.severity_native)))
    labels, links = alert.labels, alert.links
    label_names, label_values = "".join(labels), "".join(labels.values())
    titles, addresses = "".join(links), "".join(links.values())
    return (
        _is_printable(f"{name}{summary}{description}{ids}{label_names}{label_values}{titles}{addresses}")
        and len(name) <= NAME_CHARS_MAX
        and len(summary) <= SUMMARY_CHARS_MAX
        and len(description) <= DESCRIPTION_CHARS_MAX
        and len(ids) <= ID_CHARS_MAX  # all of them together: longer ones are rare, and take the long way
        and len(labels) <= LABELS_MAX
        and (len(label_names) <= LABEL_NAME_CHARS_MAX or max(map(len, labels)) <= LABEL_NAME_CHARS_MAX)
        and (len(label_values) <= LABEL_VALUE_CHARS_MAX or max(map(len, labels.values())) <= LABEL_VALUE_CHARS_MAX)
        and len(links) <= LINKS_MAX
        and len(titles) <= NAME_CHARS_MAX
        and len(addresses) <= LINK_CHARS_MAX
    )


def _is_printable(text: str) -> bool:
    """As ``str.isprintable``, which takes three times as long for a text in ASCII."""
    if text.isascii():
        return len(text.encode().translate(None, _ASCII_CONTROLS)) == len(text)
    return text.isprintable()


def _cut(text: str, chars_max: int) -> str:
    if len(text) <= chars_max and text.isprintable():
        return text
    return text[:chars_max].translate(PRINTABLE)

"""Silent feeds: what `pipeline.core.alerts.feed_watch` finds becomes an episode, and ends as one.

No message says that a feed is silent, so its episode begins without an alert, as it does where maintenance releases
one: conservation counts messages alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson

from pipeline.core.alerts.condition import MAINTENANCE, OPEN, RESOLVED, Condition
from pipeline.core.alerts.dedupe_state import HOUR_MS, DedupeState
from pipeline.core.alerts.enrich import SPACE_DEFAULT, Enricher
from pipeline.core.alerts.feed_watch import EVERY_FEED, FeedWatch, Heard, Turn, sign_of
from pipeline.core.alerts.own_alerts import OWN_EPISODES_PER_HOUR_MAX, OWN_FEED
from pipeline.core.identity import content_hash
from pipeline.core.step import Effects, Record
from pipeline.core.topology import Topology
from pipeline.flow import RAW_TOPIC_PREFIX
from pipeline.models.alert import Alert, FeedClass, Kind, Severity, alert_to_wire
from pipeline.models.decision import Reason
from pipeline.models.episode import EpisodeChange, brief
from pipeline.models.policy import Config, Feed
from pipeline.models.wire import to_json

FEED: Final = "f/"
"""State key of what is known of a feed."""

READ: Final = "r/"
"""State key of when an ingest partition was last found read to its end."""

OWN: Final = "o/"
"""State key of when the newest episodes of own alerts began."""

FORGET_FEEDS: Final = "feeds"
"""Name of the deadline at which nothing is expected any more of what is silent; alert keys are longer."""

OWN_RAW_TOPIC: Final = RAW_TOPIC_PREFIX + OWN_FEED

FEEDS_NAMED_MAX: Final = 8
"""Feeds that are named where all are silent; a line with more is not read."""

ENTITY_LABEL: Final = "spillway.dev/entity"
"""The label that says first of all what an alert is about."""


class DedupeFeeds(DedupeState):
    """Episodes of feeds that are silent. Signs come to one partition, and the others have nothing of this."""

    def __init__(
        self, config: Config, feeds: Mapping[str, Feed], topology: Topology, enricher: Enricher | None = None
    ) -> None:
        super().__init__(config, feeds, topology)
        self._enricher = enricher
        self._expected = {name: feed.expect for name, feed in feeds.items() if feed.expect}
        self.feed_watch = FeedWatch(self._expected)
        self._silence_keys = frozenset(map(_key, (*self._expected, EVERY_FEED)))
        self._own_began_ms: list[int] = []

    # -- state

    def load(self, key: str, value: bytes) -> None:
        """Take one state record back.

        Raises:
            ValueError: of a schema that this release does not read.
        """
        if key[:2] == FEED:
            self.feed_watch.feeds[key[2:]] = Heard.unpacked(value)
        elif key[:2] == READ:
            self.feed_watch.read_ms[int(key[2:])] = int(value)
        elif key == OWN:
            self._own_began_ms = orjson.loads(value)
        else:
            super().load(key, value)

    def dump(self, key: str) -> bytes | None:
        """The state record of a key; None where it is gone."""
        if key[:2] == FEED:
            return self.feed_watch.feeds[key[2:]].packed()
        if key[:2] == READ:
            return str(self.feed_watch.read_ms[int(key[2:])]).encode()
        if key == OWN:
            return to_json(self._own_began_ms)
        return super().dump(key)

    def restored(self) -> None:
        """Also plan the end of silences that another configuration does not ask for."""
        super().restored()
        watch = self.feed_watch
        if any(each.silent and not watch.is_expected(name) for name, each in watch.feeds.items()):
            self.timers.set(FORGET_FEEDS, self.clock_ms)

    def gauges(self) -> dict[str, dict[str, float]]:
        """Also when each feed was heard last, and which are silent."""
        feeds = {name: each for name, each in self.feed_watch.feeds.items() if name != EVERY_FEED}
        return super().gauges() | {
            "feed_last_seen_timestamp_seconds": {name: each.last_ms / 1_000 for name, each in feeds.items()},
            "feed_silent": {name: float(self.feed_watch.is_silent(name)) for name in feeds if name in self._expected},
        }

    # -- decisions

    def on_tick(self, record: Record, effects: Effects) -> None:
        """Take a sign of a feed or of an ingest partition."""
        if (sign := sign_of(record)) is None:
            return
        self._turn(self.feed_watch.take(sign, record.timestamp), effects)

    def forget_feeds(self, effects: Effects) -> None:
        """End the silence of feeds that nothing is expected of any more."""
        self._turn(self.feed_watch.no_longer_expected(), effects)

    def own_may_begin(self) -> bool:
        """Whether another episode of Spillway's own alerts may begin now; it is counted as one then."""
        began_ms = [each for each in self._own_began_ms if each > self.clock_ms - HOUR_MS]
        if len(began_ms) >= OWN_EPISODES_PER_HOUR_MAX:
            return False
        self._own_began_ms = [*began_ms, self.clock_ms]
        self.touch(OWN)
        return True

    def _turn(self, turns: list[Turn], effects: Effects) -> None:
        for turn in turns:
            if turn.silent:
                self._falls_silent(turn, effects)
            else:
                self._speaks(turn, effects)
        for changed in self.feed_watch.changed:
            self.touch(f"{READ}{changed}" if isinstance(changed, int) else FEED + changed)
        self.feed_watch.changed.clear()

    def _falls_silent(self, turn: Turn, effects: Effects) -> None:
        alert = self._alert(turn)
        body, condition = alert_to_wire(alert), self._known(alert.alert_key) or Condition()
        condition.begin(alert, self.clock_ms)
        until_ms = self._maintenance.until_ms(alert, self.clock_ms)
        if until_ms is not None:
            condition.phase, condition.until_ms = MAINTENANCE, until_ms
            condition.hide(self.clock_ms)
            condition.hidden_runs = 1
        else:
            self._open_up(alert, condition)
            self._emit(effects, alert.alert_key, body, condition, EpisodeChange.OPENED, Reason.FEED_SILENT)
        self._keep(alert.alert_key, condition, body)

    def _open_up(self, alert: Alert, condition: Condition) -> None:
        """A silence does not expire, whatever first hid it: nobody repeats it, and it ends when the feed is heard."""
        super()._open_up(alert, condition)
        if alert.alert_key in self._silence_keys:
            condition.ttl_seconds = 0

    def _speaks(self, turn: Turn, effects: Effects) -> None:
        key = _key(turn.feed)
        condition = self._known(key)
        if condition is None or not condition.fires:
            return
        if condition.phase == MAINTENANCE:
            self._tell_hidden(key, condition, effects)
        elif condition.phase == OPEN:
            told = brief(key, condition.severity, condition.space)
            self._emit(effects, key, told, condition, EpisodeChange.RESOLVED, Reason.FEED_HEARD)
        self._enter(condition, RESOLVED)
        condition.resolved_at_ms = condition.last_at_ms = self.clock_ms
        self._keep(key, condition)

    def _alert(self, turn: Turn) -> Alert:
        """What a monitor of the feed would have sent."""
        alert = self._all_silent(turn) if turn.feed == EVERY_FEED else self._one_silent(turn)
        alert.event_at_ms = turn.since_ms
        alert.received_at_ms = self.clock_ms
        if self._enricher is not None:
            self._enricher.enrich(alert)
        return alert

    def _one_silent(self, turn: Turn) -> Alert:
        name, expected = turn.feed, self._expected[turn.feed]
        labels = {"feed": name} | ({ENTITY_LABEL: expected.about} if expected.about else {})
        return Alert(
            feed=name,
            feed_class=FeedClass.ON_PREM,
            kind=Kind.FIRING,
            alert_key=_key(name),
            name="Feed is silent",
            summary=f"Nothing was heard from feed {name} for {_span(expected.within_seconds)}",
            description="Its source, its network or its credentials may be broken. What it watches is not watched.",
            severity=expected.severity,
            labels=labels,
            space=SPACE_DEFAULT,
            origin=(RAW_TOPIC_PREFIX + name, 0, 0, 0),
        )

    def _all_silent(self, turn: Turn) -> Alert:
        # Names stand in a label: in the summary they would be taken for what the alert is about.
        missed = sorted(turn.others)
        named = ", ".join(missed[:FEEDS_NAMED_MAX]) + (", ..." if len(missed) > FEEDS_NAMED_MAX else "")
        return Alert(
            feed=OWN_FEED,
            feed_class=FeedClass.ON_PREM,
            kind=Kind.FIRING,
            alert_key=_key(EVERY_FEED),
            name="No feed is heard",
            summary="Nothing is heard from any feed",
            description="The gateway, the network in front of it or the producers' way to Kafka is probably shut.",
            severity=Severity.CRITICAL,
            labels={"missed_first": named, ENTITY_LABEL: OWN_FEED},
            space=SPACE_DEFAULT,
            origin=(OWN_RAW_TOPIC, 0, 0, 0),
        )


def _key(feed: str) -> str:
    return content_hash("spillway", "feed silent", feed)


def _span(seconds: int) -> str:
    return f"{seconds // 60} min" if seconds % 60 == 0 else f"{seconds} s"

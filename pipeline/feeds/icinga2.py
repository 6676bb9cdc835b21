"""Icinga 2 event stream: state changes, notifications, acknowledgements, downtimes and flapping.

Only HARD states count. State changes go on being told while something flaps, so flapping itself is no alert here:
`pipeline.core.alerts.dedupe` sees it. Times are seconds with a fraction.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from pipeline.core.identity import content_hash
from pipeline.feeds.fields import Fields, first_line, missing, unknown_word
from pipeline.models.alert import Alert, FeedClass, Kind, Severity
from pipeline.models.catalog import Frozen
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.ON_PREM

_HARD: Final = 1
_SERVICE_STATES: Final = (
    ("OK", Severity.INFO),
    ("WARNING", Severity.WARNING),
    ("CRITICAL", Severity.CRITICAL),
    ("UNKNOWN", Severity.WARNING),
)
_HOST_STATES: Final = (("UP", Severity.INFO), ("DOWN", Severity.CRITICAL))
# A host's check result has the state of its plugin: OK and WARNING mean that it is up.
_PLUGIN_STATE_DOWN: Final = 2

# Somebody's slip of the finger; begin and duration together have to stay a time.
_DOWNTIME_MS_MAX: Final = 100 * 366 * 24 * 3_600 * 1_000

_NOTIFICATIONS: Final = {
    "PROBLEM": Kind.FIRING,
    "RECOVERY": Kind.RESOLVED,
    "ACKNOWLEDGEMENT": Kind.ACKNOWLEDGED,
    "DOWNTIMESTART": Kind.MAINTENANCE_START,
    "DOWNTIMEEND": Kind.MAINTENANCE_END,
    "DOWNTIMEREMOVED": Kind.MAINTENANCE_END,
    "FLAPPINGSTART": Kind.CONTROL,
    "FLAPPINGEND": Kind.CONTROL,
    "CUSTOM": Kind.CONTROL,
}
_DOWNTIMES: Final = {
    "DowntimeStarted": Kind.MAINTENANCE_START,
    "DowntimeTriggered": Kind.MAINTENANCE_START,
    "DowntimeEnded": Kind.MAINTENANCE_END,
    "DowntimeRemoved": Kind.MAINTENANCE_END,
    "DowntimeAdded": Kind.CONTROL,
}
_ACKNOWLEDGEMENTS: Final = {
    "AcknowledgementSet": Kind.ACKNOWLEDGED,
    "AcknowledgementCleared": Kind.UNACKNOWLEDGED,
}
_REST: Final = {
    "CheckResult": "a check result: changes of state are told by StateChange",
    "CommentAdded": "a comment",
    "CommentRemoved": "a comment",
    "ObjectCreated": "the configuration changed",
    "ObjectModified": "the configuration changed",
    "ObjectDeleted": "the configuration changed",
}
_TYPES: Final = ("StateChange", "Notification", "Flapping", *_ACKNOWLEDGEMENTS, *_DOWNTIMES, *_REST)


class Options(Frozen):
    """What a feed may set.

    Attributes:
        quiet_in_downtime: take no new problem from a state change in a downtime. Only for streams that hold
            notifications too: Icinga notifies when a problem outlasts its downtime, and does not change state again.
    """

    quiet_in_downtime: bool = False


class _Checkable(NamedTuple):
    """What an event is about: a host, or one of its services."""

    host: str
    service: str | None

    @property
    def name(self) -> str:
        return self.service or "Host"

    def key(self, feed: str, *condition: str) -> str:
        return content_hash(feed, *condition, self.host, "" if self.service is None else f"!{self.service}")

    def labels(self) -> dict[str, str]:
        return {"host": self.host} if self.service is None else {"host": self.host, "check": self.service}


class _State(NamedTuple):
    """A state: Icinga's word, and ours."""

    word: str
    severity: Severity

    @property
    def well(self) -> bool:
        return self.word in ("OK", "UP")


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one event."""
    event = Fields.of(document)
    kind = event.text("type")
    if kind == "StateChange":
        return [_state_change(event, message)]
    if kind == "Notification":
        return [_notification(event, message)]
    if kind in _ACKNOWLEDGEMENTS:
        return [_acknowledgement(event, _ACKNOWLEDGEMENTS[kind], message)]
    if kind in _DOWNTIMES:
        return [_downtime(event, _DOWNTIMES[kind], message)]
    if kind == "Flapping":
        return [_flapping(event, message)]
    if kind in _REST:
        return [_control(message, _checkable_or_none(event), kind, _REST[kind], _time_ms(event))]
    raise unknown_word("$.type", _TYPES)


def _state_change(event: Fields, message: RawMessage) -> Alert:
    about = _checkable(event)
    state = _state_of(event, about)
    if event.integer("state_type") != _HARD:
        return _control(message, about, about.name, "a SOFT state: Icinga checks again before it is sure",
                        _time_ms(event))  # fmt: skip
    in_downtime = (event.integer_or_none("downtime_depth") or 0) > 0
    if in_downtime and not state.well and message.options.quiet_in_downtime:
        return _control(message, about, about.name, "in a downtime: Icinga notifies if it outlasts it",
                        _time_ms(event))  # fmt: skip
    alert = _told(event, about, state, Kind.RESOLVED if state.well else Kind.FIRING, message)
    if in_downtime:
        alert.labels["in_downtime"] = "true"
    return alert


def _notification(event: Fields, message: RawMessage) -> Alert:
    about = _checkable(event)
    word = event.text("notification_type")
    if word not in _NOTIFICATIONS:
        raise unknown_word("$.notification_type", tuple(_NOTIFICATIONS))
    kind = _NOTIFICATIONS[word]
    at_ms = _time_ms(event)
    if kind == Kind.CONTROL:
        what = "a person's notification" if word == "CUSTOM" else "flapping: changes of state are told by StateChange"
        return _control(message, about, about.name, what, at_ms)
    if kind in (Kind.MAINTENANCE_START, Kind.MAINTENANCE_END):
        return _maintenance(message, about, kind, event.text_or_none("text") or "", at_ms)
    alert = _told(event, about, _state_of_result(event, about), kind, message)
    if kind == Kind.ACKNOWLEDGED:
        alert.summary = first_line(event.text_or_none("text") or "") or alert.summary
    return alert


def _told(event: Fields, about: _Checkable, state: _State, kind: Kind, message: RawMessage) -> Alert:
    """An alert about the state of a host or service."""
    result = event.section_or_empty("check_result")
    output = result.text_or_none("output") or ""
    at_ms = _time_ms(event)
    labels = about.labels()
    if source := result.text_or_none("check_source"):
        labels["check_source"] = source
    rest = output.strip().partition("\n")[2].strip()
    return Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=kind,
        alert_key=about.key(message.feed),
        name=about.name,
        summary=first_line(output) or about.name,
        description=rest,
        severity=state.severity,
        severity_native=state.word,
        event_at_ms=None if kind == Kind.RESOLVED else at_ms,
        ended_at_ms=at_ms if kind == Kind.RESOLVED else None,
        labels=labels,
    )


def _acknowledgement(event: Fields, kind: Kind, message: RawMessage) -> Alert:
    about = _checkable(event)
    state = _state_of(event, about)
    return Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=kind,
        alert_key=about.key(message.feed),
        name=about.name,
        summary=first_line(event.text_or_none("comment") or "") or about.name,
        severity=state.severity,
        severity_native=state.word,
        event_at_ms=_time_ms(event),
        labels=about.labels(),
    )


def _downtime(event: Fields, kind: Kind, message: RawMessage) -> Alert:
    downtime = event.section("downtime")
    about = _Checkable(downtime.text("host_name"), downtime.text_or_none("service_name"))
    name = downtime.text_or_none("__name")
    if kind == Kind.CONTROL:
        return _control(message, about, "downtime", "a downtime is planned: its start is told by itself",
                        _time_ms(event))  # fmt: skip
    begun_ms, ends_ms = _planned(downtime)
    alert = _maintenance(message, about, kind, downtime.text_or_none("comment") or "", begun_ms)
    alert.source_episode_id = name
    alert.ended_at_ms = ends_ms if kind == Kind.MAINTENANCE_START else _time_ms(event)
    return alert


def _planned(downtime: Fields) -> tuple[int | None, int | None]:
    """Begin and end of a downtime; a flexible one runs for its duration from when it was triggered."""
    triggered_ms = downtime.epoch_or_none("trigger_time", per_second=1)
    if downtime.values.get("fixed") is False and triggered_ms:
        duration_ms = downtime.epoch_or_none("duration", per_second=1) or 0
        if duration_ms > _DOWNTIME_MS_MAX:
            raise BadRecord(Reason.WRONG_TYPE, f"{downtime.at('duration')}: longer than a hundred years")
        return triggered_ms, triggered_ms + duration_ms
    return downtime.epoch_or_none("start_time", per_second=1), downtime.epoch_or_none("end_time", per_second=1)


def _maintenance(message: RawMessage, about: _Checkable, kind: Kind, comment: str, at_ms: int | None) -> Alert:
    return Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=kind,
        alert_key=about.key(message.feed, "downtime"),
        name="downtime",
        summary=first_line(comment) or "downtime",
        severity=Severity.INFO,
        severity_default_reason="a downtime has no severity",
        event_at_ms=at_ms if kind == Kind.MAINTENANCE_START else None,
        ended_at_ms=at_ms if kind == Kind.MAINTENANCE_END else None,
        labels=about.labels(),
    )


def _flapping(event: Fields, message: RawMessage) -> Alert:
    about = _checkable(event)
    # The manual says `current_flapping`, the program writes `flapping_current`.
    percent: Any = event.values.get("flapping_current", event.values.get("current_flapping"))
    started = event.values.get("is_flapping") is True
    what = "flapping" if started else "no longer flapping"
    alert = _control(message, about, about.name, f"{what}: changes of state are told by StateChange", _time_ms(event))
    if isinstance(percent, int | float) and not isinstance(percent, bool):
        alert.labels["flapping_percent"] = f"{percent:.1f}"
    return alert


def _control(message: RawMessage, about: _Checkable | None, name: str, why: str, at_ms: int | None) -> Alert:
    """What is no news of a condition, and why."""
    return Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=Kind.CONTROL,
        alert_key=content_hash(message.feed, "control", name) if about is None else about.key(message.feed),
        name=name,
        summary=why,
        severity=Severity.INFO,
        severity_default_reason="a control message has no severity",
        event_at_ms=at_ms,
        labels={} if about is None else about.labels(),
    )


def _checkable(event: Fields) -> _Checkable:
    return _Checkable(event.text("host"), event.text_or_none("service"))


def _checkable_or_none(event: Fields) -> _Checkable | None:
    return _checkable(event) if event.has("host") else None


def _state_of(event: Fields, about: _Checkable) -> _State:
    """The state of a host or service as an event tells it; old releases write it as a fraction, 2.0."""
    return _state(event.values.get("state"), about, event.at("state"))


def _state_of_result(event: Fields, about: _Checkable) -> _State:
    """The state behind a notification."""
    result = event.section("check_result")
    number = result.values.get("state")
    if about.service is None and isinstance(number, int | float):
        number = int(number >= _PLUGIN_STATE_DOWN)
    return _state(number, about, result.at("state"))


def _state(number: object, about: _Checkable, path: str) -> _State:
    if number is None:
        raise missing(path)
    states = _HOST_STATES if about.service is None else _SERVICE_STATES
    if isinstance(number, bool) or not isinstance(number, int | float) or number not in range(len(states)):
        raise BadRecord(Reason.UNKNOWN_SHAPE, f"{path}: not a number from 0 to {len(states) - 1}")
    return _State(*states[int(number)])


def _time_ms(event: Fields) -> int | None:
    return event.epoch_or_none("timestamp", per_second=1)

"""Decisions: what became of each alert, and why. One enum is log field, metric label and wire field."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Disposition(StrEnum):
    """What became of an alert. Every alert ends in exactly one; their sum is the conservation law."""

    REPEATED = "repeated"
    JOINED = "joined"
    OPENED = "opened"
    SUPPRESSED = "suppressed"
    HELD = "held"
    CONTROL = "control"
    DEAD_LETTERED = "dead_lettered"


class Reason(StrEnum):
    """Why a decision was taken."""

    # dedupe
    STILL_FIRING = "still_firing"
    DUPLICATE_DELIVERY = "duplicate_delivery"
    OUT_OF_ORDER = "out_of_order"
    RESOLVED_WITHOUT_FIRING = "resolved_without_firing"
    FLAPPING = "flapping"
    MAINTENANCE = "maintenance"
    TRANSIENT = "transient"
    HEARTBEAT = "heartbeat"
    MAINTENANCE_NOTICE = "maintenance_notice"
    SOURCE_CONTROL = "source_control"
    OWN_RECORD = "own_record"
    ACKNOWLEDGED_AT_SOURCE = "acknowledged_at_source"
    NEW_EPISODE = "new_episode"
    REOPENED_EPISODE = "reopened_episode"
    SEVERITY_CHANGED = "severity_changed"
    RESOLVED = "resolved"
    EXPIRED = "expired"
    RELEASED = "released"
    FEED_SILENT = "feed_silent"
    FEED_HEARD = "feed_heard"
    OWN_RATE = "own_rate"
    # correlate
    FIRST_SYMPTOM = "first_symptom"
    SAME_CONDITION = "same_condition"
    SAME_ENTITY = "same_entity"
    DEPENDENCY = "dependency"
    SHARED_HOSTING = "shared_hosting"
    BUSINESS_TERMS = "business_terms"
    SIMILAR_TEXT = "similar_text"
    COMBINED_EVIDENCE = "combined_evidence"
    SILENCED = "silenced"
    INHIBITED = "inhibited"
    RULE_JOIN = "rule_join"
    RULE_NEVER = "rule_never"
    RULE_MIN_COUNT = "rule_min_count"
    EPISODE_UPDATED = "episode_updated"
    EPISODE_RESOLVED = "episode_resolved"
    INCIDENT_GONE = "incident_gone"
    BY_COMMAND = "by_command"
    LOOKED_AGAIN = "looked_again"
    # dead letter
    EMPTY = "empty"
    TOO_LARGE = "too_large"
    BROKEN_JSON = "broken_json"
    WRONG_TYPE = "wrong_type"
    MISSING_FIELD = "missing_field"
    UNKNOWN_FEED = "unknown_feed"
    UNKNOWN_SHAPE = "unknown_shape"
    UNKNOWN_SCHEMA = "unknown_schema"
    UNKNOWN_TARGET = "unknown_target"
    NOT_PERMITTED = "not_permitted"
    QUARANTINED = "quarantined"


class WhyNot(StrEnum):
    """Why an episode did not join an incident that was looked at for it."""

    BELOW_THRESHOLD = "below_threshold"
    NOT_BEST = "not_best"
    QUIET_TOO_LONG = "quiet_too_long"
    RESOLVED = "resolved"
    RULE_NEVER = "rule_never"


class BadRecord(Exception):
    """The record cannot be processed and its sender is at fault: it goes to the dead letter, bytes intact.

    Attributes:
        reason: the enum member that metrics and the dead letter carry.
        detail: what was wrong and where, for a person. Holds no payload values, which may be secret.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Origin(NamedTuple):
    """Where an alert came from: its raw record, and its index inside a message that carries several."""

    topic: str
    partition: int
    offset: int
    index: int  # type: ignore[assignment]  # the contract's word; shadows tuple.index, which nobody needs here


class Decision(NamedTuple):
    """What one alert came to.

    Attributes:
        origin: the raw record and index that the decision is about.
        disposition: exactly one for each alert.
        reason: why.
        received_at_ms: timestamp of the raw record, epoch milliseconds; start of end-to-end latency.
        alert_key: the condition; None where the record could not be read.
        episode_id: the episode that the alert belongs to, if any.
        incident_id: the incident as decided at this moment, if any.
        bridge_id: the bridge incident of that incident at this moment, if any.
    """

    origin: Origin
    disposition: Disposition
    reason: Reason
    received_at_ms: int
    alert_key: str | None = None
    episode_id: str | None = None
    incident_id: str | None = None
    bridge_id: str | None = None

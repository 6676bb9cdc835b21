"""Why an alert came to what it came to, in words: what of the configuration or of its condition decided.

Most of these decisions leave nothing on an incident's record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from pipeline.cli.explain_words import REASON_WORDS, by_words
from pipeline.core.alerts.condition import Condition
from pipeline.models.decision import Decision, Disposition, Reason
from pipeline.models.episode import EpisodeChange
from pipeline.models.policy import Config

_PLAIN: Final[dict[str, str]] = {
    Reason.DUPLICATE_DELIVERY: "the source delivered this message twice: its delivery id is that of the one before",
    Reason.OUT_OF_ORDER: "by the source's clock it is older than what is known of the condition already",
    Reason.RESOLVED_WITHOUT_FIRING: "a recovery of what does not fire: there is nothing to end",
    Reason.HEARTBEAT: "a sign of life of the source, and about nothing",
    Reason.MAINTENANCE_NOTICE: "the source says that a maintenance begins or ends: a change that expects alerts",
    Reason.SOURCE_CONTROL: "a message of the source about itself",
    Reason.OWN_RECORD: "a record that Spillway itself made in the source",
    Reason.ACKNOWLEDGED_AT_SOURCE: "somebody acknowledged it, or took that back, in the source",
    Reason.EPISODE_RESOLVED: "the recovery of an episode that an incident has",
    Reason.EPISODE_UPDATED: "another severity of an episode that an incident has",
    Reason.INCIDENT_GONE: "its incident is over and no longer kept: there is nothing to change",
}
"""What needs nothing else to be said."""

_SUPPRESSED: Final[dict[str, tuple[str, str]]] = {
    Reason.SILENCED: ("somebody has silenced it", "what still fires when the silence ends is let in then"),
    Reason.INHIBITED: ("what it needs is known to be down", "what still fires when that is well again is let in then"),
}
"""What is said before what suppresses, and after it."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known in the moment in which an alert is decided.

    Attributes:
        config: the configuration in force.
        condition: what dedupe remembers of the alert's condition now; None where correlate decided.
        event: where correlate decided, the episode event as JSON.
        change: the change that expects it, if one does.
        windows: maintenance windows that cover it.
        until_ms: until when it waits; None: it does not, or only news ends that.
        facts: what that was decided by.
    """

    config: Config
    condition: Condition | None = None
    event: Mapping[str, Any] = field(default_factory=dict)
    change: str | None = None
    windows: Sequence[str] = ()
    until_ms: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def because(decision: Decision, known: Known) -> tuple[dict[str, Any], str]:
    """What decided, for machines and in words."""
    condition = known.condition
    if decision.reason == Reason.MAINTENANCE:
        return _maintenance(known)
    if decision.reason in _SUPPRESSED:
        why, then = _SUPPRESSED[decision.reason]
        return dict(known.facts), f"{why} ({by_words(known.facts) or 'which is not known'}); {then}"
    if decision.reason == Reason.FLAPPING:
        return _flapping(known.config)
    if decision.disposition == Disposition.HELD:
        return _held(decision.reason, known)
    if decision.reason == Reason.STILL_FIRING and condition is not None:
        since = _clock(condition.opened_at_ms)
        by = {"opened_at_ms": condition.opened_at_ms, "repeats": condition.repeats}
        return by, f"the condition fires already, since {since}, and with this severity"
    words = _PLAIN.get(decision.reason) or REASON_WORDS.get(decision.reason)
    return {}, words or decision.reason.replace("_", " ")


def _maintenance(known: Known) -> tuple[dict[str, Any], str]:
    if known.change is not None:
        words = f"change {known.change} is under way, and expects alerts on this"
        return {"change_id": known.change}, f"{words}; what still fires at its end is let in then"
    until_ms = known.condition.until_ms if known.condition is not None else known.until_ms
    until = f" until {_clock(until_ms)}" if until_ms is not None else ""
    windows = ", ".join(known.windows) or "that had begun before"
    words = f"maintenance {windows} covers it{until}; what still fires then is released"
    return {"windows": list(known.windows), "until_ms": until_ms}, words


def _flapping(config: Config) -> tuple[dict[str, Any], str]:
    rules = config.correlation
    limit, window, quiet = rules.flap_transitions, rules.flap_window_seconds, rules.flap_quiet_seconds
    by = {"flap_transitions": limit, "flap_window_seconds": window, "flap_quiet_seconds": quiet}
    words = f"the condition flaps: more than {limit} turns between firing and resolved within {_span(window)}"
    return by, f"{words}; if it fires and does not turn for {_span(quiet)}, it is released"


def _held(reason: str, known: Known) -> tuple[dict[str, Any], str]:
    if known.event.get("change") in {EpisodeChange.RESOLVED, EpisodeChange.EXPIRED}:
        return {}, "it was over while it waited, and nothing else had spoken for it: nobody was called"
    until_ms, facts = known.until_ms, known.facts
    by = {"until_ms": until_ms} | dict(facts)
    until = f" until {_clock(until_ms)}" if until_ms is not None else ""
    if reason == Reason.RULE_MIN_COUNT:
        rule = f"rule {facts['rule']}" if "rule" in facts else "a correlation rule"
        came = f" ({facts['count']} had come)" if "count" in facts else ""
        return by, f"{rule} wants more of its kind before it is an incident{came}; until then it waits"
    words = f"it may pass by itself, so it waits{until}, or until something else speaks for it"
    if "set_seconds" in facts:
        return by, f"{words}: the feed says {_span(facts['set_seconds'])} for its severity"
    if "learned_seconds" in facts:
        runs, ended = facts.get("runs"), facts.get("ended_by_themselves")
        learned = f"{ended} of {runs} runs of its {facts.get('of')} ended by themselves"
        return by, f"{words}: {learned} within {_span(facts['learned_seconds'])}"
    return by, words + _told(facts)


def _told(facts: Mapping[str, Any]) -> str:
    words = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())
    return f" ({words})" if words else ""


def _clock(at_ms: int | None) -> str:
    return f"{datetime.fromtimestamp((at_ms or 0) / 1_000, UTC):%Y-%m-%d %H:%M:%S}Z"


def _span(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes} min" if minutes and not rest else f"{seconds} s"

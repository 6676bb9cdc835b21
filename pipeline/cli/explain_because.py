"""Why an alert came to what it came to, in words: what of the configuration or of its condition decided.

Most of these decisions leave nothing on an incident's record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from pipeline.cli.explain_words import REASON_WORDS
from pipeline.core.condition import Condition
from pipeline.models.decision import Decision, Disposition, Reason
from pipeline.models.episode import EpisodeChange
from pipeline.models.policy import Config

_PLAIN: Final[dict[str, str]] = {
    Reason.DUPLICATE_DELIVERY: "the source delivered this message twice: its delivery id is that of the one before",
    Reason.OUT_OF_ORDER: "by the source's clock it is older than what is known of the condition already",
    Reason.RESOLVED_WITHOUT_FIRING: "a recovery of what does not fire: there is nothing to end",
    Reason.HEARTBEAT: "a sign of life of the source, and about nothing",
    Reason.MAINTENANCE_NOTICE: "the source says that a maintenance begins or ends",
    Reason.SOURCE_CONTROL: "a message of the source about itself",
    Reason.ACKNOWLEDGED_AT_SOURCE: "somebody acknowledged it, or took that back, in the source",
    Reason.EPISODE_RESOLVED: "the recovery of an episode that an incident has",
    Reason.EPISODE_UPDATED: "another severity of an episode that an incident has",
    Reason.INCIDENT_GONE: "its incident is over and no longer kept: there is nothing to change",
}
"""What needs nothing else to be said."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known in the moment in which an alert is decided.

    Attributes:
        config: the configuration in force.
        condition: what dedupe remembers of the alert's condition now; None where correlate decided.
        event: where correlate decided, the episode event as JSON.
        held_for: where correlate lets it wait, what that decision went by.
        covered_by: maintenance windows that cover it or, where correlate decided, the change that expects it.
    """

    config: Config
    condition: Condition | None = None
    event: Mapping[str, Any] = field(default_factory=dict)
    held_for: Mapping[str, Any] = field(default_factory=dict)
    covered_by: Sequence[str] = ()


def because(decision: Decision, known: Known) -> tuple[dict[str, Any], str]:
    """What decided, for machines and in words."""
    condition = known.condition
    if decision.reason == Reason.MAINTENANCE:
        return _maintenance(condition, [name for name in known.covered_by if name])
    if decision.reason == Reason.FLAPPING:
        return _flapping(known.config)
    if decision.disposition == Disposition.HELD:
        return _held(decision.reason, known.event, known.held_for)
    if decision.reason == Reason.STILL_FIRING and condition is not None:
        since = _clock(condition.opened_at_ms)
        by = {"opened_at_ms": condition.opened_at_ms, "repeats": condition.repeats}
        return by, f"the condition fires already, since {since}, and with this severity"
    words = _PLAIN.get(decision.reason) or REASON_WORDS.get(decision.reason)
    return {}, words or decision.reason.replace("_", " ")


def _maintenance(condition: Condition | None, names: list[str]) -> tuple[dict[str, Any], str]:
    if condition is None:
        known = names[0] if names else None
        words = f"change {known} is under way, and expects alerts on this" if known else "a change expects it"
        return {"change_id": known}, f"{words}; what still fires at its end is let in then"
    until = f" until {_clock(condition.until_ms)}" if condition.until_ms is not None else ""
    windows = ", ".join(names) or "that had begun before"
    words = f"maintenance {windows} covers it{until}; what still fires then is released"
    return {"windows": names, "until_ms": condition.until_ms}, words


def _flapping(config: Config) -> tuple[dict[str, Any], str]:
    rules = config.correlation
    limit, window, quiet = rules.flap_transitions, rules.flap_window_seconds, rules.flap_quiet_seconds
    by = {"flap_transitions": limit, "flap_window_seconds": window, "flap_quiet_seconds": quiet}
    words = f"the condition flaps: more than {limit} turns between firing and resolved within {_span(window)}"
    return by, f"{words}; if it fires and does not turn for {_span(quiet)}, it is released"


def _held(reason: str, event: Mapping[str, Any], held_for: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    if event.get("change") in {EpisodeChange.RESOLVED, EpisodeChange.EXPIRED}:
        return {}, "it was over while it waited, and nothing else had spoken for it: nobody was called"
    if reason == Reason.RULE_MIN_COUNT:
        rule = f"rule {held_for['rule']}" if "rule" in held_for else "a correlation rule"
        came = f" ({held_for['count']} had come)" if "count" in held_for else ""
        return dict(held_for), f"{rule} wants more of its kind before it is an incident{came}; until then it waits"
    until_ms, facts = event.get("hold_until_ms"), event.get("facts") or {}
    by = {"until_ms": until_ms} | facts
    until = f" until {_clock(until_ms)}" if until_ms is not None else ""
    told = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())
    words = f"it may pass by itself, so it waits{until}, or until something else speaks for it"
    return by, f"{words} ({told})" if told else words


def _clock(at_ms: int | None) -> str:
    return f"{datetime.fromtimestamp((at_ms or 0) / 1_000, UTC):%Y-%m-%d %H:%M:%S}Z"


def _span(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes} min" if minutes and not rest else f"{seconds} s"

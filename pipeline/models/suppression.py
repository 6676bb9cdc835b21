"""A suppression: alerts that nobody was told of, or later than they came; why, for how long, and who was not called."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

SUPPRESSION_SCHEMA: Final = 1

SUPPRESSIONS_TOPIC: Final = "suppressions"


class What(StrEnum):
    """What hid the alerts; where correlate or dedupe has a `Reason` for it, by the same word.

    ``silence`` is no alert's: it is the record of a silence itself, written when it begins, changes and ends.
    """

    REPEATS = "repeats"
    FLAPPING = "flapping"
    TRANSIENT = "transient"
    MAINTENANCE = "maintenance"
    MIN_COUNT = "min_count"
    CHRONIC = "chronic"
    SILENCED = "silenced"
    INHIBITED = "inhibited"
    SILENCE = "silence"


class Ended(StrEnum):
    """How it ended.

    ``over``: the condition was over before anybody was told. ``silent``: its source fell silent before. ``let_in``: it
    became part of an incident after all. ``in_incident``: it was part of one meanwhile, and only its details were
    hidden. ``told``: it was told, with less urgency. ``on``: of a silence, it is in force.
    """

    OVER = "over"
    SILENT = "silent"
    LET_IN = "let_in"
    IN_INCIDENT = "in_incident"
    TOLD = "told"
    ON = "on"


@dataclass(slots=True, kw_only=True)
class Suppression:
    """One; the value on ``suppressions``, keyed by alert key. ``what``, ``episode_id`` and ``since_ms`` name it.

    Attributes:
        summary: what the condition says, in one line.
        since_ms: stream time from which it was hidden, to ``until_ms``.
        alerts: alerts hidden.
        runs: runs of the condition among them.
        let_in_by: what let it in, where something did.
        priority: that its incident would have had; None where it would have made none.
        pages: who would have been called at its opening, with ``person``, ``service`` and ``rotation``; for all runs
            the same people, each run anew.
        decided_by: what the decision to hide it went by: set or learned seconds and from how many runs, the rule and
            its count, the figures of a chronic condition.
    """

    what: str
    ended: str
    episode_id: str
    alert_key: str
    space: str
    feed: str
    summary: str
    severity: str
    since_ms: int
    until_ms: int
    alerts: int
    runs: int = 1
    entity: str | None = None
    service: str | None = None
    domain: str | None = None
    incident_id: str | None = None
    let_in_by: str | None = None
    priority: str | None = None
    pages: list[dict[str, Any]] = field(default_factory=list)
    decided_by: dict[str, Any] = field(default_factory=dict)
    schema: int = SUPPRESSION_SCHEMA

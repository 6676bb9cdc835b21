"""The suppression report: what was hidden, by what, for how long; who was not called; and what should not have been.

From the records store and from a replay alike: it takes suppressions and when incidents began, and knows neither.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

from pipeline.models.suppression import Ended, Suppression, What

UNTOLD: Final = frozenset({Ended.OVER.value, Ended.SILENT.value})
"""Ends of what nobody was told of."""

LATER_MS: Final = 15 * 60 * 1_000
"""An incident on the same thing that begins so soon after what was hidden: it was the beginning of that, perhaps."""

CONDITIONS_MAX: Final = 100
"""Conditions named, those that hid most first."""

LATER_MAX: Final = 100
"""Of what was part of an incident later, as many are named, the newest last; all are counted."""

SILENCES_MAX: Final = 100
"""Silences told, the newest last."""

Begun = tuple[str, int, list[str]]
"""An incident: its id, when it was detected, the entities that it is about."""


@dataclass(slots=True)
class _Sum:
    """What one cause, feed, service or condition hid."""

    times: int = 0
    alerts: int = 0
    runs: int = 0
    untold: int = 0
    let_in: int = 0
    pages: int = 0
    spans_ms: list[int] = field(default_factory=list)
    people: Counter[str] = field(default_factory=Counter)
    by_what: Counter[str] = field(default_factory=Counter)
    newest: Suppression | None = None

    def add(self, hidden: Suppression) -> None:
        self.times += 1
        self.alerts += hidden.alerts
        self.runs += hidden.runs
        self.untold += hidden.ended in UNTOLD
        self.let_in += hidden.ended == Ended.LET_IN
        if hidden.what != What.CHRONIC:  # which hides no alert, and so for no time
            self.spans_ms.append(hidden.until_ms - hidden.since_ms)
        self.by_what[hidden.what] += hidden.alerts
        self.newest = hidden
        for page in hidden.pages:
            self.people[str(page.get("person"))] += hidden.runs
            self.pages += hidden.runs

    def told(self) -> dict[str, Any]:
        return {
            "times": self.times,
            "alerts": self.alerts,
            "runs": self.runs,
            "untold": self.untold,
            "let_in": self.let_in,
            "pages": self.pages,
            "people": dict(self.people.most_common()),
            "seconds_median": round(median(self.spans_ms) / 1_000, 3) if self.spans_ms else None,
            "seconds_max": max(self.spans_ms) / 1_000 if self.spans_ms else None,
            "by": dict(sorted(self.by_what.items())),
        }


def report(hidden: Iterable[Suppression], begun: Iterable[Begun]) -> dict[str, Any]:
    """Sum up what was hidden.

    Args:
        hidden: suppressions, in the order of their ends.
        begun: incidents that began while or soon after.

    Returns:
        ``all``, ``by_what``, ``by_feed`` and ``by_service`` (name -> sums), ``conditions`` (the worst first),
        ``let_in_by`` (what ended a hold -> how often, and how long they had waited), ``silences`` (each with its
        owner and what it hid), ``later`` and ``later_total``.
    """
    whole, by_what, by_feed, by_service = _Sum(), dict[str, _Sum](), dict[str, _Sum](), dict[str, _Sum]()
    conditions: dict[tuple[str, str], _Sum] = {}
    let_in: dict[str, list[int]] = {}
    untold: list[Suppression] = []
    silences: dict[str, Suppression] = {}
    for each in hidden:
        if each.what == What.SILENCE:  # no alert's, but what the silence itself says
            silences[each.episode_id] = each
            continue
        whole.add(each)
        by_what.setdefault(each.what, _Sum()).add(each)
        by_feed.setdefault(each.feed, _Sum()).add(each)
        by_service.setdefault(each.service or each.entity or "", _Sum()).add(each)
        conditions.setdefault((each.alert_key, each.space), _Sum()).add(each)
        if each.let_in_by is not None:
            let_in.setdefault(each.let_in_by, []).append(each.until_ms - each.since_ms)
        if each.ended in UNTOLD and each.entity is not None:
            untold.append(each)
    later = _later(untold, begun)
    return {
        "all": whole.told() if whole.times else None,
        "by_what": {what.value: by_what[what].told() for what in What if what in by_what},
        "by_feed": _ranked(by_feed),
        "by_service": _ranked(by_service),
        "conditions": [_condition(each) for each in _worst(conditions.values())[:CONDITIONS_MAX]],
        "let_in_by": {
            why: {"times": len(spans), "seconds_median": median(spans) / 1_000} for why, spans in sorted(let_in.items())
        },
        "silences": [_silence(each) for each in silences.values()][-SILENCES_MAX:],
        "later": later[-LATER_MAX:],
        "later_total": len(later),
    }


def _silence(told: Suppression) -> dict[str, Any]:
    """What one silence has hidden: the debt that whoever owns it has made."""
    about = {"id": told.episode_id, "reason": told.summary, "since_ms": told.since_ms, "ended": told.ended}
    return about | {"alerts": told.alerts} | told.decided_by


def _worst(sums: Iterable[_Sum]) -> list[_Sum]:
    """Those that would have called most people, then those with most alerts."""
    return sorted(sums, key=lambda each: (-each.pages, -each.alerts, -each.times, _key(each)))


def _key(each: _Sum) -> str:
    return each.newest.alert_key if each.newest is not None else ""


def _ranked(sums: dict[str, _Sum]) -> dict[str, dict[str, Any]]:
    ordered = sorted(sums.items(), key=lambda each: (-each[1].pages, -each[1].alerts, each[0]))
    return {name: each.told() for name, each in ordered}


def _condition(each: _Sum) -> dict[str, Any]:
    newest = each.newest
    about = {} if newest is None else {name: getattr(newest, name) for name in _ABOUT}
    return about | each.told()


_ABOUT: Final = ("alert_key", "summary", "feed", "service", "entity", "severity", "space")


def _later(untold: Iterable[Suppression], begun: Iterable[Begun]) -> list[dict[str, Any]]:
    """What nobody was told of although an incident on the same thing began meanwhile or soon after."""
    began: dict[str, list[tuple[int, str]]] = {}
    for incident_id, at_ms, entities in begun:
        for entity in entities:
            began.setdefault(entity, []).append((at_ms, incident_id))
    for moments in began.values():
        moments.sort()
    found = []
    for hidden in untold:
        moments = began.get(hidden.entity or "", [])
        at = bisect_left(moments, (hidden.since_ms, ""))
        if at < len(moments) and moments[at][0] <= hidden.until_ms + LATER_MS:
            at_ms, incident_id = moments[at]
            about = {name: getattr(hidden, name) for name in ("what", "episode_id", *_ABOUT, "since_ms", "until_ms")}
            found.append(about | {"incident_id": incident_id, "seconds_before": (at_ms - hidden.since_ms) / 1_000})
    return found

"""What the page of an incident says, from its snapshot, of whatever release: what is not there is left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from pipeline.core.practice.lifecycle import ENDED_STATES, OPEN_STATES, UNANSWERED_STATES
from pipeline.models.incident import IncidentState
from pipeline.models.policy import Config
from pipeline.records.reading import Entry
from pipeline.sinks.wording import entry_words, name_of, words_of

_CLOCKS: Final = (
    ("response", "Response", "somebody answers"),
    ("update", "Next update", "people are told"),
    ("resolution", "Resolution", "service is restored"),
)

_TARGETS: Final = {
    "oncall": "on-call",
    "oncall-secondary": "second on-call",
    "owner": "the owning team",
    "dependency": "the on-call of what it needs",
    "suspect": "the on-call of the suspect",
}

_CALLS: Final = "page page_failed escalate escalation_exhausted hand_back engage not_engaged route inform again repeat"
_EVIDENCE: Final = (
    "detect join clear fires_on severity affected cause identify clear_suspect known_error ticket split merge"
)
_URGENCY: Final = (
    "priority sla_warning sla_breached sla_paused sla_resumed sla_late correct_impact mute unmute chronic "
    "duty duty_warning duty_missed duty_moved duty_fulfilled"
)
_OUTSIDE: Final = (
    "communication communication_draft communication_discarded link case_owed case_settled remind_case template_failed"
)

GROUPS: Final[dict[str, tuple[str, frozenset[str]]]] = {
    "people": ("what people did", frozenset()),
    "calls": ("calls", frozenset(_CALLS.split())),
    "evidence": ("evidence", frozenset(_EVIDENCE.split())),
    "urgency": ("urgency and clocks", frozenset(_URGENCY.split())),
    "outside": ("told outside", frozenset(_OUTSIDE.split())),
}
"""Filters of the timeline: name -> in words, and the actions; ``people``: whatever a person did."""


class ClockView(NamedTuple):
    """A service level clock.

    Attributes:
        state: ``met``, ``late`` (missed and still open), ``missed`` (met too late), ``held``, ``running`` or ``off``.
        due_ms: when it is due, of one that runs.
        percent: of the target that is used.
        words: what stands beside it.
    """

    name: str
    means: str
    state: str
    due_ms: int | None
    percent: int
    words: str
    because: list[str]


def clocks(snapshot: Mapping[str, Any], now_ms: int) -> list[ClockView]:
    """The clocks, in the order in which they matter."""
    known = _dict(snapshot.get("clocks"))
    found = []
    for key, name, means in _CLOCKS:
        clock = _dict(known.get(key))
        if clock:
            found.append(_clock(name, means, clock, now_ms))
    return found


def _clock(name: str, means: str, clock: dict[str, Any], now_ms: int) -> ClockView:
    due, target = _number(clock.get("due_at_ms")), _number(clock.get("target_ms")) or 0
    met, breached, held = (_number(clock.get(each)) for each in ("met_at_ms", "breached_at_ms", "held_since_ms"))
    used = _number(clock.get("elapsed_ms")) or 0
    running = met is None and due is not None
    if running and due is not None and target:
        used = max(used, target - (due - now_ms))
    percent = max(0, min(100, round(100 * used / target))) if target else 0
    if met is not None:
        state, words = ("missed", "met too late") if breached else ("met", "met")
    elif held is not None and not running:
        state, words = "held", f"paused: waits for {clock.get('held_for') or 'somebody'}"
    elif not running:
        state, words = "off", "not running"
    elif breached is not None or (due or 0) < now_ms:
        state, words = "late", "late"
    else:
        state, words = "running", ""
    because = [str(each) for each in _list(clock.get("because"))]
    return ClockView(name, means, state, due if running else met, percent, words, because)


def next_call(snapshot: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """Who is called next, and when: ``at_ms``, ``who``; ``nobody`` where nobody could be called."""
    escalation = _dict(snapshot.get("escalation"))
    at_ms, level = _number(escalation.get("next_at_ms")), _number(escalation.get("level")) or 0
    nobody = str(escalation.get("nobody") or "")
    if at_ms is None:
        return {"at_ms": None, "who": "", "nobody": nobody, "exhausted": bool(escalation.get("exhausted_at_ms"))}
    policy = config.policy(snapshot.get("domain"))
    path = next((each for each in policy.escalation if snapshot.get("priority") in each.priorities), None)
    levels = path.levels if path is not None else ()
    who = "the path begins again, or ends"
    if level < len(levels):
        who = " and ".join(_TARGETS.get(each, each) for each in levels[level].notify)
    return {"at_ms": at_ms, "who": who, "nobody": nobody, "exhausted": False}


def calls(snapshot: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Who was called, the newest first, each with why and for what."""
    paged = [each for each in _list(_dict(snapshot.get("escalation")).get("paged")) if isinstance(each, dict)]
    return [{**each, "why": _why(each)} for each in reversed(paged)]


def _why(page: Mapping[str, Any]) -> str:
    because = str(page.get("because") or "")
    service = name_of(page.get("service"))
    return f"first in line for {service}" if because == "opened" and service else because


def stand(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """How it stands, as the page shows it or hides parts."""
    state = str(snapshot.get("state"))
    suspects = [each for each in _list(snapshot.get("suspects")) if isinstance(each, dict)]
    return {
        "over": state in ENDED_STATES,
        "open": state in OPEN_STATES,
        "unanswered": state in UNANSWERED_STATES and not snapshot.get("assignee"),
        "resolved": state == IncidentState.RESOLVED,
        "suspects": suspects,
        "cleared": _list(snapshot.get("cleared")),
        "cases": [each for each in _list(snapshot.get("cases_owed")) if not _dict(each).get("settled_ms")],
        "drafts": [each for each in _list(snapshot.get("communications")) if _dict(each).get("status") == "draft"],
        "engaged": list(reversed([each for each in _list(snapshot.get("engaged")) if isinstance(each, dict)])),
        "waiting": _list(snapshot.get("waiting")) if state in OPEN_STATES else [],
    }


def newest_messages(snapshot: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Of each audience and page the newest message, and how many there were."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for each in _list(snapshot.get("communications")):
        if isinstance(each, dict):
            newest[str(each.get("audience")), str(each.get("page"))] = each
    return list(newest.values())


class Line(NamedTuple):
    """An entry of the timeline in words."""

    entry: Entry
    words: str
    by: str
    tone: str
    changed: list[str]


_CODE: Final = re.compile(r"(?<=[(, ])[a-z]+(?:_[a-z]+)+(?=[,)])")
_BAD: Final = frozenset({"sla_breached", "escalation_exhausted", "page_failed", "duty_missed", "reopen"})
_WARN: Final = frozenset({"sla_warning", "escalate", "page", "duty_warning", "case_owed", "remind"})
_GOOD: Final = frozenset({"resolve", "close", "mitigate", "acknowledge", "wait_over"})
_QUIET_CHANGES: Final = frozenset({"state", "policy_version", "title"})


def lines(entries: Iterable[Entry], show: str = "") -> list[Line]:
    """Entries in words, of one group alone where it is named."""
    return [_line(each) for each in entries if _is_of(each, show)]


def _is_of(entry: Entry, show: str) -> bool:
    if show not in GROUPS:
        return True
    if show == "people":
        return entry.actor not in (None, "", "spillway")
    return (entry.action or "") in GROUPS[show][1]


def _line(entry: Entry) -> Line:
    action = entry.action or ""
    if action.startswith("refused_"):
        tone = "bad"
    else:
        tone = "bad" if action in _BAD else "warn" if action in _WARN else "good" if action in _GOOD else ""
    changed = [
        f"{words_of(name)}: {_value(was)} → {_value(now)}"
        for name, (was, now) in _pairs(entry.changed)
        if name not in _QUIET_CHANGES
    ]
    by = "" if entry.actor in (None, "", "spillway") else str(entry.actor)
    words = entry_words({"action": action, "actor": "", "text": entry.text or words_of(action)})
    if action == "join":  # it names the kinds of evidence by their codes
        words = _CODE.sub(lambda found: words_of(found[0]), words)
    return Line(entry, words, by, tone, changed)


def _pairs(changed: Any) -> list[tuple[str, tuple[Any, Any]]]:
    pairs = _dict(changed).items()
    return [(name, (each[0], each[1])) for name, each in pairs if isinstance(each, list | tuple) and len(each) == 2]


def _value(value: Any) -> str:
    if value in (None, "", []):
        return "none"
    if isinstance(value, float):
        return f"{value:,.0f}"
    return name_of(value) if isinstance(value, str) and ":" in value and "/" in value else str(value).replace("_", " ")


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

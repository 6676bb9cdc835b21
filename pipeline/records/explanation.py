"""Explanations: why an incident, a bridge incident, an episode or an alert is where it is, as one document.

Read from what was written down when it was decided, wherever that is kept: in the records store (`Stored`) or in the
outcome of a replay. Nothing is decided again here.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from math import log
from typing import Any, Final, Protocol, Self

from pipeline.core.clustering.evidence import BIAS
from pipeline.models.decision import Reason
from pipeline.models.suppression import Suppression
from pipeline.records import suppressions
from pipeline.records.questions import entries_of_alert, entries_of_episode
from pipeline.records.store import RecordsStore

MERGES_MAX: Final = 20
"""How often an incident may have been merged onward: bounds the search for the one that goes on."""

_IN: Final = ("detect", "join")
"""Actions by which an episode comes into an incident."""

_CALLS: Final = ("page", "inform")
_REGROUPED: Final = ("bridge", "merge", "split", "link", "unlink")
_ORIGIN: Final = re.compile(r"([A-Za-z0-9._-]{1,249}):([0-9]{1,19}):([0-9]{1,19})(?::([0-9]{1,9}))?")


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks about.

    Attributes:
        text: as they wrote it.
        origin: topic, partition and offset of a raw record, and the index inside it or None for all; None where it
            is not the place of a record.
    """

    text: str
    origin: tuple[str, int, int, int | None] | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Tell a raw record's place (``topic:partition:offset[:index]``) from a name."""
        found = _ORIGIN.fullmatch(text)
        if found is None:
            return cls(text, None)
        topic, partition, offset, index = found.groups()
        return cls(text, (topic, int(partition), int(offset), None if index is None else int(index)))


class Told(Protocol):
    """Where it is written what was decided. Entries are rows of timelines, in order, as the records store has them."""

    def incident(self, incident_id: str) -> dict[str, Any] | None:
        """The newest snapshot of an incident, or None."""

    def timeline(self, incident_id: str) -> list[dict[str, Any]]:
        """Entries of an incident."""

    def of_episode(self, episode_id: str) -> list[dict[str, Any]]:
        """Entries of all incidents that are about an episode."""

    def of_alert(self, asked: Asked) -> list[dict[str, Any]]:
        """Entries that an alert led to, or all alerts of a condition."""

    def hidden(self, name: str) -> list[Suppression]:
        """What was hidden of an episode, or of a condition by its alert key, oldest first."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What the records store tells."""

    store: RecordsStore
    _known: dict[str, dict[str, Any] | None] = field(default_factory=dict)

    def incident(self, incident_id: str) -> dict[str, Any] | None:
        """The newest snapshot of an incident, or None; asked once, as thousands of episodes may name the same."""
        if incident_id not in self._known:
            self._known[incident_id] = self.store.incident(incident_id)
        return self._known[incident_id]

    def timeline(self, incident_id: str) -> list[dict[str, Any]]:
        """Entries of an incident."""
        return self.store.timeline(incident_id)

    def of_episode(self, episode_id: str) -> list[dict[str, Any]]:
        """Entries of all incidents that are about an episode."""
        return self.store.ask(lambda connection: entries_of_episode(connection, episode_id))

    def of_alert(self, asked: Asked) -> list[dict[str, Any]]:
        """Entries that an alert led to, or all alerts of a condition."""
        return self.store.ask(lambda connection: entries_of_alert(connection, asked.text, asked.origin))

    def hidden(self, name: str) -> list[Suppression]:
        """What was hidden of an episode, or of a condition by its alert key, oldest first."""
        return self.store.ask(lambda connection: suppressions.about(connection, name))


def about(told: Told, text: str) -> dict[str, Any] | None:
    """What is known of an id, as one document whose ``kind`` says what it is about; None where it is nothing."""
    snapshot = told.incident(text)
    if snapshot is not None:
        return incident_document(told, snapshot)
    return episode_document(told, text) or _alert_document(told, Asked.parse(text))


def incident_document(told: Told, snapshot: dict[str, Any]) -> dict[str, Any]:
    """An incident or bridge incident."""
    timeline = told.timeline(snapshot["id"])
    document = {name: snapshot.get(name) for name in _COPIED}
    document["priority_history"] = [_entry(each) for each in timeline if each["action"] == "priority"]
    document["episodes"] = [_joined(told, each) for each in timeline if each["action"] in _IN and _names(each)]
    document["called"] = [_entry(each) | {"facts": each["facts"]} for each in timeline if each["action"] in _CALLS]
    document["identified"] = [_entry(each) for each in timeline if each["action"] == "identify"]
    document["regrouped"] = [_entry(each) for each in timeline if each["action"] in _REGROUPED]
    if snapshot.get("kind") == "bridge":
        members = {name: told.incident(name) or {} for name in snapshot.get("members") or []}
        document["members"] = [
            {"id": name, "title": each.get("title"), "priority": each.get("priority"), "state": each.get("state")}
            for name, each in members.items()
        ]
    return document


_COPIED: Final = (
    "kind",
    "id",
    "title",
    "state",
    "priority",
    "priority_by",
    "priority_because",
    "urgency",
    "impact",
    "who_is_affected",
    "domain",
    "policy_version",
    "config_version",
    "suspects",
    "links",
    "bridge_id",
    "members",
    "merged_into",
    "commander",
    "status",
    "major",
    "linked",
    "declared",
    "corrected",
)
"""Fields of the snapshot that an explanation has as they are."""


def episode_document(told: Told, episode_id: str) -> dict[str, Any] | None:
    """An episode; None where no incident ever had it."""
    entries = told.of_episode(episode_id)
    into = [each for each in entries if each["action"] in _IN]
    if not into:
        return None
    passed = _onward(told, into[-1]["incident_id"])
    snapshot = told.incident(passed[-1]) or {}
    return {
        "kind": "episode",
        "episode_id": episode_id,
        "alert_key": into[0]["facts"].get("alert_key"),
        "source_episode_id": into[0]["facts"].get("source_episode_id"),
        "incident": {name: snapshot.get(name) for name in ("id", "title", "priority", "state", "bridge_id")},
        "domain": snapshot.get("domain"),
        "policy_version": snapshot.get("policy_version"),
        "config_version": snapshot.get("config_version"),
        "merged_from": passed[:-1],
        "because": [{"incident_id": each["incident_id"]} | _joined(told, each) for each in into],
        "moves": _moves(told, into, passed),
        "waited": [_waited(each) for each in entries if each["action"] == "held"],
        "hidden": [hidden_document(each) for each in told.hidden(episode_id)],
        "history": [{"incident_id": each["incident_id"]} | _entry(each) for each in entries],
    }


def _alert_document(told: Told, asked: Asked) -> dict[str, Any] | None:
    """An alert, or all alerts of a condition, as far as they are on record: in incidents, or as hidden."""
    entries = told.of_alert(asked)
    episodes = dict.fromkeys(each["facts"]["episode_id"] for each in entries)
    documents = [document for each in episodes if (document := episode_document(told, each)) is not None]
    known = {each["episode_id"] for each in documents}
    hidden = [hidden_document(each) for each in told.hidden(asked.text) if each.episode_id not in known]
    if not documents and not hidden:
        return None
    # That a condition is chronic is told of its key and of no alert.
    alerts = [_alert(each) for each in entries if "origin" in each["facts"]]
    return {"kind": "alert", "asked": asked.text, "alerts": alerts, "episodes": documents, "hidden": hidden}


def hidden_document(hidden: Suppression) -> dict[str, Any]:
    """What was hidden, until when, and who was not called for it."""
    document = asdict(hidden)
    del document["schema"]
    document["since"], document["until"] = (moment(document.pop(f"{name}_ms")) for name in ("since", "until"))
    return document


def moment(at_ms: int) -> datetime:
    """Epoch milliseconds as a moment in UTC."""
    return datetime.fromtimestamp(at_ms / 1_000, UTC)


_DISPOSITIONS: Final = {"detect": "opened"}
"""Action -> what became of the alert behind it; all others joined."""


def _alert(entry: dict[str, Any]) -> dict[str, Any]:
    facts = entry["facts"]
    topic, partition, offset, index = facts["origin"]
    return {
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "index": index,
        "at": entry["at"],
        "episode_id": facts["episode_id"],
        "disposition": _DISPOSITIONS.get(entry["action"], "joined"),
        "reason": facts.get("reason") or _NEWS[entry["action"]],
        "because": entry["text"],
    }


_NEWS: Final = {
    "clear": Reason.EPISODE_RESOLVED.value,
    "severity": Reason.EPISODE_UPDATED.value,
}
"""Action on an episode that is a member -> the decision's reason."""


def _onward(told: Told, incident_id: str) -> list[str]:
    """An incident and those that took its members in, one after another."""
    passed = [incident_id]
    snapshot = told.incident(incident_id) or {}
    while snapshot.get("merged_into") and len(passed) < MERGES_MAX:
        passed.append(snapshot["merged_into"])
        snapshot = told.incident(passed[-1]) or {}
    return passed


def _moves(told: Told, into: list[dict[str, Any]], passed: list[str]) -> list[dict[str, Any]]:
    """How an episode went from one incident to another: when, by whom, and why."""
    moves = []
    for before, after in pairwise(into):
        way = "split" if after["action"] == "detect" else "join"
        moves.append(_move(way, before["incident_id"], after["incident_id"], after))
    for merged, survivor in pairwise(passed):
        entry = next((each for each in reversed(told.timeline(merged)) if each["action"] == "merge"), None)
        unknown = {"at": None, "actor": None, "text": f"merged into {survivor}"}
        moves.append(_move("merge", merged, survivor, entry or unknown))
    return moves


def _move(way: str, before: str, after: str, entry: dict[str, Any]) -> dict[str, Any]:
    return {"way": way, "from": before, "to": after, "at": entry["at"], "by": entry["actor"], "text": entry["text"]}


def _waited(entry: dict[str, Any]) -> dict[str, Any]:
    """How long an episode waited before it came in, why, and what let it in."""
    named = ("reason", "waited_ms", "let_in_by", "held_for")
    return _entry(entry) | {name: entry["facts"].get(name) for name in named}


def _names(entry: dict[str, Any]) -> list[str]:
    """Episodes that an entry is about."""
    facts = entry["facts"] or {}
    return [facts["episode_id"]] if facts.get("episode_id") else list(facts.get("episodes") or [])


def _joined(told: Told, entry: dict[str, Any]) -> dict[str, Any]:
    """Why an episode came in: the decision's reason, the sum that led to the score, and the nearest others."""
    facts = entry["facts"] or {}
    least = facts.get("join_at_least")
    return _entry(entry) | {
        "episodes": _names(entry),
        "reason": facts.get("reason") or Reason.BY_COMMAND.value,
        "began": facts.get("began"),
        "join_at_least": least,
        "config_version": facts.get("config_version"),
        "rule": facts.get("rule"),
        **_weighed(facts, least),
        "others": None if "others" not in facts else [_other(told, each, least) for each in facts["others"]],
    }


def _other(told: Told, other: dict[str, Any], least: float | None) -> dict[str, Any]:
    """An incident that was near: how it stood, and what kept the episode out."""
    snapshot = told.incident(other["incident_id"]) or {}
    found = {"incident_id": other["incident_id"], "title": snapshot.get("title"), "why": other["why"]}
    found["rule"] = other.get("rule")
    return found | _weighed(other, least)


def _weighed(facts: dict[str, Any], least: float | None) -> dict[str, Any]:
    """A score, the sum behind it, strongest first, and what it fell short of the threshold by, in log-odds."""
    weighed: dict[str, float] = facts.get("evidence") or {}
    if not weighed:
        return {"score": facts.get("score"), "evidence": {}, "bias": None, "log_odds": None, "missing": None}
    log_odds = BIAS + sum(weighed.values())
    missing = log(least / (1 - least)) - log_odds if least is not None and 0 < least < 1 else None
    return {
        "score": facts.get("score"),
        "evidence": dict(sorted(weighed.items(), key=lambda each: (-abs(each[1]), each[0]))),
        "bias": BIAS,
        "log_odds": round(log_odds, 3),
        "missing": None if missing is None or missing <= 0 else round(missing, 3),
    }


def _entry(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: entry[name] for name in ("at", "action", "actor", "text")}

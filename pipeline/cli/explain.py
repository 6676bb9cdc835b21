"""``spillway explain``: why an incident, a bridge incident or an episode is where it is, from the records store.

It reads what was written down when it was decided; nothing is decided again.
"""

from __future__ import annotations

from typing import Any, Final

import click
import orjson

from pipeline.cli.cluster import json_option
from pipeline.cli.explain_view import show_episode, show_incident
from pipeline.cli.records import line_console, read_records, records_url_option
from pipeline.core.evidence import BIAS
from pipeline.models.decision import Reason
from pipeline.records.questions import entries_of_episode
from pipeline.records.store import RecordsStore

MERGES_MAX: Final = 20
"""How often an incident may have been merged onward: bounds the search for the one that goes on."""

_IN: Final = ("detect", "join")
"""Actions by which an episode comes into an incident."""

_CALLS: Final = ("page", "inform")
_REGROUPED: Final = ("bridge", "merge", "split", "link")


@click.command()
@click.argument("asked", metavar="ID")
@records_url_option
@json_option
def explain(asked: str, records_url: str | None, as_json: bool) -> None:
    """Say why ID is where it is: an incident (INC-...), a bridge incident (MI-...) or an episode (EP-...).

    For an incident: its priority, each episode with its evidence in log-odds, the suspects, who was called, links
    and bridge. For an episode: its incident, and why that one.
    """
    document = read_records(records_url, lambda store: about(store, asked))
    if document is None:
        raise click.ClickException(
            f"nothing is known of {asked}: incidents are in `spillway incident list --all`, their episodes in "
            "`spillway explain INCIDENT`; what was held or suppressed is in no incident"
        )
    if as_json:
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    elif document["kind"] == "episode":
        show_episode(line_console(), document)
    else:
        show_incident(line_console(), document)


def about(store: RecordsStore, asked: str) -> dict[str, Any] | None:
    """What is known of an id, as one document; None where it is nothing."""
    snapshot = store.incident(asked)
    return _episode(store, asked) if snapshot is None else _incident(store, snapshot)


def _incident(store: RecordsStore, snapshot: dict[str, Any]) -> dict[str, Any]:
    timeline = store.timeline(snapshot["id"])
    document = {name: snapshot.get(name) for name in _COPIED}
    document["priority_history"] = [_entry(each) for each in timeline if each["action"] == "priority"]
    document["episodes"] = [_joined(each) for each in timeline if each["action"] in _IN and _names(each)]
    document["called"] = [_entry(each) | {"facts": each["facts"]} for each in timeline if each["action"] in _CALLS]
    document["identified"] = [_entry(each) for each in timeline if each["action"] == "identify"]
    document["regrouped"] = [
        _entry(each) for each in timeline if each["action"] in {"bridge", "merge", "split", "link"}
    ]
    if snapshot.get("kind") == "bridge":
        members = {name: store.incident(name) or {} for name in snapshot.get("members") or []}
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
)
"""Fields of the snapshot that an explanation has as they are."""


def _episode(store: RecordsStore, episode_id: str) -> dict[str, Any] | None:
    entries = store.ask(lambda connection: entries_of_episode(connection, episode_id))
    into = [each for each in entries if each["action"] in _IN]
    if not into:
        return None
    last = into[-1]
    passed = [last["incident_id"]]
    snapshot = store.incident(last["incident_id"]) or {}
    while snapshot.get("merged_into") and len(passed) < MERGES_MAX:
        passed.append(snapshot["merged_into"])
        snapshot = store.incident(passed[-1]) or {}
    return {
        "kind": "episode",
        "episode_id": episode_id,
        "incident": {name: snapshot.get(name) for name in ("id", "title", "priority", "state", "bridge_id")},
        "domain": snapshot.get("domain"),
        "policy_version": snapshot.get("policy_version"),
        "config_version": snapshot.get("config_version"),
        "merged_from": passed[:-1],
        "because": [{"incident_id": each["incident_id"]} | _joined(each) for each in into],
        "history": [{"incident_id": each["incident_id"]} | _entry(each) for each in entries],
    }


def _names(entry: dict[str, Any]) -> list[str]:
    """Episodes that an entry is about."""
    facts = entry["facts"] or {}
    return [facts["episode_id"]] if facts.get("episode_id") else list(facts.get("episodes") or [])


def _joined(entry: dict[str, Any]) -> dict[str, Any]:
    """Why an episode came in: the decision's reason and, where it was weighed, the sum that led to the score."""
    facts = entry["facts"] or {}
    weighed: dict[str, float] = facts.get("evidence") or {}
    evidence = dict(sorted(weighed.items(), key=lambda each: (-abs(each[1]), each[0])))
    return _entry(entry) | {
        "episodes": _names(entry),
        "reason": facts.get("reason") or Reason.BY_COMMAND.value,
        "score": facts.get("score"),
        "evidence": evidence,
        "bias": BIAS if evidence else None,
        "log_odds": round(BIAS + sum(evidence.values()), 3) if evidence else None,
    }


def _entry(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: entry[name] for name in ("at", "action", "actor", "text")}

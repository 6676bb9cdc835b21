"""Explanations in words, for people. Texts come from outside, so none is read as markup."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from pipeline.cli.incident_view import PRIORITY_STYLES
from pipeline.models.decision import Reason

REASON_WORDS: Final[dict[str, str]] = {
    Reason.FIRST_SYMPTOM: "the first symptom: nothing open was likely to be about the same, so it opened the incident",
    Reason.SAME_CONDITION: "an earlier run of the same condition is in it",
    Reason.SAME_ENTITY: "it is about the same service or resource",
    Reason.DEPENDENCY: "one of the two depends on the other",
    Reason.SHARED_HOSTING: "both run in the same place",
    Reason.BUSINESS_TERMS: "its words name what the incident is about",
    Reason.SIMILAR_TEXT: "it is told in the same words",
    Reason.COMBINED_EVIDENCE: "no single fact was enough, all together were",
    Reason.BY_COMMAND: "a person decided so",
}
"""Why an episode is in an incident."""

EVIDENCE_WORDS: Final[dict[str, str]] = {
    "same_condition": "an earlier run of the same condition is in it",
    "same_entity": "the same thing",
    "same_service": "the same service",
    "dependency": "one depends on the other",
    "shared_hosting": "both run in the same place",
    "business_terms": "named in business terms",
    "named": "one's text names the other",
    "same_system": "parts of one application",
    "similar_text": "similar words",
    "stranger": "nothing speaks for it but the moment",
    "growth": "how far the incident has spread",
    "age": "how long ago the incident began",
    "time": "time since the last symptom joined",
}
BIAS_WORDS: Final = "at first"


def show_incident(console: Console, document: dict[str, Any]) -> None:
    """An incident or bridge incident, and why it is as it is."""
    _head(console, document)
    _say(
        console, f"Policy {document['domain']} {document['policy_version']}, configuration {document['config_version']}"
    )
    _section(console, f"Why {document['priority']}", _priority_lines(document))
    if document["kind"] == "bridge":
        members = (
            f"{each['id']}  {each['priority']}  {each['state']}  {each['title']}" for each in document["members"]
        )
        _section(console, "Members", members)
    else:
        lines = (line for joined in document["episodes"] for line in _joined_lines(joined))
        _section(console, "Episodes", lines)
        _section(console, "Suspects", _suspect_lines(document["suspects"] or []))
        _section(console, "Told as the cause", (_dated(each) for each in document["identified"]))
    _section(console, "Called", (_dated(each) for each in document["called"]))
    _section(console, "Links", _link_lines(document))


def show_episode(console: Console, document: dict[str, Any]) -> None:
    """An episode: its incident, and why that one."""
    incident = document["incident"]
    _say(console, f"{document['episode_id']} is in", bold=True)
    _head(console, incident)
    _versions(console, document)
    if document["merged_from"]:
        _say(console, f"It came there with {', '.join(document['merged_from'])}, which was merged")
    for joined in document["because"]:
        _section(console, f"Why {joined['incident_id']}", _joined_lines(joined))
    _section(console, "History", (f"{_dated(each)}  ({each['incident_id']})" for each in document["history"]))


def _head(console: Console, document: dict[str, Any]) -> None:
    priority = str(document["priority"] or "")
    parts = Text.assemble(
        (str(document["id"]), "bold"),
        "  ",
        (priority, PRIORITY_STYLES.get(priority, "")),
        f"  {document['state']}  {document['title']}",
    )
    console.print(parts, soft_wrap=True)


def _title(member: dict[str, Any]) -> str:
    return f"{member['id']}  {member['priority']}  {member['state']}  {member['title']}"


def _versions(console: Console, document: dict[str, Any]) -> None:
    """What was in force when it was decided."""
    policy = f"{document['domain']} {document['policy_version']}"
    _say(console, f"Policy {policy}, configuration {document['config_version']}")


def _priority_lines(document: dict[str, Any]) -> Iterable[str]:
    if document["priority_by"]:
        yield f"set by {document['priority_by']}"
    yield from document["priority_because"] or []
    for entry in document["priority_history"]:
        yield _dated(entry)


def _joined_lines(joined: dict[str, Any]) -> Iterable[str]:
    yield f"{', '.join(joined['episodes'])}  {_dated(joined)}"
    yield f"    {REASON_WORDS.get(joined['reason'], joined['reason'].replace('_', ' '))}"
    if joined["evidence"]:
        parts = [f"{EVIDENCE_WORDS.get(name, name)} {value:+.2f}" for name, value in joined["evidence"].items()]
        parts.append(f"{BIAS_WORDS} {joined['bias']:+.2f}")
        yield f"    {', '.join(parts)}: log-odds {joined['log_odds']:+.2f}, probability {joined['score']:.2f}"


def _suspect_lines(suspects: list[dict[str, Any]]) -> Iterable[str]:
    for rank, suspect in enumerate(suspects, 1):
        yield f"{rank}. {suspect['ref']} ({suspect['score']:.2f}): {'; '.join(suspect['because'])}"


def _link_lines(document: dict[str, Any]) -> Iterable[str]:
    for link in document["links"] or []:
        yield " ".join(str(link[name]) for name in ("kind", "id", "state", "url") if link.get(name))
    if document["merged_into"]:
        yield f"merged into {document['merged_into']}"
    for entry in document["regrouped"]:
        yield _dated(entry)


def _section(console: Console, title: str, lines: Iterable[str]) -> None:
    found = list(lines)
    if found:
        _say(console, f"\n{title}", bold=True)
        for line in found:
            _say(console, f"  {line}")


def _say(console: Console, words: str, *, bold: bool = False) -> None:
    console.print(Text(words, "bold" if bold else ""), soft_wrap=True)


def _dated(entry: dict[str, Any]) -> str:
    at: datetime | None = entry["at"]
    moment = f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z" if at is not None else "at an unknown time"
    return f"{moment}  {entry['text']}"

"""What an Adaptive Card says, and for what one is posted. Pure.

Sources: https://adaptivecards.io/explorer for elements and their versions. "Text features" at
https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features: a TextBlock reads Markdown and ``{{DATE()}}``,
a RichTextBlock reads neither, so what comes from elsewhere stands in RichTextBlocks only. "Mention support within
Adaptive Cards" at https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-format:
``<at>`` in a TextBlock is a mention only where an entity has the same text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from pipeline.core.outward.sides import FINAL_STATES
from pipeline.models.incident import IncidentState
from pipeline.models.remote import Remote
from pipeline.models.sinks.chat import Teams, TeamsChange
from pipeline.sinks import ticket_words, wording
from pipeline.sinks.told import Told

CARD_VERSION: Final = "1.2"
"""The lowest that has all that is used: every client of Teams shows it."""

PAYLOAD_BYTES_MAX: Final = 25_000
"""Teams takes about 28 kB, all together (connector "Microsoft Teams", message size limit); it may count otherwise."""

CHARACTERS_MAX: Final = (600, 300, 100)
"""Of one text: what does not fit is cut ever harder."""

LINES_MAX: Final = 8
"""People called in one card; the others are counted."""

URL_CHARACTERS_MAX: Final = 500
LINKS_MAX: Final = 3
"""Buttons for records elsewhere: Teams shows six buttons at most, and two are taken."""

REPEATED: Final[frozenset[TeamsChange]] = frozenset(
    {"opened", "called", "major", "mitigated", "resolved", "reopened", "merged", "cancelled"}
)
"""What is posted again where nobody knows whether it arrived: a second card is better than none."""

_WORDS: Final[Mapping[TeamsChange, str]] = {
    "opened": "Opened",
    "reopened": "It came back",
    "major": "Major Incident",
    "called": "Called",
    "priority": "Priority changed",
    "acknowledged": "Somebody has it",
    "assigned": "Assigned",
    "mitigated": "Service is restored by a workaround",
    "resolved": "Resolved",
    "merged": "Merged into another incident",
    "cancelled": "Cancelled: it was no failure",
}
"""In the order in which they are told."""

_STYLES: Final[tuple[tuple[frozenset[TeamsChange], str], ...]] = (
    (frozenset({"resolved", "merged", "cancelled"}), "good"),
    (frozenset({"mitigated"}), "warning"),
    (frozenset({"opened", "called", "reopened", "major"}), "attention"),
)

_UNANSWERED: Final = frozenset({"detected", "logged", "escalated", "reopened"})
_OVER: Final = frozenset({IncidentState.RESOLVED, IncidentState.CLOSED})
_STATE_CHANGES: Final[Mapping[str, TeamsChange]] = {
    IncidentState.MITIGATED: "mitigated",
    IncidentState.MERGED: "merged",
    IncidentState.CANCELLED: "cancelled",
}

_INVISIBLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_MENTION: Final = re.compile(r"<(?=\s*/?\s*at\b)", re.IGNORECASE)
_WEB: Final = re.compile(r"https?://[^\s<>\"]+")

Element = dict[str, Any]


def changes(rules: Teams, told: Told, remote: Remote | None) -> list[TeamsChange]:
    """What a card is to be posted for, in the order in which it is told; nothing: none.

    Told by what was told last, not by the events between: whatever was put together meanwhile is one card.
    """
    if remote is None:
        begins = told.state not in _OVER and told.state not in FINAL_STATES
        major: list[TeamsChange] = ["major"] if _phase(told.incident) else []
        found = {"opened", *major} if begins else set()
    else:
        found = set(_since(told, remote.extra))
    return [each for each in _WORDS if each in found and each in rules.changes]


def _since(told: Told, before: Mapping[str, Any]) -> Iterator[TeamsChange]:
    incident, state, was = told.incident, told.state, str(before.get("state", ""))
    if int(incident.get("reopened") or 0) > int(before.get("reopened") or 0):
        yield "reopened"
    if state in _OVER and was not in _OVER:
        yield "resolved"
    if state != was and state in _STATE_CHANGES:
        yield _STATE_CHANGES[state]
    if was in _UNANSWERED and state in {IncidentState.ACKNOWLEDGED, IncidentState.IN_PROGRESS}:
        yield "acknowledged"
    if told.calls:
        yield "called"
    if (phase := _phase(incident)) and phase != before.get("phase"):
        yield "major"
    for name, change in (("priority", "priority"), ("assignee", "assigned")):
        if incident.get(name) and incident[name] != before.get(name):
            yield change  # type: ignore[misc]  # of the two words above


def memory(told: Told, before: Mapping[str, Any]) -> dict[str, Any]:
    """What is remembered of what was told. What a body that was cut leaves out is as it was."""
    incident = told.incident
    said: dict[str, Any] = {name: incident[name] for name in ("priority", "assignee", "reopened") if name in incident}
    phase = _phase(incident) or before.get("phase", "")
    return {**before, **said, "state": told.state, "phase": phase}


def _phase(incident: Mapping[str, Any]) -> str:
    """Where a Major Incident is; "" where there is none."""
    major = incident.get("major")
    if isinstance(major, dict):
        return str(major.get("phase", ""))
    return "declared" if incident.get("declared") else ""


def payload(rules: Teams, told: Told, news: Sequence[TeamsChange], *, again: bool) -> dict[str, Any]:
    """The message that a workflow posts.

    Args:
        rules: whom to mention, and where an incident is shown.
        told: the incident.
        news: what the card is for.
        again: the same card may have been posted before.
    """
    for characters_max in CHARACTERS_MAX:
        for links_max in (LINKS_MAX, 0):
            made = _message(_card(rules, told, news, characters_max, links_max, again=again))
            if len(orjson.dumps(made)) <= PAYLOAD_BYTES_MAX:
                return made
    return made


def _message(card: Element) -> dict[str, Any]:
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": card}]}


def _card(
    rules: Teams, told: Told, news: Sequence[TeamsChange], characters_max: int, links_max: int, *, again: bool
) -> Element:
    incident = told.incident
    title = f"[{incident.get('priority') or '?'}] {incident.get('title') or incident.get('id', '')}"
    lines = [_runs([(each, False)]) for each in _lines(told, news, characters_max)]
    head = [_runs([(_cut(title, characters_max), True)], size="Large"), *lines]
    body: list[Element] = [{"type": "Container", "style": _style(news), "bleed": True, "items": head}]
    facts = [_runs([(f"{name}: ", True), (_cut(value, characters_max), False)]) for name, value in _facts(told)]
    body.append({"type": "Container", "spacing": "Medium", "items": facts})
    if again:
        body.append(_runs([("Posted again, because no answer came the first time.", False)], size="Small"))
    card: Element = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": CARD_VERSION,
        "body": body,
        "msteams": {"width": "full"},
    }
    _mention(card, rules, incident, news)
    actions = list(_actions(rules, incident, links_max))
    return card | ({"actions": actions} if actions else {})


def _lines(told: Told, news: Sequence[TeamsChange], characters_max: int) -> Iterator[str]:
    """A line for each change."""
    for change in news:
        about = _about(change, told)
        yield _cut(f"{_WORDS[change]}{': ' if about else ''}{about}", characters_max)
    if told.calls and "called" not in news:
        yield _cut(f"Called: {_called(told)}", characters_max)


def _about(change: TeamsChange, told: Told) -> str:
    incident = told.incident
    values: Mapping[TeamsChange, Any] = {
        "called": _called(told),
        "major": _phase(incident),
        "priority": incident.get("priority"),
        "assigned": incident.get("assignee"),
        "mitigated": incident.get("workaround"),
        "merged": incident.get("merged_into"),
        "resolved": _resolution(incident),
    }
    return str(values.get(change) or "")


def _called(told: Told) -> str:
    words = [(each.person, wording.because(each)) for each in told.calls]
    shown = [f"{person} ({because})" if because else person for person, because in words]
    more = len(shown) - LINES_MAX
    return "; ".join([*shown[:LINES_MAX], *([f"and {more} more"] if more > 0 else [])])


def _resolution(incident: Mapping[str, Any]) -> str:
    resolution = incident.get("resolution")
    return str(resolution.get("summary") or "") if isinstance(resolution, dict) else ""


def _facts(told: Told) -> Iterator[tuple[str, str]]:
    incident = told.incident
    named = (
        ("Incident", incident.get("id")),
        ("State", wording.state_words(told)),
        ("Service", wording.name_of(incident.get("service"))),
        ("Affected", incident.get("who_is_affected")),
        ("Assignee", incident.get("assignee")),
        ("Commander", incident.get("commander")),
        ("Bridge", incident.get("bridge_id")),
        ("Since", ticket_words.day_and_moment(incident.get("detected_at_ms") or incident.get("opened_at_ms"))),
        ("Suspected", next(iter(wording.suspects(incident)), "")),
    )
    return ((name, str(value)) for name, value in named if value)


def _mention(card: Element, rules: Teams, incident: Mapping[str, Any], news: Iterable[TeamsChange]) -> None:
    """Those whom the configuration names, and nobody that a text names."""
    fits = not rules.mention_priorities or incident.get("priority") in rules.mention_priorities
    if not rules.mentions or not fits or not set(news) & set(rules.mention_on):
        return
    texts = [f"<at>{each.name}</at>" for each in rules.mentions]
    card["body"].append({"type": "TextBlock", "text": " ".join(texts), "wrap": True})
    card["msteams"]["entities"] = [
        {"type": "mention", "text": text, "mentioned": {"id": each.id, "name": each.name}}
        for text, each in zip(texts, rules.mentions, strict=True)
    ]


def _actions(rules: Teams, incident: Mapping[str, Any], links_max: int) -> Iterator[Element]:
    if rules.incident_url:
        yield _button("Open incident", rules.incident_url.replace("{incident_id}", str(incident.get("id", ""))))
    if _is_web(incident.get("runbook")):
        yield _button("Runbook", incident["runbook"])
    links = [each for each in incident.get("links") or () if isinstance(each, dict) and _is_web(each.get("url"))]
    for each in links[:links_max]:
        yield _button(_cut(f"{str(each.get('kind', '')).replace('_', ' ')} {each.get('id', '')}", 40), each["url"])


def _button(title: str, url: str) -> Element:
    return {"type": "Action.OpenUrl", "title": title, "url": url}


def _is_web(url: Any) -> bool:
    return isinstance(url, str) and len(url) <= URL_CHARACTERS_MAX and _WEB.fullmatch(url) is not None


def _style(news: Iterable[TeamsChange]) -> str:
    """The colour of what matters most: that it ended, then that it is better, then that it is bad."""
    found = set(news)
    return next((style for kinds, style in _STYLES if kinds & found), "emphasis")


def _runs(texts: Iterable[tuple[str, bool]], size: str = "Default") -> Element:
    """One paragraph of plain text; bold where it says so."""
    inlines = [
        {"type": "TextRun", "text": text, "size": size, "weight": "Bolder" if bold else "Default"}
        for text, bold in texts
    ]
    return {"type": "RichTextBlock", "inlines": inlines}


def _cut(text: Any, characters_max: int) -> str:
    """Text from elsewhere in one line, without what cannot be seen, and with no ``<at>`` that could be a mention."""
    plain = _MENTION.sub("\u2039", _INVISIBLE.sub(" ", str(text))).replace("{{", "{ {")
    return plain if len(plain) <= characters_max else plain[: characters_max - 1] + "…"

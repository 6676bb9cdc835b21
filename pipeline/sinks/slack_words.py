"""What a message in Slack says: Block Kit, and nothing that Slack would take for a mention or a link. Pure.

Sources: https://docs.slack.dev/reference/block-kit/blocks (limits), https://docs.slack.dev/messaging/formatting-message-text
(escapes and dates). Text that comes from elsewhere is escaped and marked ``verbatim``, so that Slack neither reads
``<!channel>`` in it nor makes links of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pipeline.core.outward.delivery_body import rfc3339
from pipeline.models.sinks.chat import Slack
from pipeline.sinks import wording
from pipeline.sinks.told import Call, Told

HEADER_CHARACTERS_MAX: Final = 150
SECTION_CHARACTERS_MAX: Final = 3_000
FIELDS_MAX: Final = 10
"""Slack's limits. https://docs.slack.dev/reference/block-kit/blocks"""

MESSAGE_CHARACTERS_MAX: Final = 12_000
"""Of all blocks together. Slack does not say from where on it answers ``msg_blocks_too_long``; people report 13,200."""

URL_CHARACTERS_MAX: Final = 1_000
"""Of a link, as it is written: so that a line of it fits a section."""

TEXT_CHARACTERS_MAX: Final = 300
"""Of the text beside the blocks, which notifications show: a line or two on a telephone."""

LINE_CHARACTERS_MAX: Final = 600
"""Of one line of a list: what is longer is in the console, and five of them fit a section."""

LINKS_SHOWN: Final = 12
MEMBERS_SHOWN: Final = 20
"""A message is read at a glance; all of them are in the console."""

ACKNOWLEDGE: Final = "spillway_acknowledge"
RESOLVE: Final = "spillway_resolve"

ENDED: Final = frozenset({"resolved", "closed", "merged", "cancelled"})
UNANSWERED: Final = frozenset({"detected", "logged", "escalated", "reopened"})

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Characters that move or hide what stands beside them."""

_WEB: Final = re.compile(r"https?://[^\s<>|\"]+")

Block = dict[str, Any]


def escaped(text: Any, characters_max: int = LINE_CHARACTERS_MAX) -> str:
    """Text from elsewhere as Slack's markup shows it, in one line. What is cut ends in an ellipsis."""
    plain = " ".join(_CONTROL.sub(" ", str(text)).split())
    whole = _escape(plain)
    if len(whole) <= characters_max:
        return whole
    cut, length = [], 1
    for character in plain:
        piece = _escape(character)
        length += len(piece)
        if length > characters_max:
            break
        cut.append(piece)
    return "".join(cut) + "…"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def moment(time_ms: Any) -> str:
    """A time as each reader's Slack words it, in the reader's own zone."""
    if not isinstance(time_ms, int):
        return ""
    return f"<!date^{time_ms // 1_000}^{{date_short_pretty}} {{time}}|{rfc3339(time_ms)}>"


def link(url: Any, words: Any) -> str:
    """A link, or its words where the address is none of the web."""
    shown = escaped(words, 200)
    if not isinstance(url, str) or not _WEB.fullmatch(url) or len(_escape(url)) > URL_CHARACTERS_MAX:
        return shown
    return f"<{_escape(url)}|{shown.replace('|', '¦')}>"


def headline(told: Told) -> str:
    """Priority, title and state, in one plain line."""
    incident = told.incident
    return f"[{incident.get('priority') or '?'}] {incident.get('title') or incident.get('id', '')}"


def notification(told: Told) -> str:
    """What a notification shows."""
    return escaped(f"{headline(told)}: {wording.state_words(told)}", TEXT_CHARACTERS_MAX)


def message(told: Told, rules: Slack) -> list[Block]:
    """The blocks of an incident's message."""
    header = _plain(headline(told), HEADER_CHARACTERS_MAX)
    blocks: list[Block] = [{"type": "header", "text": header}]
    blocks.append({"type": "section", "fields": [_markup(each) for each in _facts(told)][:FIELDS_MAX]})
    room = MESSAGE_CHARACTERS_MAX - sum(len(each["text"]) for each in blocks[1]["fields"])
    for title, lines in _lists(told):
        if lines and len((section := _section(title, lines))["text"]["text"]) <= room:
            room -= len(section["text"]["text"])
            blocks.append(section)
    if rules.buttons and rules.updates is not None and told.state not in ENDED:
        blocks.append(_buttons(told))
    about = f"{escaped(told.incident.get('id', ''))} · revision {told.revision}"
    runbook = told.incident.get("runbook")
    context = f"{about} · {link(runbook, 'Runbook')}" if runbook else about
    blocks.append({"type": "context", "elements": [_markup(context)]})
    return blocks


def sections(lines: Iterable[str]) -> list[Block]:
    """Lines as sections, each as full as it may be."""
    texts: list[str] = []
    for line in lines:
        if texts and len(texts[-1]) + len(line) + 1 <= SECTION_CHARACTERS_MAX:
            texts[-1] += f"\n{line}"
        else:
            texts.append(line)
    return [{"type": "section", "text": _markup(text)} for text in texts]


def call_line(call: Call, mentions: Mapping[str, str]) -> str:
    """Somebody is called: by mention where it is known who that is in Slack."""
    person, runbook = call.person, call.runbook
    who = f"<@{mentions[person]}>" if person in mentions else f"*{escaped(person, 200)}*"
    given = f" · {link(runbook, 'Runbook')}" if runbook else ""
    return f"Called: {who}: {escaped(wording.because(call))}{given}"


def entry_line(entry: Mapping[str, Any]) -> str:
    """One entry of the timeline."""
    return f"{moment(entry.get('at_ms'))} {escaped(wording.entry_words(entry))}"


def message_line(audience: str, subject: str, text: str) -> str:
    """A message that was published to an audience."""
    return f"Told {escaped(wording.words_of(audience), 100)}: *{escaped(subject, 200)}* {escaped(text)}"


def _facts(told: Told) -> Iterator[str]:
    incident = told.incident
    state = f"*State*\n{escaped(wording.state_words(told))}"
    yield state if not incident.get("state_since_ms") else f"{state}, since {moment(incident['state_since_ms'])}"
    yield f"*Priority*\n{escaped(incident.get('priority') or 'none')}"
    affected = incident.get("who_is_affected")
    if affected:
        yield f"*Affected*\n{escaped(affected)}"
    if since := incident.get("detected_at_ms") or incident.get("opened_at_ms"):
        yield f"*Since*\n{moment(since)}"
    known = {**incident, "service": wording.name_of(incident.get("service"))}
    for title, name in (("Service", "service"), ("Owner", "owner"), ("Assignee", "assignee"), ("Leads", "commander")):
        if known.get(name):
            yield f"*{title}*\n{escaped(known[name], 200)}"
    if incident.get("bridge_id"):
        yield f"*Major incident*\n{escaped(incident['bridge_id'], 200)}"


def _lists(told: Told) -> Iterator[tuple[str, list[str]]]:
    incident = told.incident
    yield "Suspected", [f"• {escaped(each)}" for each in wording.suspects(incident)]
    yield "Clocks", _clocks(incident) if told.state not in ENDED else []
    yield "Members", _members(incident)
    yield "Tickets and cases", _links(incident)
    workaround = incident.get("workaround")
    yield "Workaround", [escaped(workaround)] if isinstance(workaround, str) and workaround else []
    words = [escaped(each) for each in wording.closing_lines(incident)] if told.state in ENDED else []
    yield "Resolution", [" · ".join(words)] if words else []


def _clocks(incident: Mapping[str, Any]) -> list[str]:
    clocks = incident.get("clocks")
    known = clocks if isinstance(clocks, dict) else {}
    return [f"• {escaped(name, 50)}: {_clock(each)}" for name, each in known.items() if isinstance(each, dict)]


def _clock(clock: Mapping[str, Any]) -> str:
    if clock.get("met_at_ms"):
        return f"met {moment(clock['met_at_ms'])}"
    if clock.get("breached_at_ms"):
        return f"*missed* {moment(clock['breached_at_ms'])}"
    if clock.get("due_at_ms"):
        return f"due {moment(clock['due_at_ms'])}"
    return f"paused, {escaped(clock['held_for'], 200)}" if clock.get("held_for") else "stopped"


def _members(incident: Mapping[str, Any]) -> list[str]:
    members = incident.get("members")
    known = members if isinstance(members, list) else []
    states = incident.get("member_states")
    counts = ", ".join(f"{count} {state}" for state, count in states.items()) if isinstance(states, dict) else ""
    if not known:
        return []
    shown = " · ".join(escaped(each, 100) for each in known[:MEMBERS_SHOWN])
    more = f" and {len(known) - MEMBERS_SHOWN} more" if len(known) > MEMBERS_SHOWN else ""
    return [*([escaped(counts.replace("_", " "))] if counts else []), f"{shown}{more}"]


def _links(incident: Mapping[str, Any]) -> list[str]:
    lines = [
        f"• {escaped(str(each.get('kind', '')).replace('_', ' '), 64)} {link(each.get('url'), each.get('id', ''))}"
        f"{_state(each)}{_of_member(each)}"
        for each in (*_objects(incident, "links"), *_objects(incident, "linked"))
    ]
    lines += [f"• ticket {escaped(each.get('id', ''), 200)}{_state(each)}" for each in _objects(incident, "tickets")]
    unique = list(dict.fromkeys(lines))
    more = [f"and {len(unique) - LINKS_SHOWN} more"] if len(unique) > LINKS_SHOWN else []
    return unique[:LINKS_SHOWN] + more


def _state(record: Mapping[str, Any]) -> str:
    return f": {escaped(record['state'], 64)}" if record.get("state") else ""


def _of_member(record: Mapping[str, Any]) -> str:
    return f" ({escaped(record['member'], 64)})" if record.get("member") else ""


def _objects(incident: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """A list of objects of the snapshot; [] where it was cut off or is none."""
    found = incident.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _buttons(told: Told) -> Block:
    incident_id = str(told.incident.get("id", ""))
    confirm = {
        "title": _plain("Resolve?", 100),
        "text": _plain("The incident counts as resolved, by you.", 300),
        "confirm": _plain("Resolve", 30),
        "deny": _plain("Cancel", 30),
    }
    resolve = {
        "type": "button",
        "action_id": RESOLVE,
        "text": _plain("Resolve", 75),
        "value": incident_id,
        "confirm": confirm,
    }
    acknowledge = {
        "type": "button",
        "action_id": ACKNOWLEDGE,
        "text": _plain("Acknowledge", 75),
        "value": incident_id,
        "style": "primary",
    }
    elements = [acknowledge, resolve] if told.state in UNANSWERED else [resolve]
    return {"type": "actions", "block_id": "spillway", "elements": elements}


def _section(title: str, lines: list[str]) -> Block:
    """A list under its title; lines that find no room are left out whole, so that no markup is cut in two."""
    text = f"*{title}*"
    for line in lines:
        if len(text) + len(line) + 1 > SECTION_CHARACTERS_MAX:
            break
        text += f"\n{line}"
    return {"type": "section", "text": _markup(text)}


def _markup(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(text: str, characters_max: int) -> Block:
    line = " ".join(_CONTROL.sub(" ", text).split()) or "?"
    cut = line if len(line) <= characters_max else line[: characters_max - 1] + "…"
    return {"type": "plain_text", "text": cut, "emoji": False}

"""What a mail says, as plain text and as simple HTML. Pure.

Headers and threads: RFC 5322, section 3.6.4. Marks of what no person has written: RFC 3834 (``Auto-Submitted``), and
``X-Auto-Response-Suppress`` of Exchange, so that no absence notice is sent back for each incident.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any, Final, NamedTuple

from pipeline.core.identity import content_hash
from pipeline.models.sinks.streams import Mail
from pipeline.sinks import wording
from pipeline.sinks.told import Call, Told, Words

SUBJECT_CHARACTERS_MAX: Final = 200
"""A list of mails shows fewer; each line of a header may have 998."""

LINE_CHARACTERS_MAX: Final = 2_000
"""Of one line: the paragraph of a person. What is longer is in the console."""

LINES_MAX: Final = 200
"""Of one list: as many as a body can hold."""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that move or hide what stands beside them, that end lines, or that are half of one."""

_OVER: Final = frozenset({"resolved", "closed", "merged", "cancelled"})
_WEB: Final = re.compile(r"https?://[^\s<>\"]+")


class Section(NamedTuple):
    """Lines under a title; "" where they need none."""

    title: str
    lines: list[str]


class Letter(NamedTuple):
    """What one mail says."""

    subject: str
    sections: list[Section]
    footer: str


def plain(text: Any, characters_max: int = LINE_CHARACTERS_MAX) -> str:
    """Text from elsewhere in one line."""
    line = " ".join(_CONTROL.sub(" ", str(text)).split())
    return line if len(line) <= characters_max else line[: characters_max - 1] + "…"


def to_responders(told: Told, calls: Iterable[Call], name: str) -> Letter:
    """The incident as those see it who work on it."""
    incident = told.incident
    subject = f"[{incident.get('id', '')}] {incident.get('priority') or ''} {incident.get('title') or ''}"
    sections = [
        Section("", [plain(incident.get("title") or incident.get("id", "")), _state(told)]),
        Section("", [*_facts(incident), *_clocks(told)]),
        Section("Called", [f"{plain(each.person, 200)}: {plain(wording.because(each))}" for each in calls]),
        Section("Suspected", [plain(each) for each in wording.suspects(incident)]),
        Section("Members", _members(incident)),
        Section("Tickets and cases", list(_links(incident))),
        Section("Resolution", [plain(each) for each in wording.closing_lines(incident)]),
        Section("What is new", [_entry(each) for each in wording.news(told, "important", calls=False)]),
    ]
    footer = f"Sent by Spillway for {plain(incident.get('id', ''), 100)}, revision {told.revision}, as sink {name}."
    return Letter(subject, sections, f"{footer} Answers are not read.")


def to_audience(messages: list[Words]) -> Letter:
    """Published messages as they stand, and nothing else."""
    sections = [
        Section(plain(each.subject), [plain(line) for line in each.text.splitlines() if line.strip()])
        for each in messages
    ]
    return Letter(messages[-1].subject, sections, "This message was sent automatically. Answers are not read.")


def mail(letter: Letter, rules: Mail, identity: str, root: str, now: datetime) -> EmailMessage:
    """The mail.

    Args:
        letter: what it says.
        rules: from whom and to whom it is; who belongs to an audience is not shown.
        identity: its ``Message-ID``.
        root: that of the mail that began its thread; its own, where it does.
        now: its date.
    """
    message = EmailMessage(policy=SMTP)
    user, _, domain = rules.sender.rpartition("@")
    message["From"] = Address(plain(rules.sender_name), user, domain)
    message["To"] = "undisclosed-recipients:;" if rules.audience else ", ".join(rules.to)
    if rules.reply_to is not None:
        message["Reply-To"] = rules.reply_to
    # Text that looks like an encoded word (RFC 2047) would be decoded, line feeds and all, and end the header.
    subject = plain(letter.subject, SUBJECT_CHARACTERS_MAX).replace("=?", "= ?")
    message["Subject"] = subject if identity == root else f"Re: {subject}"
    message["Date"] = now.astimezone(UTC)
    message["Message-ID"] = identity
    if identity != root:
        message["In-Reply-To"] = root
        message["References"] = root
    message["Auto-Submitted"] = "auto-generated"
    message["Precedence"] = "bulk"
    message["X-Auto-Response-Suppress"] = "All"
    # Quoted-printable keeps each line short and every byte in ASCII, whatever the text holds.
    message.set_content(as_text(letter), cte="quoted-printable")
    message.add_alternative(as_html(letter), subtype="html", cte="quoted-printable")
    # By default a boundary is made by chance, and the same mail would have other bytes each time.
    message.set_boundary(f"spillway-{content_hash(identity)}")
    return message


def message_id(delivery_id: str, rules: Mail) -> str:
    """The ``Message-ID`` of a delivery: the same for all its attempts, so that who gets it twice can tell."""
    return f"<{content_hash(delivery_id, rules.sender)}@{rules.sender.rpartition('@')[2]}>"


def as_text(letter: Letter) -> str:
    """As plain text."""
    parts = []
    for section in letter.sections:
        lines = section.lines[:LINES_MAX]
        if lines:
            parts.append("\n".join([f"{section.title}:", *(f"- {each}" for each in lines)] if section.title else lines))
    return "\n\n".join(parts) + f"\n\n-- \n{letter.footer}\n"


def as_html(letter: Letter) -> str:
    """As HTML: paragraphs, lists and links to the web, and nothing that a text could smuggle in."""
    parts = ["<!DOCTYPE html><html><body>"]
    for section in letter.sections:
        lines = [_linked(each) for each in section.lines[:LINES_MAX]]
        if lines and section.title:
            items = "".join(f"<li>{each}</li>\n" for each in lines)
            parts.append(f"<p><b>{html.escape(section.title)}</b></p>\n<ul>\n{items}</ul>")
        elif lines:
            parts.append(f"<p>{'<br>'.join(lines)}</p>")
    parts.append(f"<p><small>{html.escape(letter.footer)}</small></p></body></html>")
    return "\n".join(parts) + "\n"


def _linked(line: str) -> str:
    pieces, last = [], 0
    for found in _WEB.finditer(line):
        address = html.escape(found[0])
        pieces += [html.escape(line[last : found.start()]), f'<a href="{address}">{address}</a>']
        last = found.end()
    return "".join([*pieces, html.escape(line[last:])])


def moment(time_ms: Any) -> str:
    """A time in UTC, to the minute."""
    known = isinstance(time_ms, int) and time_ms >= 0
    return f"{datetime.fromtimestamp(time_ms // 1_000, UTC):%Y-%m-%d %H:%M} UTC" if known else "?"


def _state(told: Told) -> str:
    priority = plain(told.incident.get("priority") or "none", 50)
    return f"Priority {priority}, {plain(wording.state_words(told), 200)}"


def _facts(incident: Mapping[str, Any]) -> Iterator[str]:
    titles = {
        "who_is_affected": "Affected",
        "service": "Service",
        "owner": "Owner",
        "assignee": "Assignee",
        "commander": "Leads",
        "bridge_id": "Major incident",
        "workaround": "Workaround",
        "runbook": "Runbook",
    }
    since = incident.get("detected_at_ms") or incident.get("opened_at_ms")
    known = {**incident, "service": wording.name_of(incident.get("service"))}
    for name, title in titles.items():
        if name == "service" and since:
            yield f"Since: {moment(since)}"
        if known.get(name):
            yield f"{title}: {plain(known[name])}"


def _clocks(told: Told) -> Iterator[str]:
    """What is still due, and what was missed; once it is over nothing is."""
    clocks = {} if told.state in _OVER else _mapping(told.incident, "clocks")
    for name, clock in clocks.items():
        if not isinstance(clock, dict) or clock.get("met_at_ms"):
            continue
        title = plain(name, 50).capitalize()
        if clock.get("breached_at_ms"):
            yield f"{title} missed: {moment(clock['breached_at_ms'])}"
        elif clock.get("due_at_ms"):
            yield f"{title} due: {moment(clock['due_at_ms'])}"


def _members(incident: Mapping[str, Any]) -> list[str]:
    members = incident.get("members")
    return [plain(each, 100) for each in members] if isinstance(members, list) else []


def _links(incident: Mapping[str, Any]) -> Iterator[str]:
    for each in (*_objects(incident, "tickets"), *_objects(incident, "links"), *_objects(incident, "linked")):
        kind = plain(str(each.get("kind") or "ticket").replace("_", " "), 64)
        state = f", {plain(each['state'], 64)}" if each.get("state") else ""
        url = f" {plain(each['url'])}" if each.get("url") else ""
        yield f"{kind} {plain(each.get('id', ''), 200)}{state}{url}"


def _entry(entry: Mapping[str, Any]) -> str:
    return f"{moment(entry.get('at_ms'))} {plain(wording.entry_words(entry))}"


def _objects(incident: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """A list of objects of the snapshot; [] where it was cut off or is none."""
    found = incident.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _mapping(incident: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = incident.get(name)
    return found if isinstance(found, dict) else {}

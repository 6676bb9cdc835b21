"""What is said in the thread of an incident: each call and each piece of news once, in replies of a size. Pure.

Lines are known by keys of their own and not by their delivery: one whose fate is unknown may come again as part of a
larger one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pipeline.core.identity import content_hash
from pipeline.core.outward.send import Send
from pipeline.models.sinks.chat import Slack
from pipeline.sinks import slack_words as words
from pipeline.sinks import wording
from pipeline.sinks.told import Told

CALLS_A_REPLY_MAX: Final = 20
LINES_A_REPLY_MAX: Final = 50
"""So that their keys fit the metadata of a reply, which Slack limits."""

BEGINNING_CHARACTERS: Final = 90
"""Of an entry, by which it is known: of a long one no less ever arrives, however far its body had to be cut."""

RESPONDERS: Final = "responders"
"""The audience that reads the message itself: what it is told is not repeated in the thread (`VIEWS` of
`pipeline.models.communications`)."""

PROPOSAL: Final = "All alerts are clear. Resolve it, if the work is done."


class Line(NamedTuple):
    """Something to be said in the thread, once. ``key``: what it is known by, in whichever delivery it comes."""

    key: str
    text: str


def calls(told_: Told, rules: Slack, made: list[str]) -> list[Line]:
    """Calls that are not made."""
    fresh = {each.key: each for each in told_.calls if each.key not in made}
    return [Line(key, words.call_line(each, rules.mentions)) for key, each in fresh.items()]


def news(send: Send, told_: Told, rules: Slack, said: list[str]) -> list[Line]:
    """Messages and entries of the timeline that are not said."""
    lines = [
        Line(
            _key("message", each.audience, each.page, each.number),
            words.message_line(each.audience, each.subject, each.text),
        )
        for each in told_.messages
        if each.audience != RESPONDERS
    ]
    # Who is called is told as a call, which mentions them.
    lines += [Line(_key_of(each), words.entry_line(each)) for each in wording.news(told_, rules.notes, calls=False)]
    if send.propose:
        lines.append(Line(_key("proposal", told_.incident.get("reopened")), PROPOSAL))
    return list({each.key: each for each in lines if each.key not in said}.values())


def groups(lines: list[Line], lines_max: int) -> list[list[Line]]:
    """Lines as replies have room for them."""
    found: list[list[Line]] = []
    room = 0
    for line in lines:
        room -= len(line.text) + 1
        if not found or room < 0 or len(found[-1]) == lines_max:
            found.append([])
            room = words.MESSAGE_CHARACTERS_MAX - len(line.text) - 1
        found[-1].append(line)
    return found


def _key_of(entry: Mapping[str, Any]) -> str:
    beginning = str(entry.get("text", ""))[:BEGINNING_CHARACTERS]
    return _key(entry.get("at_ms"), entry.get("action"), entry.get("actor"), beginning)


def _key(*parts: Any) -> str:
    return content_hash(*map(str, parts))[:10]

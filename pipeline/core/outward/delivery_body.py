"""The body that a sink gets: one revision of an incident, as Standard Webhooks words it, never too large.

    {"type": "dev.spillway.incident.opened.v1", "timestamp": "2026-03-04T02:11:42.318Z",
     "data": {"incident_id", "revision", "change", "changes": [...], "entries": [...], "calls": [...],
              "messages": [...], "incident": {...}}}

The entries that are new on the timeline stand beside the snapshot, and so do the people called and the messages
published since the last delivery. Of the entries the oldest may be left out; of calls and messages none.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import orjson

from pipeline.core.outward.carried import NONE, Carried
from pipeline.core.outward.incident_event import IncidentEvent

# Standard Webhooks recommends staying under 20 kB, so that receivers behind small proxies get everything.
BODY_BYTES_MAX: Final = 20_000
# A sink that words the body anew sends little of it on. What it carries must survive a day of the sink's absence.
LARGE_BODY_BYTES_MAX: Final = 128_000
# Entries of revisions that were coalesced gather; a receiver that was away wants the newest of them.
ENTRIES_MAX: Final = 50
CHANGES_MAX: Final = 50


class Room(NamedTuple):
    """How long a body may be: altogether, and of that the calls and messages. What has more starts another body."""

    body_bytes: int
    carried_bytes: int


SMALL: Final = Room(BODY_BYTES_MAX, 12_000)
LARGE: Final = Room(LARGE_BODY_BYTES_MAX, 96_000)

# From gentle to harsh: how many members of a list or mapping, and how many characters of a text, are kept.
_CUTS: Final[tuple[tuple[int, int], ...]] = ((50, 2_000), (20, 500), (10, 200), (5, 100))
# Texts of calls and messages of one revision that has more of them than there is room: shortened, none is left out.
_SHORTER_CHARACTERS: Final = (2_000, 1_000, 500, 200, 80)
# The snapshot has some 60 fields of its own, which a cut of its members must not touch.
_FIELDS_MAX: Final = 100
UPDATED: Final = "updated"
_ESSENTIAL: Final = ("id", "kind", "space", "state", "title", "priority", "domain", "service", "owner", "merged_into")


def delivery_body(
    event: IncidentEvent, earlier: str | None = None, news: Carried = NONE, room: Room = SMALL
) -> str | None:
    """The body of an event; with ``earlier``, of that body's revision and this one taken together.

    Same input, same bytes: the signature covers them, and a retry sends them again. A body that had to be
    cut says so with ``"truncated": true``. None: the calls and messages of both have no room in one body.
    """
    entries, changes = [{**each, "revision": event.revision} for each in event.entries], [event.change]
    calls, messages = news
    if earlier is not None:
        data = orjson.loads(earlier)["data"]
        entries, changes = data["entries"] + entries, data["changes"] + changes
        calls, messages = data.get("calls", []) + calls, data.get("messages", []) + messages
        if _length(calls, messages) > room.carried_bytes:
            return None
    calls, messages = _shorter(calls, messages, room.carried_bytes)
    data = {
        "incident_id": event.incident_id,
        "revision": event.revision,
        "change": event.change,
        "changes": changes[-CHANGES_MAX:],
        "entries": entries[-ENTRIES_MAX:],
        "calls": calls,
        "messages": messages,
        "incident": dict(event.incident),
    }
    whole = _wrap(event, data)
    return (whole if len(whole) <= room.body_bytes else _cut_down(event, data, room)).decode()


def snapshot_alone(body: str, messages: list[dict[str, Any]] | None = None) -> str:
    """A body without what was new in it: to make the other side look like the incident once more."""
    document = orjson.loads(body)
    document["data"] |= {"entries": [], "calls": [], "messages": messages or []}
    return orjson.dumps(document).decode()


def as_newest(body: str) -> str:
    """The snapshot of a body that waits, as it is told again later: as an update without anything new."""
    document = orjson.loads(snapshot_alone(body))
    document["type"] = _type_of(UPDATED)
    document["data"] |= {"change": UPDATED, "changes": [UPDATED]}
    return orjson.dumps(document).decode()


def without_messages(body: str, told: Container[tuple[str, str, int]]) -> str:
    """A body without the messages of these streams and numbers: they are told by another one."""
    document = orjson.loads(body)
    messages = document["data"].get("messages", ())
    document["data"]["messages"] = [each for each in messages if message_key(each) not in told]
    return orjson.dumps(document).decode()


def message_key(message: dict[str, Any]) -> tuple[str, str, int]:
    """What tells a message of an incident from all others."""
    return message["audience"], message["page"], message["number"]


def without(body: str, revision: int) -> str:
    """A body without what was told up to a revision: that has arrived."""
    document = orjson.loads(body)
    data = document["data"]
    for name in ("entries", "calls", "messages"):
        data[name] = [each for each in data.get(name, ()) if each.get("revision", 0) > revision]
    return orjson.dumps(document).decode()


def with_news_of(body: str, earlier: str, room: Room) -> str:
    """A body that also tells what an earlier one was to tell; of too much the oldest is left out, calls first."""
    document, before = orjson.loads(body), orjson.loads(earlier)["data"]
    data = document["data"]
    entries = before["entries"] + data["entries"]
    calls, messages = before.get("calls", []) + data["calls"], before.get("messages", []) + data["messages"]
    while _length(calls, messages) > room.carried_bytes:
        del (calls or messages)[0]
    data["changes"] = (before["changes"] + data["changes"])[-CHANGES_MAX:]
    data["calls"], data["messages"], data["entries"] = calls, messages, entries[-ENTRIES_MAX:]
    while len(orjson.dumps(document)) > room.body_bytes and data["entries"]:
        del data["entries"][: max(1, len(data["entries"]) // 2)]
    return orjson.dumps(document).decode()


def rfc3339(time_ms: int) -> str:
    """Epoch milliseconds as RFC 3339 in UTC."""
    moment = datetime.fromtimestamp(time_ms // 1_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1_000:03d}Z"


def _length(calls: list[Any], messages: list[Any]) -> int:
    return len(orjson.dumps((calls, messages))) if calls or messages else 0


def _shorter(calls: list[Any], messages: list[Any], bytes_max: int) -> tuple[list[Any], list[Any]]:
    for characters_max in _SHORTER_CHARACTERS:
        if _length(calls, messages) <= bytes_max:
            break
        calls = [{**_shrink(each, _FIELDS_MAX, characters_max), "key": each["key"]} for each in calls]
        messages = [_shrink(each, _FIELDS_MAX, characters_max) for each in messages]
    return calls, messages


def _type_of(change: str) -> str:
    return f"dev.spillway.incident.{change}.v1"


def _wrap(event: IncidentEvent, data: dict[str, Any]) -> bytes:
    return orjson.dumps({"type": _type_of(event.change), "timestamp": rfc3339(event.at_ms), "data": data})


def _cut_down(event: IncidentEvent, data: dict[str, Any], room: Room) -> bytes:
    """Cut ever harder until it fits; in the end only what names the incident is left, and what is carried."""
    carried = {"calls": data["calls"], "messages": data["messages"], "truncated": True}
    for members_max, characters_max in _CUTS:
        cut = {name: _shrink(value, members_max, characters_max) for name, value in data.items()}
        cut["entries"] = _shrink(data["entries"][-members_max:], members_max, characters_max)
        body = _wrap(event, cut | carried)
        if len(body) <= room.body_bytes:
            return body
    members_max, characters_max = _CUTS[-1]
    named = {name: data["incident"].get(name) for name in _ESSENTIAL}
    incident = {name: value for name, value in named.items() if not isinstance(value, (list, dict))}
    least = {"incident": _shrink(incident, _FIELDS_MAX, characters_max), "entries": []}
    return _wrap(event, data | {"changes": data["changes"][-members_max:]} | carried | least)


def _shrink(value: Any, members_max: int, characters_max: int, depth: int = 0) -> Any:
    """A copy in which no text, list or mapping is longer than the limits."""
    if isinstance(value, str):
        return value if len(value) <= characters_max else value[: characters_max - 1] + "…"
    if isinstance(value, list):
        return [_shrink(member, members_max, characters_max, depth + 1) for member in value[:members_max]]
    if isinstance(value, dict):
        kept = _FIELDS_MAX if depth == 0 else members_max
        fields = list(value.items())[:kept]
        return {
            name[:characters_max]: _shrink(member, members_max, characters_max, depth + 1) for name, member in fields
        }
    return value

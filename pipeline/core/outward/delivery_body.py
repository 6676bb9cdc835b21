"""The body that a sink gets: one revision of an incident, as Standard Webhooks words it, never too large.

    {"type": "dev.spillway.incident.opened.v1", "timestamp": "2026-03-04T02:11:42.318Z",
     "data": {"incident_id", "revision", "change", "changes": [...], "entries": [...], "incident": {...}}}

The entries that are new on the timeline stand beside the snapshot.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import orjson

from pipeline.core.outward.incident_event import IncidentEvent

# Standard Webhooks recommends staying under 20 kB, so that receivers behind small proxies get everything.
BODY_BYTES_MAX: Final = 20_000
# Entries of revisions that were coalesced gather; a receiver that was away wants the newest of them.
ENTRIES_MAX: Final = 50
CHANGES_MAX: Final = 50

# From gentle to harsh: how many members of a list or mapping, and how many characters of a text, are kept.
_CUTS: Final[tuple[tuple[int, int], ...]] = ((50, 2_000), (20, 500), (10, 200), (5, 100))
# The snapshot has some 60 fields of its own, which a cut of its members must not touch.
_FIELDS_MAX: Final = 100
_ESSENTIAL: Final = ("id", "kind", "space", "state", "title", "priority", "domain", "service", "owner")


def delivery_body(event: IncidentEvent, earlier: str | None = None) -> str:
    """The body of an event; with ``earlier``, of that body's revision and this one taken together.

    Same input, same bytes: the signature covers them, and a retry sends them again. A body that had to be
    cut says so with ``"truncated": true``.
    """
    entries, changes = list(event.entries), [event.change]
    if earlier is not None:
        data = orjson.loads(earlier)["data"]
        entries, changes = data["entries"] + entries, data["changes"] + changes
    snapshot = dict(event.incident)
    data = {
        "incident_id": event.incident_id,
        "revision": event.revision,
        "change": event.change,
        "changes": changes[-CHANGES_MAX:],
        "entries": entries[-ENTRIES_MAX:],
        "incident": snapshot,
    }
    whole = _wrap(event, data)
    return (whole if len(whole) <= BODY_BYTES_MAX else _cut_down(event, data)).decode()


def rfc3339(time_ms: int) -> str:
    """Epoch milliseconds as RFC 3339 in UTC."""
    moment = datetime.fromtimestamp(time_ms // 1_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1_000:03d}Z"


def _wrap(event: IncidentEvent, data: dict[str, Any]) -> bytes:
    kind = f"dev.spillway.incident.{event.change}.v1"
    return orjson.dumps({"type": kind, "timestamp": rfc3339(event.at_ms), "data": data})


def _cut_down(event: IncidentEvent, data: dict[str, Any]) -> bytes:
    """Cut ever harder until it fits; in the end only what names the incident is left."""
    for members_max, characters_max in _CUTS:
        cut = {name: _shrink(value, members_max, characters_max) for name, value in data.items()}
        cut["entries"] = _shrink(data["entries"][-members_max:], members_max, characters_max)
        body = _wrap(event, cut | {"truncated": True})
        if len(body) <= BODY_BYTES_MAX:
            return body
    members_max, characters_max = _CUTS[-1]
    named = {name: data["incident"].get(name) for name in _ESSENTIAL}
    incident = {name: value for name, value in named.items() if not isinstance(value, (list, dict))}
    least = {"incident": _shrink(incident, _FIELDS_MAX, characters_max), "entries": []}
    return _wrap(event, data | {"changes": data["changes"][-members_max:], "truncated": True} | least)


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

"""Episodes in the records store: each run of each condition, and the incident that it is in.

What an episode is comes from ``episodes``, where it belongs from ``joined`` and ``left`` of incident events. The two
are different topics, of which either may be ahead, and different partitions, which other workers write. So both are
kept as they are told, and the incident of an episode is worked out from them whenever one of the two has news; one
transaction at a time does that, so that none of them misses what another has written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, func, select, text

from pipeline.core.outward.incident_event import IncidentEvent
from pipeline.core.outward.told import EpisodeTold
from pipeline.models.episode import EpisodeChange
from pipeline.records.indexed import cut
from pipeline.records.tables import EPISODE_MEMBERS, EPISODES
from pipeline.records.values import moment_of, text_of, upsert

# "episodes" in ASCII; a key that no other program on the same database is likely to use.
LINKING_LOCK: Final = 0x65706973_6F646573

_STATES: Final[dict[str, str]] = {
    EpisodeChange.OPENED: "open",
    EpisodeChange.CHANGED: "open",
    EpisodeChange.STEADY: "open",
    EpisodeChange.ACKNOWLEDGED: "acknowledged",
    EpisodeChange.FLAPPING: "flapping",
    EpisodeChange.RESOLVED: "resolved",
    EpisodeChange.EXPIRED: "expired",
    EpisodeChange.HIDDEN: "hidden",
}
_OVER: Final = frozenset({EpisodeChange.RESOLVED, EpisodeChange.EXPIRED, EpisodeChange.HIDDEN})

# What the newest whole alert says; one that ends an episode says it not again, and has no summary.
_ABOUT: Final = ("feed", "summary", "entity", "service", "domain", "alert")
_KEPT: Final = {
    **{name: f"CASE WHEN excluded.summary IS NULL THEN episodes.{name} ELSE excluded.{name} END" for name in _ABOUT},
    "opened_at": "episodes.opened_at",
    "first_event_at": "coalesce(episodes.first_event_at, excluded.first_event_at)",
}

# A member is where it joined last and has not left: joins, splits, moves and merges all say both sides.
_LINK: Final = """
UPDATE episodes SET incident_id = found.incident_id FROM (
    SELECT named.id, (
        SELECT member.incident_id FROM episode_members AS member
        WHERE member.episode_id = named.id AND member.present ORDER BY member.at DESC, member.incident_id LIMIT 1
    ) AS incident_id
    FROM unnest(CAST(:ids AS text[])) AS named(id)) AS found
WHERE episodes.id = found.id AND episodes.incident_id IS DISTINCT FROM found.incident_id
"""


def write(connection: Connection, told: Sequence[EpisodeTold], events: Iterable[IncidentEvent]) -> None:
    """Write changes of episodes in the order in which they were told, and where incident events say that they belong.

    The last of its transaction to be written: others wait for it from here on.
    """
    members = _members(events)
    if not (told or members):
        return
    connection.execute(select(func.pg_advisory_xact_lock(LINKING_LOCK)))
    rows = _folded(told)
    upsert(connection, EPISODES, [rows[name] for name in sorted(rows)], "true", _KEPT)
    newer = "episode_members.revision < excluded.revision"
    upsert(connection, EPISODE_MEMBERS, [members[key] for key in sorted(members)], newer)
    link(connection, {*rows, *(episode_id for episode_id, _ in members)})


def link(connection: Connection, ids: Iterable[str]) -> int:
    """Work out anew which incident each of these episodes is in; how many were in another."""
    return connection.execute(text(_LINK), {"ids": sorted(ids)}).rowcount


def _folded(told: Iterable[EpisodeTold]) -> dict[str, dict[str, Any]]:
    """What the changes of a batch come to, as PostgreSQL adds a batch to those before it."""
    rows: dict[str, dict[str, Any]] = {}
    for each in told:
        row, before = _row(each), rows.get(each.episode_id)
        if before is not None:
            if row["summary"] is None:
                row |= {name: before[name] for name in _ABOUT}
            row["opened_at"] = before["opened_at"]
            row["first_event_at"] = before["first_event_at"] or row["first_event_at"]
        rows[each.episode_id] = row
    return rows


def _row(told: EpisodeTold) -> dict[str, Any]:
    alert, is_whole = told.alert, told.is_whole
    at = moment_of(told.at_ms)
    return {
        "id": told.episode_id,
        "alert_key": cut(told.alert_key),
        "space": told.space,
        "state": _STATES[told.change],
        "feed": text_of(alert.get("feed")),
        "summary": (text_of(alert.get("summary")) or "") if is_whole else None,
        "severity": text_of(alert.get("severity")),
        "entity": text_of(alert.get("entity")),
        "service": text_of(alert.get("service")),
        "domain": text_of(alert.get("domain")),
        "reason": told.reason,
        "alerts": told.repeats + 1,
        "opened_at": at,
        "ended_at": at if told.change in _OVER else None,
        "updated_at": at,
        "first_event_at": moment_of(alert.get("event_at_ms")) if is_whole else None,
        "alert": alert,
    }


def _members(events: Iterable[IncidentEvent]) -> dict[tuple[str, str], dict[str, Any]]:
    """What each incident said last of each episode."""
    members: dict[tuple[str, str], dict[str, Any]] = {}
    for event in events:
        said = dict.fromkeys(event.joined, True) | dict.fromkeys(event.left, False)
        for episode_id, present in said.items():
            key = (episode_id, event.incident_id)
            before = members.get(key)
            if before is None or before["revision"] < event.revision:
                members[key] = {
                    "episode_id": episode_id,
                    "incident_id": event.incident_id,
                    "revision": event.revision,
                    "at": moment_of(event.at_ms),
                    "present": present,
                }
    return members

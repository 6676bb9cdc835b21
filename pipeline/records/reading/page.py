"""All that the page of an incident shows, in a handful of questions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, text

from pipeline.records.reading.found import COLUMNS, IncidentRow, row_of
from pipeline.records.reading.scope import Scope, domains_within
from pipeline.records.reading.timeline import timeline, without_nul

# The newest of each; all of them are a question of their own.
TIMELINE_MAX: Final = 200
DELIVERIES_MAX: Final = 100
MEMBERS_MAX: Final = 200

_DELIVERY: Final = "at, sink, direction, outcome, revision, attempt, body"


def incident_page(connection: Connection, incident_id: str, scope: Scope) -> dict[str, Any] | None:
    """An incident and what belongs to it; None where there is none of that id that may be seen.

    Incidents that belong to it and may not be seen are left out.

    Returns:
        ``row`` (an `IncidentRow`), ``snapshot``, ``timeline`` (a `TimelinePage`, the newest first), ``links`` (records
        elsewhere: ``what``, ``kind``, ``id``, ``url``, ``state``, ``feed``, ``sink`` and ``delivery``, the ledger's
        entry), ``ledger`` (entries of all sinks), ``deliveries`` (the newest first), ``communications``, ``members``
        of a bridge and ``members_total``, ``bridge`` of a member, ``merged_from``, ``merged_into`` (rows).
    """
    known_id = without_nul(incident_id)
    within, parameters = domains_within(scope)
    one = text(f"SELECT {COLUMNS}, snapshot FROM incidents WHERE id = :id AND {within}")  # noqa: S608  # of our own words
    found = connection.execute(one, parameters | {"id": known_id}).mappings().one_or_none()
    if found is None:
        return None
    snapshot: dict[str, Any] = found["snapshot"]
    row = row_of(found)
    ledger = _ledger(connection, known_id)
    told = snapshot.get("communications")
    return {
        "row": row,
        "snapshot": snapshot,
        "timeline": timeline(connection, known_id, scope, limit=TIMELINE_MAX),
        "links": links_of(snapshot, ledger),
        "ledger": ledger,
        "deliveries": _deliveries(connection, known_id),
        "communications": told if isinstance(told, list) else [],
        **_relatives(connection, row, scope),
    }


def links_of(snapshot: Mapping[str, Any], ledger: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Records elsewhere: tickets that came in, links, and what sinks made; each with its state there."""
    found = [_link("ticket", each, ledger, each.get("feed")) for each in _objects(snapshot.get("tickets"))]
    found += [_link("link", each, ledger, None) for each in _objects(snapshot.get("links"))]
    taken = {id(each["delivery"]) for each in found if each["delivery"] is not None}
    for entry in ledger:
        if id(entry) not in taken and (entry["remote_key"] or entry["remote_url"]):
            about = {"kind": entry["entry"].get("type"), "id": entry["remote_key"], "url": entry["remote_url"]}
            state = {"state": entry["remote_state"], "feed": None, "sink": entry["sink"], "summary": None}
            found.append({"what": "sink", **about, **state, "delivery": entry})
    return found


def _link(what: str, told: dict[str, Any], ledger: list[dict[str, Any]], feed: Any) -> dict[str, Any]:
    number = told.get("id")
    entry = next((each for each in ledger if number and number in (each["remote_key"], _remote_id(each))), None)
    return {
        "what": what,
        "kind": told.get("kind") or "ticket",
        "id": number,
        "url": told.get("url") or (entry["remote_url"] if entry else None),
        "state": (entry["remote_state"] if entry else None) or told.get("state"),
        "feed": feed,
        "sink": entry["sink"] if entry else None,
        "summary": told.get("summary"),
        "delivery": entry,
    }


def _remote_id(entry: dict[str, Any]) -> Any:
    return entry["entry"].get("remote_id")


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _ledger(connection: Connection, incident_id: str) -> list[dict[str, Any]]:
    asked = text("""
        SELECT sink, remote_state, remote_key, remote_url, orphan, updated_at, entry FROM ledger
        WHERE incident_id = :id ORDER BY sink""")
    return [dict(each) for each in connection.execute(asked, {"id": incident_id}).mappings()]


def _deliveries(connection: Connection, incident_id: str) -> list[dict[str, Any]]:
    asked = text(f"""
        SELECT {_DELIVERY} FROM deliveries WHERE incident_id = :id
        ORDER BY at DESC, topic_partition, topic_offset DESC LIMIT :rows""")  # noqa: S608  # of our own words
    given = {"id": incident_id, "rows": DELIVERIES_MAX}
    return [dict(each) for each in connection.execute(asked, given).mappings()]


def _relatives(connection: Connection, row: IncidentRow, scope: Scope) -> dict[str, Any]:
    """Members, bridge, what it was merged from and into: in one question, each by an index of its own."""
    within, parameters = domains_within(scope)
    asked = text(f"""
        SELECT {COLUMNS} FROM incidents WHERE bridge_id = :id AND {within}
        UNION ALL SELECT {COLUMNS} FROM incidents WHERE merged_into = :id AND {within}
        UNION ALL SELECT {COLUMNS} FROM incidents WHERE id = ANY(cast(:others AS text[])) AND {within}""")  # noqa: S608  # of our own words
    others = [each for each in (row.bridge_id, row.merged_into) if each]
    found = [
        row_of(each) for each in connection.execute(asked, parameters | {"id": row.id, "others": others}).mappings()
    ]
    members = [each for each in found if each.bridge_id == row.id and each.merged_into is None]
    members.sort(key=lambda each: (each.priority_rank if each.priority_rank is not None else 999, each.id))
    return {
        "members": members[:MEMBERS_MAX],
        "members_total": len(members),
        "bridge": next((each for each in found if each.id == row.bridge_id), None),
        "merged_from": [each for each in found if each.merged_into == row.id],
        "merged_into": next((each for each in found if each.id == row.merged_into), None),
    }

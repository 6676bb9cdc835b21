"""Bodies and sends for tests of sinks: small ones of their own, and all that a snapshot can hold."""

from __future__ import annotations

from typing import Any

import orjson

from pipeline.core.outward.send import Send

OPENED_MS = 1_772_590_000_000

INCIDENT: dict[str, Any] = {
    "id": "INC-D5KZHUYBCD7C",
    "kind": "incident",
    "space": "production",
    "state": "logged",
    "title": "Checkout: 12 % of checkout requests fail",
    "priority": "P1",
    "domain": "retail",
    "service": "component:default/checkout",
    "owner": "storefront-sre",
    "assignee": None,
    "who_is_affected": "about 18,000 users of Checkout",
    "opened_at_ms": OPENED_MS,
    "detected_at_ms": OPENED_MS,
    "state_since_ms": OPENED_MS,
    "runbook": "https://runbooks.example/checkout",
    "suspects": [{"ref": "component:default/checkout", "because": ["alerts itself: 12 % fail"], "score": 1.6}],
    "clocks": {"response": {"due_at_ms": OPENED_MS + 300_000}, "resolution": {"met_at_ms": OPENED_MS + 1}},
    "links": [{"kind": "vendor_ticket", "id": "CASE-12", "url": "https://vendor.example/12", "state": "open"}],
    "tickets": [{"id": "INC0012345", "feed": "desk", "state": "new", "summary": "Cannot pay"}],
}


def entry(text: str, action: str = "note", actor: str = "ada") -> dict[str, Any]:
    return {"at_ms": OPENED_MS, "action": action, "actor": actor, "text": text, "facts": {}}


def call(key: str = "run 1 level 1/ada", person: str = "ada", because: str = "level 1 of the path") -> dict[str, Any]:
    return {"key": key, "person": person, "because": because, "runbook": "https://runbooks.example/checkout"}


def words(text: str, audience: str = "affected_users", number: int = 1) -> dict[str, Any]:
    fields = {"state": "investigating", "subject": "Checkout is impaired", "text": text}
    return {"number": number, "audience": audience, "page": audience, **fields}


def told_send(
    revision: int = 1,
    change: str = "opened",
    *,
    sink: str = "desk",
    incident: dict[str, Any] | None = None,
    entries: list[dict[str, Any]] | None = None,
    calls: list[dict[str, Any]] | None = None,
    messages: list[dict[str, Any]] | None = None,
    **fields: Any,
) -> Send:
    """A send of one revision. ``fields``: of the `Send`, such as ``remote``."""
    snapshot = {**INCIDENT, "revision": revision, **(incident or {})}
    data = {
        "incident_id": snapshot["id"],
        "revision": revision,
        "change": change,
        "changes": [change],
        "entries": entries or [],
        "calls": calls or [],
        "messages": messages or [],
        "incident": snapshot,
    }
    kind = f"dev.spillway.incident.{change}.v1"
    body = orjson.dumps({"type": kind, "timestamp": "2026-03-04T02:06:40.000Z", "data": data}).decode()
    return Send(sink, snapshot["id"], revision, f"{snapshot['id']}/{revision}/{sink}", 1, body)._replace(**fields)

"""Bodies and attempts as deliver makes them, for sinks that are tested one attempt at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import orjson

from pipeline.core.outward.send import NOTHING, Send
from pipeline.models.incident import Incident
from pipeline.models.remote import Remote

INCIDENT_ID = "INC-D5KZHUYBCD7C"
BRIDGE_ID = "MI-QX7ZHUYBCD7C"
OPENED_MS = 1_772_590_302_318


def snapshot(**fields: Any) -> dict[str, Any]:
    """An incident as an event has it."""
    usual: dict[str, Any] = {
        "id": INCIDENT_ID,
        "space": "production",
        "state": "logged",
        "title": "Checkout: 12 % of checkout requests fail",
        "priority": "P1",
        "priority_rank": 0,
        "domain": "retail",
        "category": "errors",
        "service": "component:default/checkout",
        "owner": "storefront-sre",
        "runbook": "https://runbooks.northwind.example/checkout",
        "who_is_affected": "about 18,000 users of Checkout",
        "opened_at_ms": OPENED_MS,
    }
    return asdict(Incident(**(usual | fields)))


def entry(action: str, text: str, actor: str = "spillway") -> dict[str, Any]:
    """A timeline entry."""
    return {
        "at_ms": OPENED_MS,
        "action": action,
        "actor": actor,
        "text": text,
        "facts": {},
        "event_at_ms": OPENED_MS,
        "changed": None,
    }


def call(key: str, name: str = "kim") -> dict[str, Any]:
    """A call of somebody."""
    return {"key": key, "person": name, "because": "on call", "runbook": None, "service": ""}


def send(  # what an attempt consists of
    incident: Mapping[str, Any] | None = None,
    *,
    revision: int = 1,
    change: str = "updated",
    sink: str = "desk",
    entries: Sequence[Mapping[str, Any]] = (),
    calls: Sequence[Mapping[str, Any]] = (),
    messages: Sequence[Mapping[str, Any]] = (),
    remote: Remote | None = None,
    wanted: Mapping[str, str] = NOTHING,
    unsure: bool = False,
    attempt: int = 1,
    propose: bool = False,
    again: int = 0,
) -> Send:
    """An attempt to tell a revision; ``again``: which telling again of it."""
    told = dict(incident if incident is not None else snapshot())
    data = {
        "incident_id": told["id"],
        "revision": revision,
        "change": change,
        "changes": [change],
        "entries": list(entries),
        "calls": list(calls),
        "messages": list(messages),
        "incident": told,
    }
    body = orjson.dumps({"type": "incident", "timestamp": "2026-03-04T02:11:42.318Z", "data": data}).decode()
    return Send(
        sink,
        told["id"],
        revision,
        f"{told['id']}/{revision}/{sink}" + (f"/{again}" if again else ""),
        attempt,
        body,
        remote=remote,
        unsure=unsure,
        wanted=wanted,
        propose=propose,
    )

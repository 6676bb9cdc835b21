"""What deliver asks a sink for, made by hand: bodies, sends, and the ledger as the core keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from pipeline.core.outward.send import Send
from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.remote import STATES, Remote
from pipeline.models.sinks import SinkRules
from pipeline.sinks.base import Answer, SinkClient
from pipeline.sinks.told import Call, Words
from tests.sinks.receivers import NOW

INCIDENT = "INC-AAAAAAAAAAAA"
OTHER = "INC-BBBBBBBBBBBB"
BRIDGE = "MI-CCCCCCCCCCCC"

AT_MS = 1_772_590_302_000

HOSTILE = (
    "\"Quote\" 'n' <script>alert(1)</script> [code]<b>x</b>[/code] *bold* @everyone <!channel> ${jndi:x} "
    '^ORactive=true " OR project = OTHER -- \u202egnorts \x00\x07 Größe 漢字 🚨'
)


def entry(action: str, text: str, actor: str = "spillway", **facts: Any) -> dict[str, Any]:
    """An entry of the timeline."""
    return {"at_ms": AT_MS, "event_at_ms": None, "action": action, "actor": actor, "text": text, "facts": facts}


def body(
    change: str,
    revision: int,
    *,
    entries: Iterable[Mapping[str, Any]] = (),
    calls: Iterable[Call] = (),
    messages: Iterable[Words] = (),
    **incident: Any,
) -> str:
    """A body, as `pipeline.core.outward.delivery_body` writes it."""
    snapshot = {
        "schema": 1,
        "id": INCIDENT,
        "kind": "incident",
        "space": "production",
        "state": "logged",
        "title": "Checkout: 12 % of requests fail",
        "priority": "P1",
        "domain": "retail",
        "service": "component:default/checkout",
        "owner": "storefront-sre",
        "who_is_affected": "about 18,000 users of Checkout",
        "symptoms": ["12 % of checkout requests fail"],
        "updated_at_ms": AT_MS,
    }
    data = {
        "incident_id": incident.get("id", INCIDENT),
        "revision": revision,
        "change": change,
        "changes": [change],
        "entries": list(entries),
        "calls": [each._asdict() for each in calls],
        "messages": [each._asdict() for each in messages],
        "incident": snapshot | incident,
    }
    return orjson.dumps({"type": f"dev.spillway.incident.{change}.v1", "data": data}).decode()


class Desk:
    """One sink as deliver works it: it keeps the ledger, and wants what is ours and is not so there."""

    def __init__(self, client: SinkClient, rules: SinkRules) -> None:
        self.client = client
        self.rules = rules
        self.remotes: dict[str, Remote] = {}
        self.attempts: dict[tuple[str, int], int] = {}
        self.unsure: set[str] = set()

    async def tell(self, change: str, revision: int, *, theirs: Iterable[str] = ("assignee",), **more: Any) -> Answer:
        """One attempt.

        Args:
            change: what happened.
            revision: of the incident.
            theirs: fields that are not ours to write.
            more: of the body; ``propose`` of the send.
        """
        propose = bool(more.pop("propose", False))
        text = body(change, revision, **more)
        incident = orjson.loads(text)["data"]["incident"]
        incident_id = str(incident["id"])
        remote = self.remotes.get(incident_id)
        attempt = self.attempts[incident_id, revision] = self.attempts.get((incident_id, revision), 0) + 1
        send = Send(
            self.rules.name,
            incident_id,
            revision,
            f"{incident_id}/{revision}/{self.rules.name}",
            attempt,
            text,
            remote=remote,
            unsure=incident_id in self.unsure,
            wanted=self._wanted(incident, remote, frozenset(theirs)),
            propose=propose,
        )
        answer = await self.client.send(send, NOW)
        self.unsure.add(incident_id) if answer.unknown else None
        if answer.outcome == DeliveryOutcome.DELIVERED:
            self.unsure.discard(incident_id)
        if answer.remote is not None:
            self.remotes[incident_id] = answer.remote
        return answer

    async def delivered(self, change: str, revision: int, **more: Any) -> Remote:
        """Attempts until it is delivered."""
        for _ in range(10):
            answer = await self.tell(change, revision, **dict(more))
            if answer.outcome == DeliveryOutcome.DELIVERED:
                assert answer.remote is not None
                return answer.remote
        raise AssertionError(f"not delivered: {answer}")

    def _wanted(self, incident: dict[str, Any], remote: Remote | None, theirs: frozenset[str]) -> dict[str, str]:
        ours = {"state": STATES[incident["state"]], "priority": incident["priority"], "title": incident["title"]}
        known = remote.fields if remote is not None else {}
        if incident.get("assignee") or known.get("assignee"):
            ours["assignee"] = incident.get("assignee") or ""
        return {
            name: str(value)
            for name, value in ours.items()
            if name not in theirs and known.get(name) != self.rules.canonical(name, value)
        }

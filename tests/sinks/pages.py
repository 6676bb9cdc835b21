"""What the tests of status pages share: messages, and a sink with what deliver would remember between attempts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.core.outward.send import Send
from pipeline.models.remote import Remote
from pipeline.sinks.base import Answer, SinkClient
from tests.sinks.bodies import OPENED_MS, send, snapshot
from tests.sinks.receivers import NOW
from tests.sinks.servers.base import VendorServer

CHANNEL = "status.example"
SUBJECTS = {
    "investigating": "Checkout: we are looking into a problem",
    "identified": "Checkout: we know the probable cause",
    "mitigated": "Checkout: works again for now",
    "resolved": "Checkout: solved",
    "moved": "Checkout: part of a larger problem",
    "cancelled": "Checkout: it was no failure",
}

CANARIES: dict[str, Any] = {
    "title": "CANARY-title",
    "owner": "CANARY-owner",
    "assignee": "CANARY-assignee",
    "commander": "CANARY-commander",
    "runbook": "https://CANARY-runbook.example",
    "who_is_affected": "CANARY-affected",
    "services": ["component:default/checkout", "component:default/CANARY-service"],
    "entities": ["host:default/CANARY-host"],
    "symptoms": ["CANARY-symptom on db-7.internal"],
    "priority_because": ["CANARY-because"],
    "regulatory": ["CANARY-regulatory"],
    "links": [{"kind": "vendor_ticket", "id": "CANARY-link", "url": "https://CANARY.example", "state": "open"}],
    "workaround": "CANARY-workaround",
}
"""An incident whose every word is internal."""


def message(number: int, state: str = "investigating", text: str = "", **fields: Any) -> dict[str, Any]:
    """A published message to the public."""
    usual: dict[str, Any] = {
        "number": number,
        "audience": "public",
        "page": CHANNEL,
        "state": state,
        "subject": SUBJECTS.get(state, state),
        "text": text or f"Words {number}, {state}.",
        "at_ms": OPENED_MS,
        "next_update_ms": None,
        "approved_by": "grace",
    }
    return usual | fields


class Desk:
    """A sink, its server, and what deliver would remember between attempts."""

    def __init__(self, server: VendorServer, sink: SinkClient) -> None:
        self.server = server
        self.sink = sink
        self.remote: Remote | None = None
        self.unsure = False
        self.revision = 0

    async def tell(
        self, *messages: Mapping[str, Any], incident: Mapping[str, Any] | None = None, **said: Any
    ) -> Answer:
        """Send; what it answers is remembered."""
        self.revision += 1
        return await self.attempt(
            send(
                incident if incident is not None else snapshot(services=["component:default/checkout"]),
                revision=self.revision,
                messages=messages,
                remote=self.remote,
                unsure=self.unsure,
                **said,
            )
        )

    async def attempt(self, attempt: Send) -> Answer:
        """Make one attempt."""
        answer = await self.sink.send(attempt, NOW)
        self.remote = answer.remote or self.remote
        self.unsure = answer.unknown or (self.unsure and answer.outcome != "delivered")
        return answer

    async def until_told(self, *messages: Mapping[str, Any], **said: Any) -> list[Answer]:
        """The same delivery until it is through, as deliver tries again."""
        answers: list[Answer] = []
        while not answers or answers[-1].outcome == "retry":
            answers.append(await self.tell(*messages, attempt=len(answers) + 1, **said))
            assert len(answers) <= 20, answers
        return answers

    def asked(self, *methods: str) -> list[str]:
        """Method and path of requests, in order."""
        return [f"{each.method} {each.path}" for each in self.server.journal if not methods or each.method in methods]


def closed(**fields: Any) -> dict[str, Any]:
    """An incident that has said its last word."""
    return snapshot(**({"state": "closed", "services": ["component:default/checkout"]} | fields))

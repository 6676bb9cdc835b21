"""Status pages by Standard Webhooks, against a receiver that verifies and drops what it has seen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.remote import RemoteState
from pipeline.models.sinks.status_pages import StatusWebhook
from pipeline.sinks.base import SinkError
from pipeline.sinks.limits import Bucket
from pipeline.sinks.status_webhook import StatusWebhookSink
from tests.sinks.bodies import INCIDENT_ID, OPENED_MS, call, entry, snapshot
from tests.sinks.pages import CANARIES, Desk, closed, message
from tests.sinks.receivers import run
from tests.sinks.servers.status_receiver import SECRET, StatusReceiver


class PageDesk(Desk):
    """A desk whose server is known."""

    server: StatusReceiver

    @property
    def data(self) -> list[dict[str, Any]]:
        return [each["data"] for each in self.server.told.values()]


def with_desk(test: Callable[[PageDesk], Awaitable[None]], seed: int = 0, **fields: Any) -> None:
    async def main() -> None:
        async with StatusReceiver(seed).running() as server:
            rules = StatusWebhook(name="page", url=f"{server.url}/hook", secret_env="KEY", timeout_seconds=1, **fields)
            sink = StatusWebhookSink(rules, {"KEY": SECRET}, Bucket(0, 5))
            try:
                await test(PageDesk(server, sink))
            finally:
                await sink.close()

    run(main())


def test_a_page_is_told_the_message_and_nothing_else() -> None:
    async def test(found: PageDesk) -> None:
        answer = await found.tell(message(1, next_update_ms=OPENED_MS + 900_000))
        assert answer.outcome is DeliveryOutcome.DELIVERED
        assert list(found.server.told.values()) == [
            {
                "type": "dev.spillway.status.published.v1",
                "timestamp": "2026-03-04T02:11:42.318Z",
                "data": {
                    "id": INCIDENT_ID,
                    "number": 1,
                    "audience": "public",
                    "channel": "status.example",
                    "state": "investigating",
                    "status": "investigating",
                    "subject": "Checkout: we are looking into a problem",
                    "text": "Words 1, investigating.",
                    "next_update": "2026-03-04T02:26:42.318Z",
                },
            }
        ]

    with_desk(test)


def test_messages_come_once_and_in_order_and_the_end_always_comes() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1), message(2, "identified"))
        await found.tell(message(2, "identified"))
        await found.tell(incident=closed())
        await found.tell(incident=closed())
        assert [each["status"] for each in found.data] == ["investigating", "identified", "resolved"]
        assert found.data[-1]["text"] == "This incident is over."
        assert found.server.repeated == []
        assert found.remote is not None
        assert found.remote.state == RemoteState.RESOLVED

    with_desk(test)


def test_what_is_not_approved_or_not_for_the_page_is_not_sent() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1, approved_by=""), message(1, audience="executives"), message(1, "resolved"))
        await found.tell(incident=closed())
        assert found.asked() == []

    with_desk(test)


@pytest.mark.parametrize("seed", range(3))
def test_a_receiver_that_fails_at_random_sees_each_message_once(seed: int) -> None:
    async def test(found: PageDesk) -> None:
        found.server.share_failing = 0.5
        for number, state in enumerate(("investigating", "identified", "resolved"), 1):
            await found.until_told(message(number, state))
        assert [each["number"] for each in found.data] == [1, 2, 3]

    with_desk(test, seed)


def test_nothing_internal_leaves() -> None:
    async def test(found: PageDesk) -> None:
        said: dict[str, Any] = {
            "entries": [entry("note", "CANARY-note", "CANARY-actor")],
            "calls": [call("0:CANARY", "CANARY-person")],
            "wanted": {"title": "CANARY-wanted"},
        }
        await found.tell(message(1), incident=snapshot(**CANARIES), **said)
        await found.tell(incident={**snapshot(**CANARIES), "state": "closed"}, **said)
        sent = b"".join(each.body + str(each.headers).encode() for each in found.server.journal)
        assert b"Words 1" in sent
        assert b"CANARY" not in sent

    with_desk(test)


def test_a_refusal_is_told_of_and_a_wrong_secret_loses_nothing() -> None:
    async def test(found: PageDesk) -> None:
        found.server.next_faults = ["401"]
        answer = await found.tell(message(1))
        assert (answer.outcome, answer.status) == (DeliveryOutcome.RETRY, 401)

    with_desk(test)


def test_a_secret_that_is_none_is_refused_without_being_shown() -> None:
    async def main() -> None:
        rules = StatusWebhook(name="page", url="https://page.example", secret_env="KEY")
        with pytest.raises(SinkError, match="sink page: KEY must hold") as refused:
            StatusWebhookSink(rules, {"KEY": "whsec_abcde"}, Bucket(0, 5))
        assert "abcde" not in str(refused.value)

    run(main())

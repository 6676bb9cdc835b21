"""The Teams sink against a workflow that behaves as Microsoft documents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.sinks.chat import Mention, Teams
from pipeline.sinks.base import SinkError
from pipeline.sinks.limits import Bucket
from pipeline.sinks.teams import TeamsSink
from tests.sinks.bodies import BRIDGE_ID, INCIDENT_ID, call, snapshot
from tests.sinks.pages import Desk
from tests.sinks.receivers import run
from tests.sinks.servers.teams import SIGNATURE, WORKFLOW, TeamsServer, facts, head, texts

ADA = Mention(id="ada@northwind.example", name="Ada Lovelace")


class ChatDesk(Desk):
    """A desk whose server is known."""

    server: TeamsServer

    @property
    def lines(self) -> list[list[str]]:
        """What each card was posted for."""
        return [head(card)[1:] for card in self.server.cards]


def with_desk(test: Callable[[ChatDesk], Awaitable[None]], seed: int = 0, **fields: Any) -> None:
    async def main() -> None:
        async with TeamsServer(seed).running() as server:
            rules = Teams(name="chat", url_env="TEAMS_URL", timeout_seconds=1, requests_per_second=0, **fields)
            sink = TeamsSink(rules, {"TEAMS_URL": server.address}, Bucket(0, 5))
            try:
                await test(ChatDesk(server, sink))
            finally:
                await sink.close()

    run(main())


def test_an_incident_is_one_card_with_what_matters() -> None:
    async def test(found: ChatDesk) -> None:
        answer = await found.tell(incident=snapshot(), calls=[call("0:kim")])
        assert (answer.outcome, answer.status) == (DeliveryOutcome.DELIVERED, 202)
        [card] = found.server.cards
        assert head(card) == [
            "[P1] Checkout: 12 % of checkout requests fail",
            "Opened",
            "Called: kim (on call)",
        ]
        assert facts(card) == {
            "Incident": INCIDENT_ID,
            "State": "logged, nobody has it yet",
            "Service": "checkout",
            "Affected": "about 18,000 users of Checkout",
            "Since": "2026-03-04 02:11 UTC",
        }
        assert card["body"][0]["style"] == "attention"
        assert card["actions"] == [
            {
                "type": "Action.OpenUrl",
                "title": "Open incident",
                "url": f"https://spillway.example/incidents/{INCIDENT_ID}",
            },
            {"type": "Action.OpenUrl", "title": "Runbook", "url": "https://runbooks.northwind.example/checkout"},
        ]
        assert "entities" not in card["msteams"]

    with_desk(test, incident_url="https://spillway.example/incidents/{incident_id}")


def test_each_milestone_is_a_card_and_nothing_else_is() -> None:
    async def test(found: ChatDesk) -> None:
        await found.tell(incident=snapshot())
        await found.tell(incident=snapshot(state="acknowledged", assignee="kim"))
        await found.tell(incident=snapshot(state="in_progress", assignee="kim", priority="P2", priority_rank=1))
        await found.tell(incident=snapshot(state="escalated"), calls=[call("1:lee", "lee"), call("1:max", "max")])
        await found.tell(incident=snapshot(state="mitigated", workaround="Old version restored."))
        resolved = {"code": "fixed", "summary": "Rolled back.", "by": "kim"}
        await found.tell(incident=snapshot(state="resolved", resolution=None) | {"resolution": resolved})
        await found.tell(incident=snapshot(state="reopened", reopened=1))
        await found.tell(incident=snapshot(state="resolved", reopened=1))
        await found.tell(incident=snapshot(state="closed", reopened=1))
        assert found.lines == [
            ["Opened"],
            ["Called: lee (on call); max (on call)"],
            ["Service is restored by a workaround: Old version restored."],
            ["Resolved: Rolled back."],
            ["It came back"],
            ["Resolved"],
        ]
        styles = [card["body"][0]["style"] for card in found.server.cards]
        assert styles == ["attention", "attention", "warning", "good", "attention", "good"]

    with_desk(test)


def test_what_is_put_together_is_one_card() -> None:
    async def test(found: ChatDesk) -> None:
        await found.tell(incident=snapshot())
        await found.tell(incident=snapshot(state="mitigated", priority="P2"), calls=[call("1:lee", "lee")])
        assert found.lines[1:] == [["Called: lee (on call)", "Service is restored by a workaround"]]

    with_desk(test)


@pytest.mark.parametrize(
    ("after", "line"),
    [
        (snapshot(state="closed"), "Resolved"),
        (snapshot(state="merged", merged_into="INC-9"), "Merged into another incident: INC-9"),
        (snapshot(state="cancelled"), "Cancelled: it was no failure"),
    ],
)
def test_however_it_ends_it_is_told(after: dict[str, Any], line: str) -> None:
    async def test(found: ChatDesk) -> None:
        await found.tell(incident=snapshot())
        await found.tell(incident=after)
        await found.tell(incident=after)
        assert found.lines == [["Opened"], [line]]

    with_desk(test)


def test_a_major_incident_is_told_of_by_phase() -> None:
    async def test(found: ChatDesk) -> None:
        for phase in ("proposed", "proposed", "declared"):
            await found.tell(incident=snapshot(id=BRIDGE_ID, kind="bridge") | {"major": {"phase": phase}})
        assert found.lines == [["Opened", "Major Incident: proposed"], ["Major Incident: declared"]]
        await found.tell(incident=snapshot(declared=None) | {"declared": None, "major": {"phase": "declared"}})
        assert len(found.lines) == 2

    with_desk(test)


def test_an_incident_that_is_over_when_it_is_first_heard_of_is_not_told() -> None:
    async def test(found: ChatDesk) -> None:
        await found.tell(incident=snapshot(state="resolved"))
        await found.tell(incident=snapshot(state="closed"))
        assert found.asked() == []

    with_desk(test)


def test_which_changes_are_told_is_configuration() -> None:
    async def test(found: ChatDesk) -> None:
        await found.tell(incident=snapshot())
        await found.tell(incident=snapshot(state="acknowledged", assignee="kim"))
        await found.tell(incident=snapshot(state="in_progress", assignee="lee", priority="P2", priority_rank=1))
        await found.tell(incident=snapshot(state="resolved", assignee="lee", priority="P2", priority_rank=1))
        assert found.lines == [["Somebody has it", "Assigned: kim"], ["Priority changed: P2", "Assigned: lee"]]
        assert [card["body"][0]["style"] for card in found.server.cards] == ["emphasis", "emphasis"]

    with_desk(test, changes=("acknowledged", "assigned", "priority"))


def test_a_body_that_was_cut_is_no_change() -> None:
    async def test(found: ChatDesk) -> None:
        whole = snapshot(reopened=2, assignee="kim") | {"major": {"phase": "declared"}}
        await found.tell(incident=whole)
        await found.tell(incident={"id": INCIDENT_ID, "state": "logged", "priority": "P1", "title": "t"})
        await found.tell(incident=whole)
        assert found.lines == [["Opened", "Major Incident: declared"]]

    with_desk(test, changes=("opened", "reopened", "assigned", "major"))


def test_only_those_are_mentioned_whom_the_configuration_names() -> None:
    async def test(found: ChatDesk) -> None:
        await found.tell(incident=snapshot(title="<at>Ada Lovelace</at> < / AT >x"))
        await found.tell(incident=snapshot(state="mitigated"))
        await found.tell(incident=snapshot(state="logged", priority="P2"), calls=[call("1:x", "<at>everyone</at>")])
        first, second, third = found.server.cards
        assert first["msteams"]["entities"] == [
            {
                "type": "mention",
                "text": "<at>Ada Lovelace</at>",
                "mentioned": {"id": "ada@northwind.example", "name": "Ada Lovelace"},
            }
        ]
        assert [text for text in texts(first["body"]) if "<at>" in text] == ["<at>Ada Lovelace</at>"]
        for card in (second, third):
            assert "entities" not in card["msteams"]
            assert not [text for text in texts(card) if "<" in text and "at" in text.partition("<")[2][:3]]

    with_desk(test, mentions=(ADA,), mention_priorities=("P1",))


@pytest.mark.parametrize(
    "text",
    [
        "**bold** _it_ [click](https://evil.example) <b>x</b>",
        "{{DATE(2026-03-04T02:00:00Z, SHORT)}}",
        "line one\r\n- item\n# head",
        'quote " back \\ slash',
        "Grüße, 障害, 🚨",
        "hidden\u202egnp.exe\x00\x1b[31m\u2028next",
    ],
)
def test_text_from_elsewhere_stands_where_nothing_reads_markup(text: str) -> None:
    async def test(found: ChatDesk) -> None:
        hostile = snapshot(title=text, who_is_affected=text, assignee=text, runbook=text, service=None)
        await found.tell(incident=hostile, calls=[call("0:x", text)])
        [card] = found.server.cards
        kinds = {each["type"] for block in card["body"] for each in block.get("items", [block])}
        assert kinds == {"RichTextBlock"}
        assert "actions" not in card
        shown = head(card)[0]
        assert not set(shown) & set("\x00\x1b\r\n\u202e\u2028")
        assert "{{" not in shown
        assert [word for word in ("Grüße", "障害", "🚨") if word in text] == [
            word for word in ("Grüße", "障害", "🚨") if word in shown
        ]

    with_desk(test)


@pytest.mark.parametrize("filler", ["x", "🚨", '"', "\\", "ü"])
def test_a_card_fits_whatever_it_is_about(filler: str) -> None:
    async def test(found: ChatDesk) -> None:
        long = filler * 20_000
        url = f"https://x.example/{'é' * 480}"
        links = [{"kind": long, "id": long, "url": url, "state": "open"}] * 50
        incident = snapshot(title=long, who_is_affected=long, assignee=long, commander=long, runbook=url)
        incident |= {"links": links, "workaround": long, "owner": long, "identified": long}
        answer = await found.tell(incident=incident, calls=[call(str(n), f"{n}{long}") for n in range(300)])
        assert answer.outcome is DeliveryOutcome.DELIVERED
        [sent] = found.server.journal
        assert len(sent.body) <= 25_000
        assert "and 292 more" in head(found.server.cards[0])[-1] or head(found.server.cards[0])[-1].endswith("…")

    many = tuple(Mention(id=f"{'a' * 240}{n}@x.example", name="🚨" * 60) for n in range(10))
    with_desk(test, mentions=many)


def test_only_web_addresses_become_buttons() -> None:
    async def test(found: ChatDesk) -> None:
        links = [
            {"kind": "vendor_ticket", "id": "V-1", "url": url}
            for url in ("javascript:alert(1)", "https://ok.example/1", "http://a b", "https://x/" + "y" * 600, None, 7)
        ]
        await found.tell(incident=snapshot(runbook="file:///etc/passwd") | {"links": links})
        assert found.server.cards[0]["actions"] == [
            {"type": "Action.OpenUrl", "title": "vendor ticket V-1", "url": "https://ok.example/1"}
        ]

    with_desk(test)


@pytest.mark.parametrize("fault", ["silent", "after"])
def test_a_milestone_whose_answer_was_lost_is_posted_again_and_says_so(fault: str) -> None:
    async def test(found: ChatDesk) -> None:
        found.server.next_faults = [fault]
        answers = await found.until_told(incident=snapshot())
        assert [each.outcome for each in answers] == ["retry", "delivered"]
        first, second = found.server.cards
        again = "Posted again, because no answer came the first time."
        assert (again in texts(first), again in texts(second)) == (False, True)

    with_desk(test)


@pytest.mark.parametrize("fault", ["silent", "after"])
def test_what_is_no_milestone_is_not_posted_again(fault: str) -> None:
    async def test(found: ChatDesk) -> None:
        await found.tell(incident=snapshot())
        found.server.next_faults = [fault]
        answers = await found.until_told(incident=snapshot(state="acknowledged"))
        assert [each.outcome for each in answers] == ["retry", "delivered"]
        assert found.lines == [["Opened"], ["Somebody has it"]]

    with_desk(test, changes=("opened", "acknowledged"))


def test_too_many_requests_are_waited_out() -> None:
    async def test(found: ChatDesk) -> None:
        found.server.refuse_with = 429
        answer = await found.tell(incident=snapshot())
        assert (answer.outcome, answer.status, answer.unknown) == (DeliveryOutcome.RETRY, 429, False)
        assert answer.retry_after_seconds == 30

    with_desk(test)


def test_an_older_webhook_that_could_not_pass_a_card_on_is_tried_again() -> None:
    async def test(found: ChatDesk) -> None:
        found.server.passes_on = False
        answer = await found.tell(incident=snapshot())
        assert (answer.outcome, answer.remote) == (DeliveryOutcome.RETRY, None)

    with_desk(test)


@pytest.mark.parametrize("status", [400, 401, 404, 500, 503])
def test_the_address_is_never_shown_whatever_is_answered(status: int) -> None:
    async def test(found: ChatDesk) -> None:
        found.server.echoes = True
        if status == 401:
            found.server.next_faults = ["401"]
        else:
            found.server.refuse_with = status
        answer = await found.tell(incident=snapshot())
        assert answer.outcome is (DeliveryOutcome.REJECTED if status in (400, 404) else DeliveryOutcome.RETRY)
        shown = f"{answer}"
        assert "refused" in shown or "unauthorized" in shown
        for secret in (SIGNATURE, WORKFLOW, found.server.address, "/powerautomate/"):
            assert secret not in shown

    with_desk(test)


def test_a_workflow_that_is_not_there_leaves_its_address_unsaid() -> None:
    async def main() -> None:
        rules = Teams(name="chat", url_env="TEAMS_URL", timeout_seconds=1)
        sink = TeamsSink(rules, {"TEAMS_URL": f"http://127.0.0.1:9/{WORKFLOW}?sig={SIGNATURE}"}, Bucket(0, 5))
        found = ChatDesk(TeamsServer(), sink)
        answer = await found.tell(incident=snapshot())
        await sink.close()
        assert answer.outcome is DeliveryOutcome.RETRY
        assert "127.0.0.1" not in answer.detail
        assert WORKFLOW not in answer.detail

    run(main())


@pytest.mark.parametrize("url", ["", "workflow", "ftp://host/x", "https://", f"https://h/{SIGNATURE} x"])
def test_an_address_that_is_none_is_refused_without_being_shown(url: str) -> None:
    async def main() -> None:
        rules = Teams(name="chat", url_env="TEAMS_URL")
        with pytest.raises(SinkError, match="sink chat: TEAMS_URL must hold the address") as refused:
            TeamsSink(rules, {"TEAMS_URL": url}, Bucket(0, 5))
        assert SIGNATURE not in str(refused.value)

    run(main())


@pytest.mark.parametrize(
    "fields",
    [
        {"mentions": [{"id": "a <b>", "name": "x"}]},
        {"mentions": [{"id": "ada@x.example", "name": "</at>"}]},
        {"mentions": [{"id": "ada@x.example", "name": "x"}] * 11},
        {"changes": []},
        {"changes": ["sneezed"]},
        {"incident_url": "https://x.example/"},
        {"incident_url": "javascript:{incident_id}"},
    ],
)
def test_rules_that_cannot_be_meant_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Teams(name="chat", url_env="TEAMS_URL", **fields)


@pytest.mark.parametrize("seed", range(3))
def test_a_workflow_that_fails_at_random_hears_of_every_milestone_in_order(seed: int) -> None:
    async def test(found: ChatDesk) -> None:
        found.server.share_failing = 0.4
        for state in ("logged", "mitigated", "resolved", "closed"):
            await found.until_told(incident=snapshot(state=state))
        told = [line for lines in found.lines for line in lines]
        assert list(dict.fromkeys(told)) == ["Opened", "Service is restored by a workaround", "Resolved"]
        assert told == sorted(told, key=list(dict.fromkeys(told)).index)

    with_desk(test, seed)


def test_a_card_is_one_small_json_document() -> None:
    async def test(found: ChatDesk) -> None:
        await found.tell(incident=snapshot())
        [sent] = found.server.journal
        assert sent.headers["Content-Type"] == "application/json"
        assert set(orjson.loads(sent.body)) == {"type", "attachments"}
        assert len(sent.body) < 4_000

    with_desk(test)

"""Board, incident page, search and actions, over the stories, without a browser."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from pipeline.console.app import create_app
from pipeline.console.context import Context
from pipeline.console.pages.action_forms import FORMS, fields_of, form_for
from pipeline.console.pages.keys import KEYS
from pipeline.console.pages.offers import ASSIGN_ME, offers
from pipeline.console.pages.words import ago, countdown, safe_url
from pipeline.core.practice.lifecycle import OPEN_STATES, Step, advance
from pipeline.models.command import Command, CommandType, Role
from pipeline.models.incident import IncidentState
from pipeline.models.policy import Config
from pipeline.records.address import async_engine_of
from pipeline.settings import Settings
from tests.console.conftest import Client, somebody
from tests.console.sent import Sent
from tests.played import Played, fill

CHECKOUT, VPN, PRINTER = "INC-D5KZHUYBCD7C", "INC-A6HDPL2MC77R", "INC-VH4HMR34R4GS"
SCRIPT = "<script>alert(1)</script>"


def snapshot(state: str, **more: object) -> dict[str, object]:
    """As much of an incident as what is offered goes by."""
    return {"id": "INC-1", "kind": "incident", "state": state, "priority": "P1", "domain": "retail", **more}


def test_the_board_shows_what_is_open_with_its_clocks(client: Client) -> None:
    page = client(somebody()).get("/").text
    assert "VPN asks for a new token every hour" in page
    assert "12 % of checkout requests fail" not in page, "it is closed"
    assert 'data-due="' in page
    assert "nobody has it" in page


def test_the_board_shows_nothing_of_other_domains(client: Client) -> None:
    page = client(somebody(Role.RESPONDER, "retail")).get("/").text
    assert "VPN" not in page
    assert client(somebody(Role.RESPONDER, "retail")).get(f"/incidents/{VPN}").status_code == 404
    assert client(somebody(Role.RESPONDER, "retail")).get(f"/incidents/{VPN}/do/note").status_code == 404
    for part in ("timeline", "similar", "audit"):
        assert client(somebody(Role.RESPONDER, "retail")).get(f"/incidents/{VPN}/{part}").status_code == 404


@pytest.mark.parametrize(
    "query", ["priority=P3", "assignee=nobody", "state=escalated", "at_risk=true", "domain=workplace"]
)
def test_filters_of_the_board_are_in_its_address(client: Client, query: str) -> None:
    page = client(somebody()).get(f"/?{query}").text
    assert 'class="chip"' in page


def test_a_filter_that_is_none_is_refused_in_words(client: Client) -> None:
    answer = client(somebody()).get("/?colour=red")
    assert answer.status_code == 400
    assert "colour" in answer.text


def test_a_part_of_a_page_comes_alone(client: Client) -> None:
    part = client(somebody()).get("/", headers={"X-Fragment": "list"})
    assert part.text.lstrip().startswith("<ol")
    assert int(part.headers["X-Now"]) > 0
    assert "<html" not in part.text


def test_the_incident_page_tells_the_whole_story(client: Client) -> None:
    page = client(somebody()).get(f"/incidents/{CHECKOUT}").text
    for words in (
        "About 30,000 users of Checkout",
        "impact severe: 5,000 a minute or more at stake",
        "Payments database",
        "498 of 500 connections of payments-db-1 are in use",
        "amara.okafor",
        "https://runbooks.northwind-market.example/payments-db/connections-exhausted",
        "say whether card data may have been seen",
        "connections of the report job are capped",
        "cap the report job at 40 connections for good",
        "status.northwind-market.example",
        "<svg",
    ):
        assert words in page, words


def test_every_page_of_an_incident_can_be_asked_for(client: Client) -> None:
    asking = client(somebody())
    for path in ("", "/timeline", "/timeline?show=people", "/similar", "/audit"):
        assert asking.get(f"/incidents/{CHECKOUT}{path}").status_code == 200, path
    assert "as they were sealed" in asking.get(f"/incidents/{CHECKOUT}/audit").text


def test_the_search_marks_what_matches(client: Client) -> None:
    page = client(somebody()).get("/search?q=checkout").text
    assert "<mark>" in page
    assert CHECKOUT in page
    assert CHECKOUT not in client(somebody(Role.VIEWER, "hospital")).get("/search?q=checkout").text


def test_what_is_asked_on_a_page_becomes_a_command_of_whoever_asks(client: Client, sent: Sent) -> None:
    answer = client(somebody()).post(f"/incidents/{VPN}/do/note", data={"note": "looked at it", "key": uuid4().hex})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"/incidents/{VPN}?asked=")
    command = sent.commands[0][0]
    assert isinstance(command, Command)
    assert (command.type, command.actor, command.note) == (CommandType.NOTE, "noor.haddad", "looked at it")


def test_a_form_that_is_sent_twice_asks_once(client: Client, sent: Sent) -> None:
    asking, filled = client(somebody()), {"note": "twice", "key": uuid4().hex}
    first, second = (asking.post(f"/incidents/{VPN}/do/note", data=filled) for _ in range(2))
    assert first.headers["location"] == second.headers["location"]
    assert len(sent.commands) == 1


def test_what_was_filled_in_is_still_there_when_it_is_refused(client: Client, sent: Sent) -> None:
    answer = client(somebody()).post(
        f"/incidents/{VPN}/do/wait", data={"waiting_for": "the moon", "note": "kept words"}
    )
    assert answer.status_code == 422
    assert "kept words" in answer.text
    assert not sent.commands


def test_several_are_asked_at_once_and_each_says_what_became_of_it(client: Client, sent: Sent) -> None:
    ids = [VPN, PRINTER, CHECKOUT]
    answer = client(somebody()).post("/do/acknowledge", data={"ids": ids}, headers={"Accept": "application/json"})
    told = answer.json()["asked"]
    assert [each["incident_id"] for each in told] == ids
    assert [bool(each["command_id"]) for each in told] == [True, True, False]
    assert "closed" in told[2]["said"]
    assert len(sent.commands) == 2


def test_merging_several_leaves_one(client: Client, sent: Sent) -> None:
    form = client(somebody()).post("/do/merge", data={"ids": [VPN, PRINTER]})
    assert form.status_code == 303
    assert 'name="into"' in client(somebody()).get(form.headers["location"]).text
    client(somebody()).post("/do/merge", data={"ids": [VPN, PRINTER], "into": PRINTER})
    assert [(each.target.incident_id, each.into) for each, _, _ in sent.commands if isinstance(each, Command)] == [
        (VPN, PRINTER)
    ]


@pytest.mark.parametrize("path", [f"/incidents/{VPN}/do/note", "/do/acknowledge"])
def test_a_viewer_asks_for_nothing(client: Client, sent: Sent, path: str) -> None:
    assert client(somebody(Role.VIEWER)).post(path, data={"ids": VPN, "note": "x"}).status_code == 403
    assert not sent.commands


def test_nothing_is_offered_that_the_life_of_an_incident_does_not_know(company: Config) -> None:
    who = somebody()
    steps = {each.value for each in Step}
    for state in IncidentState:
        for offer in offers(company, who, snapshot(state)):
            if (
                offer.type in steps
                and not (offer.type == "resolve" and state == "resolved")
                and offer.type != "escalate"
            ):
                assert advance(state, Step(offer.type)) is not None, (state, offer.type)


def test_each_role_is_offered_what_the_pack_lets_it_do(company: Config) -> None:
    offered = {
        role: {each.type for each in offers(company, somebody(role), snapshot("logged"))}
        for role in (Role.VIEWER, Role.RESPONDER, Role.COMMANDER, Role.ADMINISTRATOR)
    }
    assert not offered[Role.VIEWER]
    assert {"acknowledge", ASSIGN_ME, "note", "resolve", "merge"} <= offered[Role.RESPONDER]
    assert "declare_major" not in offered[Role.RESPONDER]
    assert "declare_major" in offered[Role.COMMANDER]


def test_one_offer_is_the_first_while_an_incident_is_open(company: Config) -> None:
    for state in sorted(OPEN_STATES - {"detected"}):
        found = offers(company, somebody(), snapshot(state, episodes_total=3))
        assert sum(each.first for each in found) == 1, state


def test_everything_that_is_offered_has_a_form_or_is_done_at_once(company: Config) -> None:
    for state in IncidentState:
        for kind in ("incident", "bridge"):
            for offer in offers(company, somebody(), snapshot(state, kind=kind, episodes_total=3)):
                assert offer.type in FORMS, offer.type


@pytest.mark.parametrize("type_", sorted(FORMS))
def test_a_form_that_is_filled_in_is_a_command(company: Config, type_: str) -> None:
    form = form_for(type_, company.policy("retail"), snapshot("logged"))
    values = {"day": "2026-12-24", "number": "1,200"}
    given = {ask.name: [ask.options[0][0] if ask.options else values.get(ask.kind, "some words")] for ask in form.asks}
    fields = fields_of(form, given | {"actor": ["somebody else"], "csrf": ["x"]})
    kind = "assign" if type_ == ASSIGN_ME else type_
    Command.model_validate(fields | {"type": kind, "command_id": "c", "actor": "a", "target": {"incident_id": "INC-1"}})
    assert "actor" not in fields


def test_words_of_others_stay_words(database: str, played: Played, company: Config, sent: Sent) -> None:
    fill(database, played)
    engine = create_engine(make_url(database).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE incidents SET title = :x, snapshot = snapshot || jsonb_build_object("
                "'title', cast(:x AS text), 'runbook', 'javascript:alert(1)', 'who_is_affected', cast(:x AS text))"
            ),
            {"x": SCRIPT},
        )
        connection.execute(text("UPDATE timeline SET text = :x"), {"x": SCRIPT})
    engine.dispose()
    app = create_app(Context(Settings(records_url=database), company, async_engine_of(database, 2), sent))

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "spillway.identity": somebody()}, receive, send)

    with TestClient(asgi) as asking:
        for path in ("/", f"/incidents/{CHECKOUT}", f"/incidents/{CHECKOUT}/timeline", "/search?q=alert"):
            page = asking.get(path).text
            assert "<script>alert" not in page, path
            assert "javascript:alert" not in page, path


def test_times_are_said_as_people_say_them() -> None:
    assert countdown(600_000, 0) == "10:00"
    assert countdown(0, 61_000) == "1:01 over"
    assert countdown(3 * 3_600_000 + 61_000, 0) == "3:01:01"
    assert countdown(2 * 86_400_000 + 3_600_000, 0) == "2 d 1 h"
    assert ago(0, 240_000) == "4 min ago"
    assert ago(240_000, 0) == "in 4 min"
    assert safe_url("JavaScript:alert(1)") == "#"


def test_no_key_stands_for_two_things() -> None:
    assert len({each.keys for each in KEYS}) == len(KEYS)


def test_the_keys_are_documented_as_they_are() -> None:
    page = (Path(__file__).parents[2] / "docs" / "console.md").read_text(encoding="utf-8")
    for each in KEYS:
        keys = " ".join(f"`{key}`" for key in each.keys.split())
        assert f"| {keys} | {each.words} | {each.where} |" in page, each.keys

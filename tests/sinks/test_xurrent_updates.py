"""What Xurrent sends back, as its server of the tests words it, and bodies that mean harm."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from pipeline.models.remote import RemoteState, SinkUpdate
from pipeline.models.sinks.xurrent import STATUSES, Xurrent
from pipeline.sinks.xurrent_updates import read_webhook
from pipeline.sinks.xurrent_words import plain
from tests.sinks.servers.xurrent import ACCOUNT, ME, XurrentServer

AT = datetime(2026, 3, 4, 3, tzinfo=UTC)
KIM = 6121
SAMPLES = Path(__file__).parents[1] / "feeds" / "samples"


def rules(**fields: Any) -> Xurrent:
    given: dict[str, Any] = {"account": ACCOUNT, **fields}
    return Xurrent(name="desk", secret_env="XURRENT", **given)


def server() -> XurrentServer:
    made = XurrentServer()
    fields = {"category": "incident", "subject": "Checkout is down", "impact": "top", "source": "Spillway"}
    made._create(None, {**fields, "sourceID": "INC-1"}, "request")  # type: ignore[arg-type]
    return made


def read(body: bytes, made: Xurrent | None = None, **headers: str) -> list[SinkUpdate]:
    return read_webhook(body, {name.replace("_", "-"): value for name, value in headers.items()}, made or rules(), AT)


def one(body: bytes, made: Xurrent | None = None, **headers: str) -> SinkUpdate:
    [found] = read(body, made, **headers)
    return found


def test_a_person_takes_a_request() -> None:
    body = server().by(KIM, "INC-1", status="in_progress", member_id=KIM, impact="high")
    found = one(body, rules(people={str(KIM): "kim"}), x_xurrent_delivery="d-1")
    assert (found.update_id, found.incident_id, found.author) == ("d-1", "INC-1", "Kim Novak")
    assert (found.person, found.own, found.at) == (True, False, AT)
    assert found.fields.model_dump() == {
        "state": "in_progress",
        "priority": "P2",
        "assignee": "kim",
        "title": "Checkout is down",
    }
    assert found.remote_url == f"https://{ACCOUNT}.xurrent.com/requests/1004417"


def test_what_we_have_written_comes_back_as_ours() -> None:
    made = server()
    assert one(made.webhooks[0], rules(own_users=[str(ME)])).own
    assert not one(made.webhooks[0]).own


def test_notes_of_people_are_read_and_ours_are_not() -> None:
    made = server()
    found = one(made.by(KIM, "INC-1", note="looking", internal=False))
    assert [(note.author, note.text, note.public) for note in found.notes] == [("Kim Novak", "looking", True)]
    assert one(made.by(KIM, "INC-1", note="02:11 UTC kim: hello\n[Spillway INC-D5KZHUYBCD7C/4]")).notes == ()
    assert one(made.by(ME, "INC-1", note="This is solved."), rules(own_users=[str(ME)])).notes == ()


def test_a_completed_request_says_how_and_what_hangs_on_it() -> None:
    made = server()
    body = made.by(KIM, "INC-1", status="completed", completion_reason="workaround", problem_id=8812)
    found = one(body)
    assert (found.fields.state, found.resolution) == ("resolved", "completed in Xurrent as workaround")
    assert [(link.kind, link.id) for link in found.links] == [("problem", "8812")]


def test_a_request_that_waits_for_the_requester_says_so() -> None:
    found = one(server().by(KIM, "INC-1", status="waiting_for_customer"))
    assert (found.fields.state, found.waiting_for) == ("waiting", "customer")


def test_a_delivery_that_is_repeated_has_the_id_of_the_first() -> None:
    body = server().webhooks[0]
    assert one(body, x_xurrent_delivery="2", x_xurrent_delivery_origin="1").update_id == "1"
    assert one(body).update_id == "71960"


def test_other_requests_are_none_of_ours() -> None:
    body = server().webhooks[0]
    assert read(body, rules(source="Another")) == []
    for name in ("firing", "resolved", "verify"):
        assert read((SAMPLES / f"xurrent-ticket-{name}.json").read_bytes()) == []
    document = orjson.loads(body)
    for identity in (None, 7, "printer-7", "INC-1; drop", "inc-1"):
        document["payload"]["sourceID"] = identity
        assert read(orjson.dumps(document)) == []
    document["payload"]["sourceID"], document["event"] = "INC-1", "task.update"
    assert read(orjson.dumps(document)) == []


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"nonsense", b"{}", b'{"event": 3}', b'{"jwt": "a.b.c"}', b"\xff", b'{"event": null}']
)
def test_what_is_no_message_is_refused_in_one_line(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        read(body)


HOSTILE: list[Any] = [None, 3, -1.5e300, "x" * 100_000, [], {}, {"id": {"$": 1}}, [[[]]], True]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    "name", ["status", "subject", "impact", "member", "problem", "note", "note_id", "completion_reason"]
)
def test_fields_of_other_types_end_in_an_update(name: str, value: Any) -> None:
    document = orjson.loads(server().webhooks[0])
    document["payload"][name] = value
    assert one(orjson.dumps(document)).incident_id == "INC-1"


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("name", ["payload", "object_id", "person_id", "person_name"])
def test_parts_of_other_types_end_in_an_update_or_in_none(name: str, value: Any) -> None:
    document = orjson.loads(server().webhooks[0])
    document[name] = value
    for found in read(orjson.dumps(document)):
        assert found.incident_id == "INC-1"


# -- the rules


@pytest.mark.parametrize("state", list(STATUSES))
def test_a_state_is_read_back_as_it_is_known(state: RemoteState) -> None:
    canonical = RemoteState(rules().canonical("state", state))
    assert rules().canonical("state", canonical) == canonical


def test_priorities_that_have_one_impact_are_read_back_as_the_first_of_them() -> None:
    made = rules(impacts={"P1": "top", "P2": "top", "P3": "low"})
    assert [made.canonical("priority", each) for each in ("P1", "P2", "P3", "S9")] == ["P1", "P1", "P3", "S9"]
    assert (made.impact("S9", 1), made.impact("S9", None)) == ("high", "low")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"team": "Service Desk"}, "is no id; names are known to create_by: events alone"),
        ({"service_instances": {"checkout": "Checkout"}}, "is no id"),
        ({"statuses": {"resolved": "in_progress"}}, "is over, and must be completed"),
        ({"statuses": {"open": "completed"}}, "cannot be completed"),
        ({"statuses": {"gone": "completed"}}, "has no status"),
        ({"fields": {"status": "assigned"}}, "is written from what the incident is"),
        ({"fields": {"custom_fields.x": "1"}, "create_by": "events"}, "not taken by create_by: events"),
        ({"source": "a,b"}, "source"),
        ({"account": "a/../b"}, "account"),
        ({"impacts": {"P1": "huge"}}, "impacts"),
    ],
)
def test_what_could_not_work_is_refused_with_the_configuration(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        rules(**fields)


def test_words_of_others_mention_and_link_nobody() -> None:
    assert plain("@kim [x](http://y) a@b\x07\n") == "@\u200bkim [x]\u200b(http://y) a@\u200bb\n"

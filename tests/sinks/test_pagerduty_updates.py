"""What PagerDuty sends back, as its server of the tests words it, and bodies that mean harm."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.models.remote import SinkUpdate
from pipeline.models.sinks.paging import PagerDuty
from pipeline.sinks.pagerduty_updates import read_webhook
from tests.sinks.servers.pagerduty import BY_EVENT, PagerDutyServer, person

AT = datetime(2026, 3, 4, 3, tzinfo=UTC)
KEY = "INC-1/0"
SAMPLES = Path(__file__).parents[1] / "feeds" / "samples"


def rules(**fields: Any) -> PagerDuty:
    return PagerDuty(name="pages", secret_env="PD_KEY", **fields)


def server(*keys: str) -> PagerDutyServer:
    made = PagerDutyServer()
    for key in keys or (KEY,):
        payload = {"summary": f"Checkout is down [{key}]", "source": "checkout", "severity": "critical"}
        made._trigger(key, {"payload": payload})
    return made


def read(body: bytes, made: PagerDuty | None = None) -> list[SinkUpdate]:
    return read_webhook(body, {}, made or rules(), AT)


def one(body: bytes, made: PagerDuty | None = None) -> SinkUpdate:
    [found] = read(body, made)
    return found


def test_a_person_takes_it() -> None:
    found = one(server().by("kim", "acknowledged", KEY), rules(people={"PKIM": "kim.n"}))
    assert (found.sink, found.incident_id, found.author, found.person, found.own) == (
        "pages",
        "INC-1",
        "Kim",
        True,
        False,
    )
    assert (found.fields.state, found.fields.assignee) == ("acknowledged", "kim.n")
    assert (found.remote_id, found.remote_key) == (KEY, "1")
    assert found.remote_url.startswith("https://acme.pagerduty.com/incidents/")


@pytest.mark.parametrize(
    ("action", "value", "fields"),
    [
        ("resolved", "", {"state": "resolved"}),
        ("reopened", "", {"state": "open"}),
        ("reassigned", "lee", {"assignee": "Lee"}),
        ("priority_updated", "P2", {"priority": "P2"}),
    ],
)
def test_what_people_do_there_is_read(action: str, value: str, fields: dict[str, str]) -> None:
    found = one(server().by("kim", action, KEY, value))
    assert found.fields.model_dump(exclude_none=True) == fields


def test_notes_are_read_and_ours_are_not() -> None:
    made = server()
    found = one(made.by("kim", "annotated", KEY, "rolling back"))
    assert [(note.author, note.text, note.public) for note in found.notes] == [("Kim", "rolling back", False)]
    assert read(made.by("spillway", "annotated", KEY, "Spillway, revision 3:\nkim: hello")) == []
    assert read(made.by("kim", "annotated", KEY, "hello"), rules(own_users=["PKIM"])) == []


def test_our_own_events_come_back_as_ours() -> None:
    made = server()
    assert one(made.webhooks[-1]).fields.model_dump(exclude_none=True) == {}
    made._resolve(KEY, {})
    found = one(made.webhooks[-1])
    assert (found.own, found.person) == (True, False)


def test_what_the_policy_of_pagerduty_does_by_itself_is_no_person_s_doing() -> None:
    made = server()
    made._tell("incident.unacknowledged", made.incidents[0], BY_EVENT | {"type": "service_reference"})
    found = one(made.webhooks[-1])
    assert (found.person, found.own, found.fields.state) == (False, False, "open")
    made._tell("incident.delegated", made.incidents[0], BY_EVENT | {"type": "service_reference"})
    assert one(made.webhooks[-1]).fields.assignee is None


def test_merged_there_into_one_of_ours_is_a_duplicate_and_into_another_says_nothing() -> None:
    made = server(KEY, "INC-2/0", "disk-db1")
    made.incidents[2].title = "disk full"
    found = one(made.by("kim", "merged", KEY, "INC-2/0"))
    assert (found.duplicate_of, found.fields.state) == ("INC-2", None)
    made = server(KEY, "disk-db1")
    made.incidents[1].title = "disk full"
    assert read(made.by("kim", "merged", KEY, "disk-db1")) == []


def test_what_ends_the_alert_of_one_call_does_not_end_the_incident() -> None:
    made = server("INC-1/0/abc123")
    assert one(made.by("kim", "acknowledged", "INC-1/0/abc123")).fields.state == "acknowledged"
    assert one(made.by("kim", "resolved", "INC-1/0/abc123")).fields.state is None


def test_priorities_have_the_names_that_the_configuration_gives_them() -> None:
    made, names = server(), rules(priority_names={"SEV-1": "P1"})
    assert one(made.by("kim", "priority_updated", KEY, "SEV-1"), names).fields.priority == "P1"
    assert one(made.by("kim", "priority_updated", KEY, "SEV-9"), names).fields.priority is None


def test_an_incident_without_a_key_is_known_by_its_title() -> None:
    made = server()
    made.keys_on_incidents = False
    assert one(made.by("kim", "acknowledged", KEY)).incident_id == "INC-1"


@pytest.mark.parametrize("name", ["pagerduty-webhook-v3-ack.json", "pagerduty-webhook-v3-resolved.json"])
def test_other_incidents_of_the_account_are_none_of_ours(name: str) -> None:
    assert read((SAMPLES / name).read_bytes()) == []


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"nonsense", b"{}", b'{"event": []}', b'{"event": {"event_type": 3}}', b"\xff"],
)
def test_what_is_no_event_is_refused_in_one_line(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        read(body)


HOSTILE: list[Any] = [
    None,
    3,
    "x" * 100_000,
    [],
    {},
    {"id": {"$": 1}},
    [[[]]],
    "\ud800".encode("utf-8", "replace").decode(),
]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("name", ["agent", "data", "occurred_at", "id"])
def test_fields_of_other_types_end_in_an_update_or_in_none(name: str, value: Any) -> None:
    made = server()
    document = orjson.loads(made.by("kim", "acknowledged", KEY))
    document["event"][name] = value
    for found in read(orjson.dumps(document)):
        assert found.incident_id == "INC-1"


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("name", ["status", "priority", "assignees", "html_url", "number", "title", "resolve_reason"])
def test_parts_of_the_incident_of_other_types_do_no_harm(name: str, value: Any) -> None:
    made = server()
    made.by("kim", "acknowledged", KEY)
    for kind in ("incident.reopened", "incident.reassigned", "incident.priority_updated", "incident.resolved"):
        made._tell(kind, made.incidents[0], person("kim"))
        document = orjson.loads(made.webhooks[-1])
        document["event"]["data"][name] = value
        for found in read(orjson.dumps(document)):
            assert found.incident_id == "INC-1"

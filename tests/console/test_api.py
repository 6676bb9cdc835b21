"""The HTTP API over the stories."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from pipeline.models.command import Command, Role
from tests.console.conftest import Client, somebody
from tests.console.sent import Sent

API = "/api/v1"


@pytest.fixture
def asking(client: Client) -> TestClient:
    """Somebody who may everything."""
    return client(somebody())


@pytest.fixture
def incident(asking: TestClient) -> dict[str, Any]:
    """An incident of the stories that is open and no bridge."""
    found = asking.get(f"{API}/incidents", params={"kind": "incident", "open": "true"}).json()["items"]
    assert found, "the stories leave something open"
    first: dict[str, Any] = found[0]
    return first


@pytest.fixture
def bridge(asking: TestClient) -> dict[str, Any]:
    """The bridge incident of the stories."""
    first: dict[str, Any] = asking.get(f"{API}/bridges").json()["items"][0]
    return first


def test_pages_of_a_list_hold_each_incident_once(asking: TestClient) -> None:
    whole = [each["id"] for each in asking.get(f"{API}/incidents", params={"limit": 500}).json()["items"]]
    told, after = [], None
    while True:
        answer = asking.get(f"{API}/incidents", params={"limit": 2, **({"after": after} if after else {})})
        told += [each["id"] for each in answer.json()["items"]]
        after = answer.json()["next"]
        assert ("link" in answer.headers) == (after is not None)
        if after is None:
            break
        linked = answer.headers["link"].partition(">")[0].removeprefix("<")
        assert asking.get(linked).status_code == 200
    assert told == whole
    assert len(set(told)) == len(told) > 2


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/incidents?colour=red", "colour"),
        ("/incidents?kind=cat", "kind"),
        ("/incidents?limit=0", "limit"),
        ("/incidents?limit=501", "limit"),
        ("/incidents?after=bm8", "cursor"),
        ("/incidents?opened_from=yesterday", "opened_from"),
        ("/incidents/a%00b", "incident_id"),
        ("/suppression?since=2020-01-01T00:00:00Z", "92 days"),
        ("/board?state=asleep", "state"),
        # A bare number is seconds, or milliseconds, or a mistake.
        ("/incidents?opened_from=0.5", "opened_from"),
        ("/oncall?at=1767225600", "at"),
        ("/suppression?until=1767225600000", "until"),
        ("/access-log?until=0.5", "until"),
        ("/audit/export?from=1767225600", "from"),
        ("/search?q=" + "x" * 1_001, "q"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(asking: TestClient, path: str, said: str) -> None:
    answer = asking.get(API + path)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert said in answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/timeline",
        "/episodes",
        "/explanation",
        "/similar",
        "/links",
        "/deliveries",
        "/communications",
        "/responders",
        "/audit",
    ],
)
def test_what_belongs_to_an_incident_is_for_those_alone_who_may_see_it(
    client: Client, incident: dict[str, Any], path: str
) -> None:
    there = f"{API}/incidents/{incident['id']}{path}"
    assert client(somebody(Role.VIEWER, incident["domain"])).get(there).status_code == 200
    refused = client(somebody(Role.ADMINISTRATOR, "no-such-domain")).get(there)
    unknown = client(somebody()).get(f"{API}/incidents/INC-NONE{path}")
    assert (refused.status_code, unknown.status_code) == (404, 404)
    assert refused.json()["detail"].replace(incident["id"], "INC-NONE") == unknown.json()["detail"]


def test_an_incident_has_its_revision_and_its_tag(asking: TestClient, incident: dict[str, Any]) -> None:
    answer = asking.get(f"{API}/incidents/{incident['id']}")
    assert answer.headers["x-revision"] == str(incident["revision"])
    again = asking.get(f"{API}/incidents/{incident['id']}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == answer.headers["etag"]
    assert "content-type" not in again.headers


def test_a_timeline_goes_both_ways(asking: TestClient, incident: dict[str, Any]) -> None:
    there = f"{API}/incidents/{incident['id']}/timeline"
    newest = asking.get(there, params={"limit": 500}).json()["items"]
    oldest = asking.get(there, params={"limit": 500, "order": "oldest"}).json()["items"]
    assert newest == oldest[::-1]
    assert oldest[0]["revision"] == 1


def test_a_bridge_incident_has_its_members(asking: TestClient, bridge: dict[str, Any]) -> None:
    told = asking.get(f"{API}/incidents/{bridge['id']}").json()
    assert told["members_total"] == len(told["members"]) > 0
    assert {each["bridge_id"] for each in told["members"]} == {bridge["id"]}


def test_an_episode_is_explained(asking: TestClient, incident: dict[str, Any]) -> None:
    episodes = asking.get(f"{API}/incidents/{incident['id']}/episodes").json()["items"]
    assert episodes
    one = asking.get(f"{API}/episodes/{episodes[0]['id']}")
    assert one.json() == episodes[0]
    why = asking.get(f"{API}/episodes/{episodes[0]['id']}/explanation").json()
    assert why["kind"] == "episode"


@pytest.mark.parametrize(
    "path",
    ["/services", "/oncall", "/problems", "/known-errors", "/silences", "/suppression", "/board", "/search?q=database"],
)
def test_every_noun_answers(asking: TestClient, path: str) -> None:
    answer = asking.get(API + path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "private, no-cache"


def test_who_is_called_for_a_service_and_its_schedule(asking: TestClient) -> None:
    rotation = next(each for each in asking.get(f"{API}/oncall").json()["items"] if each["services"])
    called = asking.get(f"{API}/oncall/services/{rotation['services'][0]}").json()
    assert called["rotations"][0]["rotation"] == rotation["rotation"]
    schedule = asking.get(f"{API}/oncall/rotations/{rotation['rotation']}/schedule", params={"days": 7}).json()
    assert schedule["shifts"]
    assert asking.get(f"{API}/oncall/services/nothing-of-ours").status_code == 404


def test_a_command_is_accepted_and_can_be_followed(asking: TestClient, sent: Sent, incident: dict[str, Any]) -> None:
    answer = asking.post(
        f"{API}/incidents/{incident['id']}/commands",
        json={"type": "note", "note": "on it"},
        headers={"Idempotency-Key": "test-followed", "If-Match": f'W/"{incident["revision"]}"'},
    )
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == answer.json()["tracking"]
    ((command, _, _),) = sent.commands
    assert isinstance(command, Command)
    assert command.expected_revision == incident["revision"]
    tracked = asking.get(answer.json()["tracking"]).json()
    assert (tracked["status"], tracked["accepted"], tracked["about"]) == ("pending", True, incident["id"])


def test_a_command_for_an_old_revision_is_refused(asking: TestClient, sent: Sent, incident: dict[str, Any]) -> None:
    there = f"{API}/incidents/{incident['id']}/commands"
    answer = asking.post(there, json={"type": "acknowledge"}, headers={"If-Match": 'W/"0"'})
    assert (answer.status_code, answer.json()["revision"]) == (412, incident["revision"])
    assert asking.post(there, json={"type": "note"}, headers={"If-Match": "seven"}).status_code == 422
    assert not sent.commands


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"type": "note", "note": "x", "actor": "the boss"}, "actor"),
        ({"type": "note", "note": "x", "role": "system"}, "role"),
        ({"type": "note", "note": ["x"]}, "note"),
        ({"note": "x"}, "type"),
        ([], "body"),
        ({"type": "note", "note": "x" * 4_001}, "note"),
    ],
)
def test_a_command_that_is_none_is_refused_by_its_field(
    asking: TestClient, sent: Sent, incident: dict[str, Any], body: Any, said: str
) -> None:
    answer = asking.post(f"{API}/incidents/{incident['id']}/commands", json=body)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert "the boss" not in answer.text
    assert not sent.commands


def test_a_silence_is_begun_for_ones_own_services_alone(client: Client, sent: Sent, asking: TestClient) -> None:
    one = next(each for each in asking.get(f"{API}/services").json()["items"] if each["domain"])
    body = {"targets": [one["ref"]], "until": "2030-01-01T00:00:00Z", "reason": "tests"}
    inside = client(somebody(Role.RESPONDER, one["domain"])).post(f"{API}/silences", json=body)
    assert inside.status_code == 202, inside.text
    outside = client(somebody(Role.COMMANDER, "no-such-domain")).post(f"{API}/silences", json=body)
    assert outside.status_code == 403
    wide = {"match": {"severity": "critical"}, "until": "2030-01-01T00:00:00Z", "reason": "tests"}
    assert client(somebody(Role.RESPONDER, one["domain"])).post(f"{API}/silences", json=wide).status_code == 403
    assert asking.post(f"{API}/silences", json=wide).status_code == 202
    assert sent.commands[0][0].command_id == inside.json()["command_id"]
    assert len(sent.commands) == 2


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/incidents"), ("PUT", "/board"), ("POST", "/me")])
def test_a_method_that_a_path_does_not_take_is_told_which_it_takes(asking: TestClient, method: str, path: str) -> None:
    answer = asking.request(method, API + path)
    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")
    assert "GET" in answer.headers["allow"]


def test_a_path_that_is_none_is_a_problem(asking: TestClient) -> None:
    answer = asking.get(f"{API}/nothing")
    assert (answer.status_code, answer.json()["type"]) == (404, "https://spillway.dev/problems/not-found")


def test_long_lists_are_compressed_and_pages_are_not(asking: TestClient) -> None:
    whole = asking.get(f"{API}/incidents", headers={"Accept-Encoding": "gzip"})
    assert whole.headers["content-encoding"] == "gzip"
    page = asking.get("/static/console.css", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in page.headers


def test_operations_have_names_of_their_own_and_words(asking: TestClient) -> None:
    document = asking.get(f"{API}/openapi.json").json()
    operations = [each for path in document["paths"].values() for each in path.values()]
    names = [each["operationId"] for each in operations]
    assert len(set(names)) == len(names)
    for each in operations:
        assert each["summary"], each
        assert each["description"], each
        assert "4XX" in each["responses"], each


@pytest.mark.parametrize(
    ("path", "allowed"), [("silences", {"GET", "POST"}), ("tokens", {"GET", "POST"}), ("me", {"GET"})]
)
def test_a_method_that_a_path_does_not_take_is_answered_with_all_that_it_takes(
    client: Client, path: str, allowed: set[str]
) -> None:
    answer = client(somebody()).request("PUT", f"/api/v1/{path}")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) - {"HEAD"} == allowed

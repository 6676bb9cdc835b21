"""Numbers, moments and sessions at the end of what can be: refused in words, and nobody else pays for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from pipeline.console.identity import Grant, Identity
from pipeline.models.command import Command, Role
from tests.console.conftest import Client
from tests.console.door import Shut, sign_in
from tests.console.matrix import INCIDENT

UNTIL: Final = "2031-01-01T00:00:00Z"
BIG: Final = 10**30
COMMANDS: Final = f"/api/v1/incidents/{INCIDENT}/commands"
ROTATION: Final = "/api/v1/oncall/rotations/business-applications/schedule"


@pytest.fixture
def client(shut: Shut) -> Iterator[TestClient]:
    """An administrator's, that raises what would be a defect."""
    with shut.client(shut.token()) as opened:
        yield opened


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "a-key"}], ids=["without a key", "with a key"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/silences", {"match": {"severity_rank": BIG}, "until": UNTIL, "reason": "x"}),
        ("/api/v1/silences", {"match": {"severity_rank": [1, -BIG]}, "until": UNTIL, "reason": "x"}),
        (COMMANDS, {"type": "acknowledge", "expected_revision": BIG}),
        (COMMANDS, {"type": "silence", "silence": {"match": {"x": BIG}, "until": UNTIL, "owner": "a", "reason": "b"}}),
    ],
    ids=["a value", "one of several values", "a revision", "a value of a command"],
)
def test_a_number_that_no_record_holds_is_refused(
    path: str, body: dict[str, Any], key: dict[str, str], client: TestClient, shut: Shut
) -> None:
    assert client.post(path, json=body, headers=key).status_code == 422
    assert not shut.sent.commands


@pytest.mark.parametrize("edge", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/oncall?at=",
        "/api/v1/oncall/services/checkout?at=",
        f"{ROTATION}?days=92&since=",
        "/api/v1/suppression?until=",
        "/api/v1/suppression?since=",
        "/api/v1/audit/export?to=",
        "/api/v1/audit/export?from=",
    ],
)
def test_a_moment_that_nothing_can_be_counted_from_is_refused(path: str, edge: str, client: TestClient) -> None:
    answer = client.get(path + edge.replace("+", "%2B"))
    assert answer.status_code in (404, 422), answer.text


@pytest.mark.parametrize(
    ("path", "field"),
    [
        (f"/incidents/{INCIDENT}/do/correct_impact", "users"),
        (f"/incidents/{INCIDENT}/do/correct_impact", "revenue_per_minute"),
    ],
)
@pytest.mark.parametrize("written", ["\N{SUPERSCRIPT TWO}", "9" * 5_000, "1e999", "-1"])
def test_what_is_no_number_in_a_form_is_told_so_on_the_form(path: str, field: str, written: str, shut: Shut) -> None:
    with shut.client() as browser:
        csrf = sign_in(browser, shut.token())
        answer = browser.post(path, data={"csrf": csrf, field: written, "reason": "x"})
        assert answer.status_code == 422
        assert field in answer.text


def test_a_session_that_has_ended_shuts_nobody_out_of_the_way_in(shut: Shut) -> None:
    """A ward has one address to the outside: the browsers that were left open over night are strangers, no guessers."""
    with shut.client() as left_open, shut.client() as new:
        sign_in(left_open, shut.token())
        shut.pass_minutes(24 * 60)
        for _ in range(12):
            assert left_open.get("/").status_code == 303
            assert left_open.get("/login").status_code == 200
            assert left_open.get("/static/console.css").status_code == 200
            shut.seconds += 0.5
        sign_in(new, shut.token())
        assert new.get("/api/v1/me").status_code == 200


def test_who_has_just_signed_in_is_in_however_many_strangers_ask_from_his_address(shut: Shut) -> None:
    with shut.client() as browser, shut.client() as stranger:
        sign_in(browser, shut.token())
        assert 429 in {stranger.get("/login").status_code for _ in range(60)}
        assert browser.get("/api/v1/me").status_code == 200


def test_cookies_that_are_no_sessions_are_looked_up_no_oftener_than_strangers_may_ask(shut: Shut) -> None:
    with shut.client() as browser:
        tried = []
        for number in range(60):
            browser.cookies.set("spillway_session", f"{number:043}")
            tried.append(browser.get("/login").status_code)
    assert tried == [200] * 50 + [429] * 10


def test_an_audit_is_exported_of_what_somebody_administers_and_not_of_what_he_may_only_look_at(
    in_the_evening: Client,
) -> None:
    def exported(*grants: Grant) -> set[str]:
        answer = in_the_evening(Identity("a", "a", grants, "token", "a")).get(
            "/api/v1/audit/export?from=2026-01-01T00:00:00Z"
        )
        assert answer.status_code == 200
        return set(answer.text.splitlines())

    retail = Grant(Role.ADMINISTRATOR, frozenset({"retail"}))
    everything = exported(Grant(Role.ADMINISTRATOR))
    assert exported(retail, Grant(Role.VIEWER)) == exported(retail) < everything


def test_words_that_would_steer_a_terminal_are_words_and_nothing_else_on_the_topic(
    client: TestClient, shut: Shut
) -> None:
    note = "first\r\nsecond\x1b[2J\x1b]0;owned\x07 \u202egnp.exe\tend"
    assert client.post(COMMANDS, json={"type": "note", "note": note}).status_code == 202
    (command, _, _) = shut.sent.commands[-1]
    assert isinstance(command, Command)
    assert command.note == "first\nsecond [2J ]0;owned   gnp.exe\tend"


@pytest.mark.parametrize("name", ["spillway", " Spillway "])
def test_no_token_is_called_as_the_pipeline_itself(name: str, client: TestClient) -> None:
    answer = client.post("/api/v1/tokens", json={"name": name, "grants": [{"role": "viewer"}]})
    assert answer.status_code == 409, answer.text
    assert "'spillway' is who acts where nobody does" in answer.json()["detail"]

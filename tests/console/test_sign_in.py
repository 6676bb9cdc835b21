"""Tokens and sessions: who comes in with what, and for how long."""

from __future__ import annotations

from pipeline.models.command import Role
from tests.console.door import Shut, csrf_in, sign_in


def test_a_token_says_who_it_is_and_what_he_may(shut: Shut) -> None:
    with shut.client(shut.token(Role.RESPONDER, "retail", name="deploy-bot")) as client:
        answer = client.get("/api/v1/me")
    assert answer.json() == {
        "subject": "deploy-bot",
        "name": "deploy-bot",
        "by": "token",
        "grants": [{"role": "responder", "domains": ["retail"]}],
    }


def test_a_browser_signs_in_with_a_token_and_keeps_a_session_instead_of_it(shut: Shut) -> None:
    token = shut.token(name="noor")
    with shut.client() as client:
        sign_in(client, token)
        assert token not in str(client.cookies)
        assert client.get("/api/v1/me").json()["by"] == "session"


def test_a_browser_that_is_not_signed_in_is_led_to_the_way_in_and_back(shut: Shut) -> None:
    with shut.client() as client:
        answer = client.get("/incidents/INC-1?tab=evidence")
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            "/login?next=%2Fincidents%2FINC-1%3Ftab%3Devidence",
        )
        form = client.get(answer.headers["location"])
        data = {"token": shut.token(), "csrf": csrf_in(form.text), "next": "/incidents/INC-1?tab=evidence"}
        assert client.post("/login", data=data).headers["location"] == "/incidents/INC-1?tab=evidence"

"""Who the asker is."""

from __future__ import annotations

from pipeline.models.command import Role
from tests.console.conftest import Client, somebody


def test_whoever_is_known_is_told_what_he_may(client: Client) -> None:
    answer = client(somebody(Role.RESPONDER, "retail")).get("/api/v1/me")
    assert answer.status_code == 200
    assert answer.json()["grants"] == [{"role": "responder", "domains": ["retail"]}]


def test_whoever_is_not_known_is_told_how_to_be(client: Client) -> None:
    answer = client().get("/api/v1/me")
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert "bearer token" in answer.json()["detail"]

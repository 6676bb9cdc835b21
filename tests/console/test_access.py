"""Tokens as administrators make them, and the access log as they read it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from pipeline.models.command import Role
from pipeline.models.policy import Config
from pipeline.records.store import RecordsStore
from tests.console.door import Shut, csrf_in, sign_in
from tests.support import wait_until

CLEARED_SECONDS_MAX = 30


@pytest.fixture
def shut(database: str, company: Config) -> Shut:
    """Over a store of this test alone: it reads its log."""
    store = RecordsStore(database)
    store.migrate()
    store.close()
    return Shut(database, company)


@pytest.fixture
def administrator(shut: Shut) -> Iterator[TestClient]:
    with shut.client(shut.token(name="ada")) as client:
        yield client


def test_a_token_is_made_used_and_revoked(shut: Shut, administrator: TestClient) -> None:
    wanted = {"name": "deploy-bot", "grants": [{"role": "responder", "domains": ["retail"]}], "days": 10}
    made = administrator.post("/api/v1/tokens", json=wanted)
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    with shut.client(made.json()["token"]) as bot:
        assert bot.get("/api/v1/me").json()["subject"] == "deploy-bot"
        listed = administrator.get("/api/v1/tokens")
        assert {each["name"] for each in listed.json()} == {"ada", "deploy-bot"}
        assert made.json()["token"].split("_", 2)[2] not in listed.text
        assert administrator.delete(f"/api/v1/tokens/{made.json()['id']}").status_code == 204
        assert bot.get("/api/v1/me").status_code == 401
    assert administrator.delete(f"/api/v1/tokens/{made.json()['id']}").status_code == 404


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"name": "ada"}, 409),
        ({"name": " "}, 422),
        ({"name": "a\nb"}, 422),
        ({"days": 0}, 422),
        ({"days": 366}, 422),
        ({"grants": []}, 422),
        ({"grants": [{"role": "machine"}]}, 422),
        ({"grants": [{"role": "source"}]}, 422),
        ({"grants": [{"role": "viewer", "domains": []}]}, 422),
        ({"grants": [{"role": "viewer", "domains": ["nowhere"]}]}, 422),
        ({"created_by": "somebody else"}, 422),
    ],
)
def test_a_token_that_may_not_be_is_not_made(wrong: dict[str, object], status: int, administrator: TestClient) -> None:
    wanted = {"name": "x", "grants": [{"role": "viewer"}], "days": 10} | wrong
    assert administrator.post("/api/v1/tokens", json=wanted).status_code == status
    assert len(administrator.get("/api/v1/tokens?ended=true").json()) == 1


def test_the_page_makes_shows_and_revokes_a_token(shut: Shut) -> None:
    with shut.client() as browser:
        sign_in(browser, shut.token(name="ada"))
        page = browser.get("/access").text
        form = {"csrf": csrf_in(page), "name": "<b>bot</b>", "role": "viewer", "domains": "retail", "days": "5"}
        made = browser.post("/access/tokens", data=form).text
        token = made.partition("<code>spw_")[2].partition("<")[0]
        assert "<b>bot" not in made
        with shut.client(f"spw_{token}") as bot:
            assert bot.get("/api/v1/me").status_code == 200
            assert token not in browser.get("/access").text
            ended = browser.post(f"/access/tokens/{token[:12]}/revoke", data={"csrf": form["csrf"]})
            assert ended.headers["location"] == "/access"
            assert bot.get("/api/v1/me").status_code == 401


def test_the_log_says_who_did_what_from_where_and_what_came_of_it(shut: Shut) -> None:
    with shut.client(shut.token(name="ada")) as client:
        made = client.post("/api/v1/tokens", json={"name": "bot", "grants": [{"role": "viewer"}]}).json()
        client.delete("/api/v1/tokens/0123456789ab")
    made_entry, ended = sorted(shut.log(), key=lambda entry: str(entry["method"]), reverse=True)
    assert (made_entry["subject"], made_entry["came_by"], made_entry["address"]) == ("ada", "token", "testclient")
    assert (made_entry["action"], made_entry["target"]) == ("POST /api/v1/tokens", made["id"])
    assert (made_entry["status"], made_entry["reason"]) == (201, None)
    assert (ended["target"], ended["status"], ended["reason"]) == ("0123456789ab", 404, "not-found")


def test_sign_ins_that_fail_and_succeed_and_sign_outs_are_logged_without_the_token(shut: Shut) -> None:
    token = shut.token(name="ada")
    with shut.client() as browser:
        browser.post("/login", data={"token": "spw_canary", "csrf": csrf_in(browser.get("/login").text)})
        csrf = sign_in(browser, token)
        browser.post("/logout", data={"csrf": csrf})
    told = [(entry["action"], entry["subject"], entry["status"]) for entry in reversed(shut.log())]
    assert told == [("sign-in", None, 401), ("sign-in", "ada", 303), ("sign-out", "ada", 303)]
    assert token[17:] not in str(shut.log())
    assert "canary" not in str(shut.log())


def test_a_write_that_is_refused_is_logged_too(shut: Shut) -> None:
    with shut.client() as stranger, shut.client(shut.token(Role.VIEWER, name="vera")) as viewer:
        stranger.post("/api/v1/tokens", json={})
        viewer.post("/api/v1/tokens", json={})
    told = {(entry["subject"], entry["status"], entry["reason"]) for entry in shut.log()}
    assert told == {(None, 401, "not-known"), ("vera", 403, "not-allowed")}


def test_looking_at_the_same_thing_again_soon_is_one_look(shut: Shut) -> None:
    with shut.client(shut.token(name="ada")) as client:
        for _ in range(5):
            client.get("/incidents/INC-1")
        shut.pass_minutes(6)
        client.get("/incidents/INC-1")
        client.get("/incidents/INC-2")
    assert sorted(str(entry["target"]) for entry in shut.log()) == ["INC-1", "INC-1", "INC-2"]


def test_the_log_is_filtered_and_paged(shut: Shut, administrator: TestClient) -> None:
    with shut.client(shut.token(name="bea")) as other:
        for each in range(5):
            other.get(f"/incidents/INC-{each}")
    first = administrator.get("/api/v1/access-log", params={"subject": "bea", "limit": 3}).json()
    second = administrator.get("/api/v1/access-log", params={"subject": "bea", "limit": 3, "after": first["next"]})
    targets = [entry["target"] for entry in (*first["entries"], *second.json()["entries"])]
    assert targets == [f"INC-{each}" for each in reversed(range(5))]
    assert second.json()["next"] is None
    assert administrator.get("/api/v1/access-log", params={"target": "INC-3"}).json()["entries"][0]["subject"] == "bea"
    assert "INC-4" in administrator.get("/access?subject=bea").text


def test_the_log_is_kept_for_as_long_as_the_configuration_says(shut: Shut, company: Config) -> None:
    with shut.client(shut.token(name="ada")) as client:
        client.get("/incidents/INC-old")
    shut.pass_minutes(401 * 24 * 60)
    with shut.client(shut.token(name="ada")) as client:
        client.get("/incidents/INC-new")
        # It is cleared beside what the console answers.
        wait_until(lambda: [each["target"] for each in shut.log()] == ["INC-new"], CLEARED_SECONDS_MAX, "it is cleared")

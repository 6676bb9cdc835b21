"""Sessions and forged requests: what another site, another person or an old cookie can do, which is nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from pipeline.models.command import Role
from pipeline.models.console import ConsoleSettings
from pipeline.models.policy import Config
from pipeline.records.access.tokens import revoke_token
from pipeline.records.address import engine_of
from tests.console.door import HOST, Shut, csrf_in, csrf_of_session, sign_in
from tests.console.matrix import INCIDENT

NOTE: Final = f"/incidents/{INCIDENT}/do/note"
API: Final = f"/api/v1/incidents/{INCIDENT}/commands"
SESSION: Final = "spillway_session"


@pytest.fixture
def browser(shut: Shut) -> Iterator[TestClient]:
    """A browser of an administrator."""
    with shut.client() as client:
        sign_in(client, shut.token())
        yield client


def me(client: TestClient) -> int:
    return int(client.get("/api/v1/me").status_code)


def test_a_cookie_is_out_of_reach_of_scripts_and_other_sites(shut: Shut) -> None:
    token = shut.token()
    with shut.client() as client:
        data = {"token": token, "csrf": csrf_in(client.get("/login").text)}
        said = client.post("/login", data=data).headers.get_list("set-cookie")[0]
    assert said.startswith("spillway_session=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(said.split("; "))
    assert "Domain" not in said
    with shut.client(base_url="https://testserver") as client:
        data["csrf"] = csrf_in(client.get("/login").text)
        said = client.post("/login", data=data).headers.get_list("set-cookie")[0]
    assert said.startswith("__Host-spillway_session=")
    assert "Secure" in said.split("; ")


def test_a_session_ends_when_it_is_idle(shut: Shut, browser: TestClient) -> None:
    for _ in range(3):
        shut.pass_minutes(119)
        assert me(browser) == 200
    shut.pass_minutes(121)
    assert me(browser) == 401


def test_a_session_ends_after_its_hours_however_much_it_is_used(shut: Shut, browser: TestClient) -> None:
    for _ in range(11):
        shut.pass_minutes(60)
        assert me(browser) == 200
    shut.pass_minutes(61)
    assert me(browser) == 401


def test_signing_out_ends_the_session_and_not_the_cookie_alone(browser: TestClient) -> None:
    kept = browser.cookies[SESSION]
    browser.post("/logout", data={"csrf": csrf_of_session(browser)})
    assert SESSION not in browser.cookies
    browser.cookies.set(SESSION, kept)
    assert me(browser) == 401


def test_revoking_a_token_ends_the_sessions_that_came_from_it(shut: Shut) -> None:
    token = shut.token()
    with shut.client() as client:
        sign_in(client, token)
        assert me(client) == 200
        engine = engine_of(shut.url)
        with engine.begin() as connection:
            assert revoke_token(connection, token[4:16], by="the test", now=shut.now())
        engine.dispose()
        assert me(client) == 401
        assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_a_session_does_not_outlive_the_token_that_it_came_from(shut: Shut) -> None:
    with shut.client() as client:
        sign_in(client, shut.token(days=1 / 24))
        shut.pass_minutes(59)
        assert me(client) == 200
        shut.pass_minutes(2)
        assert me(client) == 401


def test_a_session_that_somebody_planted_is_not_the_one_that_is_signed_in(shut: Shut) -> None:
    """Fixation: the attacker knows the cookie before the victim signs in, and is no wiser after."""
    planted = "A" * 43
    with shut.client() as client:
        client.cookies.set(SESSION, planted)
        client.cookies.set("spillway_visit", planted)
        sign_in_form = client.get("/login").text
        client.post("/login", data={"token": shut.token(), "csrf": csrf_in(sign_in_form)})
        values = [each.value for each in client.cookies.jar if each.name == SESSION]
        assert len([each for each in values if each != planted]) == 1
    with shut.client() as attacker:
        attacker.cookies.set(SESSION, planted)
        assert me(attacker) == 401


def test_signing_in_again_ends_the_session_from_before(shut: Shut, browser: TestClient) -> None:
    before = browser.cookies[SESSION]
    form = {"token": shut.token(Role.VIEWER), "csrf": csrf_of_session(browser)}
    assert browser.post("/login", data=form).status_code == 303
    assert browser.cookies[SESSION] != before
    with shut.client() as other:
        other.cookies.set(SESSION, before)
        assert me(other) == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://testserver.evil.example"},
        {"Origin": "https://testserver"},
        {"Origin": "http://testserver:81"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Referer": "https://evil.example/http://testserver/"},
        {"Referer": "http://testserver.evil.example/"},
        {"Referer": "http://evil.example@evil.example/"},
        {"Referer": "http://[/"},
        {"Referer": "http://testserver]/"},
        {"Origin": "http://["},
    ],
)
def test_a_write_that_began_elsewhere_is_refused_even_with_the_value(
    headers: dict[str, str], shut: Shut, browser: TestClient
) -> None:
    form = {"note": "seen", "csrf": csrf_of_session(browser)}
    answer = browser.post(NOTE, data=form, headers=headers)
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (403, "forged")
    assert not shut.sent.commands
    own = {"Origin": HOST, "Sec-Fetch-Site": "same-origin", "Referer": f"{HOST}/"}
    assert browser.post(NOTE, data=form, headers=own).status_code == 303


@pytest.mark.parametrize(
    ("what", "sent"),
    [
        ("nothing", {"data": {"note": "seen"}}),
        ("an empty value", {"data": {"note": "seen", "csrf": ""}}),
        ("another value", {"data": {"note": "seen", "csrf": "A" * 43}}),
        ("two values", {"content": "note=seen&csrf={csrf}&csrf={csrf}", "headers": {"Content-Type": "{form}"}}),
        (
            "the value in a body of text",
            {"content": "note=seen&csrf={csrf}", "headers": {"Content-Type": "text/plain"}},
        ),
        ("the value in the address", {"params": {"csrf": "{csrf}"}, "data": {"note": "seen"}}),
        ("the value in a cookie", {"cookies": {"csrf": "{csrf}"}, "data": {"note": "seen"}}),
        ("the value in a file", {"files": {"csrf": ("x", "{csrf}")}, "data": {"note": "seen"}}),
        ("an empty header", {"data": {"note": "seen", "csrf": "{csrf}"}, "headers": {"X-CSRF-Token": ""}}),
        ("too many fields", {"content": "a=1&" * 2_000 + "csrf={csrf}", "headers": {"Content-Type": "{form}"}}),
    ],
)
def test_a_write_without_the_value_of_its_page_is_refused(
    what: str, sent: dict[str, Any], shut: Shut, browser: TestClient
) -> None:
    filled = fill(sent, csrf_of_session(browser))
    assert browser.post(NOTE, **filled).status_code == 403, what
    assert not shut.sent.commands


def fill(sent: Any, csrf: str) -> Any:
    """Put the real value where a case names it."""
    if isinstance(sent, dict):
        return {name: fill(value, csrf) for name, value in sent.items()}
    if isinstance(sent, tuple):
        return tuple(fill(each, csrf) for each in sent)
    return sent.replace("{csrf}", csrf).replace("{form}", "application/x-www-form-urlencoded")


def test_the_value_of_another_session_is_none_of_this_one(shut: Shut, browser: TestClient) -> None:
    with shut.client() as other:
        theirs = sign_in(other, shut.token())
    assert browser.post(NOTE, data={"note": "seen", "csrf": theirs}).status_code == 403


def test_the_value_of_the_page_before_the_sign_in_is_none_after_it(shut: Shut) -> None:
    with shut.client() as client:
        before = csrf_in(client.get("/login").text)
        client.post("/login", data={"token": shut.token(), "csrf": before})
        assert client.post(NOTE, data={"note": "seen", "csrf": before}).status_code == 403


def test_a_script_sends_the_value_in_a_header(shut: Shut, browser: TestClient) -> None:
    body = {"type": "note", "note": "seen"}
    assert browser.post(API, json=body).status_code == 403
    assert browser.post(API, json=body, headers={"X-CSRF-Token": csrf_of_session(browser)}).status_code == 202
    assert len(shut.sent.commands) == 1


def test_nobody_is_signed_in_by_another_site(shut: Shut) -> None:
    """Signing a victim in under the attacker's name, to read what he writes there."""
    token = shut.token()
    with shut.client() as victim, shut.client() as attacker:
        theirs = csrf_in(attacker.get("/login").text)
        assert victim.post("/login", data={"token": token}).status_code == 403
        assert victim.post("/login", data={"token": token, "csrf": theirs}).status_code == 403
        victim.get("/login")
        assert victim.post("/login", data={"token": token, "csrf": theirs}).status_code == 403
        assert me(victim) == 401


def test_a_get_changes_nothing_whatever_it_claims(shut: Shut, browser: TestClient) -> None:
    csrf = csrf_of_session(browser)
    for headers in ({"X-HTTP-Method-Override": "POST"}, {"X-Method-Override": "POST"}, {"X-CSRF-Token": csrf}):
        browser.get(NOTE, params={"note": "seen", "_method": "POST", "csrf": csrf}, headers=headers)
    assert not shut.sent.commands


def test_a_bad_bearer_token_does_not_fall_back_on_the_cookie(browser: TestClient) -> None:
    assert browser.get("/api/v1/me", headers={"Authorization": "Bearer nonsense"}).status_code == 401


def test_behind_a_configured_address_requests_begin_there(shut: Shut, company: Config) -> None:
    console = ConsoleSettings.model_validate({"public_url": "https://spillway.example"})
    shut.config = company.model_copy(update={"console": console})
    with shut.client() as client:
        csrf = sign_in(client, shut.token())
        form = {"note": "seen", "csrf": csrf}
        assert client.post(NOTE, data=form, headers={"Origin": HOST}).status_code == 403
        assert client.post(NOTE, data=form, headers={"Origin": "https://spillway.example"}).status_code == 303


@pytest.mark.parametrize("public_url", [None, "https://spillway.example"])
@pytest.mark.parametrize("host", ["[", "[::1", "a]b", "a b", "a/b", "a@b", "a\\b", "a:b", "\x00", "\xe9"])
def test_a_host_that_is_none_is_refused_and_no_defect(
    host: str, public_url: str | None, shut: Shut, company: Config
) -> None:
    console = ConsoleSettings.model_validate({"public_url": public_url})
    shut.config = company.model_copy(update={"console": console})
    with shut.client(shut.token()) as client:
        headers = [(b"host", host.encode("latin-1"))]
        for path in ("/", "/api/v1/me", "/login", "/static/console.css", "/healthz"):
            assert client.get(path, headers=headers).status_code == 400, path
        assert client.get("/api/v1/me", headers=[(b"host", b"a.example"), (b"host", b"b.example")]).status_code == 400
        assert client.get("/api/v1/me", headers=[(b"host", b"[::1]:8080")]).status_code == 200


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "/%09/evil.example" + "\t",
        "/\t/evil.example",
        "javascript:alert(1)",
        "/login?next=//evil.example",
        "/logout",
        "http:evil.example",
        " //evil.example",
        "/x\r\nSet-Cookie: a=b",
        "/" + "x" * 3_000,
    ],
)
def test_the_way_on_from_the_sign_in_leads_nowhere_else(elsewhere: str, shut: Shut) -> None:
    with shut.client() as client:
        form = client.get("/login", params={"next": elsewhere}).text
        answer = client.post("/login", data={"token": shut.token(), "csrf": csrf_in(form), "next": elsewhere})
    assert answer.headers["location"] == "/"
    assert "a=b" not in str(answer.headers)

"""Single sign-on of browsers: there and back, and every way in which somebody else's answer does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from tests.console.door import START_MS, Shut
from tests.console.oidc import CLIENT, SECRET, FakeIssuer, issuer
from tests.console.test_oidc import claims, with_oidc

HTTPS: Final = "https://testserver"


@pytest.fixture
def fake() -> Iterator[FakeIssuer]:
    with issuer() as made:
        yield made


@pytest.fixture
def shut(shut: Shut, fake: FakeIssuer, monkeypatch: pytest.MonkeyPatch) -> Shut:
    monkeypatch.setenv("TEST_OIDC_SECRET", SECRET)
    shut.config = with_oidc(shut.config, fake)
    return shut


@pytest.fixture
def client(shut: Shut) -> Iterator[TestClient]:
    with shut.client(base_url=HTTPS) as opened:
        yield opened


def away(client: TestClient, onward: str = "/") -> str:
    """Begin to sign in: the address that the browser is sent to."""
    answer = client.get("/login/start", params={"next": onward})
    assert answer.status_code == 303
    return str(answer.headers["location"])


def back(client: TestClient, brought: dict[str, str]) -> Any:
    return client.get("/login/return", params=brought)


def test_a_browser_goes_to_the_issuer_and_comes_back_signed_in(client: TestClient, fake: FakeIssuer) -> None:
    address = away(client, "/search?q=db")
    asked = parse_qs(urlsplit(address).query)
    assert address.startswith(f"{fake.url}/authorize?")
    assert asked["redirect_uri"] == [f"{HTTPS}/login/return"]
    assert (asked["code_challenge_method"], asked["response_type"]) == (["S256"], ["code"])
    answer = back(client, fake.sign_in(address, claims(fake)))
    assert answer.status_code == 200
    assert 'content="0;url=/search?q=db"' in answer.text
    me = client.get("/api/v1/me").json()
    assert (me["subject"], me["by"], me["grants"]) == (
        "u-17",
        "session",
        [{"role": "responder", "domains": ["retail"]}],
    )


def test_a_code_is_good_once(client: TestClient, fake: FakeIssuer) -> None:
    brought = fake.sign_in(away(client), claims(fake))
    kept = dict(client.cookies)
    assert back(client, brought).status_code == 200
    client.cookies.clear()
    client.cookies.update(kept)
    assert back(client, brought).status_code == 401


def test_the_cookie_of_a_try_is_gone_after_it(client: TestClient, fake: FakeIssuer) -> None:
    brought = fake.sign_in(away(client), claims(fake))
    assert "__Host-spillway_sign_in" in client.cookies
    back(client, brought)
    assert "__Host-spillway_sign_in" not in client.cookies


def test_an_answer_that_another_browser_was_given_lets_nobody_in(shut: Shut, fake: FakeIssuer) -> None:
    """Somebody lures a victim to the address that he came back to, to have him work under his name."""
    with shut.client(base_url=HTTPS) as attacker, shut.client(base_url=HTTPS) as victim:
        brought = fake.sign_in(away(attacker), claims(fake, sub="attacker"))
        assert back(victim, brought).status_code == 401
        away(victim)
        assert back(victim, brought).status_code == 401
        assert "__Host-spillway_session" not in victim.cookies
        assert back(attacker, brought).status_code == 200, "the code was not spent on it"


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "made-up"},
        {"state": ""},
        {"iss": "https://elsewhere.example"},
        {"iss": ""},
        {"code": "made-up"},
        {"code": ""},
        {"code": "x" * 5_000},
        {"error": "access_denied"},
    ],
)
def test_an_answer_that_does_not_fit_lets_nobody_in(
    wrong: dict[str, str], client: TestClient, fake: FakeIssuer
) -> None:
    brought = fake.sign_in(away(client), claims(fake))
    assert back(client, brought | wrong).status_code == 401
    assert "__Host-spillway_session" not in client.cookies


def test_an_issuer_that_names_itself_must_do_so(client: TestClient, fake: FakeIssuer) -> None:
    brought = fake.sign_in(away(client), claims(fake))
    del brought["iss"]
    assert back(client, brought).status_code == 401


def test_an_id_token_of_another_try_lets_nobody_in(client: TestClient, fake: FakeIssuer) -> None:
    brought = fake.sign_in(away(client), claims(fake, nonce="another"))
    assert back(client, brought).status_code == 401


@pytest.mark.parametrize("wrong", [{"aud": "payroll"}, {"exp": START_MS // 1_000 - 60}, {"azp": "payroll"}])
def test_an_id_token_that_is_not_believed_lets_nobody_in(
    wrong: dict[str, Any], client: TestClient, fake: FakeIssuer
) -> None:
    assert back(client, fake.sign_in(away(client), claims(fake, **wrong))).status_code == 401


def test_a_try_that_takes_too_long_is_over(shut: Shut, client: TestClient, fake: FakeIssuer) -> None:
    brought = fake.sign_in(away(client), claims(fake))
    shut.pass_minutes(11)
    assert back(client, brought).status_code == 401


def test_whoever_has_no_role_is_told_so(client: TestClient, fake: FakeIssuer) -> None:
    answer = back(client, fake.sign_in(away(client), claims(fake, groups=["other"])))
    assert answer.status_code == 401
    assert "none of your groups may come in" in answer.text


def test_what_groups_may_is_what_the_configuration_says_now(shut: Shut, fake: FakeIssuer) -> None:
    with shut.client(base_url=HTTPS) as client:
        back(client, fake.sign_in(away(client), claims(fake, groups=["managers"])))
        kept = dict(client.cookies)
    shut.config = with_oidc(shut.config, fake, grants=[{"group": "managers", "role": "viewer"}])
    with shut.client(base_url=HTTPS) as client:
        client.cookies.update(kept)
        assert client.get("/api/v1/me").json()["grants"] == [{"role": "viewer", "domains": None}]


def test_the_way_back_leads_to_pages_of_ours_alone(client: TestClient, fake: FakeIssuer) -> None:
    for elsewhere in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        answer = back(client, fake.sign_in(away(client, elsewhere), claims(fake)))
        assert answer.status_code == 200
        assert 'content="0;url=/"' in answer.text
        client.cookies.clear()


def test_the_client_of_the_issuer_is_named_by_the_configuration(client: TestClient) -> None:
    assert parse_qs(urlsplit(away(client)).query)["client_id"] == [CLIENT]

"""What people try who are in, or would like to be: nothing of it goes through, and nothing breaks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import text
from starlette.testclient import TestClient

from pipeline.console.security.metrics import KEYS_FETCHED, LOG_LOST, REFUSED, SIGNED_IN
from pipeline.console.security.rates import KEYS_MAX, Buckets
from pipeline.models.command import Role
from pipeline.models.console import ConsoleSettings
from pipeline.models.policy import Config
from pipeline.records.address import engine_of
from tests.console.door import Shut, csrf_in
from tests.console.matrix import INCIDENT, MATRIX, OTHER, OWN

HOSTILE: Final = (
    "' OR '1'='1",
    "'; DROP TABLE incidents; --",
    "1) UNION SELECT secret_hash FROM access_tokens --",
    "\\'; SELECT pg_sleep(9); --",
    "$1", "%(id)s", ":id", "%", "_", "\\",
    "{{7*7}}", "{% include '/etc/passwd' %}", "${7*7}", "<script>alert(1)</script>",
    "../../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%00", "a\x00b", "\ud7ff\uffff", "A" * 4_000,
    "\r\nSet-Cookie: stolen=1", "\u202e\u0000", "🔥" * 50, "&& a || ! b", "a & b | c <-> d", '"', "(" * 200,
)  # fmt: skip


SHARE: Final = 6
"""Each route is asked with every sixth of them, each with every sixth route: all of both is minutes."""


@pytest.fixture
def client(shut: Shut) -> Iterator[TestClient]:
    """An administrator's."""
    with shut.client(shut.token()) as opened:
        yield opened


def counted(shut: Shut) -> int:
    engine = engine_of(shut.url)
    with engine.connect() as connection:
        found = connection.scalar(text("SELECT count(*) FROM incidents"))
    engine.dispose()
    assert isinstance(found, int)
    return found


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda text: repr(text)[:24])
def test_nothing_that_a_path_or_a_query_holds_is_taken_for_anything_else(
    hostile: str, shut: Shut, company: Config
) -> None:
    console = ConsoleSettings.model_validate({"rates": {"people_per_second": 10_000}})
    shut.config = company.model_copy(update={"console": console})
    before = counted(shut)
    with shut.client(shut.token()) as client:
        for number, route in enumerate(MATRIX):
            method, path = route.split(" ", 1)
            if method != "GET" or path.startswith("/login") or path == "/api/v1/stream":
                continue
            if number % SHARE != HOSTILE.index(hostile) % SHARE:
                continue
            query = dict.fromkeys(("q", "text", "state", "priority", "domain", "service", "after", "subject"), hostile)
            asked = path
            while "{" in asked:
                begin, _, rest = asked.partition("{")
                asked = begin + "\0" + rest.partition("}")[2]
            answer = client.get(asked.replace("\0", quoted(hostile)), params=query)
            assert answer.status_code < 500 or answer.status_code == 503, f"{route}: {answer.text[:300]}"
            assert answer.status_code != 503, f"{route}: {answer.text[:300]}"
            assert "<script>alert(1)" not in answer.text, route
            assert "stolen" not in answer.headers.get("set-cookie", ""), route
            assert "root:x:" not in answer.text, route
    assert counted(shut) == before


def quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text[:300], safe="")


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/static/..%5capp.py",
        "/static//etc/passwd",
        "/static/%2fetc/passwd",
        "/static/....//app.py",
        "/static/console.css/../../app.py",
        "/static/.%00/app.py",
        "/login/../access",
        "/static/../access",
        "/LOGIN",
        "/login/",
        "//access",
    ],
)
def test_no_path_leads_out_of_the_static_files_or_around_the_door(path: str, shut: Shut) -> None:
    with shut.client() as stranger:
        answer = stranger.get(path)
    assert answer.status_code in {303, 401, 404, 405}, answer.text[:300]
    assert "create_app" not in answer.text
    assert "root:" not in answer.text
    assert "API tokens" not in answer.text


def test_a_body_that_is_too_long_is_refused_before_it_is_read(client: TestClient) -> None:
    answer = client.post(f"/api/v1/incidents/{INCIDENT}/commands", content=b"{" + b" " * 300_000)
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (413, "too-large")

    def endless() -> Iterator[bytes]:
        for _ in range(1_000):
            yield b" " * 10_000

    assert client.post(f"/api/v1/incidents/{INCIDENT}/commands", content=endless()).status_code == 413


def test_a_strangers_body_is_not_read_at_all(shut: Shut) -> None:
    taken = []

    def body() -> Iterator[bytes]:
        for index in range(100):
            taken.append(index)
            yield b" " * 1_000

    with shut.client() as stranger:
        assert stranger.post(f"/api/v1/incidents/{INCIDENT}/commands", content=body()).status_code == 401


@pytest.mark.parametrize(
    "more",
    [
        {"role": "administrator"},
        {"role": "system"},
        {"actor": "ada"},
        {"target": {"incident_id": "INC-D5KZHUYBCD7C"}},
        {"command_id": "api-mine"},
    ],
)
def test_nobody_says_in_a_body_who_he_is_or_what_it_is_about(more: dict[str, Any], shut: Shut) -> None:
    with shut.client(shut.token(Role.RESPONDER, OWN)) as client:
        body = {"type": "note", "note": "seen"} | more
        assert client.post(f"/api/v1/incidents/{INCIDENT}/commands", json=body).status_code == 422
        form = {"note": "seen"} | {name: str(value) for name, value in more.items()}
        client.post(f"/incidents/{INCIDENT}/do/note", data=form)
    for command, *_ in shut.sent.commands:
        assert getattr(command, "role", None) == Role.RESPONDER
        assert command.actor.startswith("responder ")


def test_what_is_of_other_domains_is_in_no_list_search_or_figure(shut: Shut) -> None:
    with shut.client(shut.token(Role.VIEWER, OTHER)) as client:
        for route in MATRIX:
            method, path = route.split(" ", 1)
            if method == "GET" and "{" not in path and not path.startswith("/login") and not path.endswith("stream"):
                answer = client.get(path, params={"q": "mail", "text": "mail"})
                assert INCIDENT not in answer.text, route
        known = {each["id"] for each in client.get("/api/v1/incidents?limit=100").json()["items"]}
    with shut.client(shut.token()) as client:
        every = {each["id"] for each in client.get("/api/v1/incidents?limit=100").json()["items"]}
    assert INCIDENT in every - known, "and it is there for whoever may see it"


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "Bearer spw_0123456789ab_" + "A" * 43,
        "Bearer spw_" + "A" * 9_000,
        "Bearer {token}x",
        "Bearer {token[:-1]}",
        "Bearer {upper}",
        "bearer\t{token}",
        "Bearer spw_%00_" + "A" * 43,
        "Bearer ' OR 1=1 --",
    ],
)
def test_what_is_no_token_lets_nobody_in(wrong: str, shut: Shut) -> None:
    token = shut.token()
    made = wrong.replace("{token[:-1]}", token[:-1]).replace("{token}", token).replace("{upper}", token.upper())
    with shut.client() as client:
        assert client.get("/api/v1/me", headers={"Authorization": made}).status_code == 401
        assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_secrets_are_in_no_answer_log_or_figure(shut: Shut, capfd: pytest.CaptureFixture[str], company: Config) -> None:
    token = shut.token()
    secret = token.split("_", 2)[2]  # which may have the mark in it
    with shut.client() as client:
        form = client.get("/login").text
        answers = [client.post("/login", data={"token": token + "canary", "csrf": csrf_in(form)})]
        answers.append(client.post("/login", data={"token": token, "csrf": csrf_in(answers[0].text)}))
        session = client.cookies["spillway_session"]
        answers += [client.get("/access"), client.get("/api/v1/tokens"), client.get("/api/v1/access-log")]
        answers.append(client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}canary"}))
    registry = CollectorRegistry()
    for each in (REFUSED, SIGNED_IN, LOG_LOST, KEYS_FETCHED):
        registry.register(each)
    told = "".join(each.text for each in answers) + "".join(capfd.readouterr()) + generate_latest(registry).decode()
    for hidden in (secret, "canary", session):
        assert hidden not in told
    engine = engine_of(shut.url)
    with engine.connect() as connection:
        for table in ("access_tokens", "sessions", "access_log"):
            kept = str(connection.execute(text(f"SELECT * FROM {table}")).all())  # noqa: S608  # our own names
            assert secret not in kept
            assert session not in kept
    engine.dispose()


def test_every_answer_has_the_headers_that_browsers_keep_to(shut: Shut) -> None:
    with shut.client(base_url="https://testserver") as client:
        for path in ("/login", "/", "/static/console.css", "/api/v1/me", "/nowhere"):
            headers = client.get(path).headers
            assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
            assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")
            assert headers["strict-transport-security"] == "max-age=31536000"
            assert headers["referrer-policy"] == "same-origin"
            assert headers["x-request-id"]
            assert headers["cache-control"]


def test_whoever_asks_too_often_is_told_when_to_come_back(shut: Shut, company: Config) -> None:
    console = ConsoleSettings.model_validate({"rates": {"people_per_second": 1, "commands_per_second": 0.2}})
    shut.config = company.model_copy(update={"console": console})
    with shut.client(shut.token()) as client, shut.client(shut.token()) as other:
        answers = [client.get("/api/v1/me").status_code for _ in range(11)]
        assert answers == [200] * 10 + [429]
        refused = client.get("/api/v1/me")
        assert refused.headers["retry-after"] == "1"
        assert other.get("/api/v1/me").status_code == 200, "and nobody else is"
        shut.seconds += 10
        asked = [client.post("/api/v1/tokens", json={}).status_code for _ in range(3)]
        assert asked == [422, 422, 429]


def test_guessing_is_slowed_and_shuts_nobody_out_who_was_in(shut: Shut) -> None:
    token = shut.token()
    with shut.client() as client:
        good = {"Authorization": f"Bearer {token}"}
        assert client.get("/api/v1/me", headers=good).status_code == 200
        tried = [
            client.get("/api/v1/me", headers={"Authorization": f"Bearer spw_{each:012x}_{'A' * 43}"}).status_code
            for each in range(12)
        ]
        assert tried == [401] * 10 + [429] * 2
        assert client.get("/api/v1/me", headers=good).status_code == 200


def test_signing_in_is_slowed(shut: Shut) -> None:
    with shut.client() as client:
        csrf = csrf_in(client.get("/login").text)
        tried = [client.post("/login", data={"token": "spw_x", "csrf": csrf}).status_code for _ in range(12)]
    assert tried == [401] * 10 + [429] * 2


def test_what_limits_remember_is_bounded() -> None:
    buckets = Buckets(1, 1, lambda: 0.0)
    for each in range(KEYS_MAX + 100):
        buckets.take(str(each))
    assert len(buckets) == KEYS_MAX


def test_a_forwarded_address_is_believed_of_trusted_proxies_alone(shut: Shut, company: Config) -> None:
    from pipeline.console.security.origin import Origins

    origins = Origins(ConsoleSettings.model_validate({"trusted_proxies": ["10.0.0.0/8", "fd00::/8"]}))

    def of(peer: str, **headers: str) -> Any:
        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        return origins.of({"type": "http", "client": (peer, 1), "scheme": "http", "headers": raw})

    assert of("192.0.2.9", x_forwarded_for="198.51.100.1").address == "192.0.2.9"
    assert of("10.1.1.1", x_forwarded_for="198.51.100.1").address == "198.51.100.1"
    assert of("10.1.1.1", x_forwarded_for="1.2.3.4, 198.51.100.1, 10.2.2.2").address == "198.51.100.1"
    assert of("10.1.1.1", x_forwarded_for="nonsense").address == "10.1.1.1"
    assert of("192.0.2.9", x_forwarded_proto="https").https is False
    assert of("10.1.1.1", x_forwarded_proto="https").https is True
    assert of("192.0.2.9", x_request_id="a" * 20).request_id != "a" * 20
    assert of("10.1.1.1", x_request_id="a b\nc-----------").request_id != "a b\nc-----------"
    assert of("2001:db8::1").neighbourhood == of("2001:db8::ffff").neighbourhood

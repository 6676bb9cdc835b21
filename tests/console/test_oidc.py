"""Single sign-on: bearer tokens that are believed, and all those that are not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.testclient import TestClient

from pipeline.models.console import ConsoleSettings, Rates
from pipeline.models.policy import Config
from tests.console.door import START_MS, Shut
from tests.console.oidc import CLIENT, SECRET, FakeIssuer, issuer

NOW: Final = START_MS // 1_000


@pytest.fixture
def fake() -> Iterator[FakeIssuer]:
    with issuer() as made:
        yield made


def with_oidc(company: Config, fake: FakeIssuer, **more: Any) -> Config:
    """The company, with single sign-on."""
    grants = [
        {"group": "shop", "role": "responder", "domains": ["retail"]},
        {"group": "managers", "role": "commander"},
    ]
    oidc = {"issuer": fake.url, "client_id": CLIENT, "client_secret_env": "TEST_OIDC_SECRET", "grants": grants}
    console = ConsoleSettings.model_validate({"public_url": "https://testserver", "oidc": oidc | more})
    return company.model_copy(update={"console": console})


@pytest.fixture
def shut(shut: Shut, fake: FakeIssuer, monkeypatch: pytest.MonkeyPatch) -> Shut:
    monkeypatch.setenv("TEST_OIDC_SECRET", SECRET)
    shut.config = with_oidc(shut.config, fake)
    return shut


@pytest.fixture
def client(shut: Shut) -> Iterator[TestClient]:
    with shut.client() as opened:
        yield opened


def claims(fake: FakeIssuer, **more: Any) -> dict[str, Any]:
    """What an honest token says; None leaves a claim out."""
    said = {"iss": fake.url, "aud": CLIENT, "sub": "u-17", "name": "Noor Haddad", "groups": ["shop", "other"]}
    whole = said | {"iat": NOW - 5, "exp": NOW + 300} | more
    return {name: value for name, value in whole.items() if value is not None}


def ask(client: TestClient, token: str) -> int:
    return int(client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code)


def test_a_token_of_the_issuer_says_who_it_is_and_his_groups_what_he_may(client: TestClient, fake: FakeIssuer) -> None:
    token = fake.sign(claims(fake))
    answer = client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.json() == {
        "subject": "u-17",
        "name": "Noor Haddad",
        "by": "oidc",
        "grants": [{"role": "responder", "domains": ["retail"]}],
    }


def test_whoever_is_in_no_group_that_may_come_in_does_not(client: TestClient, fake: FakeIssuer) -> None:
    assert ask(client, fake.sign(claims(fake, groups=["other"]))) == 401
    assert ask(client, fake.sign(claims(fake, groups=None))) == 401
    assert ask(client, fake.sign(claims(fake, groups={"shop": True}))) == 401


@pytest.mark.parametrize(
    ("what", "wrong"),
    [
        ("of another issuer", {"iss": "https://elsewhere.example"}),
        ("of the issuer's name with a slash", {"iss": "{url}/"}),
        ("without an issuer", {"iss": None}),
        ("for another audience", {"aud": "payroll"}),
        ("for nobody", {"aud": None}),
        ("for an audience that only contains ours", {"aud": f"{CLIENT}-admin"}),
        ("for several, issued to nobody", {"aud": [CLIENT, "payroll"]}),
        ("issued to another client", {"azp": "payroll"}),
        ("expired", {"exp": NOW - 31}),
        ("that never expires", {"exp": None}),
        ("whose end is a word", {"exp": "tomorrow"}),
        ("whose end is infinite", {"exp": float("inf")}),
        ("whose end no number holds", {"exp": 10**400}),
        ("of the pipeline itself", {"sub": "Spillway"}),
        ("not valid yet", {"nbf": NOW + 60}),
        ("issued tomorrow", {"iat": NOW + 86_400}),
        ("of nobody", {"sub": None}),
        ("of an empty name", {"sub": ""}),
        ("of a name that ends a line", {"sub": "root\nsudo"}),
        ("that tells of a sign-out", {"events": {}}),
    ],
)
def test_a_token_is_not_believed(what: str, wrong: dict[str, Any], client: TestClient, fake: FakeIssuer) -> None:
    wrong = {name: value.format(url=fake.url) if name == "iss" and value else value for name, value in wrong.items()}
    assert ask(client, fake.sign(claims(fake))) == 200
    assert ask(client, fake.sign(claims(fake, **wrong))) == 401, what


def test_clocks_may_differ_by_what_is_configured_and_no_more(client: TestClient, fake: FakeIssuer) -> None:
    assert ask(client, fake.sign(claims(fake, exp=NOW - 29))) == 200
    assert ask(client, fake.sign(claims(fake, exp=NOW - 30))) == 401
    assert ask(client, fake.sign(claims(fake, nbf=NOW + 30))) == 200
    assert ask(client, fake.sign(claims(fake, nbf=NOW + 31))) == 401


def unsigned(fake: FakeIssuer) -> str:
    return jwt.encode(claims(fake), "", algorithm="none", headers={"kid": "first"})


def signed_with_what_everybody_knows(fake: FakeIssuer) -> str:
    """The public key, taken for a secret: the oldest confusion of algorithms."""
    public = fake.keys["first"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = jwt.utils.base64url_encode(json.dumps({"alg": "HS256", "kid": "first"}).encode())
    body = jwt.utils.base64url_encode(json.dumps(claims(fake)).encode())
    signature = jwt.utils.base64url_encode(
        jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(head + b"." + body, public)
    )
    return b".".join((head, body, signature)).decode()


def signed_by_another(fake: FakeIssuer) -> str:
    key = rsa.generate_private_key(65_537, 2_048)
    return jwt.encode(claims(fake), key, algorithm="RS256", headers={"kid": "first"})


def signed_by_a_key_that_it_brings(fake: FakeIssuer) -> str:
    key = rsa.generate_private_key(65_537, 2_048)
    own = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    return jwt.encode(claims(fake), key, algorithm="RS256", headers={"kid": "first", "jwk": own, "jku": fake.url})


def without_its_signature(fake: FakeIssuer) -> str:
    return fake.sign(claims(fake)).rpartition(".")[0] + "."


def with_an_unknown_demand(fake: FakeIssuer) -> str:
    return fake.sign(claims(fake), crit=["b64"], b64=False)


def of_another_kind(fake: FakeIssuer) -> str:
    return fake.sign(claims(fake), typ="logout+jwt")


def changed(fake: FakeIssuer) -> str:
    head, _, signature = fake.sign(claims(fake)).split(".")
    body = jwt.utils.base64url_encode(json.dumps(claims(fake, groups=["managers"])).encode()).decode()
    return ".".join((head, body, signature))


@pytest.mark.parametrize(
    "forge",
    [
        unsigned,
        signed_with_what_everybody_knows,
        signed_by_another,
        signed_by_a_key_that_it_brings,
        without_its_signature,
        with_an_unknown_demand,
        of_another_kind,
        changed,
    ],
)
def test_a_forged_token_is_not_believed(
    forge: Callable[[FakeIssuer], str], client: TestClient, fake: FakeIssuer
) -> None:
    assert ask(client, fake.sign(claims(fake))) == 200
    assert ask(client, forge(fake)) == 401


def test_a_secret_among_the_keys_signs_nothing(client: TestClient, fake: FakeIssuer) -> None:
    secret = b"0123456789abcdef0123456789abcdef"
    fake.extra_keys = [{"kty": "oct", "kid": "s", "k": jwt.utils.base64url_encode(secret).decode(), "alg": "HS256"}]
    assert ask(client, jwt.encode(claims(fake), secret, algorithm="HS256", headers={"kid": "s"})) == 401
    assert ask(client, fake.sign(claims(fake))) == 200


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_a_key_that_is_too_short_signs_nothing(client: TestClient, fake: FakeIssuer) -> None:
    fake.keys["short"] = rsa.generate_private_key(65_537, 1_024)  # noqa: S505  # that is the point
    assert ask(client, fake.sign(claims(fake), key="short")) == 401


def test_elliptic_keys_sign_by_their_own_algorithm(client: TestClient, fake: FakeIssuer) -> None:
    fake.add_key("curve", "EC")
    assert ask(client, fake.sign(claims(fake), key="curve", alg="ES256")) == 200


def test_tokens_that_name_unknown_keys_do_not_make_it_ask_the_issuer_again_and_again(
    shut: Shut, fake: FakeIssuer
) -> None:
    shut.config = shut.config.model_copy(
        update={"console": shut.config.console.model_copy(update={"rates": generous()})}
    )
    with shut.client() as client:
        assert ask(client, fake.sign(claims(fake))) == 200
        for each in range(200):
            assert ask(client, fake.sign(claims(fake), kid=f"made-up-{each}")) == 401
    assert fake.asked["/keys"] == 1
    assert fake.asked["/.well-known/openid-configuration"] == 1


def test_a_new_key_is_fetched_when_a_token_names_it(shut: Shut, fake: FakeIssuer) -> None:
    with shut.client() as client:
        assert ask(client, fake.sign(claims(fake))) == 200
        fake.add_key("second")
        assert ask(client, fake.sign(claims(fake), key="second")) == 401, "it was asked a moment ago"
        shut.seconds += 61
        assert ask(client, fake.sign(claims(fake), key="second")) == 200


def test_a_key_that_was_withdrawn_stops_to_count_within_the_hour(shut: Shut, fake: FakeIssuer) -> None:
    with shut.client() as client:
        token = fake.sign(claims(fake))
        assert ask(client, token) == 200
        fake.add_key("second")
        del fake.keys["first"]
        shut.seconds += 3_601
        assert ask(client, token) == 401


def test_while_the_issuer_is_away_its_keys_count_for_a_day(shut: Shut, fake: FakeIssuer) -> None:
    with shut.client() as client:
        token = fake.sign(claims(fake))
        assert ask(client, token) == 200
        fake.status = 503
        shut.seconds += 7_200
        assert ask(client, token) == 200
        shut.seconds += 86_400
        assert ask(client, token) == 401


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://elsewhere.example"},
        {"jwks_uri": "http://169.254.169.254/latest/meta-data/"},
        {"jwks_uri": "https://elsewhere.example/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"token_endpoint": "https://elsewhere.example/token"},
        {"authorization_endpoint": "https://elsewhere.example/authorize"},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
)
def test_a_description_that_names_other_hosts_is_not_followed(
    document: dict[str, Any], client: TestClient, fake: FakeIssuer
) -> None:
    fake.document = document
    assert ask(client, fake.sign(claims(fake))) == 401
    assert fake.asked["/keys"] == 0
    assert client.get("/login/start").status_code == 503


def test_an_issuer_that_sends_elsewhere_or_too_much_is_not_followed(shut: Shut, fake: FakeIssuer) -> None:
    fake.redirect = f"{fake.url}/keys"
    with shut.client() as client:
        assert ask(client, fake.sign(claims(fake))) == 401
        assert fake.asked["/keys"] == 0
    fake.redirect, fake.pad = None, 300_000
    with shut.client() as client:
        assert ask(client, fake.sign(claims(fake))) == 401


def test_what_a_token_says_is_in_no_answer_and_no_log(
    client: TestClient, fake: FakeIssuer, capfd: pytest.CaptureFixture[str]
) -> None:
    token = fake.sign(claims(fake, sub="canary-4711", exp=NOW - 100))
    answer = client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    told = answer.text + str(answer.headers) + "".join(capfd.readouterr())
    assert "canary-4711" not in told
    assert token[:40] not in told


def generous() -> Rates:
    """Limits that are not in the way."""
    return Rates(strangers_per_second=10_000, sign_ins_per_minute=10_000, people_per_second=10_000)

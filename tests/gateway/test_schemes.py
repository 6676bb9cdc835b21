"""Every scheme takes what its sender makes, and nothing else. Signatures come from others than the gateway."""

from __future__ import annotations

import http.client
import json
import os
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import orjson
import pytest
from standardwebhooks import Webhook

from tests.gateway.house import BODY, Answer, House
from tests.gateway.signing import base64, hmac_bytes, hmac_hex, make_elliptic_key, make_key, public_key

SECRET, NEXT, WRONG = "It's a Secret to Everybody", "the-next-secret", "not-the-secret"
STANDARD = {name: "whsec_" + b64encode(name.encode() * 2).decode() for name in (SECRET, NEXT, WRONG)}
ISSUER = "https://widget.example.com"
HOUR_SECONDS = 3_600

Headers = Mapping[str, str]
Sign = Callable[[str, bytes, float], Headers]


def bearer(secret: str, body: bytes, at: float) -> Headers:
    return {"Authorization": f"Bearer {secret}"}


def header(secret: str, body: bytes, at: float) -> Headers:
    return {"X-Token": secret}


def basic(secret: str, body: bytes, at: float) -> Headers:
    return {"Authorization": "Basic " + base64(f"nagios:{secret}".encode())}


def github(secret: str, body: bytes, at: float) -> Headers:
    return {"X-Hub-Signature-256": "sha256=" + hmac_hex(secret, body)}


def jira(secret: str, body: bytes, at: float) -> Headers:
    return {"X-Hub-Signature": "sha256=" + hmac_hex(secret, body)}


def pagerduty(secret: str, body: bytes, at: float) -> Headers:
    return {"X-PagerDuty-Signature": f"v1={hmac_hex('another', body)},v1={hmac_hex(secret, body)},v9=later"}


def sentry(secret: str, body: bytes, at: float) -> Headers:
    return {"Sentry-Hook-Signature": hmac_hex(secret, body)}


def zendesk(secret: str, body: bytes, at: float) -> Headers:
    stamp = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "X-Zendesk-Webhook-Signature": base64(hmac_bytes(secret, stamp.encode(), body)),
        "X-Zendesk-Webhook-Signature-Timestamp": stamp,
    }


def slack(secret: str, body: bytes, at: float) -> Headers:
    stamp = str(int(at))
    signed = hmac_hex(secret, b"v0:", stamp.encode(), b":", body)
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={signed}"}


def standard(secret: str, body: bytes, at: float) -> Headers:
    signature = Webhook(STANDARD[secret]).sign("msg_1", datetime.fromtimestamp(int(at), UTC), body.decode())
    return {"webhook-id": "msg_1", "webhook-timestamp": str(int(at)), "webhook-signature": f"v1a,x {signature}"}


SCHEMES: dict[str, tuple[dict[str, Any], Sign]] = {
    "bearer": ({"scheme": "bearer"}, bearer),
    "header": ({"scheme": "header", "header": "X-Token"}, header),
    "basic": ({"scheme": "basic", "user": "nagios"}, basic),
    "github": ({"scheme": "hub-signature"}, github),
    "jira-hook": ({"scheme": "hub-signature", "header": "X-Hub-Signature"}, jira),
    "pagerduty-v3": ({"scheme": "pagerduty-v3"}, pagerduty),
    "sentry": ({"scheme": "sentry"}, sentry),
    "zendesk": ({"scheme": "zendesk"}, zendesk),
    "slack": ({"scheme": "slack"}, slack),
    "standard": ({"scheme": "standard-webhooks"}, standard),
}
SIGNED = [name for name in SCHEMES if name not in {"bearer", "header", "basic"}]
TIMED = ["zendesk", "slack", "standard"]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("keys")
    return {
        "rsa": make_key(place, "rsa"),
        "elliptic": make_elliptic_key(place, "elliptic"),
        "stranger": make_key(place, "stranger"),
    }


@pytest.fixture(scope="module")
def house(kafka: str, tmp_path_factory: pytest.TempPathFactory, keys: dict[str, Path]) -> Iterator[House]:
    feeds: dict[str, Any] = {
        name: {"adapter": "jira", "gateway": {"auth": {**rule, "secrets_env": _names(name)}}}
        for name, (rule, _) in SCHEMES.items()
    }
    token = {"scheme": "xurrent-jwt", "public_keys_env": ["RSA", "ELLIPTIC"], "issuer": ISSUER, "audience": "spillway"}
    feeds["xurrent"] = {"gateway": {"auth": token}}
    secrets = {"SECRET": SECRET, "NEXT": NEXT, "STANDARD": STANDARD[SECRET], "STANDARD_NEXT": STANDARD[NEXT]}
    secrets |= {"RSA": public_key(keys["rsa"]), "ELLIPTIC": public_key(keys["elliptic"])}
    place = tmp_path_factory.mktemp("schemes")
    with House(kafka, f"schemes-{os.getpid()}.", place, feeds, secrets) as made:
        yield made


def _names(scheme: str) -> list[str]:
    return ["STANDARD", "STANDARD_NEXT"] if scheme == "standard" else ["SECRET", "NEXT"]


def sent(house: House, name: str, secret: str, *, body: bytes = BODY, signed: bytes = BODY, age: float = 0.0) -> Answer:
    headers = SCHEMES[name][1](secret, signed, time.time() - age)
    return house.send(f"/v1/feeds/{name}", body, headers)


@pytest.mark.parametrize("name", SCHEMES)
def test_what_the_sender_makes_is_taken_with_either_secret(house: House, name: str) -> None:
    before = len(house.values(name, 0))
    assert sent(house, name, SECRET).status == 202
    assert sent(house, name, NEXT).status == 202
    assert house.values(name, before + 2)[-2:] == [BODY, BODY]


@pytest.mark.parametrize("name", SCHEMES)
def test_a_wrong_secret_is_refused(house: House, name: str) -> None:
    assert sent(house, name, WRONG).status == 401


@pytest.mark.parametrize("name", SCHEMES)
def test_nothing_at_all_is_refused(house: House, name: str) -> None:
    assert house.feed(name).status == 401


@pytest.mark.parametrize("name", SIGNED)
def test_a_changed_body_is_refused(house: House, name: str) -> None:
    assert sent(house, name, SECRET, body=BODY.replace(b"kept", b"Kept")).status == 401


@pytest.mark.parametrize("age", [HOUR_SECONDS, -HOUR_SECONDS])
@pytest.mark.parametrize("name", TIMED)
def test_an_old_or_future_timestamp_is_refused(house: House, name: str, age: float) -> None:
    assert sent(house, name, SECRET, age=age).status == 401
    assert sent(house, name, SECRET, age=100 if age > 0 else -100).status == 202


@pytest.mark.parametrize("name", TIMED)
def test_a_timestamp_is_part_of_what_is_signed(house: House, name: str) -> None:
    old = SCHEMES[name][1](SECRET, BODY, time.time() - HOUR_SECONDS)
    new = SCHEMES[name][1](SECRET, BODY, time.time())
    mixed = {key: new[key] if "stamp" in key.lower() else value for key, value in old.items()}
    assert house.send(f"/v1/feeds/{name}", BODY, mixed).status == 401


def test_a_secret_in_a_doubled_header_is_refused(house: House) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", house.port)
    connection.putrequest("POST", "/v1/feeds/bearer")
    for secret in (SECRET, SECRET):
        connection.putheader("Authorization", f"Bearer {secret}")
    connection.putheader("Content-Length", str(len(BODY)))
    connection.endheaders(BODY)
    assert connection.getresponse().status == 401
    connection.close()


def test_github_s_published_example_is_taken(house: House) -> None:
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert house.feed("github", b"Hello, World!", X_Hub_Signature_256=signature).status == 202
    assert house.feed("github", b"Hello, World?", X_Hub_Signature_256=signature).status == 401


def token(keys: dict[str, Path], key: str, algorithm: str, **claims: Any) -> bytes:
    now = int(time.time())
    body = {
        "iss": ISSUER,
        "aud": "spillway",
        "iat": now,
        "exp": now + 60,
        "data": {"event": "request.create"},
        **claims,
    }
    given = {name: value for name, value in body.items() if value is not None}
    return orjson.dumps({"jwt": jwt.encode(given, keys[key].read_text(), algorithm)})


@pytest.mark.parametrize(("key", "algorithm"), [("rsa", "RS256"), ("rsa", "RS512"), ("elliptic", "ES256")])
def test_the_message_in_a_xurrent_token_is_the_record(
    house: House, keys: dict[str, Path], key: str, algorithm: str
) -> None:
    before = len(house.values("xurrent", 0))
    assert house.feed("xurrent", token(keys, key, algorithm)).status == 202
    assert orjson.loads(house.values("xurrent", before + 1)[-1]) == {"event": "request.create"}


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example.com"},
        {"aud": "another"},
        {"aud": None},
        {"iss": None},
        {"exp": int(time.time()) - 10},
        {"iat": int(time.time()) - HOUR_SECONDS},
        {"nbf": int(time.time()) + HOUR_SECONDS},
        {"exp": None, "iat": None},
        {"data": None},
        {"data": "text"},
    ],
    ids=" ".join,
)
def test_a_xurrent_token_for_others_or_of_another_time_is_refused(
    house: House, keys: dict[str, Path], claims: dict[str, Any]
) -> None:
    assert house.feed("xurrent", token(keys, "rsa", "RS256", **claims)).status == 401


@pytest.mark.parametrize("data", [{"n": 2**70}, {"s": "\ud800"}], ids=repr)
def test_a_message_that_others_may_not_read_is_kept_for_them_to_refuse(
    house: House, keys: dict[str, Path], data: dict[str, Any]
) -> None:
    before = len(house.values("xurrent", 0))
    assert house.feed("xurrent", token(keys, "rsa", "RS256", data=data)).status == 202
    assert json.loads(house.values("xurrent", before + 1)[-1]) == data


@pytest.mark.parametrize("claims", [{"data": {"f": float("nan")}}, {"iat": 10**400}], ids=["nan", "a time for ever"])
def test_what_is_no_json_or_no_time_in_a_token_is_refused_and_no_defect(
    house: House, keys: dict[str, Path], claims: dict[str, Any]
) -> None:
    assert house.feed("xurrent", token(keys, "rsa", "RS256", **claims)).status == 401


def test_a_xurrent_token_of_another_key_or_kind_is_refused(house: House, keys: dict[str, Path]) -> None:
    assert house.feed("xurrent", token(keys, "stranger", "RS256")).status == 401
    claims = {"iss": ISSUER, "aud": "spillway", "exp": int(time.time()) + 60, "data": {}}
    unsigned = jwt.encode(claims, "", "none")
    assert house.feed("xurrent", orjson.dumps({"jwt": unsigned})).status == 401
    by_public_key = forged(claims, public_key(keys["rsa"]))
    assert house.feed("xurrent", orjson.dumps({"jwt": by_public_key})).status == 401
    assert house.feed("xurrent", b'{"event": "request.create"}').status == 401


def forged(claims: dict[str, Any], public: str) -> str:
    """A token whose shared secret is the public key: what takes the algorithm from the token believes it."""
    parts = [jwt.utils.base64url_encode(orjson.dumps(part)) for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    signature = jwt.utils.base64url_encode(hmac_bytes(public, b".".join(parts)))
    return b".".join([*parts, signature]).decode()

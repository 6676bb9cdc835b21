"""The doors that are fuzzed, and what proves a sender at each, worked out apart from the gateway's own code."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_plus

SECRET: Final = "the-secret-of-the-fuzzer"
WRONG: Final = "the-secret-of-somebody"
USER: Final = "nagios"
STANDARD_KEY: Final = b"a-key-of-standard-webhooks"
BODY_BYTES_MAX: Final = 65_536
RATE: Final = {"requests_per_second": 100_000, "burst": 100_000}

Headers = list[tuple[bytes, bytes]]
Sign = Callable[[str, bytes, float], Headers]


def _mac(secret: str, *parts: bytes) -> bytes:
    return hmac.digest(secret.encode(), b"".join(parts), "sha256")


def _zendesk(secret: str, body: bytes, at: float) -> Headers:
    stamp = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    signature = b64encode(_mac(secret, stamp, body))
    return [(b"X-Zendesk-Webhook-Signature", signature), (b"X-Zendesk-Webhook-Signature-Timestamp", stamp)]


def _slack(secret: str, body: bytes, at: float) -> Headers:
    stamp = str(int(at)).encode()
    signature = b"v0=" + _mac(secret, b"v0:", stamp, b":", body).hex().encode()
    return [(b"X-Slack-Request-Timestamp", stamp), (b"X-Slack-Signature", signature)]


def _standard(secret: str, body: bytes, at: float) -> Headers:
    stamp = str(int(at)).encode()
    key = STANDARD_KEY if secret == SECRET else secret.encode()
    signature = b64encode(hmac.digest(key, b"msg_1." + stamp + b"." + body, "sha256"))
    listed = b"v1a,x v1," + signature
    return [(b"webhook-id", b"msg_1"), (b"webhook-timestamp", stamp), (b"webhook-signature", listed)]


def _basic(secret: str, _body: bytes, _at: float) -> Headers:
    return [(b"Authorization", b"Basic " + b64encode(f"{USER}:{secret}".encode()))]


class Door(NamedTuple):
    """One feed or sink.

    Attributes:
        path: where it is.
        auth: as in the configuration.
        sign: headers that prove a sender, from secret, body and time.
        headers: which of them must be there.
    """

    path: bytes
    auth: Mapping[str, Any]
    sign: Sign


def _feed(name: str, auth: Mapping[str, Any], sign: Sign) -> Door:
    return Door(b"/v1/feeds/" + name.encode(), auth, sign)


NAMED: Final = {"secrets_env": ["SECRET"]}
DOORS: Final[Mapping[str, Door]] = {
    "open": _feed("open", {"scheme": "none"}, lambda *_: []),
    "bearer": _feed(
        "bearer",
        {"scheme": "bearer", **NAMED},
        lambda secret, *_: [(b"Authorization", b"Bearer " + secret.encode())],
    ),
    "header": _feed(
        "header",
        {"scheme": "header", "header": "X-Token", **NAMED},
        lambda secret, *_: [(b"X-Token", secret.encode())],
    ),
    "basic": _feed("basic", {"scheme": "basic", "user": USER, **NAMED}, _basic),
    "address": _feed("address", {"scheme": "query", "parameter": "key", **NAMED}, lambda *_: []),
    "hub": _feed(
        "hub",
        {"scheme": "hub-signature", **NAMED},
        lambda secret, body, _: [(b"X-Hub-Signature-256", b"sha256=" + _mac(secret, body).hex().encode())],
    ),
    "sentry": _feed(
        "sentry",
        {"scheme": "sentry", **NAMED},
        lambda secret, body, _: [(b"Sentry-Hook-Signature", _mac(secret, body).hex().encode())],
    ),
    "pagerduty-v3": _feed(
        "pagerduty-v3",
        {"scheme": "pagerduty-v3", **NAMED},
        lambda secret, body, _: [(b"X-PagerDuty-Signature", b"v1=00,v1=" + _mac(secret, body).hex().encode())],
    ),
    "zendesk": _feed("zendesk", {"scheme": "zendesk", **NAMED}, _zendesk),
    "slack": _feed("slack", {"scheme": "slack", **NAMED}, _slack),
    "standard": _feed("standard", {"scheme": "standard-webhooks", "secrets_env": ["STANDARD"]}, _standard),
    "sns": _feed("sns", {"scheme": "sns", "topics": ["arn:aws:sns:eu-west-1:123456789012:a"]}, lambda *_: []),
    "events": Door(b"/v2/enqueue", {"scheme": "pagerduty-routing-key", **NAMED}, lambda *_: []),
}
"""Name of each feed -> its door. ``sns`` lets nobody in here: its keys are Amazon's."""

FEEDS: Final[Mapping[str, Any]] = {
    name: {
        "adapter": "pagerduty" if name == "events" else "jira",
        "gateway": {"auth": door.auth, "body_bytes_max": BODY_BYTES_MAX, "get": name == "address", **RATE},
    }
    for name, door in DOORS.items()
}
SECRETS: Final = {"SECRET": SECRET, "STANDARD": "whsec_" + b64encode(STANDARD_KEY).decode()}


def door_of(path: bytes) -> str | None:
    """The door that a path leads to."""
    bare = unquote_plus(path.replace(b"+", b"%2B").decode("latin-1"), encoding="latin-1").encode("latin-1")
    return next((name for name, door in DOORS.items() if door.path == bare), None)


def proven(name: str, headers: Headers, query: bytes, body: bytes) -> bool:
    """Whether a request shows what its door wants, as this module sees it. The time of a signature is not looked at."""
    if name in {"open", "events"}:
        return True
    if name == "sns":
        return False
    if name == "address":
        pairs = [pair.partition(b"=") for pair in query.split(b"&")]
        given = [
            unquote_plus(value.decode("latin-1"))
            for key, _, value in pairs
            if unquote_plus(key.decode("latin-1")) == "key"
        ]
        return given == [SECRET]
    return any(_shows(headers, wanted) for wanted in _wanted(name, headers, body))


def _shows(headers: Headers, wanted: Headers) -> bool:
    """Every wanted header is there once, and holds what is wanted."""
    for header, value in wanted:
        found = [each.strip() for name, each in headers if name.lower() == header.lower()]
        if len(found) != 1 or value.lower() not in found[0].lower():
            return False
    return True


def _wanted(name: str, headers: Headers, body: bytes) -> Sequence[Headers]:
    """What the sender would have sent with this body, at the time that the request states."""
    door = DOORS[name]
    if name == "pagerduty-v3":
        return [[(b"X-PagerDuty-Signature", b"v1=" + _mac(SECRET, body).hex().encode())]]
    stated = {key.lower(): value.strip() for key, value in headers}
    if name == "standard":
        signed = stated.get(b"webhook-id", b"") + b"." + stated.get(b"webhook-timestamp", b"") + b"." + body
        return [[(b"webhook-signature", b64encode(hmac.digest(STANDARD_KEY, signed, "sha256")))]]
    if name == "zendesk":
        stamp = stated.get(b"x-zendesk-webhook-signature-timestamp", b"")
        return [[(b"X-Zendesk-Webhook-Signature", b64encode(_mac(SECRET, stamp, body)))]]
    if name == "slack":
        signed = _mac(SECRET, b"v0:", stated.get(b"x-slack-request-timestamp", b""), b":", body)
        return [[(b"X-Slack-Signature", b"v0=" + signed.hex().encode())]]
    return [door.sign(SECRET, body, 0.0)]

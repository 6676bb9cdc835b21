"""The signature of Slack: what its documentation publishes as an example is taken, and nothing near it."""

from __future__ import annotations

import asyncio

import pytest
from multidict import CIMultiDict, CIMultiDictProxy, MultiDict

from pipeline.gateway.arrival import Arrival
from pipeline.gateway.refusal import Refusal
from pipeline.gateway.slack import SlackRequest

# https://docs.slack.dev/authentication/verifying-requests-from-slack
SECRET = b"8f742231b10e8888abcd99yyyzzz85a5"
SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
STAMP = "1531420618"
BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)


def admitted(stamp: str = STAMP, signature: str = SIGNATURE, body: bytes = BODY, now: float = float(STAMP)) -> bytes:
    headers = CIMultiDict({"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature})
    arrival = Arrival(CIMultiDictProxy(headers), MultiDict(), body, now)
    return asyncio.run(SlackRequest([b"another secret", SECRET], 300).admit(arrival))


def test_the_published_example_is_taken_as_it_is() -> None:
    assert admitted() == BODY
    assert admitted(now=float(STAMP) + 299) == BODY


@pytest.mark.parametrize(
    "changed",
    [
        {"body": BODY + b"x"},
        {"stamp": "1531420619"},
        {"stamp": "0" + STAMP},
        {"stamp": "\udcff"},
        {"signature": SIGNATURE.removeprefix("v0=")},
        {"signature": ""},
        {"signature": "v0=\udcff"},
        {"now": float(STAMP) + 301},
        {"now": float(STAMP) - 301},
    ],
    ids=str,
)
def test_another_body_time_or_signature_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(Refusal):
        admitted(**changed)  # type: ignore[arg-type]  # one of its arguments

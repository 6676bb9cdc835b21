"""A press of a button in Slack, from Slack's own signature to the record on ``sink.updates``."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest

from pipeline.models.remote import SinkUpdate
from pipeline.sinks.updates import READERS
from tests.gateway.house import House
from tests.gateway.signing import hmac_hex

SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
SINKS: dict[str, Any] = {
    "chat": {
        "type": "slack",
        "channel": "C0INCIDENTS",
        "secret_env": "CHAT",
        "updates": {"scheme": "slack", "secrets_env": ["SIGNING"]},
    }
}


@pytest.fixture(scope="module")
def house(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    place: Path = tmp_path_factory.mktemp("slack")
    secrets = {"SIGNING": SIGNING_SECRET}
    with House(kafka, f"slack-{os.getpid()}.", place, {}, secrets, sinks=SINKS, readers=READERS) as made:
        yield made


def pressed(action_id: str, **more: Any) -> bytes:
    action = {"action_id": action_id, "type": "button", "value": "INC-D5KZHUYBCD7C", "action_ts": "1548426417.840180"}
    user = {"id": "UA8RXUSPL", "username": "jtorrance"}
    payload = {"type": "block_actions", "user": user, "actions": [action], **more}
    return urlencode({"payload": orjson.dumps(payload).decode()}).encode()


def signed(body: bytes, at: float, secret: str = SIGNING_SECRET) -> dict[str, str]:
    stamp = str(int(at))
    return {
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": "v0=" + hmac_hex(secret, f"v0:{stamp}:".encode(), body),
        "Content-Type": "application/x-www-form-urlencoded",
    }


def test_a_signed_press_is_taken_without_words_and_becomes_an_update(house: House) -> None:
    body = pressed("spillway_resolve")
    answer = house.send("/v1/sinks/chat", body, signed(body, time.time()))
    assert (answer.status, answer.body) == (200, b"")
    [record] = house.updates(1)
    update = SinkUpdate.model_validate_json(record.value() or b"")
    assert (record.key() or b"").decode() == update.incident_id == "INC-D5KZHUYBCD7C"
    assert (update.sink, update.fields.state, update.author) == ("chat", "resolved", "jtorrance")
    assert update.resolution == "Resolved by jtorrance by the button in Slack."


def test_a_press_that_is_forged_or_old_or_of_another_app_changes_nothing(house: House) -> None:
    body = pressed("spillway_acknowledge")
    before = len(house.updates(0))
    now = time.time()
    for headers in (signed(body, now, "another"), signed(body, now - 600), signed(body + b"x", now), {}):
        assert house.send("/v1/sinks/chat", body, headers).status == 401
    other = pressed("another_app_s_button")
    assert house.send("/v1/sinks/chat", other, signed(other, now)).status == 200
    assert len(house.updates(0)) == before

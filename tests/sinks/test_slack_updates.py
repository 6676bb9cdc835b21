"""Buttons in Slack, read: who pressed what on which incident; anything else is no update, or refused in one line."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.remote import SinkUpdate
from pipeline.models.sinks.chat import Slack
from pipeline.sinks.updates import READERS
from tests.sinks.receivers import NOW

RULES = Slack.model_validate(
    {"name": "chat", "secret_env": "SLACK", "channel": "C0INCIDENTS", "people": {"U0ADA": "ada"}}
)


def payload(action: str = "spillway_acknowledge", **fields: Any) -> dict[str, Any]:
    """As Slack documents block_actions, shortened by what says nothing about the press."""
    return {
        "type": "block_actions",
        "team": {"id": "T9TK3CUKW", "domain": "example"},
        "user": {"id": "UA8RXUSPL", "username": "jtorrance", "name": "jtorrance", "team_id": "T9TK3CUKW"},
        "api_app_id": "AABA1ABCD",
        "token": "9s8d9as89d8as9d8as989",
        "container": {"type": "message", "message_ts": "1548261231.000200", "channel_id": "CBR2V3XEX"},
        "trigger_id": "12321423423.333649436676.d8c1bb837935619ccad0f624c448ffb3",
        "channel": {"id": "CBR2V3XEX", "name": "incidents"},
        "response_url": "https://hooks.slack.com/actions/AABA1ABCD/1232321423432/D09sSasdasdAS9091209",
        "actions": [
            {
                "action_id": action,
                "block_id": "spillway",
                "type": "button",
                "value": "INC-D5KZHUYBCD7C",
                "action_ts": "1548426417.840180",
            }
        ],
        **fields,
    }


def read(given: Any) -> list[SinkUpdate]:
    return READERS["slack"](urlencode({"payload": orjson.dumps(given).decode()}).encode(), {}, RULES, NOW)


@pytest.mark.parametrize(
    ("action", "state", "resolution"),
    [
        ("spillway_acknowledge", "acknowledged", None),
        ("spillway_resolve", "resolved", "Resolved by jtorrance by the button in Slack."),
    ],
)
def test_a_press_is_the_state_that_somebody_wants(action: str, state: str, resolution: str | None) -> None:
    [update] = read(payload(action))
    assert (update.incident_id, update.sink, update.fields.state) == ("INC-D5KZHUYBCD7C", "chat", state)
    assert (update.author, update.person, update.own, update.resolution) == ("jtorrance", True, False, resolution)
    assert update.at.isoformat() == "2019-01-25T14:26:57.840180+00:00"
    assert update.remote_id == "1548261231.000200"


def test_one_press_has_one_id_and_another_one_has_another() -> None:
    [first], [again], [other] = read(payload()), read(payload()), read(payload("spillway_resolve"))
    assert first.update_id == again.update_id != other.update_id


def test_who_is_known_by_id_is_named_by_id_as_the_configuration_looks_it_up() -> None:
    [update] = read(payload("spillway_resolve", user={"id": "U0ADA", "username": "anything"}))
    assert update.author == "U0ADA"
    assert update.resolution == "Resolved by ada by the button in Slack."


@pytest.mark.parametrize(
    "other",
    [
        payload(type="view_submission"),
        payload(type="message_action"),
        payload("another_app_s_button"),
        payload(actions=[]),
        payload(actions=["text", None]),
    ],
)
def test_what_is_about_something_else_is_no_update(other: dict[str, Any]) -> None:
    assert read(other) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"payload=",
        b"payload=%5B%5D",
        b"payload=1&payload=2",
        b'{"type": "block_actions"}',
        b"ssl_check=1&token=x",
        b"payload=%7B%22type%22",
        urlencode({"payload": orjson.dumps(payload(user=None)).decode()}).encode(),
        urlencode({"payload": orjson.dumps(payload(user={})).decode()}).encode(),
        urlencode({"payload": orjson.dumps(payload(actions={})).decode()}).encode(),
        urlencode({"payload": orjson.dumps(payload(actions=[{"action_id": "spillway_resolve"}])).decode()}).encode(),
        urlencode(
            {"payload": orjson.dumps(payload(actions=[{"action_id": "spillway_resolve", "value": "x" * 257}])).decode()}
        ).encode(),
    ],
)
def test_what_is_no_interaction_is_refused_in_one_line(body: bytes) -> None:
    with pytest.raises(ValueError, match="expected") as refused:
        READERS["slack"](body, {}, RULES, NOW)
    assert "\n" not in str(refused.value)


def test_a_press_without_a_time_counts_from_when_it_came() -> None:
    for stamp in (None, "soon", "9" * 90, "nan", "-1e300"):
        action = {"action_id": "spillway_resolve", "value": "INC-1", "action_ts": stamp}
        [update] = read(payload(actions=[action]))
        assert update.at == NOW


@given(body=st.binary(max_size=200))
def test_bytes_of_any_kind_are_no_interaction(body: bytes) -> None:
    with pytest.raises(ValueError, match="expected a form with one payload"):
        READERS["slack"](body, {}, RULES, NOW)

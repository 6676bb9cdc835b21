"""What Slack sends when somebody presses a button, read into updates. Pure.

The body is a form with one field, ``payload``, that holds JSON
(https://docs.slack.dev/reference/interaction-payloads/block_actions-payload).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs

import orjson

from pipeline.models.command import ID_CHARACTERS_MAX
from pipeline.models.remote import Fields, RemoteState, SinkUpdate
from pipeline.models.sinks.chat import Slack
from pipeline.sinks.slack_words import ACKNOWLEDGE, RESOLVE

_STATES: Final[Mapping[str, RemoteState]] = {
    ACKNOWLEDGE: RemoteState.ACKNOWLEDGED,
    RESOLVE: RemoteState.RESOLVED,
}

ACTIONS_MAX: Final = 10
"""A press is one action; some elements send a few."""


def slack_updates(body: bytes, headers: Mapping[str, str], rules: Slack, now: datetime) -> list[SinkUpdate]:
    """The presses of our buttons in a request; [] where it is about something else.

    Raises:
        ValueError: it is no interaction of Slack.
    """
    del headers
    payload = _payload(body)
    if payload.get("type") != "block_actions":
        return []
    user = payload.get("user")
    actions = payload.get("actions")
    if not isinstance(user, dict) or not isinstance(actions, list):
        raise ValueError("block_actions: expected user and actions")  # noqa: TRY004  # a reader's one kind of error
    pressed = [
        each for each in actions[:ACTIONS_MAX] if isinstance(each, dict) and str(each.get("action_id")) in _STATES
    ]
    return [_update(each, payload, _name(user, rules), rules, now) for each in pressed]


def _payload(body: bytes) -> dict[str, Any]:
    try:
        given = parse_qs(body.decode(), strict_parsing=True, max_num_fields=10).get("payload", [])
        payload = orjson.loads(given[0]) if len(given) == 1 else None
    except ValueError:  # also of bytes that are no text, and of text that is no JSON
        payload = None
    if not isinstance(payload, dict):
        raise ValueError("expected a form with one payload, an object in JSON")  # noqa: TRY004  # as above
    return payload


def _update(action: dict[str, Any], payload: dict[str, Any], name: str, rules: Slack, now: datetime) -> SinkUpdate:
    incident_id = action.get("value")
    if not isinstance(incident_id, str) or not 0 < len(incident_id) <= ID_CHARACTERS_MAX:
        raise ValueError("actions.value: expected the id of an incident")
    state = _STATES[action["action_id"]]
    words = f"Resolved by {rules.people.get(name, name)} by the button in Slack."
    container = payload.get("container")
    ts = str(container.get("message_ts", ""))[:ID_CHARACTERS_MAX] if isinstance(container, dict) else ""
    stamp = str(action.get("action_ts", ""))[:100]
    return SinkUpdate(
        update_id=f"{stamp or now.isoformat()}/{action['action_id']}/{incident_id}"[:ID_CHARACTERS_MAX],
        sink=rules.name,
        incident_id=incident_id,
        at=_moment(stamp) or now,
        author=name,
        fields=Fields(state=state),
        resolution=words if state is RemoteState.RESOLVED else None,
        remote_id=ts,
        remote_key=ts,
    )


def _name(user: dict[str, Any], rules: Slack) -> str:
    """Who pressed: the id where the configuration knows it, since names change; else the name."""
    identity, name = user.get("id"), user.get("username") or user.get("name")
    known = identity if isinstance(identity, str) and identity in rules.people else name or identity
    if not isinstance(known, str) or not known:
        raise ValueError("user: expected an id or a name")
    return known[:ID_CHARACTERS_MAX]


def _moment(stamp: str) -> datetime | None:
    """``1548426417.840180`` as a moment; None where it is none."""
    try:
        return datetime.fromtimestamp(float(stamp), UTC)
    except (ValueError, OverflowError, OSError):
        return None

"""``POST /v2/enqueue`` as PagerDuty's Events API v2 answers it, so that tools made for it need a new address only.

The event goes on as it came. Only a trigger without a deduplication key gets one written into it, as PagerDuty makes
one up and tells the sender, who then resolves by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from uuid import uuid4

import orjson

from pipeline.gateway.refusal import Reason, Refusal, too_large

PATH: Final = "/v2/enqueue"
CHANGE_PATH: Final = "/v2/change/enqueue"
EVENT_BYTES_MAX: Final = 512 * 1_024
"""As PagerDuty has it."""

DEDUP_KEY_CHARACTERS_MAX: Final = 255
ACTIONS: Final = ("trigger", "acknowledge", "resolve")
SEVERITIES: Final = ("critical", "error", "warning", "info")
_TRIGGER_NEEDS: Final = ("summary", "source", "severity")


class Event(NamedTuple):
    """An event that is taken.

    Attributes:
        body: the record's value.
        document: the same, parsed.
        dedup_key: of the sender, or made here.
    """

    body: bytes
    document: dict[str, Any]
    dedup_key: str


class Switchboard:
    """Routing keys to feeds. Kept as hashes, so that looking one up takes no longer where more of it is right."""

    def __init__(self, keys: Mapping[str, Sequence[bytes]]) -> None:
        """Take the routing keys of each feed."""
        self._feeds = {sha256(key).digest(): feed for feed, listed in keys.items() for key in listed}

    def __bool__(self) -> bool:
        """Whether any key is known."""
        return bool(self._feeds)

    def feed_of(self, document: dict[str, Any]) -> str:
        """The feed that an event's routing key chooses.

        Raises:
            Refusal: there is none, in PagerDuty's words.
        """
        key = document.get("routing_key")
        if not isinstance(key, str) or not key:
            raise invalid("'routing_key' is missing or blank")
        feed = self._feeds.get(sha256(key.encode()).digest())
        if feed is None:
            raise invalid("'routing_key' is not one of this gateway's", reason=Reason.UNAUTHENTICATED)
        return feed


def parsed(body: bytes) -> dict[str, Any]:
    """The event as an object.

    Raises:
        Refusal: it is too large or no JSON object.
    """
    if len(body) > EVENT_BYTES_MAX:
        raise too_large(EVENT_BYTES_MAX)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise invalid("the body is not JSON") from None
    if not isinstance(document, dict):
        raise invalid("the event is not a JSON object")
    return document


def checked(body: bytes, document: dict[str, Any]) -> Event:
    """The event, if PagerDuty would take it.

    Raises:
        Refusal: 400 with all that is wrong.
    """
    errors = _errors(document)
    if errors:
        raise invalid(*errors)
    given = document.get("dedup_key")
    if given:
        return Event(body, document, given)
    made = uuid4().hex
    return Event(_with_dedup_key(body, made), {**document, "dedup_key": made}, made)


def _errors(document: dict[str, Any]) -> list[str]:
    action, key = document.get("event_action"), document.get("dedup_key")
    errors = []
    if action not in ACTIONS:
        errors.append(f"'event_action' is missing or not one of {', '.join(ACTIONS)}")
    if key is not None and not isinstance(key, str):
        errors.append("'dedup_key' is not a string")
    elif key and len(key) > DEDUP_KEY_CHARACTERS_MAX:
        errors.append(f"'dedup_key' is longer than {DEDUP_KEY_CHARACTERS_MAX} characters")
    elif not key and action in ACTIONS[1:]:
        errors.append(f"'dedup_key' is missing or blank, and '{action}' needs it")
    if action == "trigger":
        errors += _payload_errors(document.get("payload"))
    return errors


def _payload_errors(payload: object) -> list[str]:
    if not isinstance(payload, dict):
        return ["'payload' is missing or not an object"]
    missing = [
        f"'payload.{name}' is missing or blank"
        for name in _TRIGGER_NEEDS
        if not isinstance(payload.get(name), str) or not payload[name]
    ]
    if isinstance(payload.get("severity"), str) and payload["severity"] and payload["severity"] not in SEVERITIES:
        missing.append(f"'payload.severity' is not one of {', '.join(SEVERITIES)}")
    return missing


def _with_dedup_key(body: bytes, key: str) -> bytes:
    """The same bytes with one more member at their end; of two members of a name, JSON readers take the last."""
    end = body.rindex(b"}")
    return body[:end] + b',"dedup_key":"' + key.encode() + b'"' + body[end:]


def invalid(*errors: str, reason: Reason = Reason.INVALID_EVENT) -> Refusal:
    """400."""
    return EventRefusal(errors, reason)


class EventRefusal(Refusal):
    """400 with a list of what is wrong."""

    def __init__(self, errors: Sequence[str], reason: Reason) -> None:
        sentence = "; ".join(errors)
        super().__init__(HTTPStatus.BAD_REQUEST, reason, sentence, private=sentence)
        self.errors = tuple(errors)


def success_answer(event: Event) -> bytes:
    """The body of 202."""
    return orjson.dumps({"status": "success", "message": "Event processed", "dedup_key": event.dedup_key})


def refusal_answer(refusal: Refusal) -> bytes:
    """The body of everything else, as PagerDuty words it."""
    if isinstance(refusal, EventRefusal):
        words = {"status": "invalid event", "message": "Event object is invalid", "errors": refusal.errors}
    elif refusal.status == HTTPStatus.TOO_MANY_REQUESTS:
        words = {"status": "throttle exceeded", "message": refusal.sentence, "errors": (refusal.sentence,)}
    else:
        words = {"status": "error", "message": refusal.sentence, "errors": (refusal.sentence,)}
    return orjson.dumps(words)


def change_refusal() -> Refusal:
    """Change events have no place here yet."""
    sentence = "change events are not taken here: write them to the topic 'changes'; see docs/gateway.md"
    return Refusal(HTTPStatus.NOT_FOUND, Reason.NOT_BUILT, sentence)

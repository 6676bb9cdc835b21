"""What Slack takes, as a schema of our own: the methods that we call, and the blocks of Block Kit that we use.

Written from https://docs.slack.dev/reference/methods and https://docs.slack.dev/reference/block-kit: required fields,
types, limits. A field that is not listed is refused, so that a misspelt one is noticed.
"""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator

Schema = dict[str, Any]


def _object(required: Schema, optional: Schema | None = None) -> Schema:
    properties = {**required, **(optional or {})}
    return {"type": "object", "required": list(required), "properties": properties, "additionalProperties": False}


def _text(longest: int, shortest: int = 1) -> Schema:
    return {"type": "string", "minLength": shortest, "maxLength": longest}


def _plain(longest: int) -> Schema:
    return _object({"type": {"const": "plain_text"}, "text": _text(longest)}, {"emoji": {"type": "boolean"}})


def _markup(longest: int) -> Schema:
    return _object({"type": {"const": "mrkdwn"}, "text": _text(longest)}, {"verbatim": {"type": "boolean"}})


_CONFIRM = _object({"title": _plain(100), "text": _plain(300), "confirm": _plain(30), "deny": _plain(30)})
_BUTTON = _object(
    {"type": {"const": "button"}, "text": _plain(75), "action_id": _text(255)},
    {"value": _text(2_000), "style": {"enum": ["primary", "danger"]}, "confirm": _CONFIRM},
)
_BLOCK_ID = {"block_id": _text(255)}
_SECTION_TEXT = _object({"type": {"const": "section"}, "text": _markup(3_000)}, _BLOCK_ID)
_FIELDS = {"type": "array", "items": _markup(2_000), "minItems": 1, "maxItems": 10}
_SECTION_FIELDS = _object({"type": {"const": "section"}, "fields": _FIELDS}, _BLOCK_ID)
_ELEMENTS = {"type": "array", "items": _markup(3_000), "minItems": 1, "maxItems": 10}
_BUTTONS = {"type": "array", "items": _BUTTON, "minItems": 1, "maxItems": 25}
_BLOCKS = {
    "type": "array",
    "maxItems": 50,
    "items": {
        "oneOf": [
            _object({"type": {"const": "header"}, "text": _plain(150)}, _BLOCK_ID),
            _SECTION_TEXT,
            _SECTION_FIELDS,
            _object({"type": {"const": "context"}, "elements": _ELEMENTS}, _BLOCK_ID),
            _object({"type": {"const": "actions"}, "elements": _BUTTONS}, _BLOCK_ID),
        ]
    },
}
_METADATA = _object({"event_type": _text(255), "event_payload": {"type": "object"}})
_TS = {"type": "string", "pattern": r"^\d{10}\.\d{6}$"}
_CHANNEL = {"type": "string", "pattern": r"^[CG][A-Z0-9]{1,20}$"}
_SAID = {"channel": _CHANNEL, "text": _text(40_000), "blocks": _BLOCKS, "metadata": _METADATA}
_POSTED = {
    "thread_ts": _TS,
    "parse": {"const": "none"},
    "link_names": {"type": "boolean"},
    "unfurl_links": {"type": "boolean"},
    "unfurl_media": {"type": "boolean"},
}
# The query of a GET is text.
_PAGE = {
    "limit": {"type": "string", "pattern": r"^\d{1,3}$"},
    "cursor": _text(100),
    "include_all_metadata": {"enum": ["true", "false"]},
}
_SPAN = {"oldest": _text(20), "latest": _text(20), "inclusive": {"enum": ["true", "false"]}}

SCHEMAS: dict[str, Schema] = {
    "chat.postMessage": _object(_SAID, _POSTED),
    "chat.update": _object({**_SAID, "ts": _TS}),
    "chat.getPermalink": _object({"channel": _CHANNEL, "message_ts": _TS}),
    "conversations.history": _object({"channel": _CHANNEL}, {**_PAGE, **_SPAN}),
    "conversations.replies": _object({"channel": _CHANNEL, "ts": _TS}, {**_PAGE, **_SPAN}),
}

BLOCKS_CHARACTERS_MAX = 13_200
"""Of all blocks together: from there on people report ``msg_blocks_too_long``."""


def complaint(method: str, arguments: Any) -> str:
    """What is wrong with a request; "" where nothing is."""
    if method not in SCHEMAS:
        return "no such method"
    for error in Draft202012Validator(SCHEMAS[method]).iter_errors(arguments):
        return f"{error.json_path}: {error.message[:300]}"
    characters = sum(len(text) for text in _texts(arguments.get("blocks", [])))
    return "blocks are too long" if characters > BLOCKS_CHARACTERS_MAX else ""


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return own + [text for each in value.values() for text in _texts(each)]
    return [text for each in value for text in _texts(each)] if isinstance(value, list) else []

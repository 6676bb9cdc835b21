"""Bodies of webhooks that come back, as far as all of them are alike. Pure."""

from __future__ import annotations

from typing import Any

import orjson


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a body.

    Raises:
        ValueError: it is none; the message is one line and repeats nothing of it.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ValueError("the body is not JSON") from None
    if isinstance(document, dict):
        return document
    raise ValueError("the body is no JSON object")

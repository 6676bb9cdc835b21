"""Payloads of the sources, as they arrive: `samples/` holds one fictional outage at a freight company."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from pipeline.feeds import ADAPTERS, RawMessage
from pipeline.models.alert import Alert
from pipeline.models.decision import BadRecord

SAMPLES = Path(__file__).parent / "samples"


def document(name: str) -> Any:
    """The parsed document of a sample."""
    return orjson.loads((SAMPLES / f"{name}.json").read_bytes())


def read(adapter: str, payload: object, *headers: tuple[str, bytes]) -> list[Alert | BadRecord]:
    """What an adapter makes of a document, in a feed of the adapter's name."""
    chosen = ADAPTERS[adapter]
    return chosen(payload, RawMessage(adapter, chosen.feed_class, headers))


def alerts(adapter: str, payload: object, *headers: tuple[str, bytes]) -> list[Alert]:
    """The alerts of a message without bad members."""
    results = read(adapter, payload, *headers)
    assert all(isinstance(result, Alert) for result in results), results
    return [result for result in results if isinstance(result, Alert)]


def only(adapter: str, payload: object, *headers: tuple[str, bytes]) -> Alert:
    """The one alert of a message."""
    (alert,) = alerts(adapter, payload, *headers)
    return alert

"""Payloads of the sources, as they arrive: `samples/` holds one fictional outage at a freight company.

`expected/` has, by hand, what each sample must become. A file there holds:

- ``adapter``: who reads it; ``headers``: of the Kafka record; ``options``: of the feed;
- ``meets``: the sample of the same condition's end (or beginning), whose alert keys must be the same, in order;
- ``alerts``: every fact of each alert but its key and feed; what is not written must be absent.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Final

import orjson
import yaml

from pipeline.feeds import ADAPTERS, RawMessage
from pipeline.models.alert import Alert
from pipeline.models.decision import BadRecord

SAMPLES = Path(__file__).parent / "samples"
EXPECTED = Path(__file__).parent / "expected"

_NOT_SAID: Final = ("feed", "feed_class", "alert_key", "schema", "origin", "received_at_ms")


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample and what it must become.

    Attributes:
        file: with the bytes as they arrive.
    """

    name: str
    file: Path
    adapter: str
    headers: tuple[tuple[str, bytes], ...]
    options: dict[str, Any]
    meets: str | None
    alerts: list[dict[str, Any]]

    def document(self) -> Any:
        """What the adapter is given."""
        decode = ADAPTERS[self.adapter].decode
        return orjson.loads(self.file.read_bytes()) if decode is None else decode(self.file.read_bytes())

    def read(self, payload: object, feed: str | None = None) -> list[Alert | BadRecord]:
        """What the adapter makes of a document that came as this sample does."""
        adapter = ADAPTERS[self.adapter]
        message = RawMessage(feed or self.adapter, adapter.feed_class, self.headers, adapter.read_options(self.options))
        return adapter(payload, message)


def _sample(file: Path) -> Sample:
    said = yaml.safe_load(file.read_text())
    (payload,) = SAMPLES.glob(f"{file.stem}.*")
    headers = tuple((name, value.encode()) for name, value in said.get("headers", {}).items())
    return Sample(
        file.stem, payload, said["adapter"], headers, said.get("options", {}), said.get("meets"), said["alerts"]
    )


SAMPLE_OF: Final = {file.stem: _sample(file) for file in sorted(EXPECTED.glob("*.yaml"))}
"""Every sample by its name."""


def facts(alert: Alert) -> dict[str, Any]:
    """What an alert says, without what every alert of its feed shares."""
    said: dict[str, Any] = {}
    for field in fields(Alert):
        default = field.default if field.default_factory is MISSING else field.default_factory()
        value = getattr(alert, field.name)
        if field.name not in _NOT_SAID and (default is MISSING or value != default):
            said[field.name] = str(value) if isinstance(value, str) else value
    return said


def document(name: str) -> Any:
    """The parsed document of a sample."""
    return orjson.loads((SAMPLES / f"{name}.json").read_bytes())


def read(adapter: str, payload: object, *headers: tuple[str, bytes], **options: object) -> list[Alert | BadRecord]:
    """What an adapter makes of a document, in a feed of the adapter's name."""
    chosen = ADAPTERS[adapter]
    return chosen(payload, RawMessage(adapter, chosen.feed_class, headers, chosen.read_options(options)))


def alerts(adapter: str, payload: object, *headers: tuple[str, bytes], **options: object) -> list[Alert]:
    """The alerts of a message without bad members."""
    results = read(adapter, payload, *headers, **options)
    assert all(isinstance(result, Alert) for result in results), results
    return [result for result in results if isinstance(result, Alert)]


def only(adapter: str, payload: object, *headers: tuple[str, bytes], **options: object) -> Alert:
    """The one alert of a message."""
    (alert,) = alerts(adapter, payload, *headers, **options)
    return alert

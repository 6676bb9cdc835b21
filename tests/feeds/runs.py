"""Runs of a source through the real pipeline without a broker: what its messages come to as incidents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from pipeline.core.step import StreamRecord
from pipeline.models.policy import Config, Feed
from pipeline.replay import Replay, incident_lines
from tests.feeds.payloads import SAMPLES


def sample(file: str) -> bytes:
    """The bytes of a sample as they arrive."""
    return (SAMPLES / file).read_bytes()


class Run:
    """A feed's messages, one after another, and what they came to.

    Args:
        adapter: reads them, in a feed of its name.
        messages: time of receipt in epoch milliseconds, and the record's value.
        run_on_seconds: how long time goes on after the last.
        options: of the feed.
    """

    def __init__(
        self, adapter: str, messages: Sequence[tuple[int, bytes]], run_on_seconds: int = 0, **options: Any
    ) -> None:
        config = Config(feeds={adapter: Feed(name=adapter, adapter=adapter, options=options)})
        replay = Replay(config)
        records = [
            StreamRecord(f"alerts.raw.{adapter}", 0, offset, at_ms, None, value)
            for offset, (at_ms, value) in enumerate(messages)
        ]
        outcome = replay.run(records, run_on_seconds=run_on_seconds)
        assert replay.remainder() == 0
        self.decisions = [(each.disposition.value, each.reason.value) for each in outcome.decisions]
        lines = incident_lines(outcome.decisions, [event.value or b"" for event in outcome.events])
        self.incidents: list[dict[str, Any]] = [orjson.loads(line) for line in lines]

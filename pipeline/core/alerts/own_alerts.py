"""Spillway's own alerts: what its monitoring says of it comes back by a feed of its own, and may not go in circles.

A circle would be: a sink is down, an alert says so, its incident is told to that sink, that fails, an alert says so...
The guard, wherever an own alert passes:

- ingest: a condition is an alert's name and what it is about (`IDENTITY_LABELS`), whatever else it carries: no pod,
  no incident and no delivery makes another one. So there are as many as rules times stages, sinks and feeds.
- ingest: own alerts have spaces of their own. They meet no other alert, and an incident about a sink is alone there.
- dedupe: so many new episodes an hour and no more (`OWN_EPISODES_PER_HOUR_MAX`): `Reason.OWN_RATE`.
- correlate: what is broken elsewhere inhibits none of them (`CorrelateExpected`).
- deliver: no sink is told of an incident about itself (`is_told`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipeline.core.identity import content_hash
from pipeline.core.step import TICK_KEY, Output, Record
from pipeline.models.alert import Alert

SPACE_CHARS_MAX: Final = 63
"""Spaces are partition keys and appear in ids; an environment is one short word."""

OWN_FEED: Final = "spillway"
"""Name of the feed: it reads ``alerts.raw.spillway``, where it is in feeds.yaml."""

OWN_SPACE: Final = "spillway"
"""Space of what is about Spillway as a whole."""

SINK_SPACE: Final = "spillway.sink."
"""Begin of the space of what is about one sink."""

IDENTITY_LABELS: Final = ("alertname", "stage", "sink", "feed")
"""What tells one own condition from another. Each has few values: those of the rules and of the configuration."""

OWN_EPISODES_PER_HOUR_MAX: Final = 20
"""New episodes of own alerts an hour and partition of dedupe. An operator reads a handful; a circle makes thousands."""

PROBE_LABEL: Final = "spillway_probe"
"""Label of a heartbeat that is a probe: its id. It goes on as a tick, to be seen once correlate has committed it."""

PROBE_HEADER: Final = "spillway-probe"
"""Header of such a tick: the id."""

PROBE_PARTITION: Final = 0

PROBE_CHARS_MAX: Final = 64
"""An id is some letters and digits; what is longer is none."""


def as_own(alert: Alert) -> None:
    """Make an own alert the same condition whatever it carries, in place."""
    labels = alert.labels
    alert.alert_key = content_hash(OWN_FEED, *(labels.get(name, "") for name in IDENTITY_LABELS))
    alert.source_episode_id = alert.delivery_id = None


def own_space(labels: Mapping[str, str]) -> str:
    """Space of an own alert."""
    sink = labels.get("sink", "")
    return space_of_sink(sink) if sink else OWN_SPACE


def space_of_sink(sink: str) -> str:
    """Space of what is about a sink; cut as every space is."""
    return f"{SINK_SPACE}{sink}"[:SPACE_CHARS_MAX]


def is_told(sink: str, space: str) -> bool:
    """Whether a sink may be told of an incident in a space: not of its own trouble."""
    return not space.startswith(SINK_SPACE) or space != space_of_sink(sink)


def probe_of(alert: Alert) -> str | None:
    """Id of the probe that a heartbeat is; None where it is none."""
    probe = alert.labels.get(PROBE_LABEL) if alert.feed == OWN_FEED else None
    return probe if probe and probe.isascii() and probe.isalnum() and len(probe) <= PROBE_CHARS_MAX else None


def probe_tick(topic: str, probe: str, at_ms: int) -> Output:
    """The tick that carries a probe on."""
    return Output(topic, TICK_KEY, None, at_ms, ((PROBE_HEADER, probe.encode()),), PROBE_PARTITION)


def carried_probe(record: Record) -> str | None:
    """Id of the probe that a tick carries; None for any other."""
    return next((value.decode(errors="replace") for name, value in record.headers if name == PROBE_HEADER), None)

"""What outboxes come to, by sink: for metrics."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.core.outward.outbox import Outbox


def figures(outboxes: Iterable[Outbox], sinks: Iterable[str]) -> dict[str, dict[str, float]]:
    """Deliveries that wait and that were given up, of incidents that have not ended, and records that are open there.

    Args:
        outboxes: all that there are.
        sinks: whose figures are 0 where they have none.
    """
    waiting = dict.fromkeys(sinks, 0.0)
    parked, there = dict(waiting), dict(waiting)
    for outbox in outboxes:
        sink, remote = outbox.sink, outbox.remote
        waiting[sink] = waiting.get(sink, 0.0) + len(outbox.queue)
        parked[sink] = parked.get(sink, 0.0) + outbox.parked_waiting
        there[sink] = there.get(sink, 0.0) + (remote is not None and not remote.ended)
    return {"deliveries_waiting": waiting, "deliveries_parked": parked, "sink_records_open": there}


def oldest_ms(outboxes: Iterable[Outbox]) -> dict[str, int]:
    """Sink -> when the oldest happened that it has not been told of and that is not given up."""
    oldest: dict[str, int] = {}
    for outbox in outboxes:
        if outbox.queue:
            since_ms = outbox.queue[0].at_ms
            oldest[outbox.sink] = min(since_ms, oldest.get(outbox.sink, since_ms))
    return oldest

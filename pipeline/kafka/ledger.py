"""The ledger of deliveries as it lies on its topic, the incidents it is about, and what became of their deliveries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import orjson

from pipeline.core.identity import partition_of
from pipeline.core.step import StreamRecord
from pipeline.kafka.scan import ScanError, existing, extent, scan
from pipeline.models.ledger import LedgerEntry

Client = Mapping[str, Any]
"""Configuration of the librdkafka client: the bootstrap address at least."""

Seen = Callable[[int], None]
"""Told how many records were read, now and then."""

_TOLD_EVERY: Final = 500  # records; more often costs more than it tells


def topic_size(client: Client, topic: str) -> int:
    """Records that reading a topic takes at most.

    Raises:
        ScanError: the topic is missing or cannot be read.
    """
    return extent(client, {topic: _partitions(client, topic)})


def read_ledger(client: Client, topic: str, seen: Seen | None = None) -> list[LedgerEntry]:
    """The newest entry of each sink and incident, in their order.

    Args:
        client: of librdkafka.
        topic: ``deliveries.state`` on the wire.
        seen: told of progress.

    Raises:
        ScanError: the topic is missing or cannot be read, or holds an entry of another release.
    """
    newest: dict[bytes, bytes] = {}
    for record in _counted(scan(client, {topic: _partitions(client, topic)}), seen):
        if record.key is None:
            continue
        if record.value is None:
            newest.pop(record.key, None)
        else:
            newest[record.key] = record.value
    try:
        entries = [LedgerEntry.from_wire(orjson.loads(value)) for value in newest.values()]
    except (ValueError, TypeError, AttributeError) as error:
        raise ScanError(f"{topic}: {error}; use the release that the workers run") from error
    return sorted(entries, key=lambda each: (each.sink, each.incident_id))


def read_states(client: Client, topic: str, wanted: Iterable[str], seen: Seen | None = None) -> dict[str, str]:
    """The newest state of each of these incidents; one that is not known is left out.

    Args:
        client: of librdkafka.
        topic: ``incidents.state`` on the wire.
        wanted: ids of incidents.
        seen: told of progress.

    Raises:
        ScanError: the topic is missing or cannot be read.
    """
    ids = {each.encode(): each for each in wanted}
    found: dict[str, str] = {}
    for record in _counted(scan(client, {topic: _partitions(client, topic)}), seen):
        incident_id = ids.get(record.key or b"")
        if incident_id is None:
            continue
        if record.value is None:
            found.pop(incident_id, None)
        else:
            found[incident_id] = str(orjson.loads(record.value).get("state", ""))
    return found


def read_deliveries(client: Client, topic: str, incident_id: str, seen: Seen | None = None) -> list[dict[str, Any]]:
    """All that became of an incident's deliveries, and of what came back about it, oldest first.

    Args:
        client: of librdkafka.
        topic: ``deliveries`` on the wire.
        incident_id: of the incident.
        seen: told of progress.

    Raises:
        ScanError: the topic is missing or cannot be read.
    """
    key, partitions = incident_id.encode(), _partitions(client, topic)
    here = {topic: (partition_of(key, len(partitions)),)}
    found = [each.value for each in _counted(scan(client, here), seen) if each.key == key and each.value]
    return [orjson.loads(value) for value in found]


def partitions_of(client: Client, topic: str) -> int:
    """How many partitions a topic has.

    Raises:
        ScanError: it is missing.
    """
    return len(_partitions(client, topic))


def _partitions(client: Client, topic: str) -> tuple[int, ...]:
    found = existing(client, [topic])
    if topic not in found:
        raise ScanError(f"topic {topic} is missing: run `spillway topics apply`, with the same SPILLWAY_TOPIC_PREFIX")
    return found[topic]


def _counted(records: Iterator[StreamRecord], seen: Seen | None) -> Iterator[StreamRecord]:
    for number, record in enumerate(records, 1):
        yield record
        if seen is not None and number % _TOLD_EVERY == 0:
            seen(number)

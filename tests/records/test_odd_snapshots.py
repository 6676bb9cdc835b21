"""Whatever a snapshot holds, the projection writes it: one odd record must not stop the records of a partition."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final

import orjson
import pytest

from pipeline.core.outward.incident_event import IncidentEvent, read_event
from pipeline.core.step import StreamRecord
from pipeline.records.store import RecordsStore
from tests.core.builders import MINUTE, T0, alert
from tests.core.rooms import Room

ODD: Final[dict[str, Any]] = {
    "null": None,
    "true": True,
    "negative": -1,
    "fraction": 0.5,
    "huge": 2**63,
    "vast": 1e308,
    "empty word": "",
    "long word": "wörter " * 2_000,
    "NUL": "a\0b",
    "list": [],
    "mixed list": [None, 1, "x", {"y": [2]}],
    "object": {"a": {"b": 1}},
}
DEPTH_MAX: Final = 3


def example() -> IncidentEvent:
    """The last revision of an incident that has been through most of a life."""
    room = Room()
    room.open(alert("a", event_at_ms=T0 - MINUTE))
    room.ask("acknowledge", T0 + MINUTE, note="looking")
    room.ask("wait", T0 + 2 * MINUTE, waiting_for="vendor", link={"kind": "vendor_ticket", "id": "V-1"})
    room.ask("mitigate", T0 + 3 * MINUTE, workaround="restarted")
    room.ask("resolve", T0 + 4 * MINUTE, resolution={"code": "fixed", "summary": "restarted"})
    told = [each for each in room.effects.outputs if each.topic == "incidents"][-1]
    return read_event(StreamRecord("incidents", 0, 0, told.timestamp_ms, told.key, told.value))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of a document, down to `DEPTH_MAX`."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in members:
        yield (*path, name)
        if len(path) + 1 < DEPTH_MAX:
            yield from places(each, (*path, name))


def put(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = deepcopy(document)
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return changed


@pytest.mark.parametrize("kind", ODD)
def test_no_field_of_a_snapshot_or_an_entry_stops_the_projection_whatever_it_holds(
    store: RecordsStore, kind: str
) -> None:
    event = example()
    odd = [event._replace(incident=put(event.incident, path, ODD[kind])) for path in places(event.incident)]
    odd += [
        event._replace(entries=put(event.entries, path, ODD[kind])) for path in places(event.entries) if len(path) > 1
    ]
    odd = [each._replace(incident_id=f"INC-{number}") for number, each in enumerate(odd)]
    store.project(odd)
    assert len(store.incidents(limit=10_000)) == len(odd) > 100, orjson.dumps(kind)

"""The press: drafts become revisions. An event for each, at once; the compacted twin once a batch, with the last.

CloudEvents 1.0, Kafka protocol binding, binary content mode. A snapshot is serialised once and its bytes go into the
event, the twin and the changelog.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import orjson

from pipeline.core.chain import content_of, seal
from pipeline.core.draft import Draft
from pipeline.core.step import Effects, Headers, Output
from pipeline.models.incident import INCIDENT_SCHEMA, Incident
from pipeline.models.wire import to_json

CONTENT_TYPE: Final = b"application/json"
TYPE_PREFIX: Final = "dev.spillway.incident."

SNAPSHOTS_KEPT_MAX: Final = 4_096
"""Snapshots kept for the changelog, more than a batch has; a replay, which has none, never asks for them."""

_TYPE_HEADER: Final = ("content-type", CONTENT_TYPE)
_VERSION_HEADER: Final = ("ce_specversion", b"1.0")


class Press:
    """Publishes the incidents of one partition and remembers what the batch has still to write of them."""

    def __init__(self) -> None:
        self._snapshots: dict[str, bytes] = {}
        self._twins: dict[str, tuple[int, bytes]] = {}

    def publish(self, draft: Draft, effects: Effects) -> None:
        """Turn a draft into the next revision of its incident."""
        incident = draft.incident
        incident.revision += 1
        incident.updated_at_ms = draft.now_ms
        change = draft.change().value
        draft.finish()
        before = incident.chain
        entries = orjson.Fragment(orjson.dumps(draft.entries))  # once for what is sealed and what is sent
        content = content_of(incident.id, incident.revision, change, draft.now_ms, entries)
        incident.chain = seal(before, content)
        if len(self._snapshots) >= SNAPSHOTS_KEPT_MAX:
            self._snapshots.clear()
        snapshot = self._snapshots[incident.id] = to_json(incident)
        self._twins[incident.id] = (draft.now_ms, snapshot)
        body = {
            "schema": INCIDENT_SCHEMA,
            "incident_id": incident.id,
            "revision": incident.revision,
            "change": change,
            "at_ms": draft.now_ms,
            "entries": entries,
            "joined": draft.joined,
            "left": draft.left,
            "command_id": draft.command_id,
            "chain_before": before,
            "incident": orjson.Fragment(snapshot),
        }
        key = incident.id.encode()
        headers = _headers(incident, key, change, draft.now_ms)
        effects.outputs.append(Output("incidents", key, to_json(body), draft.now_ms, headers))

    def finish(self, effects: Effects) -> None:
        """Write the compacted twin of each incident published since the last call: its last revision alone counts."""
        for incident_id, (at_ms, snapshot) in self._twins.items():
            effects.outputs.append(Output("incidents.state", incident_id.encode(), snapshot, at_ms, (_TYPE_HEADER,)))
        self._twins.clear()

    def take_snapshot(self, incident_id: str) -> bytes | None:
        """An incident as it was published last, where it is still known; the changelog asks once a batch."""
        return self._snapshots.pop(incident_id, None)


def _headers(incident: Incident, key: bytes, change: str, now_ms: int) -> Headers:
    revision = b"%d" % incident.revision
    return (
        _TYPE_HEADER,
        _VERSION_HEADER,
        ("ce_id", b"%s/%s" % (key, revision)),
        ("ce_type", f"{TYPE_PREFIX}{change}.v1".encode()),
        ("ce_source", f"/spillway/{incident.space}".encode()),
        ("ce_subject", key),
        ("ce_time", b"%s.%03dZ" % (_second(now_ms // 1_000), now_ms % 1_000)),
        ("ce_partitionkey", key),
        ("ce_sequence", revision),
    )


@lru_cache(maxsize=16)
def _second(moment: int) -> bytes:
    """An epoch second as RFC 3339 spells it, without its zone."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()

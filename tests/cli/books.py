"""A ledger, incidents and deliveries on the topics of one test, and the command as its operator calls it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import yaml
from click.testing import CliRunner, Result
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from pipeline.cli import main
from pipeline.core.identity import partition_of
from pipeline.kafka.scan import all_topics, scan
from pipeline.kafka.topics import apply, desired_topics, plan
from pipeline.models.delivery import DELIVERIES_TOPIC
from pipeline.models.ledger import DELIVERIES_STATE_TOPIC, LedgerEntry
from pipeline.models.policy import Config
from pipeline.models.remote import SINK_UPDATES_TOPIC, SinkUpdate
from pipeline.settings import Settings

PARTITIONS = 2
TOPICS = (DELIVERIES_STATE_TOPIC, "incidents.state", DELIVERIES_TOPIC, SINK_UPDATES_TOPIC)


class Books:
    """Topics of one test."""

    def __init__(self, kafka: str, prefix: str, place: Path, sinks: dict[str, Any]) -> None:
        self.kafka = kafka
        self.prefix = prefix
        self.environment: dict[str, str] = {}
        self.place = place
        self._client: dict[str, Any] = {"bootstrap.servers": kafka, "log_level": 0}
        place.mkdir(exist_ok=True)
        (place / "sinks.yaml").write_text(yaml.safe_dump(sinks))
        settings = Settings(bootstrap=kafka, topic_prefix=prefix, partitions=PARTITIONS)
        admin = AdminClient(self._client)
        needed = {prefix + topic for topic in TOPICS}
        apply(admin, plan(admin, [each for each in desired_topics(settings, Config()) if each.name in needed]))
        self._producer = Producer(self._client)

    def write(self, *entries: LedgerEntry) -> None:
        """Entries onto the ledger."""
        for each in entries:
            self.put(DELIVERIES_STATE_TOPIC, f"{each.sink}/{each.incident_id}", each.to_wire())

    def forget(self, sink: str, incident_id: str) -> None:
        """An entry ends."""
        self.put(DELIVERIES_STATE_TOPIC, f"{sink}/{incident_id}", None)

    def incident(self, incident_id: str, state: str) -> None:
        """How an incident is."""
        self.put("incidents.state", incident_id, {"id": incident_id, "state": state})

    def put(self, topic: str, key: str, document: Any) -> None:
        """Any record where its key belongs."""
        value = None if document is None else orjson.dumps(document)
        self._producer.produce(self.prefix + topic, value, key, partition_of(key.encode(), PARTITIONS))
        assert self._producer.flush(30) == 0

    def updates(self) -> list[tuple[int, SinkUpdate]]:
        """Partition and value of what was written to ``sink.updates``."""
        name = self.prefix + SINK_UPDATES_TOPIC
        found = scan(self._client, {name: all_topics(self._client)[name]})
        return sorted(
            ((each.partition, SinkUpdate.model_validate_json(each.value or b"")) for each in found),
            key=lambda each: (each[1].incident_id, each[0]),
        )

    def __call__(self, *arguments: str, **environment: str) -> Result:
        given = {
            "SPILLWAY_BOOTSTRAP": self.kafka,
            "SPILLWAY_TOPIC_PREFIX": self.prefix,
            "SPILLWAY_CONFIG": str(self.place),
            "COLUMNS": "220",
        }
        return CliRunner().invoke(main, list(arguments), env=given | self.environment | environment)


def entry(incident_id: str, sink: str = "desk", incident_state: str = "acknowledged", **more: Any) -> LedgerEntry:
    """An entry of a record that is open there and here."""
    fields: dict[str, Any] = {
        "type": "servicenow",
        "remote_id": f"id-{incident_id}",
        "remote_key": f"INC00{incident_id[-2:]}",
        "remote_url": f"https://desk.example/{incident_id}",
        "remote_state": "open",
        "remote_fields": {"state": "open", "priority": "P1"},
        "last": {"outcome": "delivered", "at_ms": 1_772_590_302_000, "attempt": 1, "status": 200, "detail": ""},
    }
    return LedgerEntry(sink=sink, incident_id=incident_id, incident_state=incident_state, **fields | more)

"""A dead-letter topic of one test, and the command as its operator calls it."""

from __future__ import annotations

from click.testing import CliRunner, Result
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from pipeline.cli import main
from pipeline.core.step import StreamRecord
from pipeline.core.step import dead_letter as make_letter
from pipeline.flow import DEAD_LETTER_TOPIC
from pipeline.kafka.dead_letters import Box, read_box
from pipeline.kafka.retry import Retry
from pipeline.kafka.scan import all_topics, scan
from pipeline.kafka.topics import apply, desired_topics, plan
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.policy import Config
from pipeline.settings import Settings

RAW = "alerts.raw.grafana"
APP_ID = "letters"
AT_MS = 1_780_000_000_000


class Company:
    """Topics of one test, and the command as its operator calls it."""

    def __init__(self, kafka: str, prefix: str) -> None:
        self.kafka = kafka
        self.prefix = prefix
        # A recording's clock keeps all records: by the wall's, fixed timestamps are past retention one day.
        values = {"bootstrap": kafka, "topic_prefix": prefix, "partitions": 2, "clock": "recording"}
        settings = Settings.model_validate(values)
        admin = AdminClient({"bootstrap.servers": kafka})
        needed = {prefix + RAW, prefix + DEAD_LETTER_TOPIC}
        wanted = [topic for topic in desired_topics(settings, Config()) if topic.name in needed]
        apply(admin, plan(admin, wanted))
        self._producer = Producer({"bootstrap.servers": kafka, "message.max.bytes": 64 << 20})

    def refuse(
        self,
        value: bytes | None,
        reason: Reason = Reason.BROKEN_JSON,
        offset: int = 17,
        headers: tuple[tuple[str, bytes], ...] = (("x-source", b"probe"),),
        more: tuple[tuple[str, bytes], ...] = (),
        *,
        stage: str = "ingest",
        topic: str = RAW,
        at_ms: int = AT_MS,
        key: bytes | None = b"key",
        detail: str = "line 1, column 2: not JSON",
    ) -> None:
        """Write the dead letter that a stage writes for such a record."""
        raw = StreamRecord(topic, 1, offset, at_ms, key, value, headers)
        letter = make_letter(stage, raw, BadRecord(reason, detail))
        self._producer.produce(
            self.prefix + letter.topic,
            letter.value,
            letter.key,
            0,
            timestamp=letter.timestamp_ms,
            headers=[*letter.headers, *more],
        )
        assert self._producer.flush(30) == 0

    def retry(self) -> Retry:
        """The way back as the command makes it."""
        client = {"bootstrap.servers": self.kafka, "log_level": 0}
        topic = self.prefix + DEAD_LETTER_TOPIC
        return Retry(client, f"{APP_ID}-dead-letter-retry", self.prefix, topic, all_topics(client))

    def box(self) -> Box:
        return read_box({"bootstrap.servers": self.kafka}, self.prefix + DEAD_LETTER_TOPIC)

    def __call__(self, *arguments: str) -> Result:
        environment = {
            "SPILLWAY_BOOTSTRAP": self.kafka,
            "SPILLWAY_TOPIC_PREFIX": self.prefix,
            "SPILLWAY_APP_ID": APP_ID,
            "COLUMNS": "220",
        }
        return CliRunner().invoke(main, ["dead-letter", *arguments], env=environment)

    def raw(self) -> list[StreamRecord]:
        client = {"bootstrap.servers": self.kafka}
        name = self.prefix + RAW
        return list(scan(client, {name: all_topics(client)[name]}))

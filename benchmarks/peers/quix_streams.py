"""Quix Streams: two dataframes in one application, state in RocksDB with changelog topics, exactly once."""

from __future__ import annotations

from typing import Any

from quixstreams import Application
from quixstreams.models import TopicConfig

from benchmarks.peers.job import PARTITIONS, Document, Job, Meter, count, flatten, group


def create_app(job: Job) -> Any:
    """The application of both stages."""
    meter = Meter(job)
    app = Application(
        broker_address=job.bootstrap,
        consumer_group=job.group,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_interval=job.commit_seconds,
        state_dir=job.state,
        consumer_extra_config={"fetch.wait.max.ms": 50},
        producer_extra_config={"linger.ms": 5},
        loglevel="WARNING",
    )
    config = TopicConfig(num_partitions=PARTITIONS, replication_factor=1)
    source = app.topic(job.source, key_deserializer="str", value_deserializer="json", config=config)
    accepted = app.topic(
        job.accepted,
        key_deserializer="str",
        key_serializer="str",
        value_deserializer="json",
        value_serializer="json",
        config=config,
    )
    changes = app.topic(job.changes, key_serializer="str", value_serializer="json", config=config)

    def is_news(flat: Document, state: Any) -> bool:
        seen, news = count(state.get("seen"), flat)
        state.set("seen", seen)
        meter.one()
        return news

    def change_of(flat: Document, state: Any) -> Document:
        now, change = group(state.get("group"), flat)
        state.set("group", now)
        meter.two()
        return change

    alerts = app.dataframe(source).apply(lambda alert: flatten(alert, job.services))
    alerts.filter(is_news, stateful=True).to_topic(accepted, key=lambda flat: flat["domain"])
    app.dataframe(accepted).apply(change_of, stateful=True).to_topic(changes)
    return app


if __name__ == "__main__":
    create_app(Job.from_environment()).run()

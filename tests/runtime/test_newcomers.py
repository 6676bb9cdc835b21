"""A raw topic that appears while ingest runs."""

from __future__ import annotations

import asyncio

import orjson
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from prometheus_client import CollectorRegistry

from pipeline.runtime.context import StageContext
from pipeline.runtime.metrics import Metrics
from pipeline.runtime.newcomers import TopicWatch
from pipeline.settings import Settings
from tests.runtime.toy import Count


def context(kafka: str, prefix: str) -> StageContext:
    return StageContext(
        settings=Settings(bootstrap=kafka, topic_prefix=prefix),
        stage="ingest",
        inputs=("alerts.raw.known",),
        partition_counts={},
        factory=Count,
        metrics=Metrics(CollectorRegistry(), ["ingest"]),
    )


def test_a_raw_topic_that_is_not_read_is_told_once_and_shown(
    kafka: str, prefix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    names = ("alerts.raw.known", "alerts.raw.stranger", "alerts")
    for made in admin.create_topics([NewTopic(prefix + name, 1, 1) for name in names]).values():
        made.result()
    hosted = context(kafka, prefix)
    watch = TopicWatch(hosted)
    for _ in range(2):
        asyncio.run(watch.look())
    (line,) = capfd.readouterr().err.splitlines()
    said = orjson.loads(line)
    assert (said["event"], said["topic"]) == ("topic not read", f"{prefix}alerts.raw.stranger")
    assert said["do"].startswith("restart ingest")
    assert hosted.metrics.registry.get_sample_value("spillway_topics_not_read", {"stage": "ingest"}) == 1


def test_without_a_broker_nothing_is_told(prefix: str, capfd: pytest.CaptureFixture[str]) -> None:
    asyncio.run(TopicWatch(context("127.0.0.1:1", prefix)).look())
    assert capfd.readouterr().err == ""

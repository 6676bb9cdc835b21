"""Producers choose how they compress; workers read whatever Kafka allows."""

from __future__ import annotations

import pytest
from aiokafka import codec


@pytest.mark.parametrize("name", ["gzip", "snappy", "lz4", "zstd"])
def test_every_codec_of_kafka_can_be_read(name: str) -> None:
    assert getattr(codec, f"has_{name}")()

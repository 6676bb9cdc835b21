"""One run's installation: topics on the broker, a configuration directory, alerts on the raw topic."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.alerts import Flood, webhook
from benchmarks.broker import Broker, fresh_name
from benchmarks.corpus import write_company
from benchmarks.worker import settings_for
from pipeline.catalog import load_config
from pipeline.kafka.topics import TopicsError, apply, desired_topics, plan
from pipeline.settings import Settings

RAW_TOPIC: Final = "alerts.raw.alertmanager"
TOPICS_TRIES: Final = 4
DECIDING_STAGES: Final = ("ingest", "dedupe", "correlate", "bridge", "problem")
"""From the raw record to `incidents`; deliver and record come after it."""


@dataclass(frozen=True, slots=True)
class Site:
    """Topics and settings of one run."""

    broker: Broker
    settings: Settings

    def preload(self, flood: Flood) -> int:
        """Put the alerts on the raw topic, keyed by condition, all visible at once."""
        made = ((each.fingerprint, webhook(each.alert)) for each in flood.make())
        return self.broker.preload(RAW_TOPIC, made)


def make_topics(settings: Settings, directory: Path, broker: Broker) -> None:
    """Make the topics; a broker that has much to do is asked again."""
    admin, wanted = broker.admin, desired_topics(settings, load_config(directory))
    for left in reversed(range(TOPICS_TRIES)):
        try:
            apply(admin, plan(admin, wanted))
            return
        except TopicsError:
            if not left:
                raise


@contextmanager
def installed(
    broker: Broker,
    services: int,
    partitions: int,
    instance: str | None = None,
    prepare: Callable[[Path], None] | None = None,
) -> Iterator[Site]:
    """A fresh installation for the time of the block. The broker is ours alone, so topics have no prefix.

    ``prepare``: adds to the configuration directory before it is read.
    """
    with tempfile.TemporaryDirectory(prefix="spillway-bench-") as place:
        directory = Path(place) / "config"
        write_company(services, directory)
        if prepare is not None:
            prepare(directory)
        settings = settings_for(broker.bootstrap, fresh_name("app"), directory, partitions)
        settings = settings.model_copy(update={"instance_id": instance})
        make_topics(settings, directory, broker)
        try:
            yield Site(broker, settings)
        finally:
            broker.drop()

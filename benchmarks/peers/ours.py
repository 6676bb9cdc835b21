"""Our runtime with the peers' job: two stages as processors, state with changelogs, exactly once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import orjson
from prometheus_client import CollectorRegistry

from benchmarks.peers.job import Document, Job, Meter, count, flatten, group
from pipeline.app import create_app
from pipeline.core.step import Effects, Output, Processor, Record
from pipeline.runtime.broker import existing_topics
from pipeline.runtime.context import StageContext
from pipeline.runtime.health import HealthServer
from pipeline.runtime.hooks import StageHooks
from pipeline.runtime.metrics import Metrics
from pipeline.runtime.process import run as run_loop
from pipeline.runtime.process import serve, status_of
from pipeline.settings import Settings

STAGES: Final = ("dedupe", "correlate")
"""The runtime hosts stages of our flow; these two names are taken for the job's."""


class Keyed(Processor):
    """A stage whose state is one document for each key."""

    def __init__(self, job: Job, meter: Meter) -> None:
        super().__init__()
        self._job = job
        self._meter = meter
        self._known: dict[str, Document] = {}

    def load(self, key: str, value: bytes) -> None:
        """Take one state record back."""
        self._known[key] = orjson.loads(value)

    def dump(self, key: str) -> bytes | None:
        """The state record of a key."""
        return orjson.dumps(self._known[key])


class Dedupe(Keyed):
    """The first stage."""

    stage = "dedupe"

    def process(self, record: Record, effects: Effects) -> None:
        """Count one alert; send it on if it is news."""
        flat = flatten(orjson.loads(record.value or b""), self._job.services)
        fingerprint = flat["fingerprint"]
        self._known[fingerprint], news = count(self._known.get(fingerprint), flat)
        self.touch(fingerprint)
        if news:
            key = flat["domain"].encode()
            effects.outputs.append(Output(self._job.accepted, key, orjson.dumps(flat), record.timestamp))
        self._meter.one()


class Correlate(Keyed):
    """The second stage."""

    stage = "correlate"

    def process(self, record: Record, effects: Effects) -> None:
        """Group one alert; send the change on."""
        flat = orjson.loads(record.value or b"")
        domain = flat["domain"]
        self._known[domain], change = group(self._known.get(domain), flat)
        self.touch(domain)
        effects.outputs.append(Output(self._job.changes, domain.encode(), orjson.dumps(change), record.timestamp))
        self._meter.two()


class Done(StageHooks):
    """Says that all is done once it is committed."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    async def after_commit(self, partition: int, processor: Processor, effects: Effects) -> None:
        """Look whether that was the last batch."""
        self._meter.done()


def contexts(job: Job, registry: CollectorRegistry) -> list[StageContext]:
    """What the runtime needs to host both stages."""
    meter = Meter(job, commits=True)
    settings = Settings(bootstrap=job.bootstrap, app_id=job.group, http_port=0)
    counts, metrics = existing_topics(settings), Metrics(registry, STAGES)
    factories: tuple[tuple[str, str, Callable[[], Processor]], ...] = (
        ("dedupe", job.source, lambda: Dedupe(job, meter)),
        ("correlate", job.accepted, lambda: Correlate(job, meter)),
    )
    return [
        StageContext(
            settings=settings,
            stage=stage,
            inputs=(source,),
            partition_counts=counts,
            factory=factory,
            metrics=metrics,
            hooks=Done(meter),
        )
        for stage, source, factory in factories
    ]


def main() -> None:
    """Run until SIGTERM."""
    registry = CollectorRegistry()
    hosted = contexts(Job.from_environment(), registry)
    run_loop(
        serve(
            lambda: [create_app(context) for context in hosted],
            lambda stages: HealthServer(0, registry, status_of(stages)),
        )
    )


if __name__ == "__main__":
    main()

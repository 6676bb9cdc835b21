"""Composition root: puts settings, configuration, processors and Faust together. The only ``faust.App(...)``.

    spillway run dedupe                                     # several stages in one process: pipeline.cli.run
    SPILLWAY_STAGES=dedupe faust -A pipeline.app worker     # one stage, by Faust's own worker

Importing this module does nothing; the attribute ``app`` is made when it is asked for.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Final

import faust
from prometheus_client import CollectorRegistry

from pipeline.agents.processors import build_processor, processor_factory
from pipeline.agents.shared import Shared
from pipeline.catalog import ConfigError, load_config
from pipeline.core.alerts.sources import sources_of
from pipeline.core.alerts.urgent import Urgent
from pipeline.feeds import ADAPTERS, adapters_of, feeds_of, quotas_of, required_feeds
from pipeline.flow import STAGE_BY_NAME
from pipeline.kafka.client import for_faust
from pipeline.models.policy import Config
from pipeline.runtime.broker import StartError, check_grants, check_topics, existing_topics, input_topics
from pipeline.runtime.carry import carry
from pipeline.runtime.context import StageContext
from pipeline.runtime.garbage import spare_long_lived_objects
from pipeline.runtime.gate import ALL_AT_ONCE, Gate
from pipeline.runtime.guard import EXIT_REFUSED, RefusedError, guarded
from pipeline.runtime.health import HealthServer
from pipeline.runtime.history import check_replication, stage_topics, topic_makes
from pipeline.runtime.hooks import StageHooks
from pipeline.runtime.host import StageHost
from pipeline.runtime.look_ahead import look_ahead
from pipeline.runtime.metrics import Metrics
from pipeline.runtime.pressure import Pressure, watch_pressure
from pipeline.runtime.process import HostedStage, Worker, status_of
from pipeline.runtime.process_metrics import expose_process
from pipeline.runtime.pulse import pulse, watch_history, watch_newcomers
from pipeline.runtime.reload import Prepared, Reloader
from pipeline.runtime.trace_export import exporter_of
from pipeline.runtime.tracing import Exporter, Sampler, Traced
from pipeline.runtime.transport import BatchTransport
from pipeline.runtime.version_ticks import watch_versions
from pipeline.settings import Settings, SettingsError

# Batches, not records. The host bounds what waits; this only decouples the fetch from the hand-over.
STREAM_BATCHES_MAX: Final = 16
REQUEST_TIMEOUT_SECONDS_MIN: Final = 40.0


def create_app(context: StageContext) -> HostedStage:
    """The Faust app of one stage. Nothing connects until it is started.

    Args:
        context: the stage, its settings, processor factory, hooks and metrics.
    """
    spare_long_lived_objects()
    settings, stage = context.settings, context.stage
    host = StageHost(context)
    app = faust.App(
        settings.group(stage),
        broker=[f"kafka://{address}" for address in settings.bootstrap.split(",")],
        broker_credentials=for_faust(settings),
        store="memory://",
        # Not for its transactions: it makes Faust call the transaction manager, which is ours, at a rebalance.
        processing_guarantee="exactly_once",
        broker_session_timeout=settings.session_timeout_seconds,
        broker_request_timeout=max(REQUEST_TIMEOUT_SECONDS_MIN, settings.session_timeout_seconds),
        consumer_auto_offset_reset="earliest",
        stream_buffer_maxsize=STREAM_BATCHES_MAX,
        stream_recovery_delay=0.0,
        stream_wait_empty=True,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        Worker=Worker,
        # Faust insists on a directory; it stays empty and out of the user's way.
        datadir=str(Path(tempfile.gettempdir()) / f"spillway-faust-{os.getuid()}"),
    )
    # Faust calls the transaction manager in a worker only, and learns that it is one from its own command line.
    app.in_worker = True
    app.transport = BatchTransport(app, host)
    carry(app, host)

    async def pulse_of_stage() -> None:
        await pulse(app, host)

    async def newcomers_of_stage() -> None:
        await watch_newcomers(app, host)

    async def history_of_stage() -> None:
        await watch_history(app, host)

    async def versions_of_stage() -> None:
        await watch_versions(app, host)

    async def pressure_of_stage() -> None:
        if context.pressure is not None:
            await watch_pressure(context.pressure, settings)

    async def look_ahead_of_stage() -> None:
        async with guarded("look ahead", stage=stage):
            await look_ahead(host)

    app.task(pulse_of_stage)
    app.task(versions_of_stage)
    app.task(history_of_stage)
    if context.reads_raw:
        app.task(newcomers_of_stage)
    if context.pressure is not None:
        app.task(pressure_of_stage)
    if context.urgent is not None:
        app.task(look_ahead_of_stage)
    return HostedStage(app, host)


def compose(
    settings: Settings, config: Config, registry: CollectorRegistry, names: Sequence[str] = ()
) -> list[StageContext]:
    """What each hosted stage needs, checked against the broker.

    Args:
        settings: of the process.
        config: the company's configuration.
        registry: where series are registered.
        names: stages to host; none: those of the settings, or all.

    Raises:
        StartError: no broker answers or lets us in, a grant is missing, or a topic is.
        RefusedError: topics do not fit each other, or do not survive a broker in production.
    """
    stages = tuple(names) or settings.stages or tuple(STAGE_BY_NAME)
    topics = existing_topics(settings)
    metrics = Metrics(registry, stages, wall=settings.clock == "wall", feeds=feeds_of(config))
    expose_process(registry, "worker")
    gate = Gate()
    exporter = exporter_of(settings, "worker" if len(stages) > 1 else stages[0], registry)
    contexts = [_context(settings, config, stage, topics, metrics, gate) for stage in stages]
    return [context if exporter is None else with_traces(context, exporter) for context in contexts]


def with_traces(context: StageContext, exporter: Exporter) -> StageContext:
    """A stage whose records are traced. Ingest begins those that no producer has begun."""
    context.hooks.exporter = exporter
    settings, stage = context.settings, context.stage
    sampler = Sampler(settings.trace_ratio) if context.reads_raw and settings.trace_ratio else None
    return replace(context, traces=partial(Traced, stage, settings.group(stage), exporter, sampler))


def _context(
    settings: Settings, config: Config, stage: str, topics: Mapping[str, int], metrics: Metrics, gate: Gate
) -> StageContext:
    inputs = input_topics(stage, topics, required_feeds(config))
    check_grants(settings, stage, inputs)
    check_topics(settings, stage, inputs, topics)
    makes = topic_makes(settings, stage_topics(stage, inputs))
    check_replication(settings, makes)
    hooks = _hooks(settings, config, stage, metrics.registry)
    return StageContext(
        settings=settings,
        stage=stage,
        inputs=inputs,
        partition_counts=topics,
        topic_ids={topic: make.id for topic, make in makes.items()},
        factory=processor_factory(stage, config, settings.privacy_key(config.privacy)),
        config_version=config.version,
        metrics=metrics,
        hooks=hooks or StageHooks(),
        quotas=quotas_of(config),
        pressure=Pressure() if stage == "ingest" and settings.clock == "wall" else None,
        urgent=urgent_of(config) if stage == "ingest" and settings.clock == "wall" else None,
        # Who waits for the world outside must not keep others from deciding, nor its other partitions from it.
        gate=gate if hooks is None else Gate(ALL_AT_ONCE),
    )


def _hooks(settings: Settings, config: Config, stage: str, registry: CollectorRegistry) -> StageHooks | None:
    """What a stage does outside Kafka; most do nothing."""
    make: Callable[[Settings, Config, CollectorRegistry], StageHooks] | None
    make = getattr(import_module(f"pipeline.agents.{stage}"), "hooks", None)
    return None if make is None else make(settings, config, registry)


def reloader(settings: Settings, config: Config, metrics: Metrics) -> Reloader:
    """What brings a changed configuration directory to the stages of this process.

    Args:
        settings: of the process; they name the directory.
        config: the configuration in force.
        metrics: of the process.
    """

    def prepare(stages: Sequence[str]) -> Prepared:
        config = load_config(settings.config_dir, ADAPTERS)
        shared = Shared.of(config, settings.privacy_key(config.privacy))
        factories = {stage: partial(build_processor, stage, shared) for stage in stages}
        for make in factories.values():
            make()  # what a stage refuses, it refuses now
        return Prepared(shared.config, factories, quotas_of(config), urgent_of(config) if "ingest" in stages else None)

    return Reloader(settings.config_dir, config.version, prepare, metrics)


def urgent_of(config: Config) -> Urgent:
    """What tells urgent messages. It reads on another thread than the stage, with compiled adapters of its own."""
    return Urgent(sources_of(adapters_of(config), feeds_of(config)))


def health_of(settings: Settings, registry: CollectorRegistry) -> Callable[[Sequence[HostedStage]], HealthServer]:
    """Makes the health server of hosted stages."""
    return lambda stages: HealthServer(settings.http_port, registry, status_of(stages))


def _standalone() -> faust.App:
    """The app of the stage in ``SPILLWAY_STAGES``, for Faust's own worker.

    Raises:
        SystemExit: it cannot start; the message is one line and says what to do.
    """
    registry = CollectorRegistry()
    try:
        settings = Settings.from_environment()
        stage = _only_stage(settings)
        config = load_config(settings.config_dir)
        (context,) = compose(settings, config, registry, [stage])
    except (SettingsError, ConfigError, StartError) as error:
        raise SystemExit(f"Error: {error}") from None
    except RefusedError as error:
        sys.stderr.write(f"Error: {error}\n")
        raise SystemExit(EXIT_REFUSED) from None
    Worker.stop_seconds = settings.stop_seconds
    hosted = create_app(context)
    health = health_of(settings, registry)([hosted])

    async def serve_health() -> None:
        health.start()
        await health.beat()

    async def stop_host(*_: object, **__: object) -> None:
        await hosted.host.stop()

    async def reload() -> None:
        async with guarded("watch the configuration"):
            await reloader(settings, config, context.metrics).run([hosted.host])

    hosted.app.task(serve_health)
    hosted.app.task(reload)
    hosted.app.on_before_shutdown.connect(stop_host)
    return hosted.app


def _only_stage(settings: Settings) -> str:
    if len(settings.stages) != 1:
        raise StartError("set SPILLWAY_STAGES to the one stage that this worker shall host")
    return settings.stages[0]


def __getattr__(name: str) -> faust.App:
    if name == "app":
        globals()["app"] = made = _standalone()
        return made
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""All that a component asks of the brokers, done by the product's own code as the component's user.

What a story does not happen to need is done here too: outputs that are rare, ticks, a reload, the checks of production.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any
from unittest import mock

from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from prometheus_client import CollectorRegistry

from pipeline.app import compose
from pipeline.console.sender import TOPICS as CONSOLE_TOPICS
from pipeline.console.sender import CommandSender
from pipeline.core.step import Output
from pipeline.flow import MEBIBYTE, PRESSING_STAGES, SHADOW_TOPICS, STAGE_BY_NAME
from pipeline.gateway.producer import RawProducer
from pipeline.kafka.behind import Onlooker
from pipeline.kafka.client import librdkafka
from pipeline.kafka.topics import apply, desired_topics, plan
from pipeline.models.command import Command
from pipeline.models.remote import SINK_UPDATES_TOPIC, SinkUpdate
from pipeline.records.source import Source
from pipeline.runtime import history
from pipeline.runtime.context import StageContext
from pipeline.runtime.history import check_replication, stage_topics, topic_makes
from pipeline.runtime.host import StageHost
from pipeline.runtime.stable import wait_until_stable
from pipeline.runtime.version_ticks import VersionTicks
from pipeline.settings import Settings
from pipeline.shadow.reader import MergedReader
from pipeline.shadow.run import READ_BESIDE_RAW
from pipeline.shadow.store import ShadowStore, read_status
from pipeline.sinks.outcomes import OutcomeTopic
from pipeline.watch.probe import FOLLOWERS, Prober, all_stages
from tests.secured.installation import GATEWAY_FEED, Installation
from tests.support import wait_until

SECONDS_MAX = 60
PROBE_SECONDS = 3.0  # no stage runs; only the requests count
RAW = f"alerts.raw.{GATEWAY_FEED}"


def do_everything(installation: Installation, component: str) -> None:
    """Whatever the component may ever ask of the brokers, once."""
    settings = installation.settings_of(component)
    if component in STAGE_BY_NAME:
        with mock.patch.dict(os.environ, installation.site.secrets):
            asyncio.run(asyncio.wait_for(_stage(installation, settings, component), SECONDS_MAX))
    elif component == "topics":
        apply_topics(installation, settings)
    elif component == "shadow":
        _shadow(settings)
    elif component == "watch":
        _watch(settings)
    elif component == "gateway":
        asyncio.run(asyncio.wait_for(_gateway(settings), SECONDS_MAX))
    elif component == "console":
        asyncio.run(asyncio.wait_for(_console(settings), SECONDS_MAX))


def apply_topics(installation: Installation, settings: Settings) -> None:
    """Make the topics, the shadow's among them; then set all as they should be, after somebody has changed them."""
    settings = settings.model_copy(update={"shadow_config": installation.site.directory})
    admin, wanted = AdminClient(librdkafka(settings)), desired_topics(settings, installation.site.config)
    apply(admin, plan(admin, wanted))
    narrow = ConfigEntry("max.message.bytes", str(MEBIBYTE // 2), incremental_operation=AlterConfigOpType.SET)
    resources = [ConfigResource(ResourceType.TOPIC, each.name, incremental_configs=[narrow]) for each in wanted]
    for answer in installation.site.admin.incremental_alter_configs(resources).values():
        answer.result(SECONDS_MAX)
    wait_until(lambda: len(plan(admin, wanted).change) == len(wanted), SECONDS_MAX, "all topics are changed")
    apply(admin, plan(admin, wanted))
    assert plan(admin, wanted).empty


async def _stage(installation: Installation, settings: Settings, stage: str) -> None:
    (context,) = await asyncio.to_thread(compose, settings, installation.site.config, CollectorRegistry(), [stage])
    wire_inputs = [name for name in context.wire_inputs if name != settings.wire(RAW)] + (
        [settings.wire(RAW)] if context.reads_raw else []
    )
    if context.stateful:
        await context.restore(settings, stage, 0, context.factory(), lambda: False)
    await _transact(context, wire_inputs)
    await asyncio.to_thread(wait_until_stable, settings, settings.group(stage), [(name, 0) for name in wire_inputs])
    if stage != "record":  # no configuration changes it
        await VersionTicks(StageHost(context))._tell([0])
    check_copies(settings, stage_topics(stage, context.inputs))
    if stage == "deliver":
        await _update(settings)
    if stage == "record":
        await asyncio.to_thread(_catch_up, settings)


async def _transact(context: StageContext, wire_inputs: list[str]) -> None:
    """One transaction with an output to every topic that the stage may write, state and offsets."""
    writer = context.writer(context.settings, context.stage, 0, context.partition_counts)
    await writer.start()
    outputs = [Output(topic, b"key", b"{}", 0, (), 0) for topic in STAGE_BY_NAME[context.stage].writes]
    changes: list[tuple[bytes, bytes | None]] = [(b"key", None)] if context.stateful else []
    await writer.commit(outputs, changes, 0, dict.fromkeys(wire_inputs, 0))
    await writer.stop()


def check_copies(settings: Settings, topics: Any) -> None:
    """The checks of production; one broker holds one copy, so that is enough here."""
    with mock.patch.object(history, "REPLICAS_MIN", 1), mock.patch.object(history, "IN_SYNC_MIN", 1):
        asked = settings.model_copy(update={"production": True})
        check_replication(asked, topic_makes(asked, topics))


async def _update(settings: Settings) -> None:
    """What a poller does with what has come back."""
    outcomes = OutcomeTopic(settings)
    await outcomes.start()
    update = {"update_id": "u-1", "sink": "desk", "incident_id": "INC-1", "at": "2026-03-10T09:00:00Z"}
    await outcomes.publish(SinkUpdate.model_validate(update))
    await outcomes.stop()


def _catch_up(settings: Settings) -> None:
    source = Source(settings)
    places = source.bounds()
    assert list(source.records(places))
    source.committed(places)


async def _gateway(settings: Settings) -> None:
    topics = frozenset({settings.wire(RAW), settings.wire(SINK_UPDATES_TOPIC)})
    producer = RawProducer(settings, topics)
    await producer.check()
    for topic in topics:
        await producer.send(topic, None, b"{}", [])
    await producer.close()


async def _console(settings: Settings) -> None:
    sender = CommandSender(settings)
    await sender.writer.check()
    asked = {"command_id": "c-1", "type": "acknowledge", "actor": "a person", "target": {"incident_id": "INC-1"}}
    command = Command.model_validate(asked)
    for topic in CONSOLE_TOPICS:
        await sender.send(command, topic=topic, key="key")
    await sender.writer.close()
    await asyncio.to_thread(Onlooker(settings).behind, ("ingest", *PRESSING_STAGES))


def _watch(settings: Settings) -> None:
    """A probe that nobody hands on, and a look at what each stage has committed."""
    prober = Prober(settings, all_stages())
    prober.check()
    assert not prober.send(PROBE_SECONDS).through
    for topic, stages in FOLLOWERS.items():
        for stage in stages:
            prober._committed(stage, topic)
    prober.close()


def _shadow(settings: Settings) -> None:
    store = ShadowStore(settings)
    store.start()
    store.commit("a-shadow", [("key", b"{}")], {(settings.wire("changes"), 0): 0}, b"{}")
    assert store.restore("a-shadow")[1]
    store.stop()
    assert read_status(settings) == {}  # as `spillway shadow status` in the shadow's own pod
    reader = MergedReader({**librdkafka(settings), "group.id": settings.group("shadow")}, settings.topic_prefix)
    reader.assign({(settings.wire(name), 0): 0 for name in (*READ_BESIDE_RAW, RAW)})
    while not reader.idle():
        reader.poll(1_000)
    reader.close()
    check_copies(settings, [topic.name for topic in SHADOW_TOPICS])

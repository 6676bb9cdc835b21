"""The topics as they should be, the difference to what is there, and the way from one to the other.

    wanted = desired_topics(settings, config)
    difference = plan(admin, wanted)
    apply(admin, difference)

Everything derives from `pipeline.flow`. Nothing here shrinks: a longer retention or a larger record that an
operator has set stays, unless shrinking is asked for. A partition count never changes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from confluent_kafka.cimpl import NewTopic

from pipeline.feeds import feeds_of, required_feeds
from pipeline.flow import MEBIBYTE, RAW_TOPIC_PREFIX, SHADOW_TOPICS, Topic, topics
from pipeline.kafka.served import unserved
from pipeline.models.policy import Config
from pipeline.settings import Settings

REQUEST_SECONDS_MAX: Final = 30.0
POLL_SECONDS: Final = 0.05

# Kafka's limit is on a batch: beside the value it holds the key, headers and framing of each record.
FRAMING_BYTES: Final = 64 << 10
# Compacted topics are read whole at every start. Small segments close soon, and only closed ones are compacted;
# at most a fifth of what is closed is waiting for it.
COMPACTED_SEGMENT_BYTES: Final = 64 * MEBIBYTE
COMPACTED_SEGMENT_MS: Final = 60 * 60 * 1_000
COMPACTED_DIRTY_RATIO: Final = 0.2
# Kafka refuses timestamps over an hour ahead of its clock. Stream time need not be this machine's.
ANY_TIME_MS: Final = 2**63 - 1
FOREVER_MS: Final = -1

# Topics whose records others write: their timestamps start the stream's time, so the broker sets them.
_STAMPED_BY_BROKER: Final = ("changes", "commands")


class TopicsError(Exception):
    """Topics cannot be read or changed; the message is one line and says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredTopic:
    """One topic as the cluster should have it; ``name`` is the one on the wire.

    Attributes:
        free_count: no state hangs on the number of partitions, so another one is no harm.
    """

    name: str
    partitions: int
    replication_factor: int
    config: Mapping[str, str]
    free_count: bool = False


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """One setting of one topic: what the cluster has and what is wanted."""

    topic: str
    setting: str
    present: str
    wanted: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What separates the cluster from what is wanted.

    Attributes:
        create: topics that are missing.
        change: settings to be set.
        keep: settings that would shrink what is kept, and therefore stay as they are.
        refuse: sentences on what is different and cannot be changed; while there are any, nothing is applied.
        remark: sentences on what is different and is left alone.
    """

    create: tuple[DesiredTopic, ...] = ()
    change: tuple[ConfigChange, ...] = ()
    keep: tuple[ConfigChange, ...] = ()
    refuse: tuple[str, ...] = ()
    remark: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """There is nothing to do."""
        return not (self.create or self.change or self.refuse)

    def lines(self) -> list[str]:
        """The plan for people: + is made, ~ is changed, = is kept, ! is refused."""
        said: list[str] = []
        for topic in self.create:
            said.append(
                f"+ {topic.name}  partitions={topic.partitions} replication={topic.replication_factor} "
                + " ".join(f"{name}={value}" for name, value in topic.config.items())
            )
        said += [f"~ {each.topic}  {each.setting}: {each.present} -> {each.wanted}" for each in self.change]
        said += [
            f"= {each.topic}  {each.setting} stays {each.present}: {each.wanted} would shrink it (--allow-shrink)"
            for each in self.keep
        ]
        said += [f"= {sentence}" for sentence in self.remark]
        said += [f"! {sentence}" for sentence in self.refuse]
        return said

    def document(self) -> dict[str, Any]:
        """The plan for machines."""
        return {
            "create": [
                {
                    "topic": topic.name,
                    "partitions": topic.partitions,
                    "replication_factor": topic.replication_factor,
                    "config": dict(topic.config),
                }
                for topic in self.create
            ],
            "change": [_change_document(each) for each in self.change],
            "keep": [_change_document(each) for each in self.keep],
            "refuse": list(self.refuse),
            "remark": list(self.remark),
        }


@dataclass(slots=True)
class _Draft:
    """A plan being drawn up."""

    create: list[DesiredTopic] = field(default_factory=list)
    change: list[ConfigChange] = field(default_factory=list)
    keep: list[ConfigChange] = field(default_factory=list)
    refuse: list[str] = field(default_factory=list)
    remark: list[str] = field(default_factory=list)


def desired_topics(settings: Settings, config: Config) -> tuple[DesiredTopic, ...]:
    """Every topic that the pipeline needs under these settings and feeds, in flow order.

    Feeds that are asked for (`required_feeds`) get the usual number of partitions. The other adapters' get one
    partition each, so that forty unused topics do not cost as much as the used ones; nothing needs these to be there.
    """
    asked = required_feeds(config)
    wanted = topics(asked, tuple(name for name in feeds_of(config) if name not in asked))
    if settings.shadow_config is not None:
        wanted += SHADOW_TOPICS
    return tuple(_desired(topic, settings) for topic in wanted)


def _desired(topic: Topic, settings: Settings) -> DesiredTopic:
    wall = settings.clock == "wall"
    by_broker = wall and (topic.name.startswith(RAW_TOPIC_PREFIX) or topic.name in _STAMPED_BY_BROKER)
    config = {
        "cleanup.policy": "compact" if topic.compact else "delete",
        "max.message.bytes": str(topic.record_bytes_max + FRAMING_BYTES),
        "message.timestamp.type": "LogAppendTime" if by_broker else "CreateTime",
        "min.insync.replicas": str(settings.min_insync_replicas),
    }
    if not by_broker:
        config["message.timestamp.after.max.ms"] = str(ANY_TIME_MS)
    if topic.compact:
        config["min.cleanable.dirty.ratio"] = str(COMPACTED_DIRTY_RATIO)
        config["segment.bytes"] = str(COMPACTED_SEGMENT_BYTES)
        config["segment.ms"] = str(COMPACTED_SEGMENT_MS)
    elif topic.retention_ms is not None:
        # The records of an old recording are past any retention the moment they are played.
        config["retention.ms"] = str(topic.retention_ms if wall else FOREVER_MS)
    return DesiredTopic(
        name=settings.wire(topic.name),
        partitions=topic.partitions or settings.partitions,
        replication_factor=settings.replication_factor,
        config=config,
        free_count=topic.name.startswith(RAW_TOPIC_PREFIX),
    )


def plan(admin: AdminClient, desired: Sequence[DesiredTopic], *, allow_shrink: bool = False) -> Plan:
    """Compare the cluster with what is wanted. Reads only.

    Args:
        admin: a client of the cluster.
        desired: from `desired_topics`.
        allow_shrink: also plan what keeps less than now.

    Raises:
        TopicsError: the cluster does not answer, or refuses to say.
    """
    present = _present_topics(admin)
    draft = _Draft()
    existing = [topic for topic in desired if topic.name in present]
    configs = _present_configs(admin, [topic.name for topic in existing])
    draft.create = [topic for topic in desired if topic.name not in present]
    for topic in existing:
        partitions, replicas = present[topic.name]
        if partitions != topic.partitions and topic.free_count:
            draft.remark.append(
                f"{topic.name} has {partitions} partitions and {topic.partitions} are wanted: more are handled at a "
                "time with kafka-topics --alter --partitions; stop ingest before"
            )
        elif partitions != topic.partitions:
            draft.refuse.append(
                f"{topic.name} has {partitions} partitions and {topic.partitions} are wanted: a changed count moves "
                "keys to other partitions, away from their state and order; keep the count, or start a new app id "
                "and topic prefix"
            )
        if replicas != topic.replication_factor:
            draft.remark.append(
                f"{topic.name} has {replicas} replicas and {topic.replication_factor} are wanted: "
                "move replicas with kafka-reassign-partitions"
            )
        _compare(topic, configs[topic.name], allow_shrink, draft)
    return Plan(
        create=tuple(draft.create),
        change=tuple(draft.change),
        keep=tuple(draft.keep),
        refuse=tuple(draft.refuse),
        remark=tuple(draft.remark),
    )


def _compare(topic: DesiredTopic, present: Mapping[str, str], allow_shrink: bool, draft: _Draft) -> None:
    for setting, wanted in topic.config.items():
        now = present.get(setting, "")
        if _same(now, wanted):
            continue
        change = ConfigChange(topic.name, setting, now, wanted)
        if _shrinks(setting, now, wanted) and not allow_shrink:
            draft.keep.append(change)
        else:
            draft.change.append(change)


def _same(now: str, wanted: str) -> bool:
    try:
        return float(now) == float(wanted)
    except ValueError:
        return now == wanted


def _shrinks(setting: str, now: str, wanted: str) -> bool:
    """Whether the change makes the cluster keep less, accept less or promise less."""
    match setting:
        case "retention.ms":
            return int(wanted) != FOREVER_MS and (int(now) == FOREVER_MS or int(wanted) < int(now))
        case "max.message.bytes" | "min.insync.replicas":
            return int(wanted) < int(now)
        case "cleanup.policy":
            return True  # either way some records that are kept now would go
        case _:
            return False


def apply(admin: AdminClient, difference: Plan) -> None:
    """Carry a plan out, and return when the cluster shows it. Doing it twice is doing it once.

    Raises:
        TopicsError: the plan holds a refusal, or the cluster refused or did not answer.
    """
    if difference.refuse:
        raise TopicsError(difference.refuse[0])
    if difference.create:
        _create(admin, difference.create)
    changes: dict[str, list[ConfigEntry]] = {}
    for each in difference.change:
        changes.setdefault(each.topic, []).append(
            ConfigEntry(each.setting, each.wanted, incremental_operation=AlterConfigOpType.SET)
        )
    if changes:
        resources = [
            ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries) for name, entries in changes.items()
        ]
        pending = admin.incremental_alter_configs(resources, request_timeout=REQUEST_SECONDS_MAX)
        for resource, answer in pending.items():
            _answered(answer, f"change the settings of {resource.name}")
    wanted = {topic.name: dict(topic.config) for topic in difference.create}
    for each in difference.change:
        wanted.setdefault(each.topic, {})[each.setting] = each.wanted
    _wait_until_shown(admin, wanted)
    late = unserved(admin, {topic.name: topic.partitions for topic in difference.create}, REQUEST_SECONDS_MAX)
    if late is not None:
        raise TopicsError(f"partition {late.partition} of topic {late.topic} was made and is not served yet: repeat")


def _wait_until_shown(admin: AdminClient, wanted: Mapping[str, Mapping[str, str]]) -> None:
    """A broker answers a change before its own view of the settings has it."""
    deadline = time.monotonic() + REQUEST_SECONDS_MAX
    while True:
        shown = _present_configs(admin, tuple(wanted))
        late = [
            name
            for name, settings in wanted.items()
            if not all(_same(shown[name].get(setting, ""), value) for setting, value in settings.items())
        ]
        if not late:
            return
        if time.monotonic() > deadline:
            raise TopicsError(f"the settings of topic {min(late)} were changed and are not shown yet: repeat")
        time.sleep(POLL_SECONDS)


def _create(admin: AdminClient, wanted: Sequence[DesiredTopic]) -> None:
    new = [
        NewTopic(
            topic.name,
            num_partitions=topic.partitions,
            replication_factor=topic.replication_factor,
            config=dict(topic.config),
        )
        for topic in wanted
    ]
    for name, answer in admin.create_topics(new, request_timeout=REQUEST_SECONDS_MAX).items():
        try:
            answer.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # someone else applied at the same time
                raise _failure(f"create topic {name}", error) from error
    deadline = time.monotonic() + REQUEST_SECONDS_MAX
    names = {topic.name for topic in wanted}
    while missing := names - _led_topics(admin):
        if time.monotonic() > deadline:
            raise TopicsError(f"topic {min(missing)} was created and has no leader yet: check the brokers, then repeat")
        time.sleep(POLL_SECONDS)


def _led_topics(admin: AdminClient) -> set[str]:
    """Topics whose every partition has a leader."""
    listed = _list_topics(admin).topics
    return {
        name
        for name, topic in listed.items()
        if topic.partitions and all(partition.leader >= 0 for partition in topic.partitions.values())
    }


def _list_topics(admin: AdminClient) -> Any:
    try:
        return admin.list_topics(timeout=REQUEST_SECONDS_MAX)
    except KafkaException as error:
        raise _failure("list the topics", error) from error


def _present_topics(admin: AdminClient) -> dict[str, tuple[int, int]]:
    """Partition count and replication factor of every topic of the cluster."""
    return {
        name: (len(topic.partitions), min((len(part.replicas) for part in topic.partitions.values()), default=0))
        for name, topic in _list_topics(admin).topics.items()
    }


def _present_configs(admin: AdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Settings of topics that one broker has listed. Another, which is asked now, may hear of a new one later."""
    found: dict[str, dict[str, str]] = {}
    deadline = time.monotonic() + REQUEST_SECONDS_MAX
    while missing := [name for name in names if name not in found]:
        asked = [ConfigResource(ResourceType.TOPIC, name) for name in missing]
        for resource, answer in admin.describe_configs(asked, request_timeout=REQUEST_SECONDS_MAX).items():
            try:
                entries = answer.result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART or time.monotonic() > deadline:
                    raise _failure(f"read the settings of {resource.name}", error) from error
                continue
            found[resource.name] = {name: entry.value for name, entry in entries.items() if entry.value is not None}
        if len(found) < len(names):
            time.sleep(POLL_SECONDS)
    return found


def _answered(answer: Future[Any], what: str) -> Any:
    try:
        return answer.result()
    except KafkaException as error:
        raise _failure(what, error) from error


def _failure(what: str, error: KafkaException) -> TopicsError:
    cause: KafkaError = error.args[0]
    return TopicsError(f"cannot {what}: {cause.str()} ({cause.name()}); check the bootstrap address and your rights")


def _change_document(change: ConfigChange) -> dict[str, str]:
    return {"topic": change.topic, "setting": change.setting, "present": change.present, "wanted": change.wanted}

"""Grants: what each component may do on the brokers, and nothing more.

    grants_of(settings, "dedupe")

Everything derives from `pipeline.flow` and the settings' names. Brokers deny what nobody was granted (KRaft's
``StandardAuthorizer`` with ``allow.everyone.if.no.acl.found=false``), and take some operations for granted with others:
Read and Write bring Describe, AlterConfigs brings DescribeConfigs, and whoever may write to any topic may write
idempotently (since Kafka 3.0). What comes so is not listed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from pipeline.core.alerts.own_alerts import OWN_FEED
from pipeline.flow import (
    DEAD_LETTER_TOPIC,
    PRESSING_STAGES,
    RAW_TOPIC_PREFIX,
    RAW_TOPICS,
    SHADOW_CHANGELOG,
    SHADOW_STATUS,
    SHADOW_TOPICS,
    STAGE_BY_NAME,
    Stage,
    changelog_topic,
    topics,
)
from pipeline.settings import Settings

Resource = Literal["topic", "group", "transactionalId", "cluster"]

COMPONENTS: Final = (*STAGE_BY_NAME, "gateway", "console", "topics")
"""What an installation consists of: the stages, the two doors, and the job that applies the topics."""

FURTHER_COMPONENTS: Final = ("shadow", "watch", "operator")
"""What some installations have beside: `spillway shadow`, `spillway watch`, and people who call commands."""

INTERNAL_TOPICS: Final = ("__consumer_offsets", "__transaction_state")
"""Kafka's own, which committed offsets and transactions live in; in production their copies are checked."""

COMMAND_TOPICS: Final = ("commands", "bridge.commands", "problem.commands")
UPDATES_TOPIC: Final = "sink.updates"
READ_BY_SHADOW: Final = (RAW_TOPICS, "changes", "commands", "episodes", "incidents")
CLI_GROUP: Final = "cli"
RETRY_NAME: Final = "dead-letter-retry"

_ORDER: Final = ("Read", "Write", "Create", "Describe", "AlterConfigs", "DescribeConfigs")

_WRITTEN_BESIDE: Final = {"deliver": (UPDATES_TOPIC,)}
"""Topics that a stage writes outside of its transactions: what deliver's pollers find goes to itself."""

_ASKED_BY_WATCH: Final = ("ingest", "bridge", "problem", "deliver", "record")
"""Stages whose commits say whether the probe got through; of the others it is seen."""

_UNRELOADED: Final = ("record",)
"""Stages that no configuration changes, so that nothing has to be told them (`pipeline.runtime.reload`)."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Operations that are allowed on one resource, or on all whose names begin alike.

    Attributes:
        resource: its kind, in Strimzi's words.
        name: its name on the wire, or the beginning of names.
        prefixed: the name is a beginning.
        operations: in Strimzi's words, in a fixed order.
    """

    resource: Resource
    name: str
    prefixed: bool
    operations: tuple[str, ...]

    def document(self) -> dict[str, object]:
        """The grant for machines: one of ``acls`` in Strimzi's ``KafkaUser``."""
        pattern = "prefix" if self.prefixed else "literal"
        of = {"type": self.resource, "name": self.name, "patternType": pattern}
        return {"resource": of, "operations": list(self.operations)}


class _Gathered:
    """Grants being gathered: of one resource each, operations united."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._found: dict[tuple[Resource, str, bool], set[str]] = {}

    def topics(self, names: Iterable[str], *operations: str) -> None:
        """Of logical topics; those of all feeds by the beginning of their names."""
        for name in names:
            self.add("topic", self._settings.wire(name.removesuffix("*")), *operations, prefixed=name == RAW_TOPICS)

    def add(self, resource: Resource, name: str, *operations: str, prefixed: bool = False) -> None:
        """Of one resource, by its name on the wire."""
        self._found.setdefault((resource, name, prefixed), set()).update(operations)

    def result(self) -> tuple[Grant, ...]:
        return tuple(
            Grant(resource, name, prefixed, tuple(each for each in _ORDER if each in operations))
            for (resource, name, prefixed), operations in self._found.items()
        )


def grants_of(settings: Settings, component: str) -> tuple[Grant, ...]:
    """What a component needs, least privilege.

    Args:
        settings: app id and topic prefix; ``production``, under which the copies of topics are checked.
        component: one of `COMPONENTS` or `FURTHER_COMPONENTS`.

    Raises:
        KeyError: there is no such component.
    """
    gathered = _Gathered(settings)
    if component in STAGE_BY_NAME:
        _stage(gathered, settings, STAGE_BY_NAME[component])
    else:
        _BY_COMPONENT[component](gathered, settings)
    return gathered.result()


def user_of(settings: Settings, component: str) -> str:
    """What the user of a component is called unless somebody chose another name."""
    return settings.group(component)


def acl_lines(user: str, grants: Iterable[Grant]) -> list[str]:
    """The grants as arguments of Kafka's own tool, one line each: ``kafka-acls.sh --bootstrap-server ... <line>``."""
    options = {"topic": "--topic", "group": "--group", "transactionalId": "--transactional-id"}
    return [
        " ".join(
            [
                f"--add --allow-principal 'User:{user}'",
                *(f"--operation {operation}" for operation in grant.operations),
                f"{options[grant.resource]} '{grant.name}'" if grant.resource in options else "--cluster",
                f"--resource-pattern-type {'prefixed' if grant.prefixed else 'literal'}",
            ]
        )
        for grant in grants
    ]


def _stage(gathered: _Gathered, settings: Settings, stage: Stage) -> None:
    """One transaction for each batch: inputs, outputs, state and offsets. Ticks go to the first input."""
    state = (changelog_topic(stage.name),) if stage.stateful else ()
    gathered.topics(stage.reads, "Read")
    if stage.name not in _UNRELOADED:
        gathered.topics(stage.reads[:1], "Write")
    gathered.topics((*stage.writes, *_WRITTEN_BESIDE.get(stage.name, ())), "Write")
    gathered.topics(state, "Read", "Write")
    if settings.production:
        gathered.topics((*stage.reads, *stage.writes, *state), "DescribeConfigs")
        _internal(gathered)
    gathered.add("group", settings.group(stage.name), "Read")
    if RAW_TOPICS in stage.reads:  # it goes no faster than those after it (`pipeline.runtime.pressure`)
        for after in PRESSING_STAGES:
            gathered.add("group", settings.group(after), "Describe")
            gathered.topics([topic for topic in STAGE_BY_NAME[after].reads if topic not in stage.writes], "Describe")
    gathered.add("transactionalId", f"{settings.group(stage.name)}-", "Write", prefixed=True)


def _internal(gathered: _Gathered) -> None:
    for name in INTERNAL_TOPICS:
        gathered.add("topic", name, "Describe", "DescribeConfigs")


def _gateway(gathered: _Gathered, settings: Settings) -> None:
    """Raw records of feeds, and what sinks send back."""
    del settings
    gathered.topics((RAW_TOPICS, UPDATES_TOPIC), "Write")


def _console(gathered: _Gathered, settings: Settings) -> None:
    """Commands; what the console shows comes from the records store."""
    gathered.topics(COMMAND_TOPICS, "Write")
    for stage in ("ingest", *PRESSING_STAGES):  # for the board: how far they are behind
        gathered.add("group", settings.group(stage), "Describe")
        gathered.topics([topic for topic in STAGE_BY_NAME[stage].reads if topic not in COMMAND_TOPICS], "Describe")


def _topics(gathered: _Gathered, settings: Settings) -> None:
    """Makes the topics and sets them; sees no record."""
    wanted = topics(()) + (SHADOW_TOPICS if settings.shadow_config is not None else ())
    gathered.topics((RAW_TOPICS, *(topic.name for topic in wanted)), "Create", "Describe", "AlterConfigs")


def _shadow(gathered: _Gathered, settings: Settings) -> None:
    """Decides beside the stages, and writes to its own two topics alone."""
    gathered.topics(READ_BY_SHADOW, "Read")
    gathered.topics((SHADOW_CHANGELOG,), "Read", "Write")
    gathered.topics((SHADOW_STATUS,), "Read", "Write")  # `spillway shadow status` asks as who runs it
    if settings.production:
        gathered.topics((SHADOW_CHANGELOG, SHADOW_STATUS), "DescribeConfigs")
        _internal(gathered)
    gathered.add("group", settings.group("shadow"), "Describe")
    gathered.add("transactionalId", settings.group("shadow"), "Write")


def _watch(gathered: _Gathered, settings: Settings) -> None:
    """Sends a probe by two ways, sees it come by, and asks how far the stages have committed."""
    gathered.topics((RAW_TOPIC_PREFIX + OWN_FEED, "deliveries"), "Write")
    gathered.topics(("incidents.summaries",), "Read")
    for name in ("watch", *_ASKED_BY_WATCH):
        gathered.add("group", settings.group(name), "Describe")


def _operator(gathered: _Gathered, settings: Settings) -> None:
    """Commands that people call: reads what flows, gives commands, sends dead letters back to where they came from."""
    inputs = dict.fromkeys(name for stage in STAGE_BY_NAME.values() for name in stage.reads)
    outputs = dict.fromkeys(name for stage in STAGE_BY_NAME.values() for name in stage.writes)
    gathered.topics(inputs, "Read", "Write")
    gathered.topics(outputs, "Read")
    if settings.shadow_config is not None:
        gathered.topics((SHADOW_STATUS,), "Read")
        gathered.add("group", settings.group("shadow"), "Describe")
    gathered.topics((DEAD_LETTER_TOPIC,), "Write")
    gathered.add("group", settings.group(CLI_GROUP), "Describe")
    gathered.add("group", settings.group("record"), "Describe")
    gathered.add("transactionalId", settings.group(RETRY_NAME), "Write")


_BY_COMPONENT: Final = {
    "gateway": _gateway,
    "console": _console,
    "topics": _topics,
    "shadow": _shadow,
    "watch": _watch,
    "operator": _operator,
}

"""Whether the brokers grant a component what it needs, asked before it begins; and what to say where they do not.

Brokers answer which operations on a topic are ours. They hide topics that we may not know of: such a topic looks
missing to whoever lists, and is told from one that is really missing by its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient

from pipeline.flow import STAGE_BY_NAME
from pipeline.kafka.client import librdkafka
from pipeline.kafka.grants import grants_of
from pipeline.kafka.reach import who_of
from pipeline.settings import Settings

ANSWER_SECONDS_MAX: Final = 15.0

LACKS_TOLD_MAX: Final = 6
"""A user without any grant lacks all of them: some say enough."""

_REFUSED: Final = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED)

_OPERATIONS: Final = {
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
    "Create": AclOperation.CREATE,
    "Describe": AclOperation.DESCRIBE,
    "AlterConfigs": AclOperation.ALTER_CONFIGS,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
}


class RightsError(Exception):
    """A grant is missing; the message is one line and says which, and how all of them are listed."""


def check_rights(settings: Settings, component: str, topics: Iterable[str]) -> None:
    """Check that the brokers grant a component what it does with its topics.

    Args:
        settings: of the process.
        component: one of `pipeline.kafka.grants.COMPONENTS`.
        topics: names on the wire of the topics that stand for grants by prefix.

    Raises:
        RightsError: a grant is missing.
    """
    if lacks := lacking(settings, component, topics):
        raise RightsError(lacks)


def lacking(settings: Settings, component: str, topics: Iterable[str]) -> str | None:
    """What a component may not do that it needs, in one sentence; None where nothing is known to lack.

    Transactional ids are not asked for: the first use of them says so.

    Args:
        settings: of the process.
        component: one of `pipeline.kafka.grants.COMPONENTS`.
        topics: names on the wire of the topics that stand for grants by prefix.
    """
    needed = _needed(settings, component, topics)
    client = librdkafka(settings)
    admin = AdminClient(client)  # its answers go with it
    asked = admin.describe_topics(
        TopicCollection(sorted(needed)), include_authorized_operations=True, request_timeout=ANSWER_SECONDS_MAX
    )
    lacks = [said for name, future in asked.items() if (said := _lack(future, f"topic {name}", needed[name]))]
    # Of the groups of others ingest needs no more than to see how far they are.
    groups = {each.name: each.operations for each in grants_of(settings, component) if each.resource == "group"}
    if component in STAGE_BY_NAME:
        described = admin.describe_consumer_groups(
            list(groups), include_authorized_operations=True, request_timeout=ANSWER_SECONDS_MAX
        )
        lacks += [said for name, future in described.items() if (said := _lack(future, f"group {name}", groups[name]))]
    return _sentence(client, component, lacks) if lacks else None


def _lack(future: Future[Any], what: str, needed: Sequence[str]) -> str | None:
    """What of an answer is not ours; what is missing or does not answer is told by others."""
    if future.exception() is not None:
        return f"{' or '.join(needed)} {what}" if _is_refused(future) else None
    allowed = future.result().authorized_operations
    # Brokers that do not say give nothing.
    absent = [each for each in needed if _OPERATIONS[each] not in allowed] if allowed else []
    return f"{' or '.join(absent)} {what}" if absent else None


def hidden(client: Mapping[str, Any], component: str, topics: Sequence[str]) -> str | None:
    """What of topics that are not listed is there, or may be, and is kept from us, in one sentence; else None.

    Args:
        client: configuration of the librdkafka client.
        component: whose grants would help.
        topics: names on the wire.
    """
    if not topics:
        return None
    admin = AdminClient(dict(client))  # its answers go with it
    asked = admin.describe_topics(TopicCollection(sorted(topics)), request_timeout=ANSWER_SECONDS_MAX)
    kept = [f"Describe topic {name}" for name, future in asked.items() if _is_refused(future)]
    return _sentence(client, component, kept) if kept else None


def _is_refused(future: Future[Any]) -> bool:
    error = future.exception()
    return isinstance(error, KafkaException) and error.args[0].code() in _REFUSED


def _needed(settings: Settings, component: str, topics: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Operations by topic on the wire."""
    needed: dict[str, tuple[str, ...]] = {}
    listed = tuple(topics)
    for grant in grants_of(settings, component):
        if grant.resource == "topic":
            names = [name for name in listed if name.startswith(grant.name)] if grant.prefixed else [grant.name]
            needed |= dict.fromkeys(names, grant.operations)
    return needed


def _sentence(client: Mapping[str, Any], component: str, lacks: list[str]) -> str:
    more = f" and {len(lacks) - LACKS_TOLD_MAX} more" if len(lacks) > LACKS_TOLD_MAX else ""
    said = "; ".join(lacks[:LACKS_TOLD_MAX])
    return (
        f"{who_of(client)} may not {said}{more}: grant it what `spillway topics grants --component {component}` lists"
    )

"""Sends a command to the pipeline: the record on ``commands`` or ``bridge.commands`` that asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import click
import orjson
from confluent_kafka import KafkaError, Message, Producer

from pipeline.catalog import ConfigError, load_config
from pipeline.cli.cluster import client_config
from pipeline.core.identity import partition_of
from pipeline.core.privacy.redactor import FeedRedactor, Redactor
from pipeline.core.privacy.words import without_personal_data
from pipeline.kafka.reach import UnreachableError, list_topics
from pipeline.models.command import Command
from pipeline.models.problem import ProblemCommand
from pipeline.settings import Settings, SettingsError

PRIVACY_FILE: Final = "privacy.yaml"
COMMANDS_TOPIC: Final = "commands"
BRIDGE_COMMANDS_TOPIC: Final = "bridge.commands"

# A person waits for the answer; a broker that takes longer is not well.
ANSWER_SECONDS_MAX: Final = 15.0


def send_command(settings: Settings, command: Command | ProblemCommand, *, topic: str, key: str) -> None:
    """Write one command and wait until the brokers have it.

    Args:
        settings: brokers and names.
        command: what is asked.
        topic: logical name: `COMMANDS_TOPIC`, `BRIDGE_COMMANDS_TOPIC` or that of commands on problems.
        key: the incident's space, or the id of the bridge incident or problem.

    Raises:
        click.ClickException: no broker answers, the topic is missing, or the brokers refuse.
    """
    client = client_config(settings)
    producer = Producer({**client, "enable.idempotence": True, "delivery.timeout.ms": int(ANSWER_SECONDS_MAX * 1_000)})
    failures: list[KafkaError] = []

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failures.append(error)

    wire = settings.wire(topic)
    partition = partition_of(key.encode(), _partitions(client, wire))
    command = without_personal_data(command, _redactor(settings))
    value = command.model_dump_json(exclude_none=True)
    producer.produce(wire, value, key=key, partition=partition, on_delivery=delivered)
    unsent = producer.flush(ANSWER_SECONDS_MAX)
    if failures or unsent:
        reason = failures[0].str() if failures else "no answer"
        raise click.ClickException(f"Kafka at {settings.bootstrap} did not take the command: {reason}. Try again.")


def say_accepted(command_id: str, *, as_json: bool, **more: str) -> None:
    """Say that the brokers have a command: its id, by which its answer is found, and what else is known of it."""
    document = {"command_id": command_id, "status": "accepted", **more}
    click.echo(orjson.dumps(document).decode() if as_json else f"{next(iter(more.values()), command_id)} accepted")


def _partitions(client: Mapping[str, Any], wire: str) -> int:
    try:
        # Asked for by name, a missing topic might be created with the broker's defaults; so ask for all.
        found = list_topics(client, ANSWER_SECONDS_MAX)
    except UnreachableError as error:
        advice = "" if error.refused else ": start one, or set SPILLWAY_BOOTSTRAP"
        raise click.ClickException(f"{error}{advice}") from None
    if wire not in found:
        raise click.ClickException(f"topic {wire} is missing: run `spillway topics apply`")
    return len(found[wire].partitions)


def _redactor(settings: Settings) -> FeedRedactor | None:
    """What takes personal data out of words; None where the configuration directory, if there is one, says nothing."""
    directory = settings.config_dir
    if directory is None or not (directory / PRIVACY_FILE).exists():  # a whole directory takes a while to load
        return None
    try:
        privacy = load_config(directory).privacy
        return Redactor(privacy, settings.privacy_key(privacy)).of_commands()
    except (ConfigError, SettingsError) as error:
        raise click.ClickException(str(error)) from None

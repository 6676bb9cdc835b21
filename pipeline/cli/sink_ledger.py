"""What the commands about sinks share: the ledger with a progress bar, the configured sinks, one-line errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click

from pipeline.cli.cluster import Decorator, client_config, read_settings
from pipeline.cli.progress import progress
from pipeline.cli.replay import read_config
from pipeline.kafka.ledger import read_ledger, topic_size
from pipeline.kafka.scan import ScanError
from pipeline.models.ledger import DELIVERIES_STATE_TOPIC, LedgerEntry
from pipeline.models.policy import Config
from pipeline.settings import Settings

config_option: Decorator = click.option(
    "--config",
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Configuration directory with sinks.yaml; SPILLWAY_CONFIG unless given.",
)


class Cluster(NamedTuple):
    """The brokers as a command talks to them.

    Attributes:
        client: configuration of a librdkafka client.
    """

    settings: Settings
    client: dict[str, Any]

    def wire(self, topic: str) -> str:
        """Name of a topic on the wire."""
        return self.settings.wire(topic)

    def ledger(self) -> list[LedgerEntry]:
        """The whole ledger, as it is now."""
        topic = self.wire(DELIVERIES_STATE_TOPIC)
        with progress("reading the ledger", topic_size(self.client, topic)) as seen:
            return read_ledger(self.client, topic, seen)


@contextmanager
def cluster(bootstrap: str | None) -> Iterator[Cluster]:
    """The brokers; what goes wrong with them becomes one line."""
    settings = read_settings(bootstrap)
    try:
        yield Cluster(settings, client_config(settings))
    except ScanError as error:
        raise click.ClickException(str(error)) from error


def sinks_config(settings: Settings, directory: Path | None) -> Config:
    """The configuration, for its sinks.

    Raises:
        click.ClickException: it has problems.
    """
    return read_config(directory or settings.config_dir)


def known_sink(name: str, config: Config, entries: list[LedgerEntry]) -> str:
    """The name of a sink that is configured, or that the ledger has entries of.

    Raises:
        click.ClickException: there is no such sink; the message names those that there are.
    """
    names = sorted({*config.sinks, *(each.sink for each in entries)})
    if name not in names:
        there_are = f"there are {', '.join(names)}" if names else "sinks.yaml has none, and nothing was ever delivered"
        raise click.ClickException(f"no sink {name}: {there_are}")
    return name

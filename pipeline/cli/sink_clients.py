"""Clients of sinks for the time of a command, with the secrets of the environment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from pipeline.models.sinks import SinkRules
from pipeline.settings import Settings, SettingsError
from pipeline.sinks.base import SinkClient, SinkError
from pipeline.sinks.clients import client_of
from pipeline.sinks.limits import Buckets


@asynccontextmanager
async def clients(settings: Settings, sinks: Iterable[SinkRules]) -> AsyncIterator[dict[str, SinkClient]]:
    """Clients by name; disconnected at the end.

    Raises:
        SinkError: one cannot be used as configured, or its secret is not set.
    """
    buckets, made = Buckets(), dict[str, SinkClient]()
    try:
        for rules in sinks:
            made[rules.name] = client_of(rules, secrets_of(settings, rules), buckets.of(rules))
        yield made
    finally:
        for client in made.values():
            await client.close()


def secrets_of(settings: Settings, rules: SinkRules) -> dict[str, str]:
    """What the variables of a sink hold, by name.

    Raises:
        SinkError: one is not set.
    """
    try:
        return {name: settings.secret(name) for name in rules.secret_names}
    except SettingsError as missing:
        raise SinkError(f"sink {rules.name}: {missing}") from None

"""Adapters: one file a source. Adding one is that file (`FEED_CLASS`, `parse`) and its line in `_NAMES`."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from pipeline.models.feed import Adapter, RawMessage
from pipeline.models.policy import Config, Feed

__all__ = ["ADAPTERS", "DEFAULT_FEEDS", "Adapter", "RawMessage", "feeds_of"]

_NAMES: Final = (
    "alertmanager",
    "grafana",
    "cloudwatch",
    "zabbix",
    "azure-monitor",
    "statuspage",
    "pagerduty",
    "uptimerobot",
    "xurrent",
    "jira",
)


def _adapter(name: str) -> Adapter:
    module = import_module(f"{__name__}.{name.replace('-', '_')}")
    return Adapter(module.FEED_CLASS, module.parse)


ADAPTERS: Final[dict[str, Adapter]] = {name: _adapter(name) for name in _NAMES}
"""Every adapter by its name."""

DEFAULT_FEEDS: Final[dict[str, Feed]] = {name: Feed(name=name, adapter=name) for name in _NAMES}
"""A feed for each adapter, so that a source that produces to ``alerts.raw.<adapter>`` works without configuration."""


def feeds_of(config: Config) -> dict[str, Feed]:
    """The feeds in force: those of the configuration over one for each adapter."""
    return {**DEFAULT_FEEDS, **config.feeds}

"""Adapters: one file a source, found by its name. Adding one is that file; others ship theirs as packages.

An adapter's module has ``FEED_CLASS`` and ``parse``, and may have ``decode`` and ``Options`` (see
`pipeline.models.feed.Adapter`). Its name is the module's, with ``-`` for ``_``. Beside them there are the adapters of
installed packages (`packages.py`) and those that the configuration describes (`declarative/`).
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from pipeline.feeds.packages import Packaged, adapter_of, installed, packaged
from pipeline.flow import RAW_TOPIC_PREFIX
from pipeline.models.feed import Adapter, RawMessage
from pipeline.models.policy import Config, Feed, FeedQuota

__all__ = [
    "ADAPTERS",
    "DEFAULT_FEEDS",
    "Adapter",
    "RawMessage",
    "adapters_of",
    "feeds_of",
    "packaged_adapters",
    "quotas_of",
    "required_feeds",
]


def _built_in() -> dict[str, Adapter]:
    """The adapters of this package; modules without ``FEED_CLASS`` are what they share."""
    modules = {each.name: import_module(f"{__name__}.{each.name}") for each in iter_modules(__path__)}
    return {
        name.replace("_", "-"): adapter_of(module) for name, module in modules.items() if hasattr(module, "FEED_CLASS")
    }


ADAPTERS: Final[dict[str, Adapter]] = _built_in()
"""Every built-in adapter by its name."""

DEFAULT_FEEDS: Final[dict[str, Feed]] = {name: Feed(name=name, adapter=name) for name in ADAPTERS}
"""A feed for each built-in adapter: a source that produces to ``alerts.raw.<adapter>`` works without configuration."""


@cache
def packaged_adapters() -> Packaged:
    """The adapters of installed packages, and what is wrong with them. Looked for once in a process."""
    return packaged(ADAPTERS, installed())


def adapters_of(config: Config) -> dict[str, Adapter]:
    """Every adapter that a configuration can use: built in, of packages, and its own.

    Raises:
        ValueError: an installed package is broken, or an adapter of the configuration is, or it has the name of
            another. `pipeline.catalog.check_config` finds all of this, with places.
    """
    found = packaged_adapters()
    if found.problems:
        raise ValueError(found.problems[0])
    adapters = ADAPTERS | found.adapters
    if config.adapters:
        from pipeline.feeds.declarative.compile import compile_adapter  # CEL's engine is for those who use it

        for name, spec in config.adapters.items():
            if name in adapters:
                raise ValueError(f"adapter {name} of the configuration has the name of another one")
            adapters[name] = compile_adapter(spec)
    return adapters


def feeds_of(config: Config) -> dict[str, Feed]:
    """The feeds in force: those of the configuration over one for each adapter."""
    names = (*packaged_adapters().adapters, *config.adapters)
    return {**DEFAULT_FEEDS, **{name: Feed(name=name, adapter=name) for name in names}, **config.feeds}


def required_feeds(config: Config) -> tuple[str, ...]:
    """Names of the feeds that a company asked for: those of its configuration, and all where it names none.

    Their topics must be there before ingest starts, whoever makes topics. The other feeds of `feeds_of` are read where
    somebody has made their topic.
    """
    return tuple(config.feeds or feeds_of(config))


def quotas_of(config: Config) -> dict[str, FeedQuota]:
    """Logical raw topic -> quota, of the feeds that have one."""
    return {RAW_TOPIC_PREFIX + name: feed.quota for name, feed in config.feeds.items() if feed.quota is not None}

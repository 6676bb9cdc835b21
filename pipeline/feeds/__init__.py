"""Adapters: one file a source, found by its name. Adding one is that file; others ship theirs as packages.

An adapter's module has ``FEED_CLASS`` and ``parse``, and may have ``decode`` and ``Options`` (see
`pipeline.models.feed.Adapter`). Its name is the module's, with ``-`` for ``_``.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from pipeline.models.feed import Adapter, RawMessage
from pipeline.models.policy import Config, Feed

__all__ = ["ADAPTERS", "DEFAULT_FEEDS", "Adapter", "RawMessage", "feeds_of"]


def _built_in() -> dict[str, Adapter]:
    """The adapters of this package; modules without ``FEED_CLASS`` are what they share."""
    modules = {each.name: import_module(f"{__name__}.{each.name}") for each in iter_modules(__path__)}
    return {
        name.replace("_", "-"): Adapter(
            module.FEED_CLASS, module.parse, getattr(module, "decode", None), getattr(module, "Options", None)
        )
        for name, module in modules.items()
        if hasattr(module, "FEED_CLASS")
    }


ADAPTERS: Final[dict[str, Adapter]] = _built_in()
"""Every adapter by its name."""

DEFAULT_FEEDS: Final[dict[str, Feed]] = {name: Feed(name=name, adapter=name) for name in ADAPTERS}
"""A feed for each adapter, so that a source that produces to ``alerts.raw.<adapter>`` works without configuration."""


def feeds_of(config: Config) -> dict[str, Feed]:
    """The feeds in force: those of the configuration over one for each adapter."""
    return {**DEFAULT_FEEDS, **config.feeds}

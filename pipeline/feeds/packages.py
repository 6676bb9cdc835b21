"""Adapters that others ship as Python packages, by the entry-point group ``spillway.adapters``.

    [project.entry-points."spillway.adapters"]
    acme = "acme_spillway.adapter"

An entry names a module with what a built-in adapter's module has. A package that cannot be used, or takes a name that
is taken, is a problem with a sentence, and then nothing starts: records that nobody reads would be lost unnoticed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from pipeline.models.alert import FeedClass
from pipeline.models.feed import Adapter

GROUP: Final = "spillway.adapters"

ADAPTER_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
"""An adapter's name is also its default feed's, and so part of a Kafka topic name."""

# What a module of others may raise while it is imported. What is not among these is loud by itself: a traceback.
_IMPORT_FAULTS: Final = (
    ImportError, SyntaxError, NameError, AttributeError, TypeError, ValueError, LookupError, ArithmeticError,
    AssertionError, RuntimeError, OSError, MemoryError,
)  # fmt: skip


class Packaged(NamedTuple):
    """The adapters of all installed packages.

    Attributes:
        adapters: by name; only those without a problem.
        problems: one sentence each, which names the package.
    """

    adapters: dict[str, Adapter]
    problems: tuple[str, ...]


class AdapterModuleError(ValueError):
    """A module is no adapter; the message says what is missing."""


def adapter_of(module: ModuleType) -> Adapter:
    """The adapter that a module is.

    Raises:
        AdapterModuleError: ``FEED_CLASS``, ``parse``, ``decode`` or ``Options`` is not what it must be.
    """
    feed_class, parse = getattr(module, "FEED_CLASS", None), getattr(module, "parse", None)
    decode, options = getattr(module, "decode", None), getattr(module, "Options", None)
    if not isinstance(feed_class, str) or feed_class not in set(FeedClass):
        raise AdapterModuleError(f"FEED_CLASS must be one of {', '.join(FeedClass)}")
    if not callable(parse):
        raise AdapterModuleError("it has no function parse(document, message)")
    if decode is not None and not callable(decode):
        raise AdapterModuleError("decode must be a function of bytes")
    if options is not None:
        _check_options(options)
    return Adapter(feed_class, parse, decode, options)


def _check_options(options: Any) -> None:
    if not isinstance(options, type) or not issubclass(options, BaseModel):
        raise AdapterModuleError("Options must be a pydantic model")
    required = [name for name, field in options.model_fields.items() if field.is_required()]
    if required:
        raise AdapterModuleError(f"Options needs a default for {', '.join(required)}: feeds may set nothing")
    if options.model_config.get("extra") != "forbid":
        raise AdapterModuleError('Options must have extra="forbid": a misspelt option would be ignored')


def installed() -> list[EntryPoint]:
    """All entries of the group, in a fixed order. An environment may list one entry twice; it counts once."""
    found = {(each.name, each.value, _package(each)): each for each in entry_points(group=GROUP)}
    return [found[key] for key in sorted(found)]


def packaged(taken: Iterable[str], entries: Iterable[EntryPoint]) -> Packaged:
    """Load the adapters of packages.

    Args:
        taken: names of the built-in adapters.
        entries: of the group.
    """
    adapters: dict[str, Adapter] = {}
    problems: list[str] = []
    owners: dict[str, str] = dict.fromkeys(taken, "")
    for entry in entries:
        package = _package(entry)
        fault = _fault_of_name(entry.name, owners)
        if fault is None:
            owners[entry.name] = package
            try:
                adapters[entry.name] = _loaded(entry)
            except AdapterModuleError as error:
                fault = f"{entry.value}: {error}"
        if fault is not None:
            adapters.pop(entry.name, None)  # of two packages with one name, neither goes before the other
            problems.append(f"package {package}: adapter '{entry.name}': {fault}; repair or uninstall it")
    return Packaged(adapters, tuple(problems))


def _package(entry: EntryPoint) -> str:
    return "of an unknown name" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"


def _fault_of_name(name: str, owners: Mapping[str, str]) -> str | None:
    if not ADAPTER_NAME.fullmatch(name):
        return "the name must be lower-case letters, digits, '-', '_' or '.', as a topic's name"
    owner = owners.get(name)
    if owner is None:
        return None
    return f"package {owner} has one of that name" if owner else "Spillway has one of that name"


def _loaded(entry: EntryPoint) -> Adapter:
    """The adapter of an entry.

    Raises:
        AdapterModuleError: it cannot be imported, or is no adapter.
    """
    try:
        module: ModuleType = entry.load()
    except _IMPORT_FAULTS as error:
        raise AdapterModuleError(f"it cannot be imported: {type(error).__name__}: {error}") from error
    return adapter_of(module)

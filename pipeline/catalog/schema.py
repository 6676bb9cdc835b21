"""JSON schemas of every file of the configuration directory, for editors that complete and check while typing."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

from pipeline.catalog.schema_descriptor import descriptor_schema
from pipeline.catalog.schema_pack import with_inheritance
from pipeline.catalog.schema_words import describe
from pipeline.models.adapter import AdapterSpec
from pipeline.models.console import ConsoleSettings
from pipeline.models.maintenance import MaintenanceWindow
from pipeline.models.matching import MatchingRule
from pipeline.models.oncall import Rotation
from pipeline.models.policy import CorrelationSettings, DomainPolicy, Feed
from pipeline.models.privacy import Privacy
from pipeline.models.problem import KnownError
from pipeline.models.sinks import SINK_TYPES

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_ID_PREFIX: Final = "https://spillway.dev/schemas/"
"""Of the names that schemas have. They are names: nothing is fetched from there."""

# What the loader fills in from the name of the file or of the entry, so nobody has to write it.
_FILLED_IN: Final = frozenset(("name", "adapter", "domain"))

_FILES: Final[dict[str, tuple[type[BaseModel], str]]] = {
    "adapter": (AdapterSpec, "Adapter of a source: adapters/<name>.yaml"),
    "domain": (DomainPolicy, "Policy pack of a service domain: domains/<domain>.yaml"),
    "rotation": (Rotation, "On-call rotation: oncall/<name>.yaml"),
    "correlation": (CorrelationSettings, "Limits and thresholds: correlation.yaml"),
    "console": (ConsoleSettings, "Who may come in to the console, and for how long: console.yaml"),
    "privacy": (Privacy, "Personal data and retention: privacy.yaml"),
}
_NAMED: Final[dict[str, tuple[type[BaseModel], str]]] = {
    "feeds": (Feed, "Feeds by name: feeds.yaml"),
    "maintenance": (MaintenanceWindow, "Maintenance windows by name: maintenance.yaml"),
    "known-errors": (KnownError, "Known errors by name: known-errors.yaml"),
    "matching": (MatchingRule, "Matching rules by name, in order: matching.yaml"),
}

_CATALOG: Final = "catalog"
_CATALOG_TITLE: Final = "Catalogue: catalog/*.yaml, Backstage descriptors"

_SINKS: Final = "sinks"
_SINKS_TITLE: Final = "Sinks by name: sinks.yaml"

SCHEMA_NAMES: Final = (_CATALOG, *_FILES, _SINKS, *_NAMED)


def schema_of(name: str) -> dict[str, Any]:
    """JSON schema of one kind of file.

    Args:
        name: one of `SCHEMA_NAMES`.

    Raises:
        KeyError: there is no such kind.
    """
    head = {"$schema": _DIALECT, "$id": f"{_ID_PREFIX}{name}.json"}
    if name == _CATALOG:
        return {**head, "title": _CATALOG_TITLE, **descriptor_schema()}
    if name == _SINKS:
        return {**head, "title": _SINKS_TITLE, **_sinks()}
    if name in _FILES:
        model, title = _FILES[name]
        written = _written(model)
        return {**head, **(with_inheritance(written) if name == "domain" else written), "title": title}
    model, title = _NAMED[name]
    entry = _written(model)
    definitions = entry.pop("$defs", {})
    entry = {"anyOf": [entry, {"type": "null"}]}  # an entry of defaults alone may be left empty
    schema = {**head, "title": title, "type": "object", "additionalProperties": entry}
    return {**schema, "$defs": definitions} if definitions else schema


def _sinks() -> dict[str, Any]:
    """Entries by their type; one without a type is a webhook."""
    entries: list[dict[str, Any]] = []
    definitions: dict[str, Any] = {}
    for kind, model in SINK_TYPES.items():
        entry = _written(model)
        definitions |= entry.pop("$defs", {})
        stated = [*entry.get("required", ())] + ([] if kind == "webhook" else ["type"])
        definitions[model.__name__] = {**entry, "required": stated}
        entries.append({"$ref": f"#/$defs/{model.__name__}"})
    return {"type": "object", "additionalProperties": {"anyOf": entries}, "$defs": definitions}


def _written(model: type[BaseModel]) -> dict[str, Any]:
    schema = describe(model.model_json_schema(), model)
    required = [field for field in schema.pop("required", []) if field not in _FILLED_IN]
    return {**schema, "required": required} if required else schema

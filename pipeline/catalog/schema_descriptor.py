"""JSON schema of the catalogue's files: what is read of a Backstage descriptor; Backstage's other fields pass."""

from __future__ import annotations

import re
from typing import Any, Final

from pipeline.catalog.annotations import ANNOTATIONS, PREFIX, RUNBOOK
from pipeline.models.catalog import HostingModel

_NAME: Final = {"type": ["string", "integer"], "pattern": r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"}
_WORD: Final = ("string", "number", "boolean")  # people leave quotes out
_REFERENCE: Final = "A reference: `name`, `kind:name`, `namespace/name` or `kind:namespace/name`"
# Annotation that an import writes on what it generates.
_GENERATED: Final = "generated-by"
_NARROWER: Final[dict[str, dict[str, Any]]] = {
    "tier": {"enum": ["1", "2", "3", "4", 1, 2, 3, 4]},
    "hosting-model": {"enum": [each.value for each in HostingModel]},
}
"""Annotations of which an editor can offer the values."""


def descriptor_schema() -> dict[str, Any]:
    """Schema of one document of ``catalog/*.yaml``, without its id and title."""
    return {
        "description": "One Backstage descriptor. Read are Component, Resource, System, Domain and Group.",
        "type": "object",
        "required": ["apiVersion", "kind", "metadata"],
        "properties": {
            "apiVersion": {"type": "string", "pattern": "^backstage\\.io/", "default": "backstage.io/v1alpha1"},
            "kind": {
                "description": "Component, Resource, System, Domain or Group; Backstage's other kinds pass unread.",
                "type": "string",
                "examples": ["Component", "Resource", "System", "Domain", "Group"],
            },
            "metadata": _metadata(),
            "spec": _spec(),
        },
    }


def _metadata() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {**_NAME, "description": "Unique within its kind and namespace."},
            "namespace": {**_NAME, "default": "default"},
            "title": {"type": list(_WORD), "description": "What people call it; alerts find it by this, too."},
            "description": {"type": list(_WORD)},
            "labels": {
                "description": "A label and value that only one entity carries identify it; `host` holds the names "
                "that monitors use for it, with commas between.",
                "type": "object",
                "additionalProperties": {"type": list(_WORD)},
            },
            "annotations": _annotations(),
        },
    }


def _annotations() -> dict[str, Any]:
    named = {
        PREFIX + each.name: {"type": list(_WORD), "description": each.meaning, **_NARROWER.get(each.name, {})}
        for each in ANNOTATIONS.values()
    }
    named[PREFIX + RUNBOOK] = {"type": "string", "description": "address of the runbook"}
    known = "|".join(re.escape(name) for name in (*ANNOTATIONS, _GENERATED))
    return {
        "type": "object",
        "properties": named,
        "patternProperties": {
            f"^{re.escape(PREFIX)}{RUNBOOK}\\..+$": {
                "type": "string",
                "description": "address of the runbook for one category of the entity's domain",
            },
            f"^{re.escape(PREFIX)}(?!(?:{known}|{RUNBOOK}(?:\\..+)?)$)": False,  # a misspelt one of ours
        },
        "additionalProperties": {"type": list(_WORD)},
    }


def _spec() -> dict[str, Any]:
    reference = {"type": "string", "description": f"{_REFERENCE}."}
    references = {"type": "array", "items": {"type": "string"}}
    return {
        "type": "object",
        "properties": {
            "type": {
                "type": list(_WORD),
                "description": "service, website, database, host, rack, zone, cluster... What runs on a host, rack, "
                "cluster or zone fails together.",
            },
            "owner": {**reference, "description": f"The group that answers for it. {_REFERENCE}."},
            "system": reference,
            "domain": {**reference, "description": f"Service domain; without it, its system's. {_REFERENCE}."},
            "dependsOn": {**references, "description": f"What it needs. Each: {_REFERENCE[2:]}."},
            "dependencyOf": {**references, "description": f"What needs it. Each: {_REFERENCE[2:]}."},
        },
    }

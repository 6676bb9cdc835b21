"""The schema of policy packs: what an heir may write besides what a whole pack may (`pipeline.catalog.inherit`)."""

from __future__ import annotations

from typing import Any, Final

_ADDS: Final = "In place of the list: what to add before and after the inherited one."


def with_inheritance(schema: dict[str, Any]) -> dict[str, Any]:
    """Let each list also be written as what to add to the inherited one, and each list or mapping be taken away.

    Entries of mappings by name may be parts, because they are merged into what is inherited.

    Args:
        schema: of a whole pack; changed in place.
    """
    definitions = schema.get("$defs", {})
    for model in (schema, *definitions.values()):
        properties = model.get("properties", {})
        for name, written in properties.items():
            properties[name] = _heritable(written)
            entry = written.get("additionalProperties")
            if isinstance(entry, dict) and "$ref" in entry:
                definitions[entry["$ref"].rpartition("/")[2]].pop("required", None)
                properties[name]["additionalProperties"] = {"if": {"type": "null"}, "else": entry}
    return schema


def _heritable(written: dict[str, Any]) -> dict[str, Any]:
    shape = written.get("type")
    if shape == "object":
        return {**written, "type": ["object", "null"]}
    if shape != "array":
        return written
    whole = _unsaid(written)
    part = {name: each for name, each in whole.items() if name not in ("minItems", "maxItems")}
    adds = {
        "description": _ADDS,
        "properties": {"before": part, "after": part},
        "additionalProperties": False,
        "minProperties": 1,
    }
    # Not "anyOf": of what is wrong deep inside, an editor would mark the whole list.
    return {**_said(written), "if": {"type": "object"}, "then": adds, "else": {**whole, "type": ["array", "null"]}}


def _said(written: dict[str, Any]) -> dict[str, Any]:
    return {name: written[name] for name in ("description", "default") if name in written}


def _unsaid(written: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in written.items() if name not in ("description", "default")}

"""Descriptions for JSON schemas, taken from the docstrings of the models: what an editor shows beside a field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import getdoc
from typing import Any, Final, get_args

from pydantic import BaseModel

_TIME_OF_DAY: Final = "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$"
_SECTION: Final = "Attributes:\n"
_ENTRY: Final = re.compile(r" {4}(\w+(?:, \w+)*): (.*)")  # one entry may speak of several fields


def describe(schema: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a model with words: of each model its first paragraph, of each field its entry in the docstring.

    Args:
        schema: as pydantic makes it, whose own descriptions are whole docstrings; changed in place.
        model: what it is the schema of.
    """
    _describe_one(schema, model)
    definitions = schema.get("$defs", {})
    for each in _models(model, set()):
        if each.__name__ in definitions:
            _describe_one(definitions[each.__name__], each)
    return schema


def _describe_one(schema: dict[str, Any], model: type[BaseModel]) -> None:
    schema["description"] = _plain((getdoc(model) or "").partition("\n\n")[0])
    words = attributes(model)
    for field, written in schema.get("properties", {}).items():
        written.pop("title", None)  # pydantic's says the field's name again
        if field in words:
            written["description"] = words[field]
        if written.get("format") == "time":  # of RFC 3339, which asks for seconds and a zone
            del written["format"]
            written["pattern"] = _TIME_OF_DAY


def attributes(model: type[BaseModel]) -> dict[str, str]:
    """The ``Attributes`` section of a model's docstring, and of those it inherits from: field -> meaning."""
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        names: list[str] = []
        for line in ((each.__doc__ and getdoc(each)) or "").partition(_SECTION)[2].splitlines():
            if entry := _ENTRY.match(line):
                names = entry[1].split(", ")
                found |= dict.fromkeys(names, entry[2])
            elif names and line.strip():
                found |= {name: f"{found[name]} {line.strip()}" for name in names}
    return {name: _plain(text) for name, text in found.items()}


def _plain(text: str) -> str:
    """One line that begins with a capital letter, for people who see no markup."""
    line = " ".join(text.replace("``", "`").split())
    return line[:1].upper() + line[1:]


def _models(annotation: Any, seen: set[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    """Every model that a model or an annotation speaks of, itself included."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation in seen:
            return
        seen.add(annotation)
        yield annotation
        for field in annotation.model_fields.values():
            yield from _models(field.annotation, seen)
    for argument in get_args(annotation):
        yield from _models(argument, seen)

"""Documents -> models, with pydantic's errors told as problems at the line that is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pipeline.catalog.problems import Findings, suggestion
from pipeline.catalog.yaml_lines import Document, Path

Model = TypeVar("Model", bound=BaseModel)

_REQUIRED: Final = "missing"
_UNKNOWN: Final = "extra_forbidden"
_ITEMS_MIN: Final = re.compile(r"at least (\d+) item")


def validated(
    model: type[Model],
    document: Document,
    findings: Findings,
    path: Path = (),
    defaults: Mapping[str, Any] | None = None,
) -> Model | None:
    """The model of what stands at a path of a document; None where that is wrong, with the problems noted.

    Args:
        model: what to build.
        document: where it is written.
        findings: takes what is wrong.
        path: where in the document.
        defaults: values of fields that may be left out in the file.
    """
    value = document.value
    for part in path:
        value = value[part]
    if value is None:
        value = {}
    if not isinstance(value, dict):
        findings.problem(document.at(*path), "expected a mapping of names to values")
        return None
    try:
        return model.model_validate({**(defaults or {}), **value})
    except ValidationError as error:
        for each in error.errors(include_url=False, include_context=False, include_input=False):
            place = document.at(*path, *_written(document, path, each["loc"]))
            findings.problem(place, _message(model, each))
        return None


def _written(document: Document, path: Path, location: Path) -> Path:
    """The longest beginning of an error's location that the file has a line for."""
    for length in range(len(location), 0, -1):
        if (*path, *location[:length]) in document.lines:
            return location[:length]
    return ()


def _message(model: type[BaseModel], error: ErrorDetails) -> str:
    location = error["loc"]
    field = ".".join(str(part) for part in location)
    if error["type"] == _UNKNOWN:
        return f"unknown field '{field}'{suggestion(str(location[-1]), _fields_at(model, location[:-1]))}"
    if error["type"] == _REQUIRED:
        return f"field '{field}' is missing"
    words = error["msg"].removeprefix("Value error, ")
    if error["type"] == "too_short" and (items := _ITEMS_MIN.search(words)):
        words = f"needs at least {items[1]}"
    return f"{field}: {words[:1].lower()}{words[1:]}" if field else words


def _fields_at(model: type[BaseModel], location: Path) -> tuple[str, ...]:
    """Names of the fields that may stand at a place in a model."""
    here: type[BaseModel] | None = model
    for part in location:
        if here is None:
            return ()
        if isinstance(part, str) and part in here.model_fields:
            here = next(_models_in(here.model_fields[part].annotation), None)
    return tuple(here.model_fields) if here else ()


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Models that an annotation such as ``tuple[Category, ...]`` or ``dict[str, Targets]`` speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)

"""Defaults of a pack that has a scale of priorities of its own: what names P1 names its first, and so on.

A domain that counts in ``[sev1, sev2, sev3]`` gets the built-in matrix, targets, escalation and thresholds in its own
words, and need not write each of them out. What is written is never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from pipeline.models.scales import PRIORITIES_DEFAULT

Model = TypeVar("Model", bound=BaseModel)


def by_own_scale(model: type[Model], written: Any, build: Callable[[Any], Model]) -> Model:
    """Build a pack from what is written, its defaults in the words of its own scale where it has one.

    Args:
        model: the pack's.
        written: what the file says.
        build: makes the model.
    """
    scale = written.get("priorities") if isinstance(written, Mapping) else None
    if not isinstance(scale, list | tuple) or not scale or not all(isinstance(each, str) for each in scale):
        return build(written)
    if tuple(scale) == PRIORITIES_DEFAULT:
        return build(written)
    names = {name: scale[min(place, len(scale) - 1)] for place, name in enumerate(PRIORITIES_DEFAULT)}
    made = build(_filled(model, written, names))
    _forget_filled(made, written)
    return made


def _filled(model: type[BaseModel], written: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """What is written, and each default that names a priority, renamed."""
    filled = dict(written)
    for name, field in model.model_fields.items():
        if name == "priorities" and model.__name__ == "DomainPolicy":
            continue
        inner = field.annotation
        if name in written:
            if isinstance(written[name], Mapping) and isinstance(inner, type) and issubclass(inner, BaseModel):
                filled[name] = _filled(inner, written[name], names)
            continue
        if field.is_required():
            continue
        default = _plain(field.get_default(call_default_factory=True))
        if (renamed := _renamed(default, names)) != default:
            filled[name] = renamed
    return filled


def _plain(value: Any) -> Any:
    """A default as a file would say it."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """A default with every priority renamed; where two become one, the more urgent stands."""
    if isinstance(value, Mapping):
        renamed: dict[Any, Any] = {}
        for name, each in value.items():
            renamed.setdefault(names.get(name, name), _renamed(each, names))
        return renamed
    if isinstance(value, list):
        return list(dict.fromkeys(names.get(each, each) for each in value)) if _texts(value) else [
            _renamed(each, names) for each in value
        ]  # fmt: skip
    return names.get(value, value) if isinstance(value, str) else value


def _texts(value: list[Any]) -> bool:
    return all(isinstance(each, str) for each in value)


def _forget_filled(model: BaseModel, written: Mapping[str, Any]) -> None:
    """Let the model know as stated what was written, and nothing that was filled in."""
    model.model_fields_set.intersection_update(written)
    for name in model.model_fields_set:
        inner = getattr(model, name)
        if isinstance(inner, BaseModel) and isinstance(written[name], Mapping):
            _forget_filled(inner, written[name])

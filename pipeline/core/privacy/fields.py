"""Which fields a rule names: by their own name, by the end of their path, or by the whole of it.

    email               a field of that name, wherever it is
    reporter.email      in a field `reporter`
    $.data.*.email      from the top, with anything in the place of the star

Lists count for nothing on a path. Names are compared without case, ``_``, ``-`` and spaces, as sources spell them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

TOP: Final = "$"
ANY: Final = "*"
PATH_CHARS_MAX: Final = 300
NAMES_REMEMBERED_MAX: Final = 16_384

VALUES: Final = ("value", "Value")
"""Names of the value in lists of names and values."""

_DROPPED: Final = str.maketrans("", "", "_- ")


class PathError(ValueError):
    """A field cannot be named so; the message is one line."""


@lru_cache(NAMES_REMEMBERED_MAX)
def folded(name: str) -> str:
    """The name of a field as rules compare it: without case, underscores, hyphens and spaces."""
    return name.translate(_DROPPED).casefold()


def path_of(written: str) -> tuple[str, ...]:
    """The parts of a path as it is written, folded; the first is `TOP` where it counts from the top.

    Raises:
        PathError: it names nothing.
    """
    parts = tuple(part if part in (TOP, ANY) else folded(part.removesuffix("[]")) for part in written.split("."))
    if len(written) > PATH_CHARS_MAX or not all(parts):
        raise PathError("a field is named 'email', 'reporter.email' or '$.data.reporter.email'")
    if TOP in parts[1:] or parts[-1] == TOP:
        raise PathError(f"'{TOP}' stands at the beginning, with a name behind it")
    if set(parts) <= {TOP, ANY}:
        raise PathError("this names every field; name those that hold people")
    return parts


def fits(path: Sequence[str], parts: Sequence[str]) -> bool:
    """Whether a field is one that a path names.

    Args:
        path: names from the top to the field, folded.
        parts: as `path_of` gives them.
    """
    if parts[0] == TOP:
        parts = parts[1:]
        if len(path) != len(parts):
            return False
    elif len(path) < len(parts):
        return False
    return all(part in (ANY, name) for part, name in zip(reversed(parts), reversed(path), strict=False))


def name_beside_value(pairs: Mapping[str, Any]) -> str:
    """The name in ``{"name": "X-Auth-Token", "value": ...}``, as lists of headers, labels and fields have it, or ""."""
    name = next((pairs[each] for each in ("name", "Name", "key", "Key") if each in pairs), None)
    return name if isinstance(name, str) and any(each in pairs for each in VALUES) else ""

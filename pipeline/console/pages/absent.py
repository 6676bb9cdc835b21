"""What a snapshot does not have, in a template: nothing, also where more is asked of it.

Snapshots come from every release and may be damaged, so that any field of theirs may be missing; a page of an incident
that is open must not fail for that. A name that a template is not given, or an attribute that an object of ours does
not have, is a mistake of ours and fails as it should.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from jinja2 import StrictUndefined
from jinja2.runtime import Undefined
from jinja2.utils import missing


class Absent(Undefined):
    """A field that a mapping does not have: false, empty, and written as nothing."""

    __slots__ = ()

    def __new__(cls, *given: Any, **named: Any) -> Any:
        """Nothing where a mapping was asked, a failure where anything else was."""
        asked = given[1] if len(given) > 1 else named.get("obj", missing)
        if cls is Absent and not isinstance(asked, Mapping | Absent):
            return StrictUndefined(*given, **named)
        return super().__new__(cls)

    def __getattr__(self, name: str) -> Any:
        """Nothing of nothing."""
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, _: Any) -> Absent:  # type: ignore[override]  # the base refuses
        """Nothing of nothing."""
        return self

    def __iter__(self) -> Iterator[Any]:
        """None of it."""
        return iter(())

    def __format__(self, _: str) -> str:
        """Written as a number too."""
        return ""

    def _less(self, _: Any) -> bool:
        return False

    __lt__ = __le__ = __gt__ = __ge__ = _less  # type: ignore[assignment]  # the base refuses

    def _nothing(self, _: Any) -> Absent:
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = _nothing  # type: ignore[assignment]  # the base refuses

    def __int__(self) -> NoReturn:
        """Say that it is none, as `None` does."""
        raise TypeError("nothing is no number")

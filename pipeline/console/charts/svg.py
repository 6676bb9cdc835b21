"""Elements of SVG and HTML as text, escaped: a name, attributes and children make one element."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup, escape

DIGITS: Final = 2
"""Of a coordinate: a hundredth of a pixel is seen by nobody."""

# What XML 1.0 has no way to say: a page with one of these is no document any more.
_UNSAYABLE: Final = {code: None for code in range(32) if code not in (9, 10, 13)} | {0xFFFE: None, 0xFFFF: None}

Value = str | float


def element(name: str, *children: str, **attributes: Value | None) -> Markup:
    """One element.

    Args:
        name: of the element.
        children: markup as it is, other text escaped.
        attributes: None leaves one out; ``class_`` is ``class``, other ``_`` are ``-``.
    """
    said = "".join(f' {_attribute(key)}="{_value(value)}"' for key, value in attributes.items() if value is not None)
    inner = "".join(str(each) if isinstance(each, Markup) else text(each) for each in children)
    return Markup(f"<{name}{said}>{inner}</{name}>")  # noqa: S704  # each part is escaped above


def text(said: object) -> Markup:
    """Words, escaped, without what XML cannot hold."""
    words = str(said).translate(_UNSAYABLE)
    return escape("".join(each for each in words if not "\ud800" <= each <= "\udfff"))


def join(parts: list[Markup]) -> Markup:
    """Markup one after another."""
    return Markup("").join(parts)


def number(value: float) -> str:
    """A coordinate: short, and never with an exponent."""
    said = f"{value:.{DIGITS}f}".rstrip("0").rstrip(".")
    return "0" if said in ("", "-0") else said


def shortened(words: str, characters: int) -> str:
    """Words cut to so many characters."""
    return words if len(words) <= characters else words[: max(1, characters - 1)].rstrip() + "…"


def _attribute(key: str) -> str:
    return "viewBox" if key == "viewBox" else key.rstrip("_").replace("_", "-")


def _value(value: Value) -> str:
    return number(value) if isinstance(value, int | float) else str(text(value))

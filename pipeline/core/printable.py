"""Characters that steer what shows a text: terminals obey escapes, and some of Unicode turn a line around."""

from __future__ import annotations

from typing import Any, Final

CONTROLS: Final = (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""C0 and C1 controls, escape among them, and the bidirectional overrides and isolates of Unicode."""

PRINTABLE: Final = dict.fromkeys(CONTROLS, " ") | {ord("\n"): "\n", ord("\t"): "\t"}
"""For ``str.translate``: a space in the place of each, but line ends and tabs stay."""


def printable(value: Any) -> Any:
    """A parsed document whose texts steer nothing."""
    if isinstance(value, str):
        return value.replace("\r\n", "\n").translate(PRINTABLE)
    if isinstance(value, dict):
        return {name: printable(each) for name, each in value.items()}
    return [printable(each) for each in value] if isinstance(value, list) else value

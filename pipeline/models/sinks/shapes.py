"""Words for texts that are not written as they have to be: what is expected, and not a regular expression."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BeforeValidator


def shaped(pattern: str, words: str) -> BeforeValidator:
    """Refuse a text that does not fit, in words; the pattern itself stays with the field, for editors.

    Args:
        pattern: of the whole text.
        words: what it must be, with an example.
    """

    def check(value: Any) -> Any:
        if isinstance(value, str) and not re.fullmatch(pattern, value):
            raise ValueError(f"must be {words}")
        return value

    return BeforeValidator(check)

"""The templates of the documentation: what people paste into their sources, read from the pages to be tried."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent
from typing import Final

PAGES: Final = Path(__file__).parents[2] / "docs" / "feeds"

_BLOCK: Final = re.compile(r"^( *)```([a-z]+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page in one language, without indentation."""
    text = (PAGES / f"{page}.md").read_text()
    return [dedent(code) for _, found, code in _BLOCK.findall(text) if found == language]


def block(page: str, language: str, containing: str = "") -> str:
    """The one code block of a language on a page that contains a text."""
    (found,) = [each for each in blocks(page, language) if containing in each]
    return found

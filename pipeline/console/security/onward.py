"""Where a browser goes after it has signed in: a page of ours, whatever an address says."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

HOME: Final = "/"
CHARACTERS_MAX: Final = 2_000

# One slash, and no second one that browsers would read as a host, in whatever spelling; nothing that ends a header.
_PATH: Final = re.compile(r"/(?![/\\])[!-\[\]-~]*")
_NOT_BACK_TO: Final = ("/login", "/logout", "/static/", "/api/")


def onward(asked: str | None) -> str:
    """The page that was asked for, or the first one where that is none of ours."""
    if not asked or len(asked) > CHARACTERS_MAX or not _PATH.fullmatch(asked):
        return HOME
    try:
        parts = urlsplit(asked)
    except ValueError:
        return HOME
    if parts.scheme or parts.netloc or parts.path.startswith(_NOT_BACK_TO):
        return HOME
    return asked

"""The system's Chromium, as tests and pictures start it."""

from __future__ import annotations

import os
import shutil
from typing import Final

VARIABLE: Final = "SPILLWAY_TEST_BROWSER"
"""Path of the browser, where it has another name."""

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

_ARGUMENTS: Final = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

START_MS_MAX: Final = 60_000
"""It starts in two seconds; a busy machine may take long."""

MISSING: Final = f"no Chromium: install it (apt-get install chromium), or set {VARIABLE} to the path of one"


def path() -> str | None:
    """Where it is; None: there is none."""
    return os.environ.get(VARIABLE) or next(filter(None, map(shutil.which, NAMES)), None)


def arguments() -> list[str]:
    """What it is started with."""
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []  # its sandbox does not start as root
    return [*_ARGUMENTS, *as_root]

"""The system's Chromium: found, started, and looked at."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from playwright.sync_api import Browser, sync_playwright

VARIABLE: Final = "SPILLWAY_TEST_BROWSER"

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

ARGUMENTS: Final = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

START_MS_MAX: Final = 60_000
"""It starts in two seconds; a busy machine may take long."""


def found() -> str:
    """Path of the browser; a test without one fails in CI and is skipped elsewhere."""
    path = os.environ.get(VARIABLE) or next(filter(None, map(shutil.which, NAMES)), None)
    if path:
        return path
    missing = f"no Chromium: install it (apt-get install chromium), or set {VARIABLE} to the path of one"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


@contextmanager
def running() -> Iterator[Browser]:
    """A browser for a block."""
    path = found()
    as_root = ("--no-sandbox",) if os.geteuid() == 0 else ()  # its sandbox does not start as root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, *as_root], timeout=START_MS_MAX)
        try:
            yield browser
        finally:
            browser.close()

"""The system's Chromium: a test without one fails in CI and is skipped elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

from tools import browser


@contextmanager
def running() -> Iterator[Browser]:
    """A browser for a block."""
    path = browser.path()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(browser.MISSING)
        pytest.skip(browser.MISSING)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=path, args=browser.arguments(), timeout=browser.START_MS_MAX
        )
        try:
            yield started
        finally:
            started.close()

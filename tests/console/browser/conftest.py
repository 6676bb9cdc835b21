"""A browser, a company at work, and people who are signed in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.console.browser import chromium
from tests.console.browser.place import Place

ANSWER_MS_MAX = 45_000
"""The first alert after the start takes the longest: on a machine busy with other tests more than twenty seconds."""

SignIn = Callable[..., Page]


def awake(page: Page) -> None:
    """Wait until the page's script runs: before, keys do nothing."""
    expect(page.locator("[data-theme-switch]")).to_be_visible()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium.

    For one file of tests: what drives it has an event loop in this thread, where others want to run one of theirs.
    """
    expect.set_options(timeout=ANSWER_MS_MAX)
    with chromium.running() as started:
        yield started


@pytest.fixture(scope="module")
def place(browser: Browser, kafka: str, postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The company; one for all tests, each of which lets another service of it fail."""
    directory: Path = tmp_path_factory.mktemp("browser")
    place = Place(kafka, postgres, f"browser-{os.getpid()}.", directory)
    try:
        place.start()
        yield place
    finally:
        place.close()


@pytest.fixture(scope="module")
def tokens(place: Place) -> dict[str, str]:
    """Tokens of people: name -> token."""
    return {
        "noor.haddad": place.token("noor.haddad", "responder"),
        "petra.novak": place.token("petra.novak", "administrator"),
        "vera.look": place.token("vera.look", "viewer"),
    }


@pytest.fixture(scope="module")
def sessions() -> dict[str, Any]:
    """What browsers have of people who have signed in: name -> cookies."""
    return {}


@pytest.fixture
def sign_in(browser: Browser, place: Place, tokens: dict[str, str], sessions: dict[str, Any]) -> Iterator[SignIn]:
    """Pages of people: ``sign_in("noor.haddad", color_scheme="dark", viewport={...}, java_script_enabled=False)``.

    Each signs in once, with the form. A message on the browser's console fails the test: a refused script, a missing
    file, an error in ours.
    """
    said: list[str] = []
    with ExitStack() as opened:

        def make(name: str = "noor.haddad", **options: Any) -> Page:
            context: BrowserContext = browser.new_context(
                base_url=place.url, storage_state=sessions.get(name), **options
            )
            opened.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(ANSWER_MS_MAX)
            page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
            page.on("pageerror", lambda error: said.append(str(error)))
            page.goto("/" if name in sessions else "/login")
            if name not in sessions:
                page.get_by_role("textbox", name="API token").fill(tokens[name])
                page.get_by_role("button", name="Sign in").click()
            expect(page.get_by_role("heading", name="Board", level=1)).to_be_visible()
            sessions[name] = context.storage_state()
            if options.get("java_script_enabled", True):
                awake(page)
            return page

        yield make
    assert not said, said

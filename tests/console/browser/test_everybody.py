"""The console for everybody: by keyboard alone, without JavaScript, on a phone, in the dark, and as axe judges it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from pipeline.console.app import create_app
from pipeline.console.context import Context
from pipeline.console.pages.keys import KEYS
from pipeline.models.policy import Config
from pipeline.records.address import async_engine_of
from pipeline.settings import Settings
from tests.console.browser.conftest import SignIn, awake
from tests.console.browser.place import Place
from tests.console.real import serving, token
from tests.console.sent import Sent

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PAGES = (
    "/",
    "/majors",
    "/services",
    "/services/component:default%2Freviews",
    "/oncall?service=reviews",
    "/suppression",
    "/problems",
    "/analytics",
    "/search?q=reviews",
)
PHONE = {"width": 320, "height": 640}


def judged(page: Page) -> list[str]:
    """What axe has against a page, each with where."""
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}}).response["violations"]
    return [
        f"{page.url}: {each['id']}: {each['help']}: {node['html'][:200]}" for each in found for node in each["nodes"]
    ]


def own_pages(incident_id: str) -> Iterable[str]:
    """Pages of an incident."""
    base = f"/incidents/{incident_id}"
    yield base
    yield from (f"{base}/{each}" for each in ("timeline", "similar", "audit", "do/resolve", "do/wait", "do/split"))


@pytest.fixture
def broken(place: Place) -> str:
    """Id of an incident that nobody has touched yet, or that a test before has."""
    place.fail("reviews", "Reviews are not shown")
    return str(place.incident("Reviews are not shown")["id"])


def test_by_keyboard_alone_an_incident_is_found_taken_and_written_on(place: Place, sign_in: SignIn) -> None:
    place.fail("wish-lists", "Wish lists are lost")
    incident = place.incident("Wish lists are lost")
    page = sign_in()
    expect(page.locator("[data-row]").filter(has_text="Wish lists are lost")).to_be_visible()
    for _ in range(40):
        page.keyboard.press("j")
        if "Wish lists" in page.evaluate("document.activeElement.textContent"):
            break
    page.keyboard.press("x")
    expect(page.locator("[data-selected-count]")).to_have_text("1 selected")
    page.keyboard.press("a")
    expect(page.locator("[data-asked-id][data-state=applied]").first).to_be_visible()
    page.get_by_role("link", name="Wish lists are lost").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".top .state")).to_have_text("acknowledged")
    awake(page)
    page.keyboard.press("n")
    field = page.locator("dialog[open]").get_by_label("Note")
    expect(field).to_be_focused()
    page.keyboard.type("a wish list is empty, not lost: g b /")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#timeline")).to_contain_text("a wish list is empty, not lost: g b /")
    assert place.snapshot(incident["id"])["state"] == "acknowledged"

    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).not_to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("o")
    expect(page).to_have_url(re.compile("/oncall$"))
    awake(page)
    page.keyboard.press("/")
    expect(page).to_have_url(re.compile("/search$"))


def test_keys_can_be_switched_off(sign_in: SignIn) -> None:
    page = sign_in()
    page.keyboard.press("?")
    page.locator("[data-keys-on]").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#keys")).not_to_be_visible()


def test_every_key_of_the_table_is_in_the_help(sign_in: SignIn) -> None:
    page = sign_in()
    shown = page.locator("#keys [data-key]").evaluate_all("rows => rows.map(row => row.dataset.key)")
    assert shown == [each.keys for each in KEYS]


def test_without_javascript_an_incident_is_taken_and_resolved(place: Place, sign_in: SignIn, broken: str) -> None:
    page = sign_in("petra.novak", java_script_enabled=False)
    page.get_by_label(f"Select {broken}").check()
    page.get_by_role("button", name="Assign to me").click()
    expect(page.locator("[data-asked]")).to_contain_text("Assign")
    place.until(broken, lambda it: it["assignee"] == "petra.novak", "it is hers")
    page.goto(f"/incidents/{broken}")
    page.get_by_role("link", name="Resolve").click()
    page.get_by_label("How it ended").select_option("restarted")
    for name in ("What was done", "Why it happened", "Fix", "Workaround", "Corrective action"):
        page.get_by_role("textbox", name=name).fill("the cache was emptied")
    page.get_by_role("button", name="Resolve").click()
    expect(page).to_have_url(re.compile(f"/incidents/{broken}\\?asked="))
    place.until(broken, lambda it: it["state"] == "resolved", "it is resolved")
    page.reload()
    expect(page.locator("main")).to_contain_text("the cache was emptied")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(place: Place, sign_in: SignIn, broken: str, scheme: str) -> None:
    page = sign_in("petra.novak", color_scheme=scheme, reduced_motion="reduce")
    wrong: list[str] = []
    for path in (*PAGES, *own_pages(broken), "/access"):
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        wrong += judged(page)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_before_the_sign_in_and_where_nothing_is(
    browser: Browser, place: Place, sessions: dict[str, Any], sign_in: SignIn, scheme: Literal["light", "dark"]
) -> None:
    sign_in("petra.novak")
    wrong: list[str] = []
    for signed_in, path, status in (
        (False, "/login", 200),
        (True, "/no-such-page", 404),
        (True, "/incidents/INC-AAAAAAAAAAAA", 404),
        (True, "/search?q=x&after=nonsense", 400),
    ):
        context = browser.new_context(
            base_url=place.url, color_scheme=scheme, storage_state=sessions["petra.novak"] if signed_in else None
        )
        page = context.new_page()
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == status, path
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        wrong += judged(page)
        context.close()
    assert not wrong, "\n".join(wrong)


def test_axe_finds_nothing_on_the_pages_of_a_major_incident(browser: Browser, stories: str, company: Config) -> None:
    context = Context(Settings(records_url=stories), company, async_engine_of(stories, 4), Sent())
    with serving(create_app(context)) as url:
        opened = browser.new_context(
            base_url=url, extra_http_headers={"Authorization": f"Bearer {token(stories, name='axe')}"}
        )
        page = opened.new_page()
        (bridge, *_) = opened.request.get("/api/v1/bridges").json()["items"]
        wrong: list[str] = []
        for path in ("", "/timeline", "/audit"):
            page.goto(f"/incidents/{bridge['id']}{path}")
            expect(page.get_by_role("heading", level=1)).to_have_count(1)
            wrong += judged(page)
        opened.close()
    assert not wrong, "\n".join(wrong)


def test_a_link_brings_the_token_to_the_form_and_sends_nothing_by_itself(
    browser: Browser, place: Place, tokens: dict[str, str]
) -> None:
    context = browser.new_context(base_url=place.url)
    page = context.new_page()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.method} {request.url}"))
    page.goto(f"/login#token={tokens['vera.look']}")
    expect(page.get_by_role("textbox", name="API token")).to_have_value(tokens["vera.look"])
    assert page.url == f"{place.url}/login", "and it is gone from the address"
    assert not [each for each in sent if tokens["vera.look"] in each or each.startswith("POST")]
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Board", level=1)).to_be_visible()
    context.close()


def test_axe_finds_nothing_in_dialogs(sign_in: SignIn, broken: str) -> None:
    page = sign_in("petra.novak")
    wrong: list[str] = []
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    wrong += judged(page)
    page.goto(f"/incidents/{broken}")
    awake(page)
    for key in ("n", "m"):
        page.keyboard.press(key)
        expect(page.locator("dialog[open] form")).to_be_visible()
        wrong += judged(page)
        page.keyboard.press("Escape")
    assert not wrong, "\n".join(wrong)


def test_a_key_right_after_a_dialog_has_closed_is_a_key_and_no_typing(sign_in: SignIn, broken: str) -> None:
    page = sign_in("petra.novak")
    page.goto(f"/incidents/{broken}")
    awake(page)
    page.keyboard.press("n")
    expect(page.locator("dialog[open] textarea")).to_be_focused()
    # Both before the page is drawn again: until then the focus is where it was.
    was_in = page.evaluate(
        """() => {
          document.querySelector("dialog[open]").close();
          const field = document.activeElement;
          field.dispatchEvent(new KeyboardEvent("keydown", { key: "m", bubbles: true }));
          return field.tagName;
        }"""
    )
    assert was_in == "TEXTAREA"
    expect(page.locator("dialog[open] form[action$='/do/merge']")).to_be_visible()


def test_on_a_phone_no_page_is_wider_than_the_screen(place: Place, sign_in: SignIn, broken: str) -> None:
    page = sign_in("petra.novak", viewport=PHONE, has_touch=True)
    too_wide = []
    for path in (*PAGES, *own_pages(broken), "/access"):
        page.goto(path)
        over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if over > 0:
            too_wide.append(f"{path}: {over} px")
    assert not too_wide, too_wide


def test_the_theme_that_somebody_chose_is_there_again(sign_in: SignIn) -> None:
    page = sign_in(color_scheme="light")
    page.get_by_role("button", name="Dark").click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.goto("/search")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
    expect(page.get_by_role("button", name="Light")).to_be_visible()

"""People work on incidents in the browser, and the pipeline and the ticketing system follow."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.console.browser.conftest import SignIn
from tests.console.browser.place import Place
from tests.support import wait_until

DESK_SECONDS_MAX = 30.0


def done(page: Page) -> None:
    """What was asked has come back as applied."""
    expect(page.locator("[data-asked-id][data-state=applied]").first).to_be_visible()


def test_a_story_arrives_on_the_open_board_with_its_clock_running(place: Place, sign_in: SignIn) -> None:
    page = sign_in()
    expect(page.locator("[data-pulse-words]")).to_have_text("live")
    page.evaluate("window.notLoadedAgain = true")
    place.play("checkout", records=1)  # the others come by other feeds, and may overtake it
    line = page.locator("[data-row]").filter(has_text="Checkout: 12 % of checkout requests fail")
    expect(line).to_be_visible()
    place.play("checkout", records=7, skip=1)
    expect(line.locator(".pri")).to_contain_text("P1")
    expect(line.locator("[data-due]").first).to_have_text(re.compile(r"^\d+:\d\d$"))
    expect(line).to_contain_text("30,000 users")
    before = line.locator("[data-due]").first.inner_text()
    expect(line.locator("[data-due]").first).not_to_have_text(before)
    assert page.evaluate("window.notLoadedAgain"), "it came without loading the page again"

    line.get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("12 % of checkout requests fail")
    expect(page.get_by_role("group", name="In short")).to_contain_text("Payments database")
    expect(page.locator("#suspects")).to_contain_text("498 of 500 connections")
    expect(page.locator("#suspects svg")).to_be_visible()
    expect(page.locator("#why")).to_contain_text("5,000 a minute or more at stake")
    expect(page.locator("#calls")).to_contain_text("first in line for checkout")
    expect(page.get_by_role("link", name="Open the runbook")).to_be_visible()


def test_acknowledging_stops_the_calls_and_the_ticket_follows(place: Place, sign_in: SignIn) -> None:
    place.fail("hr-portal", "HR portal answers nobody")
    incident = place.incident("HR portal answers nobody")
    page = sign_in()
    page.goto(f"/incidents/{incident['id']}")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator("[data-asked]")).to_contain_text("Acknowledge")
    done(page)
    expect(page.locator(".top .state")).to_have_text("acknowledged")
    expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)
    page.get_by_role("button", name="Assign to me").click()
    expect(page.get_by_role("group", name="In short")).to_contain_text("noor.haddad")
    wait_until(lambda: place.ticket(incident["id"]) == "in_progress", DESK_SECONDS_MAX, "the ticket is in progress")
    expect(page.locator("#links")).to_contain_text("in progress")
    assert place.snapshot(incident["id"])["assignee"] == "noor.haddad"


def test_two_incidents_are_merged_on_the_board(place: Place, sign_in: SignIn) -> None:
    place.fail("corporate-website", "Website is slow for everybody")
    place.fail("print-queues", "Print queues are stuck")
    one, other = (place.incident(each) for each in ("Website is slow for everybody", "Print queues are stuck"))
    page = sign_in()
    for each in (one, other):
        page.get_by_label(f"Select {each['id']}").check()
    expect(page.locator("[data-selected-count]")).to_have_text("2 selected")
    page.get_by_role("button", name="Merge").click()
    dialog = page.locator("dialog[open]")
    expect(dialog.get_by_role("heading")).to_have_text("Merge 2 incidents")
    dialog.get_by_role("radio", name=re.compile(one["id"])).check()
    dialog.get_by_role("button", name="Merge").click()
    done(page)
    expect(page.get_by_label(f"Select {other['id']}")).to_have_count(0)
    merged = place.until(other["id"], lambda it: it["state"] == "merged", "the other is merged")
    assert merged["merged_into"] == one["id"]
    page.goto(f"/incidents/{other['id']}")
    expect(page.locator("main")).to_contain_text(f"Merged into {one['id']}")


def test_resolving_takes_the_details_that_the_policy_asks_for_and_ends_the_ticket(
    place: Place, sign_in: SignIn
) -> None:
    place.fail("order-tracking", "Order tracking shows no orders")
    incident = place.incident("Order tracking shows no orders")
    wait_until(lambda: place.ticket(incident["id"]), DESK_SECONDS_MAX, "a ticket is opened")
    page = sign_in("petra.novak")
    page.goto(f"/incidents/{incident['id']}")
    page.get_by_role("link", name="Resolve").click()
    dialog = page.locator("dialog[open]")
    dialog.get_by_label("How it ended").select_option("restarted")
    dialog.get_by_role("button", name="Resolve").click()
    assert dialog.is_visible(), "what was done is asked for"
    dialog.get_by_role("textbox", name="What was done").fill("the indexer was restarted")
    for name in ("Why it happened", "Fix", "Workaround", "Corrective action"):
        dialog.get_by_role("textbox", name=name).fill(f"{name.lower()}: it ran out of file handles")
    dialog.get_by_role("button", name="Resolve").click()
    done(page)
    expect(page.locator(".top .state")).to_have_text("resolved")
    expect(page.locator("#resolution")).to_contain_text("the indexer was restarted")
    wait_until(lambda: place.ticket(incident["id"]) == "resolved", DESK_SECONDS_MAX, "the ticket ends")
    expect(page.locator("#links .tag").first).to_have_text(re.compile("resolved|closed"))


def test_what_the_pipeline_refuses_is_said_in_its_words(place: Place, sign_in: SignIn) -> None:
    place.fail("gift-cards", "Gift cards cannot be redeemed")
    incident = place.incident("Gift cards cannot be redeemed")
    page = sign_in("petra.novak")
    page.goto(f"/incidents/{incident['id']}/do/merge")
    page.get_by_label("Into").fill(incident["id"])
    page.get_by_role("button", name="Merge").click()
    expect(page.locator("main")).to_contain_text(re.compile("refused|itself|cannot"))


def test_a_viewer_is_offered_nothing(place: Place, sign_in: SignIn) -> None:
    place.fail("gift-cards", "Gift cards cannot be redeemed")
    incident = place.incident("Gift cards cannot be redeemed")
    page = sign_in("vera.look")
    expect(page.locator("[data-selection]")).to_have_count(0)
    page.goto(f"/incidents/{incident['id']}")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Gift cards")
    expect(page.get_by_role("group", name="Actions")).to_have_count(0)

"""The analytics page: figures of the stories, by each group, with the list behind them."""

from __future__ import annotations

import pytest

from pipeline.models.command import Role
from pipeline.records.analytics.figures import By
from tests.console.conftest import Client, somebody
from tests.console.reading import card, page, words


def test_the_quarter_of_the_stories_tells_times_promises_and_noise(in_the_evening: Client) -> None:
    read = words(page(in_the_evening(somebody()), "/analytics"))
    assert "How fast, how well kept, how quiet: 2026-Q1." in read
    for said in (
        "Incidents 7",
        "Time to acknowledge, median 9 min",
        "Resolution promise kept 100 %",
        "Noise reduction 95 %",
    ):
        assert said in read


@pytest.mark.parametrize("by", list(By))
def test_figures_are_told_apart_by_each_way(in_the_evening: Client, by: By) -> None:
    html = page(in_the_evening(somebody()), f"/analytics?quarter=2026-Q1&by={by}")
    table = card(html, "groups")
    named = {
        By.PRIORITY: "P1 2",
        By.DOMAIN: "hospital 1",
        By.SERVICE: "Checkout 1",
        By.HOSTING_MODEL: "cloud 1",
        By.INFRASTRUCTURE_LAYER: "database 1",
        By.OWNER: "storefront-sre 1",
        By.CATEGORY: "certificate 1",
    }
    assert named[by] in table
    assert f"/api/v1/analytics/maturity?quarter=2026-Q1&amp;by={by}" in html


def test_each_number_of_a_group_leads_to_its_list(in_the_evening: Client) -> None:
    html = page(in_the_evening(somebody()), "/analytics?quarter=2026-Q1&by=service")
    assert "service=component%3Adefault%2Fcheckout" in html
    assert "opened_from=2026-01-01T00%3A00%3A00%2B00%3A00" in html


def test_quarters_stand_beside_each_other_in_pictures_with_their_figures(in_the_evening: Client) -> None:
    html = page(in_the_evening(somebody()), "/analytics")
    for title in ("Time to detect (MTTD)", "Time to acknowledge (MTTA)", "Time to resolve (MTTR)"):
        assert f"<figcaption>{title}</figcaption>" in html
    rows = words(html[html.index("chart-quarters-acknowledge-title") :].partition("</table>")[0])
    assert rows.endswith("2025-Q4 \N{EN DASH} \N{EN DASH} 2026-Q1 9 min 11 min")


def test_a_scope_and_a_domain_narrow_the_figures(in_the_evening: Client) -> None:
    narrow = words(page(in_the_evening(somebody(Role.VIEWER, "retail", "hospital")), "/analytics?quarter=2026-Q1"))
    assert "Incidents 2" in narrow
    one = words(page(in_the_evening(somebody()), "/analytics?quarter=2026-Q1&domain=hospital"))
    assert "Incidents 1" in one
    assert in_the_evening(somebody(Role.VIEWER, "retail")).get("/analytics?domain=hospital").status_code == 404


def test_a_quarter_without_incidents_says_so_and_a_period_that_is_none_is_refused(in_the_evening: Client) -> None:
    console = in_the_evening(somebody())
    assert "No incident was detected in this time." in words(page(console, "/analytics?quarter=2025-Q3"))
    for query in ("quarter=2026-Q9", "since=never", "quarter=2026-Q1&since=2026-01-01", "by=colour"):
        assert console.get(f"/analytics?{query}").status_code == 422, query

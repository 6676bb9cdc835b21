"""The pages of services: how they are, who needs whom, who is called; and nothing of other domains."""

from __future__ import annotations

from pipeline.models.command import Role
from tests.console.conftest import Client, somebody
from tests.console.reading import card, page, words

RECORDS = "/services/component:default%2Felectronic-health-records"


def test_services_in_trouble_come_first_with_priority_owner_and_who_is_called(in_the_outage: Client) -> None:
    html = page(in_the_outage(somebody()), "/services")
    read = words(html)
    row = read[read.index("Electronic health records electronic-health-records") :][:200]
    assert "P1 1 open" in row
    assert "clinical-applications aoife.brennan" in row
    assert read.index("electronic-health-records") < read.index("orders-api")
    assert "hospital 2 of 5 with open incidents" in read
    assert "retail all 7 well" in read


def test_services_are_filtered_by_words_domain_tier_owner_and_trouble(in_the_outage: Client) -> None:
    console = in_the_outage(somebody())
    for query, found, left_out in (
        ("q=patient+chart", "electronic-health-records", "checkout"),
        ("domain=retail", "orders-api", "vpn"),
        ("tier=4", "print-service", "checkout"),
        ("owner=payments-sre", "payments-api", "orders-api"),
        ("show=ill", "identity-provider", "payments-api"),
    ):
        table = page(console, f"/services?{query}").partition("<tbody>")[2].partition("</tbody>")[0]
        assert found in table, query
        assert left_out not in table, query


def test_the_map_draws_who_needs_whom_and_each_box_leads_to_its_service(in_the_outage: Client) -> None:
    html = page(in_the_outage(somebody()), "/services?domain=hospital")
    picture = html.partition('<svg class="graph"')[2].partition("</svg>")[0]
    assert 'href="/services/component%3Adefault%2Fidentity-provider"' in picture
    assert "Clinical sign-in. a P1 or P2 incident is open" in picture
    listed = words(html.partition("As a list")[2])
    assert "needs Clinical sign-in, Health records database" in listed


def test_a_service_tells_facts_incidents_needs_and_the_chain_of_calls(in_the_outage: Client) -> None:
    html = page(in_the_outage(somebody()), RECORDS)
    read = words(html)
    assert "INC-DESKCLFTVHZO" in card(html, "incidents")
    assert "Tier 1" in card(html, "facts")
    assert "Regulated patient-safety, hipaa" in card(html, "facts")
    called = card(html, "called")
    assert "First: clinical-applications primary aoife.brennan until Mon 16 Mar 08:00 GMT" in called
    assert "If nobody is there: hospital-infrastructure" in called
    assert "P1 after 3 min ines.ferreira" in called
    assert "https://" in html[html.index("Runbooks") :]
    assert "Clinical sign-in" in read


def test_a_service_tells_what_its_last_incidents_came_to(in_the_evening: Client) -> None:
    told = card(page(in_the_evening(somebody()), "/services/component:default%2Fcheckout"), "figures")
    assert "Incidents 1" in told
    assert "Acknowledged after 75 s" in told
    assert "Resolution target kept in 100 %" in told


def test_a_resource_shows_the_incidents_of_its_service_that_name_it(in_the_evening: Client) -> None:
    html = page(in_the_evening(somebody()), "/services/resource:default%2Fpayments-db")
    assert "Payments database" in words(html)
    assert "amara.okafor" in card(html, "called")


def test_services_of_other_domains_are_not_there_and_their_health_is_not_told(in_the_outage: Client) -> None:
    console = in_the_outage(somebody(Role.VIEWER, "retail"))
    assert "electronic-health-records" not in page(console, "/services")
    assert console.get(RECORDS).status_code == 404
    assert console.get("/services/component:default%2Fnothing").status_code == 404
    assert console.get("/services/%00").status_code == 404


def test_around_an_incident_suspects_have_their_rank_and_reason(in_the_outage: Client) -> None:
    html = page(in_the_outage(somebody()), "/incidents/INC-DESKCLFTVHZO")
    picture = html.partition('<svg class="graph"')[2].partition("</svg>")[0]
    assert "Clinical sign-in. suspect 1, alerts itself, the probable cause: alerts itself" in picture
    assert "Suspected, the likeliest first: Clinical sign-in, Internal certificate authority" in picture

"""Enrichment: the most specific fact about an alert finds its entity; service, domain and space follow."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.alerts.enrich import MENTIONS_MAX, Enricher
from pipeline.core.names import words_of
from pipeline.models.alert import Alert, FeedClass, Kind
from pipeline.models.catalog import Catalogue, Entity
from pipeline.models.policy import Config, Feed


def entity(ref: str, **fields: Any) -> Entity:
    kind, _, rest = ref.partition(":")
    name = rest.rpartition("/")[2]
    return Entity(ref=ref, kind=kind, name=name, **{"title": name, **fields})


CHECKOUT = "component:default/checkout"
PAYMENTS = "component:default/payments-api"
DATABASE = "resource:default/payments-db"
HOST = "resource:default/muc-sw-22"
OUTLOOK = "component:default/exchange-online"
CLUSTER = "resource:default/fra-prod-2"

ENTITIES = [
    entity(CHECKOUT, domain="retail", aliases=("check-out", "web shop"), depends_on=(PAYMENTS,)),
    entity(PAYMENTS, system="payments", title="Payments API", depends_on=(DATABASE,), labels={"job": "pay-exporter"}),
    entity(DATABASE, labels={"host": "pgsql-7.fra.example", "team": "storage"}),
    entity(HOST, labels={"url": "https://track.example/health"}, environment="branch-office"),
    entity(OUTLOOK, domain="workplace", aliases=("outlook", "mail", "log in to mail")),
    entity(CLUSTER),
    entity("system:default/payments", domain="finance", aliases=("pay",)),
    entity("resource:default/mail"),
    entity("system:default/outlook"),
    entity("resource:default/shared-cache"),
    entity("component:default/search", depends_on=("resource:default/shared-cache",)),
    entity("component:default/cart", depends_on=("resource:default/shared-cache",)),
    entity("resource:default/a"),
    entity("resource:default/42"),
]


def config(*entities: Entity, **feeds: Feed) -> Config:
    return Config(catalogue=Catalogue(entities={each.ref: each for each in entities}), feeds=feeds)


ENRICHER = Enricher(config(*ENTITIES))


def alert(summary: str = "", **fields: Any) -> Alert:
    known: dict[str, Any] = {
        "feed": "test", "feed_class": FeedClass.CLOUD, "kind": Kind.FIRING, "alert_key": "k", "name": "Condition",
    }  # fmt: skip
    return Alert(summary=summary, **{**known, **fields})


def ticket(summary: str, **fields: Any) -> Alert:
    return alert(summary, **{"feed_class": FeedClass.DESK, "kind": Kind.TICKET, "name": "ticket", **fields})


def enriched(subject: Alert, enricher: Enricher = ENRICHER) -> Alert:
    enricher.enrich(subject)
    return subject


@pytest.mark.parametrize(
    ("labels", "summary", "entity", "matched_by"),
    [
        ({"service": "payments-api"}, "", PAYMENTS, "label:service"),
        ({"service": "Payments API"}, "", PAYMENTS, "label:service"),
        ({"app": "payments_api"}, "", PAYMENTS, "label:app"),
        ({"component": "check-out"}, "", CHECKOUT, "label:component"),
        ({"job": "finance/payments-api"}, "", PAYMENTS, "label:job"),
        ({"deployment": "checkout"}, "", CHECKOUT, "label:deployment"),
        ({"components": "unknown, checkout"}, "", CHECKOUT, "label:components"),
        ({"entity_ref": "component:payments-api", "service": "checkout"}, "", PAYMENTS, "label:entity_ref"),
        ({"job": "pay-exporter", "service": "checkout"}, "", PAYMENTS, "catalogue:job"),
        ({"team": "storage"}, "", None, None),
        ({"pod": "payments-api-7c9f6d8b5-2xk4l"}, "", PAYMENTS, "label:pod"),
        ({"DBInstanceIdentifier": "payments-db"}, "", DATABASE, "label:DBInstanceIdentifier"),
        ({"LoadBalancer": "app/checkout/50dc6c495c0c9188"}, "", CHECKOUT, "label:LoadBalancer"),
        ({"instance": "payments-db:5432"}, "", DATABASE, "host"),
        ({"host": "payments-db.fra.example"}, "", DATABASE, "host"),
        ({"node": "PGSQL-7.fra.example"}, "", DATABASE, "host"),
        ({"instance": "https://track.example:443/other"}, "", HOST, "host"),
        ({"instance": "10.44.2.22:9100"}, "", None, None),
        ({"resource": "payments-db"}, "", DATABASE, "label:resource"),
        ({"service": "unheard-of", "instance": "payments-db:5432"}, "", DATABASE, "host"),
        ({"service": "checkout", "instance": "payments-db:5432"}, "", CHECKOUT, "label:service"),
        ({"cluster": "fra-prod-2"}, "", CLUSTER, "label:cluster"),
        ({"cluster": "fra-prod-2"}, "the web shop is slow", CHECKOUT, "alias"),
        ({}, "payments-api answers slowly", PAYMENTS, "name"),
        ({}, "nothing that anybody knows", None, None),
    ],
)
def test_the_most_specific_fact_finds_the_entity(
    labels: dict[str, str], summary: str, entity: str | None, matched_by: str | None
) -> None:
    found = enriched(alert(summary, labels=labels))

    assert (found.entity, found.matched_by) == (entity, matched_by)


@pytest.mark.parametrize(
    ("text", "mentions"),
    [
        ("Outlook is crawling", [OUTLOOK]),
        ("OUTLOOK's calendar", [OUTLOOK]),
        ("I cannot log in to mail since the check-out failed", [OUTLOOK, CHECKOUT]),
        ("pay pay payments-db pay", [DATABASE, "system:default/payments"]),
        ("the checkouts and paymentsapi are no whole words", []),
        ("a 42", []),
        ("web\nshop", [CHECKOUT]),
    ],
)
def test_business_terms_are_found_by_whole_words_longest_first(text: str, mentions: list[str]) -> None:
    assert enriched(alert(text)).mentions == mentions


def test_words_on_two_sides_of_a_border_are_no_term() -> None:
    assert enriched(alert("the web", description="shop around")).mentions == []


def test_mentions_are_bounded() -> None:
    many = [entity(f"component:default/thing-{number}") for number in range(20)]
    text = " ".join(each.name for each in many)

    assert len(enriched(alert(text), Enricher(config(*many))).mentions) == MENTIONS_MAX


def test_people_name_the_entity_of_a_ticket_before_any_form_field_does() -> None:
    found = enriched(ticket("Outlook is crawling", labels={"component": "checkout"}))

    assert (found.entity, found.matched_by, found.domain) == (OUTLOOK, "alias", "workplace")
    assert enriched(ticket("It is slow", labels={"component": "checkout"})).entity == CHECKOUT


def test_a_tickets_service_instance_is_text_too() -> None:
    assert enriched(ticket("Confirmation hangs", labels={"service_instance": "Web Shop Production"})).entity == CHECKOUT


@pytest.mark.parametrize(
    ("name", "ref"),
    [
        ("mail", OUTLOOK),  # Component with that alias before Resource of that name
        ("outlook", OUTLOOK),  # before System of that name
        ("component:default/checkout", CHECKOUT),
        ("Component:checkout", CHECKOUT),
        ("Check Out", CHECKOUT),
        ("pgsql-7.fra.example", DATABASE),
        ("payments-db.somewhere.example", DATABASE),
        ("unknown", None),
        ("x" * 300, None),
        ("", None),
        ("-", None),
    ],
)
def test_resolve_takes_any_name_and_prefers_components(name: str, ref: str | None) -> None:
    assert ENRICHER.resolve(name) == ref


def test_of_two_equal_names_the_first_reference_wins_in_any_order() -> None:
    twins = [entity("component:default/mailer"), entity("component:other/mailer")]

    assert Enricher(config(*twins)).resolve("mailer") == Enricher(config(*reversed(twins))).resolve("mailer")


@pytest.mark.parametrize(
    ("named", "service", "domain"),
    [
        ("checkout", CHECKOUT, "retail"),
        ("payments-api", PAYMENTS, "finance"),  # by its system
        ("payments-db", PAYMENTS, "finance"),  # by the one Component on it
        ("shared-cache", None, None),  # two Components on it
        ("muc-sw-22", None, None),
    ],
)
def test_service_and_domain_follow_from_the_entity(named: str, service: str | None, domain: str | None) -> None:
    found = enriched(alert(labels={"service": named}))

    assert (found.service, found.domain) == (service, domain)


@pytest.mark.parametrize(
    ("labels", "space"),
    [
        ({"host": "muc-sw-22", "env": "staging"}, "branch-office"),
        ({"service": "checkout"}, "production"),
        ({"service": "checkout", "env": "staging"}, "staging"),
        ({"environment": "PROD"}, "production"),
        ({"env": "x" * 100}, "production"),
        ({}, "production"),
    ],
)
def test_the_space_is_the_environment(labels: dict[str, str], space: str) -> None:
    assert enriched(alert(labels=labels)).space == space


def test_a_feeds_space_goes_before_everything() -> None:
    enricher = Enricher(config(*ENTITIES, test=Feed(name="test", adapter="zabbix", space="lab")))

    assert enriched(alert(labels={"host": "muc-sw-22"}), enricher).space == "lab"


@pytest.mark.parametrize(
    ("labels", "host"),
    [
        ({"instance": "DB-1.example:9100"}, "db-1.example"),
        ({"instance": "https://user@track.example/health?x=1"}, "track.example"),
        ({"instance": "[2001:db8::1]:443"}, "2001:db8::1"),
        ({"source": "nightly backup job"}, None),
        ({"instance": "://"}, None),
        ({"host": ""}, None),
        ({}, None),
    ],
)
def test_the_host_is_kept_as_reported_without_port(labels: dict[str, str], host: str | None) -> None:
    assert enriched(alert(labels=labels)).host == host


def test_a_pasted_log_costs_no_more_than_its_first_page() -> None:
    subject = alert("x", description="payments-api " * 100_000)
    started = time.perf_counter()
    ENRICHER.enrich(subject)

    assert time.perf_counter() - started < 0.05


@given(
    st.sampled_from([each.name for each in ENTITIES])
    | st.lists(st.sampled_from(["payments", "-", " ", "/", ",", ":", "API", "checkout", "mail", "ß", "x"])).map("".join)
)
def test_a_spelling_that_the_catalogue_uses_means_what_the_search_finds(value: str) -> None:
    found = enriched(alert(labels={"service": value})).entity
    assert found == ENRICHER._resolve_parts(value)  # the search itself, past spellings and memory


@given(st.text(st.sampled_from("aZ09 _-./\n\t\x1f\x7fßİé💥"), max_size=12))
def test_words_of_plain_text_are_those_of_any_script(text: str) -> None:
    assert words_of(text) == re.findall(r"[^\W_]+", text.lower())

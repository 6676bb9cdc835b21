"""The full-text search: what is found by what, what is told of it, and what it makes of text that means harm."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.records.reading import Filters, search
from pipeline.records.reading.searching import WINDOW
from pipeline.records.store import RecordsStore
from tests.records.made import DAY_MS, NOW_MS, incident

ALL = None


@pytest.fixture
def day(stories: str) -> Iterator[RecordsStore]:  # the fixture
    """The day of the three stories."""
    store = RecordsStore(stories)
    yield store
    store.close()


def found(store: RecordsStore, typed: str, filters: Filters | None = None) -> list[str]:
    """Titles of what is found, the best first."""
    hits = store.ask(lambda c: search(c, ALL, typed, filters)).hits
    return [(hit.incident.title or "").rpartition(": ")[2] for hit in hits]


CHECKOUT = "12 % of checkout requests fail"
MAIL = "Outlook is crawling this morning"
WARD = "Cannot open the patient chart, sign in fails"
VPN = "VPN asks for a new token every hour"

TABLE = {
    "a word of a title": ("outlook", {MAIL}),
    "another form of a word": ("crawl", {MAIL}),
    "several words, wherever they are": ("fails patient", {WARD}),
    "words of a resolution": ("report job capped", {CHECKOUT}),
    "the cause as it was told": ("quarantine relay", {MAIL}),
    "words of a symptom": ("medication ward", {WARD}),
    "words of a note": ("CHG-2207", {MAIL}),
    "a word that is only begun": ("chec", {CHECKOUT}),
    "a begun word after whole ones": ("patient char", {WARD}),
    "a phrase": ('"sign in fails"', {WARD}),
    "a phrase that nobody said": ('"fails sign in"', set()),
    "one or the other": ("vpn or certificate", {VPN, WARD}),
    "without a word": ("fail -chart -patient", {CHECKOUT}),
    "an id": ("INC-{checkout}", {CHECKOUT}),
    "a ticket": ("DESK-2301", {MAIL}),
    "a ticket's bare number": ("1004113", {VPN}),
    "a provider's case": ("case-5530187", {MAIL}),
    "a host": ("mail-relay-1", {MAIL}),
    "an entity's reference": ("resource:default/payments-db", {CHECKOUT}),
    "a host that only a symptom names": ("sso.st-gabriel.example", {WARD}),
    "nothing that was ever said": ("zeppelin", set()),
    "the name of a fact is only a word": ("severity", set()),
    "a fact is no word": ("domain=workplace", set()),
    "nor with what marks it": ("#domain=workplace", set()),
}


@pytest.mark.parametrize("case", TABLE)
def test_the_search_finds(day: RecordsStore, case: str) -> None:
    typed, wanted = TABLE[case]
    if "{checkout}" in typed:
        (hit,) = day.ask(lambda c: search(c, ALL, "checkout requests", Filters(kind="incident"))).hits
        typed = hit.incident.id
    assert set(found(day, typed, Filters(kind="incident"))) == wanted


def test_an_alert_key_finds_what_its_alerts_led_to(day: RecordsStore) -> None:
    from sqlalchemy import text

    row = day.ask(
        lambda c: c.execute(text("SELECT alert_key, incident_id FROM episodes WHERE incident_id IS NOT NULL LIMIT 1"))
    ).one()
    if " " in row.alert_key:
        pytest.fail(f"an alert key that is more than one word cannot be searched for: {row.alert_key}")
    hits = day.ask(lambda c: search(c, ALL, row.alert_key)).hits
    assert row.incident_id in [hit.incident.id for hit in hits if hit.named]


def test_words_and_filters_must_both_hold(day: RecordsStore) -> None:
    assert found(day, "fail", Filters(domain="retail")) == [CHECKOUT]
    assert found(day, "fail", Filters(domain="retail", state=("logged",))) == []


def test_a_title_weighs_more_than_a_note_and_new_more_than_old(store: RecordsStore) -> None:
    store.project(
        [
            incident("note", title="Something", note="the flux capacitor again"),
            incident("title", title="Flux capacitor burnt"),
            incident("old", title="Flux capacitor burnt", opened_at_ms=NOW_MS - 400 * DAY_MS),
        ]
    )
    hits = store.ask(lambda c: search(c, ALL, "flux capacitor")).hits
    assert hits[0].incident.id == "title"
    assert {hit.incident.id for hit in hits} == {"note", "title", "old"}
    scores = {hit.incident.id: hit.score for hit in hits}
    assert scores["title"] > 2 * scores["old"]


def test_what_matches_is_marked_and_markup_in_data_stays_text(store: RecordsStore) -> None:
    evil = '<script>alert("disk")</script> \x02disk\x03 & <b>disk</b>'
    store.project([incident("INC-1", title=evil, symptoms=[evil], resolution={"summary": "disk replaced"})])
    (hit,) = store.ask(lambda c: search(c, ALL, "disk")).hits
    assert "".join(piece.text for piece in hit.title) == evil.replace("\x02", "").replace("\x03", "")
    assert {piece.text for piece in hit.title if piece.is_match} == {"disk"}
    assert [name for name, _ in hit.excerpts] == ["resolution", "symptoms"]


def test_a_common_word_and_a_rare_one_page_through_all_that_match(store: RecordsStore) -> None:
    total = WINDOW + 40
    store.project(
        [
            incident(f"INC-{number:04}", opened_at_ms=NOW_MS - number * DAY_MS, title=f"common fault {number % 7}")
            for number in range(total)
        ]
    )
    seen: list[str] = []
    after: str | None = None
    while True:
        page = store.ask(partial(search, scope=ALL, typed="common", after=after, limit=100))
        seen += [hit.incident.id for hit in page.hits]
        if (after := page.next) is None:
            break
    assert len(seen) == len(set(seen)) == total
    assert found(store, "common -common") == []


@pytest.mark.parametrize(
    "typed", ["the", "the and of", "...", "-", "---", '"', '""', "or", "or or or", "  ", "\0", "!&|:*()<->"]
)
def test_stop_words_and_punctuation_alone_are_not_understood(store: RecordsStore, typed: str) -> None:
    store.project([incident("INC-1")])
    page = store.ask(lambda c: search(c, ALL, typed))
    if typed.strip(" \0"):
        assert (page.understood, page.hits) == (False, [])
    else:
        assert len(page.hits) == 1


HOSTILE = (
    "'; DROP TABLE incidents; --",
    "' || (SELECT pg_sleep(10)) || '",
    "broken' & 'x",
    "broken:* | !x",
    "broken\\",
    "a:b:c d/e//f",
    "<->",
    "broken <2> broken",
    "%s %(x)s :term_0 {0}",
    "x" * 2_048,
    "é" * 1_000,
    "\U0001f525 broken",
    "broken " * 1_400,
    '"' * 501,
    "-" * 999,
    "\x01\x02\x03",
    "broken\0",
    "\U0001d487\U0001d48a ²³ ½",
    "\u202ebroken",
    "broken\ud7ff",
)


@pytest.mark.parametrize("typed", HOSTILE)
def test_hostile_text_is_text(store: RecordsStore, typed: str) -> None:
    store.project([incident("INC-1")])
    page = store.ask(lambda c: search(c, ALL, typed))
    assert len(page.hits) <= 1
    assert store.ask(lambda c: search(c, ALL, "broken")).hits, "everything is still there"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    typed=st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
    | st.text("ab'\"\\&|!:*()<>- .\0%", max_size=40)
)
def test_whatever_is_typed_is_answered(day: RecordsStore, typed: str) -> None:
    page = day.ask(lambda c: search(c, frozenset({"nowhere"}), typed))
    assert page.hits == []

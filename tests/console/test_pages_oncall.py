"""The page of who is on call: now, until when, next; gaps; and the calendar of a rotation."""

from __future__ import annotations

from datetime import UTC, datetime, time

import pytest

from pipeline.console.knowledge import Knowledge
from pipeline.console.rota import _common, rota, rotas
from pipeline.models.catalog import Catalogue, Entity
from pipeline.models.command import Role
from pipeline.models.oncall import DutyHours, Rotation
from pipeline.models.policy import Config
from tests.console.conftest import Client, somebody
from tests.console.reading import card, page, words

MONDAY_MS = int(datetime(2026, 3, 9, 12, tzinfo=UTC).timestamp() * 1_000)
HOUR_MS = 3_600_000


def test_each_rotation_says_who_is_called_until_when_and_who_comes_next(in_the_outage: Client) -> None:
    read = words(page(in_the_outage(somebody()), "/oncall"))
    assert "identity Europe/Dublin primary ines.ferreira secondary cormac.daly Mon 16 Mar 08:00 GMT" in read
    assert "sofia.almeida secondary rui.carvalho Tue 10 Mar 16:00 UTC" in read
    assert "beatriz.lima, caio.duarte Tue 10 Mar 16:00 UTC" in read


@pytest.mark.parametrize("name", ["checkout", "component:default/checkout", "Checkout"])
def test_for_a_service_by_any_name_the_whole_chain_is_told(in_the_outage: Client, name: str) -> None:
    html = page(in_the_outage(somebody()), f"/oncall?service={name}")
    told = card(html, "answer")
    assert "Who is called for Checkout" in told
    assert "P1 after 5 min tomas.lindqvist (oncall-secondary), sofia.almeida (dependency orders-api)" in told


def test_a_name_that_nothing_has_is_said_to_be_unknown_and_so_is_one_of_another_domain(in_the_outage: Client) -> None:
    assert "Nothing that you may see is called nonsense" in words(
        page(in_the_outage(somebody()), "/oncall?service=nonsense")
    )
    viewer = in_the_outage(somebody(Role.VIEWER, "hospital"))
    assert "Nothing that you may see is called checkout" in words(page(viewer, "/oncall?service=checkout"))
    assert "storefront" not in page(viewer, "/oncall")


def test_a_rotation_is_a_calendar_for_other_calendars(in_the_outage: Client) -> None:
    answer = in_the_outage(somebody()).get("/oncall/identity.ics")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
    assert answer.text.startswith("BEGIN:VCALENDAR")
    assert "SUMMARY:ines.ferreira" in answer.text
    assert in_the_outage(somebody()).get("/oncall/nobody.ics").status_code == 404
    assert in_the_outage(somebody(Role.VIEWER, "retail")).get("/oncall/identity.ics").status_code == 404


def _by_day(name: str, start: int, end: int, escalate_to: str | None = None) -> Rotation:
    return Rotation(
        name=name,
        people=(f"{name}.one",),
        start=datetime(2026, 1, 5, 9, tzinfo=UTC),
        on_duty=(DutyHours(days=(0, 1, 2, 3, 4, 5, 6), start=time(start), end=time(end)),),
        services=("shop",),
        escalate_to=escalate_to,
    )


def _company(*rotations: Rotation) -> Knowledge:
    shop = Entity(ref="component:default/shop", kind="component", name="shop", title="Shop", tier=1, domain="retail")
    catalogue = Catalogue(entities={shop.ref: shop})
    return Knowledge(Config(catalogue=catalogue, rotations={each.name: each for each in rotations}))


def test_hours_in_which_nobody_is_on_call_nor_in_the_fall_back_are_gaps() -> None:
    known = _company(_by_day("day", 8, 20, "evening"), _by_day("evening", 18, 23))
    found = rota(known, known.config.rotations["day"], MONDAY_MS)
    assert [each.who.person for each in found.people] == ["day.one"]
    assert found.chain == ["evening"]
    start, end = found.gaps[0]
    assert (start - MONDAY_MS, end - MONDAY_MS) == (11 * HOUR_MS, 20 * HOUR_MS), "23:00 to 8:00"
    assert len(found.gaps) == 28


def test_a_gap_of_a_critical_service_is_an_error_and_a_rotation_of_others_is_not_shown() -> None:
    known = _company(_by_day("day", 8, 20))
    (found,) = rotas(known, MONDAY_MS, frozenset({"retail"}))
    assert found.critical
    assert rotas(known, MONDAY_MS, frozenset({"hospital"})) == []


def test_nobody_on_call_says_why() -> None:
    known = _company(_by_day("day", 8, 20))
    found = rota(known, known.config.rotations["day"], MONDAY_MS + 10 * HOUR_MS)
    assert found.people == []
    assert found.nobody
    assert found.next_ms == MONDAY_MS + 20 * HOUR_MS
    assert [each.person for each in found.following] == ["day.one"]


def test_common_spans_are_those_of_all_lists_and_touching_ones_are_one() -> None:
    assert list(_common([[(0, 10), (10, 20)], [(5, 15)]])) == [(5, 15)]
    assert list(_common([[(0, 10)], [(10, 20)]])) == []
    assert list(_common([])) == []

"""On call: turns in local time, daylight saving, overrides, and which rotation covers what."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipeline.core.oncall import OncallIndex, on_call
from pipeline.models.catalog import Group
from pipeline.models.oncall import OncallOverride
from tests.core.builders import DB, ROTATIONS, SHOP, WIKI, catalogue, entity, rotation

BERLIN = rotation("b", "ann", "bob", "cem", timezone="Europe/Berlin")  # hands over Mondays, 10:00 in Berlin


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


@pytest.mark.parametrize(
    ("moment", "person"),
    [
        ("2026-01-05T08:59:59+00:00", "cem"),  # before the first hand-off the turns run backwards
        ("2026-01-05T09:00:00+00:00", "ann"),
        ("2026-01-12T08:59:59+00:00", "ann"),
        ("2026-01-12T09:00:00+00:00", "bob"),
        ("2026-01-26T09:00:00+00:00", "ann"),
        ("2026-03-30T07:59:59+00:00", "cem"),  # summer time: the hand-off stays at ten on the wall
        ("2026-03-30T08:00:00+00:00", "ann"),
    ],
)
def test_turns_follow_the_wall_clock(moment: str, person: str) -> None:
    assert on_call(BERLIN, ms(moment)) == person


def test_the_secondary_is_the_next_in_turn_also_when_the_primary_is_overridden() -> None:
    start, end = datetime(2026, 1, 6, tzinfo=UTC), datetime(2026, 1, 7, tzinfo=UTC)
    stood_in = BERLIN.model_copy(update={"overrides": (OncallOverride(start=start, end=end, person="eve"),)})
    during = ms("2026-01-06T00:00:00+00:00")
    assert [on_call(stood_in, during), on_call(stood_in, during, ahead=1)] == ["eve", "bob"]
    assert on_call(stood_in, ms("2026-01-07T00:00:00+00:00")) == "ann"


def test_a_rotation_is_found_by_annotation_then_by_its_list_then_by_the_owner() -> None:
    given = catalogue(entity(SHOP, oncall="pay"), entity(DB), entity(WIKI))
    groups = {"wiki-team": Group(name="wiki-team", title="Wiki", oncall="shop")}
    index = OncallIndex(given.model_copy(update={"groups": groups}), ROTATIONS)
    found = [index.rotation_of(ref) for ref in (SHOP, DB, WIKI, "component:default/nobody", None)]
    assert [each.name if each else None for each in found] == ["pay", "pay", "shop", None, None]

"""On call: turns, layers, hours, overrides, fall-backs, and which rotation covers what."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.core.escalation.oncall import OncallIndex, duty, on_call, scheduled, why_nobody
from pipeline.core.escalation.oncall_schedule import held_until, next_change, schedule
from pipeline.models.catalog import Group
from pipeline.models.oncall import OncallOverride, Rotation
from tests.core.builders import DB, ROTATIONS, SHOP, WIKI, catalogue, config, entity, rotation
from tests.core.desks import desk, logged

BERLIN = rotation("b", "ann", "bob", "cem", timezone="Europe/Berlin")  # hands over Mondays, 10:00 in Berlin


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


def override(start: str, end: str, person: str, **fields: Any) -> OncallOverride:
    return OncallOverride(start=datetime.fromisoformat(start), end=datetime.fromisoformat(end), person=person, **fields)


def layers(*given: dict[str, Any], **fields: Any) -> Rotation:
    """A rotation of layers that begin on Monday 2026-01-05 at 09:00 unless they say otherwise."""
    start = {"start": "2026-01-05", "hand_off": "09:00"}
    return Rotation.model_validate({"name": "l", "layers": [{**start, **each} for each in given], **fields})


def called(given: Rotation, moment: str) -> list[tuple[str, str]]:
    return [(each.position, each.person) for each in duty(given, ms(moment))]


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


SUN = layers(
    {"name": "asia", "timezone": "Asia/Tokyo", "people": ["kenji"], "on_duty": [{"start": "09:00", "end": "17:00"}]},
    {"name": "eu", "timezone": "Europe/Lisbon", "people": ["sofia"], "on_duty": [{"start": "08:00", "end": "16:00"}]},
    {"name": "br", "timezone": "America/Sao_Paulo", "people": ["bia"], "on_duty": [{"start": "12:00", "end": "21:00"}]},
)
WEEKEND = layers(
    {"name": "weekend", "people": ["wim", "wes"], "on_duty": [{"days": [5, 6]}]},
    {"name": "week", "people": ["ann", "bob"], "turn_days": 1},
)
NIGHTS = layers({"name": "nights", "people": ["nia"], "on_duty": [{"days": [4], "start": "22:00", "end": "06:00"}]})
TWO = layers({"name": "primary", "people": ["ann", "bob"]}, {"name": "secondary", "people": ["bob", "cem"]})
PAIRS = layers({"name": "pair", "people": ["ann", "bob", "cem"], "at_once": 2})

LAYERS: dict[str, tuple[Rotation, str, list[str]]] = {
    "follow the sun: Tokyo's morning": (SUN, "2026-03-10T00:00:00Z", ["kenji"]),
    "Lisbon begins when Tokyo ends": (SUN, "2026-03-10T08:00:00Z", ["sofia"]),
    "in summer Lisbon begins an hour earlier, and Tokyo stands higher": (SUN, "2026-07-10T07:30:00Z", ["kenji"]),
    "Sao Paulo's evening": (SUN, "2026-03-10T23:59:59Z", ["bia"]),
    "the higher layer wins on its days": (WEEKEND, "2026-01-10T00:00:00Z", ["wim", "wes"]),
    "and is out of the way on others": (WEEKEND, "2026-01-09T23:59:59Z", ["ann", "bob"]),
    "hours run over midnight into the next day": (NIGHTS, "2026-01-10T05:59:59Z", ["nia"]),
    "and begin on their days only": (NIGHTS, "2026-01-10T22:00:00Z", []),
    "a secondary has its own turns": (TWO, "2026-01-13T00:00:00Z", ["bob", "cem"]),
    "who is primary already is passed over as secondary": (TWO, "2026-01-05T10:00:00Z", ["ann", "bob"]),
    "two at once, then who is next": (PAIRS, "2026-01-05T10:00:00Z", ["ann", "bob", "cem"]),
    "of two at once one goes and one comes": (PAIRS, "2026-01-12T10:00:00Z", ["bob", "cem", "ann"]),
}


@pytest.mark.parametrize("case", LAYERS)
def test_the_people_of_a_moment_are_those_that_the_layers_imply(case: str) -> None:
    given, moment, people = LAYERS[case]
    assert [person for _, person in called(given, moment)] == people


def test_a_layer_that_is_called_secondary_is_it() -> None:
    assert called(TWO, "2026-01-13T00:00:00Z") == [("primary", "bob"), ("secondary", "cem")]
    assert called(PAIRS, "2026-01-05T10:00:00Z")[1:] == [("primary", "bob"), ("secondary", "cem")]


def test_one_person_with_two_turns_is_called_once_and_the_next_comes_in() -> None:
    clash = layers({"name": "primary", "people": ["ann"]}, {"name": "secondary", "people": ["ann", "bob"]})
    assert called(clash, "2026-01-05T10:00:00Z") == [("primary", "ann"), ("secondary", "bob")]
    assert scheduled(clash, "secondary", ms("2026-01-05T10:00:00Z")) == ("ann",)


FROM, UNTIL = "2026-01-06T00:00:00+00:00", "2026-01-08T00:00:00+00:00"
OVERRIDES = {
    "the place is taken": ([override(FROM, UNTIL, "eve")], ["eve", "bob"]),
    "the first that applies wins": ([override(FROM, UNTIL, "eve"), override(FROM, UNTIL, "fay")], ["eve", "bob"]),
    "the place of the secondary": ([override(FROM, UNTIL, "eve", position="secondary")], ["ann", "eve"]),
    "instead of the primary": ([override(FROM, UNTIL, "eve", instead_of="ann")], ["eve", "bob"]),
    "instead of who is next": ([override(FROM, UNTIL, "eve", instead_of="bob")], ["ann", "eve"]),
    "instead of who has no turn": ([override(FROM, UNTIL, "eve", instead_of="cem")], ["ann", "bob"]),
    "by who is next: the one after is": ([override(FROM, UNTIL, "bob", instead_of="ann")], ["bob", "cem"]),
}


@pytest.mark.parametrize("case", OVERRIDES)
def test_an_override_takes_a_place_or_stands_in_for_a_person(case: str) -> None:
    given, people = OVERRIDES[case]
    stood_in = BERLIN.model_copy(update={"overrides": tuple(given)})
    assert [person for _, person in called(stood_in, "2026-01-07T00:00:00Z")] == people


def test_an_override_says_until_when_why_and_who_arranged_it() -> None:
    given = override(FROM, UNTIL, "eve", instead_of="ann", reason="wedding", by="bob")
    because = duty(BERLIN.model_copy(update={"overrides": (given,)}), ms(FROM))[0].because
    assert because == "stands in instead of ann until 2026-01-08 00:00 UTC: wedding (arranged by bob)"


def test_a_gap_is_nobody_and_says_why() -> None:
    moment = ms("2026-01-07T12:00:00Z")
    assert on_call(NIGHTS, moment) is None
    assert why_nobody(NIGHTS, moment) == "layer 'nights' is not on duty at Wednesday 12:00 in UTC"
    assert why_nobody(layers({"name": "secondary", "people": ["ann"]}), moment) == "no layer fills the primary"


def test_where_nobody_is_on_call_the_fall_back_is_called_and_after_the_last_of_them_nobody() -> None:
    nights = NIGHTS.model_copy(update={"escalate_to": "shop", "name": "nights"})
    circle = ROTATIONS["shop"].model_copy(update={"escalate_to": "nights"})
    index = OncallIndex(catalogue(), {"nights": nights, "shop": circle})
    moment = ms("2026-01-07T12:00:00Z")
    steps = [[each.person for each in index.answering(nights, moment, ahead=ahead)] for ahead in range(3)]
    assert steps == [["ann"], ["bob"], []]
    night = ms("2026-01-09T23:00:00Z")
    steps = [[each.person for each in index.answering(nights, night, ahead=ahead)] for ahead in range(3)]
    assert steps == [["nia"], ["ann"], ["bob"]]


def test_a_schedule_has_the_moments_at_which_anything_changes() -> None:
    given = override("2026-01-10T12:00:00+00:00", "2026-01-10T13:00:00+00:00", "eve")
    stood_in = WEEKEND.model_copy(update={"overrides": (given,)})
    shifts = schedule(stood_in, ms("2026-01-09T12:00:00Z"), ms("2026-01-13T00:00:00Z"))
    assert [(each.start_ms, each.people[0].person) for each in shifts] == [
        (ms("2026-01-09T12:00:00Z"), "ann"),  # Friday
        (ms("2026-01-10T00:00:00Z"), "wim"),
        (ms("2026-01-10T12:00:00Z"), "eve"),
        (ms("2026-01-10T13:00:00Z"), "wim"),
        (ms("2026-01-12T00:00:00Z"), "ann"),  # Monday before nine: the turn that began on Sunday
        (ms("2026-01-12T09:00:00Z"), "bob"),
    ]


def test_the_next_change_and_how_long_somebody_has_a_place() -> None:
    moment = ms("2026-01-07T00:00:00Z")
    following = next_change(BERLIN, moment)
    assert following is not None
    assert (following.start_ms, following.people[0].person) == (ms("2026-01-12T09:00:00Z"), "bob")
    assert held_until(BERLIN, moment, duty(BERLIN, moment)[0]) == following.start_ms
    alone = rotation("a", "ann")
    assert next_change(alone, moment) is None
    assert held_until(alone, moment, duty(alone, moment)[0]) is None


def paged(given: Rotation, *others: Rotation) -> list[tuple[str, str | None]]:
    """Whom an incident of the shop calls when it begins, and of which rotation."""
    rotations = {each.name: each for each in (given, *others)}
    return [
        (each.person, each.rotation) for each in logged(desk(config(rotations=rotations))).incident.escalation.paged
    ]


def test_all_who_are_on_call_together_are_called_together() -> None:
    assert paged(rotation("shop", "ann", "bob", "cem", services=("shop",), at_once=2)) == [
        ("ann", "shop"),
        ("bob", "shop"),
    ]


def test_the_fall_back_is_called_in_a_gap_and_without_one_the_record_says_why_nobody_is() -> None:
    hours = ({"days": [0], "start": "09:00", "end": "10:00"},)  # T0 is a Tuesday
    weekly = Rotation.model_validate(
        {"name": "shop", "services": ["shop"], "people": ["ann"], "start": "2026-01-05T09:00:00Z", "on_duty": hours}
    )
    desk_rotation = rotation("desk", "eve")
    assert paged(weekly.model_copy(update={"escalate_to": "desk"}), desk_rotation) == [("eve", "desk")]
    draft = logged(desk(config(rotations={"shop": weekly})))
    assert draft.incident.escalation.paged == []
    assert any("layer 'primary' is not on duty at Tuesday 10:00 in UTC" in each.text for each in draft.entries)


REFUSED: dict[str, dict[str, Any]] = {
    "nobody": {},
    "people and a calendar": {"people": ["ann"], "start": "2026-01-05T09:00:00Z", "calendar": {}},
    "no first hand-off": {"people": ["ann"]},
    "two lengths": {"people": ["ann"], "start": "2026-01-05T09:00:00Z", "turn_days": 1, "turn_weeks": 1},
    "more at once than there are": {"people": ["ann"], "start": "2026-01-05T09:00:00Z", "at_once": 2},
    "turns beside layers": {
        "people": ["ann"],
        "start": "2026-01-05T09:00:00Z",
        "layers": [{"name": "a", "people": ["ann"], "start": "2026-01-05T09:00:00Z"}],
    },
}


@pytest.mark.parametrize("case", REFUSED)
def test_turns_that_nobody_can_have_meant_are_refused(case: str) -> None:
    with pytest.raises(ValidationError):
        Rotation.model_validate({"name": "r", **REFUSED[case]})

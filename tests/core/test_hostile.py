"""What a sender with bad intent, or a broken one, can ask: absurd sizes, times, names and roles end nothing."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.identity import short_id
from pipeline.core.practice.commands import parse_command
from pipeline.flow import topics
from pipeline.models.problem import OCCURRENCES_MAX, KnownError
from tests.core.builders import DB, PAY, SHOP, T0, alert, config, policy
from tests.core.halls import Hall
from tests.core.rooms import Room, actions
from tests.core.test_problem import DAY, Desk, quiet, with_three

LAST_DAY = "9999-12-31"


def room() -> Room:
    made = Room()
    made.open(alert("a"))
    return made


@pytest.mark.parametrize(
    "field",
    [
        f'"users":{"9" * 40}',
        f'"users":{2**63}',
        '"revenue_per_minute":1e999',
        '"revenue_per_minute":Infinity',
        '"revenue_per_minute":NaN',
        '"revenue_per_minute":1e300',
        '"users":1,"at":"0001-01-01T00:00:00+14:00"',
        '"users":1,"at":"9999-12-31T23:59:59-14:00"',
        '"users":1,"into":"%s"' % ("x" * 1_000),
    ],
)
def test_a_command_that_nothing_can_be_told_of_is_a_dead_letter(field: str) -> None:
    at = room()
    before = at.one()
    given = '{"command_id":"c","type":"correct_impact","actor":"ann","target":{"service":"shop"},"reason":"r",%s}'
    (letter,) = at.put("commands", (given % field).encode(), T0 + 1)
    assert dict(letter.headers)["spillway-reason"] == b"wrong_type"
    assert at.one() == before


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_change_at_no_time_in_utc_is_a_dead_letter(at: str) -> None:
    change = {"change_id": "c", "kind": "deployment", "summary": "s", "targets": ["shop"], "started_at": at}
    (letter,) = room().put("changes", change, T0 + 1)
    assert letter.topic == "dead.letter"


def test_an_action_that_is_due_on_the_last_day_of_all_is_never_overdue() -> None:
    desk = with_three()
    desk.ask("add_action", T0 + 3 * DAY, text="x", due=LAST_DAY)
    action = {"id": "a1", "text": "y", "owner": None, "due_date": LAST_DAY, "state": "open", "done_by": None}
    desk.passes("INC-9", T0 + 4 * DAY, actions=[action])
    desk.restart()
    desk.tick(T0 + 40 * DAY)
    assert [(each["due_date"], each["told_overdue"]) for each in desk.one()["actions"]] == 2 * [(LAST_DAY, False)]


def test_a_reason_as_long_as_it_may_be_demotes_and_lets_the_members_go() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    hall.ask("demote_major", T0 + 1, reason="x" * 4_000)
    assert (hall.one()["state"], hall.sent("unlink_bridge")) == ("cancelled", [("unlink_bridge", "INC-1")])


def test_an_id_as_long_as_it_may_be_goes_on_to_the_members() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP)
    done = {"code": "fixed", "summary": "done"}
    outputs = hall.ask("resolve", T0 + 1, command_id="c" * 256, resolution=done)
    (onward,) = (each for each in outputs if each.topic == "commands")
    assert parse_command(onward.value).target.incident_id == "INC-1"


def test_a_known_error_with_an_id_as_long_as_it_may_be_is_offered() -> None:
    known = KnownError(name="k", causes=("pay-db",), workaround="restart", problem="P" * 256)
    desk = Desk(config(domains={"shop": policy()}, known_errors={"k": known}))
    desk.tell("INC-0", T0)
    (offer,) = desk.asked("offer_known_error")
    assert offer["link"]["id"] == "P" * 256


@pytest.mark.parametrize("kind", ["silence", "extend_silence", "unsilence"])
@pytest.mark.parametrize(("role", "may"), [("viewer", False), ("source", False), ("responder", True), (None, True)])
def test_only_responders_mute_and_unmute(kind: str, role: str | None, *, may: bool) -> None:
    at = room()
    until = {"until": "2026-03-10T13:00:00Z"}
    request = {"targets": ["shop"], "owner": "shop-team", "reason": "known", **until}
    if kind != "silence":
        at.ask("silence", T0 + 1, "c-1", target=None, silence=request)
    target = None if kind == "silence" else {"silence": short_id("SIL", "c-1")}
    (output,) = at.ask(kind, T0 + 2, target=target, silence=request, role=role, **until)
    reason = dict(output.headers).get("spillway-reason")
    assert (output.topic, reason) == (("suppressions", None) if may else ("dead.letter", b"not_permitted"))


def test_a_source_that_may_not_speak_to_an_audience_does_not_by_a_note() -> None:
    at = room()
    before = len(at.one()["communications"])
    at.ask("note", T0 + 1, note="db-7 is down", audience="affected_users", role="source")
    assert (actions(at.one())[-1], len(at.one()["communications"])) == ("refused_note", before)
    at.ask("note", T0 + 2, note="seen", role="source")
    assert actions(at.one())[-1] == "note"


def test_nobody_but_the_machine_makes_an_incident_a_member_of_a_bridge() -> None:
    at = room()
    at.ask("link_bridge", T0 + 1, bridge_id="MI-1", role="administrator")
    assert (actions(at.one())[-1], at.one()["bridge_id"]) == ("refused_link_bridge", None)


@pytest.mark.parametrize(
    ("role", "state"),
    [("viewer", "candidate"), ("source", "candidate"), ("responder", "known_error"), (None, "known_error")],
)
def test_who_only_looks_writes_no_workaround_that_others_are_offered(role: str | None, state: str) -> None:
    desk = with_three()
    desk.ask("set_workaround", T0 + 3 * DAY, text="curl", role=role)
    assert desk.one()["state"] == state


def test_an_incident_whose_suspect_wavers_is_counted_once() -> None:
    desk, at_ms = with_three(), T0 + 3 * DAY
    for number in range(10):
        desk.tell("INC-9", at_ms + number, cause=(DB, PAY)[number % 2], opened_at_ms=at_ms)
    assert (desk.one()["occurrences_total"], len(desk.one()["occurrences"])) == (3, 3)
    desk.tell("INC-9", at_ms + 10, opened_at_ms=at_ms)
    assert (desk.one()["occurrences_total"], len(desk.one()["occurrences"])) == (4, 4)


def test_a_false_alarm_is_no_incident_of_the_problem() -> None:
    desk, at_ms = with_three(), T0 + 3 * DAY
    desk.tell("INC-9", at_ms)
    desk.tell("INC-9", at_ms + 1, state="cancelled", opened_at_ms=at_ms)
    assert (desk.one()["occurrences_total"], len(desk.one()["occurrences"])) == (3, 3)


def test_more_open_incidents_than_a_problem_names_are_counted_once_each() -> None:
    desk, at_ms, many = with_three(), T0 + 3 * DAY, OCCURRENCES_MAX + 20
    for news in range(3):
        for number in range(many):
            desk.tell(f"INC-X{number}", at_ms + news, opened_at_ms=at_ms, tickets=news)
        desk.restart()
    repeats = [each for each in desk.one()["timeline"] if each["action"] == "repeat"]
    assert (desk.one()["occurrences_total"], len(repeats)) == (3 + many, many)


@pytest.mark.parametrize("character", ["x", "\U0001f525", "\x01"])
def test_an_incident_full_of_what_people_write_fits_its_topics(character: str) -> None:
    at, now_ms = room(), T0
    url, long = "https://" + character * 1_900, character * 4_000
    asked: list[tuple[str, dict[str, Any]]] = [
        *(("link", {"link": {"kind": "case", "id": f"{n}{character * 250}", "url": url}}) for n in range(50)),
        *(("add_action", {"action": {"text": character * 1_000, "owner": character * 250}}) for _ in range(50)),
        *(("communicate", {"audience": "affected_users", "text": f"{long[5:]}{n}"}) for n in range(41)),
        *(("note", {"note": long, "command_id": f"{n}{character * 250}"}) for n in range(100)),
        ("resolve", {"resolution": dict.fromkeys(("summary", "cause", "fix", "workaround"), long) | {"code": "fixed"}}),
    ]
    for kind, fields in asked:
        now_ms += 1
        at.ask(kind, now_ms, **fields)
    limits = {topic.name: topic.record_bytes_max for topic in topics(())}
    sizes = [(len(each.value or b""), each.topic) for each in at.effects.outputs]
    assert max(sizes) > (300_000, ""), "it is full"
    assert [each for each in sizes if each[0] > limits[each[1]] // 2] == []


@pytest.mark.parametrize("named", ["", "x" * 300])
def test_an_action_of_no_incident_is_a_dead_letter(named: str) -> None:
    target = {"incident_id": named, "ticket": "INC0000001"}
    (letter,) = room().ask("complete_action", T0 + 1, "c" * 512, target=target, action={"id": "a"})
    assert letter.topic == "dead.letter"


@pytest.mark.parametrize(("role", "done"), [("viewer", "open"), ("source", "done"), (None, "done")])
def test_who_only_looks_does_not_end_an_action_by_way_of_its_incident(role: str | None, done: str) -> None:
    desk = Desk(quiet())
    action = {"id": "a1", "text": "raise the pool", "owner": None, "due_date": None, "state": "open", "done_by": None}
    desk.passes("INC-0", T0, actions=[action])
    target = {"incident_id": "INC-0"}
    (onward,) = Room().ask("complete_action", T0 + DAY, target=target, action={"id": "a1"}, role=role)
    desk.put("problem.commands", onward.value, T0 + DAY)
    assert desk.one()["actions"][0]["state"] == done


def test_what_was_demoted_and_ends_as_a_member_leaves_nothing_behind() -> None:
    hall = Hall()
    hall.tell("INC-1", SHOP, users=7_000)
    hall.ask("demote_major", T0 + 1, reason="a test")
    hall.tell("INC-1", SHOP, T0 + 2, users=20_000)
    for state in ("resolved", "closed"):
        hall.tell("INC-1", SHOP, T0 + 10, users=20_000, state=state)
    hall.tick(T0 + 2 * DAY)
    hall.changes()
    assert set(hall.state) == {b"spillway.partition", b"o/entered"}

"""Problems: what makes a candidate, what feeds it, known errors that are offered, actions that are followed up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.problems.problem_life import TRANSITIONS, step
from pipeline.models.closure import Closure
from pipeline.models.policy import Config
from pipeline.models.problem import (
    KnownError,
    Problem,
    ProblemCommandType,
    ProblemDraft,
    ProblemRule,
    ProblemState,
)
from tests.core.builders import DB, HOUR, MINUTE, PAY, SHOP, T0, Bench, config, policy, values

DAY = 24 * HOUR


def told(incident_id: str, at_ms: int, **fields: Any) -> dict[str, Any]:
    """The summary of an incident of the shop whose cause is the database."""
    given = {
        "schema": 2,
        "incident_id": incident_id,
        "space": "production",
        "domain": "shop",
        "state": "logged",
        "title": "Shop: connections are exhausted",
        "priority": "P2",
        "service": SHOP,
        "owner": "shop-team",
        "entities": [SHOP],
        "services": [SHOP],
        "depends": [],
        "suspects": [DB],
        "identified": DB,
        "regulatory": [],
        "impacts": {SHOP: ["store", 100, 5.0]},
        "tickets": 0,
        "cause": DB,
        "category": "capacity",
        "opened_at_ms": at_ms,
        "at_ms": at_ms,
    }
    return given | fields


class Desk(Bench):
    """The stage problem on a bench."""

    def __init__(self, setup: Config | None = None) -> None:
        super().__init__("problem", setup)

    def tell(self, incident_id: str, at_ms: int, **fields: Any) -> None:
        self.put("incidents.summaries", told(incident_id, at_ms, **fields), at_ms)

    def passes(self, incident_id: str, at_ms: int, **fields: Any) -> None:
        """An incident that is opened, and resolved after ten minutes."""
        self.tell(incident_id, at_ms, **fields)
        end_ms = at_ms + 10 * MINUTE
        state = {"state": "resolved", "opened_at_ms": at_ms, "resolved_at_ms": end_ms}
        self.tell(incident_id, end_ms, **(state | fields))

    def ask(self, kind: str, at_ms: int, **fields: Any) -> None:
        given = {"command_id": f"{kind}-{at_ms}", "type": kind, "actor": "ann", "problem_id": self.one()["id"]}
        self.put("problem.commands", given | fields, at_ms)

    def problems(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for each in values(self.effects.outputs, "problems"):
            earlier = found.get(each["problem_id"], {"timeline": []})["timeline"]
            found[each["problem_id"]] = each["problem"] | {"timeline": [*earlier, *each["entries"]]}
        return found

    def one(self) -> dict[str, Any]:
        (problem,) = self.problems().values()
        return problem

    def asked(self, kind: str) -> list[dict[str, Any]]:
        """Commands to incidents, of a kind."""
        return [each for each in values(self.effects.outputs, "commands") if each["type"] == kind]


def quiet(**fields: Any) -> Config:
    """A domain where no priority owes a review."""
    return config(domains={"shop": policy(closure=Closure(problem_review=()), **fields)})


def with_three() -> Desk:
    desk = Desk(quiet())
    for number in range(3):
        desk.passes(f"INC-{number}", T0 + number * DAY)
    return desk


def test_the_third_incident_of_one_cause_within_thirty_days_makes_a_candidate() -> None:
    desk = Desk(quiet())
    for number in range(2):
        desk.passes(f"INC-{number}", T0 + number * DAY)
    assert desk.problems() == {}
    desk.tell("INC-2", T0 + 2 * DAY)
    assert desk.problems() == {}, "what it was is known when it is over"
    desk.passes("INC-2", T0 + 2 * DAY)
    problem = desk.one()
    assert (problem["state"], problem["reason"], problem["occurrences_total"]) == ("candidate", "repeated", 3)
    assert [each["incident_id"] for each in problem["occurrences"]] == ["INC-0", "INC-1", "INC-2"]
    assert problem["title"] == "Pay-Db: capacity"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"review_due": "2026-03-11"}, "review_owed"),
        ({"bridge_id": "MI-1"}, "major_incident"),
        ({"priority": "P1"}, "review_owed"),
    ],
)
def test_what_asks_for_a_problem_by_itself_makes_one(fields: dict[str, Any], reason: str) -> None:
    desk = Desk(quiet(problem=ProblemRule(priorities=("P1",))))
    desk.passes("INC-0", T0, **fields)
    assert desk.one()["reason"] == reason


def test_open_corrective_actions_outlive_their_incident() -> None:
    desk = Desk(quiet())
    action = {"id": "a1", "text": "raise the pool", "owner": "db-team", "due_date": "2026-03-12", "state": "open"}
    desk.passes("INC-0", T0, actions=[action | {"done_by": None}])
    desk.tell("INC-0", T0 + HOUR, state="closed", opened_at_ms=T0, actions=[action | {"done_by": None}])
    assert desk.one()["actions"][0]["text"] == "raise the pool"
    desk.tick(T0 + 2 * DAY + 20 * HOUR)
    assert desk.one()["timeline"][-1]["action"] == "action_overdue"
    before = len(desk.one()["timeline"])
    desk.tick(T0 + 5 * DAY)
    assert len(desk.one()["timeline"]) == before, "it is said once"


@pytest.mark.parametrize(
    "other",
    [{"cause": PAY}, {"category": "network"}, {"state": "cancelled"}, {"state": "merged"}],
    ids=["another cause", "another category", "a false alarm", "merged into another"],
)
def test_what_is_not_a_repeat_makes_no_problem(other: dict[str, Any]) -> None:
    desk = Desk(quiet())
    for number in range(2):
        desk.passes(f"INC-{number}", T0 + number * DAY)
    desk.tell("INC-2", T0 + 2 * DAY)
    desk.tell("INC-2", T0 + 2 * DAY + MINUTE, **({"state": "resolved", "opened_at_ms": T0 + 2 * DAY} | other))
    assert desk.problems() == {}


def test_incidents_that_are_too_long_ago_do_not_count() -> None:
    desk = Desk(quiet())
    for number in range(3):
        desk.passes(f"INC-{number}", T0 + number * 20 * DAY)
    assert desk.problems() == {}


def test_one_more_incident_feeds_the_problem_and_carries_it_on_its_record() -> None:
    desk = with_three()
    desk.tell("INC-3", T0 + 3 * DAY)
    assert desk.one()["occurrences_total"] == 4
    link = desk.asked("link")[-1]
    assert (link["target"]["incident_id"], link["link"]["kind"]) == ("INC-3", "problem")
    count = len(desk.asked("link"))
    desk.tell("INC-3", T0 + 3 * DAY + MINUTE, opened_at_ms=T0 + 3 * DAY)
    assert len(desk.asked("link")) == count, "once for each of its states"


def test_a_known_errors_workaround_is_offered_once_to_the_next_incident_of_its_cause() -> None:
    desk = with_three()
    desk.ask("set_workaround", T0 + 3 * DAY, text="end the sessions of the report job")
    assert desk.one()["state"] == "known_error"
    for minute in range(3):
        desk.tell("INC-9", T0 + 4 * DAY + minute * MINUTE, opened_at_ms=T0 + 4 * DAY)
    (offer,) = desk.asked("offer_known_error")
    assert offer["workaround"] == "end the sessions of the report job"
    assert (offer["target"]["incident_id"], offer["role"]) == ("INC-9", "system")


@pytest.mark.parametrize(
    ("known", "fits"),
    [
        ({"causes": ("pay-db",)}, True),
        ({"causes": ("pay",)}, False),
        ({"services": ("shop",), "categories": ("capacity",)}, True),
        ({"services": ("shop",), "categories": ("network",)}, False),
        ({"words": ("connections", "exhausted")}, True),
        ({"words": ("connections", "disk")}, False),
    ],
)
def test_a_known_error_of_the_configuration_is_offered_where_all_of_it_fits(known: dict[str, Any], fits: bool) -> None:
    error = KnownError(name="pool", workaround="restart the pool", **known)
    setup = config(known_errors={"pool": error})
    desk = Desk(setup)
    desk.tell("INC-0", T0)
    assert [each["link"]["id"] for each in desk.asked("offer_known_error")] == (["pool"] if fits else [])


def test_a_known_error_asks_for_something() -> None:
    with pytest.raises(ValueError, match="asks for causes"):
        KnownError(name="all", workaround="pray")


def test_a_fix_that_does_not_hold_reopens_the_problem() -> None:
    desk = with_three()
    desk.ask("accept", T0 + 3 * DAY)
    desk.ask("resolve", T0 + 4 * DAY, text="a larger pool")
    desk.tell("INC-2", T0 + 4 * DAY + HOUR, opened_at_ms=T0 + 2 * DAY, state="closed")
    assert desk.one()["state"] == "resolved", "an incident of before says nothing of the fix"
    desk.tell("INC-3", T0 + 5 * DAY)
    assert (desk.one()["state"], desk.one()["reopened"], desk.one()["fix"]) == ("investigating", 1, None)


def test_a_rejected_problem_stays_so_and_is_put_on_no_incident() -> None:
    desk = with_three()
    desk.ask("reject", T0 + 3 * DAY, text="planned load tests")
    count = len(desk.asked("link"))
    desk.passes("INC-3", T0 + 4 * DAY)
    assert (desk.one()["state"], len(desk.asked("link"))) == ("rejected", count)


def test_a_problem_with_open_actions_is_not_closed() -> None:
    desk = with_three()
    desk.ask("add_action", T0 + 3 * DAY, text="raise the pool", action_id="a1")
    desk.ask("resolve", T0 + 3 * DAY + 1, text="raised")
    desk.ask("close", T0 + 3 * DAY + 2)
    assert (desk.one()["state"], desk.one()["timeline"][-1]["action"]) == ("resolved", "refused_close")
    desk.ask("complete_action", T0 + 3 * DAY + 3, action_id="a1")
    desk.ask("close", T0 + 3 * DAY + 4)
    assert desk.one()["state"] == "closed"


@pytest.mark.parametrize("action_id", ["a1", "INC-0/a1"])
def test_an_action_of_an_incident_that_is_closed_is_done_by_the_incidents_id(action_id: str) -> None:
    desk = Desk(quiet())
    action = {"id": "a1", "text": "raise the pool", "owner": None, "due_date": None, "state": "open", "done_by": None}
    desk.passes("INC-0", T0, actions=[action])
    desk.ask("complete_action", T0 + DAY, problem_id="INC-0", action_id=action_id)
    assert [(each["state"], each["done_by"]) for each in desk.one()["actions"]] == [("done", "ann")]


def test_a_command_that_comes_twice_changes_nothing_and_one_for_nobody_is_a_dead_letter() -> None:
    desk = with_three()
    for _ in range(2):
        desk.ask("accept", T0 + 3 * DAY)
    assert [each["action"] for each in desk.one()["timeline"]].count("accept") == 1
    desk.put("problem.commands", {"command_id": "x", "type": "note", "actor": "ann", "problem_id": "PRB-0"}, T0)
    desk.put("problem.commands", {"command_id": "x"}, T0)
    assert len([each for each in desk.effects.outputs if each.topic == "dead.letter"]) == 2


def test_nothing_is_kept_of_what_is_long_over() -> None:
    desk = with_three()
    desk.ask("resolve", T0 + 3 * DAY, text="fixed")
    for number in range(3):
        desk.tell(f"INC-{number}", T0 + 4 * DAY, state="closed", opened_at_ms=T0 + number * DAY)
    desk.ask("close", T0 + 5 * DAY)
    desk.tick(T0 + 500 * DAY)
    kept = [key for key, value in desk.changes() if value is not None and key != b"spillway.partition"]
    assert kept == []


@pytest.mark.parametrize("name", sorted({name for _, name in TRANSITIONS}))
@pytest.mark.parametrize("state", list(ProblemState))
def test_a_problem_moves_by_its_table_alone(state: ProblemState, name: str) -> None:
    draft = ProblemDraft(Problem(id="PRB-1", signature="CS-1", state=state), T0)
    moved = step(draft, name, "ann", "did it")
    assert moved is ((state, name) in TRANSITIONS)
    assert draft.problem.state == TRANSITIONS.get((state, name), state)
    assert draft.entries[-1].action == (name if moved else f"refused_{name}")


MOVES = st.one_of(
    st.tuples(st.just("incident"), st.integers(0, 4), st.sampled_from(["logged", "resolved", "closed", "merged"])),
    st.tuples(st.just("cause"), st.integers(0, 4), st.sampled_from([DB, PAY])),
    st.tuples(st.just("command"), st.integers(0, 9), st.sampled_from(list(ProblemCommandType))),
    st.tuples(st.just("days"), st.integers(1, 40), st.just("")),
    st.tuples(st.just("restart"), st.just(0), st.just("")),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(MOVES, max_size=25))
def test_a_restart_at_any_time_changes_nothing_and_revisions_rise_by_one(moves: list[tuple[str, int, str]]) -> None:
    calm, shaken = Desk(), Desk()
    for desk in (calm, shaken):
        now, causes = T0, dict.fromkeys(range(5), DB)
        for kind, number, what in moves:
            now += MINUTE
            if kind == "restart" and desk is shaken:
                desk.restart()
            elif kind == "days":
                now += number * DAY
                desk.tick(now)
            elif kind == "cause":
                causes[number] = what
            elif kind == "incident":
                fields = {"cause": causes[number], "opened_at_ms": T0, "bridge_id": "MI-1"}
                desk.tell(f"INC-{number}", now, state=what, **fields)
            elif kind == "command" and desk.problems():
                given = {"command_id": str(number), "type": what, "actor": "ann", "text": "words", "assignee": "bob"}
                desk.put("problem.commands", given | {"problem_id": next(iter(desk.problems()))}, now)
    written = [[(each.topic, each.key, each.value) for each in desk.effects.outputs] for desk in (calm, shaken)]
    assert written[0] == written[1]
    revisions: dict[str, int] = {}
    for each in values(calm.effects.outputs, "problems"):
        assert each["revision"] == revisions.get(each["problem_id"], 0) + 1
        revisions[each["problem_id"]] = each["revision"]

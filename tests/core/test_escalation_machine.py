"""Escalation whatever happens, in any order: who answers stops it, nobody is called twice for one step, no deadline
stays due, and who is not answered has a next deadline or is told that the path has ended."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pipeline.core.draft import Draft
from pipeline.core.escalation import engaging, watching
from pipeline.core.practice.lifecycle import UNANSWERED_STATES
from pipeline.models.catalog import HostingModel
from pipeline.models.escalation import EscalationPath, EscalationRepeat, EscalationRoute
from pipeline.models.incident_parts import Suspect
from tests.core.builders import DB, MINUTE, PAY, T0
from tests.core.cases import Case, path
from tests.core.desks import desk

BESIDE_THE_PATH: Final = ("suspect:", "route:")

PATHS: Final[dict[str, tuple[EscalationPath, ...]]] = {
    "long": (
        path(
            (0, "oncall"),
            (5, "oncall-secondary dependency"),
            (15, "owner bob"),
            priorities=("P1", "P2"),
            repeat=EscalationRepeat(times=2, every_minutes=7),
            resume_after_minutes=20,
            resume_waiting_after_minutes=60,
            resume_at_share=0.5,
            fallback=("eve",),
            routes=(EscalationRoute(hosting_model=(HostingModel.SAAS,), notify=("vendor",), case="provider_case"),),
        ),
        path((10, "oncall"), priorities=("P3",)),
    ),
    "short": (path((0, "oncall"), priorities=("P1", "P2", "P3")),),
    "to nobody": (path((0, "dependency"), (3, "dependency"), hops_max=0, priorities=("P1", "P2")),),
    "gone": (),
}

COMMANDS: Final[dict[str, dict[str, Any]]] = {
    "acknowledge": {},
    "unacknowledge": {},
    "start": {},
    "note": {"note": "looking"},
    "assign": {"assignee": "eve"},
    "escalate": {"reason": "now"},
    "wait": {"waiting_for": "vendor"},
    "resume": {},
    "mitigate": {"workaround": "the other region"},
    "resolve": {"resolution": {"code": "fixed", "summary": "done"}},
    "reopen": {"reason": "again"},
    "clear_suspect": {"ref": DB},
}


class Machine(RuleBasedStateMachine):
    """One incident, people, time, and policies that come and go."""

    @initialize(name=st.sampled_from(sorted(PATHS)), priority=st.sampled_from(("P1", "P2", "P3", "P4")))
    def begin(self, name: str, priority: str) -> None:
        self.now_ms = T0
        self.case = Case(desk(escalation=PATHS[name]), priority=priority)
        self.name, self.seen = name, len(self.case.incident.escalation.paged)

    def _about(self, was_answered: bool) -> None:
        """What one step may have done: no level fires while somebody has it before and after."""
        incident = self.case.incident
        if was_answered and incident.state not in UNANSWERED_STATES:
            new = self.pages()[self.seen :]
            assert all(any(word in each for word in BESIDE_THE_PATH) for each in new)
        self.seen = len(self.pages())

    def pages(self) -> list[str]:
        return [each.facts["step"] for each in self.case.entries if each.action == "page"]

    @rule(kind=st.sampled_from(sorted(COMMANDS)), actor=st.sampled_from(("ann", "bob", "dora")))
    def ask(self, kind: str, actor: str) -> None:
        was = self.case.incident.state not in UNANSWERED_STATES
        self.case.ask(kind, self.now_ms, actor, **COMMANDS[kind])
        self._about(was)

    @rule(priority=st.sampled_from(("P1", "P2", "P3", "P4")))
    def set_priority(self, priority: str) -> None:
        was = self.case.incident.state not in UNANSWERED_STATES
        self.case.ask("set_priority", self.now_ms, priority=priority)
        self._about(was)

    @rule(minutes=st.sampled_from((1, 5, 21, 61, 600)))
    def time_passes(self, minutes: int) -> None:
        self.now_ms += minutes * MINUTE
        for _ in range(100):
            due_ms = watching.due_ms(self.case.incident)
            if due_ms is None or due_ms > self.now_ms:
                return
            was = self.case.incident.state not in UNANSWERED_STATES
            self.case.at_deadline(due_ms)
            self._about(was)
        raise AssertionError("deadlines without end")

    @rule(minutes=st.sampled_from((1, 20, 600)))
    def nobody_looks_for_a_while(self, minutes: int) -> None:
        """A pipeline that was down: all that was due is due at once."""
        self.now_ms += minutes * MINUTE
        was = self.case.incident.state not in UNANSWERED_STATES
        for _ in range(3):  # a policy that came meanwhile may set a deadline that has passed, and that fires at once
            self.case.at_deadline(self.now_ms)
        self._about(was)
        after_ms = watching.due_ms(self.case.incident)
        assert after_ms is None or after_ms > self.now_ms, "a deadline must not stay due"

    @rule(name=st.sampled_from(sorted(PATHS)))
    def reload(self, name: str) -> None:
        self.name = name
        self.case.at = desk(escalation=PATHS[name])

    @rule(ref=st.sampled_from((PAY, DB)), model=st.sampled_from(("saas", "cloud")))
    def identify(self, ref: str, model: str) -> None:
        draft = Draft(self.case.incident, self.now_ms)
        incident = draft.incident
        if incident.resolved_at_ms is not None or incident.identified == ref or ref in incident.cleared:
            return
        suspect = Suspect(ref=ref, score=1.0, because=["alerts itself"], evident=True)
        incident.suspects, incident.identified, incident.hosting_model = [suspect], ref, model
        was = incident.state not in UNANSWERED_STATES
        engaging.identified(self.case.at, draft, suspect)
        self.case.done(draft)
        self._about(was)

    @invariant()
    def nobody_is_called_twice_for_one_step_nor_in_one_round(self) -> None:
        if not hasattr(self, "case"):
            return
        calls = [(each.facts["step"], each.facts["person"]) for each in self.case.entries if each.action == "page"]
        assert len(calls) == len(set(calls))
        rounds = [(step.rsplit("/", step.count("/") - 3)[0], person) for step, person in calls]
        assert len(rounds) == len(set(rounds))

    @invariant()
    def who_has_it_is_not_called_for_and_who_is_not_answered_is_not_forgotten(self) -> None:
        if not hasattr(self, "case"):
            return
        incident = self.case.incident
        escalation = incident.escalation
        if incident.state not in UNANSWERED_STATES:
            assert escalation.next_at_ms is None
            return
        assert escalation.stalls_at_ms is None
        path = self.case.at.escalator.path(self.case.at.policy(incident), incident.priority)
        if escalation.next_at_ms is None and path is not None and not self.reloaded_unseen():
            assert escalation.exhausted_at_ms is not None
            assert escalation.level >= len(path.levels)

    def reloaded_unseen(self) -> bool:
        """Whether the path came by a reload after the incident was last looked at: whoever looks next begins it."""
        seen = self.case.incident.escalation.next_at_ms
        self.case.done(Draft(self.case.incident, self.now_ms))
        return seen is None and self.case.incident.escalation.next_at_ms is not None

    @invariant()
    def nobody_found_is_said(self) -> None:
        if not hasattr(self, "case"):
            return
        said = [each.text for each in self.case.entries if each.action == "page_failed"]
        if self.case.incident.escalation.nobody is not None:
            assert said[-1] == f"nobody was called: {self.case.incident.escalation.nobody}"


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)

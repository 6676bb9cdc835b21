"""Problem: incidents that come back, Major Incidents and owed reviews become problem candidates, tracked to their end.

It sees the summaries of the incidents of all spaces, in one partition, as the bridge does. Incidents of one cause
(`pipeline.core.problems.problem_causes`) feed its problem; a known error's workaround is offered to the next incident
of its cause; corrective actions are followed up after their incident is closed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

import orjson
from pydantic import TypeAdapter, ValidationError

from pipeline.core.identity import short_id
from pipeline.core.practice.commands import describe, encode_command
from pipeline.core.practice.desk import MACHINE, Desk
from pipeline.core.practice.lifecycle import ENDED_STATES, OPEN_STATES
from pipeline.core.problems.known_errors import KnownErrors, Offer
from pipeline.core.problems.problem_causes import (
    DAY_MS,
    OVER,
    VOID,
    Cause,
    Place,
    Signature,
    occurrence_of,
    signature_of,
)
from pipeline.core.problems.problem_feed import count, discount, take_over
from pipeline.core.problems.problem_life import OPEN_STATES as OPEN_PROBLEMS
from pipeline.core.problems.problem_life import apply_problem_command, reopen
from pipeline.core.problems.problem_press import publish_problem
from pipeline.core.step import Effects, Output, Processor, Record, dead_letter
from pipeline.core.summaries import read_summary
from pipeline.core.topology import Topology
from pipeline.models.command import Command, CommandType, Link, Role, Target
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.problem import (
    PROBLEM_COMMANDS_TOPIC,
    KnownError,
    Problem,
    ProblemChange,
    ProblemCommand,
    ProblemDraft,
    ProblemReason,
    ProblemState,
    TrackedAction,
    problem_from_wire,
)
from pipeline.models.summary import Summary
from pipeline.models.wire import to_json

_PROBLEM: Final = "p/"
_CAUSE: Final = "c/"
_PLACE: Final = "i/"

_COMMAND: Final = TypeAdapter(ProblemCommand)

NEVER_MS: Final = 1 << 62
"""Later than any moment."""

FORGET_DAYS: Final = 366
"""Incidents older than the longest ``within_days`` count for no rule."""


class ProblemProcessor(Processor):
    """Problems over all spaces; one partition."""

    stage: ClassVar[str] = "problem"

    def __init__(
        self,
        desk: Desk,
        topology: Topology,
        known_errors: dict[str, KnownError],
        resolve: Callable[[str], str | None],
    ) -> None:
        super().__init__()
        self._desk = desk
        self._topology = topology
        self._known = KnownErrors(known_errors, resolve)
        self._problems: dict[str, Problem] = {}
        self._causes: dict[str, Cause] = {}
        self._places: dict[str, Place] = {}

    # -- state

    def load(self, key: str, value: bytes) -> None:
        """Take one state record back."""
        document, name = orjson.loads(value), key[2:]
        if key.startswith(_PROBLEM):
            self._problems[name] = problem_from_wire(document)
        elif key.startswith(_CAUSE):
            self._causes[name] = Cause.of(document)
        else:
            self._places[name] = Place(*document)

    def dump(self, key: str) -> bytes | None:
        """The state record of a key; None where it is gone."""
        name = key[2:]
        if key.startswith(_PROBLEM):
            problem = self._problems.get(name)
            return None if problem is None else to_json(problem)
        if key.startswith(_CAUSE):
            cause = self._causes.get(name)
            return None if cause is None else to_json(cause.document())
        place = self._places.get(name)
        return None if place is None else to_json((place.signature_id, place.offered, place.linked))

    def restored(self) -> None:
        """Set the deadlines again."""
        for problem in self._problems.values():
            self.timers.set(_PROBLEM + problem.id, self._due_ms(problem))
        for cause in self._causes.values():
            self._plan_to_forget(cause)

    def gauges(self) -> dict[str, dict[str, float]]:
        """Problems by state, for metrics."""
        counts: dict[str, float] = {}
        for problem in self._problems.values():
            counts[problem.state] = counts.get(problem.state, 0.0) + 1
        return {"problems": counts, "state_entries": {"problems": float(len(self._problems))}}

    # -- records

    def process(self, record: Record, effects: Effects) -> None:
        """Weigh one summary, or obey one command."""
        if record.topic == PROBLEM_COMMANDS_TOPIC:
            self._command(_parse(record.value), effects)
        else:
            self._weigh(read_summary(record), effects)

    def refuse(self, record: Record, bad: BadRecord, effects: Effects) -> None:
        """Nothing here is an alert: the record goes to the dead letter without being counted as one."""
        effects.outputs.append(dead_letter(self.stage, record, bad))

    def on_timer(self, key: str, due_ms: int, effects: Effects) -> None:
        """A corrective action is overdue, or something is too old to matter."""
        name = key[2:]
        if key.startswith(_CAUSE):
            self._forget_old(self._causes[name])
            return
        problem = self._problems[name]
        draft = ProblemDraft(problem, self.clock_ms)
        for action in problem.actions:
            if self._overdue_ms(problem, action) <= self.clock_ms:
                action.told_overdue = True
                text = f"overdue since {action.due_date}, {action.owner or 'nobody'} owns it: {action.text}"
                draft.note("action_overdue", MACHINE, text, ProblemChange.ACTION_OVERDUE, action_id=action.id)
        if draft.entries:
            self._publish(draft, effects)
        elif problem.state not in OPEN_PROBLEMS:
            self._forget(problem)

    # -- decisions

    def _weigh(self, summary: Summary, effects: Effects) -> None:
        place = self._places.get(summary.incident_id)
        signature = None if summary.state in VOID else signature_of(summary)
        if place is not None and (signature is None or signature.id != place.signature_id):
            self._withdraw(summary.incident_id, place, effects)
            place = None
        if signature is None:
            return
        cause = self._causes.setdefault(signature.id, Cause(signature))
        is_first = place is None
        if place is None:
            place = self._places[summary.incident_id] = Place(signature.id)
        is_new = cause.put(occurrence_of(summary), may_enter=is_first)
        problem = self._problems.get(cause.problem_id or "")
        if problem is not None:
            self._feed(problem, summary, effects, is_new=is_new)
        elif summary.state in OVER:
            self._consider(cause, summary, effects)
        self._offer(place, cause, summary, effects)
        self._remember(cause, place, summary)

    def _remember(self, cause: Cause, place: Place, summary: Summary) -> None:
        self.touch(_CAUSE + cause.signature.id)
        self.touch(_PLACE + summary.incident_id)
        if summary.state in ENDED_STATES:
            del self._places[summary.incident_id]
        self._plan_to_forget(cause)

    def _withdraw(self, incident_id: str, place: Place, effects: Effects) -> None:
        """An incident is no longer of the cause that it was taken for."""
        cause = self._causes[place.signature_id]
        cause.drop(incident_id)
        del self._places[incident_id]
        self.touch(_PLACE + incident_id)
        self.touch(_CAUSE + cause.signature.id)
        self._plan_to_forget(cause)
        problem = self._problems.get(cause.problem_id or "")
        if problem is not None:
            draft = ProblemDraft(problem, self.clock_ms)
            discount(draft, cause, incident_id)
            self._publish(draft, effects)

    def _consider(self, cause: Cause, summary: Summary, effects: Effects) -> None:
        """Open a candidate where the domain's rule asks for one."""
        rule = self._desk.policy_of(summary.domain).problem
        recent = cause.since(self.clock_ms - rule.within_days * DAY_MS)
        if len(recent) >= rule.repeats_at_least:
            because = f"{len(recent)} incidents of the same cause within {rule.within_days} days"
            self._open(cause, summary, ProblemReason.REPEATED, because, effects)
        elif summary.bridge_id is not None and rule.major:
            because = f"{summary.incident_id} was part of Major Incident {summary.bridge_id}"
            self._open(cause, summary, ProblemReason.MAJOR_INCIDENT, because, effects)
        elif summary.review_due is not None or summary.priority in rule.priorities:
            because = f"{summary.incident_id} was {summary.priority}, which asks for a review"
            self._open(cause, summary, ProblemReason.REVIEW_OWED, because, effects)
        elif any(each["state"] == "open" for each in summary.actions):
            because = f"corrective actions of {summary.incident_id} are open"
            self._open(cause, summary, ProblemReason.CORRECTIVE_ACTIONS, because, effects)

    def _open(self, cause: Cause, summary: Summary, reason: ProblemReason, because: str, effects: Effects) -> None:
        signature, now = cause.signature, self.clock_ms
        entity = self._topology.entities.get(signature.ref)
        problem = Problem(
            id=short_id("PRB", signature.id, summary.incident_id, str(now)),
            signature=signature.id,
            title=self._title(signature, summary),
            reason=reason,
            because=because,
            domain=summary.domain,
            service=summary.service,
            owner=(entity.owner if entity else None) or summary.owner,
            cause_ref=signature.ref,
            category=signature.category,
            opened_at_ms=now,
        )
        self._problems[problem.id] = problem
        cause.problem_id = problem.id
        draft = ProblemDraft(problem, now)
        draft.note("detect", MACHINE, f"problem candidate: {because}", ProblemChange.OPENED, reason=reason)
        problem.occurrences_total = len(cause.occurrences) - 1
        count(draft, cause, is_new=True)
        take_over(draft, summary)
        self._publish(draft, effects)
        self._link(problem, summary, effects)

    def _title(self, signature: Signature, summary: Summary) -> str:
        name = self._topology.title(signature.ref)
        return f"{name}: {signature.category.replace('_', ' ')}" if signature.category else f"{name}: {summary.title}"

    def _feed(self, problem: Problem, summary: Summary, effects: Effects, *, is_new: bool) -> None:
        """One more incident of a problem, or news of one."""
        cause = self._causes[problem.signature]
        draft = ProblemDraft(problem, self.clock_ms)
        over_ms = problem.resolved_at_ms or problem.closed_at_ms
        if is_new and over_ms is not None and summary.opened_at_ms > over_ms:
            reopen(draft, MACHINE, f"it is back with {summary.incident_id}: the fix did not hold")
        count(draft, cause, is_new=is_new)
        if is_new:
            text = f"{summary.incident_id} is of the same cause: {summary.title}"
            draft.note("repeat", MACHINE, text, ProblemChange.REPEATED, incident_id=summary.incident_id)
        take_over(draft, summary)
        if draft.entries:
            self._publish(draft, effects)
        else:
            self.touch(_PROBLEM + problem.id)
        if problem.state != ProblemState.REJECTED:
            self._link(problem, summary, effects)

    def _link(self, problem: Problem, summary: Summary, effects: Effects) -> None:
        """Put the problem on the incident's record, once for each of its states."""
        place = self._places.get(summary.incident_id)
        told = f"{problem.id} {problem.state}"
        if place is None or place.linked == told or summary.state in ENDED_STATES:
            return
        place.linked = told
        link = Link(kind="problem", id=problem.id, state=problem.state)
        self._ask(summary, CommandType.LINK, told, effects, link=link)

    def _offer(self, place: Place, cause: Cause, summary: Summary, effects: Effects) -> None:
        """Offer the workarounds that fit, each once."""
        if summary.state not in OPEN_STATES:
            return
        for offer in (*self._offers_of(cause), *self._known.matching(summary)):
            if offer.id in place.offered:
                continue
            place.offered.append(offer.id)
            link = Link(kind="known_error", id=offer.id, url=offer.url, state=offer.title[:64])
            self._ask(
                summary,
                CommandType.OFFER_KNOWN_ERROR,
                offer.id,
                effects,
                link=link,
                workaround=offer.workaround,
                reason=offer.because,
            )

    def _offers_of(self, cause: Cause) -> list[Offer]:
        problem = self._problems.get(cause.problem_id or "")
        if problem is None or problem.state != ProblemState.KNOWN_ERROR or problem.workaround is None:
            return []
        return [Offer(problem.id, problem.title, problem.workaround, None, "the cause fits")]

    def _ask(self, summary: Summary, kind: CommandType, what: str, effects: Effects, **arguments: Any) -> None:
        command = Command(
            command_id=f"problem/{summary.incident_id}/{what}",
            type=kind,
            actor=MACHINE,
            role=Role.SYSTEM,
            target=Target(incident_id=summary.incident_id),
            **arguments,
        )
        effects.outputs.append(Output("commands", summary.space.encode(), encode_command(command), self.clock_ms))

    # -- commands

    def _command(self, command: ProblemCommand, effects: Effects) -> None:
        problem = self._problems.get(command.problem_id) or self._of_incident(command.problem_id)
        if problem is None:
            raise BadRecord(Reason.UNKNOWN_TARGET, f"{command.type}: no such problem is known")
        draft = ProblemDraft(problem, self.clock_ms)
        if apply_problem_command(draft, command):
            self._publish(draft, effects)

    # -- small things

    def _of_incident(self, incident_id: str) -> Problem | None:
        """The problem that an incident's corrective actions are tracked in."""
        for problem in self._problems.values():
            if any(each.incident_id == incident_id for each in problem.actions):
                return problem
        return None

    def _publish(self, draft: ProblemDraft, effects: Effects) -> None:
        publish_problem(draft, effects)
        self.touch(_PROBLEM + draft.problem.id)
        self.timers.set(_PROBLEM + draft.problem.id, self._due_ms(draft.problem))

    def _due_ms(self, problem: Problem) -> int | None:
        """When the problem needs attention by itself: an action is overdue, or it is over for long enough."""
        overdue = [self._overdue_ms(problem, each) for each in problem.actions]
        dues = [each for each in overdue if each != NEVER_MS]
        if problem.state not in OPEN_PROBLEMS and not dues:
            within_days = self._desk.policy_of(problem.domain).problem.within_days
            return max(problem.updated_at_ms, problem.last_seen_ms) + within_days * DAY_MS
        return min(dues, default=None)

    def _overdue_ms(self, problem: Problem, action: TrackedAction) -> int:
        """The end of the action's day, where the domain is; `NEVER_MS` where there is nothing to say."""
        if action.state != "open" or action.told_overdue or action.due_date is None:
            return NEVER_MS
        zone = ZoneInfo(self._desk.policy_of(problem.domain).business_hours.timezone)
        try:
            end = datetime.combine(date.fromisoformat(action.due_date) + timedelta(days=1), time(), zone)
        except OverflowError:  # the last day that there is has no end
            return NEVER_MS
        return round(end.timestamp() * 1_000)

    def _forget(self, problem: Problem) -> None:
        """It was over for so long that what comes now is another problem; the records store has it."""
        del self._problems[problem.id]
        self.touch(_PROBLEM + problem.id)
        cause = self._causes.get(problem.signature)
        if cause is not None:
            cause.problem_id = None
            self.touch(_CAUSE + cause.signature.id)
            self._plan_to_forget(cause)

    def _plan_to_forget(self, cause: Cause) -> None:
        """Look at a cause again when its oldest incident is too old to count."""
        key = _CAUSE + cause.signature.id
        if cause.occurrences:
            oldest_ms = min(each.opened_at_ms for each in cause.occurrences)
            self.timers.set(key, max(oldest_ms + FORGET_DAYS * DAY_MS, self.clock_ms + 1))
        else:
            self.timers.set(key, None if cause.problem_id else self.clock_ms + 1)

    def _forget_old(self, cause: Cause) -> None:
        fresh = cause.since(self.clock_ms - FORGET_DAYS * DAY_MS + 1)
        open_ones = [each for each in cause.occurrences if each.incident_id in self._places]
        cause.occurrences = [each for each in cause.occurrences if each in fresh or each in open_ones]
        self.touch(_CAUSE + cause.signature.id)
        if not cause.occurrences and cause.problem_id is None:
            del self._causes[cause.signature.id]
        elif fresh:
            self._plan_to_forget(cause)


def _parse(value: bytes | None) -> ProblemCommand:
    """Raises BadRecord where it is no command."""
    if not value:
        raise BadRecord(Reason.EMPTY, "a command without a value")
    try:
        return _COMMAND.validate_json(value)
    except ValidationError as error:
        raise BadRecord(Reason.WRONG_TYPE, describe(error)) from None

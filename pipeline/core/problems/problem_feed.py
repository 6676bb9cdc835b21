"""What incidents tell a problem: how often it happened, what was suspected, its cause, what is to be done."""

from __future__ import annotations

from pipeline.core.practice.desk import MACHINE
from pipeline.core.problems.problem_causes import Cause
from pipeline.core.problems.problem_life import add_action
from pipeline.models.problem import CHANGES_MAX, ProblemChange, ProblemDraft, TrackedAction
from pipeline.models.summary import Summary


def count(draft: ProblemDraft, cause: Cause, *, is_new: bool) -> None:
    """Bring the problem's figures up to date with the incidents of its cause; ``is_new``: there is one more."""
    problem = draft.problem
    problem.occurrences = list(cause.occurrences)
    problem.occurrences_total += is_new
    opened = [each.opened_at_ms for each in problem.occurrences]
    problem.first_seen_ms = min([problem.first_seen_ms or opened[0], *opened])
    problem.last_seen_ms = max([problem.last_seen_ms, *opened])
    problem.users_affected = max([problem.users_affected, *(each.users for each in problem.occurrences)])
    suspected = [each.change_id for each in problem.occurrences if each.change_id is not None]
    problem.changes = {name: suspected.count(name) for name in list(dict.fromkeys(suspected))[-CHANGES_MAX:]}


def discount(draft: ProblemDraft, cause: Cause, incident_id: str) -> None:
    """An incident was taken for one of the problem's and is none: it is not counted any more."""
    problem = draft.problem
    problem.occurrences = list(cause.occurrences)
    problem.occurrences_total = max(problem.occurrences_total - 1, len(problem.occurrences))
    draft.note("withdraw", MACHINE, f"{incident_id} is not of this cause after all", ProblemChange.UPDATED)


def take_over(draft: ProblemDraft, summary: Summary) -> None:
    """Take from an incident when a review is owed, what people say the cause was, and the corrective actions."""
    problem = draft.problem
    if summary.review_due is not None and problem.review_due is None:
        problem.review_due = summary.review_due
        draft.note("review", MACHINE, f"review on {summary.review_due}", ProblemChange.UPDATED)
    if summary.stated_cause and problem.cause is None:
        problem.cause = summary.stated_cause
        text = f"the cause, as {summary.incident_id} says: {summary.stated_cause}"
        draft.note("cause", MACHINE, text, ProblemChange.UPDATED)
    for each in summary.actions:
        own = each["id"].startswith(summary.incident_id)
        action = TrackedAction(
            id=each["id"] if own else f"{summary.incident_id}/{each['id']}",
            text=each["text"],
            owner=each["owner"],
            due_date=each["due_date"],
            state=each["state"],
            incident_id=summary.incident_id,
            done_by=each["done_by"],
        )
        add_action(draft, action, MACHINE)

"""The life of a problem, as one table, and what people do to it. Nothing else changes a problem's state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pipeline.models.command import Role
from pipeline.models.problem import (
    ACTIONS_MAX,
    ProblemChange,
    ProblemCommand,
    ProblemCommandType,
    ProblemDraft,
    TrackedAction,
)
from pipeline.models.problem import ProblemState as S

COMMANDS_REMEMBERED_MAX: Final = 100
"""Command ids that a problem remembers: covers any sender's retries, bounds the record."""

TRANSITIONS: Final[dict[tuple[str, str], S]] = {
    (S.CANDIDATE, "accept"): S.INVESTIGATING,
    (S.CANDIDATE, "reject"): S.REJECTED,
    (S.CANDIDATE, "set_workaround"): S.KNOWN_ERROR,
    (S.CANDIDATE, "resolve"): S.RESOLVED,
    (S.INVESTIGATING, "reject"): S.REJECTED,
    (S.INVESTIGATING, "set_workaround"): S.KNOWN_ERROR,
    (S.INVESTIGATING, "resolve"): S.RESOLVED,
    (S.KNOWN_ERROR, "set_workaround"): S.KNOWN_ERROR,
    (S.KNOWN_ERROR, "resolve"): S.RESOLVED,
    (S.RESOLVED, "close"): S.CLOSED,
    (S.RESOLVED, "reopen"): S.INVESTIGATING,
    (S.CLOSED, "reopen"): S.INVESTIGATING,
    (S.REJECTED, "reopen"): S.CANDIDATE,
}

_OF_A_SOURCE: Final = frozenset({ProblemCommandType.COMPLETE_ACTION})
"""What a ticketing system passes on of what its users did there."""

OPEN_STATES: Final = frozenset({S.CANDIDATE, S.INVESTIGATING, S.KNOWN_ERROR})

_CHANGE: Final[dict[str, ProblemChange]] = {
    "accept": ProblemChange.ACCEPTED,
    "reject": ProblemChange.REJECTED,
    "set_workaround": ProblemChange.KNOWN_ERROR,
    "resolve": ProblemChange.RESOLVED,
    "close": ProblemChange.CLOSED,
    "reopen": ProblemChange.REOPENED,
}


def step(draft: ProblemDraft, name: str, actor: str, text: str) -> bool:
    """Move the problem's state, or say on the record that the step means nothing here."""
    problem = draft.problem
    after = TRANSITIONS.get((problem.state, name))
    if after is None:
        refuse(draft, name, actor, f"the problem is {problem.state.replace('_', ' ')}")
        return False
    problem.state = after
    draft.note(name, actor, text, _CHANGE[name], state=after)
    return True


def refuse(draft: ProblemDraft, name: str, actor: str, because: str) -> None:
    """Say on the record why something changes nothing."""
    draft.note(f"refused_{name}", actor, f"{name} changes nothing: {because}")


def apply_problem_command(draft: ProblemDraft, command: ProblemCommand) -> bool:
    """Apply a command once; False where it was applied before."""
    known = draft.problem.commands
    if command.command_id in known:
        return False
    draft.command_id = command.command_id
    known.append(command.command_id)
    del known[:-COMMANDS_REMEMBERED_MAX]
    if command.as_role == Role.VIEWER or (command.as_role == Role.SOURCE and command.type not in _OF_A_SOURCE):
        refuse(draft, command.type, command.actor, f"a {command.as_role} may not do that to a problem")
    else:
        _HANDLERS[command.type](draft, command)
    return True


def _said(command: ProblemCommand) -> str:
    return f": {command.text}" if command.text else ""


def _has_text(draft: ProblemDraft, command: ProblemCommand) -> bool:
    if not command.text:
        refuse(draft, command.type, command.actor, "it lacks its text")
    return bool(command.text)


def _accept(draft: ProblemDraft, command: ProblemCommand) -> None:
    if step(draft, "accept", command.actor, f"taken up by {command.actor}{_said(command)}"):
        draft.problem.assignee = command.assignee or draft.problem.assignee or command.actor


def _reject(draft: ProblemDraft, command: ProblemCommand) -> None:
    if _has_text(draft, command):
        step(draft, "reject", command.actor, f"rejected by {command.actor}{_said(command)}")


def _assign(draft: ProblemDraft, command: ProblemCommand) -> None:
    if not command.assignee:
        refuse(draft, command.type, command.actor, "it lacks the assignee")
        return
    draft.problem.assignee = command.assignee
    draft.note("assign", command.actor, f"assigned to {command.assignee}", ProblemChange.UPDATED)


def _note(draft: ProblemDraft, command: ProblemCommand) -> None:
    if _has_text(draft, command):
        draft.note("note", command.actor, command.text or "", ProblemChange.UPDATED)


def _set_cause(draft: ProblemDraft, command: ProblemCommand) -> None:
    if _has_text(draft, command):
        draft.problem.cause = command.text
        draft.note("cause", command.actor, f"the cause{_said(command)}", ProblemChange.UPDATED)


def _set_workaround(draft: ProblemDraft, command: ProblemCommand) -> None:
    if _has_text(draft, command) and step(draft, "set_workaround", command.actor, f"workaround{_said(command)}"):
        draft.problem.workaround = command.text


def _add_action(draft: ProblemDraft, command: ProblemCommand) -> None:
    if not _has_text(draft, command):
        return
    if draft.problem.state not in OPEN_STATES:
        refuse(draft, command.type, command.actor, f"the problem is {draft.problem.state}: reopen it first")
        return
    due = command.due.isoformat() if command.due else None
    add_action(
        draft,
        TrackedAction(
            id=command.action_id or command.command_id, text=command.text or "", owner=command.assignee, due_date=due
        ),
        command.actor,
    )


def add_action(draft: ProblemDraft, action: TrackedAction, actor: str) -> None:
    """Take a corrective action in, or bring a known one up to date; done is done."""
    actions = draft.problem.actions
    known = next((each for each in actions if each.id == action.id), None)
    if known is None and len(actions) >= ACTIONS_MAX:
        refuse(draft, "add_action", actor, f"the problem has {ACTIONS_MAX} corrective actions already")
        return
    if known is None:
        actions.append(action)
        due = f", due {action.due_date}" if action.due_date else ""
        owner = f" by {action.owner}" if action.owner else ""
        draft.note("action", actor, f"corrective action{owner}{due}: {action.text}", ProblemChange.UPDATED)
    elif known.state == "open" and action.state != "open":
        known.state, known.done_by, known.done_at_ms = action.state, action.done_by or actor, draft.now_ms
        draft.note("action", actor, f"done: {known.text}", ProblemChange.ACTION_DONE, action_id=known.id)
    elif known.state == "open" and (known.owner, known.due_date) != (action.owner, action.due_date):
        known.owner, known.due_date, known.told_overdue = action.owner, action.due_date, False
        due = action.due_date or "without a day"
        draft.note(
            "action", actor, f"now by {action.owner or 'nobody'}, due {due}: {known.text}", ProblemChange.UPDATED
        )


def _complete_action(draft: ProblemDraft, command: ProblemCommand) -> None:
    ids = (command.action_id, f"{command.problem_id}/{command.action_id}")
    action = next((each for each in draft.problem.actions if each.id in ids), None)
    if action is None or action.state != "open":
        refuse(draft, command.type, command.actor, f"no open corrective action {command.action_id or 'is named'}")
        return
    action.state, action.done_by, action.done_at_ms = "done", command.actor, draft.now_ms
    draft.note(
        "action", command.actor, f"done: {action.text}{_said(command)}", ProblemChange.ACTION_DONE, action_id=action.id
    )


def _resolve(draft: ProblemDraft, command: ProblemCommand) -> None:
    if _has_text(draft, command) and step(draft, "resolve", command.actor, f"fixed{_said(command)}"):
        draft.problem.fix, draft.problem.resolved_at_ms = command.text, draft.now_ms


def _close(draft: ProblemDraft, command: ProblemCommand) -> None:
    left = [each.text for each in draft.problem.actions if each.state == "open"]
    if left:
        refuse(draft, command.type, command.actor, f"{len(left)} corrective actions are open: {'; '.join(left[:3])}")
        return
    if step(draft, "close", command.actor, f"closed by {command.actor}{_said(command)}"):
        draft.problem.closed_at_ms = draft.now_ms


def _reopen(draft: ProblemDraft, command: ProblemCommand) -> None:
    reopen(draft, command.actor, f"reopened by {command.actor}{_said(command)}")


def reopen(draft: ProblemDraft, actor: str, text: str) -> bool:
    """It is back, or was not gone: the fix is none."""
    if not step(draft, "reopen", actor, text):
        return False
    problem = draft.problem
    problem.reopened += 1
    problem.resolved_at_ms = problem.closed_at_ms = problem.fix = None
    return True


_HANDLERS: Final[dict[ProblemCommandType, Callable[[ProblemDraft, ProblemCommand], None]]] = {
    ProblemCommandType.ACCEPT: _accept,
    ProblemCommandType.REJECT: _reject,
    ProblemCommandType.ASSIGN: _assign,
    ProblemCommandType.NOTE: _note,
    ProblemCommandType.SET_CAUSE: _set_cause,
    ProblemCommandType.SET_WORKAROUND: _set_workaround,
    ProblemCommandType.ADD_ACTION: _add_action,
    ProblemCommandType.COMPLETE_ACTION: _complete_action,
    ProblemCommandType.RESOLVE: _resolve,
    ProblemCommandType.CLOSE: _close,
    ProblemCommandType.REOPEN: _reopen,
}

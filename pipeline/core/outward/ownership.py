"""Field ownership: what of the record there is ours to write now, and is not so there.

| owner          | written by us                        | taken from there                                       |
| -------------- | ------------------------------------ | ------------------------------------------------------ |
| `ours`         | always                               | nothing: ours is written back                          |
| `theirs`       | when the record is made              | everything                                             |
| `both`         | what was changed last                | what was changed later, and a person's over a machine's |
| `until_edited` | until a person has changed it there  | a person's change, and after it everything             |
"""

from __future__ import annotations

from typing import Final

from pipeline.core.draft import MACHINE
from pipeline.core.outward.outbox import Outbox
from pipeline.core.outward.sides import FIELDS, Sides
from pipeline.models.remote import ENDED, Remote, RemoteState
from pipeline.models.sinks import SinkRules
from pipeline.models.sinks.base import Owner, Owners, TwoWay

WORKING: Final = frozenset({RemoteState.ACKNOWLEDGED, RemoteState.IN_PROGRESS, RemoteState.WAITING})
"""Somebody there has it."""

_ONE_WAY: Final = Owners(state="ours", priority="ours", assignee="ours", title="ours", notes="ours")

HAND_BACK: Final = "unacknowledge"
"""Action of an entry: nobody has it any more. Of all that makes an incident wait for somebody here it alone says that
whoever works on it there does not."""


def owner_of(rules: SinkRules, name: str) -> Owner:
    """Who may write a field; where nothing comes back all is ours."""
    owners = rules.owners if isinstance(rules, TwoWay) else _ONE_WAY
    owner: Owner = getattr(owners, name)
    return owner


def known_of(remote: Remote, name: str) -> str | None:
    """The value of a field there, as far as is known."""
    known = remote.fields.get(name)
    return str(remote.state) if known is None and name == "state" else known


def wanted(rules: SinkRules, remote: Remote | None, sides: Sides, state: str | None) -> dict[str, str]:
    """Fields to be written: field -> value in our words.

    Args:
        rules: of the sink.
        remote: the record there; None: it is to be made, with all that we know.
        sides: what both did.
        state: the one that it should have after what is told now; None: it is not to be touched.
    """
    desired = {**sides.desired, "state": state or ""}
    if remote is None:
        return {name: desired[name] for name in FIELDS if desired.get(name)}
    found = {}
    for name in FIELDS:
        value = desired.get(name)
        known = _believed(rules, remote, sides, name, value or "")
        if value is None or (not value and (name != "assignee" or not known)):
            continue
        if _may_write(rules, sides, name, value) and not agrees(rules, sides, name, value, known):
            found[name] = value
    if "state" in found and _is_proposal(rules, remote, sides):
        del found["state"]
    return found


def under_way(rules: SinkRules | None, outbox: Outbox) -> dict[str, str]:
    """What an attempt that is under way, or whose outcome was lost, may be writing."""
    if rules is None or not outbox.queue:
        return {}
    return wanted(rules, outbox.remote, outbox.sides, outbox.head_state)


def proposes(rules: SinkRules, remote: Remote | None, sides: Sides) -> bool:
    """Whether to say there, once, that all is clear: a person works on it there, and closing it is his."""
    return remote is not None and _is_proposal(rules, remote, sides) and sides.proposed != sides.facts.get("reopened")


def agrees(rules: SinkRules, sides: Sides, name: str, value: str, known: str | None) -> bool:
    """Whether a value there is what ours says, as far as the downstream can say it."""
    if known is None:
        return False
    if rules.canonical(name, value) == known:
        return True
    if name != "state" or owner_of(rules, "state") == "ours":
        return False
    if value == RemoteState.RESOLVED:
        return known == RemoteState.CLOSED  # it goes further there than here, and ours follows
    if value == RemoteState.ACKNOWLEDGED:
        return known == RemoteState.IN_PROGRESS
    handed_back = "state" in sides.ours and sides.ours["state"].action == HAND_BACK
    return value == RemoteState.OPEN and known in WORKING and not handed_back


def _believed(rules: SinkRules, remote: Remote, sides: Sides, name: str, value: str) -> str | None:
    """The value there: of a field that was another one here meanwhile, that one, as an attempt may have written it."""
    known = known_of(remote, name)
    if (not value and name != "assignee") or (known or "") != rules.canonical(name, value):
        return known
    return next((each for each in sides.asked.get(name, ()) if rules.canonical(name, each) != (known or "")), known)


def _may_write(rules: SinkRules, sides: Sides, name: str, value: str) -> bool:
    owner = owner_of(rules, name)
    if owner == "theirs" or name in sides.contested or name in sides.yields:
        return False
    if name == "state" and (sides.final or rules.STATE_BY_MESSAGES):
        return sides.final
    return owner != "until_edited" or name not in sides.edited or sides.edited[name] == value


def _is_proposal(rules: SinkRules, remote: Remote, sides: Sides) -> bool:
    if not isinstance(rules, TwoWay) or rules.on_all_clear != "propose" or not sides.person_there:
        return False
    if owner_of(rules, "state") == "ours":
        return False
    by_itself = sides.state == "resolved" and sides.facts.get("resolved_by") in (None, MACHINE)
    return by_itself and remote.state not in ENDED

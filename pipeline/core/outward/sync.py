"""Sync: what comes back from a downstream, and whether it is taken.

Ours is the record that both sides agree on. What is theirs to change becomes a command, and until its answer is on the
record the field there is left alone. What is not is written back, by the outbox, some times an hour at most.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pipeline.core.outward.asking import LINK_KINDS, Asking
from pipeline.core.outward.outbox import Outbox
from pipeline.core.outward.outcome import Outcome
from pipeline.core.outward.ownership import WORKING, agrees, known_of, owner_of, under_way
from pipeline.core.outward.sides import (
    FIELDS,
    MINUTE_MS,
    NOTES_REMEMBERED_MAX,
    UPDATES_REMEMBERED_MAX,
    WRITTEN_REMEMBERED_MAX,
    taken_mark,
)
from pipeline.models.command import CommandType
from pipeline.models.delivery import UpdateReason as Why
from pipeline.models.remote import Remote, RemoteState, SinkUpdate, UpdateKind
from pipeline.models.sinks.base import SinkRules, TwoWay

LOOKED_AFTER_MS: Final = MINUTE_MS
"""What was looked up so long after we wrote is what it is there, whatever its clock says."""

LINKS_REMEMBERED_MAX: Final = 50
"""Records that hang on it there: as many as an incident has links."""

TAKEN_REMEMBERED_MAX: Final = 50
"""Changes there whose entries on the timeline are still to come."""


class Sync:
    """One update, taken into one outbox.

    Attributes:
        reasons: what it says -> what became of that.
        asking: the commands that it became.
    """

    def __init__(self, rules: TwoWay, outbox: Outbox, update: SinkUpdate, now_ms: int) -> None:
        self._rules = rules
        self._outbox = outbox
        self._sides = outbox.sides
        self._update = update
        self._now_ms = now_ms
        self._at_ms = max(0, min(int(update.at.timestamp() * 1_000), now_ms))
        self.reasons: dict[str, Why] = {}
        self.asking = Asking(update, outbox.sides, self._at_ms)
        self.changed_state = False

    def take(self) -> None:
        """Take it: fields, then notes, links and the merge."""
        update = self._update
        again = update.update_id in self._sides.updates
        if again and update.kind != UpdateKind.READ:
            self.reasons["update"] = Why.DUPLICATE
            return
        if not again:
            self._sides.updates = [*self._sides.updates, update.update_id][-UPDATES_REMEMBERED_MAX:]
        remote = self._outbox.remote
        if remote is not None and update.remote_id and remote.id != update.remote_id:
            self.reasons["update"] = Why.OTHER_RECORD
            return
        if update.own and update.kind != UpdateKind.READ:
            self.reasons["update"] = Why.OWN
            self._hear_ourselves()
            return
        self._meet()
        for name in FIELDS:
            value = getattr(update.fields, name)
            if value is not None:
                self.reasons[name] = self._field(name, str(value))
        if not again:  # what is looked up again is compared again, since we may have written meanwhile
            self._take_words()
        if self.asking.commands:
            self._remember(self.asking.author)
        if not self.reasons:
            self.reasons["update"] = Why.SAME

    def _hear_ourselves(self) -> None:
        """What we wrote after the last that we heard of is what is there, whichever of both came first to us.

        Their clock is compared with itself, so it may be wrong. Where it says the same of both, ours counts as the
        later: what is over there and taken for open is closed once more, what is open and taken for over would stay so.
        """
        remote, said_ms = self._outbox.remote, int(self._update.at.timestamp() * 1_000)
        for name in FIELDS:
            said = getattr(self._update.fields, name)
            if remote is None or said is None or said_ms < self._sides.said_ms.get(name, said_ms + 1):
                continue
            if self._counts_less(name):
                continue
            value = self._rules.canonical(name, str(said))
            if value != known_of(remote, name):
                self._know(remote, name, value)
                remote = self._outbox.remote

    def _meet(self) -> None:
        """A record that we did not know of: what became of its making was never said."""
        update, outbox = self._update, self._outbox
        if outbox.remote is None and update.remote_id and update.remote_id not in self._sides.gone:
            outbox.remote = Remote(id=update.remote_id, key=update.remote_key, url=update.remote_url)
            outbox.may_exist = False

    def _remember(self, author: str) -> None:
        mark = taken_mark(author, self.asking.at_ms)
        if mark not in self._sides.taken:
            self._sides.taken = [*self._sides.taken, mark][-TAKEN_REMEMBERED_MAX:]

    # -- fields

    def _field(self, name: str, said: str) -> Why:
        rules, sides, remote, update = self._rules, self._sides, self._outbox.remote, self._update
        value = rules.canonical(name, said)
        known = known_of(remote, name) if remote is not None else None
        if self._is_late(name):
            return Why.LATE
        written_ms = sides.written_ms.get(name, 0)
        overwritten = self._at_ms < written_ms and not self._looked_after(written_ms)
        if overwritten and (value == known or value in sides.wrote.get(name, ())):
            return Why.SAME if value == known else Why.LATE
        if value == known:
            self._heard(name)  # what was before it and comes after it is late
            return Why.SAME
        if remote is not None and not overwritten:
            self._know(remote, name, value)
        if update.own and (update.kind != UpdateKind.READ or self._was_ours(name, value)):
            return Why.OWN  # of what was looked up only the last author is known, and not of which field
        return self._owned(name, value, said)

    def _is_late(self, name: str) -> bool:
        """Whether something later was heard of the field; of what their clock calls one moment their count tells."""
        heard_ms = self._sides.heard_ms.get(name, 0)
        return self._at_ms < heard_ms or (self._at_ms == heard_ms and self._counts_less(name))

    def _counts_less(self, name: str) -> bool:
        version, counted = self._update.version, self._sides.heard_version.get(name)
        return version is not None and counted is not None and version < counted

    def _heard(self, name: str) -> None:
        self._sides.heard_ms[name] = self._at_ms
        self._sides.heard_version.pop(name, None)
        if self._update.version is not None:
            self._sides.heard_version[name] = self._update.version

    def _was_ours(self, name: str, value: str) -> bool:
        asked = {
            self._rules.canonical(name, each) for each in self._sides.asked.get(name, ()) if each or name != "state"
        }
        return value in self._sides.wrote.get(name, ()) or value in asked

    def _looked_after(self, written_ms: int) -> bool:
        return self._update.kind == UpdateKind.READ and self._now_ms > written_ms + LOOKED_AFTER_MS

    def _know(self, remote: Remote, name: str, value: str) -> None:
        state = value if name == "state" else remote.state
        asked = under_way(self._rules, self._outbox)
        self._sides.doubt({name: asked[name]} if name in asked else {})
        # Another one: an attempt that is on its way holds this one.
        self._outbox.remote = replace(remote, fields={**remote.fields, name: value}, state=state)
        self._heard(name)
        self._sides.heard_in[name] = self._outbox.turn
        self._sides.said_ms[name] = int(self._update.at.timestamp() * 1_000)
        self.changed_state = self.changed_state or name == "state"

    def _owned(self, name: str, value: str, said: str) -> Why:
        """Whose field it is decides what becomes of a change there."""
        sides, update, rules = self._sides, self._update, self._rules
        self._who_works(name, value)
        ours = sides.desired.get(name, "")
        if (ours or name == "assignee") and rules.canonical(name, ours) == value:
            sides.yields.pop(name, None)
            return Why.AGREES
        owner = owner_of(rules, name)
        if owner == "ours" or (owner == "until_edited" and not update.person and name not in sides.edited):
            return self._write_back(name)
        if sides.final:
            return Why.INCIDENT_ENDED
        if owner == "both" and self._ours_wins(name):
            return Why.OURS_IS_NEWER
        return self._ask(name, value, said, owner == "until_edited")

    def _write_back(self, name: str) -> Why:
        return Why.CONTESTED if name in self._sides.contested else Why.OURS

    def _who_works(self, name: str, value: str) -> None:
        if self._update.person and (name == "state" or (name == "assignee" and value)):
            self._sides.person_there = name == "assignee" or value in WORKING

    def _ours_wins(self, name: str) -> bool:
        """Of what both may write the later change stands, and a person's against a machine's."""
        ours = self._sides.ours.get(name)
        if ours is None or self._update.person != ours.person:
            return ours is not None and ours.person
        return ours.at_ms > self._at_ms

    def _ask(self, name: str, value: str, said: str, ends_with_edit: bool) -> Why:  # one caller, above
        sides, rules = self._sides, self._rules
        closed_is_resolved = rules.canonical("state", RemoteState.RESOLVED) == RemoteState.CLOSED
        asked = self.asking.field(name, said, ended_as_resolved=closed_is_resolved)
        if ends_with_edit:
            sides.edited[name] = said
        sides.contested.pop(name, None)
        sides.let_be(name, asked, self._now_ms)
        if asked or agrees(rules, sides, name, sides.desired.get(name, ""), value):
            return Why.TAKEN if asked else Why.AGREES
        return Why.NO_COMMAND

    # -- words, links, merges

    def _take_words(self) -> None:
        update, sides = self._update, self._sides
        for note in update.notes:
            if note.id in sides.notes or (update.own and note.author in ("", *self._rules.own_users)):
                continue
            sides.notes = [*sides.notes, note.id][-NOTES_REMEMBERED_MAX:]
            self.reasons["note"] = self._note_reason()
            if self.reasons["note"] == Why.TAKEN and note.text:
                author = note.author or None
                self.asking.add(CommandType.NOTE, f"note/{note.id}", author, note=note.text)
                self._remember(author or self.asking.author)
        for link in update.links:
            self._take_link(f"{LINK_KINDS.get(link.kind, link.kind)}/{link.id}", link.state or "", link)
        into = update.duplicate_of
        if into and into != update.incident_id and not update.own:
            self.reasons["merge"] = Why.INCIDENT_ENDED if sides.final else Why.TAKEN
            if not sides.final:
                self.asking.add(CommandType.MERGE, into=into)
        self._take_resolution()

    def _note_reason(self) -> Why:
        if self._rules.owners.notes == "ours":
            return Why.STAYS_THERE
        return Why.INCIDENT_ENDED if self._sides.final else Why.TAKEN

    def _take_link(self, name: str, state: str, link: object) -> None:
        links = self._sides.links
        if links.get(name) == state or (name not in links and len(links) >= LINKS_REMEMBERED_MAX):
            return
        if self._sides.state in ("closed", "cancelled"):
            self.reasons["link"] = Why.INCIDENT_ENDED
            return
        links[name] = state
        self.reasons["link"] = Why.TAKEN
        self.asking.link(link)  # type: ignore[arg-type]

    def _take_resolution(self) -> None:
        """Words for how it ended, of what the alerts had ended by themselves."""
        update, sides = self._update, self._sides
        if update.own or not update.resolution or sides.state != "resolved":
            return
        by_itself = sides.facts.get("resolved_by") in (None, "spillway")
        resolves = any(each.type == CommandType.RESOLVE for each in self.asking.commands)
        if by_itself and not resolves and self._outbox.remote is not None and self._outbox.remote.ended:
            self.reasons["resolution"] = Why.TAKEN
            self.asking.resolve()


def learn(rules: SinkRules | None, outbox: Outbox, answer: Outcome, said: Remote, at_ms: int) -> bool:
    """Take in what an attempt told of the record there; False: it is one that is gone.

    Of fields only what we wrote is taken in. What the attempt read beside it is another's change, and comes as an
    update, which would be no change by then.
    """
    sides, known = outbox.sides, outbox.remote
    if said.id in sides.gone:
        return False
    if known is None or known.id != said.id:
        for name in said.fields:
            sides.written_ms[name] = at_ms
        outbox.remote, outbox.may_exist = said, False
        return True
    fields = dict(known.fields)
    for name, value in {**_emptied(answer), **said.fields}.items():
        if not _is_written(rules, outbox, answer, name, value):
            continue
        if fields.get(name) != value:
            wrote = [*sides.wrote.get(name, ()), *([fields[name]] if name in fields else ())]
            sides.wrote[name] = wrote[-WRITTEN_REMEMBERED_MAX:]
            sides.written_ms[name] = at_ms
        sides.said_ms.pop(name, None)
        fields[name] = value
    state = fields.get("state", said.state) if "state" in said.fields else said.state
    outbox.remote = Remote(
        id=said.id, key=said.key, url=said.url, state=RemoteState(state), fields=fields, extra=said.extra
    )
    return True


def _emptied(answer: Outcome) -> dict[str, str]:
    """What the attempt was to make empty: a sink may leave out what is empty there."""
    return {name: value for name, value in (answer.wanted or {}).items() if not value}


def _is_written(rules: SinkRules | None, outbox: Outbox, answer: Outcome, name: str, value: str) -> bool:
    """Whether a value is there because the attempt wrote it. What it was not to write it may only repeat."""
    sides, wanted = outbox.sides, answer.wanted
    if wanted is not None and name in wanted:
        return value == _canonical(rules, name, wanted[name])
    if wanted is not None and sides.heard_in.get(name) == answer.turn:
        return False
    waits = [each.state for each in outbox.queue] if name == "state" else []
    ours = [sides.desired.get(name), *waits, *sides.asked.get(name, ())]
    return value in {
        _canonical(rules, name, each) for each in ours if each or (each is not None and name == "assignee")
    }


def _canonical(rules: SinkRules | None, name: str, value: str) -> str:
    return value if rules is None else rules.canonical(name, value)

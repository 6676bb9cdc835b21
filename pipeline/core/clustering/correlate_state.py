"""What correlate keeps of one partition, and how it is published: book, changes, who waits, habits; records of all.

`pipeline.core.clustering.correlate` decides.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Final, NamedTuple

import orjson

from pipeline.core.alerts.maintenance import MaintenanceIndex
from pipeline.core.alerts.own_alerts import carried_probe, probe_tick
from pipeline.core.clustering.assessor import Assessor
from pipeline.core.clustering.book import Book
from pipeline.core.clustering.case import Counted
from pipeline.core.clustering.changes import ChangeLog
from pipeline.core.clustering.correlation_rules import CorrelationRules
from pipeline.core.clustering.habits import Habits
from pipeline.core.clustering.holding import Holding
from pipeline.core.clustering.inhibition import Inhibitor
from pipeline.core.clustering.late import UNDER_WAY_MS, Late
from pipeline.core.clustering.matcher import Matcher
from pipeline.core.clustering.ruling import Ruling
from pipeline.core.clustering.silences import Silences
from pipeline.core.clustering.suppressed import SuppressedBook
from pipeline.core.communication import communicate
from pipeline.core.draft import Draft
from pipeline.core.escalation import watching
from pipeline.core.practice import deadlines
from pipeline.core.practice.desk import Desk
from pipeline.core.practice.lifecycle import ENDED_STATES, OPEN_STATES
from pipeline.core.press import Press
from pipeline.core.step import Effects, Output, Processor, Record
from pipeline.core.topology import Topology
from pipeline.models.incident import Incident, incident_from_wire
from pipeline.models.summary import summary_dated
from pipeline.models.wire import to_json

INCIDENT: Final = "i/"
MEMBER: Final = "m/"
SUPPRESSED: Final = "s/"
"""Episodes that are suppressed; as a deadline: the reason of one is looked at again."""

CHANGE: Final = "c/"
GROUP: Final = "g/"
"""Groups of correlation rules; as a deadline: the window of one may have ended."""

ORDER: Final = "o/joined"
LATE: Final = "u/"
"""Alerts of open members that no entity was found for; as a deadline: they are to be enriched again."""

HELD: Final = "h/"
"""Episodes in the waiting room; as a deadline: the time of one is up."""

HABIT: Final = "k/"
"""Habits of conditions and rules."""

LOOK: Final = "r/"
"""Episodes that are to be weighed again; as a deadline: when."""

PACK: Final = "p/"
"""Policy packs that open incidents go by."""

SILENCE: Final = "q/"
"""Silences; as a deadline: the time of one is up."""

MUTING: Final = "w/"
"""As a deadline: incidents are weighed again, whether they are muted. It has no record."""

SOURCE: Final = "n/"
"""Episodes that inhibit others."""

LATE_TIMES: Final = "o/late"
"""Until when alerts may come that were enriched under the version before, and when those kept are looked at next."""

CASE_SCHEMA: Final = 2
"""Of the state record of an incident: the incident and what the bridge was told of it."""


class Look(NamedTuple):
    """A second look at an episode.

    Attributes:
        due_ms: stream time.
        incident_id: where the episode was put; where it is elsewhere by then, somebody decided so.
    """

    due_ms: int
    incident_id: str


class CorrelateState(Processor):
    """The state of correlate."""

    def __init__(
        self,
        desk: Desk,
        topology: Topology,
        resolve: Callable[[str], str | None],
        rules: CorrelationRules | None = None,
    ) -> None:
        super().__init__()
        desk = desk.of_partition()
        self._desk = desk
        self._topology = topology
        self._book = Book(topology)
        self._matcher = Matcher(desk, self._book)
        self._maintenance = MaintenanceIndex(desk.config.maintenance, topology)
        self._changes = ChangeLog(resolve)
        self._assessor = Assessor(desk, topology)
        self._press = Press()
        self._suppressed = SuppressedBook()
        self._silences = Silences(topology, resolve, desk.config.correlation.silence_days_max)
        self._inhibitor = Inhibitor(desk.config.correlation.inhibit, resolve, topology)
        self._muted: set[str] = set()
        self._ruling = Ruling(rules or CorrelationRules({}, resolve), topology)
        self._holding = Holding(desk, topology, self._ruling.marks)
        self._habits = Habits()
        self._late = Late()
        self._fresh_until_ms = 0
        self._late_due_ms: int | None = None
        self._drafts: dict[str, Draft] = {}
        self._looks: dict[str, Look] = {}
        self._open_incidents: dict[Counted, int] = {}
        self._received_at_ms = 0
        self._event_at_ms: int | None = None
        self._dumps: dict[str, Callable[[str], bytes | None]] = {
            MEMBER: self._book.record,
            INCIDENT: self._dump_incident,
            SUPPRESSED: self._suppressed.dump,
            SILENCE: self._silences.dump,
            SOURCE: self._inhibitor.dump,
            HELD: self._holding.dump,
            HABIT: self._habits.dump,
            LATE: self._late.dump,
            GROUP: self._ruling.dump,
            LOOK: self._dump_look,
            PACK: desk.shelf.dump,
        }
        self._loaded: list[Incident] = []
        self._loads: dict[str, Callable[[str, bytes], None]] = {
            MEMBER: self._book.load_member,
            INCIDENT: self._load_incident,
            SUPPRESSED: self._load_suppressed,
            SILENCE: self._load_silence,
            SOURCE: self._load_source,
            HELD: self._load_held,
            HABIT: self._habits.load,
            LATE: self._late.load,
            GROUP: self._ruling.load,
            LOOK: self._load_look,
            PACK: desk.shelf.load,
        }

    def load(self, key: str, value: bytes) -> None:
        """Take one state record back."""
        load = self._loads.get(key[:2])
        if load is not None:
            load(key[2:], value)
        elif key == ORDER:
            self._book.joined = int(value)
        elif key == LATE_TIMES:
            self._fresh_until_ms, self._late_due_ms = orjson.loads(value)
        else:
            self._changes.load(value)

    def _load_look(self, name: str, value: bytes) -> None:
        self._looks[name] = look = Look(*orjson.loads(value))
        self.timers.set(LOOK + name, look.due_ms)

    def _load_suppressed(self, name: str, value: bytes) -> None:
        self.timers.set(SUPPRESSED + name, self._suppressed.load(value).due_ms)

    def _load_silence(self, name: str, value: bytes) -> None:
        self.timers.set(SILENCE + name, self._silences.load(value).until_ms)

    def _load_held(self, _: str, value: bytes) -> None:
        self._holding.load(value)

    def _load_incident(self, _name: str, value: bytes) -> None:
        """Raises ValueError for a schema version that this release does not read."""
        document = orjson.loads(value)
        if document["schema"] != CASE_SCHEMA:
            raise ValueError(f"case schema {document['schema']!r}, this release reads {CASE_SCHEMA}")
        incident = incident_from_wire(document["incident"])
        case = self._book.open_incident(incident, document["told"])
        case.counted = self._count(None, incident)
        case.pack, _packs = self._desk.keep(None, incident)
        self._loaded.append(incident)  # when it is due follows from its pack, which may come later
        if incident.muted is not None:
            self._muted.add(incident.id)

    def _load_source(self, name: str, value: bytes) -> None:
        self._inhibitor.load(value)
        if self._inhibitor.dump(name) is None:  # no rule asks for it any more
            self.touch(SOURCE + name)

    def dump(self, key: str) -> bytes | None:
        """The state record of a key; None where it is gone."""
        dump = self._dumps.get(key[:2])
        if dump is not None:
            return dump(key[2:])
        if key == LATE_TIMES:
            return to_json((self._fresh_until_ms, self._late_due_ms))
        return b"%d" % self._book.joined if key == ORDER else self._changes.dump(key[2:])

    def _dump_look(self, name: str) -> bytes | None:
        found = self._looks.get(name)
        return None if found is None else to_json(list(found))

    def _dump_incident(self, name: str) -> bytes | None:
        snapshot, told = self._press.take_snapshot(name), self._book.told(name)
        if told is None:
            return None
        if snapshot is None:
            snapshot = to_json(self._book.case(name).incident)
        case = (CASE_SCHEMA, told.encode(), snapshot)  # what was told is a digest, of hexadecimal digits
        return b'{"schema":%d,"told":"%b","incident":%b}' % case

    def on_tick(self, record: Record, effects: Effects) -> None:
        """Carry a probe on: once this batch is committed, somebody waits to see it."""
        if (probe := carried_probe(record)) is not None:
            effects.outputs.append(probe_tick("incidents.summaries", probe, self.clock_ms))

    def restored(self) -> None:
        """Enter the members and set the deadlines of changes again."""
        for stamp in self._desk.shelf.restored():
            self.touch(PACK + stamp)
        for incident in self._loaded:
            self.timers.set(INCIDENT + incident.id, deadlines.deadline_ms(self._desk, incident))
        self._loaded.clear()
        self._book.restored()
        self._late.restored()
        self._habits.restored()
        for episode_id, until_ms in self._holding.restored().items():
            self.timers.set(HELD + episode_id, until_ms)
        version = self._desk.config.version
        if self.decided_by not in (None, version):
            self._fresh_until_ms = self.clock_ms + UNDER_WAY_MS
            self.touch(LATE_TIMES)
            if next(self._late.unexamined(version), None) is not None:
                self._plan_late(self.clock_ms)
        self.timers.set(LATE, self._late_due_ms)
        for group, end_ms in self._ruling.deadlines():
            self.timers.set(GROUP + group, end_ms)
        for change_id, due_ms in self._changes.deadlines(self.clock_ms):
            self.timers.set(CHANGE + change_id, due_ms)

    def gauges(self) -> dict[str, dict[str, float]]:
        """Open incidents by priority and by their clocks, episodes that wait, and how much is kept, for metrics."""
        opened: dict[str, float] = {}
        at_risk, breached = dict(opened), dict(opened)
        for counted, count in self._open_incidents.items():
            for figure, counts in ((opened, True), (at_risk, counted.at_risk), (breached, counted.breached)):
                if counts:
                    figure[counted.priority] = figure.get(counted.priority, 0.0) + count
        return {
            "held_episodes": {"": float(len(self._holding))},
            "open_incidents": opened,
            "incidents_sla_at_risk": at_risk,
            "incidents_sla_breached": breached,
            "suppressed_episodes": {reason: float(count) for reason, count in self._suppressed.counts().items()},
            "muted_incidents": {"": float(len(self._muted))},
            "state_entries": {name: float(count) for name, count in self._book.sizes().items()},
        }

    def finish(self, effects: Effects) -> None:
        """Write the compacted twins; fold what nothing has touched for a while."""
        self._press.finish(effects)
        self._book.fold(self.clock_ms)
        self._holding.fold(self.clock_ms)

    # -- for the decisions

    def _draft(self, incident: Incident) -> Draft:
        """The draft of an incident that the record changes."""
        draft = self._drafts.get(incident.id)
        if draft is None:
            draft = self._drafts[incident.id] = Draft(
                incident, self.clock_ms, received_at_ms=self._received_at_ms, event_at_ms=self._event_at_ms
            )
        return draft

    def _forget_empty(self, draft: Draft) -> None:
        """Nothing was done to the incident, so there is no revision; what else the record did to it stays."""
        if not draft.entries:
            del self._drafts[draft.incident.id]

    def _publish(self, effects: Effects) -> None:
        """Write one revision of each incident that the record changed, oldest draft first."""
        for draft in self._drafts.values():
            incident = draft.incident
            watching.watch(self._desk, draft)
            communicate.keep(self._desk, draft)
            incident.priority_rank = self._desk.policy(incident).rank(incident.priority)
            self._press.publish(draft, effects)
            self._published(draft, effects)
            self._tell_bridge(draft, effects)
            key = INCIDENT + incident.id
            self.touch(key)
            self.timers.set(key, deadlines.deadline_ms(self._desk, incident))
            case = self._book.case(incident.id)
            case.counted = self._count(case.counted, incident)
            case.pack, packs = self._desk.keep(case.pack, incident)
            for stamp in packs:
                self.touch(PACK + stamp)
            if incident.state in ENDED_STATES:
                self._ended(incident)
                self._muted.discard(incident.id)
                for episode_id in self._book.forget(incident.id):
                    self.touch(MEMBER + episode_id)
                    self._forget_late(episode_id)
        self._drafts.clear()

    def _published(self, draft: Draft, effects: Effects) -> None:
        """A revision is written: what else is to be written of it."""

    def _ended(self, incident: Incident) -> None:
        """An incident is over, and its members are about to be forgotten."""

    def _plan_late(self, due_ms: int | None) -> None:
        """Look at kept alerts at this moment, or earlier where that is planned already; None: it was done."""
        if due_ms is None or self._late_due_ms is None or due_ms < self._late_due_ms:
            self._late_due_ms = due_ms
            self.timers.set(LATE, due_ms)
            self.touch(LATE_TIMES)

    def _forget_late(self, episode_id: str) -> None:
        if self._late.forget(episode_id):
            self.touch(LATE + episode_id)

    def _tell_bridge(self, draft: Draft, effects: Effects) -> None:
        """Send the bridge a summary, where anything that it goes by is new since the last one."""
        case = self._book.case(draft.incident.id)
        summary = self._assessor.summary(draft, self._book.tally(draft.incident.id))
        content = to_json(summary)
        told = blake2b(content, digest_size=8).hexdigest()
        if told == case.told:
            return
        case.told = told
        dated = summary_dated(content, draft.incident.revision, draft.now_ms, draft.received_at_ms)
        effects.outputs.append(Output("incidents.summaries", draft.incident.id.encode(), dated, self.clock_ms))

    def _count(self, before: Counted | None, incident: Incident) -> Counted | None:
        """Count an incident while it is open, instead of what it counted as before. Answers what it counts as now."""
        now = Counted.of(incident) if incident.state in OPEN_STATES else None
        if now != before:
            counts = self._open_incidents
            if now is not None:
                counts[now] = counts.get(now, 0) + 1
            if before is not None:
                counts[before] -= 1
                if not counts[before]:
                    del counts[before]
        return now

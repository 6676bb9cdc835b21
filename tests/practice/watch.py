"""What always holds of incidents and bridge incidents: each revision is held against the one before."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.core.chain import content_of, seal
from pipeline.core.communication.communicate import LAST_WORDS
from pipeline.core.practice.lifecycle import ANSWERED_STATES, ENDED_STATES, OPEN_STATES, TRANSITIONS, UNANSWERED_STATES
from pipeline.models.incident import IncidentKind
from pipeline.models.major import MajorIncidentPhase

Snapshot = dict[str, Any]

OUTSIDE_THE_PATH: Final = ("suspect:", "route:", "manager", "by-hand")
"""Parts of the ids of steps that are called for though somebody has it."""

NOTHING: Final[Snapshot] = {
    "revision": 0,
    "state": "detected",
    "clocks": {},
    "chain": "",
    "updated_at_ms": 0,
    "muted": None,
}


@dataclass(slots=True)
class Told:
    """What an audience at one place has heard last of an incident."""

    state: str
    at_ms: int


@dataclass(slots=True)
class Watch:
    """All that was published so far, as far as it says what may come next.

    Attributes:
        known: the newest snapshot of each incident, by id.
        told: incident -> audience and place -> what it heard last.
        episodes: incident -> episodes that are in it.
    """

    known: dict[str, Snapshot] = field(default_factory=dict)
    told: dict[str, dict[tuple[str, str], Told]] = field(default_factory=lambda: defaultdict(dict))
    episodes: dict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    _calls: set[tuple[str, str]] = field(default_factory=set)
    _said_of_clocks: set[tuple[Any, ...]] = field(default_factory=set)
    _periods: dict[tuple[str, str], int] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)

    def follow(self, event: Snapshot) -> None:
        """Take a revision in."""
        name, incident = event["incident_id"], event["incident"]
        before = self.known.get(name, NOTHING)
        self._audit(before, event)
        self._life(before, event)
        self._clocks(name, before, event)
        self._calls_of(before, event)
        self._words(name, before, event)
        members = self.episodes[name]
        for each in event["left"]:
            members.pop(each, None)
        members.update(dict.fromkeys(event["joined"]))
        self.known[name] = incident
        self.changed.add(name)

    def open(self) -> list[Snapshot]:
        """Incidents and bridge incidents that have not ended."""
        return [each for each in self.known.values() if each["state"] not in ENDED_STATES]

    # -- one revision after another

    def _audit(self, before: Snapshot, event: Snapshot) -> None:
        assert event["revision"] == event["incident"]["revision"] == before["revision"] + 1
        assert event["chain_before"] == before["chain"], "the seal before is that of the revision before"
        content = content_of(event["incident_id"], event["revision"], event["change"], event["at_ms"], event["entries"])
        assert seal(before["chain"], content) == event["incident"]["chain"]
        assert event["at_ms"] >= before["updated_at_ms"], "the timeline goes back"
        times = [before["updated_at_ms"], *(each["at_ms"] for each in event["entries"])]
        assert times == sorted(times), "the timeline goes back"

    def _life(self, before: Snapshot, event: Snapshot) -> None:
        assert before["state"] not in ENDED_STATES, f"{event['incident_id']}: what has ended stays ended"
        state = before["state"]
        for entry in event["entries"]:
            was, became = (entry["changed"] or {}).get("state", (state, state))
            assert was == state
            steps = {TRANSITIONS[each] for each in TRANSITIONS if each[0] == was}
            assert was == became or became in steps, f"{was} -> {became} is not in the table"
            state = became
        incident = event["incident"]
        assert state == incident["state"]
        age_ms = incident["state_since_ms"] - incident["detected_at_ms"]
        assert incident["state_since_ms"] == 0 or sum(incident["time_in"].values()) == age_ms

    def _clocks(self, name: str, before: Snapshot, event: Snapshot) -> None:
        came_back = any(
            (entry["changed"] or {}).get("state", ("", ""))[1] in UNANSWERED_STATES for entry in event["entries"]
        )
        adopted = any(each["action"] == "adopt_policy" for each in event["entries"])
        for clock, now in event["incident"]["clocks"].items():
            was = before["clocks"].get(clock)
            if was is None:
                continue
            if (was["target_ms"], was["started_at_ms"]) != (now["target_ms"], now["started_at_ms"]):
                self._periods[name, clock] = self._periods.get((name, clock), 0) + 1
            if was["started_at_ms"] != now["started_at_ms"]:
                continue
            assert now["elapsed_ms"] >= was["elapsed_ms"], f"{clock} runs backwards"
            assert (now["running_since_ms"] or 1 << 62) >= (was["running_since_ms"] or 0)
            assert was["breached_at_ms"] == now["breached_at_ms"] or was["breached_at_ms"] is None
            if was["met_at_ms"] is not None and not (came_back or adopted or clock == "update"):
                assert now["met_at_ms"] is not None or event["incident"]["mitigated_at_ms"] is None, f"{clock} was met"
        for entry in event["entries"]:
            if entry["action"] in {"sla_breached", "sla_warning"}:
                clock = entry["facts"]["clock"]
                now = event["incident"]["clocks"][clock]
                what: tuple[Any, ...] = (
                    name,
                    entry["action"],
                    clock,
                    entry["facts"].get("share"),
                    self._periods.get((name, clock)),
                )
                if (name, clock) in self._periods and entry["action"] == "sla_breached" and clock != "update":
                    what = (name, "sla_breached", clock)  # whatever its target is: missed is missed
                assert what not in self._said_of_clocks, f"{what} is told twice"
                self._said_of_clocks.add(what)

    def _calls_of(self, before: Snapshot, event: Snapshot) -> None:
        state = before["state"]
        muted = before["muted"] is not None and event["incident"]["muted"] is not None
        for entry in event["entries"]:
            state = (entry["changed"] or {}).get("state", (state, state))[1]
            if entry["action"] != "page":
                continue
            step = entry["facts"]["step"]
            assert (entry["facts"]["person"], step) not in self._calls, (
                f"{entry['facts']['person']} called twice: {step}"
            )
            self._calls.add((entry["facts"]["person"], step))
            assert not muted, "somebody is called for what is muted"
            beside = any(each in step for each in OUTSIDE_THE_PATH)
            assert beside or state not in ANSWERED_STATES, f"{step}: called though it is {state}"
            assert state in OPEN_STATES, f"{step}: called though it is {state}"

    def _words(self, name: str, before: Snapshot, event: Snapshot) -> None:
        told = self.told[name]
        state = before["state"]
        for entry in event["entries"]:
            state = (entry["changed"] or {}).get("state", (state, state))[1]
            if entry["action"] != "communication":
                continue
            facts = entry["facts"]
            place = (facts["audience"], facts["page"])
            if entry["actor"] == "spillway" and state not in OPEN_STATES:
                assert facts["state"] in LAST_WORDS, f"{facts['state']} is told of what is {state}"
                last = told.get(place)
                assert last is None or last.state not in LAST_WORDS or facts["state"] != last.state, "told twice"
            told[place] = Told(facts["state"], event["at_ms"])

    # -- after everything has settled

    def settled(self, now_ms: int) -> None:
        """What holds when everything that a record leads to has been handled, and all that was due is done."""
        for name in self.changed:
            incident = self.known[name]
            self._ends_are_told(incident)
            self._nothing_is_left_behind(incident)
        self.changed.clear()
        for incident in self.open():
            if incident["state"] in OPEN_STATES:
                self._is_attended_to(incident, now_ms)
        self._bridges()

    def _ends_are_told(self, incident: Snapshot) -> None:
        if incident["state"] in OPEN_STATES:
            return
        drafts = {(each["audience"], each["page"]) for each in incident["communications"] if each["status"] == "draft"}
        for place, last in self.told[incident["id"]].items():
            assert last.state in LAST_WORDS or place in drafts, (
                f"{incident['id']} is {incident['state']}, and {place} was told {last.state} last"
            )
        for stream in incident["streams"].values():
            assert stream["next_update_ms"] is None, "a message is promised of what is over"

    def _nothing_is_left_behind(self, incident: Snapshot) -> None:
        if incident["state"] in OPEN_STATES:
            return
        escalation = incident["escalation"]
        assert (escalation["next_at_ms"], escalation["stalls_at_ms"]) == (None, None), "somebody will be called"
        assert all(each["ended_ms"] is not None for each in incident["engaged"]), "somebody is engaged still"
        if incident["state"] != "merged":
            assert all(each["state"] == "resolved" for each in incident["tickets"]), "a ticket was not told"
        assert not incident["waiting"]
        assert all(each["running_since_ms"] is None for each in incident["clocks"].values()), "a clock runs on"

    def _is_attended_to(self, incident: Snapshot, now_ms: int) -> None:
        name = incident["id"]
        for word, clock in incident["clocks"].items():
            if clock["running_since_ms"] is not None and clock["breached_at_ms"] is None:
                assert (clock["due_at_ms"] or 0) > now_ms, f"{name}: {word} is due and silent"
                assert clock["warn_at_ms"] is None or clock["warn_at_ms"] > now_ms, f"{name}: a warning is due"
        for stream in incident["streams"].values():
            due_ms = stream["next_update_ms"]
            assert due_ms is None or due_ms > now_ms, f"{name}: an update that was promised is late"
        for what in ("next_at_ms", "stalls_at_ms", "hand_back_at_ms"):
            due_ms = incident["escalation"][what]
            assert due_ms is None or due_ms > now_ms, f"{name}: {what} stays due"
        if incident["state"] not in UNANSWERED_STATES:
            assert incident["escalation"]["next_at_ms"] is None, f"{name}: answered, and the path goes on"

    def _bridges(self) -> None:
        member_of: dict[str, str] = {}
        for bridge in self.open():
            if bridge["kind"] != IncidentKind.BRIDGE:
                continue
            for member in bridge["members"]:
                assert member not in member_of, f"{member} is in {member_of[member]} and in {bridge['id']}"
                member_of[member] = bridge["id"]
                known = self.known[member]
                in_force = bridge["major"]["phase"] == MajorIncidentPhase.DECLARED
                if in_force and known["state"] in OPEN_STATES and bridge["state"] in OPEN_STATES:
                    assert known["bridge_id"] == bridge["id"], f"{member} does not know of {bridge['id']}"
        for incident in self.open():
            said = incident["bridge_id"]
            if said is None or incident["kind"] == IncidentKind.BRIDGE:
                continue
            assert member_of.get(incident["id"]) == said or self.known[said]["state"] == "closed", (
                f"{incident['id']} says that it is in {said}, which does not know of it"
            )
            ended = self.known[said]["state"] in ENDED_STATES
            assert not ended or incident["state"] not in OPEN_STATES, (
                f"{incident['id']} is silent for a bridge that is over"
            )

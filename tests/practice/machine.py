"""The whole practice as one machine: everything that decides, driven by whatever people, monitors and time may do.

Two pipelines get the same records. In one of them stages die and come back from their state records at any moment;
what they write must not differ by a byte.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import orjson
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from pipeline.core.practice.lifecycle import ENDED_STATES
from pipeline.core.step import CONFIG_HEADER
from pipeline.models.command import CommandType
from pipeline.models.incident import IncidentKind
from pipeline.replay import STAGES
from tests.core.builders import MINUTE, SECOND, moment
from tests.practice.company import CONDITIONS, LONG, TICKETS, VERSIONS
from tests.practice.pipelines import Pipeline
from tests.practice.promises import Promises
from tests.stories import payloads

RESOLUTION: Final = {"code": "fixed", "summary": "done", "cause": "it broke", "fix": "mended"}
LIFE: Final = (
    "acknowledge", "unacknowledge", "start", "wait", "resume", "mitigate", "resolve", "close", "reopen", "cancel",
    "escalate", "set_priority", "clear_suspect",
)  # fmt: skip
TOGETHER: Final = (
    "merge", "split", "adopt_policy", "declare_major", "demote_major", "confirm_major", "reject_major",
    "correct_impact", "set_status", "assign_commander", "cancel", "unlink_bridge", "link_bridge",
)  # fmt: skip
OTHERS: Final = [each.value for each in CommandType if each.value not in {*LIFE, *TOGETHER}]
ROLES: Final = ("commander", "commander", "administrator", "responder", "source", "viewer")
ARGUMENTS: Final = st.fixed_dictionaries(
    {
        "actor": st.sampled_from(["ann", "cem", "hana"]),
        "role": st.sampled_from(ROLES),
        "priority": st.sampled_from(["P1", "P2", "P3", "P9"]),
        "waiting_for": st.sampled_from(["customer", "vendor", "provider"]),
        "users": st.sampled_from([0, 50, 20_000]),
        "status": st.sampled_from(["identified", "monitoring", "resolved", "nonsense"]),
        "audience": st.sampled_from(["public", "executives", "affected_users", "nobody"]),
        "state": st.sampled_from(["investigating", "identified", "resolved"]),
        "resolution": st.sampled_from([RESOLUTION, {"code": "fixed", "summary": "done"}]),
    },
)
GOES_BY: Final = st.sampled_from(
    [*[{}] * 12, {"if_state": "logged"}, {"if_state": "resolved"}, {"expected_revision": 3}]
)
"""Of what some senders say they go by; most commands say nothing of it."""

WORDS: Final[dict[str, Any]] = {
    "note": "looking",
    "reason": "so it is",
    "assignee": "hana",
    "workaround": "the other region",
    "text": "we know and we work on it",
    "ref": "resource:default/pay-db",
    "duty": "regulator",
    "link": {"kind": "vendor_ticket", "id": "V-1", "state": "open"},
    "action": {"id": "A-1", "text": "an alarm on connections"},
}


class Asker(NamedTuple):
    """Who asks, of which incident and with what, beside what is asked."""

    fields: dict[str, Any]
    of: int
    other: int
    late: int | None
    goes_by: dict[str, Any]
    bare: bool
    bridge: bool


WHO: Final = st.builds(
    Asker,
    fields=ARGUMENTS,
    of=st.integers(0, 9),
    other=st.integers(0, 9),
    late=st.sampled_from([None, None, None, 0, 1, 30]),
    goes_by=GOES_BY,
    bare=st.sampled_from([False] * 7 + [True]),
    bridge=st.sampled_from([False, False, False, True]),
)


def iso(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / SECOND, UTC)


class Practice(Promises):
    """What comes in from outside, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0
        self.firing: dict[str, int] = {}
        self.tickets: set[int] = set()
        self.problems: list[int] = []
        self.all_problems: list[int] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.raw: list[tuple[str, bytes]] = []

    @initialize(version=st.sampled_from(VERSIONS), severity=st.sampled_from(["critical", "error"]))
    def begin(self, version: str, severity: str) -> None:
        self.steady, self.restarted = Pipeline(version), Pipeline(version)
        self.fires("pay-errors", severity, 0)

    # -- what comes in

    def alert(self, feed: str, value: Any) -> None:
        self.raw.append((f"alerts.raw.{feed}", orjson.dumps(value)))
        self.alerts += 1
        self.put(*self.raw[-1])

    @rule(
        name=st.sampled_from(sorted(CONDITIONS)),
        severity=st.sampled_from(["critical", "critical", "error", "warning"]),
        late=st.sampled_from([0, 0, 0, 5]),
    )
    def fires(self, name: str, severity: str, late: int) -> None:
        feed, labels = CONDITIONS[name]
        started = self.firing.setdefault(name, self.now - late * MINUTE)
        self._monitor(name, feed, {"alertname": name, "severity": severity, **labels}, started, None)

    @rule(name=st.sampled_from(sorted(CONDITIONS)))
    def clears(self, name: str) -> None:
        feed, labels = CONDITIONS[name]
        started = self.firing.pop(name, self.now)
        self._monitor(name, feed, {"alertname": name, "severity": "error", **labels}, started, self.now)

    def _monitor(self, name: str, feed: str, labels: dict[str, str], started: int, ended: int | None) -> None:
        over = None if ended is None else iso(ended)
        value = payloads.alertmanager(labels, f"{name} is out of bounds", iso(started), over)
        value["alerts"][0]["fingerprint"] = f"{feed}-{name}"  # a condition may change its severity
        self.alert(feed, value)

    @rule(of=st.integers(0, 30))
    def a_message_comes_again(self, of: int) -> None:
        """Delivered twice, or late: what it says is over may be over."""
        self.alerts += 1
        self.put(*self.raw[of % len(self.raw)])

    @rule(down=st.booleans())
    def the_machine_monitor_speaks(self, down: bool) -> None:
        """Its recoveries name nothing but the problem that is over."""
        self.sent += 1
        if down:
            self.problems.append(7_000 + self.sent)
            self.all_problems.append(7_000 + self.sent)
            value = payloads.zabbix(self.problems[-1], "node-1", "node-1 unreachable", 4, iso(self.now))
        elif self.problems:
            value = payloads.zabbix_recovery(7_000 + self.sent, self.problems.pop(), iso(self.now))
        else:
            return
        self.alert("zabbix", value)

    @rule(number=st.integers(0, 7), done=st.booleans())
    def a_person_reports(self, number: int, done: bool) -> None:
        self.tickets.add(number)
        text = TICKETS[number % len(TICKETS)]
        self.alert("jira", payloads.jira(f"DESK-{number}", text, "", f"person-{number}", iso(self.now), done=done))

    @rule(
        number=st.integers(0, 2),
        what=st.sampled_from(["pay-db", "shop", "node-1", "nothing"]),
        suppress=st.booleans(),
        minutes=st.sampled_from([None, 0, 10, 120]),
        space=st.sampled_from(["production", "eu"]),
    )
    def something_is_changed(
        self,
        number: int,
        what: str,
        suppress: bool,
        minutes: int | None,
        space: str,
    ) -> None:
        value: dict[str, Any] = {
            "change_id": f"CHG-{number}",
            "kind": "maintenance",
            "summary": "a new release",
            "targets": [what],
            "suppress": suppress,
            "started_at": iso(self.now - MINUTE).isoformat(),
        }
        if minutes is not None:
            value["ended_at"] = iso(self.now + minutes * MINUTE).isoformat()
        self.put("changes", value, space)

    @rule(kind=st.sampled_from(LIFE), who=WHO)
    def somebody_answers(self, kind: str, who: Asker) -> None:
        self.ask(kind, who)

    @rule(kind=st.sampled_from(LIFE), who=WHO)
    def somebody_else_answers(self, kind: str, who: Asker) -> None:
        self.ask(kind, who)

    @rule(kind=st.sampled_from(TOGETHER), who=WHO)
    def somebody_puts_together(self, kind: str, who: Asker) -> None:
        self.ask(kind, who)

    @rule(kind=st.sampled_from(OTHERS), who=WHO)
    def somebody_does_something_else(self, kind: str, who: Asker) -> None:
        self.ask(kind, who)

    def ask(self, kind: str, who: Asker) -> None:
        """Of the newest incidents most; of a bridge incident directly, or by way of a member."""
        newest = [*reversed(self.watch.open()), *self.watch.known.values()][:10]
        if not newest:
            return
        incident, second = newest[who.of % len(newest)], newest[who.other % len(newest)]
        self.sent += 1
        fields = who.fields
        asked = {"command_id": f"c-{self.sent}", "type": kind, "actor": fields["actor"], "role": fields["role"]}
        asked["target"] = {"incident_id": incident["id"]} | ({"bridge": True} if who.bridge else {})
        if not who.bare:
            episodes = list(self.watch.episodes[incident["id"]])
            asked |= WORDS | fields | {"into": second["id"], "bridge_id": second["id"]}
            asked["episodes"] = episodes[: 1 + who.other % 2]
        asked |= who.goes_by
        if who.late is not None:
            asked["at"] = moment(self.now - who.late * MINUTE).isoformat()
        self.tell("bridge.commands" if incident["kind"] == IncidentKind.BRIDGE else "commands", asked)

    @rule(
        what=st.sampled_from([{"targets": ["shop"]}, {"targets": ["node-1"]}, {"match": {"severity": "warning"}}, {}]),
        of=st.integers(0, 5),
        minutes=st.sampled_from([1, 15, 300]),
        ends=st.sampled_from(["silence", "silence", "extend_silence", "unsilence"]),
    )
    def something_is_silenced(self, what: dict[str, Any], of: int, minutes: int, ends: str) -> None:
        self.sent += 1
        until = moment(self.now + minutes * MINUTE).isoformat()
        asked: dict[str, Any] = {"command_id": f"c-{self.sent}", "type": ends, "actor": "ann", "reason": "known"}
        begun = [given["command_id"] for _, given in self.asked if given["type"] == "silence"]
        incidents = self.watch.open()
        if ends == "silence":
            asked["silence"] = what | {"until": until, "owner": "ops", "reason": "known"}
            if not what and incidents:
                asked["target"] = {"incident_id": incidents[of % len(incidents)]["id"]}
        else:
            asked |= {"until": until, "target": {"silence": begun[of % len(begun)] if begun else "none"}}
        self.tell("commands", asked)

    @rule(of=st.integers(0, 30))
    def a_command_comes_again(self, of: int) -> None:
        """A sender that had no answer sends again: nothing is done twice."""
        if self.asked:
            self.do(None)  # what is due comes first
            self.tell(*self.asked[of % len(self.asked)], again=True)

    def tell(self, topic: str, asked: dict[str, Any], *, again: bool = False) -> None:
        if not again:
            self.asked.append((topic, asked))
        self.put(topic, asked, "production" if topic == "commands" else asked["target"].get("incident_id"))

    @rule(value=st.sampled_from([b"", b"{", b'{"type":"resolve"}', b'{"command_id":"x","type":"dance","actor":"a"}']))
    def nonsense_is_asked(self, value: bytes) -> None:
        self.put("commands", value, "production")

    @rule(seconds=st.sampled_from([1, 45, 5 * 60, 16 * 60, 2 * 3_600]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds * SECOND
        self.do(None)

    @rule(hours=st.sampled_from([9, 9, 30]))
    def a_day_passes(self, hours: int) -> None:
        self.now += hours * 60 * MINUTE
        self.do(None)

    @rule(version=st.sampled_from(VERSIONS))
    def policies_are_reloaded(self, version: str) -> None:
        self.put("alerts.raw.alertmanager", None, headers=((CONFIG_HEADER, version.encode()),))

    @rule(stages=st.sets(st.sampled_from(STAGES), min_size=1, max_size=3))
    def workers_restart(self, stages: set[str]) -> None:
        for stage in sorted(stages):
            self.restarted.restart(stage)

    # -- the end

    def teardown(self) -> None:
        """Everything ends, and a long time later nothing is left but what is kept on purpose."""
        if not self.whole:
            return
        for name in CONDITIONS:
            self.clears(name)
        self.problems = list(self.all_problems)
        while self.problems:
            self.the_machine_monitor_speaks(False)
        for number in sorted(self.tickets):
            self.a_person_reports(number, True)
        self.now += 3_600 * SECOND
        self.do(None)
        for _ in range(2):  # bridge incidents hand on what is asked of them
            self._end_all()
        assert not self.watch.open(), f"not over: {[(each['id'], each['state']) for each in self.watch.open()]}"
        self.now += round(LONG.total_seconds()) * SECOND
        self.do(None)
        self.is_bounded()

    def _end_all(self) -> None:
        for kind in ("resolve", "close"):
            for incident in self.watch.open():
                if self.watch.known[incident["id"]]["state"] in ENDED_STATES:
                    continue
                self.sent += 1
                topic = "bridge.commands" if incident["kind"] == IncidentKind.BRIDGE else "commands"
                asked = {"command_id": f"c-{self.sent}", "type": kind, "actor": "hana", "role": "administrator"}
                self.tell(topic, asked | {"target": {"incident_id": incident["id"]}, "resolution": RESOLUTION})

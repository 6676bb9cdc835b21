"""The life of incidents under whatever people, tools, alerts and time do to them: what always holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from pipeline.core.practice.lifecycle import ENDED_STATES, TRANSITIONS
from pipeline.core.step import Output
from pipeline.models.closure import Closure
from pipeline.models.command import CommandType
from pipeline.models.episode import EpisodeChange, EpisodeEvent
from tests.core.builders import DB, MINUTE, PAY, SHOP, T0, WIKI, alert, config, moment, opened, policy, values
from tests.core.rooms import Room

KINDS = [
    each.value
    for each in CommandType
    if each not in {CommandType.ADOPT_POLICY, CommandType.LINK_BRIDGE, CommandType.UNLINK_BRIDGE}
]
ABOUT = {"a": SHOP, "b": PAY, "c": DB, "d": WIKI}
STEPS_MAX = 25
LINKS = [{"kind": "vendor_ticket", "id": "V-1", "state": state} for state in (None, "answered")]
ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "note": st.just("words"),
        "reason": st.just("test"),
        "assignee": st.just("bob"),
        "priority": st.sampled_from(["P1", "P3", "P9"]),
        "waiting_for": st.sampled_from(["customer", "vendor", "provider"]),
        "link": st.sampled_from(LINKS),
        "workaround": st.just("moved"),
        "action": st.sampled_from([{"id": "A", "text": "alarm"}, {"id": "A"}, {"text": "alarm"}]),
        "resolution": st.sampled_from(
            [{"code": "fixed", "summary": "done"}, {"code": "fixed", "summary": "x", "cause": "y"}]
        ),
        "role": st.sampled_from(["viewer", "responder", "commander", "source"]),
        "if_state": st.sampled_from(["logged", "resolved"]),
        "expected_revision": st.integers(0, 5),
    },
)
OF_TIMELINE = frozenset({"revision", "updated_at_ms", "chain", "commands", "timeline"})
"""What a refused command may change of an incident."""


def setup() -> Any:
    closure = Closure(
        resolve_quiet_seconds=60, close_after_minutes={"P1": 90}, close_undocumented={"P1": "never"},
        remind_minutes=60, require={"P1": ("cause",)},
    )  # fmt: skip
    return config(domains={"shop": policy(closure=closure)})


class Life(RuleBasedStateMachine):
    """One partition of correlate, and a twin of it that was restored from the changelog in between."""

    def __init__(self) -> None:
        super().__init__()
        self.room, self.twin = Room(setup()), Room(setup())
        self.now, self.sent = T0, 0
        self.known: dict[str, dict[str, Any]] = {}
        self.timelines: dict[str, int] = {}
        self.asked: list[dict[str, Any]] = []
        self.episodes: list[EpisodeEvent] = []

    def do(self, what: str, /, *given: Any, **fields: Any) -> list[Output]:
        """Let both do it; they must not differ."""
        outputs: list[Output] = getattr(self.room, what)(*given, **fields)
        again = getattr(self.twin, what)(*given, **fields)
        assert [(each.topic, each.key, each.value) for each in again] == [
            (each.topic, each.key, each.value) for each in outputs
        ]
        for event in values(outputs, "incidents"):
            self.follow(event)
        return outputs

    def follow(self, event: dict[str, Any]) -> None:
        """One revision more, by the table; what is over stays over; no history is lost."""
        incident, name = event["incident"], event["incident_id"]
        before = self.known.get(name, {"revision": 0, "state": "detected", "time_in": {}})
        assert event["revision"] == before["revision"] + 1
        assert before["state"] not in ENDED_STATES, "closed stays closed"
        state = before["state"]
        for entry in event["entries"]:
            was, became = (entry["changed"] or {}).get("state", (state, state))
            assert was == state
            assert was == became or any(
                (was, step) in TRANSITIONS and TRANSITIONS[was, step] == became for _, step in TRANSITIONS
            ), f"{was} -> {became} is not in the table"
            state = became
        assert state == incident["state"]
        spent, age = sum(incident["time_in"].values()), incident["state_since_ms"] - incident["detected_at_ms"]
        assert spent == age, "the times in the states add up to the age"
        assert (incident["waiting_since_ms"] is not None) == incident["state"].startswith("waiting_")
        self.known[name] = incident
        self.timelines[name] = self.timelines.get(name, 0) + len(event["entries"])

    @initialize()
    def begin(self) -> None:
        self.fires("a", "critical")

    @rule(key=st.sampled_from(sorted(ABOUT)), severity=st.sampled_from(["critical", "warning"]))
    def fires(self, key: str, severity: str) -> None:
        self.sent += 1
        about = alert(key, entity=ABOUT[key], service=ABOUT[key], severity=severity)
        self.episodes.append(opened(about, self.now, episode_id=f"EP-{key}-{self.sent}"))
        self.do("put", "episodes", self.episodes[-1], self.now)

    @rule(of=st.integers(0, 9))
    def clears(self, of: int) -> None:
        over = self.episodes.pop(of % len(self.episodes)) if self.episodes else None
        if over is not None:
            self.do("put", "episodes", replace(over, change=EpisodeChange.RESOLVED), self.now)

    @rule(kind=st.sampled_from(KINDS), fields=ARGUMENTS, of=st.integers(0, 9), late=st.sampled_from([None, 0, 1, 30]))
    def asks(self, kind: str, fields: dict[str, Any], of: int, late: int | None) -> None:
        names = list(self.known)
        self.sent += 1
        target = names[of % len(names)]
        fields = fields | {"target": {"incident_id": target}, "into": names[0]}
        if late is not None:
            fields["at"] = moment(self.now - late * MINUTE).isoformat()
        self.asked.append({"kind": kind, "command_id": f"c-{self.sent}", **fields})
        self.tell(self.asked[-1])

    @rule(of=st.integers(0, 30))
    def repeats(self, of: int) -> None:
        """A sender that had no answer sends again: nothing is done twice, to whatever goes on by now."""
        if self.asked:
            self.do("tick", self.now)  # what is due comes first
            before = dict(self.known)
            self.tell(self.asked[of % len(self.asked)])
            assert self.known == before

    def tell(self, asked: dict[str, Any]) -> None:
        given = dict(asked)
        before = dict(self.known)
        outputs = self.do("ask", given.pop("kind"), self.now, given.pop("command_id"), **given)
        for event in values(outputs, "incidents"):
            was = before.get(event["incident_id"])
            if was is not None and event["entries"] and event["entries"][0]["action"].startswith("refused_"):
                changed = {name for name, value in event["incident"].items() if value != was[name]}
                assert changed <= OF_TIMELINE, f"refused, and yet it changed {changed}"

    @rule(minutes=st.sampled_from([1, 10, 45, 120]))
    def waits(self, minutes: int) -> None:
        self.now += minutes * MINUTE
        self.do("tick", self.now)

    @rule()
    def restarts(self) -> None:
        self.twin.restart()


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=15,
    stateful_step_count=STEPS_MAX,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

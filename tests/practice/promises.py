"""What must hold after everything that comes in: of two pipelines, one of which loses workers, and of their state."""

from __future__ import annotations

from typing import Any, Final

import orjson
from hypothesis.stateful import RuleBasedStateMachine

from pipeline.core.alerts.condition import MAINTENANCE, OPEN
from pipeline.core.practice.lifecycle import ENDED_STATES, UNANSWERED_STATES
from pipeline.core.step import TICK_KEY, Output, StreamRecord
from pipeline.models.incident import IncidentKind
from tests.core.builders import T0
from tests.practice.pipelines import Pipeline
from tests.practice.watch import Watch

REFUSABLE: Final = {"unknown_target", "wrong_type", "missing_field", "empty", "not_permitted"}
"""Why a command may be a dead letter."""

FOR_LONG: Final[dict[str, tuple[str, ...]]] = {
    "dedupe": ("spillway.partition",),
    "correlate": ("spillway.partition", "k/", "o/"),
    "bridge": ("spillway.partition", "o/"),
    "problem": ("spillway.partition", "p/", "c/", "i/"),
}
"""State that outlives everything: the partition's own, habits of conditions, places in an order, and problems."""


class Promises(RuleBasedStateMachine):
    """Both pipelines, and all that was published."""

    steady: Pipeline
    restarted: Pipeline

    def __init__(self) -> None:
        super().__init__()
        self.now = T0
        self.watch = Watch()
        self.offsets: dict[str, int] = {}
        self.origins: set[Any] = set()
        self.alerts = self.letters = 0
        self.whole = False

    def put(self, topic: str, value: Any, key: str | None = None, headers: Any = ()) -> None:
        offset = self.offsets[topic] = self.offsets.get(topic, -1) + 1
        body = value if value is None or isinstance(value, bytes) else orjson.dumps(value)
        name = TICK_KEY if headers else None if key is None else key.encode()
        self.do(StreamRecord(topic, 0, offset, self.now, name, body, headers))

    def do(self, record: StreamRecord | None) -> None:
        """Let both do it; they must not differ. Then look at everything."""
        self.whole = False
        steps, again = self.steady.do(record, self.now), self.restarted.do(record, self.now)
        assert [(each.record, each.events, each.decisions, each.written) for each in again] == [
            (each.record, each.events, each.decisions, each.written) for each in steps
        ], "a restart makes a difference"
        self._same_outcome()
        for step in steps:
            for event in step.events:
                self.watch.follow(orjson.loads(event.value or b""))
            for decision in step.decisions:
                assert decision.origin not in self.origins, "an alert is decided twice"
                self.origins.add(decision.origin)
        self.watch.settled(self.now)
        self._conserved()
        self._nothing_is_due()
        self._nothing_fires_unseen()
        self._paths_go_on()
        self.whole = True

    def _same_outcome(self) -> None:
        one, two = self.steady.replay.outcome, self.restarted.replay.outcome
        for name in ("suppressions", "problems", "dead_letters"):
            first, second = getattr(one, name), getattr(two, name)
            assert first[-20:] == second[-20:], f"a restart makes a difference to {name}"
            assert len(first) == len(second)

    def _conserved(self) -> None:
        replay = self.steady.replay
        assert replay.remainder() == 0
        assert len(self.origins) == self.alerts, "every alert has one disposition"
        for letter in replay.outcome.dead_letters[self.letters :]:
            said = dict(letter.headers)
            assert said["spillway-topic"] in {b"commands", b"bridge.commands", b"problem.commands"}, said
            assert said["spillway-reason"].decode() in REFUSABLE, said
            assert not _is_our_own(letter), f"a command of the pipeline's own is refused: {letter.value!r}"
        self.letters = len(replay.outcome.dead_letters)

    def _nothing_is_due(self) -> None:
        for stage, processor in self.steady.replay.processors.items():
            due_ms = processor.next_deadline_ms()
            assert due_ms is None or due_ms > self.now, f"{stage}: a deadline stays due"

    def _nothing_fires_unseen(self) -> None:
        """Each run that dedupe knows of is in an incident that is not over, or waits for something."""
        correlate, dedupe = self.steady.correlate, self.steady.dedupe
        for key in dedupe._conditions:
            condition = dedupe.condition(key)
            assert condition is not None
            if condition.phase == MAINTENANCE:
                assert condition.until_ms is not None, "suppressed for ever"
            if condition.phase != OPEN or (condition.source_episode_id or "").startswith("DESK"):
                continue  # whoever reported something restored is told, and closes the ticket when he likes
            name = condition.episode_id
            kept = correlate._suppressed.get(name)
            held = correlate._holding.get(name)
            member = correlate._book.member(name)
            if kept is not None:
                assert kept.by or kept.due_ms is not None, f"{name} is suppressed for ever"
            elif held is not None:
                assert held.until_ms is not None, f"{name} waits for ever"
            elif member is not None:
                incident = correlate._book.case(member.incident_id).incident
                assert incident.state not in ENDED_STATES
            else:
                assert self._ended_by_a_person(name), f"{name} fires, and nobody sees it"

    def _ended_by_a_person(self, episode_id: str) -> bool:
        """Whoever cancels or closes what fires still says so."""
        return any(
            episode_id in self.watch.episodes[incident["id"]]
            and (incident["state"] == "cancelled" or (incident["resolution"] or {}).get("by") != "spillway")
            for incident in self.watch.known.values()
        )

    def _paths_go_on(self) -> None:
        """Who is not answered has a next deadline, or it was said that the path has ended."""
        desk = self.steady.correlate._desk
        for incident in self.watch.open():
            if incident["kind"] != IncidentKind.INCIDENT or incident["state"] not in UNANSWERED_STATES:
                continue
            known = self.steady.correlate._book.incident(incident["id"])
            assert known is not None
            path = desk.escalator.path(desk.policy(known), known.priority)
            if path is not None and known.muted is None and known.escalation.next_at_ms is None:
                assert known.escalation.exhausted_at_ms is not None, f"{known.id} waits, and nobody will be called"

    def is_bounded(self) -> None:
        """Nothing is left of what is over but what is kept on purpose."""
        for stage, state in self.steady.replay._states.items():
            left = [key.decode() for key, value in state.items() if value is not None]
            surplus = [each for each in left if not each.startswith(FOR_LONG.get(stage, ("spillway.partition",)))]
            assert surplus == [], f"{stage} keeps what is over"


def _is_our_own(letter: Output) -> bool:
    """Whether a stage asked it of another."""
    try:
        document = orjson.loads(letter.value or b"")
    except orjson.JSONDecodeError:
        return False
    return bool(document.get("role") == "system")

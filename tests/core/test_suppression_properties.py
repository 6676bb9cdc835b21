"""What suppression promises, whatever comes in whatever order: notification is suppressed, never monitoring.

Alerts, recoveries, windows, changes, silences, inhibition, notices of sources, time, restarts and other configurations
are mixed at random. Dedupe and correlate are put one after the other, as the pipeline has them.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st

from pipeline.core.step import Output
from pipeline.models.alert import Alert, Kind, Severity
from pipeline.models.inhibition import InhibitRule
from pipeline.models.maintenance import MaintenanceWindow
from pipeline.models.policy import Config
from tests.core.builders import (
    DB,
    HOST,
    HOUR,
    MINUTE,
    PAY,
    SHOP,
    T0,
    WIKI,
    Bench,
    alert,
    change,
    config,
    moment,
    policy,
    resolved,
    settings,
    values,
)
from tests.core.rooms import Room

ABOUT: Final = {"host": HOST, "db": DB, "pay": PAY, "shop": SHOP, "wiki": WIKI, "lab": None}
KEYS: Final = tuple(ABOUT)
DAY: Final = 24 * HOUR


@cache
def setup(version: int) -> Config:
    """Configurations that differ in all that suppresses."""
    windows = {
        0: MaintenanceWindow(name="w", start=moment(T0), end=moment(T0 + 2 * HOUR), targets=("wiki",)),
        1: MaintenanceWindow(name="w", every="day 10:30-11:00 UTC", targets=("pay-db",)),
        2: MaintenanceWindow(name="w", start=moment(T0 + HOUR), end=moment(T0 + 3 * HOUR), targets=("shop", "wiki")),
    }
    rule = InhibitRule.model_validate(
        {
            "source": {"match": {"entity_type": "host"}},
            "target": {"match": {"severity": ["error", "critical"]}},
            "along": "dependencies",
            "grace_seconds": 60 * version,
        }
    )
    return config(
        version=f"v{version}",
        maintenance=(windows[version],),
        correlation=settings(inhibit={} if version == 2 else {"host": rule}),
        domains={"shop": policy(silence_never=("P1",) if version == 1 else ())},
    )


class Line:
    """Dedupe and correlate in a line, beside what is known of each condition."""

    def __init__(self, *, restarts: bool) -> None:
        self.restarts = restarts
        self.version = 0
        self.dedupe, self.room = Bench("dedupe", setup(0)), Room(setup(0))
        self.now_ms = T0
        self.alerts = 0
        self.fires: dict[str, bool] = {}
        self.silences: list[str] = []
        self.newest: list[Output] = []

    def do(self, action: str, key: str, number: int) -> None:
        """One thing that happens, some seconds after the one before."""
        self.newest, before = [], dict(self.fires)
        self.now_ms += 1_000 * (1 + number)
        getattr(self, action)(key, number)
        self._only_what_fires_was_opened(before)

    # -- what happens

    def fire(self, key: str, number: int) -> None:
        severity = (Severity.CRITICAL, Severity.ERROR, Severity.WARNING)[number % 3]
        self.fires[key] = True
        self._alert(alert(key, entity=ABOUT[key], service=ABOUT[key], host=key, severity=severity))

    def clear(self, key: str, _: int) -> None:
        self.fires[key] = False
        self._alert(resolved(key, entity=ABOUT[key], service=ABOUT[key], host=key))

    def wait(self, _: str, number: int) -> None:
        self.now_ms += number * 5 * MINUTE
        self._time()

    def work(self, key: str, number: int) -> None:
        """A change is announced, late or early; extended, cut short or cancelled when its turn comes again."""
        begun, ends = self.now_ms - number * MINUTE, self.now_ms + (number % 7) * 20 * MINUTE
        ended = None if number % 5 == 4 else ends
        body = change(f"CHG-{key}", begun, ended, targets=(ABOUT[key] or key,), suppress=number % 6 != 5)
        self._take(self.room.put("changes", body.model_dump(mode="json"), self.now_ms))

    def notice(self, key: str, number: int) -> None:
        """A source says that maintenance begins or ends."""
        begins = number % 3 != 0
        about = alert(
            f"{key}-work",
            kind=Kind.MAINTENANCE_START if begins else Kind.MAINTENANCE_END,
            entity=ABOUT[key],
            host=key,
            event_at_ms=self.now_ms + (number - 2) * MINUTE,
            ended_at_ms=self.now_ms + number * 10 * MINUTE if number % 2 else None,
        )
        self._alert(about)

    def silence(self, key: str, number: int) -> None:
        name = f"{key}-{len(self.silences)}"
        self.silences.append(name)
        until = moment(self.now_ms + (1 + number) * 10 * MINUTE).isoformat()
        asked: dict[str, Any] = {"until": until, "owner": "team", "reason": "known"}
        target: dict[str, Any] = {}
        if number % 3 == 0:
            asked["conditions"] = [key]
        elif number % 3 == 1:
            asked["match"] = {"name": f"Rule {key}"}
        else:
            asked["targets"] = [ABOUT[key] or key]
        incidents = self.room.incidents()
        if number == 5 and incidents:
            target = {"target": {"incident_id": min(incidents)}}
        self._command("silence", name, silence=asked, **target)

    def unsilence(self, _: str, number: int) -> None:
        self._of_silence("unsilence", number)

    def extend(self, _: str, number: int) -> None:
        self._of_silence("extend_silence", number, until=moment(self.now_ms + number * 15 * MINUTE).isoformat())

    def restart(self, _: str, __: int) -> None:
        if self.restarts:
            self.dedupe.restart()
            self.room.restart()

    def reload(self, _: str, number: int) -> None:
        self.version = number % 3
        for bench in (self.dedupe, self.room):
            bench.setup = setup(self.version)
            bench.restart()

    # -- how

    def _alert(self, given: Alert) -> None:
        self.alerts += 1
        self._on(self.dedupe.put("alerts", given, self.now_ms))

    def _on(self, outputs: list[Output]) -> None:
        for each in outputs:
            if each.topic == "episodes":
                self._take(self.room.put("episodes", each.value, each.timestamp_ms))

    def _time(self) -> None:
        self._on(self.dedupe.tick(self.now_ms))
        self._take(self.room.tick(self.now_ms))

    def _of_silence(self, kind: str, number: int, **fields: Any) -> None:
        known = [each for each in values(self.room.effects.outputs, "suppressions") if each["what"] == "silence"]
        if known:
            name = known[number % len(known)]["episode_id"]
            self._command(kind, f"{kind}-{self.now_ms}", target={"silence": name}, **fields)

    def _command(self, kind: str, name: str, **fields: Any) -> None:
        body = {"command_id": name, "type": kind, "actor": "ann", **fields}
        self._take(self.room.put("commands", body, self.now_ms, key=b"production"))

    def _take(self, outputs: list[Output]) -> None:
        self.newest += outputs

    # -- what must hold

    def _only_what_fires_was_opened(self, before: dict[str, bool]) -> None:
        """What is due by now comes before what happens now, and sees what fired until then."""
        for event in values(self.newest, "incidents"):
            began = [each for each in event["entries"] if each["action"] in ("detect", "join")]
            for each in began:
                key = each["facts"]["alert_key"]
                assert self.fires[key] or before[key], "what opens is a condition that fires"

    def over(self) -> None:
        """Every reason ends: windows, changes, silences, sources."""
        for key in KEYS:
            if self.fires.get(key) and key == "host":
                self.clear(key, 0)
        self.now_ms += DAY + 2 * HOUR
        self._time()
        self.reload("", 2)
        self.now_ms += HOUR
        self._time()

    def member_fires(self, key: str) -> bool:
        """Whether an episode of the condition fires in an incident."""
        book = self.room.processor._book  # type: ignore[attr-defined]  # no record tells it in one place
        members = (book.member(name) for name in list(book._records))
        return any(each.alert_key == key and each.resolved_at_ms is None for each in members if each is not None)


NUMBERS: Final = st.integers(0, 6)
ALERTS: Final = st.tuples(st.sampled_from(["fire", "fire", "clear"]), st.sampled_from(KEYS), NUMBERS)
OTHERS: Final = st.sampled_from(
    ["wait", "wait", "work", "notice", "silence", "unsilence", "extend", "reload", "restart"]
)
ACTIONS: Final = st.lists(ALERTS | st.tuples(OTHERS, st.sampled_from(KEYS), NUMBERS), min_size=1, max_size=30)
Actions = list[tuple[str, str, int]]


def told(bench: Bench) -> list[Output]:
    """All that was written, but for the twins: those are the last revision of a batch."""
    return [each for each in bench.effects.outputs if each.topic != "incidents.state"]


def played(actions: Actions, *, restarts: bool = True) -> Line:
    line = Line(restarts=restarts)
    for action in actions:
        line.do(*action)
    return line


@runs(max_examples=12, deadline=None)
@given(ACTIONS)
def test_when_every_reason_is_over_what_fires_is_in_an_incident_and_nothing_else_is(actions: Actions) -> None:
    line = played(actions)
    line.over()
    firing = {key for key, fires in line.fires.items() if fires}
    assert {key for key in KEYS if line.member_fires(key)} == firing
    assert len(line.room.processor._suppressed) == 0  # type: ignore[attr-defined]


@runs(max_examples=12, deadline=None)
@given(ACTIONS)
def test_every_alert_has_its_disposition_whatever_suppresses(actions: Actions) -> None:
    line = played(actions)
    assert len(line.dedupe.decisions) + len(line.room.decisions) == line.alerts


@runs(max_examples=12, deadline=None)
@given(ACTIONS)
def test_a_restart_changes_nothing_that_comes_after_it(actions: Actions) -> None:
    kept, again = played(actions, restarts=False), played(actions)
    for line in (kept, again):
        line.over()
    for one, other in ((kept.dedupe, again.dedupe), (kept.room, again.room)):
        assert told(one) == told(other)
        assert one.decisions == other.decisions


@runs(max_examples=12, deadline=None)
@given(ACTIONS)
def test_a_recovery_passes_through_everything_and_what_was_told_outside_is_told_to_its_end(actions: Actions) -> None:
    line = played(actions)
    for key in KEYS:
        if line.fires.get(key):
            line.do("clear", key, 0)
    line.now_ms += 2 * HOUR
    line._time()
    for incident in line.room.incidents().values():
        assert incident["state"] in {"resolved", "closed", "merged"}
        spoken = [each["state"] for each in incident["streams"].values() if each["published"]]
        assert set(spoken) <= {"resolved", "moved"}
    assert not any(line.member_fires(key) for key in KEYS)

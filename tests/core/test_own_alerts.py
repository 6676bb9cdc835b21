"""Spillway's own alerts: they make no circle, hide behind nothing, and are not told to what they are about."""

from __future__ import annotations

from random import Random
from typing import Any

import orjson
import pytest

from pipeline.core.alerts.own_alerts import (
    OWN_EPISODES_PER_HOUR_MAX,
    OWN_FEED,
    PROBE_LABEL,
    as_own,
    carried_probe,
    is_told,
    own_space,
    probe_of,
    space_of_sink,
)
from pipeline.core.step import TICK_KEY, Effects, StreamRecord
from pipeline.models.alert import Kind
from pipeline.models.decision import Disposition, Reason
from pipeline.models.policy import Feed
from pipeline.replay import Replay
from tests.core.builders import HOUR, MINUTE, SECOND, T0, Bench, alert, config, values
from tests.core.test_inhibition import down, later

OWN: dict[str, Any] = {"feeds": {OWN_FEED: Feed(name=OWN_FEED, adapter="alertmanager")}}
SINKS = ("desk", "pager", "hooks")


def raw(offset: int, at_ms: int, status: str = "firing", **labels: str) -> StreamRecord:
    """What Alertmanager sends of one of our rules."""
    member = {
        "status": status,
        "labels": {"severity": "critical", **labels},
        "annotations": {"summary": f"{labels.get('alertname')} {labels.get('sink', '')}"},
        "fingerprint": f"{offset:016x}",
        "startsAt": "2026-03-10T10:00:00Z",
    }
    body = orjson.dumps({"version": "4", "status": status, "alerts": [member]})
    return StreamRecord(f"alerts.raw.{OWN_FEED}", 0, offset, at_ms, None, body)


def test_pods_incidents_and_fingerprints_make_no_other_condition() -> None:
    keys = set()
    for pod in ("a", "b"):
        each = alert(feed=OWN_FEED, labels={"alertname": "SinkDown", "sink": "desk", "pod": pod, "incident": pod})
        as_own(each)
        keys.add(each.alert_key)
    other = alert(feed=OWN_FEED, labels={"alertname": "SinkDown", "sink": "pager"})
    as_own(other)
    assert len(keys) == 1
    assert other.alert_key not in keys


@pytest.mark.parametrize(
    ("sink", "labels", "told"),
    [
        ("desk", {"sink": "desk"}, False),
        ("pager", {"sink": "desk"}, True),
        ("desk", {}, True),
        ("desk", {"stage": "dedupe"}, True),
        ("d" * 80, {"sink": "d" * 80}, False),
    ],
)
def test_a_sink_is_told_of_everything_but_its_own_trouble(sink: str, labels: dict[str, str], *, told: bool) -> None:
    assert is_told(sink, own_space(labels)) is told


def test_a_sink_is_told_of_others_incidents_whatever_it_is_called() -> None:
    assert is_told("desk", "production")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_sinks_that_are_all_down_make_one_incident_each_however_often_delivery_fails(seed: int) -> None:
    """Each incident is told to the others, that fails, and an alert says so, with labels that differ each time."""
    chance = Random(seed)  # noqa: S311 no secret
    replay = Replay(config(**OWN))
    waiting, opened, now_ms, sent = ["desk"], set(), T0, 0
    while waiting and sent < 200:
        sink = waiting.pop(0)
        now_ms += chance.randrange(1, 60) * SECOND
        sent += 1
        steps = replay.steps([raw(sent, now_ms, alertname="SinkDown", sink=sink, pod=f"p{chance.random()}")])
        for event in values([each for step in steps for each in step.events], "incidents"):
            incident = event["incident"]
            opened.add((incident["id"], incident["space"]))
            waiting += [other for other in SINKS if is_told(other, incident["space"])]
    assert not waiting, f"seed {seed}: it goes in circles"
    assert sorted(space for _, space in opened) == sorted(map(space_of_sink, SINKS))
    assert replay.remainder() == 0


def test_new_episodes_of_own_alerts_are_limited_by_the_hour_and_all_accounted_for() -> None:
    bench = Bench("dedupe", config(**OWN))
    for number in range(OWN_EPISODES_PER_HOUR_MAX + 5):
        bench.put("alerts", alert(f"k{number}", feed=OWN_FEED), T0 + number)
    limited = [each for each in bench.decisions if each.reason == Reason.OWN_RATE]
    assert len(limited) == 5
    assert {each.disposition for each in limited} == {Disposition.SUPPRESSED}
    bench.restart()
    bench.put("alerts", alert("late", feed=OWN_FEED), T0 + MINUTE)
    assert bench.decisions[-1].reason == Reason.OWN_RATE, "a restart does not forget"
    before = len(values(bench.effects.outputs, "episodes"))
    bench.put("alerts", alert("late", feed=OWN_FEED), T0 + HOUR + MINUTE)
    assert len(values(bench.effects.outputs, "episodes")) == before + 1, "what fires still is told when there is room"


def test_alerts_of_other_feeds_are_not_limited() -> None:
    bench = Bench("dedupe")
    for number in range(3 * OWN_EPISODES_PER_HOUR_MAX):
        bench.put("alerts", alert(f"k{number}"), T0 + number)
    assert len(values(bench.effects.outputs, "episodes")) == 3 * OWN_EPISODES_PER_HOUR_MAX


@pytest.mark.parametrize(("feed", "hidden"), [("monitor", 1), (OWN_FEED, 0)])
def test_what_is_broken_elsewhere_hides_no_own_alert(feed: str, hidden: int) -> None:
    room = down()
    room.open(later(feed=feed), T0 + SECOND)
    assert sum(each.reason == Reason.INHIBITED for each in room.decisions) == hidden


# -- the probe


def probe(value: str = "a1", **fields: Any) -> Any:
    return alert("w", **({"feed": OWN_FEED, "kind": Kind.HEARTBEAT, "labels": {PROBE_LABEL: value}} | fields))


def test_a_probe_is_a_heartbeat_that_opens_nothing_and_goes_on_to_the_next_stage() -> None:
    bench = Bench("dedupe")
    (output,) = bench.put("alerts", probe(), T0)
    assert (output.topic, output.key, output.value) == ("episodes", TICK_KEY, None)
    assert bench.decisions[-1][1:3] == (Disposition.CONTROL, Reason.HEARTBEAT)

    effects = Effects()
    correlate = Bench("correlate").processor
    correlate.handle_one(StreamRecord("episodes", 0, 0, T0, output.key, None, output.headers), effects)
    (tick,) = effects.outputs
    assert (tick.topic, carried_probe(StreamRecord("s", 0, 0, T0, TICK_KEY, None, tick.headers))) == (
        "incidents.summaries",
        "a1",
    )


@pytest.mark.parametrize("given", [probe(feed="monitor"), probe("x" * 65), probe("<b>"), probe("")])
def test_what_is_no_probe_of_ours_goes_nowhere(given: Any) -> None:
    assert probe_of(given) is None
    assert Bench("dedupe").put("alerts", given, T0) == []

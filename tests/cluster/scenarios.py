"""Scenarios: what a cluster does to the layout while alerts flow, and what must hold in the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Any, Final

from tests.cluster.layout import Layout, Plan, annotated, running
from tests.cluster.load import Load, adopt
from tests.cluster.pod import Pod
from tests.cluster.workloads import READY_SECONDS_MAX, RolloutStuckError
from tests.faults.checker import check

CALM_SECONDS: Final = 6.0
"""Before and after: what is measured then is the layout at rest."""
AT_REST_SECONDS: Final = 1.0
"""As long as an alert takes at most once the layout is at rest; brokers that have just started compile themselves for
half a minute, and all that time everything waits for them."""
REST_SECONDS_MAX: Final = 300.0
"""As long as a layout may take to come to rest; a machine that is too small for it never does, and that is told."""
RESCHEDULED_SECONDS: Final = 5.0
"""From the loss of a node to its pods elsewhere, in a run. In a cluster it is minutes; the others serve meanwhile."""
STUCK_SECONDS: Final = 20.0
BROKER_DOWN_SECONDS: Final = 10.0
P99_SECONDS_BAR: Final = 2.0


@dataclass(slots=True)
class Result:
    """What one run came to.

    Attributes:
        faults: what must not be, in words; empty where all holds.
        facts: what was counted and measured.
    """

    scenario: str
    seed: int
    faults: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        return not self.faults


@dataclass(slots=True)
class Act:
    """What happens between calm and calm.

    Attributes:
        layout: the layout under load.
        load: of it.
        result: takes what is found out.
    """

    layout: Layout
    load: Load
    result: Result

    def wait(self, seconds: float) -> None:
        """Let alerts flow."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.load.check()
            self.layout.kubelet.check()
            time.sleep(0.1)

    def rest(self) -> None:
        """Wait until alerts come through as on any day."""
        began = time.monotonic()
        while not self.load.timed.all_within(AT_REST_SECONDS, time.monotonic() - CALM_SECONDS):
            if time.monotonic() - began > REST_SECONDS_MAX:
                self.result.facts["never_at_rest"] = True
                return
            self.wait(1.0)
        self.result.facts["at_rest_after_seconds"] = round(time.monotonic() - began, 1)


def run(name: str, plan: Plan, seed: int, act: Callable[[Act], None], brokers: int = 3) -> Result:
    """One run: start, calm, the act, calm, and then everything is counted."""
    result = Result(name, seed)
    began = time.monotonic()
    with running(plan, brokers) as layout:
        result.facts["start_seconds"] = round(time.monotonic() - began, 1)
        perform(layout, seed, act, result)
    result.facts["seconds"] = round(time.monotonic() - began, 1)
    return result


def perform(layout: Layout, seed: int, act: Callable[[Act], None], result: Result) -> None:
    """The act on a layout that runs, and the count. The layout has ended after it."""
    with Load(layout.site, seed, layout.doors) as load:
        doing = Act(layout, load, result)
        doing.wait(CALM_SECONDS)
        doing.rest()
        begin = time.monotonic()
        act(doing)
        end = time.monotonic()
        doing.wait(CALM_SECONDS)
    after = max(load.timed.due.values())
    result.facts["act_seconds"] = round(end - begin, 1)
    result.facts["calm_ms"] = percentiles(load.timed.delays(begin - CALM_SECONDS / 2, begin))
    result.facts["during_ms"] = percentiles(load.timed.delays(begin, end))
    if bar_ms := result.facts.get("p99_bar_ms"):
        result.facts["p99_bar_met"] = result.facts["during_ms"]["p99"] <= bar_ms
    result.facts["after_ms"] = percentiles(load.timed.delays(end, after))
    result.facts["longest_gap_seconds"] = round(longest_gap(list(load.timed.seen.values())), 1)
    layout.settle()
    count(layout, load, result)


def count(layout: Layout, load: Load, result: Result) -> None:
    """Judge what the topics hold: nothing lost, nothing twice, every record as the pure core says."""
    accounts = adopt(layout.site, load)
    for wrong in ("missing", "foreign"):
        if accounts[wrong]:
            result.faults.append(f"{accounts[wrong]} records of the load are {wrong} on the raw topics")
    doubled = [machine for machine, times in load.timed.opened.items() if times > 1]
    if doubled:
        result.faults.append(f"{len(doubled)} timed conditions opened more than one incident, {doubled[0]} first")
    verdict = check(layout.site)
    result.faults += verdict.said
    killed = [
        pod.name for pod in layout.kubelet.pods for each in pod.containers if each.process and each.process.killed
    ]
    if killed:
        result.faults.append(f"ended by SIGKILL after their grace period: {', '.join(killed)}")
    result.facts |= {
        "raw_records": sum(len(each) for (topic, _), each in layout.site.sent.items() if "raw" in topic),
        "posted": len(load.posted),
        "posted_again": len(load.refused),
        "sent_twice": accounts["twice"] + verdict.repeated_input,
        "timed": len(load.timed.due),
        "records_checked": verdict.records,
        "transactions": verdict.transactions,
        "restarts": sum(pod.restarts for pod in layout.kubelet.pods if not pod.owner.startswith("Job/")),
    }


def percentiles(delays: list[float]) -> dict[str, float]:
    """Milliseconds."""
    if not delays:
        return {}
    at = {name: delays[min(len(delays) - 1, int(len(delays) * share))] for name, share in (("p50", 0.5), ("p99", 0.99))}
    return {name: round(value * 1_000, 1) for name, value in (at | {"max": delays[-1]}).items()} | {
        "count": len(delays)
    }


def longest_gap(seen: list[float]) -> float:
    """The longest time in which no timed incident came."""
    ordered = sorted(seen)
    return max((after - before for before, after in pairwise(ordered)), default=0.0)


def ages(pods: list[Pod]) -> dict[str, float]:
    """Medians of how long pods took to stop and to be ready, seconds."""
    spans = {"stop": ("deleted", "ended"), "start": ("created", "ready")}
    found = {
        name: [pod.timeline[end] - pod.timeline[begin] for pod in pods if {begin, end} <= pod.timeline.keys()]
        for name, (begin, end) in spans.items()
    }
    return {name: round(median(each), 2) for name, each in found.items() if each}


# -- the acts


def rolling_restart(act: Act) -> None:
    """Everything is rolled, as by an upgrade: all workloads at once."""
    before = len(act.layout.kubelet.pods)
    act.layout.upgrade("second")
    act.result.facts["pods_seconds"] = ages(act.layout.kubelet.pods[before:]) | {
        "stop": ages(act.layout.kubelet.pods[:before]).get("stop", 0.0)
    }
    act.result.facts["rolled"] = len(act.layout.kubelet.pods) - before
    bar(act)


def rolling_by_stage(act: Act) -> None:
    """Everything is rolled, one workload after another."""
    before = len(act.layout.kubelet.pods)
    act.layout.upgrade("second", at_once=False)
    act.result.facts["rolled"] = len(act.layout.kubelet.pods) - before
    act.result.facts["pods_seconds"] = ages(act.layout.kubelet.pods[before:]) | {
        "stop": ages(act.layout.kubelet.pods[:before]).get("stop", 0.0)
    }
    bar(act)


def bar(act: Act) -> None:
    """Note the bar that the roll is held to; whether it was met is told when all that is timed has come."""
    act.result.facts["p99_bar_ms"] = P99_SECONDS_BAR * 1_000


def node_loss(act: Act) -> None:
    """One pod of each workload dies with its node, nothing is told to anybody; the pods come back elsewhere later."""
    now = time.monotonic()
    lost = [(each, each.running()[0]) for each in act.layout.workloads.values()]
    for _, pod in lost:
        pod.lose(now)
    act.wait(RESCHEDULED_SECONDS)
    fresh = [each.replace(pod) for each, pod in lost]
    act.layout.kubelet.wait_ready(fresh, READY_SECONDS_MAX)
    act.result.facts["lost_pods"] = len(lost)
    act.result.facts["all_ready_seconds"] = round(time.monotonic() - now, 1)


def broker_loss(act: Act) -> None:
    """One broker of three dies, and comes back with its data."""
    act.layout.brokers.kill(1)
    act.wait(BROKER_DOWN_SECONDS)
    act.layout.brokers.start(1)
    act.result.facts["broker_down_seconds"] = BROKER_DOWN_SECONDS


def bad_release(act: Act) -> None:
    """A release whose pods never become ready: each rollout stops at its first pod, and the others go on serving."""
    stuck = []
    for name in ("correlate", "gateway"):
        each = act.layout.workloads[name]
        good, pods = each.document, len(each.running())
        bad = annotated(good, "bad")
        container = bad["spec"]["template"]["spec"]["containers"][0]
        probe = container["readinessProbe"]
        container["readinessProbe"] = {**probe, "httpGet": {**probe["httpGet"], "path": "/never"}}
        container.pop("startupProbe", None)
        try:
            each.roll(bad, STUCK_SECONDS)
            act.result.faults.append(f"{name}: a release that never becomes ready was rolled out")
        except RolloutStuckError:
            stuck.append(name)
        serving = sum(pod.ready for pod in each.running())
        if serving < pods - 1:
            act.result.faults.append(f"{name}: {serving} of {pods} pods serve beside a bad release")
        each.roll(good)  # the rollback
    act.result.facts["stopped_rollouts"] = stuck


SCENARIOS: Final[dict[str, Callable[[Act], None]]] = {
    "rolling": rolling_restart,
    "rolling-by-stage": rolling_by_stage,
    "node-loss": node_loss,
    "broker-loss": broker_loss,
    "bad-release": bad_release,
}

"""The chart's layout, short: rolled under load, and then a node is lost. `python -m tests.cluster` does more of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from tests.cluster.__main__ import LEFT_OUT, RENDERED, as_text
from tests.cluster.layout import Plan
from tests.cluster.manifests import Manifests
from tests.cluster.scenarios import Act, node_loss, run

SEED: Final = 20261201


def roll_and_lose_a_node(act: Act) -> None:
    act.layout.upgrade("second")
    act.result.facts["rolled"] = sum(pod.gone and "deleted" in pod.timeline for pod in act.layout.kubelet.pods)
    node_loss(act)


def test_nothing_is_lost_or_doubled_while_the_layout_is_rolled_and_a_node_is_lost(tmp_path: Path) -> None:
    plan = Plan(Manifests.read(RENDERED), tmp_path, leave_out=LEFT_OUT)
    result = run("short", plan, SEED, roll_and_lose_a_node)
    sys.stdout.write(as_text(result) + "\n")
    assert result.holds, as_text(result)
    assert result.facts["rolled"] >= sum(plan.replicas.values())
    assert result.facts["restarts"] == 0, "a probe of the chart restarts what works"

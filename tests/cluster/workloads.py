"""Controllers of workloads: StatefulSets, Deployments and Jobs, as far as a rollout concerns them."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from itertools import count
from typing import Final

from tests.cluster.kubelet import Kubelet, share
from tests.cluster.manifests import Document
from tests.cluster.pod import Pod

LOOK_SECONDS: Final = 0.05
READY_SECONDS_MAX: Final = 300.0
JOB_SECONDS_MAX: Final = 300.0
JOB_TRIES: Final = 6
"""`backoffLimit` where the manifest says nothing."""
HOOK: Final = "helm.sh/hook"
HOOK_WEIGHT: Final = "helm.sh/hook-weight"

_NUMBERS = count(1)


class RolloutStuckError(Exception):
    """A rollout waits for a pod that does not become ready."""


class Workload(ABC):
    """Pods of one StatefulSet or Deployment.

    Attributes:
        name: of it; ``kind`` likewise.
        replicas: how many pods it keeps.
    """

    def __init__(self, kubelet: Kubelet, document: Document, replicas: int | None = None) -> None:
        self.kubelet = kubelet
        self.document = document
        self.kind: str = document["kind"]
        self.name: str = document["metadata"]["name"]
        self.owner = f"{self.kind}/{self.name}"
        self.replicas = int(document["spec"].get("replicas", 1)) if replicas is None else replicas
        self._stop = threading.Event()

    def pods(self) -> list[Pod]:
        return self.kubelet.of(self.owner)

    def running(self) -> list[Pod]:
        return [pod for pod in self.pods() if pod.running]

    def available(self, pod: Pod) -> bool:
        """Ready, and for as long as the manifest asks."""
        least = float(self.document["spec"].get("minReadySeconds", 0))
        ready_at = pod.timeline.get("ready", float("inf"))  # the probe says so a moment before it is written down
        return pod.ready and time.monotonic() - ready_at >= least

    def outdated(self) -> list[Pod]:
        """Pods of an older template, still wanted."""
        return [pod for pod in self.running() if pod.template != self.document["spec"]["template"]]

    def give_up(self) -> None:
        """End a rollout that waits, as `helm rollback` would before it begins its own."""
        self._stop.set()

    @abstractmethod
    def start(self) -> list[Pod]:
        """Make the pods; gives them without waiting."""

    @abstractmethod
    def replace(self, pod: Pod) -> Pod:
        """Make a pod for one that is lost."""

    def roll(self, document: Document, ready_seconds: float = READY_SECONDS_MAX) -> None:
        """Bring all pods to another template.

        Raises:
            RolloutStuckError: a pod of it was not ready in time; what serves was left as it is.
        """
        self.document = document
        self._stop.clear()
        self._roll(ready_seconds)

    @abstractmethod
    def _roll(self, ready_seconds: float) -> None:
        """Bring all pods to the template."""

    def _until_ready(self, pods: list[Pod], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not all(self.available(pod) for pod in pods):
            self.kubelet.check()
            if self._stop.is_set() or time.monotonic() > deadline:
                names = ", ".join(f"{pod.name} ({pod.restarts} restarts)" for pod in pods if not pod.ready)
                raise RolloutStuckError(f"{self.owner}: not ready: {names}")
            time.sleep(LOOK_SECONDS)


class StatefulSet(Workload):
    """Pods with names that stay: replaced in place, the highest ordinal first, one at a time."""

    def start(self) -> list[Pod]:
        made: list[Pod] = []
        in_order = self.document["spec"].get("podManagementPolicy", "OrderedReady") == "OrderedReady"
        for ordinal in range(self.replicas):
            made.append(self._make(ordinal))
            if in_order:
                self._until_ready(made, READY_SECONDS_MAX)
        return made

    def _make(self, ordinal: int) -> Pod:
        return self.kubelet.create(f"{self.name}-{ordinal}", self.owner, self.document["spec"]["template"])

    def replace(self, pod: Pod) -> Pod:
        return self._make(int(pod.name.rpartition("-")[2]))

    def _roll(self, ready_seconds: float) -> None:
        strategy = self.document["spec"].get("updateStrategy", {})
        if strategy.get("type", "RollingUpdate") != "RollingUpdate":
            return
        first = int(strategy.get("rollingUpdate", {}).get("partition", 0))
        for ordinal in range(self.replicas - 1, first - 1, -1):
            for pod in self.outdated():
                if pod.name == f"{self.name}-{ordinal}":
                    self.kubelet.delete(pod)
                    self._until_ready([self._make(ordinal)], ready_seconds)


class Deployment(Workload):
    """Pods with names of chance: new ones first, as far as the surge allows."""

    def start(self) -> list[Pod]:
        return [self._make() for _ in range(self.replicas)]

    def _make(self) -> Pod:
        return self.kubelet.create(f"{self.name}-{next(_NUMBERS):05x}", self.owner, self.document["spec"]["template"])

    def replace(self, pod: Pod) -> Pod:
        del pod
        return self._make()

    def _roll(self, ready_seconds: float) -> None:
        strategy = self.document["spec"].get("strategy", {})
        if strategy.get("type", "RollingUpdate") == "Recreate":
            for pod in self.outdated():
                self.kubelet.delete(pod)
            self._until_ready(self.start(), ready_seconds)
            return
        rolling = strategy.get("rollingUpdate") or {}
        surge = share(rolling.get("maxSurge", "25%"), self.replicas, up=True)
        unavailable = share(rolling.get("maxUnavailable", "25%"), self.replicas, up=False)
        deadline = time.monotonic() + ready_seconds
        while outdated := self.outdated():
            self.kubelet.check()
            running = self.running()
            fresh = [pod for pod in running if pod not in outdated]
            if len(fresh) < self.replicas and len(running) < self.replicas + surge:
                self._make()
                deadline = time.monotonic() + ready_seconds
                continue
            for pod in self._may_go(outdated, running, self.replicas - unavailable):
                pod.delete(time.monotonic())
            if self._stop.is_set() or time.monotonic() > deadline:
                raise RolloutStuckError(f"{self.owner}: not ready: {[pod.name for pod in fresh if not pod.ready]}")
            time.sleep(LOOK_SECONDS)
        self._until_ready(self.running(), ready_seconds)

    def _may_go(self, outdated: list[Pod], running: list[Pod], least: int) -> list[Pod]:
        """The next old pod that goes, if one may: so many are available without it.

        One that is not ready goes first, but not while a new one that is not either is all that would be in its
        place: Kubernetes' `cleanupUnhealthyReplicas` counts those as missing, too.
        """
        available = sum(self.available(pod) for pod in running)
        missing = sum(not self.available(pod) for pod in running if pod not in outdated)
        unready = [pod for pod in outdated if not pod.ready]
        if unready and len(running) - missing > least:
            return unready[:1]
        return [pod for pod in outdated if pod.ready][:1] if available > least else []


def workload(kubelet: Kubelet, document: Document, replicas: int | None = None) -> Workload:
    """The controller of a document."""
    return (StatefulSet if document["kind"] == "StatefulSet" else Deployment)(kubelet, document, replicas)


def run_hooks(kubelet: Kubelet, moment: str) -> list[str]:
    """Run the Jobs that stand before an installation or upgrade, in their order, each to its end.

    Args:
        kubelet: runs their pods.
        moment: ``pre-install`` or ``pre-upgrade``.

    Returns:
        Their names.

    Raises:
        AssertionError: one did not come to a good end in its tries.
    """
    hooked = []
    for job in kubelet.machine.manifests.of_kind("Job"):
        annotations = job["metadata"].get("annotations") or {}
        if moment in annotations.get(HOOK, moment).split(","):
            hooked.append((int(annotations.get(HOOK_WEIGHT, 0)), job["metadata"]["name"], job))
    for _, name, job in sorted(hooked, key=lambda each: each[:2]):
        _run_job(kubelet, name, job)
    return [name for _, name, _ in sorted(hooked, key=lambda each: each[:2])]


def _run_job(kubelet: Kubelet, name: str, job: Document) -> None:
    """Run a Job: a pod after another until one ends well."""
    pod: Pod | None = None
    for _ in range(1 + int(job["spec"].get("backoffLimit", JOB_TRIES))):
        pod = kubelet.create(f"{name}-{next(_NUMBERS):05x}", f"Job/{name}", job["spec"]["template"])
        deadline = time.monotonic() + float(job["spec"].get("activeDeadlineSeconds", JOB_SECONDS_MAX))
        while not pod.exit_codes():
            kubelet.check()
            assert time.monotonic() < deadline, f"job {name} does not end: {pod.said()}"
            time.sleep(LOOK_SECONDS)
        code = pod.exit_codes()[0]
        kubelet.delete(pod)
        if code == 0:
            return
    raise AssertionError(f"job {name} fails: {pod.said() if pod else ''}")

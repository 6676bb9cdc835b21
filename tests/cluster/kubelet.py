"""A kubelet, as far as it concerns one release: pods, probes, restarts, endings, endpoints of services, evictions.

One thread looks at every pod many times a second. Controllers (`tests.cluster.workloads`) ask for pods and wait.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import ceil, floor
from typing import Final, Self

from tests.cluster.manifests import Document, ManifestError, matches
from tests.cluster.pod import Machine, Pod
from tests.support import wait_until

LOOK_SECONDS: Final = 0.05
ENDPOINT_SECONDS: Final = 1.0
"""From the moment in which a pod is told to go until every client's node knows: what a ``preStop`` pause is for."""
GONE_SECONDS_MAX: Final = 10.0


class EvictionRefusedError(Exception):
    """A PodDisruptionBudget allows no eviction now."""


class Kubelet:
    """Pods of one release on this machine, for the time of a ``with`` block.

    Attributes:
        machine: where and with what they run.
        pods: all that were ever made, in their order.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.pods: list[Pod] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kubelet")
        self._failure: Exception | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for pod in self.living():
            pod.lose(time.monotonic())

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            now = time.monotonic()
            try:
                for pod in self.living():
                    pod.advance(now)
            except ManifestError as error:
                self._failure = error
                return

    def living(self) -> list[Pod]:
        """Pods that are not gone."""
        with self._lock:
            return [pod for pod in self.pods if not pod.gone]

    def create(self, name: str, owner: str, template: Document) -> Pod:
        """Make a pod; its processes start with the next look.

        Raises:
            ManifestError: what Kubernetes would not start either.
        """
        assert all(pod.name != name for pod in self.living()), f"pod {name} is there"
        pod = Pod(self.machine, name, owner, template)
        pod.timeline["created"] = time.monotonic()
        with self._lock:
            self.pods.append(pod)
        return pod

    def of(self, owner: str) -> list[Pod]:
        """Living pods of a workload."""
        return [pod for pod in self.living() if pod.owner == owner]

    def delete(self, pod: Pod) -> None:
        """Tell a pod to go, and wait until it is gone."""
        pod.delete(time.monotonic())
        wait_until(lambda: pod.gone, pod.grace_seconds + GONE_SECONDS_MAX, f"pod {pod.name} is gone")

    def wait_ready(self, pods: list[Pod], seconds: float) -> None:
        """Wait until pods are ready.

        Raises:
            AssertionError: they are not; with the end of what the first of them said.
        """
        deadline = time.monotonic() + seconds
        while waiting := [pod for pod in pods if not pod.ready]:
            self.check()
            if time.monotonic() > deadline:
                names = ", ".join(pod.name for pod in waiting)
                raise AssertionError(f"not ready within {seconds:g} s: {names}; the first said: {waiting[0].said()}")
            time.sleep(LOOK_SECONDS)

    def check(self) -> None:
        """Raise what has ended the kubelet itself."""
        if self._failure is not None:
            raise self._failure

    # -- services and budgets

    def endpoints(self, service: str, port: str | int) -> list[int]:
        """Ports on this machine behind a service, as a client's node knows them now.

        Raises:
            ManifestError: no such service or port.
        """
        document = self.machine.manifests.get("Service", service)
        ports = document["spec"]["ports"]
        found = [each for each in ports if port in (each["port"], each.get("name"))]
        if not found:
            raise ManifestError(f"service {service} has no port {port}")
        target = found[0].get("targetPort", found[0]["port"])
        return [
            container.ports[target]
            for pod in self.living()
            if matches(document["spec"]["selector"], pod.labels) and _is_known_ready(pod)
            for container in pod.containers
            if target in container.ports
        ]

    def evict(self, pod: Pod) -> None:
        """Tell a pod to go if its budgets allow it, as `kubectl drain` does.

        Raises:
            EvictionRefusedError: they do not.
        """
        for budget in self.machine.manifests.of_kind("PodDisruptionBudget"):
            selector = budget["spec"]["selector"]
            if matches(selector, pod.labels):
                peers = [each for each in self.living() if matches(selector, each.labels)]
                if _healthy(peers) - 1 < _needed(budget["spec"], len(peers)) and pod.ready:
                    raise EvictionRefusedError(f"{budget['metadata']['name']} allows no eviction of {pod.name}")
        pod.delete(time.monotonic())

    def with_manifests(self, machine: Machine) -> None:
        """What pods that are made from now on refer to."""
        self.machine = replace(machine, pool=self.machine.pool)


def _is_known_ready(pod: Pod) -> bool:
    if pod.deleted_at is None:
        return pod.ready
    return (
        "ready" in pod.timeline and time.monotonic() - pod.deleted_at < ENDPOINT_SECONDS and "lost" not in pod.timeline
    )


def _healthy(pods: list[Pod]) -> int:
    return sum(pod.ready for pod in pods)


def _needed(spec: Document, expected: int) -> int:
    if "maxUnavailable" in spec:
        return expected - share(spec["maxUnavailable"], expected, up=True)
    return share(spec.get("minAvailable", 0), expected, up=True)


def share(said: int | str, of: int, *, up: bool) -> int:
    """A number, or a percentage of another, as Kubernetes rounds it there."""
    if isinstance(said, int):
        return said
    exact = int(said.rstrip("%")) * of / 100
    return ceil(exact) if up else floor(exact)


def pool() -> ThreadPoolExecutor:
    """What runs probes and hooks: more than there are pods, for a hook may pause for long."""
    return ThreadPoolExecutor(32, thread_name_prefix="probe")

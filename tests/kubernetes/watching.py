"""Pods of a namespace as the API server tells of them, one event after another, so that no moment is missed."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from tests.kubernetes.control_plane import ControlPlane

COMPONENT: Final = "app.kubernetes.io/component"
STREAM_SECONDS_MAX: Final = 1_800
"""Of one watch: longer than any scenario."""

Pod = dict[str, Any]


class NeverError(Exception):
    """A condition was not met in time; the message says which, and how pods were."""


def is_ready(pod: Pod) -> bool:
    """Whether a budget counts it: ready, and not on its way out."""
    if "deletionTimestamp" in pod["metadata"]:
        return False
    conditions = pod.get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


class Tally:
    """What was seen of pods: how many were ready at least, how many there were at most, in which order they went.

    Attributes:
        pods: by name, as they are now.
        least: component -> the lowest count of ready pods since the last `begin`; ``most`` the highest of all pods.
        gone: names of pods in the order in which their end began.
    """

    def __init__(self) -> None:
        self.pods: dict[str, Pod] = {}
        self.least: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self.gone: list[str] = []

    def begin(self) -> None:
        """Forget what was; what is now counts."""
        self.least, self.most, self.gone = {}, {}, []
        self._count()

    def see(self, event: dict[str, Any]) -> None:
        """One event of a watch."""
        pod = event["object"]
        if event["type"] not in ("ADDED", "MODIFIED", "DELETED"):
            return
        name = pod["metadata"]["name"]
        before = self.pods.pop(name, None)
        known = before is not None and before["metadata"]["uid"] == pod["metadata"]["uid"]
        going = event["type"] == "DELETED" or "deletionTimestamp" in pod["metadata"]
        if going and known and before is not None and "deletionTimestamp" not in before["metadata"]:
            self.gone.append(name)
        if event["type"] != "DELETED":
            self.pods[name] = pod
        self._count()

    def ready(self) -> dict[str, int]:
        """Component -> how many pods of it are ready."""
        found: dict[str, int] = defaultdict(int)
        for pod in self.pods.values():
            found[pod["metadata"]["labels"].get(COMPONENT, "")] += is_ready(pod)
        return dict(found)

    def _count(self) -> None:
        now = self.ready()
        for component in {*now, *self.least}:
            self.least[component] = min(self.least.get(component, now.get(component, 0)), now.get(component, 0))
        counts: dict[str, int] = defaultdict(int)
        for pod in self.pods.values():
            if "deletionTimestamp" not in pod["metadata"]:
                counts[pod["metadata"]["labels"].get(COMPONENT, "")] += 1
        for component, count in counts.items():
            self.most[component] = max(self.most.get(component, 0), count)


class Watch:
    """A watch that runs beside."""

    def __init__(self, plane: ControlPlane, namespace: str) -> None:
        self.tally = Tally()
        self._changed = threading.Condition()
        path = f"/api/v1/namespaces/{namespace}/pods?watch=1&timeoutSeconds={STREAM_SECONDS_MAX}"
        self._stream = plane.open(path, timeout=STREAM_SECONDS_MAX)
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        try:
            for line in self._stream:
                with self._changed:
                    self.tally.see(json.loads(line))
                    self._changed.notify_all()
        except (OSError, ValueError, AttributeError):  # the stream was closed
            return

    def begin(self) -> None:
        """What is seen counts from now."""
        with self._changed:
            self.tally.begin()

    def until(self, met: Callable[[Tally], bool], what: str, seconds: float) -> None:
        """Wait for a condition; it is asked after every event.

        Raises:
            NeverError: it was not met in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: met(self.tally), seconds):
                raise NeverError(f"{what}: not within {seconds:.0f} s; ready: {self.tally.ready()}")

    def close(self) -> None:
        """End it."""
        self._stream.fp.raw._sock.shutdown(2) if hasattr(self._stream.fp, "raw") else None
        self._thread.join(timeout=5.0)


@contextmanager
def watching(plane: ControlPlane, namespace: str) -> Iterator[Watch]:
    """A watch of a namespace's pods, for as long as the block lasts."""
    watch = Watch(plane, namespace)
    try:
        yield watch
    finally:
        watch.close()

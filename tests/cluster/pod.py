"""A pod as plain processes: its environment, volumes and ports from the manifest; probed, restarted and ended."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, Final

from pipeline.kafka.ports import free_ports
from tests.cluster import volumes
from tests.cluster.manifests import Document, ManifestError, Manifests, PodFacts, environment, expanded
from tests.cluster.probes import Probe, handler
from tests.cluster.process import Process

GRACE_SECONDS: Final = 30.0
"""`terminationGracePeriodSeconds` where the manifest says nothing."""
BACKOFF_SECONDS: Final = 10.0
BACKOFF_SECONDS_MAX: Final = 300.0
LOG_CHARACTERS: Final = 2_000
_PROBES: Final = ("startupProbe", "readinessProbe", "livenessProbe")


@dataclass(frozen=True)
class Machine:
    """What stands for a node: where files are, which addresses and programs replace the image's.

    Attributes:
        place: directory of all pods.
        manifests: hold what pods refer to.
        addresses: environment variable -> value, of those that the manifests set and that name an address.
        entrypoint: of the image, where a container names no command.
        programs: first word of a command -> the words that stand for it here.
        pool: runs probes and hooks.
    """

    place: Path
    manifests: Manifests
    addresses: Mapping[str, str]
    pool: ThreadPoolExecutor
    entrypoint: tuple[str, ...] = ("spillway",)
    programs: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {"spillway": (sys.executable, "-m", "pipeline"), "python": (sys.executable,)}
    )
    namespace: str = "spillway"


class Container:
    """One container of a pod, over all its restarts.

    Attributes:
        name: as the manifest has it.
        ports: declared port, by name and by number -> port on this machine.
        restarts: how often it was started again.
        exits: exit codes of its former runs.
    """

    def __init__(self, machine: Machine, pod: Pod, said: Document) -> None:
        self.name: str = said["name"]
        self._machine, self._pod, self._said = machine, pod, said
        self._root: Path = pod.place / self.name
        self.log: Path = pod.place / f"{self.name}.log"
        self.ports = _ports(said)
        self._paths = volumes.mount(pod.spec, said, self._root, machine.manifests)
        self._given = environment(said, pod.facts, machine.manifests)
        self.environment = self._environment()
        self._argv = self.argv([*(said.get("command") or machine.entrypoint), *said.get("args", ())])
        self._hook = self._handler((said.get("lifecycle") or {}).get("preStop"))
        self.process: Process | None = None
        self._probes: dict[str, Probe] = {}
        self.restarts = 0
        self.exits: list[int] = []
        self._start_at = 0.0
        self._started_at = 0.0
        self._backoff = 0.0

    def _environment(self) -> dict[str, str]:
        replaced = {name: self._here(name, value) for name, value in self._given.items()}
        # The image's own: the interpreter finds the product, and files go where the manifest mounts something.
        image = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "HOME": "/nowhere"}
        temporary = {"TMPDIR": self._paths["/tmp"]} if "/tmp" in self._paths else {}  # noqa: S108 the manifest's
        return image | temporary | replaced

    def _here(self, name: str, value: str) -> str:
        """A value of the environment, with addresses and paths of this machine."""
        if name in self._machine.addresses:
            return self._machine.addresses[name]
        if name.endswith("_PORT") and value.isdecimal() and int(value) in self.ports:
            return str(self.ports[int(value)])
        return self._path(value)

    def _path(self, text: str) -> str:
        for mounted, place in self._paths.items():
            if text == mounted or text.startswith(mounted.rstrip("/") + "/"):
                return place + text[len(mounted.rstrip("/")) :]
        return text

    def argv(self, command: list[str]) -> list[str]:
        """A command of the manifest, as one of this machine."""
        words = [expanded(str(word), self.environment) for word in command]
        first = self._machine.programs.get(Path(words[0]).name, (words[0],))
        return [*first, *(self._path(self._with_port(word)) for word in words[1:])]

    def _with_port(self, word: str) -> str:
        found = re.fullmatch(r"(.*:)(\d+)(/.*)?", word)
        if found is None or int(found[2]) not in self.ports:
            return word
        return f"{found[1]}{self.ports[int(found[2])]}{found[3] or ''}"

    def _handler(self, said: Document | None) -> Callable[[float], bool] | None:
        if said is None:
            return None
        if "sleep" in said:
            return partial(_sleep, float(said["sleep"]["seconds"]))
        return handler(said, self.ports, self.argv, self.environment)

    def start(self, now: float) -> None:
        """Run it, and probe it from now on."""
        self.process = Process(self._argv, self.environment, self._root_directory(), self.log)
        self._started_at = now
        self._probes = {}
        for kind in _PROBES:
            if (said := self._said.get(kind)) is not None:
                ask = self._handler(said)
                assert ask is not None
                self._probes[kind] = Probe(said, ask, now)

    def _root_directory(self) -> Path:
        self._root.mkdir(parents=True, exist_ok=True)
        return self._root

    @property
    def started(self) -> bool:
        """It runs, and its startup probe has passed, where it has one."""
        return self.process is not None and self.process.exit_code is None and self._passes("startupProbe")

    @property
    def ready(self) -> bool:
        """It has started, and its readiness probe passes, where it has one."""
        return self.started and self._passes("readinessProbe")

    def _passes(self, kind: str) -> bool:
        return kind not in self._probes or self._probes[kind].passing is True

    def advance(self, now: float) -> None:
        """Probe it, restart it where it ended or a probe says so."""
        if self.process is None:
            if now >= self._start_at:
                self.start(now)
            return
        self.process.advance(now)
        if self.process.exit_code is not None:
            self._ended(now)
            return
        pool = self._machine.pool
        for kind, probe in self._probes.items():
            if kind == "startupProbe" or self._passes("startupProbe"):
                if kind == "startupProbe" and probe.passing:
                    continue
                probe.advance(now, pool)
        if self.started:
            self.process.take_share()
        if any(self._fails(kind) for kind in ("startupProbe", "livenessProbe")):
            self.ask_to_end(now)

    def _fails(self, kind: str) -> bool:
        return kind in self._probes and self._probes[kind].passing is False

    def _ended(self, now: float) -> None:
        """Start it again: at once the first time, later with a pause that doubles, as a kubelet does."""
        assert self.process is not None
        assert self.process.exit_code is not None
        self.exits.append(self.process.exit_code)
        self.process, self._probes = None, {}
        if now - self._started_at > 2 * BACKOFF_SECONDS_MAX:
            self._backoff = 0.0
        if self._pod.spec.get("restartPolicy", "Always") != "Always":  # a Job's: its controller makes another pod
            self._start_at = inf
            return
        self._start_at = now + self._backoff
        self._backoff = min(BACKOFF_SECONDS_MAX, max(BACKOFF_SECONDS, 2 * self._backoff))
        self.restarts += 1

    def ask_to_end(self, now: float) -> None:
        """Begin to end it, with the pod's grace period."""
        if self.process is not None:
            self.process.ask(now, self._pod.grace_seconds, self._hook, self._machine.pool)

    def said(self) -> str:
        """The end of what it said."""
        return self.log.read_text(errors="replace")[-LOG_CHARACTERS:] if self.log.exists() else ""


class Pod:
    """One pod.

    Attributes:
        name: of it.
        owner: kind and name of its workload.
        labels: of it.
        spec: of it.
        containers: in their order.
        deleted_at: when it was told to go, seconds of the monotonic clock; None: it was not.
        gone: it has ended for good.
        timeline: what happened when, seconds of the monotonic clock, for reports.
    """

    def __init__(self, machine: Machine, name: str, owner: str, template: Document) -> None:
        self.name, self.owner = name, owner
        self.spec: dict[str, Any] = template["spec"]
        self.template = template
        self.facts = PodFacts(name, template, machine.namespace)
        self.labels = self.facts.labels
        self.grace_seconds = float(self.spec.get("terminationGracePeriodSeconds", GRACE_SECONDS))
        self.place = machine.place / name
        shutil.rmtree(self.place, ignore_errors=True)  # emptyDirs go with their pod
        self.place.mkdir(parents=True)
        if self.spec.get("initContainers"):
            raise ManifestError(f"pod {name} has init containers, which this kubelet does not run")
        self.containers = [Container(machine, self, said) for said in self.spec["containers"]]
        self.deleted_at: float | None = None
        self.gone = False
        self.timeline: dict[str, float] = {}

    @property
    def running(self) -> bool:
        return not self.gone and self.deleted_at is None

    @property
    def ready(self) -> bool:
        """All its containers are ready, and nobody has told it to go."""
        return self.running and all(each.ready for each in self.containers)

    @property
    def restarts(self) -> int:
        return sum(each.restarts for each in self.containers)

    def advance(self, now: float) -> None:
        """One look of the kubelet."""
        if self.gone:
            return
        if self.deleted_at is None:
            for each in self.containers:
                each.advance(now)
            if "ready" not in self.timeline and self.ready:
                self.timeline["ready"] = now
            return
        for each in self.containers:
            each.ask_to_end(now)
            if each.process is not None:
                each.process.advance(now)
        if all(each.process is None or each.process.exit_code is not None for each in self.containers):
            self._end(now)

    def delete(self, now: float) -> None:
        """Tell it to go."""
        if self.deleted_at is None:
            self.deleted_at = now
            self.timeline["deleted"] = now

    def lose(self, now: float) -> None:
        """Its node is gone: nothing is told to anybody."""
        for each in self.containers:
            if each.process is not None:
                each.process.kill()
        self.deleted_at = now
        self.timeline["lost"] = now
        self._end(now)

    def _end(self, now: float) -> None:
        self.timeline["ended"] = now
        self.gone = True
        for each in self.containers:
            if each.process is not None and each.process.exit_code is not None:
                each.exits.append(each.process.exit_code)

    def exit_codes(self) -> list[int]:
        """Of all runs of its containers."""
        return [code for each in self.containers for code in each.exits]

    def said(self) -> str:
        return "\n".join(each.said() for each in self.containers)


def _sleep(seconds: float, limit: float) -> bool:
    time.sleep(min(seconds, limit))
    return True


def _ports(said: Document) -> dict[str | int, int]:
    declared = said.get("ports", ())
    free = free_ports(len(declared))
    ports: dict[str | int, int] = {}
    for port, here in zip(declared, free, strict=True):
        ports[port["containerPort"]] = here
        if "name" in port:
            ports[port["name"]] = here
    return ports

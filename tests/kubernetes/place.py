"""A cluster for the chart: six nodes in three zones, the operators' definitions, and namespaces that enforce."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.deploy.manifests import Manifest, parse
from tests.kubernetes import definitions
from tests.kubernetes.client import Client
from tests.kubernetes.control_plane import ControlPlane, node, running
from tests.kubernetes.watching import COMPONENT, Watch, watching
from tools.generate_deploy import CHART, RELEASE

NAMESPACE: Final = RELEASE
ZONES: Final = ("a", "b", "c")
NODES_PER_ZONE: Final = 2

READY_SECONDS_MAX: Final = 240.0
"""Until all pods of a release are ready: the largest example has 50, and each is replaced after five seconds of the
chart's `minReadySeconds`."""

RESTRICTED: Final = {
    f"pod-security.kubernetes.io/{mode}{part}": value
    for mode in ("enforce", "warn", "audit")
    for part, value in (("", "restricted"), ("-version", "latest"))
}
"""What breaks the level is refused, and what would is warned of where it stands in a workload."""


UNASKED: Final = ("events", "endpoints")
"""Kinds that no release leaves behind: what was told ends by itself, and EndpointSlices are what was Endpoints."""


@dataclass(slots=True)
class Result:
    """What one scenario came to.

    Attributes:
        faults: what must not be, in words; empty where all holds.
        facts: what was counted.
    """

    scenario: str
    faults: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        return not self.faults

    def require(self, holds: bool, otherwise: str) -> None:
        """Note a fault where something does not hold."""
        if not holds:
            self.faults.append(otherwise)


@dataclass(frozen=True, slots=True)
class Place:
    """What scenarios act in.

    Attributes:
        plane: the control plane; client: an administrator's tools; zones: node -> its zone.
    """

    plane: ControlPlane
    client: Client
    zones: Mapping[str, str]

    @contextmanager
    def namespace(self, name: str = NAMESPACE) -> Iterator[Watch]:
        """A namespace of the level `restricted`, and a watch of its pods; it and all in it is removed at the end."""
        self.client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})
        self.client.cluster("-n", name, "wait", "--for=create", "--timeout=30s", "serviceaccount/default")
        try:
            with watching(self.plane, name) as watch:
                yield watch
        finally:
            self.client.say([str(self.client.kubectl), "delete", "namespace", name, "--timeout=120s"])

    def provide(self, claim: str, namespace: str = NAMESPACE) -> None:
        """Make a claim and its volume; the volume of a claim that is gone is bound to nobody else."""
        self.client.cluster("delete", "pv", claim, "--ignore-not-found", "--timeout=60s")
        self.client.apply(*volume(namespace, claim))

    def install(self, values: Sequence[Path], *more: str, release: str = RELEASE, namespace: str = NAMESPACE) -> str:
        """``helm install`` as a person does it, and what it says."""
        given = [word for each in values for word in ("-f", str(each))]
        return self.client.release("-n", namespace, "install", release, str(CHART), *given, *more)

    def manifest(self, release: str = RELEASE, namespace: str = NAMESPACE, *more: str) -> list[Manifest]:
        """What a release holds, hooks left out."""
        return parse(self.client.release("-n", namespace, "get", "manifest", release, *more))

    def pods(self, namespace: str = NAMESPACE) -> list[Any]:
        """Pods of the chart that are there."""
        return self.client.list("pods", "-n", namespace, "-l", "app.kubernetes.io/part-of=spillway")

    def spread(self, namespace: str = NAMESPACE) -> dict[str, dict[str, int]]:
        """Component -> zone -> pods."""
        found: dict[str, Counter[str]] = {}
        for pod in self.pods(namespace):
            component = pod["metadata"]["labels"][COMPONENT]
            counted = found.setdefault(component, Counter(dict.fromkeys(ZONES, 0)))
            counted[self.zones[pod["spec"]["nodeName"]]] += 1
        return {component: dict(counted) for component, counted in sorted(found.items())}


@contextmanager
def prepared(programs: Mapping[str, Path], helm: Path, directory: Path) -> Iterator[Place]:
    """A cluster with nodes and definitions, for as long as the block lasts."""
    with running(programs, directory) as plane:
        client = Client(programs["kubectl"], helm, plane.kubeconfig("admin"), directory)
        zones = {f"node-{zone}{number}": zone for zone in ZONES for number in range(1, NODES_PER_ZONE + 1)}
        client.apply(*(node(name, zone) for name, zone in zones.items()))
        made = definitions.all_of_them()
        client.apply(*made)
        client.cluster(
            "wait",
            "--for=condition=Established",
            "--timeout=60s",
            *(f"crd/{each['metadata']['name']}" for each in made),
        )
        client.cluster("wait", "--for=condition=Ready", "--timeout=60s", "node", "--all")
        client.apply(
            {
                "apiVersion": "scheduling.k8s.io/v1",
                "kind": "PriorityClass",
                "metadata": {"name": "high"},
                "value": 1_000,
            }
        )
        yield Place(plane, client, zones)


def wanted(documents: Sequence[Manifest]) -> dict[str, int]:
    """Component -> pods that its controllers have to make: a scaler that is there says more than the workload."""
    least = {
        each["spec"]["scaleTargetRef"]["name"]: int(each["spec"]["minReplicas"])
        for each in documents
        if each["kind"] == "HorizontalPodAutoscaler"
    }
    found = {}
    for each in documents:
        if each["kind"] in ("StatefulSet", "Deployment"):
            name = each["metadata"]["name"]
            found[each["metadata"]["labels"][COMPONENT]] = least.get(name, int(each["spec"].get("replicas", 1)))
    return found


def kinds(documents: Sequence[Manifest]) -> dict[str, str]:
    """Component -> the kind of its workload."""
    return {
        each["metadata"]["labels"][COMPONENT]: each["kind"]
        for each in documents
        if each["kind"] in ("StatefulSet", "Deployment")
    }


def all_ready(watch: Watch, counts: Mapping[str, int], what: str) -> None:
    """Wait until each component has as many ready pods as it should, and none beside."""

    def met(tally: Any) -> bool:
        ready = {name: count for name, count in tally.ready().items() if count}
        running_pods = [each for each in tally.pods.values() if each["status"].get("phase") not in ("Succeeded",)]
        return bool(ready == dict(counts) and len(running_pods) == sum(counts.values()))

    watch.until(met, what, READY_SECONDS_MAX)


def left_over(place: Place, namespace: str = NAMESPACE, release: str = RELEASE) -> list[str]:
    """Objects of a release that are still there, of every kind that the server can list."""
    names = place.client.cluster("api-resources", "--namespaced", "--verbs=list", "-o", "name").split()
    chosen = ",".join(each for each in names if each not in UNASKED and not each.startswith("events."))
    selector = f"app.kubernetes.io/instance={release}"
    collected = "pods,replicasets,controllerrevisions,endpointslices,jobs"
    place.client.cluster("-n", namespace, "wait", "--for=delete", "--timeout=60s", collected, "-l", selector)
    found = place.client.list(chosen, "-n", namespace, "-l", selector)
    found += place.client.list("secrets", "-n", namespace, "-l", f"owner=helm,name={release}")
    return sorted(f"{each['kind']}/{each['metadata']['name']}" for each in found)


def volume(namespace: str, claim: str) -> list[Manifest]:
    """A claim that a company has made before, and the volume that it is bound to."""
    meta = {"name": claim, "namespace": namespace}
    size = {"storage": "1Gi"}
    common = {"accessModes": ["ReadOnlyMany"], "storageClassName": "", "volumeName": claim}
    driver = {"driver": "nfs.csi.k8s.io", "volumeHandle": claim}
    reference = {"namespace": namespace, "name": claim}
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": claim},
            "spec": {"accessModes": ["ReadOnlyMany"], "capacity": size, "csi": driver, "claimRef": reference},
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": meta,
            "spec": {**common, "resources": {"requests": size}},
        },
    ]


def secret(name: str, namespace: str, **values: str) -> Manifest:
    """A Secret of the company's own."""
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": json.loads(json.dumps(values))}

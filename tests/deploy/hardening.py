"""Ten checks over what the chart makes, in the words of the Pod Security Standards and of kube-linter.

Each takes the documents of a release and gives sentences on what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from tests.deploy.manifests import Manifest, Pod, of_kind, pods, selects

Check = Callable[[Sequence[Manifest]], Iterator[str]]

LABELS: Final = ("name", "instance", "component", "version", "part-of")
"""Of the recommended labels of Kubernetes, below ``app.kubernetes.io/``."""


def runs_as_nobody_special(documents: Sequence[Manifest]) -> Iterator[str]:
    """Non-root by a numeric user, no privileges, no capabilities, the runtime's seccomp profile."""
    for pod in pods(documents):
        context = pod.spec.get("securityContext", {})
        if not (context.get("runAsNonRoot") and context.get("runAsUser", 0) > 0):
            yield f"{pod.name} may run as root"
        if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{pod.name} has no seccomp profile"
        if any(pod.spec.get(each) for each in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{pod.name} shares the host's namespaces"
        for each in pod.containers():
            own = each.get("securityContext", {})
            if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
                yield f"{pod.name} {each['name']} may gain privileges"
            if own.get("capabilities") != {"drop": ["ALL"]}:
                yield f"{pod.name} {each['name']} keeps capabilities"


def writes_nothing_of_its_own(documents: Sequence[Manifest]) -> Iterator[str]:
    """The root file system is read-only, and what is mounted for writing is bounded and on no host."""
    for pod in pods(documents):
        for each in pod.containers():
            if each.get("securityContext", {}).get("readOnlyRootFilesystem") is not True:
                yield f"{pod.name} {each['name']} may write its root file system"
            if "/tmp" not in {mount["mountPath"] for mount in each.get("volumeMounts", ())}:  # noqa: S108  # a mount
                yield f"{pod.name} {each['name']} has no /tmp to write to"
        for volume in pod.spec.get("volumes", ()):
            if "hostPath" in volume:
                yield f"{pod.name} mounts {volume['name']} from the host"
            if "emptyDir" in volume and not volume["emptyDir"].get("sizeLimit"):
                yield f"{pod.name} fills {volume['name']} without a limit"


def says_what_it_needs(documents: Sequence[Manifest]) -> Iterator[str]:
    """Requests of CPU and memory, and a limit of memory that is the request: nobody is killed for another's growth."""
    for pod in pods(documents):
        for each in pod.containers():
            resources = each.get("resources", {})
            requests, limits = resources.get("requests", {}), resources.get("limits", {})
            if not {"cpu", "memory"} <= set(requests):
                yield f"{pod.name} {each['name']} requests no CPU or no memory"
            if limits.get("memory") is None or limits["memory"] != requests.get("memory"):
                yield f"{pod.name} {each['name']} has no limit of memory, or another than it requests"


def is_probed(documents: Sequence[Manifest]) -> Iterator[str]:
    """Startup, liveness and readiness, on a port that the container names; jobs end by themselves."""
    paths = {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    for pod in pods(documents):
        for each in () if pod.is_job or pod.is_toolbox else pod.spec["containers"]:
            ports = {port["name"] for port in each.get("ports", ())}
            for probe, path in paths.items():
                asked = each.get(probe, {}).get("httpGet", {})
                if asked.get("path") != path or asked.get("port") not in ports:
                    yield f"{pod.name} {each['name']}: {probe} does not ask {path} on a port of its own"


def survives_a_drain(documents: Sequence[Manifest]) -> Iterator[str]:
    """One budget for each workload that serves, one pod at a time; unhealthy ones without state hold nothing up."""
    budgets = of_kind(documents, "PodDisruptionBudget")
    for pod in pods(documents):
        mine = [each for each in budgets if selects(each["spec"]["selector"], pod.labels)]
        single = pod.owner["spec"].get("replicas") == 1 and not mine
        if not pod.is_job and not single and len(mine) != 1:
            yield f"{pod.name} has {len(mine)} budgets and needs one"
        for each in mine:
            if each["spec"].get("maxUnavailable") != 1:
                yield f"{pod.name} may lose several pods at once"
            restores = pod.owner["kind"] == "StatefulSet"
            wanted = "IfHealthyBudget" if restores else "AlwaysAllow"
            if each["spec"].get("unhealthyPodEvictionPolicy") != wanted:
                yield f"{pod.name} {'is evicted while it restores' if restores else 'holds up a drain while unhealthy'}"


def is_spread(documents: Sequence[Manifest]) -> Iterator[str]:
    """Over hosts and zones, counted by labels that its own pods have."""
    for pod in pods(documents):
        if pod.is_job or pod.owner["spec"].get("replicas") == 1:
            continue
        mine = [
            each["topologyKey"]
            for each in pod.spec.get("topologySpreadConstraints", ())
            if selects(each["labelSelector"], pod.labels) and each["labelSelector"].get("matchLabels")
        ]
        if not {"topology.kubernetes.io/zone", "kubernetes.io/hostname"} <= set(mine):
            yield f"{pod.name} is not spread over zones and hosts"


def runs_what_was_tested(documents: Sequence[Manifest]) -> Iterator[str]:
    """Images by digest, or by a tag that is a version."""
    for pod in pods(documents):
        for each in pod.containers():
            if not re.search(r"(@sha256:[0-9a-f]{64}|:v?[0-9]+\.[0-9]+\.[0-9]+[A-Za-z0-9.-]*)$", each["image"]):
                yield f"{pod.name} {each['name']} runs {each['image']}, which is another one tomorrow"


def reaches_only_what_it_must(documents: Sequence[Manifest]) -> Iterator[str]:
    """Every pod is denied everything by one policy, and no rule of another allows all."""
    policies = of_kind(documents, "NetworkPolicy")
    denying = [each for each in policies if not (each["spec"].get("ingress") or each["spec"].get("egress"))]
    for pod in pods(documents):
        covered = any(
            selects(each["spec"]["podSelector"], pod.labels)
            and set(each["spec"]["policyTypes"]) == {"Ingress", "Egress"}
            for each in denying
        )
        if not covered:
            yield f"{pod.name} is denied nothing by default"
    for each in policies:
        for rule in (*each["spec"].get("ingress", ()), *each["spec"].get("egress", ())):
            if not rule.get("ports"):
                yield f"NetworkPolicy/{each['metadata']['name']} allows every port"


def has_no_key_to_the_cluster(documents: Sequence[Manifest]) -> Iterator[str]:
    """An account of its own, and no token of it."""
    for pod in pods(documents):
        if pod.spec.get("automountServiceAccountToken") is not False:
            yield f"{pod.name} has a token of the cluster"
        if pod.spec.get("serviceAccountName", "default") == "default":
            yield f"{pod.name} shares the namespace's account"
    for account in of_kind(documents, "ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield f"ServiceAccount/{account['metadata']['name']} hands out tokens"
    for kind in ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"):
        for each in of_kind(documents, kind):
            yield f"{kind}/{each['metadata']['name']} gives rights that nothing here uses"


def is_labelled(documents: Sequence[Manifest]) -> Iterator[str]:
    """With the recommended labels, and each selector means pods of its own workload alone."""
    for each in documents:
        found = each["metadata"].get("labels", {})
        if missing := [label for label in LABELS if f"app.kubernetes.io/{label}" not in found]:
            yield f"{each['kind']}/{each['metadata']['name']} has no label {missing[0]}"
    everyone = pods(documents)
    for pod in everyone:
        selector = pod.owner["spec"].get("selector")
        if selector is not None:
            yield from _selected(pod, everyone, selector)


def _selected(pod: Pod, everyone: Sequence[Pod], selector: Manifest) -> Iterator[str]:
    if not selects(selector, pod.labels):
        yield f"{pod.name} does not select its own pods"
    for other in everyone:
        if other is not pod and selects(selector, other.labels):
            yield f"{pod.name} selects the pods of {other.name}"


CHECKS: Final[tuple[Check, ...]] = (
    runs_as_nobody_special,
    writes_nothing_of_its_own,
    says_what_it_needs,
    is_probed,
    survives_a_drain,
    is_spread,
    runs_what_was_tested,
    reaches_only_what_it_must,
    has_no_key_to_the_cluster,
    is_labelled,
)

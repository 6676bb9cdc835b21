"""The ten hardening checks over every pod of every example, and proof that each of them can fail."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import pytest

from tests.deploy import hardening
from tests.deploy.hardening import CHECKS, Check
from tests.deploy.manifests import Manifest, of_kind, pods
from tools.generate_deploy import examples

NAMES = (*(each.stem for each in examples()), "everything")

Documents = list[Manifest]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_every_example_is_hardened(manifests: dict[str, Documents], name: str, check: Check) -> None:
    assert list(check(manifests[name])) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_example_has_pods_to_check(manifests: dict[str, Documents], name: str) -> None:
    assert len(pods(manifests[name])) >= 3


def _pod(documents: Documents) -> Manifest:
    found: Manifest = of_kind(documents, "StatefulSet")[0]["spec"]["template"]["spec"]
    return found


def _container(documents: Documents) -> Manifest:
    found: Manifest = _pod(documents)["containers"][0]
    return found


def _budget(documents: Documents) -> Manifest:
    found: Manifest = of_kind(documents, "PodDisruptionBudget")[0]["spec"]
    return found


def _open_policy(documents: Documents) -> None:
    (policy,) = [each for each in of_kind(documents, "NetworkPolicy") if "egress" not in each["spec"]]
    policy["spec"]["policyTypes"] = ["Ingress"]


def _every_port(documents: Documents) -> None:
    (policy,) = [each for each in of_kind(documents, "NetworkPolicy") if each["metadata"]["name"].endswith("-console")]
    policy["spec"]["egress"].append({"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]})


def _no_budgets(documents: Documents) -> None:
    documents[:] = [each for each in documents if each["kind"] != "PodDisruptionBudget"]


def _others_selected(documents: Documents) -> None:
    selector = of_kind(documents, "StatefulSet")[0]["spec"]["selector"]
    selector["matchLabels"].pop("app.kubernetes.io/component")


BREAKS: list[tuple[Check, str, Callable[[Documents], object]]] = [
    (hardening.runs_as_nobody_special, "root", lambda d: _pod(d)["securityContext"].update(runAsUser=0)),
    (hardening.runs_as_nobody_special, "seccomp", lambda d: _pod(d)["securityContext"].pop("seccompProfile")),
    (hardening.runs_as_nobody_special, "host", lambda d: _pod(d).update(hostNetwork=True)),
    (
        hardening.runs_as_nobody_special,
        "privileged",
        lambda d: _container(d)["securityContext"].update(privileged=True),
    ),
    (hardening.runs_as_nobody_special, "capabilities", lambda d: _container(d)["securityContext"].pop("capabilities")),
    (
        hardening.writes_nothing_of_its_own,
        "root file system",
        lambda d: _container(d)["securityContext"].update(readOnlyRootFilesystem=False),
    ),
    (hardening.writes_nothing_of_its_own, "no /tmp", lambda d: _container(d).update(volumeMounts=[])),
    (
        hardening.writes_nothing_of_its_own,
        "host path",
        lambda d: _pod(d)["volumes"].append({"name": "x", "hostPath": {"path": "/"}}),
    ),
    (
        hardening.writes_nothing_of_its_own,
        "no size",
        lambda d: _pod(d)["volumes"].append({"name": "x", "emptyDir": {}}),
    ),
    (hardening.says_what_it_needs, "no request", lambda d: _container(d)["resources"]["requests"].pop("cpu")),
    (hardening.says_what_it_needs, "no limit", lambda d: _container(d)["resources"].pop("limits")),
    (hardening.says_what_it_needs, "another", lambda d: _container(d)["resources"]["limits"].update(memory="9Gi")),
    (hardening.is_probed, "no liveness", lambda d: _container(d).pop("livenessProbe")),
    (
        hardening.is_probed,
        "another port",
        lambda d: _container(d)["readinessProbe"]["httpGet"].update(port="elsewhere"),
    ),
    (hardening.survives_a_drain, "several", lambda d: _budget(d).update(maxUnavailable=2)),
    (hardening.survives_a_drain, "unhealthy", lambda d: _budget(d).pop("unhealthyPodEvictionPolicy")),
    (hardening.survives_a_drain, "none", _no_budgets),
    (hardening.is_spread, "no spread", lambda d: _pod(d).pop("topologySpreadConstraints")),
    (hardening.runs_what_was_tested, "latest", lambda d: _container(d).update(image="spillway:latest")),
    (hardening.runs_what_was_tested, "no tag", lambda d: _container(d).update(image="registry.example:5000/spillway")),
    (hardening.reaches_only_what_it_must, "egress is open", _open_policy),
    (hardening.reaches_only_what_it_must, "every port", _every_port),
    (hardening.has_no_key_to_the_cluster, "token", lambda d: _pod(d).pop("automountServiceAccountToken")),
    (hardening.has_no_key_to_the_cluster, "default", lambda d: _pod(d).pop("serviceAccountName")),
    (
        hardening.has_no_key_to_the_cluster,
        "rights",
        lambda d: d.append({"kind": "Role", "metadata": {"name": "all", "labels": {}}}),
    ),
    (hardening.is_labelled, "no labels", lambda d: d[0]["metadata"].pop("labels")),
    (hardening.is_labelled, "others", _others_selected),
]


@pytest.mark.parametrize(
    ("check", "breaks"), [(check, breaks) for check, _, breaks in BREAKS], ids=[b[1] for b in BREAKS]
)
def test_a_check_notices_what_it_is_for(
    manifests: dict[str, Documents], check: Check, breaks: Callable[[Documents], object]
) -> None:
    broken = deepcopy(manifests["medium"])
    breaks(broken)
    assert list(check(broken))


def test_every_check_is_shown_to_fail() -> None:
    assert {check for check, _, _ in BREAKS} == set(CHECKS)

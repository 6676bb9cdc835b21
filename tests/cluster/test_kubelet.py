"""The kubelet of these tests is strict enough: what Kubernetes would refuse, restart or kill, it does."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import volumes
from tests.cluster.kubelet import EvictionRefusedError, Kubelet, pool
from tests.cluster.layout import annotated
from tests.cluster.manifests import Document, ManifestError, Manifests
from tests.cluster.pod import Machine, Pod
from tests.cluster.workloads import Deployment, RolloutStuckError, StatefulSet, run_hooks
from tests.support import wait_until

LABELS = {"app": "web"}
SECONDS_MAX = 20.0


def template(env: dict[str, Any] | None = None, **more: Any) -> Document:
    """A pod of the small server, with probes that answer within a second."""
    given = {"WEB_PORT": "8000", "POD": {"fieldRef": {"fieldPath": "metadata.name"}}} | (env or {})
    container = {
        "name": "web",
        "command": ["python", "-m", "tests.cluster.web"],
        "env": [
            {"name": name, ("valueFrom" if isinstance(value, dict) else "value"): value}
            for name, value in given.items()
        ],
        "ports": [{"name": "http", "containerPort": 8000}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 0.1, "failureThreshold": 1},
        **more.pop("container", {}),
    }
    spec = {"terminationGracePeriodSeconds": 5, "containers": [container], **more}
    return {"metadata": {"labels": LABELS}, "spec": spec}


def document(kind: str, replicas: int, env: dict[str, Any] | None = None, **more: Any) -> Document:
    return {
        "kind": kind,
        "metadata": {"name": "web"},
        "spec": {"replicas": replicas, "template": template(env), **more},
    }


@pytest.fixture
def kubelet(tmp_path: Path) -> Iterator[Kubelet]:
    with pool() as hands, Kubelet(Machine(tmp_path / "pods", Manifests([]), {}, hands)) as made:
        yield made


def with_documents(kubelet: Kubelet, *documents: Document) -> None:
    machine = kubelet.machine
    kubelet.with_manifests(Machine(machine.place, Manifests(list(documents)), {}, machine.pool))


def ready(kubelet: Kubelet, *pods: Pod) -> None:
    kubelet.wait_ready(list(pods), SECONDS_MAX)


def ask(pod: Pod, name: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{pod.containers[0].ports['http']}/env/{name}") as answer:
        return str(answer.read().decode())


def test_a_container_gets_what_its_manifest_says_and_nothing_of_this_machine(
    kubelet: Kubelet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAKED", "from the machine")
    secret = {"kind": "Secret", "metadata": {"name": "keys"}, "stringData": {"token": "s3cret"}}
    settings = {"kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"A": "a"}}
    with_documents(kubelet, secret, settings)
    env = {"TOKEN": {"secretKeyRef": {"name": "keys", "key": "token"}}, "WHO": "I am $(POD) with $(NOBODY)"}
    made = template(env, container={"envFrom": [{"configMapRef": {"name": "settings"}, "prefix": "X_"}]})
    pod = kubelet.create("web-0", "", made)
    ready(kubelet, pod)
    found = {name: ask(pod, name) for name in ("TOKEN", "WHO", "X_A", "LEAKED")}
    assert found == {"TOKEN": "s3cret", "WHO": "I am web-0 with $(NOBODY)", "X_A": "a", "LEAKED": ""}


@pytest.mark.parametrize(
    "wrong",
    [
        template({"TOKEN": {"secretKeyRef": {"name": "keys", "key": "token"}}}),
        template({"WHERE": {"fieldRef": {"fieldPath": "spec.nothing"}}}),
        template(container={"volumeMounts": [{"name": "config", "mountPath": "/etc/x"}]}),
        template(volumes=[{"name": "config", "configMap": {"name": "gone"}}])
        | {
            "spec": template(
                volumes=[{"name": "c", "configMap": {"name": "gone"}}],
                container={"volumeMounts": [{"name": "c", "mountPath": "/x"}]},
            )["spec"]
        },
    ],
    ids=["no secret", "no field", "no volume", "no config map"],
)
def test_a_reference_that_leads_nowhere_starts_nothing(kubelet: Kubelet, wrong: Document) -> None:
    with pytest.raises(ManifestError):
        kubelet.create("web-0", "", wrong)


def test_a_probe_of_a_port_that_is_not_declared_is_an_error(kubelet: Kubelet) -> None:
    wrong = template(container={"readinessProbe": {"httpGet": {"path": "/ready", "port": "metrics"}}})
    kubelet.create("web-0", "", wrong)
    with pytest.raises(ManifestError, match="metrics"):
        wait_until(kubelet.check, SECONDS_MAX, "the kubelet's refusal")


def test_a_config_map_changes_as_a_whole(tmp_path: Path) -> None:
    volumes.swap(tmp_path, {"feeds.yaml": b"1", "catalog/shop.yaml": b"1"})
    volumes.swap(tmp_path, {"feeds.yaml": b"2", "domains/shop.yaml": b"2"})
    visible = {
        str(path.relative_to(tmp_path)): path.read_bytes()
        for path in tmp_path.rglob("*.yaml")
        if not str(path.relative_to(tmp_path)).startswith("..")
    }
    assert (tmp_path / "feeds.yaml").read_bytes() == b"2"
    assert (tmp_path / "domains" / "shop.yaml").read_bytes() == b"2"
    assert not (tmp_path / "catalog").exists()
    assert visible["feeds.yaml"] == b"2"


def test_a_container_that_is_not_alive_any_more_is_restarted(kubelet: Kubelet) -> None:
    alive = {"httpGet": {"path": "/alive", "port": "http"}, "periodSeconds": 0.1, "failureThreshold": 2}
    pod = kubelet.create("web-0", "", template({"ALIVE_FOR": "0.5"}, container={"livenessProbe": alive}))
    wait_until(lambda: pod.restarts, SECONDS_MAX, "a restart")
    assert pod.exit_codes() == [0]


def test_a_startup_probe_that_gives_up_too_early_keeps_a_container_from_ever_serving(kubelet: Kubelet) -> None:
    starts = {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 0.1, "failureThreshold": 3}
    pod = kubelet.create("web-0", "", template({"READY_AFTER": "60"}, container={"startupProbe": starts}))
    wait_until(lambda: pod.restarts, SECONDS_MAX, "a restart")
    assert not pod.ready


def test_a_container_that_does_not_end_in_its_grace_period_is_killed(kubelet: Kubelet, tmp_path: Path) -> None:
    env = {"STOP_AFTER": "60", "LIFE": str(tmp_path / "life")}
    pod = kubelet.create("web-0", "", template(env, terminationGracePeriodSeconds=1))
    ready(kubelet, pod)
    kubelet.delete(pod)
    process = pod.containers[0].process
    assert process is not None
    assert process.killed
    assert (tmp_path / "life").read_text().splitlines() == ["web-0 started", "web-0 asked"]


def test_the_pause_before_the_end_is_part_of_the_grace_period(kubelet: Kubelet) -> None:
    pause = {"preStop": {"sleep": {"seconds": 1}}}
    pod = kubelet.create("web-0", "", template(container={"lifecycle": pause}))
    ready(kubelet, pod)
    begin = time.monotonic()
    kubelet.delete(pod)
    assert 1 <= time.monotonic() - begin < 5
    assert pod.exit_codes() == [0]


def test_a_stateful_set_is_rolled_one_by_one_from_the_last_under_the_same_names(
    kubelet: Kubelet, tmp_path: Path
) -> None:
    env = {"LIFE": str(tmp_path / "life")}
    web = StatefulSet(kubelet, document("StatefulSet", 3, env, podManagementPolicy="Parallel"))
    ready(kubelet, *web.start())
    (tmp_path / "life").unlink()
    web.roll(annotated(web.document, "again"))
    lines = (tmp_path / "life").read_text().split("\n")[:-1]
    assert lines == [f"web-{ordinal} {what}" for ordinal in (2, 1, 0) for what in ("asked", "stopped", "started")]


def test_a_deployment_is_rolled_without_ever_having_less_than_it_should(
    kubelet: Kubelet, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = Deployment(
        kubelet, document("Deployment", 2, strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})
    )
    ready(kubelet, *web.start())
    before = set(web.running())
    least: list[int] = []
    monkeypatch.setattr(kubelet, "check", lambda: least.append(sum(pod.ready for pod in web.running())))
    web.roll(annotated(web.document, "again"))
    assert min(least) >= 2
    assert not before & set(web.running())


def test_a_release_that_never_becomes_ready_stops_at_its_first_pod(kubelet: Kubelet) -> None:
    web = StatefulSet(kubelet, document("StatefulSet", 2, podManagementPolicy="Parallel"))
    ready(kubelet, *web.start())
    bad = document("StatefulSet", 2, {"READY_AFTER": "60"})
    with pytest.raises(RolloutStuckError, match="web-1"):
        web.roll(bad, ready_seconds=1.0)
    assert [pod.name for pod in web.running() if pod.ready] == ["web-0"]


def test_an_old_pod_that_is_unwell_for_a_moment_does_not_go_for_a_new_one_that_never_serves(kubelet: Kubelet) -> None:
    strategy = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    web = Deployment(kubelet, document("Deployment", 1, {"READY_FOR": "1"}, strategy=strategy))
    ready(kubelet, *web.start())
    (old,) = web.running()
    wait_until(lambda: not old.ready, SECONDS_MAX, "it is unwell")
    with pytest.raises(RolloutStuckError):
        web.roll(document("Deployment", 1, {"READY_AFTER": "60"}, strategy=strategy), ready_seconds=1.0)
    assert old in web.running()


def test_a_budget_keeps_pods_from_being_evicted_together(kubelet: Kubelet) -> None:
    budget = {
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": LABELS}},
    }
    with_documents(kubelet, budget)
    pods = [kubelet.create(f"web-{number}", "", template()) for number in range(2)]
    ready(kubelet, *pods)
    kubelet.evict(pods[0])
    with pytest.raises(EvictionRefusedError):
        kubelet.evict(pods[1])


def test_a_service_leads_to_a_pod_until_clients_can_know_that_it_goes(kubelet: Kubelet) -> None:
    service = {
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": LABELS, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
    }
    with_documents(kubelet, service)
    pod = kubelet.create("web-0", "", template({"STOP_AFTER": "4"}))
    assert kubelet.endpoints("web", "http") == []
    ready(kubelet, pod)
    pod.delete(time.monotonic())
    assert kubelet.endpoints("web", 80) == [pod.containers[0].ports["http"]]
    wait_until(lambda: not kubelet.endpoints("web", 80), SECONDS_MAX, "the endpoint is gone")


def test_a_job_that_fails_is_tried_again_and_then_fails_the_upgrade(kubelet: Kubelet, tmp_path: Path) -> None:
    env = {"EXIT": "3", "LIFE": str(tmp_path / "life")}
    job = {
        "kind": "Job",
        "metadata": {"name": "topics", "annotations": {"helm.sh/hook": "pre-upgrade"}},
        "spec": {"backoffLimit": 1, "template": template(env, restartPolicy="Never")},
    }
    with_documents(kubelet, job)
    assert run_hooks(kubelet, "pre-install") == []
    with pytest.raises(AssertionError, match="topics"):
        run_hooks(kubelet, "pre-upgrade")
    assert len((tmp_path / "life").read_text().splitlines()) == 2

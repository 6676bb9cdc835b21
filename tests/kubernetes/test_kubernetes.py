"""What judges the chart on a cluster judges rightly; the cluster itself is minutes: python -m tests.kubernetes."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.manifests import Manifest
from tests.kubernetes import binaries, definitions
from tests.kubernetes.client import Client, RefusedError, warnings
from tests.kubernetes.documented import NOT_RUN, PLAIN, REFUSED, TENANTS, collected, reason, whom
from tests.kubernetes.place import Result, wanted
from tests.kubernetes.scenarios import EVICTED, HELD_BACK, judge_roll
from tests.kubernetes.watching import Tally


def pod(name: str, *, ready: bool = True, going: bool = False, uid: str = "") -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "uid": uid or name}
    metadata["labels"] = {"app.kubernetes.io/component": name.split("-")[1]}
    if going:
        metadata["deletionTimestamp"] = "2026-12-01T12:00:00Z"
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {"metadata": metadata, "status": {"conditions": conditions}}


def seen(*events: tuple[str, dict[str, Any]]) -> Tally:
    tally = Tally()
    for number in range(3):
        tally.see({"type": "ADDED", "object": pod(f"spillway-dedupe-{number}")})
    tally.begin()
    for kind, document in events:
        tally.see({"type": kind, "object": document})
    return tally


def replaced(number: int) -> list[tuple[str, dict[str, Any]]]:
    name = f"spillway-dedupe-{number}"
    return [
        ("MODIFIED", pod(name, going=True)),
        ("DELETED", pod(name, going=True)),
        ("ADDED", pod(name, ready=False, uid=f"{name}'")),
        ("MODIFIED", pod(name, uid=f"{name}'")),
    ]


def judged(tally: Tally) -> list[str]:
    result = Result("roll")
    judge_roll(result, "upgrade", tally, {"dedupe": 3}, {"dedupe": "StatefulSet"})
    return result.faults


def test_a_roll_one_by_one_from_the_highest_ordinal_holds() -> None:
    tally = seen(*replaced(2), *replaced(1), *replaced(0))
    assert judged(tally) == []
    assert (tally.least, tally.most) == ({"dedupe": 2}, {"dedupe": 3})


def test_a_roll_that_takes_two_at_once_or_begins_at_the_lowest_is_noticed() -> None:
    first, second = replaced(2), replaced(1)
    both = seen(first[0], second[0], *first[1:], *second[1:], *replaced(0))
    assert judged(both) == ["upgrade: dedupe fell to 1 ready of 3"]
    (fault,) = judged(seen(*replaced(0), *replaced(1), *replaced(2)))
    assert "was replaced in the order" in fault


def test_one_pod_too_many_is_noticed() -> None:
    tally = seen(("ADDED", pod("spillway-dedupe-3")), *replaced(2), *replaced(1), *replaced(0))
    assert judged(tally) == ["upgrade: dedupe grew to 4 pods of 3"]


def test_warnings_of_the_server_are_told_from_what_tools_say() -> None:
    said = """\
W1201 12:13:14.123456   12345 warnings.go:70] would violate PodSecurity "restricted:latest": privileged
I1201 12:13:14.123456   12345 loader.go:395] Config loaded from file
Warning: v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice
pod/spillway-dedupe-0 evicted
"""
    assert [line.split(" ")[0] for line in warnings(said)] == ["W1201", "Warning:"]


def test_a_command_that_succeeds_with_a_warning_is_refused(tmp_path: Path) -> None:
    client = Client(Path("kubectl"), Path("helm"), tmp_path / "kubeconfig", tmp_path)
    script = "import sys; sys.stderr.write('Warning: deprecated')"
    with pytest.raises(RefusedError, match="exit 0: Warning: deprecated"):
        client.must([sys.executable, "-c", script])


def test_what_drain_says_of_budgets_is_understood() -> None:
    said = (
        'error when evicting pods/"spillway-dedupe-0" -n "spillway" (will retry after 5s): '
        "Cannot evict pod as it would violate the pod's disruption budget."
    )
    assert HELD_BACK.findall(said) == ["spillway-dedupe-0"]
    assert EVICTED.findall("evicting pod spillway/a\npod/a evicted\n") == ["a"]


def test_scalers_decide_how_many_pods_are_wanted() -> None:
    def made(kind: str, name: str, **spec: Any) -> Manifest:
        labels = {"app.kubernetes.io/component": name}
        return {"kind": kind, "metadata": {"name": f"spillway-{name}", "labels": labels}, "spec": spec}

    reference = {"kind": "Deployment", "name": "spillway-ingest"}
    documents = [
        made("StatefulSet", "dedupe", replicas=3),
        made("Deployment", "ingest"),
        made("HorizontalPodAutoscaler", "ingest", scaleTargetRef=reference, minReplicas=6),
        made("Deployment", "record"),
    ]
    assert wanted(documents) == {"dedupe": 3, "ingest": 6, "record": 1}


def test_definitions_for_the_server_forbid_nothing_and_name_every_field() -> None:
    for definition in definitions.strimzi():
        (version,) = definition["spec"]["versions"]
        schema = version["schema"]["openAPIV3Schema"]
        assert "additionalProperties" not in str(schema)
        assert set(schema["properties"]) == {"spec"}
        assert definition["metadata"]["name"] == f"{definition['spec']['names']['plural']}.kafka.strimzi.io"


def test_every_command_of_the_documentation_is_run_or_has_a_reason_that_is_needed() -> None:
    texts = [each.text for each in collected()]
    assert len(texts) > 40
    assert [begins for begins, _ in NOT_RUN if not any(re.match(begins, text) for text in texts)] == []
    assert len([text for text in texts if reason(text) is None]) > len(texts) / 2
    assert [text for text in texts if PLAIN.match(text)]
    assert [text for text in texts if TENANTS.search(text)]
    assert all(any(re.match(each, text) for text in texts) for each in REFUSED)


def test_whom_a_command_means_is_read_from_it() -> None:
    assert whom("kubectl -n a exec deployment/b -- spillway health") == ("a", ["deployment/b"])
    assert whom("kubectl -n a logs -l x=y --tail=3") == ("a", ["pods", "-l", "x=y"])
    assert whom("kubectl -n a logs POD --previous") == ("a", ["pod/POD"])
    assert whom("kubectl -n a get pods") is None


def test_versions_are_pinned_and_stamped() -> None:
    found = binaries.versions()
    assert all(re.fullmatch(r"v\d+\.\d+\.\d+", each) for each in found.values()), found
    assert "gitVersion=v1.37.2" in binaries.stamp("v1.37.2")
    text = (binaries.MODULE / "go.mod").read_text()
    replaced_by = set(re.findall(r"(?m)^\tk8s\.io/\S+ => k8s\.io/\S+ (v\S+)$", text))
    assert replaced_by == {found["k8s.io/kubernetes"].replace("v1.", "v0.", 1)}


def test_a_directory_without_programs_says_how_to_build_them(tmp_path: Path) -> None:
    with pytest.raises(binaries.BinariesError, match=r"has no etcd, .*python -m tests\.kubernetes\.binaries"):
        binaries.found(tmp_path)


def test_stages_of_the_stand_in_for_kubelets_are_well_formed() -> None:
    text = (Path(__file__).parent / "stages.yaml").read_text()
    kinds = [(each["kind"], each["spec"]["resourceRef"]["kind"]) for each in yaml.safe_load_all(text)]
    assert kinds == [("Stage", "Node"), *([("Stage", "Pod")] * 4)]

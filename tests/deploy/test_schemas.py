"""Every manifest is what Kubernetes and the operators take: no field missing, none too many."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.deploy import schemas
from tests.deploy.manifests import Manifest, of_kind
from tests.deploy.test_hardening import NAMES
from tools.deploy import fetch_tools

NAME = re.compile(r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")
LABEL = re.compile(r"^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$")

Documents = list[Manifest]
Definitions = dict[tuple[str, str], Draft202012Validator]


@pytest.fixture(scope="session")
def operators() -> Definitions:
    """Definitions of KEDA, the Prometheus operator and Strimzi."""
    return {**schemas.definitions_in(fetch_tools.definitions()), **schemas.STRIMZI}


@pytest.mark.parametrize("version", schemas.VERSIONS)
@pytest.mark.parametrize("name", NAMES)
def test_kubernetes_takes_every_manifest(manifests: dict[str, Documents], name: str, version: str) -> None:
    found = []
    for document in manifests[name]:
        validator = schemas.of_kubernetes(version, document["apiVersion"], document["kind"])
        if validator is not None:
            where = f"{document['kind']}/{document['metadata']['name']}"
            found += [f"{where}: {problem}" for problem in schemas.problems(validator, document)]
    assert found == []


@pytest.mark.parametrize("name", NAMES)
def test_operators_take_every_object_of_theirs(
    manifests: dict[str, Documents], operators: Definitions, name: str
) -> None:
    found = []
    for document in manifests[name]:
        key = (document["apiVersion"], document["kind"])
        if schemas.of_kubernetes(schemas.VERSIONS[-1], *key) is None:
            assert key in operators, f"{key} is neither of Kubernetes nor of an operator that is known here"
            where = f"{document['kind']}/{document['metadata']['name']}"
            found += [f"{where}: {problem}" for problem in schemas.problems(operators[key], document)]
    assert found == []


@pytest.mark.parametrize("name", NAMES)
def test_names_and_labels_are_what_kubernetes_takes(manifests: dict[str, Documents], name: str) -> None:
    for document in manifests[name]:
        assert NAME.match(document["metadata"]["name"]), document["metadata"]["name"]
        for label, value in document["metadata"]["labels"].items():
            assert LABEL.match(value), f"{label}: {value}"


@pytest.mark.parametrize("name", NAMES)
def test_no_object_is_there_twice(manifests: dict[str, Documents], name: str) -> None:
    found = [
        (each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]) for each in manifests[name]
    ]
    assert len(found) == len(set(found)), sorted(each for each in found if found.count(each) > 1)


def test_all_kinds_that_the_chart_knows_are_judged(manifests: dict[str, Documents]) -> None:
    kinds = {each["kind"] for documents in manifests.values() for each in documents}
    assert kinds >= {
        *("StatefulSet", "Deployment", "Job", "Service", "Ingress", "ConfigMap", "ServiceAccount"),
        *("PodDisruptionBudget", "NetworkPolicy", "HorizontalPodAutoscaler"),
        *("KafkaTopic", "KafkaUser", "PodMonitor", "ServiceMonitor", "PrometheusRule"),
        *("ScaledObject", "TriggerAuthentication"),
    }


BROKEN: list[tuple[str, str, dict[str, Any]]] = [
    ("medium", "StatefulSet", {"replica": 3}),
    ("medium", "KafkaUser", {"authentication": {"type": "plain"}}),
    ("medium", "KafkaTopic", {"partition": 3}),
    ("medium", "PodMonitor", {"podMetricsEndpoint": []}),
    ("large", "ScaledObject", {"maxReplicas": 3}),
    ("large", "TriggerAuthentication", {"secretTargetRefs": []}),
]


@pytest.mark.parametrize(("name", "kind", "change"), BROKEN, ids=[kind for _, kind, _ in BROKEN])
def test_a_misspelt_field_is_noticed(
    manifests: dict[str, Documents], operators: Definitions, name: str, kind: str, change: dict[str, Any]
) -> None:
    broken = deepcopy(of_kind(manifests[name], kind)[0])
    key = (broken["apiVersion"], kind)
    validator = schemas.of_kubernetes(schemas.VERSIONS[-1], *key) or operators[key]
    assert schemas.problems(validator, broken) == []
    broken["spec"].update(change)
    assert schemas.problems(validator, broken)

"""The manifest of a watch in another cluster: valid, hardened as all, of commands and settings that exist."""

from __future__ import annotations

import pytest

from pipeline.kafka.grants import grants_of
from pipeline.settings import Settings
from tests.deploy import schemas
from tests.deploy.hardening import CHECKS, Check
from tests.deploy.manifests import Manifest, parse, pods
from tests.deploy.test_agreement import environment, parse_command
from tools.deploy import fetch_tools
from tools.generate_deploy import DEPLOY

DOCUMENTS = parse((DEPLOY / "k8s" / "watch" / "watch.yaml").read_text())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda each: f"{each['kind']}/{each['metadata']['name']}")
def test_kubernetes_and_the_operator_take_it(document: Manifest) -> None:
    key = (document["apiVersion"], document["kind"])
    for version in schemas.VERSIONS:
        validator = schemas.of_kubernetes(version, *key)
        validator = validator or schemas.definitions_in(fetch_tools.definitions())[key]
        assert schemas.problems(validator, document) == []


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_it_is_hardened_as_every_pod_is(check: Check) -> None:
    assert list(check(DOCUMENTS)) == []


def test_its_command_and_its_settings_exist() -> None:
    (pod,) = pods(DOCUMENTS)
    (container,) = pod.containers()
    parse_command(container["args"])
    settings = Settings.from_environment(environment(pod, container))
    assert settings.kafka_username == settings.group("watch")  # as the chart calls the user
    assert grants_of(settings, "watch")
    assert pod.spec["terminationGracePeriodSeconds"] > settings.stop_seconds

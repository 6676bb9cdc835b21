"""Two tenants on one Kafka: neither names, nor may reach, what is the other's."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from itertools import permutations
from typing import Any, Final, NamedTuple

import pytest
import yaml

from pipeline.kafka.grants import INTERNAL_TOPICS
from tests.deploy.manifests import Manifest, of_kind, pods
from tools.generate_deploy import TENANT, examples, release

Documents = list[Manifest]

TENANTS: Final = tuple(release(each) for each in examples() if each.stem.startswith(TENANT))
PAIRS: Final = pytest.mark.parametrize(("one", "other"), list(permutations(TENANTS, 2)))

SEEN_BY_ALL: Final = {
    ("topic", name, operation) for name in INTERNAL_TOPICS for operation in ("Describe", "DescribeConfigs")
}
"""Kafka's own topics, of which everybody may read how they are kept, and nobody what they hold."""


class Acl(NamedTuple):
    """What a user may. Attributes: kind: of the resource; prefixed: its name is the beginning of many."""

    kind: str
    name: str
    prefixed: bool
    operations: tuple[str, ...]

    def reaches(self, name: str) -> bool:
        """Whether it opens a resource of its kind that is called so."""
        return name.startswith(self.name) if self.prefixed else name == self.name

    def meets(self, other: Acl) -> bool:
        """Whether some resource, there or not, is opened by both."""
        if self.kind != other.kind:
            return False
        return self.reaches(other.name) or other.reaches(self.name)


def acls(documents: Documents) -> Iterator[Acl]:
    """Of all users of a tenant."""
    for user in of_kind(documents, "KafkaUser"):
        for acl in user["spec"]["authorization"]["acls"]:
            resource = acl["resource"]
            prefixed = resource.get("patternType") == "prefix"
            yield Acl(resource["type"], resource.get("name", ""), prefixed, tuple(acl["operations"]))


def topics(documents: Documents) -> set[str]:
    """Names on the brokers."""
    return {each["spec"]["topicName"] for each in of_kind(documents, "KafkaTopic")}


def variables(documents: Documents, name: str) -> set[str]:
    """What a variable is in all containers."""
    containers = [each for pod in pods(documents) for each in pod.containers()]
    return {each["value"] for container in containers for each in container["env"] if each["name"] == name}


def secrets(documents: Documents) -> set[str]:
    """Names of the Secrets that pods and ingresses are given."""

    def walk(document: Any) -> Iterator[str]:
        if isinstance(document, list):
            for each in document:
                yield from walk(each)
        elif isinstance(document, dict):
            for key, value in document.items():
                if key == "secretName":
                    yield value
                elif key in ("secretKeyRef", "secretRef"):
                    yield value["name"]
                else:
                    yield from walk(value)

    return set(walk(documents))


def of(manifests: dict[str, Documents], tenant: str) -> Documents:
    """A tenant's manifests."""
    return manifests[f"{TENANT}{tenant}"]


def crossed(mine: Documents, theirs: Documents) -> list[str]:
    """Rights by which one tenant's users reach what is another's, or could come to be, the cluster itself among it."""
    found = [f"cluster: {', '.join(each.operations)}" for each in acls(mine) if each.kind == "cluster"]
    return found + [
        f"{a.kind} {a.name}{'*' if a.prefixed else ''} and {b.name}{'*' if b.prefixed else ''}: {operation}"
        for a in acls(mine)
        for b in acls(theirs)
        for operation in a.operations
        if a.meets(b) and (a.kind, a.name, operation) not in SEEN_BY_ALL
    ]


def test_there_are_two_tenants() -> None:
    assert TENANTS == ("acme", "globex")


@PAIRS
def test_tenants_share_no_topic_and_no_name_of_an_object(manifests: dict[str, Documents], one: str, other: str) -> None:
    mine, theirs = of(manifests, one), of(manifests, other)
    assert topics(mine)
    assert all(each.startswith(f"{one}.") for each in topics(mine))
    assert topics(mine).isdisjoint(topics(theirs))
    assert {each["metadata"]["name"] for each in mine}.isdisjoint(each["metadata"]["name"] for each in theirs)


@PAIRS
def test_no_prefix_of_one_tenant_begins_one_of_another(manifests: dict[str, Documents], one: str, other: str) -> None:
    for name in ("SPILLWAY_APP_ID", "SPILLWAY_TOPIC_PREFIX"):
        (mine,), (theirs,) = variables(of(manifests, one), name), variables(of(manifests, other), name)
        assert not theirs.startswith(mine)


@PAIRS
def test_no_right_of_one_tenant_reaches_what_is_anothers(manifests: dict[str, Documents], one: str, other: str) -> None:
    mine, theirs = of(manifests, one), of(manifests, other)
    kinds = {each.kind for each in acls(mine)}
    assert kinds >= {"topic", "group", "transactionalId"}
    assert crossed(mine, theirs) == []
    assert [each for each in acls(mine) if each.kind == "topic" and any(map(each.reaches, topics(theirs)))] == []


@PAIRS
def test_tenants_share_no_secret(manifests: dict[str, Documents], one: str, other: str) -> None:
    mine, theirs = secrets(of(manifests, one)), secrets(of(manifests, other))
    assert {f"{one}-records", f"{one}-sinks", f"{one}-gateway", f"{one}-correlate"} <= mine
    assert mine.isdisjoint(theirs)


def test_each_tenant_has_a_namespace_a_space_and_hosts_of_its_own(manifests: dict[str, Documents]) -> None:
    for tenant in TENANTS:
        documents = of(manifests, tenant)
        (config,) = [each for each in of_kind(documents, "ConfigMap") if "feeds.yaml" in each["data"]]
        feeds = yaml.safe_load(config["data"]["feeds.yaml"])
        assert {each["space"] for each in feeds.values()} == {f"{tenant}-production"}
        hosts = {rule["host"] for each in of_kind(documents, "Ingress") for rule in each["spec"]["rules"]}
        assert hosts == {f"spillway.{tenant}.example", f"alerts.{tenant}.example"}
        elsewhere = {each["kind"] for each in documents if each["metadata"].get("namespace", tenant) != tenant}
        assert elsewhere == {"KafkaTopic", "KafkaUser"}, "Strimzi watches the namespace of the brokers alone"


def test_a_right_that_reaches_over_is_noticed(manifests: dict[str, Documents]) -> None:
    mine, theirs = (deepcopy(of(manifests, each)) for each in TENANTS)
    resource = {"type": "topic", "name": "glob", "patternType": "prefix"}
    users = of_kind(mine, "KafkaUser")
    users[0]["spec"]["authorization"]["acls"].append({"resource": resource, "operations": ["Read"]})
    assert any(each.startswith("topic glob* and globex.") for each in crossed(mine, theirs))
    users[0]["spec"]["authorization"]["acls"][-1]["resource"] = {"type": "cluster"}
    assert crossed(mine, theirs) == ["cluster: Read"]

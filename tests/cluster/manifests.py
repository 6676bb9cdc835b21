"""Manifests: what `helm template` writes, as the parts of it that a kubelet and its controllers read."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

import yaml

Document = dict[str, Any]

WORKLOADS: Final = ("StatefulSet", "Deployment")
_REFERENCE: Final = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")
_LABEL: Final = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


class ManifestError(Exception):
    """A manifest refers to what is not there, or says what Kubernetes would refuse; one line."""


class Manifests:
    """Documents of one release.

    Attributes:
        documents: all of them, in their order.
    """

    def __init__(self, documents: list[Document]) -> None:
        self.documents = documents

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file of many documents."""
        return cls([each for each in yaml.safe_load_all(path.read_text()) if each])

    def of_kind(self, *kinds: str) -> list[Document]:
        """Documents of some kinds, in their order."""
        return [each for each in self.documents if each["kind"] in kinds]

    def get(self, kind: str, name: str) -> Document:
        """One document.

        Raises:
            ManifestError: there is none.
        """
        for each in self.of_kind(kind):
            if each["metadata"]["name"] == name:
                return each
        raise ManifestError(f"no {kind} {name} in the manifests")

    def data(self, kind: str, name: str) -> dict[str, bytes]:
        """What a ConfigMap or a Secret holds.

        Raises:
            ManifestError: there is none.
        """
        document = self.get(kind, name)
        plain = document.get("stringData" if kind == "Secret" else "data", {})
        encoded = document.get("data" if kind == "Secret" else "binaryData", {})
        decoded = {key: base64.b64decode(value) for key, value in (encoded or {}).items()}
        return decoded | {key: str(value).encode() for key, value in (plain or {}).items()}

    def with_secret(self, name: str, values: Mapping[str, str]) -> Manifests:
        """These and a Secret that the cluster's operators made, as an installation with existing secrets needs."""
        secret = {"kind": "Secret", "metadata": {"name": name}, "stringData": dict(values)}
        return Manifests([*self.documents, secret])


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether labels are what a selector of plain labels asks for."""
    wanted = selector.get("matchLabels", selector)
    return all(labels.get(name) == value for name, value in wanted.items())


def expanded(text: str, environment: Mapping[str, str]) -> str:
    """Text with ``$(NAME)`` replaced, as Kubernetes does in env, command and args; unknown names stay."""
    return _REFERENCE.sub(lambda found: environment.get(found[1], found[0]), text)


class PodFacts:
    """What the downward API tells a container.

    Attributes:
        name: of the pod.
        labels: of the pod; ``annotations`` likewise.
    """

    def __init__(self, name: str, template: Document, namespace: str) -> None:
        metadata = template.get("metadata", {})
        self.name = name
        self.namespace = namespace
        self.labels: dict[str, str] = dict(metadata.get("labels") or {})
        self.annotations: dict[str, str] = dict(metadata.get("annotations") or {})

    def field(self, path: str) -> str:
        """The value of a ``fieldRef``.

        Raises:
            ManifestError: a field that this kubelet does not know.
        """
        plain = {
            "metadata.name": self.name,
            "metadata.namespace": self.namespace,
            "metadata.uid": f"uid-{self.name}",
            "spec.nodeName": "node-1",
            "status.podIP": "127.0.0.1",
            "status.hostIP": "127.0.0.1",
        }
        if path in plain:
            return plain[path]
        if (found := _LABEL.fullmatch(path)) is not None:
            return (self.labels if found[1] == "labels" else self.annotations).get(found[2], "")
        raise ManifestError(f"pod {self.name}: no fieldRef {path}")


def environment(container: Document, pod: PodFacts, manifests: Manifests) -> dict[str, str]:
    """The environment that a container's manifest gives it, references resolved.

    Raises:
        ManifestError: a reference leads nowhere (Kubernetes: CreateContainerConfigError).
    """
    found: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        for kind, reference in _sources(source):
            try:
                held = manifests.data(kind, reference["name"])
            except ManifestError:
                if not reference.get("optional"):
                    raise
                continue
            found |= {source.get("prefix", "") + key: value.decode() for key, value in held.items()}
    for entry in container.get("env", ()):
        value = _value(entry, container, pod, manifests)
        if value is not None:
            found[entry["name"]] = expanded(value, found)
    return found


def _sources(source: Document) -> list[tuple[str, Document]]:
    kinds = {"configMapRef": "ConfigMap", "secretRef": "Secret"}
    return [(kinds[name], source[name]) for name in kinds if name in source]


def _value(entry: Document, container: Document, pod: PodFacts, manifests: Manifests) -> str | None:
    if "valueFrom" not in entry:
        return str(entry.get("value", ""))
    ((kind, reference),) = entry["valueFrom"].items()
    if kind == "fieldRef":
        return pod.field(reference["fieldPath"])
    if kind == "resourceFieldRef":
        group, name = reference["resource"].split(".", 1)
        return str(container["resources"][group][name])
    of = {"secretKeyRef": "Secret", "configMapKeyRef": "ConfigMap"}[kind]
    try:
        held = manifests.data(of, reference["name"])
        return held[reference["key"]].decode()
    except (ManifestError, KeyError):
        if reference.get("optional"):
            return None
        raise ManifestError(
            f"pod {pod.name}: {entry['name']} is key {reference['key']} of {of} {reference['name']}, which is not there"
        ) from None

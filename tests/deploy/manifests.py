"""Manifests as documents, and the pods in them wherever they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

Manifest = dict[str, Any]


def parse(text: str) -> list[Manifest]:
    """The documents of a text, empty ones left out."""
    return [each for each in yaml.load_all(text, Loader=yaml.CSafeLoader) if each]


@dataclass(frozen=True, slots=True)
class Pod:
    """The pods that one workload makes.

    Attributes:
        owner: the workload.
        template: metadata and spec of its pods.
    """

    owner: Manifest
    template: Manifest

    @property
    def name(self) -> str:
        return f"{self.owner['kind']}/{self.owner['metadata']['name']}"

    @property
    def labels(self) -> dict[str, str]:
        found: dict[str, str] = self.template["metadata"]["labels"]
        return found

    @property
    def spec(self) -> Manifest:
        found: Manifest = self.template["spec"]
        return found

    @property
    def is_job(self) -> bool:
        """It ends by itself."""
        return bool(self.owner["kind"] == "Job")

    @property
    def is_toolbox(self) -> bool:
        """It serves nothing: people call commands in it."""
        return self.labels["app.kubernetes.io/component"] == "toolbox"

    def containers(self) -> Iterator[Manifest]:
        """All of them, those that run first included."""
        yield from self.spec.get("initContainers", ())
        yield from self.spec["containers"]


def pods(documents: Iterable[Manifest]) -> list[Pod]:
    """What the workloads among the documents make."""
    return [Pod(each, each["spec"]["template"]) for each in documents if "template" in each.get("spec", {})]


def of_kind(documents: Iterable[Manifest], kind: str) -> list[Manifest]:
    """The documents of one kind."""
    return [each for each in documents if each["kind"] == kind]


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    """Whether a selector means what has these labels; one that is empty means everything."""
    plain = all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items())
    listed = all(
        labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", ()) if "values" in each
    )
    return plain and listed

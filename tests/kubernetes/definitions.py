"""Definitions of the operators' objects, for an API server on which no operator runs.

Those of the Prometheus operator and KEDA are their own. Strimzi's are in no package registry: they are made of the
fields that `tests.deploy.schemas` knows, so what the server refuses there is what that file calls wrong.
"""

from __future__ import annotations

from typing import Any, Final

import yaml

from tests.deploy.schemas import STRIMZI, USED
from tools.deploy import fetch_tools

Definition = dict[str, Any]

_META: Final = ("apiVersion", "kind", "metadata")


def operators() -> list[Definition]:
    """Those of the Prometheus operator and KEDA that the chart uses."""
    paths = [path for folder in fetch_tools.definitions() for path in sorted(folder.glob("*.yaml"))]
    return [_read(path.read_text()) for path in paths if path.stem.split("_")[-1] in USED]


def _read(text: str) -> Definition:
    found: Definition = yaml.load(text, Loader=yaml.CSafeLoader)
    return found


def structural(schema: Any) -> Any:
    """A schema as the API server takes it: what is not named is pruned there, so nothing has to forbid it."""
    if isinstance(schema, list):
        return [structural(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: structural(value) for key, value in schema.items() if key != "additionalProperties"}
    if "const" in made:
        made["enum"] = [made.pop("const")]
    if "enum" in made:
        made["type"] = "string"
    if made.get("type") == "object" and not made.get("properties"):
        made["x-kubernetes-preserve-unknown-fields"] = True
    return made


def strimzi() -> list[Definition]:
    """KafkaTopic and KafkaUser."""
    return [_definition(version, kind, each.schema) for (version, kind), each in STRIMZI.items()]


def _definition(api_version: str, kind: str, schema: Any) -> Definition:
    group, version = api_version.split("/")
    plural = f"{kind.lower()}s"
    made = structural(schema)
    made["required"] = [each for each in made["required"] if each not in _META]
    for each in _META:
        made["properties"].pop(each)
    served = {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": made}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
            "versions": [served],
        },
    }


def all_of_them() -> list[Definition]:
    """What has to be there before the chart is."""
    return [*operators(), *strimzi()]

"""Schemas of what the chart makes: Kubernetes' own kinds by version, and the operators' definitions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from jsonschema import Draft202012Validator
from kubernetes_validate.utils import (  # type: ignore[import-untyped]  # it carries no types
    all_versions,
    schema_contents,
)
from referencing import Registry, Resource

from tests.deploy.manifests import Manifest

VERSIONS: Final = ("1.27", "1.30", "1.33", "1.37")
"""The oldest that the chart takes, the newest whose schemas there are, and two between."""

_FOLDER: Final = "kubernetes-json-schema/v{version}-local-strict"


@cache
def _folder(version: str) -> str:
    exact = [each for each in all_versions() if each.startswith(f"{version}.")]
    return _FOLDER.format(version=exact[-1])


@cache
def _definitions(version: str) -> Registry[Any]:
    """Eight megabytes: read once for all kinds of a version."""
    contents = schema_contents(f"{_folder(version)}/_definitions.json", version)
    return Resource.from_contents(contents) @ Registry()


@cache
def of_kubernetes(version: str, api_version: str, kind: str) -> Draft202012Validator | None:
    """What a kind of Kubernetes' own must look like, no field more; None where it is none of its own."""
    group, _, of_group = api_version.rpartition("/")
    name = f"{group.split('.')[0]}-{of_group}" if group else of_group
    try:
        schema = schema_contents(f"{_folder(version)}/{kind.lower()}-{name}.json", version)
    except FileNotFoundError:
        return None
    return Draft202012Validator(schema, registry=Resource.from_contents(schema) @ _definitions(version))


def _strict(schema: Any) -> Any:
    """No field that the definition does not name: the server would drop it without a word."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _strict(value) for key, value in schema.items()}
    if schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("x-kubernetes-int-or-string"):
        made.pop("type", None) if schema.get("x-kubernetes-int-or-string") else None
        return made
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        made["additionalProperties"] = False
    return made


USED: Final = ("podmonitors", "servicemonitors", "prometheusrules", "scaledobjects", "triggerauthentications")
"""The definitions that are read: the others are large, and the chart makes nothing of theirs."""


def definitions_in(folders: Iterable[Path]) -> dict[tuple[str, str], Draft202012Validator]:
    """Custom resources by API version and kind, from definitions in YAML."""
    paths = [path for folder in folders for path in folder.glob("*.yaml") if path.stem.split("_")[-1] in USED]
    return {key: validator for path in paths for key, validator in _read(path)}


def _read(path: Path) -> Iterator[tuple[tuple[str, str], Draft202012Validator]]:
    definition = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)["spec"]
    for version in definition["versions"]:
        schema = _strict(version["schema"]["openAPIV3Schema"])
        schema["properties"] |= {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {}}
        key = (f"{definition['group']}/{version['name']}", definition["names"]["kind"])
        yield key, Draft202012Validator(schema)


def problems(validator: Draft202012Validator, document: Manifest) -> list[str]:
    """What is wrong with a document, each with its place."""
    return [f"{'.'.join(map(str, each.absolute_path))}: {each.message}" for each in validator.iter_errors(document)]


def _exactly(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": properties}


_STRIMZI: Final = "kafka.strimzi.io/v1"
"""The only version that Strimzi 1.x serves. Its definitions are in no package registry, so these are the fields that
the chart uses, as the operator's reference has them."""

_OPERATIONS: Final = (
    "Read Write Create Delete Alter Describe ClusterAction AlterConfigs DescribeConfigs IdempotentWrite All".split()
)

STRIMZI: Final = {
    (_STRIMZI, "KafkaTopic"): Draft202012Validator(
        _exactly(
            ("apiVersion", "kind", "metadata", "spec"),
            apiVersion={"const": _STRIMZI},
            kind={"const": "KafkaTopic"},
            metadata={"required": ["name", "labels"]},
            spec=_exactly(
                ("partitions", "replicas"),
                topicName={"type": "string", "pattern": r"^[A-Za-z0-9._-]{1,249}$"},
                partitions={"type": "integer", "minimum": 1},
                replicas={"type": "integer", "minimum": 1, "maximum": 32767},
                config={"type": "object"},
            ),
        )
    ),
    (_STRIMZI, "KafkaUser"): Draft202012Validator(
        _exactly(
            ("apiVersion", "kind", "metadata", "spec"),
            apiVersion={"const": _STRIMZI},
            kind={"const": "KafkaUser"},
            metadata={"required": ["name", "labels"]},
            spec=_exactly(
                ("authentication", "authorization"),
                authentication=_exactly(("type",), type={"enum": ["tls", "tls-external", "scram-sha-512"]}),
                authorization=_exactly(
                    ("type", "acls"),
                    type={"const": "simple"},
                    acls={
                        "type": "array",
                        "minItems": 1,
                        "items": _exactly(
                            ("resource", "operations"),
                            resource=_exactly(
                                ("type",),
                                type={"enum": ["topic", "group", "cluster", "transactionalId"]},
                                name={"type": "string", "minLength": 1},
                                patternType={"enum": ["literal", "prefix"]},
                            ),
                            operations={"type": "array", "minItems": 1, "items": {"enum": _OPERATIONS}},
                        ),
                    },
                ),
            ),
        )
    ),
}

"""The JSON schemas agree with the loader: they take what it takes, refuse what it refuses, and say what fields mean."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pipeline.catalog.load import CATALOG_FOLDER, open_config
from pipeline.catalog.problems import Findings
from pipeline.catalog.schema import SCHEMA_NAMES, schema_of
from pipeline.catalog.yaml_lines import read_documents
from tests.catalog.directory import EXAMPLE, component

FOLDERS = {CATALOG_FOLDER: "catalog", "domains": "domain", "oncall": "rotation", "adapters": "adapter"}


def schema_name(file: str) -> str:
    path = PurePosixPath(file)
    return FOLDERS[path.parts[0]] if len(path.parts) > 1 else path.stem


def values(file: str, data: bytes) -> list[Any]:
    return [document.value for document in read_documents(file, data, Findings())]


def faults(name: str, text: str) -> list[str]:
    """What a schema says of each document of a file, as the path that is wrong."""
    validator = Draft202012Validator(schema_of(name))
    return [
        ".".join(str(part) for part in error.absolute_path)
        for value in values("x.yaml", text.encode())
        for error in validator.iter_errors(value)
    ]


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_each_schema_is_one_with_an_id_and_a_title_of_its_own(name: str) -> None:
    schema = schema_of(name)
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"https://spillway.dev/schemas/{name}.json"
    assert schema["title"]


def test_every_file_of_the_example_company_is_valid() -> None:
    tried = set()
    for file, data in open_config(EXAMPLE).files.items():
        tried.add(schema_name(file))
        validator = Draft202012Validator(schema_of(schema_name(file)))
        wrong = [f"{file}: {each.json_path}: {each.message}" for each in map_errors(validator, file, data)]
        assert wrong == []
    assert {"catalog", "domain", "rotation", "feeds", "maintenance", "correlation"} <= tried


def map_errors(validator: Draft202012Validator, file: str, data: bytes) -> Iterator[Any]:
    for value in values(file, data):
        yield from validator.iter_errors(value)


REFUSED = {
    "a misspelt field": ("domain", "titel: Shop\n", [""]),
    "a misspelt field deep inside": ("domain", "targets: {P1: {respond_minuts: 5, resolve_minutes: 60}}\n",
                                     ["targets.P1"]),
    "a number out of range": ("correlation", "join_at_least: 2\n", ["join_at_least"]),
    "a rotation without people": ("rotation", "start: 2026-01-05T09:00:00Z\n", [""]),
    "a time of day that is none": ("domain", "business_hours: {start: '9'}\n", ["business_hours.start"]),
    "a feed's field": ("feeds", "zabbix: {ttl_second: 5}\n", ["zabbix"]),
    "a sink without an address": ("sinks", "desk: {secret_env: A}\n", ["desk"]),
    "another apiVersion": ("catalog", component("x").replace("backstage.io/", "v"), ["apiVersion"]),
    "a misspelt annotation of ours": ("catalog", component("x", annotations="spillway.dev/teir: '1'"),
                                      ["metadata.annotations"]),
    "a tier that is none": ("catalog", component("x", annotations="spillway.dev/tier: '7'"),
                            ["metadata.annotations.spillway.dev/tier"]),
    "one dependency that is no list": ("catalog", component("x", spec="dependsOn: y"), ["spec.dependsOn"]),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_an_editor_marks_what_the_loader_refuses(case: str) -> None:
    name, text, expected = REFUSED[case]
    assert faults(name, text) == expected


def test_what_others_write_into_descriptors_passes() -> None:
    text = component(
        "x", annotations="backstage.io/techdocs-ref: dir:.\nspillway.dev/runbook.database: https://a.example"
    )
    assert faults("catalog", text.replace("spec:\n", "spec:\n  lifecycle: production\n  profile: {a: b}\n")) == []


def test_fields_are_described_in_the_words_of_the_models() -> None:
    domain = schema_of("domain")
    assert domain["description"] == "The policy pack of one service domain."
    assert domain["properties"]["matrix"]["description"] == "Urgency level -> impact level -> priority."
    level = domain["$defs"]["EscalationLevel"]["properties"]["after_minutes"]
    assert level["description"] == "Since opening, if nobody has acknowledged."
    feed = schema_of("feeds")["additionalProperties"]["anyOf"][0]["properties"]
    assert feed["name"]["description"] == "Reads `alerts.raw.<name>`."
    tier = schema_of("catalog")["properties"]["metadata"]["properties"]["annotations"]["properties"][
        "spillway.dev/tier"
    ]
    assert tier["description"] == "criticality, 1 (most critical) to 4"

"""The page on adapters in YAML: its example is checked, read and shown as it says, and survives whatever comes."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pipeline.catalog.problems import Findings
from pipeline.catalog.schema import schema_of
from pipeline.catalog.yaml_lines import read_documents
from pipeline.cli import main
from pipeline.core.identity import content_hash
from pipeline.feeds.declarative.compile import compile_adapter
from pipeline.models.adapter import AdapterSpec
from pipeline.models.alert import Alert, Kind
from pipeline.models.decision import BadRecord
from tests.catalog.directory import write
from tests.feeds.declared import adapter, read
from tests.feeds.test_hostile import JSON

PAGE: Final = (Path(__file__).parents[2] / "docs" / "feeds" / "declarative.md").read_text("utf-8")
NAME: Final = "plant-scada"


def block(language: str) -> str:
    """The first block of a language."""
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found, language
    return found[1]


def written() -> dict[str, Any]:
    """The adapter of the page as plain values."""
    (document,) = read_documents("page", block("yaml").encode(), Findings())
    assert isinstance(document.value, dict)
    return document.value


def run(*arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "100"}).invoke(main, [*map(str, arguments)])


def test_the_example_is_read_as_the_page_shows(tmp_path: Path) -> None:
    write(tmp_path / "config", {f"adapters/{NAME}.yaml": block("yaml")})
    (tmp_path / "message.json").write_text(block("json"))
    result = run("feed", "test", NAME, tmp_path / "message.json", "--config", tmp_path / "config")

    assert result.exit_code == 0, result.output
    assert [line.rstrip() for line in result.output.rstrip().splitlines()] == block("text").rstrip().splitlines()


def test_a_header_of_the_record_can_be_tried_too(tmp_path: Path) -> None:
    write(tmp_path / "config", {f"adapters/{NAME}.yaml": block("yaml")})
    (tmp_path / "message.json").write_text(block("json"))
    command = ("feed", "test", NAME, tmp_path / "message.json", "--config", tmp_path / "config", "--json")
    result = run(*command, "--header", "x-plant-delivery=d-17")

    assert [orjson.loads(line)["alert"]["delivery_id"] for line in result.output.splitlines()] == ["d-17", "d-17", None]
    assert run(*command, "--header", "d-17").output == "Error: --header d-17: write it as NAME=VALUE\n"


def test_the_examples_conditions_meet_across_both_messages(tmp_path: Path) -> None:
    subject = adapter(tmp_path, block("yaml"), NAME)
    message = orjson.loads(block("json"))
    raised, cleared, _ = read(subject, message)
    message["events"][0] |= {"state": "CLEARED", "cleared": "04.03.2026 03:20:00", "device": {"name": "4711"}}
    again = read(subject, message, ("x-plant-delivery", b"d-17"))[0]

    assert isinstance(raised, Alert)
    assert isinstance(cleared, Alert)
    assert isinstance(again, Alert)
    assert raised.alert_key == again.alert_key == content_hash("declared", "leipzig", "4711", "FILL-17")
    assert raised.alert_key != cleared.alert_key
    assert (again.kind, again.delivery_id, again.source_episode_id) == (Kind.RESOLVED, "d-17", "r-881")
    assert raised.description == ""  # the source has left its variable in place


def test_the_schema_for_editors_takes_the_example_and_refuses_a_misspelt_field(tmp_path: Path) -> None:
    printed = json.loads(run("config", "schema", "adapter").output)
    assert printed == schema_of("adapter")
    validator = Draft202012Validator(printed)
    validator.check_schema(printed)
    good = written()
    bad = deepcopy(good)
    bad["alert"]["sumary"] = "text"

    assert list(validator.iter_errors(good)) == []
    assert [error.validator for error in validator.iter_errors(bad)] == ["additionalProperties"]
    assert list(validator.iter_errors(good | {"kind": 5}))


EXAMPLE: Final = compile_adapter(AdapterSpec.model_validate(written() | {"name": NAME}))
EVENT: Final = orjson.loads(block("json"))["events"][0]


def check(document: object) -> None:
    """Only alerts that can go on the wire, and refusals that begin with a path, come out."""
    results = read(EXAMPLE, document, ("x-plant-delivery", b"\xff"))
    assert results
    for result in results:
        if isinstance(result, BadRecord):
            assert result.detail.startswith("$")
            assert "\n" not in result.detail
        else:
            orjson.dumps(result)
            assert result.alert_key


@settings(max_examples=200, deadline=None, derandomize=True)
@given(document=JSON)
def test_any_json_gives_alerts_or_bad_records(document: object) -> None:
    check(document)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_damaged_message_gives_alerts_or_bad_records(data: st.DataObject) -> None:
    event = deepcopy(EVENT)
    for _ in range(data.draw(st.integers(1, 3))):
        holder = data.draw(st.sampled_from([event, *(each for each in event.values() if isinstance(each, dict))]))
        name = data.draw(st.sampled_from(sorted({*holder, "test"})))
        holder[name] = data.draw(JSON)
    check({"schema": "plant/2", "site": data.draw(JSON), "events": [event, EVENT]})


@pytest.mark.parametrize("name", [*EVENT, "test"])
def test_a_refusal_names_the_path_and_never_the_value(name: str) -> None:
    for secret in ({"hunter2": ["hunter2"]}, ["hunter2"], "hunter2"):
        for result in read(EXAMPLE, {"schema": "plant/2", "site": "x", "events": [EVENT | {name: secret}]}):
            if isinstance(result, BadRecord):
                assert "hunter2" not in result.detail
                assert result.detail.startswith("$.events[0]")


def test_the_same_message_comes_to_the_same_alerts() -> None:
    message = orjson.loads(block("json"))
    assert read(EXAMPLE, message) == read(EXAMPLE, deepcopy(message))

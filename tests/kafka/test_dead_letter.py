"""Dead letters on a real broker: listed, shown and sent back once, bytes intact."""

from __future__ import annotations

import subprocess
import sys

import orjson
import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.flow import RAW_RECORD_BYTES_MAX
from pipeline.models.decision import Reason
from tests.kafka.letterbox import AT_MS, RAW, Company


@pytest.fixture
def company(kafka: str, prefix: str) -> Company:
    return Company(kafka, prefix)


def test_an_empty_box_says_so(company: Company) -> None:
    assert company("list").output == "no dead letters\n"
    assert company("list", "--json").output == "[]\n"
    assert company("retry", "--all").output == "retried 0 records\n"


def test_letters_are_listed_the_newest_last(company: Company) -> None:
    company.refuse(b"{", offset=17)
    company.refuse(b"[1]", Reason.WRONG_TYPE, offset=18)
    listed = orjson.loads(company("list", "--json").output)
    assert [letter["id"] for letter in listed] == ["0:0", "0:1"]
    assert listed[0] == {
        "id": "0:0",
        "at": "2026-05-28T20:26:40.000Z",
        "at_ms": AT_MS,
        "stage": "ingest",
        "reason": "broken_json",
        "detail": "line 1, column 2: not JSON",
        "topic": RAW,
        "partition": 1,
        "offset": 17,
        "key": "key",
        "index": None,
        "bytes_in": None,
        "size_bytes": 1,
        "retries": 0,
        "first": None,
        "retried": False,
    }
    table = company("list").output
    assert table.index(f"{RAW}/1/17") < table.index(f"{RAW}/1/18")
    newest = orjson.loads(company("list", "--json", "--limit", "1").output)
    assert [letter["offset"] for letter in newest] == [18]
    wrong = orjson.loads(company("list", "--json", "--reason", "wrong_type").output)
    assert [letter["offset"] for letter in wrong] == [18]


def test_a_letter_is_shown_with_its_headers_and_text(company: Company) -> None:
    company.refuse('{"naïve'.encode())
    shown = company("show", "0:0").output
    assert "broken_json in ingest: line 1, column 2: not JSON" in shown
    assert "x-source: probe" in shown
    assert shown.endswith('8 bytes:\n{"naïve\n')


def test_bytes_that_are_no_text_are_shown_as_hex(company: Company) -> None:
    company.refuse(b"\x00\xff[31m")
    assert "00000000  00 ff 5b 33 31 6d" in company("show", "0:0").output
    assert orjson.loads(company("show", "0:0", "--json").output)["value_hex"] == "00ff5b33316d"


@pytest.mark.parametrize("wrong", ["0:5", "9:0", "nonsense", ":"])
def test_an_id_that_is_not_there_is_one_line(company: Company, wrong: str) -> None:
    company.refuse(b"{")
    shown = company("show", wrong)
    assert shown.exit_code == 1
    assert shown.output.startswith(f"Error: there is no dead letter {wrong}")
    assert company("retry", wrong).output.startswith(f"Error: there is no dead letter {wrong}")
    assert company.raw() == []


@pytest.mark.parametrize("value", [b"\x00\xff{", b"", None, bytes(RAW_RECORD_BYTES_MAX)])
def test_a_retried_record_is_the_original_in_its_own_partition(company: Company, value: bytes | None) -> None:
    company.refuse(value)
    said = company("retry", "0:0")
    assert said.exit_code == 0, said.output
    assert said.output.splitlines()[-1] == "retried 1 record"
    (record,) = company.raw()
    assert (record.partition, record.key, record.value) == (1, b"key", value)
    assert record.headers == (
        ("x-source", b"probe"),
        ("spillway-retried", b"1"),
        ("spillway-first-letter", b"0:0"),
    )


def test_retry_all_sends_each_record_once_however_often_it_is_called(company: Company) -> None:
    for offset in range(3):
        company.refuse(b"%d" % offset, offset=offset)
    assert "retried 3 records" in company("retry", "--all").output
    assert company("retry", "--all").output.splitlines() == [
        "retried 0 records",
        "3 went back before: --again sends them once more",
    ]
    assert sorted(record.value or b"" for record in company.raw()) == [b"0", b"1", b"2"]
    assert all(letter["retried"] for letter in orjson.loads(company("list", "--json").output))
    assert "(went back)" in company("list").output


def test_a_reason_retries_its_letters_alone(company: Company) -> None:
    company.refuse(b"a", Reason.UNKNOWN_FEED, offset=1)
    company.refuse(b"b", Reason.BROKEN_JSON, offset=2)
    said = orjson.loads(company("retry", "--reason", "unknown_feed", "--json").output)
    assert [letter["offset"] for letter in said["retried"]] == [1]
    assert [record.value for record in company.raw()] == [b"a"]


def test_a_letter_that_came_back_names_the_first_and_says_how_often(company: Company) -> None:
    company.refuse(b"other", offset=16)
    company.refuse(b"{")
    company("retry", "0:1")
    (returned,) = company.raw()
    company.refuse(returned.value, offset=returned.offset + 100, headers=tuple(returned.headers))
    listed = orjson.loads(company("list", "--json", "--waiting").output)
    again = listed[-1]
    assert (again["retries"], again["first"], again["retried"]) == (1, "0:1", False)
    assert "sent back once before; its first letter is 0:1" in company("list").output
    assert "sent back once before; its first letter is 0:1\n" in company("show", again["id"]).output
    company("retry", again["id"])
    headers = [dict(record.headers) for record in company.raw()]
    assert [(each["spillway-retried"], each["spillway-first-letter"]) for each in headers] == [
        (b"1", b"0:1"),
        (b"2", b"0:1"),
    ]


def test_the_members_of_one_message_go_back_as_one_message(company: Company) -> None:
    company.refuse(b"[1,2]", more=(("spillway-index", b"0"),))
    company.refuse(None, more=(("spillway-index", b"1"), ("spillway-bytes-in", b"0")))
    assert "no bytes: they are in the letter of index 0" in company("show", "0:1").output
    assert "has no bytes to save: they are in the letter of index 0" in company("show", "0:1", "--save", "x").output
    assert "1 more letters of the same messages" in company("retry", "0:1").output
    assert [record.value for record in company.raw()] == [b"[1,2]"]
    assert company("retry", "--all").output.startswith("retried 0 records\n")
    assert [letter["retried"] for letter in orjson.loads(company("list", "--json").output)] == [True, True]


def test_retry_asks_which(company: Company) -> None:
    company.refuse(b"{")
    for arguments in ((), ("0:0", "--all")):
        said = "Error: say which: letter ids, or filters such as --reason REASON, or --all\n"
        assert company("retry", *arguments).output == said


def test_a_cluster_without_the_topics_is_one_line(kafka: str, prefix: str) -> None:
    environment = {"SPILLWAY_BOOTSTRAP": kafka, "SPILLWAY_TOPIC_PREFIX": prefix}
    said = CliRunner().invoke(main, ["dead-letter", "list"], env=environment)
    assert said.output == (
        f"Error: there is no topic {prefix}dead.letter: make the topics with spillway topics apply\n"
    )


def test_the_installed_command_lists_letters(company: Company) -> None:
    company.refuse(b"{")
    done = subprocess.run(
        [sys.executable, "-c", "from pipeline.cli import main; main()", "dead-letter", "list"],
        env={"SPILLWAY_BOOTSTRAP": company.kafka, "SPILLWAY_TOPIC_PREFIX": company.prefix, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "broken_json" in done.stdout
    assert done.stderr == ""

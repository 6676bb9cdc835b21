"""The way back on a real broker: chosen by filters, tried without sending, and once whatever goes on meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import orjson
import pytest

from pipeline.core.step import StreamRecord
from pipeline.kafka import retry as retry_module
from pipeline.kafka.dead_letters import Box, read_box
from pipeline.kafka.scan import ScanError, scan
from pipeline.models.decision import Reason
from tests.kafka.letterbox import AT_MS, RAW, Company

HOUR_MS = 3_600_000


@pytest.fixture
def company(kafka: str, prefix: str) -> Company:
    return Company(kafka, prefix)


@pytest.fixture
def mixed(company: Company) -> Company:
    """Five letters that differ in all that can be asked for."""
    company.refuse(b"0", offset=0)
    company.refuse(b"1", Reason.UNKNOWN_FEED, offset=1, key=b"lab", detail="no feed reads it; add it to feeds.yaml")
    company.refuse(b"2", Reason.EMPTY, offset=2, stage="correlate", topic="commands")
    company.refuse(b"3", offset=3, at_ms=AT_MS + HOUR_MS)
    company.refuse(b"4", offset=4, at_ms=AT_MS + 2 * HOUR_MS, key=None, detail="$.alerts[3]: missing")
    return company


FILTERS: dict[str, tuple[list[str], list[int]]] = {
    "stage": (["--stage", "correlate"], [2]),
    "reason": (["--reason", "unknown_feed"], [1]),
    "feed": (["--feed", "grafana"], [0, 1, 3, 4]),
    "topic": (["--topic", "commands"], [2]),
    "from": (["--from", "2026-05-28T21:26:40Z"], [3, 4]),
    "to": (["--to", "2026-05-28T21:26:40Z"], [0, 1, 2]),
    "from and to in another zone": (["--from", "2026-05-28T23:26:40+02:00", "--to", "2026-05-29"], [3, 4]),
    "words of the detail in any case": (["--text", "FEEDS.YAML"], [1]),
    "key": (["--key", "lab"], [1]),
    "several at once": (["--reason", "broken_json", "--text", "missing"], [4]),
}


@pytest.mark.parametrize("case", FILTERS)
def test_list_and_retry_choose_by_the_same_filters(mixed: Company, case: str) -> None:
    options, expected = FILTERS[case]

    listed = orjson.loads(mixed("list", "--json", *options).output)
    planned = orjson.loads(mixed("retry", "--json", "--dry-run", *options).output)

    assert sorted(letter["offset"] for letter in listed) == expected
    assert sorted(letter["offset"] for letter in planned["retried"]) == expected
    assert mixed.raw() == []


def test_what_is_no_time_says_how_to_write_one(company: Company) -> None:
    for wrong in ("yesterday", "2026-03-10T10:00:00", "12000-01-01"):
        said = company("list", "--from", wrong)
        assert said.exit_code == 2
        assert "2026-03-10T10:00:00Z" in said.output


def test_a_span_of_time_means_so_long_ago(company: Company) -> None:
    company.refuse(b"old")
    assert company("list", "--from", "2h").output == "no dead letters\n"
    assert len(orjson.loads(company("list", "--json", "--from", "520w").output)) == 1


def test_a_dry_run_names_what_would_go_back_and_sends_nothing(mixed: Company) -> None:
    said = mixed("retry", "--feed", "grafana", "--limit", "2", "--dry-run").output
    assert said.splitlines() == [
        f"0:0 back to {RAW} (broken_json, 1 byte)",
        f"0:1 back to {RAW} (unknown_feed, 1 byte)",
        "would retry 2 records",
    ]
    assert mixed.raw() == []
    assert not any(letter["retried"] for letter in orjson.loads(mixed("list", "--json").output))


def test_a_limit_takes_the_oldest_and_the_next_call_goes_on_after_them(mixed: Company) -> None:
    for _ in range(3):
        mixed("retry", "--feed", "grafana", "--limit", "2")
    assert sorted(record.value or b"" for record in mixed.raw()) == [b"0", b"1", b"3", b"4"]


def test_a_named_letter_goes_back_once_too_unless_again_is_said(company: Company) -> None:
    company.refuse(b"{")
    assert company("retry", "0:0").output.splitlines()[-1] == "retried 1 record"
    assert company("retry", "0:0").output.splitlines() == [
        "retried 0 records",
        "1 went back before: --again sends them once more",
    ]
    assert len(company.raw()) == 1
    assert company("retry", "0:0", "--again").output.splitlines()[-1] == "retried 1 record"
    assert len(company.raw()) == 2


def test_a_filter_that_fits_only_a_member_without_bytes_takes_the_letter_that_has_them(company: Company) -> None:
    company.refuse(b"[1,2]", Reason.WRONG_TYPE, more=(("spillway-index", b"0"),))
    more = (("spillway-index", b"1"), ("spillway-bytes-in", b"0"))
    company.refuse(None, Reason.MISSING_FIELD, more=more)
    said = orjson.loads(company("retry", "--reason", "missing_field", "--json").output)
    assert [letter["id"] for letter in said["retried"]] == ["0:0"]
    assert [record.value for record in company.raw()] == [b"[1,2]"]


def test_who_retries_later_shuts_out_who_came_before_and_nothing_goes_back_twice(company: Company) -> None:
    for offset in range(3):
        company.refuse(b"%d" % offset, offset=offset)
    slow = company.retry()
    slow.begin()
    letters = company.box().letters  # read before the other's marks

    assert company("retry", "--all").output.splitlines()[-1] == "retried 3 records"
    with pytest.raises(ScanError, match="another retry has taken over"):
        list(slow.send(letters))

    assert sorted(record.value or b"" for record in company.raw()) == [b"0", b"1", b"2"]


def test_a_retry_that_read_the_letters_before_another_sent_them_sends_none(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    for offset in range(3):
        company.refuse(b"%d" % offset, offset=offset)

    def read_and_be_overtaken(*arguments: Any) -> Box:
        box = read_box(*arguments)
        monkeypatch.setattr("pipeline.cli.dead_letter.read_box", read_box)
        assert "retried 3 records" in company("retry", "--all").output
        return box

    monkeypatch.setattr("pipeline.cli.dead_letter.read_box", read_and_be_overtaken)
    said = company("retry", "--all")

    assert said.exit_code == 1
    assert "another retry has taken over" in said.output
    assert sorted(record.value or b"" for record in company.raw()) == [b"0", b"1", b"2"]


def test_a_retry_that_dies_halfway_is_gone_on_with(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry_module, "BATCH_LETTERS_MAX", 2)
    for offset in range(5):
        company.refuse(b"%d" % offset, offset=offset)
    dying = company.retry()
    dying.begin()
    sending = dying.send(company.box().letters)
    assert [letter.id for letter in islice(sending, 3)] == ["0:0", "0:1", "0:2"]
    sending.close()  # two batches are committed; the fifth letter was never sent

    assert len(company.raw()) == 4
    assert company("retry", "--all").output.splitlines()[0] == f"0:4 back to {RAW} (broken_json, 1 byte)"
    assert sorted(record.value or b"" for record in company.raw()) == [b"0", b"1", b"2", b"3", b"4"]


def test_a_retry_that_fails_inside_a_transaction_ends_it_so_that_readers_need_not_wait(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    for offset in range(2):
        company.refuse(b"%d" % offset, offset=offset)

    def broken(*arguments: Any) -> Iterator[StreamRecord]:
        yield next(scan(*arguments))
        raise ScanError("the broker went away")

    monkeypatch.setattr(retry_module, "scan", broken)
    failing = company.retry()
    failing.begin()
    letters = company.box().letters
    with pytest.raises(ScanError, match="went away"):
        list(failing.send(letters))

    began = time.monotonic()
    assert company.raw() == []
    assert time.monotonic() - began < retry_module.TRANSACTION_SECONDS_MAX / 2  # else the brokers ended it, by its age
    monkeypatch.undo()
    assert company("retry", "--all").output.splitlines()[-1] == "retried 2 records"


def test_a_letter_of_a_topic_that_is_gone_stops_the_retry_before_anything_is_sent(company: Company) -> None:
    company.refuse(b"0", offset=0)
    company.refuse(b"1", offset=1, topic="alerts.raw.nobody")
    said = company("retry", "--all")
    assert said.exit_code == 1
    assert "alerts.raw.nobody, which does not exist: make the topics, then retry; nothing was sent" in said.output
    assert company.raw() == []
    assert company("retry", "--feed", "grafana").output.splitlines()[-1] == "retried 1 record"


def test_a_summary_counts_by_reason_and_says_what_to_do(mixed: Company) -> None:
    mixed("retry", "--reason", "unknown_feed")
    counts = orjson.loads(mixed("list", "--summary", "--json").output)
    assert [(each["reason"], each["letters"], each["waiting"]) for each in counts] == [
        ("broken_json", 3, 3),
        ("empty", 1, 1),
        ("unknown_feed", 1, 0),
    ]
    assert (counts[0]["first"], counts[0]["last"]) == ("2026-05-28T20:26:40.000Z", "2026-05-28T22:26:40.000Z")
    said = mixed("list", "--summary", "--waiting").output
    assert "unknown_feed" not in said
    assert "broken_json: Look at the place that is named." in said


def test_bytes_and_headers_that_would_steer_the_terminal_are_written_out(company: Company) -> None:
    red = b"\x1b]0;owned\x07 alarm \xe2\x80\xae txt and more words so that it is a text"
    company.refuse(red, headers=(("x-red", b"\x1b[31m"),), key=b"\x9b\x1b[2J", detail="$.\x1b[31m\u202e: missing")
    for command in (("list",), ("show", "0:0"), ("retry", "0:0", "--dry-run")):
        said = company(*command).output
        assert not [letter for letter in said if not letter.isprintable() and letter != "\n"], command
    shown = company("show", "0:0").output
    assert r"\x1b]0;owned\x07 alarm \u202e txt" in shown
    assert r"x-red: \x1b[31m" in shown
    assert r"$.\x1b[31m\u202e: missing" in company("list").output


def test_a_long_value_is_shown_in_part_and_saved_whole(
    company: Company, tmp_path_factory: pytest.TempPathFactory
) -> None:
    long = b"0123456789" * 1_000
    company.refuse(long)
    shown = company("show", "0:0").output
    assert "... 5,904 more bytes: --whole shows them, --save FILE writes all to a file" in shown
    assert long.decode() in company("show", "0:0", "--whole").output
    file = tmp_path_factory.mktemp("saved") / "letter.json"
    company("show", "0:0", "--save", str(file))
    assert file.read_bytes() == long

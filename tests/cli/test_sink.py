"""``spillway sink list``, ``show`` and ``retry``, and ``spillway stats --orphans``, on a real Kafka."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.cli import stats_orphans
from pipeline.cli.sink_ledger import cluster
from pipeline.core.identity import partition_of, short_id
from pipeline.models.remote import UpdateKind
from tests.cli.books import PARTITIONS, Books, entry

IDS = [short_id("INC", str(number)) for number in range(8)]
DESK: dict[str, Any] = {
    "type": "servicenow",
    "url": "https://desk.example",
    "user": "spillway",
    "secret_env": "SPILLWAY_SINK_DESK",
}
SINKS: dict[str, Any] = {"desk": DESK, "other": {**DESK, "enabled": False}, "quiet": DESK}
FAILED = {"outcome": "retry", "at_ms": 1_772_590_400_000, "attempt": 3, "status": 503, "detail": "unavailable\nmore"}


@pytest.fixture
def books(kafka: str, prefix: str, tmp_path: Path) -> Books:
    return Books(kafka, prefix, tmp_path / "config", SINKS)


def words(output: str) -> list[list[str]]:
    return [line.split() for line in output.splitlines()]


# -- list


def test_the_list_says_how_each_sink_stands(books: Books) -> None:
    books.write(
        entry(IDS[0], waiting=2, waiting_since_ms=1_772_590_000_000, last=FAILED),
        entry(IDS[1], parked=1, orphan=True, reason="parked", incident_state="closed"),
        entry(IDS[2], remote_state="closed", incident_state="closed"),
        entry(IDS[3], sink="gone", orphan=True, reason="sink_removed"),
    )
    shown = books("sink", "list")
    assert shown.exit_code == 0
    lines = {line[0]: line for line in words(shown.output)}
    assert lines["desk"][1:5] == ["servicenow", "failing", "2", "2"]
    assert "retry 2026-03-04 02:13:20Z (503 unavailable)" in shown.output
    assert [lines[name][2] for name in ("gone", "other", "quiet")] == ["removed", "disabled", "unused"]

    [desk, gone, *_] = orjson.loads(books("sink", "list", "--json").output)
    assert desk["oldest_waiting_seconds"] > 0
    assert {name: desk[name] for name in ("open_there", "waiting", "parked", "orphans", "state")} == {
        "open_there": 2, "waiting": 2, "parked": 1, "orphans": 1, "state": "failing",
    }  # fmt: skip
    assert (gone["sink"], gone["open_there"], gone["orphans"]) == ("gone", 1, 1)


def test_what_has_left_the_ledger_counts_no_more(books: Books) -> None:
    books.write(entry(IDS[0]), entry(IDS[1]), entry(IDS[0], waiting=1))
    books.forget("desk", IDS[1])
    [desk, *_] = orjson.loads(books("sink", "list", "--json").output)
    assert (desk["open_there"], desk["waiting"]) == (1, 1)


def test_an_entry_of_another_release_is_told_in_one_line(books: Books) -> None:
    books.put("deliveries.state", "desk/1", {"schema": 99})
    shown = books("sink", "list")
    assert shown.exit_code == 1
    assert "ledger of schema 99" in shown.output
    assert len(shown.output.splitlines()) == 1


def test_missing_topics_and_brokers_are_told_in_one_line(books: Books) -> None:
    for command in (["sink", "list"], ["sink", "retry", "--all"], ["stats", "--orphans"], ["sink", "reconcile"]):
        shown = books(*command, SPILLWAY_TOPIC_PREFIX="none.")
        assert (shown.exit_code, len(shown.output.splitlines())) == (1, 1)
        assert "spillway topics apply" in shown.output


# -- show


def test_a_sink_is_shown_with_its_trouble_first_and_without_what_has_ended(books: Books) -> None:
    books.write(
        entry(IDS[0]),
        entry(IDS[1], remote_state="closed", incident_state="closed"),
        entry(IDS[2], contested=["priority"]),
        entry(IDS[3], orphan=True, reason="not_closed", incident_state="closed"),
        entry(IDS[4], sink="quiet"),
    )
    shown = books("sink", "show", "desk")
    assert [line[0] for line in words(shown.output)[1:]] == [IDS[3], *sorted([IDS[0], IDS[2]])]
    assert "open, orphan: not closed" in shown.output
    assert "open, contested: priority" in shown.output
    assert IDS[1] in books("sink", "show", "desk", "--all").output
    assert len(orjson.loads(books("sink", "show", "desk", "--json", "--limit", "2").output)) == 2


def test_an_incident_is_shown_with_all_that_was_told_and_all_that_came_back(books: Books) -> None:
    books.write(entry(IDS[0]))
    out = {"sink": "desk", "incident_id": IDS[0], "revision": 1, "attempt": 1, "outcome": "delivered", "at_ms": 1_000}
    back = {
        "sink": "desk", "incident_id": IDS[0], "direction": "in", "kind": "changed", "author": "mia", "at_ms": 2_000,
        "reasons": {"state": "taken"}, "commands": ["acknowledge"],
    }  # fmt: skip
    for each in (out, back, {**out, "sink": "quiet", "revision": 77}, {**out, "incident_id": IDS[1], "revision": 88}):
        books.put("deliveries", str(each["incident_id"]), {"status": 200, "detail": "", **each})
    shown = books("sink", "show", "desk", IDS[0])
    assert "revision 1, attempt 1: delivered (200)" in shown.output
    assert "came back, changed by mia: state taken -> acknowledge" in shown.output
    assert "77" not in shown.output.partition("Told")[2]
    assert "priority P1, state open" in shown.output
    document = orjson.loads(books("sink", "show", "desk", IDS[0], "--json").output)
    assert len(document["records"]) == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["show", "dsk"], "no sink dsk: there are desk, other, quiet"),
        (["show", "desk", "INC-NOBODY"], "sink desk was never told of incident INC-NOBODY"),
        (["retry"], "say which: --sink SINK, --incident INCIDENT or both; or --all"),
        (["retry", "--all", "--sink", "desk"], "say which"),
        (["retry", "--sink", "dsk"], "no sink dsk"),
        (["reconcile", "--sink", "dsk"], "no sink dsk"),
        (["test", "dsk"], "no sink dsk"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(books: Books, arguments: list[str], says: str) -> None:
    shown = books("sink", *arguments)
    assert shown.exit_code == 1
    assert says in shown.output
    assert len(shown.output.splitlines()) == 1


# -- retry


def test_one_incident_is_asked_for_where_it_is(books: Books) -> None:
    books.write(entry(IDS[0], parked=2), entry(IDS[1], parked=1))
    shown = books("sink", "retry", "--sink", "desk", "--incident", IDS[0], "--actor", "amara")
    assert shown.output == "asked: 2 parked and 0 waiting deliveries of 1 incidents at desk are sent again\n"
    [(partition, update)] = books.updates()
    assert partition == partition_of(IDS[0].encode(), PARTITIONS)
    assert (update.kind, update.sink, update.incident_id, update.author) == (UpdateKind.RETRY, "desk", IDS[0], "amara")


@pytest.mark.parametrize(("arguments", "sink"), [(["--sink", "desk"], "desk"), (["--all"], "*")])
def test_all_incidents_are_asked_for_in_every_partition(books: Books, arguments: list[str], sink: str) -> None:
    books.write(entry(IDS[0], parked=2), entry(IDS[1], sink="quiet", waiting=1), entry(IDS[2]))
    assert books("sink", "retry", *arguments, "--json").exit_code == 0
    assert [(partition, each.sink, each.incident_id) for partition, each in books.updates()] == [
        (partition, sink, "*") for partition in range(PARTITIONS)
    ]


def test_where_nothing_was_given_up_nothing_is_written(books: Books) -> None:
    books.write(entry(IDS[0]), entry(IDS[1], sink="quiet", parked=1))
    assert books("sink", "retry", "--sink", "desk").output.startswith("Nothing to retry")
    assert books.updates() == []


# -- orphans


def orphans(books: Books) -> Any:
    shown = books("stats", "--orphans", "--json")
    document = orjson.loads(shown.output)
    assert shown.exit_code == (1 if document["orphans"] else 0)
    return document


def test_nothing_is_orphaned_while_each_record_outside_has_an_incident_that_will_end_it(books: Books) -> None:
    books.write(
        entry(IDS[0]),
        entry(IDS[1], incident_state="closed", waiting=1),
        entry(IDS[2], incident_state="closed", remote_state="resolved"),
        entry(IDS[3], remote_id="", remote_state="", remote_key="", waiting=1),
    )
    for each, state in zip(IDS, ("acknowledged", "closed", "closed", "logged"), strict=False):
        books.incident(each, state)
    document = orphans(books)
    assert document["counts"] == {"open": 1, "closing": 1, "ended": 2, "orphan": 0, "missing": 0}
    assert document["compared"] == {"ledger_entries": 4, "incidents": 4}
    shown = books("stats", "--orphans")
    assert shown.exit_code == 0
    assert "compared 4 entries of the ledger with 4 incidents, read once" in shown.output
    assert "Nothing is orphaned." in shown.output


@pytest.mark.parametrize(
    ("made", "state", "standing", "because"),
    [
        ({"incident_state": "closed"}, "closed", "orphan", "the incident is closed"),
        ({"incident_state": "merged"}, "merged", "orphan", "the incident is merged"),
        ({"incident_state": "cancelled"}, "cancelled", "orphan", "the incident is cancelled"),
        ({"incident_state": ""}, None, "orphan", "no incident of this id is known"),
        ({"incident_state": "closed", "orphan": True, "reason": "parked", "parked": 1}, "closed", "orphan", "parked"),
        ({"orphan": True, "reason": "gone", "remote_state": "gone"}, "acknowledged", "missing", "gone"),
        ({"incident_state": "closed", "orphan": True, "reason": "may_exist", "remote_id": ""}, "closed", "orphan",
         "may exist"),
    ],
)  # fmt: skip
def test_what_nobody_will_close_is_found_named_and_exits_1(
    books: Books, monkeypatch: pytest.MonkeyPatch, made: dict[str, Any], state: str | None, standing: str, because: str
) -> None:
    monkeypatch.setattr(stats_orphans, "READS_MAX", 1)
    books.write(entry(IDS[0], **made), entry(IDS[1]))
    books.incident(IDS[1], "logged")
    if state is not None:
        books.incident(IDS[0], state)
    [found] = orphans(books)["orphans"]
    assert (found["incident_id"], found["standing"], found["because"]) == (IDS[0], standing, because)
    shown = books("stats", "--orphans")
    assert shown.exit_code == 1
    assert f"of {IDS[0]}: {because}" in shown.output


def test_an_end_that_deliver_has_not_read_yet_is_read_again_before_it_is_called_an_orphan(books: Books) -> None:
    books.write(entry(IDS[0], incident_state="acknowledged"))
    books.incident(IDS[0], "closed")
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        books.write(entry(IDS[0], incident_state="closed", waiting=1))

    with cluster(books.kafka) as kafka:
        settings = kafka.settings.model_copy(update={"topic_prefix": books.prefix})
        found, reads = stats_orphans.compare(kafka._replace(settings=settings), sleep)
    assert ([each.standing for each in found], reads, len(slept)) == (["closing"], 2, 1)


def test_an_end_that_deliver_never_reads_is_an_orphan(books: Books) -> None:
    books.write(entry(IDS[0], incident_state="acknowledged"))
    books.incident(IDS[0], "closed")
    with cluster(books.kafka) as kafka:
        settings = kafka.settings.model_copy(update={"topic_prefix": books.prefix})
        found, reads = stats_orphans.compare(kafka._replace(settings=settings), lambda _: None)
    assert ([each.standing for each in found], reads) == (["orphan"], stats_orphans.READS_MAX)

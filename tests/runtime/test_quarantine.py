"""A record that crashes its worker again and again is set aside; one that did so once or twice is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from pipeline.core.step import Record, StreamRecord
from pipeline.flow import DEAD_LETTER_TOPIC
from pipeline.runtime.guard import EXIT_DEFECT
from pipeline.runtime.note import Crash, OffsetNote
from pipeline.runtime.quarantine import CRASHES_MAX, Quarantine
from tests.runtime.toy import INPUT, OUTPUT
from tests.runtime.workers import Bench, headers_of, out_of_sequence


def record(offset: int, topic: str = INPUT) -> Record:
    return StreamRecord(topic, 0, offset, 1_000, b"k", b"v")


def crash_until_it_serves(bench: Bench, *more: str) -> list[dict[str, object]]:
    """Start workers one after another until one does not crash; returns the last line of each that did."""
    told: list[dict[str, object]] = []
    while True:
        worker = bench.worker(*more)
        if worker.serves_or_ends(lambda: bench.committed() >= bench.sent):
            assert worker.terminate() == 0, worker.said
            return told
        assert worker.exit_code() == EXIT_DEFECT, worker.said
        told.append(worker.events()[-1])
        assert len(told) <= 2 * CRASHES_MAX, told


def test_a_record_that_crashes_every_worker_is_quarantined_with_its_bytes_and_all_others_count(bench: Bench) -> None:
    for number in range(250):
        bench.send(f"k{number % 7}", b"x")
    bench.send("poison", b"crash \x00\x7f for ever", headers=[("from", b"here")])
    for number in range(250):
        bench.send(f"k{number % 7}", b"x")
    bench.flush()
    told = crash_until_it_serves(bench)
    assert len(told) == CRASHES_MAX
    for times, line in enumerate(told, start=1):
        assert line["crashes"] == {INPUT: {"times": times, "of": CRASHES_MAX, "offset": 250, "through": 250}}
    (dead,) = bench.read_all(DEAD_LETTER_TOPIC)
    assert (dead.key(), dead.value()) == (b"poison", b"crash \x00\x7f for ever")
    headers = headers_of(dead)
    assert headers["from"] == b"here"
    assert headers["spillway-reason"] == b"quarantined"
    assert headers["spillway-offset"] == b"250"
    assert b"crashed 3 workers, the last with RuntimeError: the toy was told to crash" in headers["spillway-detail"]
    found = bench.read_all(OUTPUT)
    assert len(found) == 500
    assert out_of_sequence(found) == {}
    assert bench.notes() == {}


def test_a_record_that_crashes_twice_and_then_works_loses_nothing_and_its_note_goes(bench: Bench) -> None:
    bench.send("a", b"x")
    bench.send("a", b"defect")
    bench.send("a", b"x")
    bench.flush()
    for times in (1, 2):
        worker = bench.worker()
        assert worker.exit_code() == EXIT_DEFECT
        assert worker.events()[-1]["crashes"][INPUT]["times"] == times
    (note,) = bench.notes().values()
    assert note.crash == Crash(2, 1, 1, "RuntimeError: the toy has a defect")
    bench.worker("--mended").wait_ready()
    assert out_of_sequence(bench.read(OUTPUT, 3)) == {}
    bench.wait_committed(3)
    assert bench.notes() == {}
    assert bench.read_all(DEAD_LETTER_TOPIC) == []


def test_the_first_record_of_all_can_be_quarantined_and_so_can_several(bench: Bench) -> None:
    bench.send("a", b"crash")
    bench.send("b", b"x")
    bench.send("c", b"crash")
    bench.flush()
    assert len(crash_until_it_serves(bench)) == 2 * CRASHES_MAX
    assert [dead.key() for dead in bench.read_all(DEAD_LETTER_TOPIC)] == [b"a", b"c"]
    assert len(bench.read_all(OUTPUT)) == 1


def test_an_output_that_its_topic_does_not_take_is_its_records_fault(bench: Bench) -> None:
    for number in range(20):
        bench.send(f"k{number}", b"x")
    bench.send("a", b"huge %d" % (2 << 20))
    for number in range(20):
        bench.send(f"k{number}", b"x")
    bench.flush()
    told = crash_until_it_serves(bench)
    # The first time one of many wrote it, then it is found.
    assert len(told) == CRASHES_MAX
    (dead,) = bench.read_all(DEAD_LETTER_TOPIC)
    assert dead.value() == b"huge %d" % (2 << 20)
    assert b"a record for episodes, key 'a', has 2097152 bytes" in headers_of(dead)["spillway-detail"]
    assert out_of_sequence(bench.read_all(OUTPUT)) == {}
    assert len(bench.read_all(OUTPUT)) == 40


def test_a_kill_is_not_a_crash_and_leaves_no_note(bench: Bench) -> None:
    worker = bench.worker().wait_ready()
    bench.send("a", b"stick 60000")
    bench.flush()
    worker.wait_stuck()
    worker.kill()
    assert bench.notes() == {}


def test_a_deadline_that_raises_blames_no_record_and_says_what_to_do(bench: Bench) -> None:
    bench.send("a", b"trap 0")
    bench.flush()
    for _ in range(CRASHES_MAX + 1):
        bench.send("b", b"x")
        bench.flush()
        worker = bench.worker()
        assert worker.exit_code() == EXIT_DEFECT
        told = worker.events()[-1]
        assert told["timer"] == "a"
        assert "no record is at fault" in told["do"]
        assert "crashes" not in told
    assert bench.notes() == {}
    assert bench.read_all(DEAD_LETTER_TOPIC) == []


def test_a_batch_without_crashes_stays_whole_and_a_suspected_record_is_alone() -> None:
    quarantine = Quarantine()
    records = [record(offset) for offset in range(5)]
    assert list(quarantine.portions(records)) == [records]
    quarantine.crashes[INPUT] = Crash(1, 2, 2, "e")
    assert [[each.offset for each in portion] for portion in quarantine.portions(records)] == [[0, 1], [2], [3, 4]]
    quarantine.crashes[INPUT] = Crash(1, None, 2, "e")
    assert [[each.offset for each in portion] for portion in quarantine.portions(records)] == [[0], [1], [2], [3, 4]]
    quarantine.passed(INPUT, 3)
    assert list(quarantine.portions(records)) == [records]


@pytest.mark.parametrize("reads_ahead", [False, True])
def test_the_record_at_fault_is_found_also_where_a_stage_reads_ahead(reads_ahead: bool) -> None:
    """Each life handles its portions; a note moves to the next. The bad record is quarantined in the end."""
    crashes: dict[str, Crash] = {}
    records = [record(offset) for offset in range(10)]
    lives = 0
    while True:
        lives += 1
        quarantine = Quarantine()
        quarantine.crashes.update(crashes)
        if all(
            handled(quarantine, portion, crashes, reads_ahead=reads_ahead) for portion in quarantine.portions(records)
        ):
            break
        assert lives < 10
    assert crashes[INPUT].offset == 4
    assert lives == CRASHES_MAX + (2 if reads_ahead else 1)


def handled(quarantine: Quarantine, records: Sequence[Record], crashes: dict[str, Crash], *, reads_ahead: bool) -> bool:
    if quarantine.refused(records[0]):
        return True
    quarantine.hold(records)
    given = quarantine.slice(0, len(records))
    for each in list(given) if reads_ahead else given:
        if each.offset == 4:
            crashes.update(quarantine.blame(RuntimeError()))
            return False
    return True


def test_a_note_comes_back_as_it_was_and_a_foreign_one_says_nothing() -> None:
    note = OffsetNote("id", "log", {"alerts": 4}, Crash(2, 7, 9, "KeyError: 'x'"))
    assert OffsetNote.from_text(note.to_text()) == note
    assert OffsetNote.from_text(replace(note, crash=None).to_text()).crash is None
    assert OffsetNote.from_text("") == OffsetNote.from_text("set by hand") == OffsetNote()
    assert OffsetNote().to_text() == ""
    with pytest.raises(ValueError, match="schema 9"):
        OffsetNote.from_text('{"schema":9}')

"""What is ahead of its turn: kept as a text that fits beside an offset, and forgotten when its turn has come."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.overtaking import KEYS_MAX, OFFSET_MAX, TEXT_BYTES_MAX, Overtaking

OFFSETS: Final = st.integers(0, OFFSET_MAX)
RECORDS: Final = st.dictionaries(
    OFFSETS, st.lists(st.text(max_size=8), min_size=1, max_size=5, unique=True), max_size=40
)


def holding(records: dict[int, list[str]]) -> Overtaking:
    ahead = Overtaking()
    for offset, keys in records.items():
        ahead.add(offset, keys)
    return ahead


def test_a_condition_that_went_ahead_overtakes_what_is_before_it_and_nothing_else() -> None:
    ahead = holding({100: ["disk"]})

    assert 100 in ahead
    assert 99 not in ahead
    assert ahead.is_ahead("disk")
    assert not ahead.is_ahead("memory")
    assert ahead.overtakes("disk", 99)
    assert not ahead.overtakes("disk", 100)
    assert not ahead.overtakes("disk", 101)
    assert not ahead.overtakes("memory", 5)


def test_of_two_records_of_a_condition_the_newer_counts_until_its_turn() -> None:
    ahead = holding({100: ["disk"], 200: ["disk", "memory"]})
    ahead.passed(101)

    assert ahead.overtakes("disk", 150)
    assert 100 not in ahead
    ahead.passed(201)
    assert not ahead
    assert not ahead.is_ahead("disk")
    assert ahead.to_text() == ""


@given(RECORDS, st.integers(0, OFFSET_MAX + 1))
def test_its_text_says_all_of_it(records: dict[int, list[str]], following: int) -> None:
    ahead = holding(records)
    ahead.passed(following)
    again = Overtaking.from_text(ahead.to_text())

    left = {offset: keys for offset, keys in records.items() if offset >= following}
    assert bool(again) == bool(left)
    assert all(offset in again for offset in left)
    assert not any(offset in again for offset in records if offset < following)
    newest: dict[str, int] = {}
    for offset, keys in left.items():
        newest |= {key: max(offset, newest.get(key, 0)) for key in keys}
    for key, offset in newest.items():
        assert again.overtakes(key, offset - 1)
        assert not again.overtakes(key, offset)
    assert again.to_text() == ahead.to_text() == holding(records).to_text(following)


@given(st.lists(st.tuples(OFFSETS, st.integers(1, 30)), max_size=400))
def test_whatever_goes_ahead_fits_beside_an_offset(offered: list[tuple[int, int]]) -> None:
    ahead = Overtaking()
    for number, (offset, count) in enumerate(offered):
        if offset not in ahead and ahead.has_room(offset, count):
            ahead.add(offset, [f"{number}/{each}" for each in range(count)])

    assert len(ahead.to_text()) <= TEXT_BYTES_MAX * 4 // 3 + 4


def test_only_what_was_urgent_there_is_ahead_and_all_of_its_message_overtakes() -> None:
    ahead = Overtaking()
    ahead.add(100, ["disk"], ["memory"])
    again = ahead.copy()

    assert [again.is_ahead(key) for key in ("disk", "memory")] == [True, False]
    assert [again.overtakes(key, 99) for key in ("disk", "memory")] == [True, True]
    again.passed(101)
    assert not again
    assert ahead.is_ahead("disk")


def test_room_comes_back_when_the_turn_of_what_is_ahead_has_come() -> None:
    ahead, offset = Overtaking(), 0
    while ahead.has_room(offset, 1):
        ahead.add(offset, [str(offset)])
        offset += 1

    assert offset > 190
    ahead.passed(1)
    assert ahead.has_room(offset, 1)


@pytest.mark.parametrize(("offset", "keys"), [(OFFSET_MAX + 1, 1), (0, 0), (0, KEYS_MAX + 1)])
def test_what_cannot_be_written_waits_for_its_turn(offset: int, keys: int) -> None:
    assert not Overtaking().has_room(offset, keys)


@pytest.mark.parametrize("text", ["gA==", "AQEA", "no", "AQEAAAA*"])
def test_a_text_that_is_cut_or_foreign_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Overtaking.from_text(text)

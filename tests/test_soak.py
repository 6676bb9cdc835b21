"""The soak's judgement: what grows is found, what merely breathes is not. The soak itself is `benchmarks.soak`."""

from __future__ import annotations

import pytest

from benchmarks.soak import HANDLES_MORE_MAX, Series, delays_judged, judged, slope

MIB = 2**20


def series(memory_an_hour: float = 0.0, *, hours: float = 2.0, handles_more: int = 0, threads_more: int = 0) -> Series:
    """200 MiB every ten seconds that breathe by 4 MiB and grow by a share an hour."""
    found = Series()
    count = int(hours * 360)
    for number in range(count):
        at = number * 10.0
        found.at.append(at)
        found.memory.append(int(200 * MIB * (1 + memory_an_hour * at / 3_600) + (number % 7 - 3) * MIB))
        found.handles.append(40 + handles_more * number // count)
        found.threads.append(12 + threads_more * number // count)
    return found


def test_the_line_through_points_has_their_slope() -> None:
    assert slope([0, 1, 2, 3], [5, 7, 9, 11]) == pytest.approx(2)
    assert slope([4], [1]) == 0


def test_a_process_that_breathes_passes() -> None:
    figures, wrong = judged("worker", series())
    assert not wrong
    assert abs(figures["memory_growth_an_hour"]) < 0.001


@pytest.mark.parametrize(("hours", "an_hour"), [(2.0, 0.06), (0.1, 0.8)])
def test_memory_that_grows_fails_in_a_long_run_and_in_a_short_one(hours: float, an_hour: float) -> None:
    _, wrong = judged("worker", series(an_hour, hours=hours))
    assert len(wrong) == 1
    assert "memory grew by" in wrong[0]


def test_handles_and_threads_that_stay_open_fail() -> None:
    _, wrong = judged("gateway", series(handles_more=3 * HANDLES_MORE_MAX, threads_more=20))
    assert [line.partition(" ")[2].partition(" ")[2][:7] for line in wrong] == ["file ha", "threads"]


def test_a_delay_that_rises_fails_and_one_that_varies_does_not() -> None:
    assert not delays_judged([0.2, 0.5, 0.3] * 100)[1]
    assert delays_judged([0.2] * 100 + [9.0] * 100)[1] == ["delay: p99 rose from 0.20 to 9.00 s, 2.40 may be"]
    assert delays_judged([])[1] == ["no incident was opened after the warm-up"]

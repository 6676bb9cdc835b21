"""The board says that much waits, of which feeds and for how long, and is silent otherwise."""

from __future__ import annotations

from pipeline.console.overload import RECORDS_BEHIND_MIN, Overload
from pipeline.kafka.behind import Behind


def told(records: int, handled: int, seconds: float = 5.0, stage: str = "ingest", **feeds: int) -> str:
    overload = Overload()
    overload.observe({stage: Behind(records, 0)}, 100.0)
    topics = {f"alerts.raw.{feed}": count for feed, count in feeds.items()}
    overload.observe({stage: Behind(records, handled, topics)}, 100.0 + seconds)
    return overload.words


def test_a_backlog_is_told_with_its_feeds_and_how_long_it_takes() -> None:
    assert told(92_000, 10_000, runaway=91_200, jira=800) == (
        "Overloaded: 92,000 records wait, about 46 s at this pace. "
        "Deferred: runaway 91,200, jira 800; feeds without a backlog go first."
    )


def test_where_nothing_is_handled_it_says_so() -> None:
    assert told(5_000, 0, stage="correlate") == "Overloaded: 5,000 records wait, nothing is handled at the moment."


def test_what_is_worked_off_within_seconds_and_what_is_little_is_not_told() -> None:
    assert told(20_000, 20_000) == ""
    assert told(RECORDS_BEHIND_MIN - 1, 0) == ""


def test_one_look_alone_tells_nothing_and_the_end_takes_the_words_away() -> None:
    overload = Overload()
    overload.observe({"ingest": Behind(1_000_000, 0)}, 100.0)
    assert overload.words == ""
    overload.observe({"ingest": Behind(1_000_000, 10)}, 105.0)
    assert overload.words
    overload.observe({"ingest": Behind(0, 1_000_010)}, 110.0)
    assert overload.words == ""

"""What is asked about one episode or alert is found by an index, however long the history is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from pipeline.records.questions import entries_of_alert, entries_of_episode
from pipeline.records.store import RecordsStore

Rows = list[dict[str, Any]]


@pytest.mark.parametrize(
    ("question", "indexes"),
    [
        (partial(entries_of_episode, episode_id="EP-1"), {"timeline_by_episode", "timeline_by_episodes"}),
        (partial(entries_of_alert, name="a%b", origin=None), {"timeline_by_alert_key", "timeline_by_source"}),
        (partial(entries_of_alert, name="", origin=("t", 0, 7, None)), {"timeline_by_origin"}),
        (partial(entries_of_alert, name="", origin=("t", 0, 7, 3)), {"timeline_by_origin"}),
    ],
    ids=["episode", "name", "record", "alert"],
)
def test_a_question_about_one_thing_is_answered_by_indexes(
    store: RecordsStore, question: Callable[[Connection], Rows], indexes: set[str]
) -> None:
    def plan(connection: Connection) -> str:
        connection.execute(text("SET LOCAL enable_seqscan = off"))  # a table of no rows is read whole otherwise
        event.listen(connection, "before_cursor_execute", explained, retval=True)
        return "\n".join(str(row) for row in question(connection))

    found = store.ask(plan)
    for name, whole in store.ask(parts_of_indexes):
        found = found.replace(f" {name} ", f" {whole} ")
    assert {name for name in indexes if name in found} == indexes, found
    assert "Seq Scan" not in found


def parts_of_indexes(connection: Connection) -> list[tuple[str, str]]:
    """Each month's own index, and the index of the whole table that it is a part of."""
    parts = "SELECT inhrelid::regclass::text, inhparent::regclass::text FROM pg_inherits"
    query = f"{parts} JOIN pg_index ON indexrelid = inhrelid"
    return [(name, whole) for name, whole in connection.execute(text(query))]


def explained(*given: Any) -> tuple[str, Any]:
    """Ask for the plan of a statement instead of its rows."""
    _, _, statement, parameters, _, _ = given
    return f"EXPLAIN {statement}", parameters

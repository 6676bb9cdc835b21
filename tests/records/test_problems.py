"""Problems in a real records store: idempotent, never backwards, read by the command."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.core.chain import Sealed, first_break
from pipeline.core.outward.incident_event import ProblemEvent, read_problem_event
from pipeline.core.step import StreamRecord
from pipeline.records.problems import listed, shown
from pipeline.records.receipts import Outcome, Receipt, outcome
from pipeline.records.store import RecordsStore
from pipeline.records.tables import PROBLEM_EVENTS
from tests.core.builders import MINUTE, T0
from tests.core.test_problem import DAY, Desk, with_three


def told() -> list[ProblemEvent]:
    """The events of a problem: a candidate, taken up, with a cause that PostgreSQL cannot hold as it is."""
    desk = with_three()
    desk.ask("accept", T0 + 3 * DAY)
    desk.ask("set_cause", T0 + 3 * DAY + MINUTE, text="the report job \0 holds them")
    return events_of(desk)


def events_of(desk: Desk) -> list[ProblemEvent]:
    """What is told of its problems."""
    found = [each for each in desk.effects.outputs if each.topic == "problems"]
    records = [
        StreamRecord("problems", 0, at, each.timestamp_ms, each.key, each.value) for at, each in enumerate(found)
    ]
    return [read_problem_event(record) for record in records]


def test_a_problem_is_kept_with_all_that_was_done_and_its_seals_hold(store: RecordsStore) -> None:
    events = told()
    store.follow(events)
    store.follow(events)
    problem = store.ask(lambda sql: shown(sql, events[0].problem_id))
    assert problem is not None
    assert (problem["state"], problem["cause"]) == (
        "investigating",
        "the report job \N{REPLACEMENT CHARACTER} holds them",
    )
    assert [each["action"] for each in problem["timeline"]] == ["detect", "accept", "cause"]
    rows = store.ask(lambda sql: sql.execute(PROBLEM_EVENTS.select().order_by(PROBLEM_EVENTS.c.revision)).all())
    assert first_break([Sealed(row.revision, row.sealed, row.seal) for row in rows], problem["chain"]) is None


def test_what_is_asked_of_a_problem_is_told_as_done_or_as_refused_with_its_words(store: RecordsStore) -> None:
    desk = with_three()
    desk.ask("accept", T0 + 3 * DAY)
    desk.ask("close", T0 + 3 * DAY + MINUTE, role="viewer")
    store.follow(events_of(desk))

    def told_of(command_id: str, kind: str) -> Outcome | None:
        asked = Receipt(command_id, "ann", None, "", "problem", desk.one()["id"], kind, datetime.now(UTC))
        return store.ask(lambda sql: outcome(sql, asked))

    done, refused = (
        told_of(f"{kind}-{at}", kind) for kind, at in (("accept", T0 + 3 * DAY), ("close", T0 + 3 * DAY + MINUTE))
    )
    assert done is not None
    assert not done.refused
    assert refused is not None
    assert refused.refused
    assert "a viewer may not do that" in " ".join(refused.words)
    assert told_of("never-asked", "accept") is None


def test_an_older_revision_of_a_problem_never_overwrites_a_newer(store: RecordsStore) -> None:
    events = told()
    store.follow(events[2:])
    store.follow(events[:2])
    (problem,) = store.ask(lambda sql: listed(sql, open_only=True))
    assert problem["revision"] == 3


def test_the_command_lists_and_shows_problems(store: RecordsStore, empty: str) -> None:
    events = told()
    store.follow(events)
    run = CliRunner()
    everything = run.invoke(main, ["problem", "list", "--records-url", empty])
    assert everything.exit_code == 0
    assert "Pay-Db: capacity" in everything.output
    one = run.invoke(main, ["problem", "show", events[0].problem_id, "--records-url", empty])
    assert "3 incidents of the same cause within 30 days" in one.output
    assert "INC-2" in one.output
    as_json = run.invoke(main, ["problem", "list", "--json", "--records-url", empty])
    assert orjson.loads(as_json.output)["occurrences_total"] == 3
    none = run.invoke(main, ["problem", "show", "PRB-0", "--records-url", empty])
    assert none.exit_code == 1
    assert "knows of no problem PRB-0" in none.output

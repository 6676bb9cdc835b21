"""Nothing of an incident that somebody may not see is in any answer: all functions that read are asked."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import isfunction
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from pipeline.catalog import load_config
from pipeline.core.outward.incident_event import ProblemEvent
from pipeline.records import reading
from pipeline.records.reading import Filters, Scope
from pipeline.records.store import RecordsStore
from tests.records.made import DAY_MS, NOW, NOW_MS, incident

MINE: Scope = frozenset({"retail"})
CONFIG = load_config(Path(__file__).parents[2] / "config")
SECRET = "quasar"
"""A word of all that is out of scope, in upper and lower case."""

ASKED: dict[str, Callable[[Connection, Scope], Any]] = {
    "board": lambda c, scope: reading.board(c, scope, filters=NOW),
    "incidents": reading.incidents,
    "search": lambda c, scope: [
        reading.search(c, scope, typed) for typed in ("", "broken", SECRET, "INC-QUASAR", "quasar-key-1", "EP-QUASAR")
    ],
    "similar": lambda c, scope: [reading.similar(c, name, scope) for name in ("INC-MINE", "INC-QUASAR")],
    "incident_page": lambda c, scope: [
        reading.incident_page(c, name, scope) for name in ("INC-MINE", "INC-QUASAR", "MI-QUASAR")
    ],
    "timeline": lambda c, scope: reading.timeline(c, "INC-QUASAR", scope),
    "episodes": lambda c, scope: reading.episodes(c, "INC-QUASAR", scope),
    "episode": lambda c, scope: [reading.episode(c, name, scope) for name in ("EP-QUASAR", "EP-LONE-QUASAR")],
    "services": lambda c, scope: reading.services(c, scope, CONFIG),
    "suppression": lambda c, scope: reading.suppression(c, scope, NOW_MS - DAY_MS, NOW_MS + DAY_MS),
    "problems": reading.problems,
    "problem": lambda c, scope: reading.problem(c, "PRB-QUASAR", scope),
}
OF_NO_INCIDENT = {"parse_filters"}


@pytest.fixture
def both(store: RecordsStore) -> RecordsStore:
    """An incident of ours, and of others one that is as like it as can be."""
    like = {"service": "component:default/checkout", "category": "data", "opened_at_ms": NOW_MS}
    theirs = {**like, "title": f"{SECRET} is broken", "domain": "health", "state": "closed", "note": SECRET}
    store.project(
        [
            incident("INC-MINE", **like),
            incident("INC-QUASAR", **theirs, merged_into="INC-MINE", bridge_id="INC-MINE"),
            incident("MI-QUASAR", kind="bridge", title=SECRET, domain="health"),
            incident("INC-LONE-QUASAR", title=SECRET, domain=None, service="component:default/checkout"),
        ]
    )
    store.follow(
        [ProblemEvent("PRB-QUASAR", 1, "opened", NOW_MS, [], {"id": "PRB-QUASAR", "title": SECRET, "domain": "health"})]
    )
    store.change(_add_episodes)
    return store


def _add_episodes(connection: Connection) -> None:
    for name, incident_id in (("EP-QUASAR", "INC-QUASAR"), ("EP-LONE-QUASAR", None)):
        connection.execute(
            text("""
            INSERT INTO episodes (id, alert_key, space, state, summary, domain, incident_id, reason, alerts, opened_at,
                updated_at, alert)
            VALUES (:name, 'quasar-key-1', 'production', 'open', 'quasar', 'health', :incident_id, 'joined', 1, now(),
                now(), '{}')"""),
            {"name": name, "incident_id": incident_id},
        )


def test_every_function_that_reads_is_asked_here() -> None:
    functions = {name for name in reading.__all__ if isfunction(getattr(reading, name))}
    assert functions - OF_NO_INCIDENT == ASKED.keys()


@pytest.mark.parametrize("name", ASKED)
def test_what_is_out_of_scope_is_in_no_answer(both: RecordsStore, name: str) -> None:
    told = repr(both.ask(lambda c: ASKED[name](c, MINE)))
    asked_for = told.replace("quasar-key-1", "") if name == "search" else told
    assert SECRET not in asked_for.lower()


@pytest.mark.parametrize("name", sorted(ASKED.keys() - {"services", "suppression"}))
def test_whoever_may_see_all_is_told_of_it(both: RecordsStore, name: str) -> None:
    assert SECRET in repr(both.ask(lambda c: ASKED[name](c, None))).lower()


def _within_nothing(ask: Callable[[Connection, Scope], Any], connection: Connection) -> Any:
    return ask(connection, frozenset())


def test_nobody_sees_anything_within_no_domain(both: RecordsStore) -> None:
    for name, ask in ASKED.items():
        told = repr(both.ask(partial(_within_nothing, ask)))
        assert "Something is broken" not in told, name


def test_a_filter_widens_no_scope(both: RecordsStore) -> None:
    filters = Filters(domain="health", now_ms=NOW_MS)
    assert both.ask(lambda c: reading.incidents(c, MINE, filters=filters)).rows == []
    assert both.ask(lambda c: reading.search(c, MINE, SECRET, filters)).hits == []
    assert both.ask(lambda c: reading.board(c, MINE, filters=filters)).counts == []

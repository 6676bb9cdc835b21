"""Readers of what sinks send back, on hostile bodies: updates, none, or one line; never anything else.

Whoever may send can send anything: a desk's script with a defect, or somebody who has its secret. The bodies are made
of the words that a reader looks for, with values of every kind in every place.
"""

from __future__ import annotations

import inspect
import re
from datetime import UTC, datetime
from functools import cache
from random import Random
from typing import Any, Final
from urllib.parse import quote_plus

import orjson
import pytest

from pipeline.core.identity import short_id
from pipeline.models.remote import SinkUpdate
from pipeline.models.sinks import SinkRules
from pipeline.sinks.updates import READERS, Reader
from tests.sinks.conformance.table import DOWNSTREAMS

NOW: Final = datetime(2026, 3, 4, 12, tzinfo=UTC)
INCIDENT: Final = short_id("INC", "1")
BODIES: Final = 300
SEEDS: Final = range(5)

RAW: Final = (
    b"", b" ", b"\x00", b"\xff\xfe", b"null", b"true", b"0", b'""', b"[]", b"{}", b"[[[[", b"[" * 5_000,
    b'{"a":' * 5_000,
    b'"\\ud800"', b"payload=", b"payload=%7B", b"payload=%ff", b"payload=null", b"payload=%5B%5D", b"=&=&=",
    b"a" * 70_000,
    b"<xml/>", b"9" * 5_000, b'{"event":' + b"1" * 400 + b"}", b"1e999", b"NaN",
)  # fmt: skip

SCALARS: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 7, 2**62, 1.5, "", " ", INCIDENT, f"inc-{INCIDENT}", f"{INCIDENT}/2", "x" * 5_000,
    "\x00\u202e",
    "2026-03-04 02:11:42", "2026-03-04T02:11:42Z", "2026-13-45", "99999999999999999", "-1", "6", "resolved",
    "incident.resolved",
    "jira:issue_updated", "request.update", "update", "block_actions", "acknowledge", "\ud7ff", "{", "[]",
)  # fmt: skip


def rules_of(kind: str) -> SinkRules:
    return next(each.rules("https://desk.example") for each in DOWNSTREAMS.values() if each.entry_type == kind)


TYPES: Final = [kind for kind in READERS if any(each.entry_type == kind for each in DOWNSTREAMS.values())]
IN_EACH: Final = pytest.mark.parametrize("kind", TYPES)


@cache
def words_of(reader: Reader) -> tuple[str, ...]:
    """The words in the module of a reader: those among them that are names of fields."""
    module = inspect.getmodule(inspect.unwrap(reader))
    source = inspect.getsource(module) if module is not None else ""
    return tuple(sorted(set(re.findall(r'"([A-Za-z_][A-Za-z0-9_.:-]{0,40})"', source)))) or ("id",)


def made(random: Random, words: tuple[str, ...], depth: int) -> Any:
    """Any value, made of the words."""
    choice = random.random()
    if depth <= 0 or choice < 0.3:
        return random.choice([*SCALARS, random.choice(words)])
    if choice < 0.45:
        return [made(random, words, depth - 1) for _ in range(random.randrange(4))]
    chosen = random.sample(words, min(len(words), random.randrange(1, 7)))
    return {word: made(random, words, depth - 1) for word in chosen}


def read(kind: str, body: bytes) -> list[SinkUpdate] | str:
    """What a reader makes of a body: updates, or the line that it is refused with."""
    rules = rules_of(kind)
    try:
        found = READERS[kind](body, {"content-type": "application/json"}, rules, NOW)
    except ValueError as error:
        return str(error)
    for each in found:
        assert each.sink == rules.name
        assert each.incident_id
        assert SinkUpdate.model_validate_json(each.to_bytes()) == each
    return found


@IN_EACH
@pytest.mark.parametrize("body", RAW, ids=range(len(RAW)))
def test_what_is_no_message_is_refused_or_about_nothing(kind: str, body: bytes) -> None:
    found = read(kind, body)
    assert isinstance(found, str) or found == []


@IN_EACH
@pytest.mark.parametrize("seed", SEEDS)
def test_no_body_makes_a_reader_fail(kind: str, seed: int) -> None:
    random, words = Random(seed), words_of(READERS[kind])  # noqa: S311  # repeatable, not secret
    for _ in range(BODIES):
        document = orjson.dumps(made(random, words, 4))
        for body in (document, f"payload={quote_plus(document)}".encode()):
            read(kind, body)


def test_every_type_that_has_a_reader_is_tried() -> None:
    assert set(TYPES) == set(READERS)

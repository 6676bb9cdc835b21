"""A short fuzz run of the gateway's door, and that the fuzzer notices what it is there for. The long one:
``python -m tests.fuzz.door``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import pytest

from tests.fuzz.door.cases import CANARY, Case, case
from tests.fuzz.door.checks import asked, problems
from tests.fuzz.door.run import fuzz, served
from tests.fuzz.door.schemes import DOORS, SECRET

SEED: Final = 20_261_201
REQUESTS: Final = 1_500
"""About fifteen seconds of two busy cores."""

GOOD: Final = b"POST /v1/feeds/open HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"
TAKEN: Final = b'HTTP/1.1 202 Accepted\r\nServer: spillway\r\nContent-Length: 21\r\n\r\n{"status":"accepted"}'


def test_whatever_comes_to_the_door_is_taken_whole_or_refused_in_words(kafka: str, prefix: str, tmp_path: Path) -> None:
    with served(kafka, prefix, tmp_path) as gateway:
        tally = asyncio.run(fuzz(gateway, SEED, range(REQUESTS)))

    assert tally.failures == [], f"seed {SEED}: python -m tests.fuzz.door --seed {SEED} --number N"
    assert set(tally.kept) == set(DOORS) - {"sns"}
    assert tally.good > REQUESTS / 5
    assert min(tally.statuses[each] for each in (202, 400, 401, 404, 405, 413, 415)) > 3


def test_a_case_is_the_same_whenever_it_is_made() -> None:
    numbers = [number for number in range(200) if case(SEED, number).door in {"open", "bearer", "events", "address"}]

    assert [case(SEED, number) for number in numbers] == [case(SEED, number) for number in numbers]
    assert case(SEED, 1).raw != case(SEED + 1, 1).raw


@pytest.mark.parametrize(
    ("sent", "answer", "fault"),
    [
        (GOOD, TAKEN, None),
        (GOOD, b"", "a good request was answered with []"),
        (GOOD, TAKEN.replace(b"202 Accepted", b"500 Oops"), "status 500"),
        (GOOD, TAKEN.replace(b"202", b"503"), "503 without Retry-After"),
        (GOOD, TAKEN.replace(b"spillway", b"aiohttp"), "the answer tells the server's versions"),
        (GOOD, TAKEN.replace(b"accepted", CANARY.encode() + b"es"), "the answer repeats what was sent"),
        (GOOD.replace(b"2\r", b"9\r"), TAKEN, "another reader of HTTP finds no whole request 1 there"),
        (GOOD, TAKEN + TAKEN, "another reader of HTTP finds no whole request 2 there"),
        (GOOD.replace(b"/open", b"/bearer"), TAKEN, "bearer let somebody in who did not prove himself"),
        (GOOD.replace(b"/open", b"/sns"), TAKEN, "sns let somebody in who did not prove himself"),
        (GOOD.replace(b"/v1", b"/v2"), TAKEN, "which is no door"),
        (GOOD.replace(b"Host: a", b"Host: a\r\nContent-Encoding: gzip"), TAKEN, "not what Content-Encoding says"),
        (GOOD.replace(b"2\r\n\r\n{}", b"0\r\n\r\n"), TAKEN, "an empty message was accepted"),
    ],
)
def test_the_fuzzer_notices(sent: bytes, answer: bytes, fault: str | None) -> None:
    found, kept = problems(Case(1, "open", sent == GOOD, [sent]), answer)

    assert [each for each in found if fault is not None and fault in each] or found == []
    assert bool(found) == (fault is not None)
    assert fault is not None or kept == [("open", b"{}")]


def test_a_second_request_on_a_connection_is_read_as_one() -> None:
    bearer = GOOD.replace(b"/open", b"/bearer").replace(b"Host", f"Authorization: Bearer {SECRET}\r\nHost".encode())

    assert [each.target for each in asked(GOOD + bearer)] == [b"/v1/feeds/open", b"/v1/feeds/bearer"]
    assert problems(Case(1, "open", False, [GOOD + bearer]), TAKEN + TAKEN)[0] == []

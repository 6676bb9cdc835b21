"""A mistyped resolution code is doubted before it is sent, by the codes that the incident's domain has."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.cli.resolution_code import doubt
from pipeline.models.closure import USUAL_CODES, Closure
from tests.core.builders import config, policy

OWN = config(domains={"shop": policy(), "ward": policy("ward", closure=Closure(codes={"healed": "Healed"}))})

CASES: dict[str, tuple[str | None, str, str | None]] = {
    "a usual one": ("shop", "fixed", None),
    "nearly one": (
        "shop",
        "fixd",
        "code 'fixd' is not one of the shop policy's; did you mean 'fixed'?; known: fixed, ",
    ),
    "of its own list": ("ward", "healed", None),
    "of no list of its own": (
        "ward",
        "fixed",
        "code 'fixed' is not one of the ward policy's; it will be refused",
    ),
    "known to some domain": (None, "healed", None),
    "known to none": (None, "heald", "code 'heald' is not one of any policy's here; did you mean 'healed'?; known: "),
}


@pytest.mark.parametrize("case", CASES)
def test_a_code_is_doubted_where_the_domain_does_not_know_it(case: str) -> None:
    domain, code, words = CASES[case]
    asked: dict[str, Any] = {"code": code}
    found = doubt(OWN, domain, asked)
    assert found is None if words is None else found is not None and found.startswith(words)


def test_the_usual_codes_are_known_where_nothing_is_configured() -> None:
    assert all(doubt(config(domains={}), "shop", {"code": code}) is None for code in USUAL_CODES)

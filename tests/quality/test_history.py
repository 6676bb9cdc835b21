"""What was said in the course of a day is read out of incident events as they are written."""

from __future__ import annotations

from typing import Any

import orjson

from benchmarks.quality.history import Declared, Said, history
from pipeline.core.step import Output


def event(
    incident_id: str,
    at_ms: int,
    *,
    joined: tuple[str, ...] = (),
    left: tuple[str, ...] = (),
    suspects: tuple[str, ...] = (),
    change: str = "updated",
    **incident: Any,
) -> Output:
    told = {
        "incident_id": incident_id,
        "change": change,
        "at_ms": at_ms,
        "joined": joined,
        "left": left,
        "incident": {
            "kind": "incident",
            "detected_at_ms": 5,
            "suspects": [{"ref": ref} for ref in suspects],
            **incident,
        },
    }
    return Output("incidents", incident_id.encode(), orjson.dumps(told), at_ms)


def test_suspects_are_kept_whenever_they_change() -> None:
    said = history([event("one", 1), event("one", 2, suspects=("a",)), event("one", 3, suspects=("a",))])

    assert said.suspects == {"one": [Said(1, ()), Said(2, ("a",))]}
    assert said.suspects_at("one", 1) == ()
    assert said.suspects_at("one") == ("a",)
    assert said.suspects_at("unknown") == ()
    assert said.detected_ms == {"one": 5}


def test_a_declaration_is_about_what_its_first_member_held_when_it_was_made() -> None:
    said = history(
        [
            event("one", 1, joined=("a", "b")),
            event("two", 2, joined=("c",)),
            event("one", 3, left=("b",)),
            event("bridge", 4, change="opened", kind="bridge", members=["one", "two"]),
            event("one", 5, joined=("d",)),
            event("bridge", 6, kind="bridge", members=["one"]),
        ]
    )

    assert said.declared == [Declared(4, frozenset({"a"}))]

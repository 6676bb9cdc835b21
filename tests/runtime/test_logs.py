"""Log lines: one shape, every event known, bounded in number, one line each whatever they hold."""

from __future__ import annotations

import ast
import io
import logging
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

import pipeline
from pipeline.runtime.guard import EXIT_DEFECT, EXIT_REFUSED, RefusedError, fatal, refuse
from pipeline.runtime.log_events import EVENTS
from pipeline.runtime.logs import LINES_BURST, LOG, Format, LibraryHandler, Log
from pipeline.runtime.tracing import CURRENT, Context

ROOT = Path(pipeline.__file__).parent


def log(form: Format = "json") -> tuple[Log, io.StringIO]:
    stream = io.StringIO()
    written = Log(stream)
    written.form = form
    return written, stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in stream.getvalue().splitlines()]


def words_of(node: ast.expr) -> list[str | None]:
    """What an event may be called; None: something that nobody knows before."""
    if isinstance(node, ast.IfExp):
        return [*words_of(node.body), *words_of(node.orelse)]
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else [None]


def logged() -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            name = node.func if isinstance(node, ast.Call) else None
            called = name.id if isinstance(name, ast.Name) else getattr(name, "attr", "")
            if (
                isinstance(node, ast.Call)
                and node.args
                and (
                    called == "log_line"
                    or (called == "_write" and path.name == "journal.py" and "gateway" in path.parts)
                )
            ):
                found += [(f"{path.relative_to(ROOT)}:{node.lineno}", word) for word in words_of(node.args[0])]
    return found


def test_every_event_is_a_constant_that_is_explained_and_every_explained_one_is_logged() -> None:
    found = logged()
    assert len(found) > 40
    assert [place for place, word in found if word is None] == [], "an event is a constant; what varies is a fact"
    assert [each for each in found if each[1] not in EVENTS] == []
    assert set(EVENTS) - {word for _, word in found} == {"library"}


def test_a_line_has_its_time_in_utc_its_level_and_its_facts() -> None:
    written, stream = log()
    written.write("record quarantined", stage="dedupe", topic="alerts", partition=3, offset=17)
    (line,) = lines(stream)
    assert list(line) == ["time", "level", "event", "stage", "topic", "partition", "offset"]
    assert line["level"] == "error"
    assert datetime.fromisoformat(line["time"]).utcoffset() is not None


def test_a_line_names_the_trace_that_is_worked_in() -> None:
    written, stream = log()
    token = CURRENT.set(Context("a" * 32, "b" * 16))
    try:
        written.write("sink back", sink="desk")
    finally:
        CURRENT.reset(token)
    written.write("sink back", sink="desk")
    assert [line.get("trace_id") for line in lines(stream)] == ["a" * 32, None]


@pytest.mark.parametrize("event", ["sink not polled", "library"])
def test_a_storm_of_one_event_is_cut_and_others_are_not(event: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1_000.0]
    monkeypatch.setattr("pipeline.runtime.logs.monotonic", lambda: clock[0])
    written, stream = log()
    for _ in range(10_000):
        written.write(event)
    written.write("sink back")
    assert len(lines(stream)) == LINES_BURST + 1
    clock[0] += 60
    written.write(event)
    assert lines(stream)[-1]["left_out"] == 10_000 - LINES_BURST


def test_the_end_of_a_process_is_always_told() -> None:
    written, stream = log()
    for _ in range(2 * LINES_BURST):
        written.write("fatal", what="x")
    assert len(lines(stream)) == 2 * LINES_BURST


@pytest.mark.parametrize(
    ("form", "hostile"), [("json", 'a\n{"event":"fatal"}'), ("text", "a\nERROR fatal what=x \x1b[2J")]
)
def test_what_a_fact_holds_makes_no_second_line(form: Format, hostile: str) -> None:
    written, stream = log(form)
    written.write("sink down", sink="desk", detail=hostile)
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()


def test_text_is_for_people() -> None:
    written, stream = log("text")
    written.write("sink down", sink="desk", status=None, detail="no answer in time", offsets={"alerts": 3})
    time, level, rest = stream.getvalue().split(maxsplit=2)
    assert (time[-1], level) == ("Z", "WARNING")
    assert rest == 'sink down sink=desk detail="no answer in time" offsets={"alerts":3}\n'


def test_a_librarys_line_has_the_same_shape_with_its_traceback_in_it() -> None:
    written, stream = log()
    logger = logging.Logger("aiokafka.something")
    logger.addHandler(LibraryHandler(written))
    try:
        int("no\nnumber")
    except ValueError:
        logger.exception("cannot %s", "connect")
    (line,) = lines(stream)
    assert (line["event"], line["level"], line["logger"]) == ("library", "error", "aiokafka.something")
    assert line["message"] == "cannot connect"
    assert "ValueError: invalid literal" in line["traceback"]


def test_a_librarys_line_whose_arguments_do_not_fit_is_told_and_raises_nothing() -> None:
    written, stream = log()
    logger = logging.Logger("aiokafka.something")
    logger.addHandler(LibraryHandler(written))
    logger.error("%d of %d", *("two",))
    (line,) = lines(stream)
    assert line["message"] == "%d of %d (its arguments do not fit: TypeError)"


def test_a_library_goes_on_where_nothing_can_be_written() -> None:
    written, stream = log()
    stream.close()
    logger = logging.Logger("aiokafka.something")
    logger.addHandler(LibraryHandler(written))
    logger.error("anything")
    with pytest.raises(ValueError, match="closed"):
        written.write("sink back")


def test_what_logs_while_a_line_is_written_does_not_wait_for_itself() -> None:
    """As what is collected as garbage may, in the thread that writes."""
    written, stream = log()

    class Talks:
        def __str__(self) -> str:
            written.write("sink back")
            return "said"

    thread = threading.Thread(target=written.write, args=("sink down",), kwargs={"detail": Talks()}, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert [line["event"] for line in lines(stream)] == ["sink back", "sink down"]


class Ended(BaseException):
    """The process would have."""


@pytest.mark.parametrize(
    ("end", "code"), [(lambda: fatal("x", "y"), EXIT_DEFECT), (lambda: refuse(RefusedError("z")), EXIT_REFUSED)]
)
def test_a_process_that_must_end_ends_without_a_standard_error(
    end: Callable[[], None], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(with_code: int) -> None:
        raise Ended(with_code)

    broken = io.StringIO()
    broken.close()
    monkeypatch.setattr(LOG, "_stream", broken)
    monkeypatch.setattr("pipeline.runtime.guard.os._exit", leave)
    with pytest.raises(Ended) as ended:
        end()
    assert ended.value.args == (code,)

"""The laws of the house, checked on the source itself. Each message names the law and what to do instead."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from pipeline.flow import STAGES

ROOT: Final = Path(__file__).parent.parent
PIPELINE: Final = ROOT / "pipeline"
SOURCES: Final = sorted(PIPELINE.rglob("*.py"))
TESTS: Final = sorted((ROOT / "tests").rglob("*.py"))

FUNCTION_LINES_MAX: Final = 70
FILE_LINES_MAX: Final = 400

# Imports point down only: a part may import parts of its own rank or below.
RANKS: Final = {
    "flow": 0,
    "models": 1,
    "settings": 1,
    "core": 2,
    "feeds": 3,
    "catalog": 3,
    "kafka": 3,
    "records": 3,
    "sinks": 3,
    "gateway": 3,
    "watch": 3,
    "console": 4,
    "redaction": 3,
    "runtime": 3,
    "recording": 3,
    "agents": 4,
    "replay": 5,
    "examples": 5,
    "app": 5,
    "backtest": 6,
    "rule_tests": 6,
    "suggest": 6,
    "player": 6,
    "shadow": 7,
    "demo": 7,
    "cli": 8,
    "__main__": 9,
}
# What the parts that decide and the parts that translate may import of ours.
NARROW: Final = {
    "flow": (),
    "models": ("models", "flow", "core.identity"),
    "core": ("core", "models", "flow"),
    "feeds": ("feeds", "models", "flow", "core.identity", "core.expressions"),
}
PURE: Final = ("core", "models")
PURE_PACKAGES: Final = {
    "orjson",
    "pydantic",
    "cel_expr_python",
    "re2",
    "holidays",
    "dateutil",
    "icalendar",
    "recurring_ical_events",
    "jinja2",
    "pipeline",
}
# What a decision may not ask; and what to do instead.
IMPURE_MODULES: Final = {
    "time": "take stream time as an argument",
    "random": "derive it from content (core.identity)",
    "secrets": "derive it from content (core.identity)",
    "uuid": "derive ids from content (core.identity)",
    "os": "take it as an argument; only pipeline/settings.py reads the environment",
    "logging": "return a decision with a reason; the runtime logs",
    "socket": "return an output; the agents do I/O",
    "subprocess": "return an output; the agents do I/O",
    "threading": "stay synchronous; the runtime runs it",
    "asyncio": "stay synchronous; the runtime runs it",
    "faust": "put it into pipeline/agents or pipeline/runtime",
    "aiokafka": "put it into pipeline/runtime",
    "confluent_kafka": "put it into pipeline/kafka",
    "prometheus_client": "count in the ledger; the runtime exposes it",
}
CLOCK_CALLS: Final = {"now", "utcnow", "today"}
UNFINISHED: Final = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b|NotImplemented" + "Error")


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def part_of(path: Path) -> str:
    """The part of the house that a file belongs to: its package or, at the top, its own name."""
    return path.relative_to(PIPELINE).parts[0].removesuffix(".py")


def imports_of(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import, those inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def name_of(node: ast.expr) -> str:
    """Dotted name of an expression, as far as it is one."""
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def calls_of(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node, name_of(node.func)


def check(problems: list[str]) -> None:
    assert not problems, "\n" + "\n".join(problems)


def test_imports_point_down_only() -> None:
    problems = []
    for path in SOURCES:
        part = part_of(path)
        if part == "__init__":
            continue
        for line, name in imports_of(tree_of(path)):
            if not name.startswith("pipeline."):
                continue
            inner = name.removeprefix("pipeline.")
            target = inner.split(".")[0]
            where = f"{relative(path)}:{line}: {part} imports {name}"
            if part not in RANKS or target not in RANKS:
                problems.append(f"{where}: give the new part a rank in tests/test_tidy.py")
            elif RANKS[target] > RANKS[part]:
                problems.append(f"{where}: imports point down (cli, app, agents, core, models); pass it in instead")
            elif part in NARROW and not any(f"{inner}.".startswith(f"{each}.") for each in NARROW[part]):
                problems.append(f"{where}: {part} may import {', '.join(NARROW[part]) or 'nothing'}; pass it in")
    check(problems)


def test_the_core_asks_no_clock_no_chance_and_no_machine() -> None:
    problems = []
    for path in SOURCES:
        if part_of(path) not in PURE:
            continue
        tree = tree_of(path)
        for line, name in imports_of(tree):
            package = name.split(".")[0]
            if package in IMPURE_MODULES:
                problems.append(f"{relative(path)}:{line}: no {package} here: {IMPURE_MODULES[package]}")
            elif package not in PURE_PACKAGES and package not in sys.stdlib_module_names:
                problems.append(f"{relative(path)}:{line}: no {package} here: the core has the standard library only")
        for call, name in calls_of(tree):
            if name.split(".")[-1] in CLOCK_CALLS and name.split(".")[0] in {"datetime", "date", "dt"}:
                problems.append(f"{relative(path)}:{call.lineno}: no {name}() here: take stream time as an argument")
            if name in {"open", "input"}:
                problems.append(f"{relative(path)}:{call.lineno}: no {name}() here: take the content as an argument")
    check(problems)


def test_only_settings_reads_the_environment() -> None:
    problems = [
        f"{relative(path)}:{node.lineno}: only pipeline/settings.py reads the environment; take a setting instead"
        for path in SOURCES
        if part_of(path) != "settings"
        for node in ast.walk(tree_of(path))
        if (isinstance(node, ast.Attribute) and name_of(node) in {"os.environ", "os.getenv", "os.environb"})
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and {"environ", "getenv"} & imported(node))
    ]
    check(problems)


def imported(node: ast.ImportFrom) -> set[str]:
    return {alias.name for alias in node.names}


def test_broad_except_is_in_the_guard_only() -> None:
    problems = []
    for path in SOURCES:
        if path == PIPELINE / "runtime" / "guard.py":
            continue
        for node in ast.walk(tree_of(path)):
            if not isinstance(node, ast.ExceptHandler):
                continue
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            if any(each is None or name_of(each) in {"Exception", "BaseException"} for each in caught):
                problems.append(
                    f"{relative(path)}:{node.lineno}: broad except outside pipeline/runtime/guard.py: "
                    "name what you expect, let the rest end the process"
                )
    check(problems)


def test_functions_fit_on_a_screen_and_files_in_a_head() -> None:
    problems = []
    for path in (*SOURCES, *TESTS):
        source = path.read_text()
        if (lines := source.count("\n")) > FILE_LINES_MAX:
            problems.append(f"{relative(path)}: {lines} lines, {FILE_LINES_MAX} at most: split it by subject")
        problems += [
            f"{relative(path)}:{node.lineno}: {node.name} is over {FUNCTION_LINES_MAX} lines: split it"
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and (node.end_lineno or node.lineno) - node.lineno + 1 > FUNCTION_LINES_MAX
        ]
    check(problems)


def test_nothing_prints() -> None:
    check(
        [
            f"{relative(path)}:{call.lineno}: no print(): use click.echo in commands, logging in the runtime"
            for path in SOURCES
            for call, name in calls_of(tree_of(path))
            if name == "print"
        ]
    )


def test_nothing_is_left_unfinished() -> None:
    check(
        [
            f"{relative(path)}:{number}: unfinished business in the source: do it now, or file an issue"
            for path in (*SOURCES, *TESTS)
            for number, line in enumerate(path.read_text().splitlines(), 1)
            if UNFINISHED.search(line)
        ]
    )


def test_every_module_says_what_it_is() -> None:
    check(
        [
            f"{relative(path)}: a module starts with a docstring: what it owns and what it must not know"
            for path in SOURCES
            if not ast.get_docstring(tree_of(path))
        ]
    )


@pytest.mark.parametrize("stage", [stage.name for stage in STAGES])
def test_a_stage_has_its_rooms(stage: str) -> None:
    rooms = [PIPELINE / "agents" / f"{stage}.py"]
    if stage != "record":  # decides nothing: it projects what others decided
        rooms += list((PIPELINE / "core").rglob(f"{stage}.py")) or [PIPELINE / "core" / f"{stage}.py"]
    check(
        [
            f"{relative(room)} is missing: a stage's word names its core file and its agent"
            for room in rooms
            if not room.exists()
        ]
    )


def test_no_time_is_naive() -> None:
    problems = []
    for path in SOURCES:
        for call, name in calls_of(tree_of(path)):
            method = ".".join(name.split(".")[-2:])
            given = len(call.args) + len(call.keywords)
            zone = any(keyword.arg in {"tz", "tzinfo"} for keyword in call.keywords)
            naive = (
                method in {"datetime.utcnow", "datetime.utcfromtimestamp", "datetime.today"}
                or (method == "datetime.now" and not given)
                or (method == "datetime.fromtimestamp" and given < 2)
                or (method in {"datetime", "datetime.datetime"} and not zone and len(call.args) < 8)
            )
            if naive:
                problems.append(f"{relative(path)}:{call.lineno}: naive {name}(): give it a zone (UTC)")
    check(problems)


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {path.parent for path in TESTS if path.name.startswith("test_")}
    check(
        [
            f"{relative(folder)}/__init__.py is missing: without it two tests of one name collide"
            for folder in sorted(folders)
            if not (folder / "__init__.py").exists()
        ]
    )

"""``spillway config test``: play the cases of a configuration directory against its correlation rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click
import orjson

from pipeline.catalog import Problem, open_config
from pipeline.catalog.check_rules import RULE
from pipeline.catalog.load import Opened
from pipeline.catalog.problems import Findings
from pipeline.cli.config_test_view import print_report
from pipeline.cli.progress import progress
from pipeline.core.alerts.enrich import Enricher
from pipeline.feeds import ADAPTERS
from pipeline.models.policy import Config
from pipeline.rule_tests.cases import NamedCase, read_cases
from pipeline.rule_tests.judge import differences
from pipeline.rule_tests.mutate import mutants, unnoticed
from pipeline.rule_tests.play import CaseError, Played, play

EXIT_FAILED: Final = 1
EXIT_UNUSABLE: Final = 2

PROBLEMS_LISTED_MAX: Final = 20
"""Problems printed: who mends these finds the others next time."""

PLAYS_MIN: Final = 200
"""Plays from which a bar is shown: a second's worth."""


class UnusableError(click.ClickException):
    """Nothing can be said of the rules: the directory or a case is broken."""

    exit_code = EXIT_UNUSABLE


def run_tests(directory: Path, *, mutate: bool, as_json: bool) -> None:
    """Play every case and say what failed, which rules no case needs and, if asked, which parts of rules.

    Args:
        directory: of the configuration.
        mutate: also take out each part of each rule, and see whether a case notices.
        as_json: print for machines.

    Raises:
        click.ClickException: the directory or a case cannot be used.
        Exit: a case failed.
    """
    opened = open_config(directory, ADAPTERS)
    findings = Findings()
    cases = read_cases(directory, findings)
    config = opened.checked.config
    problems = [*opened.checked.problems, *sorted(findings.problems)]
    if config is None or problems:
        raise UnusableError(_problems(directory, problems))
    if not cases:
        raise UnusableError(f"{directory / 'tests'}: no cases; docs/correlation-rules.md says how one is written")
    enricher = Enricher(config)
    played = _play_all(directory, cases, config, enricher)
    report = _report(opened, config, cases, played, enricher)
    if mutate and not any(case["differences"] for case in report["cases"]):
        report["mutation"] = _mutate(opened, cases, played, config, enricher)
    if as_json:
        click.echo(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    else:
        print_report(directory, report, mutate=mutate)
    if not report["ok"]:
        raise click.exceptions.Exit(EXIT_FAILED)


def _play_all(directory: Path, cases: list[NamedCase], config: Config, enricher: Enricher) -> dict[str, Played]:
    played: dict[str, Played] = {}
    for case in cases:
        try:
            played[str(case.place)] = play(case.case, config, enricher)
        except CaseError as error:
            place = f"{directory / case.place.file}:{case.place.line}"
            raise UnusableError(f"{place}: case '{case.name}': {error}") from error
    return played


def _report(
    opened: Opened, config: Config, cases: list[NamedCase], played: dict[str, Played], enricher: Enricher
) -> dict[str, Any]:
    told = []
    for case in cases:
        came_to = played[str(case.place)]
        different = differences(case.case, came_to, enricher.resolve)
        told.append(
            {
                "name": case.name,
                "file": case.place.file,
                "line": case.place.line,
                "ok": not different,
                "differences": different,
                "rules": sorted(came_to.acted),
            }
        )
    return {
        "ok": all(case["ok"] for case in told),
        "version": config.version,
        "cases": told,
        "coverage": _coverage(opened, config, list(played.values())),
        "mutation": None,
    }


def _coverage(opened: Opened, config: Config, played: list[Played]) -> dict[str, Any]:
    """Which rules did something in a case, which matched and changed nothing, which never matched."""
    rows: dict[str, list[dict[str, Any]]] = {"fired": [], "changed_nothing": [], "never_matched": []}
    failed = []
    for name in config.correlation.rules:
        place = opened.packs.sources[RULE, name].at()
        row = {"rule": name, "file": place.file, "line": place.line}
        acted, matched = (any(getattr(each, kind)[name] for each in played) for kind in ("acted", "matched"))
        rows["fired" if acted else "changed_nothing" if matched else "never_matched"].append(row)
        if times := sum(each.failed[name] for each in played):
            failed.append(row | {"times": times})
    return {"rules": len(config.correlation.rules), **rows, "could_not_be_asked": failed}


def _mutate(
    opened: Opened, cases: list[NamedCase], played: dict[str, Played], config: Config, enricher: Enricher
) -> dict[str, Any]:
    plays = sum(1 for _ in mutants(config.correlation.rules)) * len(cases)
    with progress("mutating", plays, least=PLAYS_MIN) as tell:
        number, survivors = unnoticed(cases, played, config, enricher, lambda done: tell(done * len(cases)))
    told = []
    for mutant in survivors:
        place = opened.packs.sources[RULE, mutant.rule].at()
        told.append({"rule": mutant.rule, "part": mutant.part, "file": place.file, "line": place.line})
    return {"mutations": number, "noticed": number - len(survivors), "unnoticed": told}


def _problems(directory: Path, problems: list[Problem]) -> str:
    shown = [f"{directory / each.file}:{each.line}: {each.message}" for each in problems[:PROBLEMS_LISTED_MAX]]
    hidden = len(problems) - len(shown)
    return "\n".join([*shown, f"and {hidden:,} more"] if hidden else shown)

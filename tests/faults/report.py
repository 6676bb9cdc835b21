"""What a run of the suite says: a line for each run, a table, and one line of JSON."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from tests.faults.checker import Check
from tests.faults.scenarios.base import Outcome


def line(outcome: Outcome) -> str:
    """One run, for people."""
    said = (
        f"{'ok  ' if outcome.holds else 'FAIL'} {outcome.scenario:<15} seed {outcome.seed:<6} {outcome.seconds:5.0f} s"
    )
    verdict = outcome.verdict
    if verdict is not None:
        said += f"  {outcome.events:>8} events  {verdict.records:>8} records compared"
        said += f"  {verdict.transactions:>6} transactions"
        if verdict.ahead:
            said += f"  {verdict.ahead} went ahead"
        if verdict.repeated_input:
            said += f"  {verdict.repeated_input} inputs stored twice by the load's client"
    if outcome.facts:
        said += f"  {outcome.facts}"
    for sentence in [outcome.failure, *(verdict.said if verdict else [])]:
        said += f"\n     {sentence}" if sentence else ""
    if not outcome.holds:
        said += f"\n     again: make faults ARGS='--only {outcome.scenario} --seed {outcome.seed} --repeats 1'"
    return said


def table(outcomes: Sequence[Outcome]) -> str:
    """All runs, by scenario."""
    rows = [("scenario", "runs", "seeds", "events", "faults", "lost", "duplicated", "recovery p50", "p99", "holds")]
    for name in dict.fromkeys(each.scenario for each in outcomes):
        runs = [each for each in outcomes if each.scenario == name]
        recoveries = [seconds for each in runs for seconds in each.recoveries]
        rows.append(
            (
                name,
                str(len(runs)),
                f"{runs[0].seed}..{runs[-1].seed}" if len(runs) > 1 else str(runs[0].seed),
                str(sum(each.events for each in runs)),
                str(sum(sum(each.faults.values()) for each in runs)),
                str(sum(each.lost() for each in runs)),
                str(sum(each.duplicated() for each in runs)),
                _seconds(percentile(recoveries, 50)),
                _seconds(percentile(recoveries, 99)),
                "yes" if all(each.holds for each in runs) else "NO",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def document(outcomes: Sequence[Outcome], seconds: float) -> dict[str, Any]:
    """All of it, for machines."""
    recoveries = [each for outcome in outcomes for each in outcome.recoveries]
    faults: Counter[str] = sum((outcome.faults for outcome in outcomes), Counter())
    violations: Counter[Check] = sum((outcome.verdict.counts for outcome in outcomes if outcome.verdict), Counter())
    return {
        "holds": all(outcome.holds for outcome in outcomes),
        "runs": len(outcomes),
        "seeds": {name: [each.seed for each in outcomes if each.scenario == name] for name in _names(outcomes)},
        "seconds": round(seconds),
        "events": sum(outcome.events for outcome in outcomes),
        "records_compared": sum(outcome.verdict.records for outcome in outcomes if outcome.verdict),
        "transactions": sum(outcome.verdict.transactions for outcome in outcomes if outcome.verdict),
        "faults": dict(sorted(faults.items())),
        "kills": sum(number for name, number in faults.items() if re.match("kill (?!broker|leader)", name)),
        "lost": sum(outcome.lost() for outcome in outcomes),
        "duplicated": sum(outcome.duplicated() for outcome in outcomes),
        "violations": {str(check): number for check, number in violations.items()},
        "recovery_seconds": {
            "p50": percentile(recoveries, 50),
            "p99": percentile(recoveries, 99),
            "n": len(recoveries),
        },
        "failed": [{"scenario": each.scenario, "seed": each.seed} for each in outcomes if not each.holds],
    }


def json_line(outcomes: Sequence[Outcome], seconds: float) -> str:
    """The summary as one line."""
    return orjson.dumps(document(outcomes, seconds)).decode()


def percentile(values: Iterable[float], percent: int) -> float | None:
    """The value that so many percent do not exceed; None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, (len(ordered) * percent) // 100)], 2)


def _names(outcomes: Sequence[Outcome]) -> list[str]:
    return list(dict.fromkeys(each.scenario for each in outcomes))


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"

"""``python -m benchmarks.sizing --alerts-per-second 1e6 --services 1e5 [--json]``: what an installation needs.

Sizes come from measured costs (`benchmarks/results.jsonl`); docs/sizing.md says which figure is measured, computed or
assumed. ``--check`` holds the model against a run of its own, at a share of news that no cost was taken from.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final

import orjson
from rich.console import Console
from rich.table import Table

from benchmarks.sizing_costs import PUBLISHED, Costs, costs_of, measured_alerts
from benchmarks.sizing_model import MICRO, Load, Plan, Prices, broker_busy_cores, busy_cores, plan

TABLE_CHARACTERS: Final = 100
CHECK_REPEATS: Final = 0.75
CHECK_NEWS_SHARE: Final = 0.30
"""Of a stream at 75 % repeats: a quarter begins an episode, one in twenty ends one."""

CHECK_FACTOR_MAX: Final = 1.5
"""How far the model may be off: machines and their noise differ by as much from day to day."""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options: one for each field of the load and each price."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sizing", description="What an installation needs.")
    defaults = Load(1_000, 1_000)
    for each in fields(Load):
        option, value = "--" + each.name.replace("_", "-"), getattr(defaults, each.name)
        kind = int if isinstance(value, int) and each.name in {"listeners", "feeds", "replicas"} else float
        parser.add_argument(option, type=kind, default=value, help=f"default {value:g}")
    for price in fields(Prices):
        parser.add_argument(
            "--price-" + price.name.replace("_", "-"),
            type=float,
            default=price.default,
            help=f"default {price.default}",
        )
    parser.add_argument("--results", type=Path, default=PUBLISHED, help="results of the benchmarks to go by")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--costs", action="store_true", help="what it goes by, and where that comes from")
    parser.add_argument("--check", action="store_true", help="measure a run, and compare it with the model")
    return parser.parse_args(arguments)


def document(load: Load, found: Plan, costs: Costs) -> dict[str, Any]:
    """Everything as JSON."""
    more = {"cores": found.cores, "memory_gib": found.memory_gib}
    return {"load": asdict(load), "plan": {**asdict(found), **more}, "costs": asdict(costs)}


def shown(load: Load, found: Plan) -> Table:
    """The pods."""
    table = Table(
        title=f"{load.alerts_per_second:,.0f} alerts/s, {load.services:,.0f} services, {load.news_share:.0%} news",
        box=None,
        title_justify="left",
        header_style="bold",
    )
    table.add_column("part")
    for title in ("pods", "cores each", "busy cores", "GiB each"):
        table.add_column(title, justify="right")
    for each in found.parts:
        table.add_row(
            each.name, f"{each.pods:,}", f"{each.cores:g}", f"{each.busy_cores:,.2f}", f"{each.memory_gib:,.1f}"
        )
    return table


def sentences(found: Plan) -> list[str]:
    """The rest in words."""
    money = ", ".join(f"{what} {sum_:,.0f}" for what, sum_ in found.money.items() if what != "all")
    return [
        f"installations {found.installations}, partitions {found.partitions:,} each, spaces {found.spaces:,} or more",
        f"in all {found.cores:,.0f} cores, {found.memory_gib:,.0f} GiB; disk: brokers {found.disk_gigabytes:,.0f} GB, "
        f"{found.store_gigabytes:,.0f} GB PostgreSQL",
        f"written {found.written / 1e6:,.1f} MB/s; a restarted correlate reads its state in "
        f"{found.restore_seconds:,.1f} s",
        f"while there is time, small transactions take up to {found.elastic_cores:,.1f} of these cores more than said",
        f"about {found.money['all']:,.0f} a month by the given prices ({money})",
        *(f"note: {each}" for each in found.warnings),
    ]


def shown_costs(costs: Costs) -> Table:
    """What the sizes go by."""
    table = Table(box=None, header_style="bold")
    for title in ("cost", "value", "", "from"):
        table.add_column(title, justify="right" if title == "value" else "left", overflow="fold")
    for each in fields(costs):
        cost = getattr(costs, each.name)
        table.add_row(each.name, f"{cost.value:,.4g}", cost.kind, cost.source)
    return table


def check(costs: Costs, alerts: int, console: Console) -> int:
    """Measure one run between the measured ones, and compare; 1 where the model is off by too much."""
    from benchmarks.broker import running_broker
    from benchmarks.pipeline import flood_of, once

    with running_broker() as broker:
        row = once(broker, flood_of(alerts, CHECK_REPEATS))
    load = Load(alerts, 500, news_share=CHECK_NEWS_SHARE, replicas=1)
    wanted = busy_cores(load, costs)
    worst = 1.0
    for what, predicted, measured in (
        ("worker", sum(wanted[each] for each in ("ingest", "dedupe", "correlate", "bridge")), row["cpu_seconds"]),
        ("broker", broker_busy_cores(load, costs), row["broker_cpu_seconds"]),
    ):
        factor = measured / predicted
        worst = max(worst, factor if what == "worker" else 1.0, 1 / factor if what == "worker" else 1.0)
        console.print(
            f"{what}: predicted {predicted / alerts / MICRO:,.0f} us an alert, measured "
            f"{measured / alerts / MICRO:,.0f}: {factor:.2f} times"
        )
    console.print(f"{row['seconds']:.0f} s of wall time at a load of {os.getloadavg()[0]:.1f}: be alone on the machine")
    return 1 if worst > CHECK_FACTOR_MAX else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a plan; 2 where the load is none."""
    asked = parse(sys.argv[1:] if arguments is None else arguments)
    console = Console()
    if not console.is_terminal:
        console = Console(width=TABLE_CHARACTERS)
    costs = costs_of(asked.results)
    if asked.check:
        return check(costs, measured_alerts(asked.results), console)
    if asked.costs:
        console.print(shown_costs(costs))
        return 0
    load = Load(**{each.name: getattr(asked, each.name) for each in fields(Load)})
    prices = Prices(**{each.name: getattr(asked, f"price_{each.name}") for each in fields(Prices)})
    try:
        found = plan(load, costs, prices)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if asked.json:
        sys.stdout.write(orjson.dumps(document(load, found, costs), option=orjson.OPT_INDENT_2).decode() + "\n")
        return 0
    console.print(shown(load, found))
    for sentence in sentences(found):
        console.print(sentence, soft_wrap=True, markup=False, highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())

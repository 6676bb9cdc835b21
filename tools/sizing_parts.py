"""Tables of docs/sizing.md, computed from the published costs: a new measurement makes them new."""

from __future__ import annotations

from dataclasses import fields
from typing import Final

from benchmarks.sizing_costs import costs_of
from benchmarks.sizing_model import Load, plan

LOADS: Final = (
    Load(1e3, 1e3),
    Load(1e4, 1e4),
    Load(1e5, 1e5),
    Load(1e6, 1e5, news_share=0.01),
    Load(1e6, 1e5),
)
STAGES: Final = ("ingest", "dedupe", "correlate", "bridge", "record", "gateway")


def plans() -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Head and rows: what each of `LOADS` needs."""
    costs = costs_of()
    rows: list[tuple[str, ...]] = []
    for load in LOADS:
        found = plan(load, costs)
        pods = {each.name: each.pods for each in found.parts}
        rows.append(
            (
                f"{load.alerts_per_second:,.0f}",
                f"{load.services:,.0f}",
                f"{load.news_share:.0%}",
                f"{found.installations} x {found.partitions}",
                f"{found.spaces:,}",
                " / ".join(f"{pods[name]}" for name in STAGES),
                f"{found.brokers}",
                f"{found.cores:,.0f}",
                f"{found.memory_gib:,.0f}",
                f"{found.disk_gigabytes / 1_000:,.1f} + {found.store_gigabytes / 1_000:,.1f}",
                f"{found.written / 1e6:,.1f}",
                f"{found.money['all']:,.0f}",
            )
        )
    head = (
        "alerts/s", "services", "news", "installations x partitions", "spaces, at least", f"pods: {' / '.join(STAGES)}",
        "brokers", "cores", "GiB", "disk, TB: brokers + store", "written MB/s", "a month, USD",
    )  # fmt: skip
    return head, rows


def cost_rows() -> list[tuple[str, ...]]:
    """What sizes go by, and where each figure is from."""
    costs = costs_of()
    return [
        (
            f"`{each.name}`",
            f"{getattr(costs, each.name).value:,.4g}",
            getattr(costs, each.name).kind,
            getattr(costs, each.name).source,
        )
        for each in fields(costs)
    ]

"""What every process says of itself, whatever it does: its version, memory, CPU time, open files, start."""

from __future__ import annotations

from importlib.metadata import version

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, disable_created_metrics


def expose_process(registry: CollectorRegistry, component: str) -> None:
    """Register them.

    Args:
        registry: of the process.
        component: what it is: ``worker``, ``gateway``, ``console``, ``shadow``.
    """
    # A second series for each counter, which says what `process_start_time_seconds` says.
    disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no types here
    ProcessCollector(registry=registry)
    build = Gauge(
        "spillway_build_info",
        "Always 1; the release that runs, and as what.",
        ["version", "component"],
        registry=registry,
    )
    build.labels(version("spillway"), component).set(1)

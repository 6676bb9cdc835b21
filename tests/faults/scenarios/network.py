"""A network that fails between the workers and a healthy broker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pipeline.runtime.guard import EXIT_DEFECT
from tests.faults.cluster import cluster
from tests.faults.fleet import Keeper
from tests.faults.proxy import Proxy
from tests.faults.scenarios.base import Arena, Outcome, Run, running
from tests.faults.scenarios.brokers import EXIT_NO_BROKER, SETTLE_SECONDS_MAX, wait_for_work
from tests.faults.site import SESSION_SECONDS

LATENCY_SECONDS: Final = 0.5


def network(arena: Arena, seed: int, rounds: int) -> Outcome:
    """Resets, latency, a blackhole for longer than the session lasts, and connections that only one side has."""
    with (
        cluster(arena.place / f"network-{seed}", 1, proxied=True) as brokers,
        running(
            "network", arena, seed, bootstrap=brokers.bootstrap, workers_bootstrap=_proxy(brokers.proxy).bootstrap
        ) as run,
    ):
        run.fleet.allowed_exits = (EXIT_DEFECT, EXIT_NO_BROKER)
        run.settle_seconds = SETTLE_SECONDS_MAX
        proxy = _proxy(brokers.proxy)
        with Keeper(run.fleet, 2):
            with run.load():
                for number in range(rounds):
                    for name, fail in _FAULTS.items():
                        wait_for_work(run)
                        fail(run, proxy)
                        run.fleet.faults[name] += 1
                    arena.say(f"network {seed}: {number + 1} of {rounds}")
                wait_for_work(run)
            run.site.flush()
            run.site.wait_settled(run.settle_seconds, run.fleet.check)
        return run.finish()


def _reset(run: Run, proxy: Proxy) -> None:
    for _ in range(3):
        proxy.reset()
        run.pause(0.1, 1.0)


def _delay(run: Run, proxy: Proxy) -> None:
    proxy.delay(LATENCY_SECONDS)
    run.pause(3.0, 6.0)
    proxy.delay(0.0)


def _blackhole(run: Run, proxy: Proxy) -> None:
    proxy.blackhole()
    run.wait(2.5 * SESSION_SECONDS)
    proxy.heal()


def _half_open(run: Run, proxy: Proxy) -> None:
    proxy.half_open()
    run.pause(2.0, 4.0)
    proxy.reset()  # what a dead connection comes to in the end


_FAULTS: Final[dict[str, Callable[[Run, Proxy], None]]] = {
    "network reset": _reset,
    "network latency": _delay,
    "network blackhole": _blackhole,
    "network half-open": _half_open,
}


def _proxy(proxy: Proxy | None) -> Proxy:
    assert proxy is not None
    return proxy

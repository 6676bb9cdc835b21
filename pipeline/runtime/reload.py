"""Reload: a changed configuration directory is taken whole or not at all, without a restart.

It is read when the files look different for two looks in a row, as after the swap of a ConfigMap's link, and on
SIGHUP. What is wrong leaves the old configuration in force, with a log line and a metric. When it takes effect in a
partition is another matter: `pipeline.runtime.version_ticks`.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Final

from pipeline.catalog import ConfigError
from pipeline.core.alerts.urgent import Urgent
from pipeline.core.step import Processor
from pipeline.feeds import feeds_of
from pipeline.models.policy import Config, FeedQuota
from pipeline.runtime.guard import log_line
from pipeline.runtime.host import StageHost
from pipeline.runtime.metrics import Metrics

LOOK_SECONDS: Final = 1.0
"""Kubernetes brings a changed ConfigMap within a minute; people who edit files wait seconds."""

LOOK_SECONDS_MAX: Final = 30.0
PAUSE_OF_LOOKS: Final = 50.0
"""Pause after a look, in times of what it took: tens of thousands of files take a fiftieth of a core at most."""

READS_MAX: Final = 5
"""Reads of a directory that changes while it is read, before it is left for the next look."""

LOADED: Final = "loaded"
UNCHANGED: Final = "unchanged"
REFUSED: Final = "refused"
RESULTS: Final = (LOADED, UNCHANGED, REFUSED)
"""What becomes of a look at changed files, or of a SIGHUP."""

UNCONFIGURED_STAGES: Final = frozenset({"record"})
"""What they do is the same under every configuration."""

_WORDED: Final = (ValueError, ConfigError)
"""Errors whose message says by itself what is wrong."""

Print = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A configuration that may take effect.

    Attributes:
        factories: stage -> what makes the processor of one partition.
        quotas: raw topic -> what its feed may send.
        urgent: tells what goes before its turn; None where no stage asks.
    """

    config: Config
    factories: Mapping[str, Callable[[], Processor]]
    quotas: Mapping[str, FeedQuota] = field(default_factory=dict)
    urgent: Urgent | None = None


class Reloader:
    """Watches the configuration directory of one process."""

    def __init__(
        self, directory: Path | None, version: str, prepare: Callable[[Sequence[str]], Prepared], metrics: Metrics
    ) -> None:
        """Describe; nothing is watched yet.

        Args:
            directory: what to watch; None where the defaults alone are in force.
            version: of the configuration in force.
            prepare: reads the directory and makes what the named stages need; called on a thread. What it raises
                refuses the configuration.
            metrics: of the process.
        """
        self._directory = directory
        self._version = version
        self._prepare = prepare
        self._metrics = metrics
        self._asked = asyncio.Event()
        self._seen: Print | None = _print_of(directory)
        self._pause_seconds = LOOK_SECONDS
        metrics.config_in_force(version)

    async def run(self, hosts: Sequence[StageHost]) -> None:
        """Watch and listen to SIGHUP, until cancelled."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._asked.set)
        before = self._seen
        try:
            while True:
                asked = await self._wait()
                began = monotonic()
                now = await asyncio.to_thread(_print_of, self._directory)
                self._pause_seconds = min(LOOK_SECONDS_MAX, max(LOOK_SECONDS, PAUSE_OF_LOOKS * (monotonic() - began)))
                if asked or (now != self._seen and now == before):
                    await self._reload(hosts, asked=asked)
                before = now
        finally:
            loop.remove_signal_handler(signal.SIGHUP)

    async def _wait(self) -> bool:
        """Wait for the next look; whether somebody asked for it."""
        try:
            await asyncio.wait_for(self._asked.wait(), self._pause_seconds)
        except TimeoutError:
            return False
        self._asked.clear()
        return True

    async def _reload(self, hosts: Sequence[StageHost], *, asked: bool) -> None:
        """Read the directory, and let its configuration take effect if it can."""
        concerned = [host for host in hosts if host.stage not in UNCONFIGURED_STAGES]
        reading = asyncio.create_task(self._read([host.stage for host in concerned]))
        await asyncio.wait({reading})
        # Whatever is raised refuses the configuration: what cannot be read must not end what works.
        if (error := reading.exception()) is not None:
            self._refuse(error)
            return
        prepared = reading.result()
        version = prepared.config.version
        if version == self._version:
            self._metrics.config_reload.labels(UNCHANGED).inc()
            if asked:
                log_line("configuration unchanged", version=version)
            return
        renewing = asyncio.gather(*(host.context.hooks.renewed(prepared.config) for host in concerned))
        await asyncio.wait({renewing})
        if (error := renewing.exception()) is not None:
            self._refuse(error)
            return
        for host, hooks in zip(concerned, renewing.result(), strict=True):
            factory = prepared.factories[host.stage]
            context = replace(host.context, factory=factory, hooks=hooks, config_version=version)
            urgent = prepared.urgent if context.urgent is not None else None
            host.renew(replace(context, quotas=prepared.quotas, urgent=urgent))
        log_line("configuration loaded", version=version, before=self._version)
        self._version = version
        self._metrics.config_in_force(version)
        self._metrics.know_feeds(feeds_of(prepared.config))
        self._metrics.config_reload.labels(LOADED).inc()

    async def _read(self, stages: Sequence[str]) -> Prepared:
        """The configuration, read while no file changed."""
        for _ in range(READS_MAX):
            self._seen = await asyncio.to_thread(_print_of, self._directory)
            prepared = await asyncio.to_thread(self._prepare, stages)
            if await asyncio.to_thread(_print_of, self._directory) == self._seen:
                return prepared
        self._seen = None
        raise ValueError("the files change while they are read; they are read again when they are quiet")

    def _refuse(self, error: BaseException) -> None:
        self._metrics.config_reload.labels(REFUSED).inc()
        log_line(
            "configuration refused",
            directory=str(self._directory),
            why=str(error) if isinstance(error, _WORDED) else f"{type(error).__name__}: {error}",
            in_force=self._version,
            see=f"spillway config check {self._directory}",
        )


def _print_of(directory: Path | None) -> Print:
    """Names of all files with what tells whether one has changed. Links are followed; what vanishes is left out."""
    if directory is None:
        return ()
    found: list[tuple[str, int, int, int]] = []
    seen: set[Path] = set()  # a link to a parent must not run forever
    for name, names, files in os.walk(directory, followlinks=True):
        folder = Path(name)
        if (real := folder.resolve()) in seen:
            names.clear()
            continue
        seen.add(real)
        names[:] = sorted(each for each in names if not each.startswith("."))
        for file in files:
            with suppress(OSError):
                stat = (folder / file).stat()
                found.append((str(folder / file), stat.st_ino, stat.st_mtime_ns, stat.st_size))
    return tuple(sorted(found))

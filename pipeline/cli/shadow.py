"""``spillway shadow``: try another configuration on the live stream, beside the active one."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click
import orjson
from prometheus_client import CollectorRegistry

from pipeline.cli.cluster import bootstrap_option, json_option, read_settings
from pipeline.cli.moments import now_ms
from pipeline.cli.replay import read_config
from pipeline.cli.shadow_view import view
from pipeline.kafka.scan import ScanError
from pipeline.runtime.guard import guarded
from pipeline.runtime.health import HealthServer, HealthServerError
from pipeline.runtime.process import StopRequest
from pipeline.runtime.process_metrics import expose_process
from pipeline.settings import Settings
from pipeline.shadow.marker import ShadowError, begin, drop, read_beginning
from pipeline.shadow.metrics import ShadowMetrics
from pipeline.shadow.promote import promote
from pipeline.shadow.run import ShadowProcess
from pipeline.shadow.store import StoreError, read_status

_DURATION: Final = re.compile(r"([0-9]{1,6})([smhd])")
_UNIT_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class Duration(click.ParamType):
    """How long: ``90s``, ``30m``, ``2h``, ``1d``. Gives milliseconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """A value that is none ends the command with what is allowed."""
        if isinstance(value, int):
            return value
        found = _DURATION.fullmatch(str(value))
        if found is None:
            self.fail(f"{value!r} is no duration: write 30m or 2h", param, ctx)
        return int(found[1]) * _UNIT_MS[found[2]]


def _told(command: Callable[..., None]) -> Callable[..., None]:
    """Errors of one line for people."""

    @wraps(command)
    def run(*arguments: Any, **more: Any) -> None:
        try:
            command(*arguments, **more)
        except (ShadowError, ScanError, StoreError, HealthServerError) as error:
            raise click.ClickException(str(error)) from error
        except shutil.Error as error:
            (first, *_), *_ = error.args[0]
            raise click.ClickException(f"{first} cannot be copied") from error
        except OSError as error:
            raise click.ClickException(f"{error.filename}: {error.strerror}") from error

    return run


def _place(settings: Settings) -> Path:
    if settings.shadow_config is None:
        raise ShadowError("set SPILLWAY_SHADOW_CONFIG to a directory of the shadow's own")
    place = settings.shadow_config.resolve()
    active = None if settings.config_dir is None else settings.config_dir.resolve()
    if active is not None and (active in (place, *place.parents) or place in active.parents):
        raise ShadowError(
            f"SPILLWAY_SHADOW_CONFIG ({settings.shadow_config}) and SPILLWAY_CONFIG ({settings.config_dir}) are one "
            "inside of the other: the active configuration would hold the shadow's files; set them side by side"
        )
    return settings.shadow_config


def _active(settings: Settings) -> Path:
    if settings.config_dir is None:
        raise ShadowError("set SPILLWAY_CONFIG to the active configuration directory")
    return settings.config_dir


@click.group()
def shadow() -> None:
    """Try another configuration on the live stream, beside the active one."""


@shadow.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--warm-up",
    "warm_up_ms",
    type=Duration(),
    default="1h",
    show_default=True,
    help="How much of the past is decided first, to know what is going on.",
)
@_told
def start(directory: Path, warm_up_ms: int) -> None:
    """Start a shadow of DIRECTORY.

    It is checked and copied to SPILLWAY_SHADOW_CONFIG, from where the process of `spillway shadow run` takes it.
    """
    settings = read_settings(None)
    beginning = begin(_place(settings), directory, read_config(settings.config_dir), now_ms(), warm_up_ms)
    click.echo(
        f"shadow {beginning.version[:12]} beside {beginning.baseline[:12]}; see spillway shadow status "
        "(a process must run it: spillway shadow run)"
    )


@shadow.command()
@bootstrap_option
@json_option
@_told
def status(bootstrap: str | None, *, as_json: bool) -> None:
    """Say how far the shadow is and how it differs. Exits 1 where there is none."""
    settings = read_settings(bootstrap)
    found = read_status(settings)
    waiting = None if settings.shadow_config is None else read_beginning(settings.shadow_config)
    if settings.shadow_config is not None and waiting is None:
        found = None  # of one that was dropped or promoted, and that its process has not taken back yet
    if waiting is not None and (found is None or found["id"] != waiting.id):
        raise click.ClickException(
            f"shadow {waiting.version[:12]} waits for a process that runs it: spillway shadow run"
        )
    if found is None:
        raise click.ClickException("there is no shadow: start one with spillway shadow start DIR")
    if as_json:
        click.echo(orjson.dumps(found).decode())
    else:
        view(found, now_ms())


@shadow.command(name="promote")
@_told
def promote_() -> None:
    """Make the shadow the active one.

    The content of SPILLWAY_CONFIG is swapped for the shadow's in one moment, and the shadow ends. Refused where the
    active configuration has changed since the shadow began.
    """
    settings = read_settings(None)
    config, former = promote(_active(settings), _place(settings))
    click.echo(
        f"{config.version[:12]} is in {settings.config_dir}; the workers take it within seconds. "
        f"What was there is in {former}"
    )


@shadow.command(name="drop")
@_told
def drop_() -> None:
    """End the shadow and forget what it found."""
    place = _place(read_settings(None))
    try:
        there = read_beginning(place)
        said = "there is no shadow" if there is None else f"shadow {there.version[:12]} is dropped"
    except ShadowError:  # whatever is in its file: dropping is what helps
        said = "a shadow that could not be read is dropped"
    drop(place)
    click.echo(said)


@shadow.command()
@bootstrap_option
@_told
def run(bootstrap: str | None) -> None:
    """Run whatever shadow there is, until SIGTERM or Ctrl-C. Run one such process; it writes to no topic of others.

    Exit codes as of `spillway run`.
    """
    settings = read_settings(bootstrap)
    place = _place(settings)
    registry = CollectorRegistry()
    expose_process(registry, "shadow")
    process = ShadowProcess(settings, place, ShadowMetrics(registry))
    asyncio.run(_serve(process, HealthServer(settings.http_port, registry, process.status), settings.stop_seconds))


async def _serve(process: ShadowProcess, health: HealthServer, stop_seconds: float) -> None:
    stop = StopRequest(stop_seconds)
    health.start()
    click.echo(f"running the shadow; metrics and health on port {health.port}", err=True)
    beating = asyncio.create_task(health.beat())

    async def stop_process() -> None:
        await stop.event.wait()
        process.stopped.set()

    stopping = asyncio.create_task(stop_process())
    async with guarded("run the shadow", stage="shadow"):
        await asyncio.to_thread(process.run)
    for task in (beating, stopping):
        task.cancel()
    health.stop()
    stop.met()

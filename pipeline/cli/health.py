"""``spillway health``: ask the process beside us whether it is alive, or ready, as a supervisor's probe would."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException
from typing import Any, Final

import click
import orjson

from pipeline.cli.cluster import json_option, read_settings

ANSWER_BYTES_MAX: Final = 1 << 20
"""The longest answer lists every partition of seven stages; ten thousand of them take half of it."""


@click.command()
@click.option("--ready", is_flag=True, help="Ask whether it serves what is its own, and not only whether it is alive.")
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    help="Port of metrics and health; SPILLWAY_HTTP_PORT unless given.",
)
@click.option(
    "--timeout",
    "timeout_seconds",
    type=click.FloatRange(0.1, 60),
    default=3.0,
    show_default=True,
    help="How long to wait for an answer, seconds.",
)
@json_option
def health(*, ready: bool, port: int | None, timeout_seconds: float, as_json: bool) -> None:
    """Ask the process on this machine, or in this container, how it is.

    Works for stages, gateway, console and shadow alike. Exit codes: 0 it is well; 1 it is not, or nothing answers.
    """
    port = port or read_settings(None).http_port
    if port == 0:
        raise click.ClickException("SPILLWAY_HTTP_PORT is 0, which is any free port: give --port")
    status, told = _ask(port, "/readyz" if ready else "/healthz", timeout_seconds)
    click.echo(orjson.dumps(told).decode() if as_json else _sentence(told, ready=ready))
    if status != 200:
        raise click.exceptions.Exit(1)


def _ask(port: int, path: str, timeout_seconds: float) -> tuple[int, dict[str, Any]]:
    """Status and document of an answer.

    Raises:
        click.ClickException: nothing answers, or something else than Spillway does.
    """
    connection = HTTPConnection("127.0.0.1", port, timeout=timeout_seconds)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        told = orjson.loads(answer.read(ANSWER_BYTES_MAX))
    except (OSError, HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise click.ClickException(f"nothing answers on port {port} ({reason}): is the process up?") from error
    except orjson.JSONDecodeError as error:
        raise click.ClickException(f"what answers on port {port} is not Spillway: set SPILLWAY_HTTP_PORT") from error
    finally:
        connection.close()
    if not isinstance(told, dict):
        raise click.ClickException(f"what answers on port {port} is not Spillway: set SPILLWAY_HTTP_PORT")
    return answer.status, told


def _sentence(told: dict[str, Any], *, ready: bool) -> str:
    if ready:
        stages: dict[str, dict[str, Any]] = told.get("stages", {})
        waiting = sorted(name for name, stage in stages.items() if not stage.get("ready"))
        if told.get("ready"):
            return f"ready: {', '.join(stages)}"
        return f"not ready: {', '.join(waiting) or 'nothing is served yet'}"
    if told.get("alive"):
        return "alive"
    stuck = ", ".join(told.get("stuck", ()))
    if stuck:
        return f"stuck: {stuck}, no record handled for {told.get('stalled_seconds')} s"
    return f"stuck: the event loop has been silent for {told.get('loop_silent_seconds')} s"

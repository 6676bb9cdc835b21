"""``spillway demo``: three real-life failures through real engines, with one command."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import click
import orjson
from rich.console import Console
from rich.live import Live

from pipeline.catalog import ConfigError
from pipeline.demo.console import DemoConsole
from pipeline.demo.console import console as console_of
from pipeline.demo.engines import DemoError, Engines, engines, wait_until_delivered
from pipeline.demo.show import Board, show_figures, show_incident
from pipeline.examples import config_directory, one_day
from pipeline.kafka.embedded import EmbeddedKafkaError
from pipeline.kafka.topics import TopicsError
from pipeline.player import Player, PlayError, disagreements
from pipeline.records.embedded import EmbeddedPostgresError
from pipeline.records.store import RecordsStore
from pipeline.replay import Replay, Step
from pipeline.settings import SettingsError

_TOLD = (
    DemoError,
    PlayError,
    EmbeddedKafkaError,
    EmbeddedPostgresError,
    TopicsError,
    ConfigError,
    SettingsError,
)
"""Errors whose message is one line for people."""

RUN_ON_SECONDS = 600
"""Stream time after the last record, so that what is quiet can resolve."""


WIDTH_CHARACTERS = 120
"""Where no terminal says how wide it is: in logs."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option(
    "--config",
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Another configuration directory than the example company's.",
)
@click.option(
    "--stay/--no-stay",
    default=None,
    help="Leave the console open when the play is over, until Ctrl-C (default: where standard output is a terminal).",
)
def demo(directory: Path | None, *, as_json: bool, stay: bool | None) -> None:
    """Play three real-life failures through real Kafka, PostgreSQL and signed webhooks, and watch them in the console.

    It prints the address of the console and a token to sign in with: it looks on while the story plays, and may do
    everything when it is over. All it starts is on this machine and ends with it. Exit code 1 when anything is not as
    it should be.
    """
    console = Console(stderr=as_json)
    if not console.is_terminal:
        console = Console(stderr=as_json, width=WIDTH_CHARACTERS)
    began = monotonic()
    try:
        with engines(directory or config_directory(), lambda text: console.print(f"[dim]{text}[/dim]")) as running:
            console.print("[dim]starting the console[/dim]")
            with console_of(running.settings, running.log.with_name("console.log")) as pages:
                console.print(
                    f"console: {pages.link}\n(token {pages.token}; it looks on while they come)",
                    soft_wrap=True,
                    highlight=False,
                )
                summary = _play(console, running)
                pages.may_act()
                if not as_json:
                    _tell(console, running, summary)
                summary["seconds"] = round(monotonic() - began, 1)
                _conclude(console, summary, as_json=as_json)
                if stay if stay is not None else sys.stdout.isatty():
                    _stay(console, pages)
    except _TOLD as error:
        raise click.ClickException(" ".join(str(error).split("\n"))) from error
    if not summary["ok"]:
        raise click.exceptions.Exit(1)


def _conclude(console: Console, summary: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps(summary, option=orjson.OPT_INDENT_2).decode())
    else:
        console.print(
            f"\n{summary['seconds']:.0f} s. {'All as it should be.' if summary['ok'] else 'NOT as it should be.'}"
        )


def _stay(console: Console, pages: DemoConsole) -> None:
    """Leave everything running until Ctrl-C."""
    console.print(
        f"The console stays open: {pages.link}\nThe token may do everything now. Ctrl-C ends the demo.",
        soft_wrap=True,
        highlight=False,
    )
    with suppress(KeyboardInterrupt):
        pages.wait()


def _play(console: Console, running: Engines) -> dict[str, Any]:
    planned = list(Replay(running.config).steps(one_day(), run_on_seconds=RUN_ON_SECONDS))
    machine, player, board = Replay(running.config), Player(running.settings), Board(len(planned))
    seen = 0

    def on_step(step: Step) -> None:
        nonlocal seen
        running.alive()
        board.step(step.record.timestamp, len(step.decisions), [value for _, value in player.events[seen:]])
        seen = len(player.events)

    try:
        with Live(board, console=console, refresh_per_second=8):
            player.play(machine.steps(one_day(), run_on_seconds=RUN_ON_SECONDS), on_step)
        player.wait_for("record", "incidents")
        wait_until_delivered(running, _newest(player))
    finally:
        player.close()
    return _summary(running, machine, player)


def _newest(player: Player) -> dict[str, int]:
    """The newest revision of each incident."""
    events = (orjson.loads(value) for _, value in player.events)
    return {event["incident_id"]: event["revision"] for event in events}


def _summary(running: Engines, machine: Replay, player: Player) -> dict[str, Any]:
    replayed = [(event.key or b"", event.value or b"") for event in machine.outcome.events]
    differing = disagreements(player.events, replayed)
    dispositions = running.dispositions()
    incidents = _newest(player)
    receiver = running.receiver
    summary: dict[str, Any] = {
        "alerts": sum(dispositions.values()),
        "dispositions": dispositions,
        "incidents": len(incidents),
        "bridges": sum(each.startswith("MI-") for each in incidents),
        "revisions": len(player.events),
        "remainder": len(machine.outcome.decisions) - sum(dispositions.values()) + machine.remainder(),
        "dead_letters": len(player.dead_letters),
        "live_and_replay_differ_in": differing,
        "webhooks": dict(sorted(receiver.by_type.items())),
        "webhooks_refused": receiver.refused,
        "webhooks_out_of_order": receiver.out_of_order,
    }
    summary["ok"] = not (
        differing or summary["remainder"] or summary["dead_letters"] or receiver.refused or receiver.out_of_order
    )
    return summary


def _tell(console: Console, running: Engines, summary: dict[str, Any]) -> None:
    store = RecordsStore(running.settings.records_url or "")
    try:
        incidents = sorted(store.incidents(), key=lambda each: (each["detected_at_ms"], each["id"]))
        for incident in incidents:
            show_incident(console, incident, store.timeline(incident["id"]))
    finally:
        store.close()
    show_figures(console, summary)
    if summary["live_and_replay_differ_in"]:
        console.print(f"live and replay differ in {', '.join(summary['live_and_replay_differ_in'])}")
    else:
        console.print(f"live and replay agree: {summary['revisions']} incident revisions, byte for byte")
    webhooks = sum(summary["webhooks"].values())
    console.print(f"{webhooks} signed webhooks delivered, each incident's in order, every signature verified")

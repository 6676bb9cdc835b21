"""``python -m tests.sinks.chaos --rounds 200 --seed 7``: kill the deliver worker at random, and check what is left."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time

import click

from pipeline.kafka.embedded import EmbeddedKafka
from tests.sinks.chaos.rounds import run
from tests.sinks.conformance.table import DOWNSTREAMS


@click.command()
@click.option("--rounds", default=200, show_default=True, help="How often the worker is killed.")
@click.option("--seed", type=int, help="Of another run, to have its steps and faults again.")
@click.option("--only", multiple=True, type=click.Choice(sorted(DOWNSTREAMS)), help="These downstreams alone.")
def main(rounds: int, seed: int | None, only: tuple[str, ...]) -> None:
    """Chaos over all downstreams."""
    seed = int(time()) % 100_000 if seed is None else seed
    click.echo(f"seed {seed}")
    chosen = {name: each for name, each in DOWNSTREAMS.items() if not only or name in only}
    with EmbeddedKafka() as broker, TemporaryDirectory() as place:
        report = run(broker.bootstrap, f"chaos-{os.getpid()}.", Path(place), chosen, seed, rounds, click.echo)
    for line in report.lines():
        click.echo(line)
    sys.exit(1 if report.problems else 0)


if __name__ == "__main__":
    main()

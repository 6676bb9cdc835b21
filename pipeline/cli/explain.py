"""``spillway explain``: why an alert, an episode, an incident or a bridge incident is where it is.

From the records store, or from a recording that is decided again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import orjson

from pipeline.cli.cluster import json_option
from pipeline.cli.explain_recording import about_recording
from pipeline.cli.explain_view import show
from pipeline.cli.recorded import recording_options
from pipeline.cli.records import environment_settings, line_console, read_records, records_url_option
from pipeline.cli.replay import read_config
from pipeline.recording import RecordingError, read_recording
from pipeline.records.explanation import Stored, about
from pipeline.replay import UnknownVersionError


@click.command()
@click.argument("asked", metavar="ID")
@records_url_option
@recording_options("explain from that")
@json_option
def explain(
    asked: str,
    records_url: str | None,
    recording: Path | None,
    config_dirs: tuple[Path, ...],
    run_on: int,
    *,
    as_json: bool,
) -> None:
    """Say why ID is where it is, and why it is not elsewhere.

    ID is an incident (INC-...), a bridge incident (MI-...), an episode (EP-...) or an alert: the place of its raw
    record (topic:partition:offset or topic:partition:offset:index), its alert key, or the id that its source gave it,
    such as a fingerprint.

    The records store knows what became part of an incident and, by episode or alert key, what was hidden. One alert
    that was repeated, held or suppressed is in none: ask with --recording for it.
    """
    if recording is None:
        document = read_records(records_url, lambda store: about(Stored(store), asked))
    else:
        document = _from_recording(recording, config_dirs, asked, run_on)
    if document is None:
        raise click.ClickException(_unknown(asked, recording))
    if as_json:
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    else:
        show(line_console(), document)


def _from_recording(recording: Path, config_dirs: tuple[Path, ...], asked: str, run_on: int) -> dict[str, Any] | None:
    configs = [read_config(directory) for directory in config_dirs or (environment_settings().config_dir,)]
    try:
        with recording.open("rb") as lines:
            return about_recording(read_recording(lines, recording.name), configs, asked, run_on)
    except (RecordingError, UnknownVersionError) as error:
        raise click.ClickException(str(error)) from error


def _unknown(asked: str, recording: Path | None) -> str:
    if recording is not None:
        return (
            f"nothing in {recording} is {asked}: give an id of `spillway replay --decisions FILE` with the same "
            "--config, or the place of a record as topic:partition:offset"
        )
    return (
        f"nothing is known of {asked}: incidents are in `spillway incident list --all`, their episodes in "
        "`spillway explain INCIDENT`, what was hidden in `spillway suppression`; one alert that came to no incident is "
        "in a recording alone: `spillway capture --from 2h --out FILE`, then "
        "`spillway explain ID --recording FILE --config DIR`"
    )

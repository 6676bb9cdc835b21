"""``spillway replay``: decide a recording again, without a broker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click
import orjson

from pipeline.catalog import ConfigError, load_config
from pipeline.cli.records import environment_settings
from pipeline.models.policy import Config
from pipeline.recording import RecordingError, read_recording
from pipeline.replay import Outcome, Replay, UnknownVersionError, decision_line, event_line, incident_lines
from pipeline.runtime.garbage import spare_long_lived_objects
from pipeline.settings import Settings, SettingsError

_FILE = click.Path(dir_okay=False, path_type=Path)


def read_config(directory: Path | None) -> Config:
    """Load a configuration directory for a command.

    Raises:
        click.ClickException: it has problems; the first is named.
    """
    try:
        return load_config(directory)
    except ConfigError as error:
        first = error.problems[0]
        text = f"{first.file}:{first.line}: {first.message}"
        raise click.ClickException(f"{text} (see them all: spillway config check {directory})") from error


def privacy_key(settings: Settings, configs: Sequence[Config]) -> bytes | None:
    """The key of pseudonyms where the environment has it; without it they differ from those of the live pipeline."""
    needed = [each.privacy for each in configs if each.privacy.needs_key]
    try:
        return settings.privacy_key(needed[0]) if needed else None
    except SettingsError as missing:
        click.echo(f"{missing}; without it pseudonyms, and what is named by them, differ from the live ones", err=True)
        return None


@click.command()
@click.argument("recording", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--config",
    "config_dirs",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    multiple=True,
    help="Configuration directory (default: SPILLWAY_CONFIG, else the defaults alone). Again for each configuration "
    "that the recording was made under later.",
)
@click.option("--decisions", type=_FILE, help="Write one line for each alert: what became of it, and why.")
@click.option("--changes", type=_FILE, help="Write every incident change, as CloudEvents.")
@click.option("--incidents", type=_FILE, help="Write one line for each incident, as it stands at the end.")
@click.option("--run-on", default=0, show_default=True, help="Seconds of stream time after the last record.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def replay(
    recording: Path,
    config_dirs: tuple[Path, ...],
    decisions: Path | None,
    changes: Path | None,
    incidents: Path | None,
    run_on: int,
    *,
    as_json: bool,
) -> None:
    """Decide RECORDING again, without a broker: the same input and configuration give the same bytes."""
    settings = environment_settings()
    configs = [read_config(each) for each in config_dirs or [settings.config_dir]]
    machine = Replay(*configs, privacy_key=privacy_key(settings, configs))
    spare_long_lived_objects()
    try:
        with recording.open("rb") as lines:
            outcome = machine.run(read_recording(lines, recording.name), run_on_seconds=run_on)
    except (RecordingError, UnknownVersionError) as error:
        raise click.ClickException(str(error)) from error
    ended = incident_lines(outcome.decisions, (event.value or b"" for event in outcome.events))
    for path, lines_out in (
        (decisions, map(decision_line, outcome.decisions)),
        (changes, map(event_line, outcome.events)),
        (incidents, ended),
    ):
        if path is not None:
            path.write_bytes(b"".join(lines_out))
    summary = summarise(outcome, len(ended), machine.remainder())
    click.echo(orjson.dumps(summary).decode() if as_json else _words(summary))


def summarise(outcome: Outcome, incidents: int, remainder: int) -> dict[str, object]:
    """Figures of a replay: alerts in, what became of them, incidents out."""
    return {
        "alerts": len(outcome.decisions),
        "dispositions": dict(sorted(Counter(each.disposition.value for each in outcome.decisions).items())),
        "incidents": incidents,
        "changes": len(outcome.events),
        "dead_letters": len(outcome.dead_letters),
        "remainder": remainder,
    }


def _words(summary: dict[str, object]) -> str:
    dispositions = summary["dispositions"]
    parts = (
        ", ".join(f"{count} {name}" for name, count in dispositions.items()) if isinstance(dispositions, dict) else ""
    )
    return (
        f"{summary['alerts']} alerts in ({parts or 'none'}); {summary['incidents']} incidents out, "
        f"{summary['changes']} changes; unaccounted for: {summary['remainder']}"
    )

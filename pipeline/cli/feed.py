"""``spillway feed``: what an adapter and the catalogue make of a source's payload, before anything runs."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.cli.records import environment_settings
from pipeline.cli.replay import privacy_key
from pipeline.core.alerts.ingest import ALERTS_TOPIC, IngestProcessor
from pipeline.core.privacy.redactor import Redactor
from pipeline.core.step import Effects, Headers, StreamRecord
from pipeline.feeds import ADAPTERS, adapters_of, feeds_of
from pipeline.flow import RAW_TOPIC_PREFIX
from pipeline.models.alert import alert_from_wire
from pipeline.models.policy import Config

_LINES_SUFFIXES: Final = frozenset({".ndjson", ".jsonl"})

# The last millisecond of the year 9999: whatever time a payload tells, it is not ahead of ours, and is shown as told.
_RECEIVED_MS: Final = 253_402_300_799_999

# What the table shows, in order; the rest of an alert is plumbing.
_SHOWN: Final = (
    "kind", "name", "summary", "severity", "severity_native", "severity_default_reason", "event_at_ms",
    "ended_at_ms", "ttl_seconds", "ticket", "reporter", "space", "entity", "matched_by", "service", "domain", "host",
    "mentions", "alert_key", "source_episode_id", "delivery_id", "labels", "links",
)  # fmt: skip


@click.group()
def feed() -> None:
    """Try a source's payload against its adapter."""


@feed.command("test")
@click.argument("adapter")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--config",
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Configuration directory: its catalogue enriches; its feeds may be named in place of an adapter.",
)
@click.option(
    "--header",
    "headers",
    multiple=True,
    metavar="NAME=VALUE",
    help="A header that the record has, as many bring their delivery id in one; repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON line for each alert and each refusal.")
def feed_test(adapter: str, file: Path, directory: Path | None, headers: tuple[str, ...], *, as_json: bool) -> None:
    """Show what ADAPTER makes of the payload in FILE (NDJSON and text: line by line). Exits 1 where it refuses one."""
    config = _config(directory)
    source = feeds_of(config).get(adapter)
    if source is None:
        known = ", ".join(dict.fromkeys((*config.feeds, *feeds_of(config))))
        raise click.ClickException(f"there is no adapter or feed {adapter!r}; use one of {known}")
    adapters = adapters_of(config)
    redactor = (
        Redactor(config.privacy, privacy_key(environment_settings(), [config])) if config.privacy.redact else None
    )
    processor = IngestProcessor(config, adapters, {adapter: source}, redactor=redactor)
    given = tuple(map(_header, headers))
    is_text = adapters[source.adapter].decode is not None
    results = [
        result
        for line, payload in enumerate(_payloads(file, is_text=is_text), start=1)
        for result in _results(processor, adapter, line, payload, given)
    ]
    if as_json:
        for result in results:
            click.echo(orjson.dumps(result))
    else:
        _show(results, Console())
    refused = [result for result in results if "refused" in result]
    if refused:
        first = refused[0]
        where = f"{file}, message {first['message']}, alert {first['index']}"
        raise click.ClickException(
            f"{len(refused)} of {len(results)} refused; first: {where}: {first['refused']}: {first['detail']}"
        )


def _config(directory: Path | None) -> Config:
    from pipeline.catalog import ConfigError, load_config

    try:
        return load_config(directory, ADAPTERS)
    except ConfigError as error:
        raise click.ClickException(str(error)) from error


def _payloads(file: Path, *, is_text: bool) -> list[bytes]:
    """The messages of a file: one document, or one a line where the file as a whole is not JSON.

    ``is_text``: the adapter reads bytes that need not be JSON, so any text is one message a line.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from error
    lines = [line for line in content.splitlines() if line.strip()]
    if file.suffix in _LINES_SUFFIXES:
        return lines
    try:
        orjson.loads(content)
    except orjson.JSONDecodeError:
        if len(lines) > 1 and (is_text or all(line.lstrip().startswith(b"{") for line in lines)):
            return lines
    return [content]


def _header(text: str) -> tuple[str, bytes]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.ClickException(f"--header {text}: write it as NAME=VALUE")
    return name, value.encode()


def _results(
    processor: IngestProcessor, name: str, line: int, payload: bytes, headers: Headers
) -> list[dict[str, Any]]:
    """Alerts and refusals of one message, exactly as ingest decides them."""
    effects = Effects()
    record = StreamRecord(RAW_TOPIC_PREFIX + name, 0, line - 1, _RECEIVED_MS, None, payload, headers)
    processor.handle_one(record, effects)
    results: list[dict[str, Any]] = []
    refusals = iter(effects.decisions)
    for output in effects.outputs:
        if output.topic == ALERTS_TOPIC and output.value is not None:
            alert = asdict(alert_from_wire(orjson.loads(output.value)))  # also what it does not say
            del alert["received_at_ms"]
            results.append({"message": line, "index": alert.pop("origin")[3], "alert": alert})
        else:
            told = dict(output.headers)
            results.append(
                {
                    "message": line,
                    "index": next(refusals).origin.index,
                    "refused": told["spillway-reason"].decode(),
                    "detail": told["spillway-detail"].decode(),
                }
            )
    return results


def _show(results: list[dict[str, Any]], console: Console) -> None:
    for result in results:
        where = f"message {result['message']}, alert {result['index']}"
        if "refused" in result:
            console.print(Text(f"{where}: refused: {result['refused']}: {result['detail']}", style="red"))
            continue
        alert = result["alert"]
        table = Table(title=where, title_justify="left", show_header=False, box=None, pad_edge=False)
        for field in _SHOWN:
            if alert[field]:
                table.add_row(Text(field, style="bold"), Text(_readable(field, alert[field])))
        console.print(table)
        console.print()


def _readable(field: str, value: object) -> str:
    if field.endswith("_at_ms") and isinstance(value, int):
        return f"{datetime.fromtimestamp(value / 1_000, UTC).isoformat(timespec='milliseconds')} ({value})"
    if isinstance(value, dict):
        return "\n".join(f"{name} = {text}" for name, text in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)


@feed.command("redact")
@click.argument("name", metavar="FEED")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--config",
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Configuration directory with the rules, privacy.yaml (default: SPILLWAY_CONFIG).",
)
def feed_redact(name: str, file: Path, directory: Path | None) -> None:
    """Print the payload in FILE as it is without personal data, by the rules for FEED.

    Example: spillway feed redact servicenow ticket.json --config config
    """
    settings = environment_settings()
    config = _config(directory or settings.config_dir)
    redactor = Redactor(config.privacy, privacy_key(settings, [config])).of_feed(name)
    if redactor is None:
        raise click.ClickException(f"no rule of privacy.yaml is for the feed {name}: it stays as it is")
    click.echo(redactor.value(file.read_bytes()))

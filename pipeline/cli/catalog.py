"""``spillway catalog``: bring what other systems know into the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.request import Request, urlopen

import click
import orjson

from pipeline.agents.processors import build_processor
from pipeline.agents.shared import Shared
from pipeline.catalog.imports import kubernetes, service_graph, servicenow
from pipeline.catalog.imports.gathered import Gathered, ImportFailedError, slug
from pipeline.catalog.imports.write import descriptors, to_yaml, write
from pipeline.cli.records import environment_settings
from pipeline.cli.replay import read_config
from pipeline.core.step import Effects
from pipeline.flow import RAW_TOPIC_PREFIX
from pipeline.models.alert import Kind
from pipeline.recording import RecordingError, read_recording

EXIT_REMARKS: Final = 3
EXIT_NOTHING: Final = 2

FILE_BYTES_MAX: Final = 256 << 20
"""kubectl prints some 10 KiB for each pod: 25,000 of them."""

ANSWER_SECONDS_MAX: Final = 30.0
ROWS_SHOWN_MAX: Final = 40
"""A screen; whoever has more begins with the first."""

_SCHEMES: Final = ("http://", "https://")

_files = click.argument("files", metavar="FILE...", nargs=-1, required=True)
_output = click.option(
    "--output",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Directory to write into, such as config/catalog; without it, to standard output.",
)
_strict = click.option("--strict", is_flag=True, help="Exit 3 where anything was not understood.")


@click.group()
def catalog() -> None:
    """Bring what other systems know of your services into the catalogue."""


@catalog.group(name="import")
def import_() -> None:
    """Write Backstage descriptors from what another system says.

    Files written by hand lead: what is imported adds to them and overwrites nothing. The same input writes the same
    bytes. Exit codes: 0 done; 1 an input cannot be read, or the output cannot be written; 2 nothing was found in it;
    3 with --strict, something was not understood.
    """


@import_.command(name="servicenow")
@_files
@_output
@_strict
def from_servicenow(files: tuple[str, ...], output: Path | None, *, strict: bool) -> None:
    """Read exports of cmdb_ci_* and cmdb_rel_ci: CSV, or JSON of the Table API."""
    _run("servicenow", lambda: servicenow.gather(map(_read, files)), output, strict=strict)


@import_.command(name="kubernetes")
@_files
@click.option(
    "--cluster", help="Name of the cluster, and of a file of its own; without it, the name that the nodes' labels say."
)
@_output
@_strict
def from_kubernetes(files: tuple[str, ...], cluster: str | None, output: Path | None, *, strict: bool) -> None:
    """Read what `kubectl get deploy,sts,ds,pod,node,svc -A -o json` printed ("-": standard input)."""
    source = "kubernetes" if cluster is None else f"kubernetes-{slug(cluster)}"
    _run(source, lambda: kubernetes.gather(map(_read, files), cluster), output, strict=strict)


@import_.command(name="otel-service-graph")
@_files
@_output
@_strict
def from_service_graph(files: tuple[str, ...], output: Path | None, *, strict: bool) -> None:
    """Read traces_service_graph_request_total: Prometheus text or its query API's JSON, from files or addresses."""
    _run("otel-service-graph", lambda: service_graph.gather(map(_read, files)), output, strict=strict)


@catalog.command()
@click.argument("recording", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--config",
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Configuration directory (default: SPILLWAY_CONFIG, else the defaults alone).",
)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def unmatched(recording: Path, directory: Path | None, *, as_json: bool) -> None:
    """List the alerts of a RECORDING that no entity is found for: by feed and rule, most first, with their labels.

    Only what fires and what people report is looked at. Exits 2 where there is any.
    """
    processor = build_processor("ingest", Shared.of(read_config(directory or environment_settings().config_dir)))
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    total = 0
    try:
        with recording.open("rb") as lines:
            for record in read_recording(lines, recording.name):
                if not record.topic.startswith(RAW_TOPIC_PREFIX):
                    continue
                effects = Effects()
                processor.handle_one(record, effects)
                for alert in (orjson.loads(each.value or b"") for each in effects.outputs if each.topic == "alerts"):
                    total += alert["kind"] in (Kind.FIRING, Kind.TICKET)
                    if effects.unmatched and "entity" not in alert and alert["kind"] in (Kind.FIRING, Kind.TICKET):
                        row = rows.setdefault((alert["feed"], alert["name"]), {"alerts": 0, "labels": alert["labels"]})
                        row["alerts"] += 1
    except RecordingError as error:
        raise click.ClickException(str(error)) from error
    ordered = [
        {"feed": feed, "name": name, **row}
        for (feed, name), row in sorted(rows.items(), key=lambda item: (-item[1]["alerts"], item[0]))
    ]
    missed = sum(row["alerts"] for row in ordered)
    if as_json:
        click.echo(orjson.dumps({"alerts": total, "unmatched": missed, "rules": ordered}).decode())
    else:
        _print_unmatched(ordered, missed, total)
    if ordered:
        raise click.exceptions.Exit(EXIT_NOTHING)


def _print_unmatched(rows: list[dict[str, Any]], missed: int, total: int) -> None:
    for row in rows[:ROWS_SHOWN_MAX]:
        labels = ", ".join(f"{name}={value}" for name, value in sorted(row["labels"].items()))
        click.echo(f"{row['alerts']:>7,}  {row['feed']}  {row['name']}  {{{labels}}}")
    if len(rows) > ROWS_SHOWN_MAX:
        click.echo(f"         and {len(rows) - ROWS_SHOWN_MAX:,} more rules: see them with --json")
    click.echo(f"{missed:,} of {total:,} alerts are about nothing that the catalogue knows")


def _run(source: str, gather: Callable[[], Gathered], output: Path | None, *, strict: bool) -> None:
    try:
        gathered = gather()
        documents = descriptors(gathered.entities.values(), source)
        changed = [] if output is None else write(documents, source, output)
    except ImportFailedError as error:
        raise click.ClickException(str(error)) from error
    if output is None and documents:
        click.echo(to_yaml(documents, source), nl=False)
    for text, times in sorted(gathered.remarks.items()):
        click.echo(f"remark: {text}{f' ({times:,} times)' if times > 1 else ''}", err=True)
    click.echo(_summary(gathered, output, changed), err=True)
    if not documents:
        raise click.exceptions.Exit(EXIT_NOTHING)
    if strict and gathered.remarks:
        raise click.exceptions.Exit(EXIT_REMARKS)


def _summary(gathered: Gathered, output: Path | None, changed: list[Path]) -> str:
    kinds: dict[str, int] = {}
    for each in gathered.entities.values():
        kinds[each.kind] = kinds.get(each.kind, 0) + 1
    counts = ", ".join(f"{number:,} {kind}{'' if number == 1 else 's'}" for kind, number in sorted(kinds.items()))
    edges = gathered.edges()
    said = f"{counts or 'nothing'}, {edges:,} dependenc{'y' if edges == 1 else 'ies'}"
    if output is not None:
        said += f"; {', '.join(str(path) for path in changed)} changed" if changed else "; nothing changed"
    return said


def _read(name: str) -> tuple[str, bytes]:
    """Name and content of a file, of standard input, or of an address.

    Raises:
        ImportFailedError: it cannot be read, or is too large.
    """
    try:
        if name.startswith(_SCHEMES):
            request = Request(name, headers={"Accept": "application/json, text/plain"})  # noqa: S310 checked above
            with urlopen(request, timeout=ANSWER_SECONDS_MAX) as answer:  # noqa: S310 checked above
                data: bytes = answer.read(FILE_BYTES_MAX + 1)
        elif name == "-":
            data = click.get_binary_stream("stdin").read(FILE_BYTES_MAX + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(FILE_BYTES_MAX + 1)
    except (OSError, URLError, ValueError) as error:
        raise ImportFailedError(f"{name}: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > FILE_BYTES_MAX:
        raise ImportFailedError(f"{name}: larger than {FILE_BYTES_MAX >> 20} MiB; export it in parts")
    return name, data

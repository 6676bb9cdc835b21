"""``spillway policy``: what a pack says, what differs between two configurations, what adopting would do."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click
import orjson
from rich.console import Console

from pipeline.agents.shared import Shared
from pipeline.catalog import Opened, open_config
from pipeline.catalog.effective_facts import DEFAULT, at
from pipeline.catalog.pack_diff import Change, changes, domains_of, fields_of
from pipeline.catalog.problems import suggestion
from pipeline.cli.moments import MOMENT, now_ms
from pipeline.cli.policy_due import due_command
from pipeline.cli.policy_view import print_changes, print_fields, print_preview
from pipeline.cli.records import environment_settings, line_console, read_records, records_url_option
from pipeline.core.practice import adopt, preview
from pipeline.core.practice.desk import Desk
from pipeline.core.practice.lifecycle import ENDED_STATES
from pipeline.core.practice.preview import Outlook
from pipeline.core.practice.shelf import stamp_of
from pipeline.feeds import ADAPTERS
from pipeline.models.incident import Incident, incident_from_wire
from pipeline.models.policy import Config
from pipeline.recording import to_rfc3339
from pipeline.records.store import LIST_MAX

EXIT_DIFFERENT: Final = 1
"""Something differs, or an open incident would change; as of ``diff``."""

EXIT_UNUSABLE: Final = 2
"""A directory, file or store cannot be used, so nothing was compared."""

DIRECTORY_DEFAULT: Final = Path("config")

_FOLDER: Final = click.Path(exists=True, file_okay=False, path_type=Path)
_json_option = click.option("--json", "as_json", is_flag=True, help="For machines.")
_config_option = click.option(
    "--config", "directory", type=_FOLDER, help="The configuration in force (default: SPILLWAY_CONFIG, else ./config)."
)


class _Unusable(click.ClickException):
    exit_code = EXIT_UNUSABLE


@click.group()
def policy() -> None:
    """Show policy packs; compare two configurations; preview what adopting one does to open incidents."""


policy.add_command(due_command)


@policy.command()
@click.argument("domain")
@_config_option
@_json_option
def show(domain: str, directory: Path | None, as_json: bool) -> None:
    """Show every value of the pack of DOMAIN in force, and the file and line that says it."""
    opened, config = _opened(_in_force(directory))
    known = domains_of(config)
    if domain not in known:
        near = suggestion(domain, known) or f"; known: {', '.join(known) or 'none'}"
        raise _Unusable(f"there is no domain '{domain}'{near}")
    pack = config.policy(domain)
    source = opened.packs.sources.get(("domain", pack.domain))
    written = {} if source is None else source.document.lines
    rows = [
        (each.name, each.value, at(source.at(*each.path)) if source and each.path in written else DEFAULT)
        for each in fields_of(pack)
    ]
    if as_json:
        fields = {name: {"value": value, "from": origin} for name, value, origin in rows}
        click.echo(_dumped({"domain": domain, "pack": pack.domain, "version": stamp_of(pack), "fields": fields}))
    else:
        print_fields(line_console(), f"{domain}: {stamp_of(pack)}", rows)


@policy.command()
@click.argument("before", type=_FOLDER)
@click.argument("after", type=_FOLDER)
@_json_option
def diff(before: Path, after: Path, as_json: bool) -> None:
    """Name every field of every pack that differs between two configuration directories.

    Exits 0 where nothing differs, 1 where something does, 2 where a directory cannot be used.
    """
    _, old = _opened(before)
    _, new = _opened(after)
    found = _changes(old, new)
    if as_json:
        click.echo(_dumped({"domains": _domains_document(old, new, found)}))
    else:
        print_changes(line_console(), _stamps(old, new, found), found)
    raise click.exceptions.Exit(EXIT_DIFFERENT if found else 0)


@policy.command("preview")
@click.argument("after", type=_FOLDER)
@_config_option
@click.option(
    "--incidents",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Incidents as spillway replay --incidents writes them (default: those of the records store).",
)
@records_url_option
@click.option("--at", "at_ms", type=MOMENT, metavar="TIME", help="Judge clocks at this time (default: now).")
@_json_option
def preview_command(
    after: Path, directory: Path | None, file: Path | None, records_url: str | None, at_ms: int | None, as_json: bool
) -> None:
    """Say what adopting the packs of the directory AFTER would do to each open incident. Nothing is changed.

    An open incident keeps the pack that it was opened under until somebody lets it adopt the one in force
    (spillway incident adopt). Major Incident thresholds hold at once for all.

    Exits 0 where no pack differs and no open incident would change, 1 where something does, 2 where a directory, file
    or store cannot be used.
    """
    _, old = _opened(_in_force(directory))
    _, new = _opened(after)
    incidents = _incidents(file, records_url)
    moment_ms = now_ms() if at_ms is None else at_ms
    found, rows = _changes(old, new), _previewed(old, new, incidents, moment_ms)
    changed = [row for row in rows if row["changes"]]
    if as_json:
        document = {
            "at": to_rfc3339(moment_ms),
            "domains": _domains_document(old, new, found),
            "open_incidents": len(rows),
            "incidents": changed,
        }
        click.echo(_dumped(document))
    else:
        console: Console = line_console()
        print_changes(console, _stamps(old, new, found), found)
        print_preview(console, len(rows), changed)
    raise click.exceptions.Exit(EXIT_DIFFERENT if found or changed else 0)


# -- what is compared


def _in_force(directory: Path | None) -> Path:
    return directory or environment_settings().config_dir or DIRECTORY_DEFAULT


def _opened(directory: Path) -> tuple[Opened, Config]:
    opened = open_config(directory, ADAPTERS)
    config = opened.checked.config
    if config is None:
        first, others = opened.checked.problems[0], len(opened.checked.problems) - 1
        more = f" (and {others:,} more: spillway config check {directory})" if others else ""
        raise _Unusable(f"{directory / first.file}:{first.line}: {first.message}{more}")
    return opened, config


def _incidents(file: Path | None, records_url: str | None) -> list[Incident]:
    """Those that have not ended, as they were opened."""
    if file is None:
        documents = read_records(records_url, lambda store: store.incidents(open_only=True, limit=LIST_MAX))
    else:
        try:
            documents = [orjson.loads(line) for line in file.read_bytes().splitlines() if line.strip()]
        except (OSError, orjson.JSONDecodeError) as error:
            raise _Unusable(f"{file}: not incidents, one JSON object a line: {error}") from error
    try:
        found = [incident_from_wire(document) for document in documents]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _Unusable(f"{file or 'the records store'}: not an incident that this release reads: {error}") from error
    return sorted((each for each in found if each.state not in ENDED_STATES), key=lambda each: each.opened_at_ms)


def _changes(old: Config, new: Config) -> dict[str, list[Change]]:
    """By domain: what differs; domains of which nothing does are left out."""
    found = {name: changes(old.policy(name), new.policy(name)) for name in domains_of(old, new)}
    return {name: differences for name, differences in found.items() if differences}


def _stamps(old: Config, new: Config, found: dict[str, list[Change]]) -> dict[str, tuple[str, str]]:
    return {name: (stamp_of(old.policy(name)), stamp_of(new.policy(name))) for name in found}


def _domains_document(old: Config, new: Config, found: dict[str, list[Change]]) -> dict[str, Any]:
    stamps = _stamps(old, new, found)
    return {
        name: {"from": stamps[name][0], "to": stamps[name][1], "changes": [each._asdict() for each in differences]}
        for name, differences in found.items()
    }


# -- what it would do


def _previewed(old: Config, new: Config, incidents: list[Incident], moment_ms: int) -> list[dict[str, Any]]:
    desk_old, desk_new = Shared.of(old).desk, Shared.of(new).desk
    now = [preview.as_it_is(desk_old, each, moment_ms) for each in incidents]
    then = [preview.under(desk_new, each, moment_ms) for each in incidents]
    major_now = _majors(desk_old, incidents, now, moment_ms)
    major_then = _majors(desk_new, incidents, then, moment_ms)
    return [
        _row(incident, was, becomes, (incident.id in major_now, incident.id in major_then))
        for incident, was, becomes in zip(incidents, now, then, strict=True)
    ]


def _majors(desk: Desk, incidents: list[Incident], outlooks: list[Outlook], moment_ms: int) -> set[str]:
    pairs = zip(incidents, outlooks, strict=True)
    told = ((each, outlook.standing.priority) for each, outlook in pairs if each.kind != "bridge")
    return preview.majors(desk, told, moment_ms)


def _row(incident: Incident, now: Outlook, then: Outlook, major: tuple[bool, bool]) -> dict[str, Any]:
    words = [each for each in adopt.changes(now.standing, then.standing) if each != adopt.NOTHING]
    late = [name for name in then.breached if name not in now.breached]
    words += [f"{name} is missed at once" for name in late]
    if now.calls_next != then.calls_next:
        words.append(f"calls next {_people(now.calls_next)} -> {_people(then.calls_next)}")
    if major[0] != major[1]:
        words.append("becomes part of a Major Incident" if major[1] else "is no Major Incident by the new thresholds")
    return {
        "id": incident.id,
        "title": incident.title,
        "domain": incident.domain,
        "state": incident.state,
        "bridge_id": incident.bridge_id,
        "changes": words,
        "missed_at_once": late,
        "now": _side(now, major=major[0]),
        "then": _side(then, major=major[1]),
    }


def _people(names: list[str]) -> str:
    return ", ".join(names) or "nobody"


def _side(outlook: Outlook, *, major: bool) -> dict[str, Any]:
    standing = outlook.standing
    next_ms = standing.escalation_next_ms
    return {
        "policy_version": standing.policy_version,
        "priority": standing.priority,
        "because": outlook.because,
        "due": {name: to_rfc3339(due_ms) for name, due_ms in standing.due_ms.items()},
        "missed": outlook.breached,
        "escalation_level": standing.escalation_level + 1,
        "escalation_next": None if next_ms is None else to_rfc3339(next_ms),
        "calls_next": outlook.calls_next,
        "major_incident": major,
    }


def _dumped(document: Any) -> str:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()

"""``spillway communication``: what each audience reads, and would read, of an incident.

From the records store, or from a recording that is decided again: the words of a configuration before they are needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import orjson

from pipeline.cli.cluster import json_option
from pipeline.cli.communication_say import SAYING
from pipeline.cli.recorded import recording_options
from pipeline.cli.records import environment_settings, read_records, records_url_option
from pipeline.cli.replay import read_config
from pipeline.core.communication.audiences import about, channels_of, render
from pipeline.core.communication.communicate import phase
from pipeline.core.escalation.escalate import Escalator
from pipeline.core.escalation.oncall import OncallIndex
from pipeline.core.outward.delivery_body import rfc3339
from pipeline.core.practice.desk import Desk
from pipeline.core.topology import Topology
from pipeline.models.communications import UPDATE, VIEWS
from pipeline.models.incident import Incident, incident_from_wire
from pipeline.models.policy import Config
from pipeline.recording import RecordingError, read_recording
from pipeline.replay import Replay, UnknownVersionError


@dataclass(frozen=True, slots=True)
class Reading:
    """What an audience reads at one moment.

    Attributes:
        told: it was told so; else it would read so if it were.
    """

    at_ms: int
    incident_id: str
    audience: str
    page: str
    state: str
    subject: str
    text: str
    told: bool
    status: str = "published"


@click.group()
def communication() -> None:
    """Preview what each audience reads of an incident; say something, approve drafts, fulfil duties."""


for _each in SAYING:
    communication.add_command(_each)


@communication.command()
@click.argument("incident_id", metavar="INCIDENT", required=False)
@click.option("--audience", "only", help="This audience alone; and what it would read where it is not told.")
@records_url_option
@recording_options("show what is said of its incidents")
@json_option
def preview(
    incident_id: str | None,
    only: str | None,
    records_url: str | None,
    recording: Path | None,
    config_dirs: tuple[Path, ...],
    run_on: int,
    *,
    as_json: bool,
) -> None:
    """Show what each audience reads of INCIDENT, or of the incidents of a recording, at each moment.

    With --audience, what that audience would read is shown where the policy does not tell it.
    """
    if recording is None and incident_id is None:
        raise click.UsageError("name an INCIDENT, or a --recording")
    directories = config_dirs or ((environment_settings().config_dir,) if environment_settings().config_dir else ())
    configs = [read_config(each) for each in directories or (None,)]
    desk = desk_of(configs[-1])
    if recording is not None:
        found = list(_recorded(desk, configs, recording, incident_id, only, run_on))
    else:
        found = list(_stored(desk, records_url, str(incident_id), only))
    _show(found, as_json=as_json)


def desk_of(config: Config) -> Desk:
    """A desk for reading: it decides nothing."""
    topology = Topology(config.catalogue)
    return Desk(config, topology, Escalator(topology, OncallIndex(config.catalogue, config.rotations)))


def _stored(desk: Desk, records_url: str | None, incident_id: str, only: str | None) -> Iterator[Reading]:
    snapshot = read_records(records_url, lambda store: store.incident(incident_id))
    if snapshot is None:
        raise click.ClickException(
            f"no incident {incident_id} in the records store: see `spillway incident list --all`"
        )
    incident = incident_from_wire(dict(snapshot))
    yield from told(snapshot, incident.updated_at_ms, only, since=0)
    for audience in (only,) if only is not None else VIEWS:
        yield from would_read(desk, incident, incident.updated_at_ms, audience)


def _recorded(
    desk: Desk, configs: list[Config], recording: Path, incident_id: str | None, only: str | None, run_on: int
) -> Iterator[Reading]:
    machine = Replay(*configs, keep=False)
    phases: dict[str, str] = {}
    seen = set[Reading]()
    try:
        with recording.open("rb") as lines:
            for step in machine.steps(read_recording(lines, recording.name), run_on_seconds=run_on):
                for output in step.events:
                    event = orjson.loads(output.value or b"{}")
                    if incident_id in (None, event["incident_id"]):
                        fresh = [each for each in _event(desk, event, only, phases) if each not in seen]
                        seen.update(fresh)
                        yield from fresh
    except (RecordingError, UnknownVersionError) as error:
        raise click.ClickException(str(error)) from error


def _event(desk: Desk, event: dict[str, Any], only: str | None, phases: dict[str, str]) -> Iterator[Reading]:
    """What one revision told, and what the audience that was asked for would read where it was told nothing."""
    snapshot, at_ms, name = event["incident"], event["at_ms"], event["incident_id"]
    found = list(told(snapshot, at_ms, only, since=at_ms))
    yield from found
    if only is None or found:
        return
    incident = incident_from_wire(dict(snapshot))
    before = phases.get(name, "")
    now = phase(incident, before)
    if now == "investigating" and incident.identified:
        now = "identified"
    if now != before and not any(each["audience"] == only for each in snapshot["communications"]):
        phases[name] = now
        yield from would_read(desk, incident, at_ms, only, now)


def told(snapshot: dict[str, Any], at_ms: int, only: str | None, *, since: int) -> Iterator[Reading]:
    """Messages on a snapshot of an incident from a moment on."""
    for each in snapshot["communications"]:
        if since <= each["at_ms"] <= at_ms and only in (None, each.get("audience", "public")):
            yield Reading(
                at_ms=each["at_ms"],
                incident_id=snapshot["id"],
                audience=each.get("audience", "public"),
                page=each["page"],
                state=each["state"],
                subject=each.get("subject", ""),
                text=each["text"],
                told=True,
                status=each.get("status", "published"),
            )


def would_read(
    desk: Desk, incident: Incident, at_ms: int, audience: str, state: str | None = None
) -> Iterator[Reading]:
    """What an audience would read of an incident as it is now.

    Raises:
        click.ClickException: nobody knows the audience.
    """
    channels = channels_of(desk, incident, audience)
    if not channels:
        raise click.ClickException(f"the policy of {incident.domain} has no audience {audience}; {', '.join(VIEWS)}?")
    now = state or phase(incident, "")
    for channel in channels:
        given = about(desk, channel, incident, at_ms, now)
        said, _, _ = render(channel, now if state or now not in {"investigating", "identified"} else UPDATE, given)
        yield Reading(at_ms, incident.id, audience, channel.page, now, said.subject, said.text, told=False)


def _show(found: list[Reading], *, as_json: bool) -> None:
    if as_json:
        for each in found:
            fields = {name: getattr(each, name) for name in Reading.__slots__}
            click.echo(orjson.dumps(fields | {"at": rfc3339(each.at_ms)}))
        return
    if not found:
        click.echo("Nothing is said: no incident has a priority that an audience is told of. See --audience.")
    for each in found:
        how = ("" if each.status == "published" else f", {each.status}") if each.told else ", not told"
        page = "" if each.page == each.audience else f" on {each.page}"
        click.echo(f"{rfc3339(each.at_ms)[:19]}Z  {each.incident_id}  {each.audience}{page}: {each.state}{how}")
        for line in (each.subject, "", *each.text.splitlines()) if each.subject else each.text.splitlines():
            click.echo(f"    {line}".rstrip())
        click.echo()

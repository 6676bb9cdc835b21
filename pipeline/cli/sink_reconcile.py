"""``spillway sink reconcile``: looks up what should be open elsewhere, says what has drifted, and has it repaired."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.cli.cluster import bootstrap_option, json_option
from pipeline.cli.progress import progress
from pipeline.cli.records import line_console
from pipeline.cli.sink_clients import clients
from pipeline.cli.sink_ledger import cluster, config_option, known_sink, sinks_config
from pipeline.cli.sink_send import send_updates
from pipeline.core.outward.sides import FINAL_STATES
from pipeline.models.ledger import LedgerEntry
from pipeline.models.remote import ENDED, RemoteState, SinkUpdate, UpdateKind
from pipeline.models.sinks import SinkRules
from pipeline.settings import Settings
from pipeline.sinks.base import SinkClient, SinkError, Trouble
from pipeline.sinks.reconciler import differs, drift

EXIT_DRIFT: Final = 1

AT_ONCE_MAX: Final = 8
"""Looks at one sink at a time: within its rate, as fast as it answers."""

BAR_FROM_RECORDS: Final = 20
"""Looks take a tenth of a second each, or a second where a sink is slow."""


@dataclass(slots=True, kw_only=True)
class Found:
    """What a look at one record found.

    Attributes:
        finding: ``as it should be``, ``deleted there``, ``closed there``, ``open though ended``, ``changed there``,
            ``cannot be read``, ``not looked up``.
        changes: field -> what is known of it, and what is there.
        detail: why it could not be looked up.
        update: what deliver is to be told.
    """

    entry: LedgerEntry
    finding: str
    changes: dict[str, tuple[str, str]] = field(default_factory=dict)
    detail: str = ""
    update: SinkUpdate | None = None

    @property
    def is_drift(self) -> bool:
        """Whether the record is not as it should be."""
        return self.update is not None

    def document(self) -> dict[str, Any]:
        """For machines."""
        entry = self.entry
        return {
            "sink": entry.sink,
            "incident_id": entry.incident_id,
            "incident_state": entry.incident_state,
            "remote_key": entry.remote_key or entry.remote_id,
            "remote_url": entry.remote_url,
            "finding": self.finding,
            "changes": {name: {"known": known, "there": there} for name, (known, there) in self.changes.items()},
            "detail": self.detail,
        }


@click.command()
@click.option("--sink", "name", help="Only this sink.")
@click.option("--incident", "incident_id", help="Only this incident.")
@click.option("--apply/--dry-run", "repair", default=False, help="Have it repaired; by default nothing is changed.")
@bootstrap_option
@config_option
@json_option
def reconcile(
    name: str | None,
    incident_id: str | None,
    bootstrap: str | None,
    directory: Path | None,
    *,
    repair: bool,
    as_json: bool,
) -> None:
    """Look every record up that should be as we know it: closed there, deleted there, open though ended, changed.

    Nothing is changed unless --apply is given: then the workers are told what was found, and decide by field
    ownership whether it is taken over here or written back there. Exits 1 where something has drifted.
    """
    with cluster(bootstrap) as kafka:
        config, entries = sinks_config(kafka.settings, directory), kafka.ledger()
        if name is not None:
            known_sink(name, config, entries)
        chosen = [
            each
            for each in entries
            if name in (None, each.sink) and incident_id in (None, each.incident_id) and _can_be_looked_at(each)
        ]
        found = _looked(kafka.settings, config.sinks, chosen)
        drifted = [each for each in found if each.is_drift]
        sent = send_updates(kafka, [each.update for each in drifted if each.update]) if repair and drifted else 0
    if as_json:
        report = {"looked_at": len(found), "drifted": len(drifted), "told": sent}
        click.echo(orjson.dumps(report | {"records": [each.document() for each in found]}, option=orjson.OPT_INDENT_2))
    else:
        _tell(line_console(), found, sent, repair=repair)
    if drifted and not repair:
        raise click.exceptions.Exit(EXIT_DRIFT)


def _can_be_looked_at(entry: LedgerEntry) -> bool:
    """What waits is about to change: its own delivery makes it right."""
    return bool(entry.remote_id) and not entry.waiting and entry.remote_state != RemoteState.GONE


def _looked(settings: Settings, sinks: dict[str, Any], entries: list[LedgerEntry]) -> list[Found]:
    usable: dict[str, SinkRules] = {name: rules for name, rules in sinks.items() if rules.enabled}
    asked = [each for each in entries if each.sink in usable]
    left = [
        Found(entry=each, finding="not looked up", detail="its sink is switched off or configured no longer")
        for each in entries
        if each.sink not in usable
    ]
    try:
        with progress("looking records up", len(asked), least=BAR_FROM_RECORDS) as seen:
            wanted = [usable[name] for name in sorted({each.sink for each in asked})]
            return asyncio.run(_look_at_all(settings, wanted, asked, seen)) + left
    except SinkError as error:
        raise click.ClickException(str(error)) from None


async def _look_at_all(
    settings: Settings, sinks: list[SinkRules], entries: list[LedgerEntry], seen: Callable[[int], None]
) -> list[Found]:
    done, rules = 0, {each.name: each for each in sinks}
    async with clients(settings, sinks) as by_name:
        places = {name: asyncio.Semaphore(AT_ONCE_MAX) for name in by_name}

        async def one(entry: LedgerEntry) -> Found:
            nonlocal done
            async with places[entry.sink]:
                found = await look_at(by_name[entry.sink], rules[entry.sink], entry, datetime.now(UTC))
            done += 1
            seen(done)
            return found

        return list(await asyncio.gather(*map(one, entries)))


async def look_at(client: SinkClient, rules: SinkRules, entry: LedgerEntry, now: datetime) -> Found:
    """Look one record up and say what is with it."""
    remote = entry.remote
    if remote is None:
        return Found(entry=entry, finding="not looked up", detail="no record is known there")
    try:
        update = await client.look(entry.incident_id, remote, now)
    except Trouble as trouble:
        answer = trouble.answer
        words = " ".join(filter(None, (str(answer.status or ""), answer.detail.partition("\n")[0])))
        return Found(entry=entry, finding="not looked up", detail=words)
    if update is None:
        return Found(entry=entry, finding="cannot be read")
    changes = {} if update.kind is UpdateKind.GONE else drift(update, remote, rules)
    finding = _finding(entry, update, changes)
    should_be_told = finding == "open though ended" or differs(update, remote, rules)
    return Found(entry=entry, finding=finding, changes=changes, update=update if should_be_told else None)


def _finding(entry: LedgerEntry, update: SinkUpdate, changes: dict[str, tuple[str, str]]) -> str:
    state = update.fields.state
    if update.kind is UpdateKind.GONE:
        return "deleted there"
    if state is not None and state not in ENDED and entry.incident_state in FINAL_STATES:
        return "open though ended"
    if "state" in changes and state in ENDED:
        return "closed there"
    return "changed there" if changes or update.notes or update.links or update.duplicate_of else "as it should be"


def _tell(console: Console, found: list[Found], sent: int, *, repair: bool) -> None:
    shown = [each for each in found if each.is_drift or each.finding == "not looked up"]
    if shown:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for heading in ("Sink", "Incident", "Here", "Record", "Finding"):
            table.add_column(heading, no_wrap=True)
        table.add_column("What")
        for each in shown:
            entry, style = each.entry, "red" if each.is_drift else "yellow"
            table.add_row(
                *(Text(word) for word in (entry.sink, entry.incident_id, entry.incident_state)),
                Text(entry.remote_key or entry.remote_id),
                Text(each.finding, style),
                Text(_what(each)),
            )
        console.print(table)
    counts = Counter(each.finding for each in found)
    words = ", ".join(f"{count:,} {finding}" for finding, count in sorted(counts.items())) or "nothing is open there"
    console.print(Text(f"looked at {len(found):,}: {words}"))
    if sent:
        console.print(Text(f"told the workers of {sent:,}: what comes of it is in `spillway sink show SINK INCIDENT`"))
    elif any(each.is_drift for each in found) and not repair:
        console.print(Text("nothing was changed: --apply has it repaired"))


def _what(found: Found) -> str:
    if found.detail:
        return found.detail
    return "; ".join(
        f"{name}: {known or 'nothing'} -> {there or 'nothing'}" for name, (known, there) in found.changes.items()
    )

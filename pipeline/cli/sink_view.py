"""Sinks and their ledger in tables and words, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.cli.stats_maturity import span
from pipeline.core.outward.delivery_body import rfc3339
from pipeline.models.delivery import DIRECTION_IN, DeliveryOutcome
from pipeline.models.ledger import LedgerEntry
from pipeline.models.sinks import SinkRules

STATE_STYLES: Final = {"failing": "bold red", "parked": "red", "removed": "yellow", "disabled": "yellow", "waiting": ""}

DETAIL_CHARACTERS_SHOWN: Final = 80


@dataclass(slots=True, kw_only=True)
class SinkLine:
    """How one sink stands.

    Attributes:
        state: ``ok``, ``waiting``, ``failing`` (its last outcome was none), ``parked`` (something was given up),
            ``disabled``, ``removed`` (configured no longer), ``unused``.
        open_there: records that somebody there still has to work on.
        waiting: deliveries that wait; ``waiting_since_ms``: since when the oldest.
        parked: deliveries that were given up.
        orphans: records that nothing will end together with their incident.
        last: the newest outcome.
    """

    sink: str
    type: str
    state: str
    open_there: int = 0
    waiting: int = 0
    waiting_since_ms: int | None = None
    parked: int = 0
    orphans: int = 0
    last: dict[str, Any]

    def document(self, now_ms: int) -> dict[str, Any]:
        """For machines."""
        since_ms = self.waiting_since_ms
        return {
            "sink": self.sink,
            "type": self.type,
            "state": self.state,
            "open_there": self.open_there,
            "waiting": self.waiting,
            "oldest_waiting_seconds": None if since_ms is None else max(0, now_ms - since_ms) // 1_000,
            "parked": self.parked,
            "orphans": self.orphans,
            "last": self.last or None,
        }


def sink_lines(sinks: Mapping[str, SinkRules], entries: Iterable[LedgerEntry]) -> list[SinkLine]:
    """A line for each sink that is configured or that the ledger knows, by name."""
    of_sink: dict[str, list[LedgerEntry]] = {name: [] for name in sinks}
    for entry in entries:
        of_sink.setdefault(entry.sink, []).append(entry)
    return [_line(name, sinks.get(name), found) for name, found in sorted(of_sink.items())]


def _line(name: str, rules: SinkRules | None, entries: list[LedgerEntry]) -> SinkLine:
    since = [each.waiting_since_ms for each in entries if each.waiting_since_ms is not None]
    line = SinkLine(
        sink=name,
        type=str(getattr(rules, "type", "")) or next((each.type for each in entries if each.type), ""),
        state="",
        open_there=sum(each.is_open_there for each in entries),
        waiting=sum(each.waiting for each in entries),
        waiting_since_ms=min(since, default=None),
        parked=sum(each.parked for each in entries),
        orphans=sum(each.orphan for each in entries),
        last=max((each.last for each in entries if each.last), key=lambda last: last["at_ms"], default={}),
    )
    line.state = _state(line, rules, entries)
    return line


def _state(line: SinkLine, rules: SinkRules | None, entries: list[LedgerEntry]) -> str:
    if rules is None:
        return "removed"
    if not rules.enabled:
        return "disabled"
    if line.waiting and line.last and line.last.get("outcome") != DeliveryOutcome.DELIVERED:
        return "failing"
    if line.parked:
        return "parked"
    if line.waiting:
        return "waiting"
    return "ok" if entries else "unused"


def tell_sinks(console: Console, lines: list[SinkLine], now_ms: int) -> None:
    """One line for each sink."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("Sink", "Type", "State"):
        table.add_column(heading, no_wrap=True)
    for heading in ("Open there", "Waiting", "Oldest", "Parked", "Orphans"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("Last outcome")
    for line in lines:
        age = None if line.waiting_since_ms is None else max(0, now_ms - line.waiting_since_ms) / 1_000
        table.add_row(
            Text(line.sink),
            Text(line.type),
            Text(line.state, STATE_STYLES.get(line.state, "")),
            *(Text(each) for each in (str(line.open_there), str(line.waiting), span(age))),
            Text(str(line.parked), "red" if line.parked else ""),
            Text(str(line.orphans), "bold red" if line.orphans else ""),
            Text(outcome_words(line.last)),
        )
    console.print(table)


def tell_entries(console: Console, entries: list[LedgerEntry]) -> None:
    """One line for each incident at a sink: how it is here and how it is there."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("Incident", "Here", "There", "State there"):
        table.add_column(heading, no_wrap=True)
    for heading in ("Waiting", "Parked"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("Last outcome")
    for entry in entries:
        table.add_row(
            Text(entry.incident_id),
            Text(entry.incident_state),
            Text(entry.remote_key or entry.remote_id or "-"),
            Text(there(entry), "bold red" if entry.orphan else ""),
            *(Text(str(each)) for each in (entry.waiting, entry.parked)),
            Text(outcome_words(entry.last)),
        )
    console.print(table)


def there(entry: LedgerEntry) -> str:
    """State there, and what is wrong with it."""
    words = entry.remote_state or "not made"
    if entry.reason:
        words += f", {'orphan: ' if entry.orphan else ''}{entry.reason.replace('_', ' ')}"
    if entry.contested:
        words += f", contested: {', '.join(entry.contested)}"
    return words


def tell_entry(console: Console, entry: LedgerEntry, records: Iterable[Mapping[str, Any]]) -> None:
    """One incident at one sink, with all that was told and all that came back."""
    console.print(Text.assemble((f"{entry.incident_id} at {entry.sink}", "bold"), f"  {entry.type}"))
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    known = {
        "Here": entry.incident_state,
        "There": there(entry),
        "Record": " ".join(filter(None, (entry.remote_key or entry.remote_id, entry.remote_url))),
        "Known fields": ", ".join(f"{name} {value}" for name, value in sorted(entry.remote_fields.items()) if value),
        "Waiting": str(entry.waiting or ""),
        "Parked": str(entry.parked or ""),
    }
    for label, value in known.items():
        if value:
            facts.add_row(label, Text(value))
    console.print(facts)
    console.print(Text("\nTold and heard", style="bold"))
    for record in records:
        console.print(Text.assemble((moment(record["at_ms"]), "dim"), f"  {record_words(record)}"))


def record_words(record: Mapping[str, Any]) -> str:
    """A record of ``deliveries`` in a line."""
    if record.get("direction") == DIRECTION_IN:
        reasons = ", ".join(f"{name} {reason}" for name, reason in record["reasons"].items())
        commands = f" -> {', '.join(record['commands'])}" if record["commands"] else ""
        author = f" by {record['author']}" if record["author"] else ""
        return f"came back, {record['kind']}{author}: {reasons}{commands}".replace("_", " ")
    revision = f"revision {record['revision']}, attempt {record['attempt']}"
    return f"{revision}: {outcome_words({**record, 'at_ms': None})}"


def outcome_words(last: Mapping[str, Any]) -> str:
    """An outcome, when it was, and what was said; "" where there is none."""
    if not last:
        return ""
    words = str(last.get("outcome", ""))
    if last.get("at_ms") is not None:
        words += f" {moment(last['at_ms'])}"
    said = [str(last["status"])] if last.get("status") else []
    if last.get("detail"):
        said.append(str(last["detail"]).partition("\n")[0][:DETAIL_CHARACTERS_SHOWN])
    return words + (f" ({' '.join(said)})" if said else "")


def moment(at_ms: int) -> str:
    """A moment to the second."""
    return f"{rfc3339(at_ms)[:19].replace('T', ' ')}Z"

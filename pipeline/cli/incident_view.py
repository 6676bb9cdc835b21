"""Incidents in tables and words, for people."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.core.outward.sides import FINAL_STATES
from pipeline.models.ledger import LedgerEntry
from pipeline.models.remote import ENDED
from pipeline.models.sinks import SINK_TYPES

PRIORITY_STYLES: Final = {"P1": "bold red", "P2": "red", "P3": "yellow", "P4": "dim"}

_FIELDS: Final = (
    ("Who is affected", "who_is_affected"),
    ("Symptoms", "symptoms"),
    ("Category", "category"),
    ("Service", "service"),
    ("Owner", "owner"),
    ("Assigned to", "assignee"),
    ("Layer", "infrastructure_layer"),
    ("Hosting", "hosting_model"),
    ("Runbook", "runbook"),
    ("Bridge incident", "bridge_id"),
    ("Members", "members"),
    ("Sites", "sites"),
    ("Commander", "commander"),
    ("Status", "status"),
    ("Merged into", "merged_into"),
)


def list_incidents(console: Console, incidents: Iterable[dict[str, Any]]) -> None:
    """One line for each incident."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("Incident", "Pri", "State", "Opened", "Service", "Assigned to"):
        table.add_column(heading, no_wrap=True)
    table.add_column("What")
    for incident in incidents:
        priority = str(incident.get("priority") or "")
        table.add_row(
            *(Text(text) for text in (_word(incident.get("id")),)),
            Text(priority, style=PRIORITY_STYLES.get(priority, "")),
            *(
                Text(text)
                for text in (
                    _word(incident.get("state")),
                    _time(incident.get("opened_at_ms")),
                    _word(incident.get("service")).rpartition("/")[2],
                    _word(incident.get("assignee")),
                    _word(incident.get("title")),
                )
            ),
        )
    console.print(table)


def show_incident(
    console: Console,
    incident: dict[str, Any],
    timeline: Iterable[dict[str, Any]],
    ledger: Iterable[LedgerEntry] = (),
) -> None:
    """An incident: what, who, why, its records elsewhere, and what happened so far, in order.

    Args:
        console: where to.
        incident: its snapshot.
        timeline: its entries.
        ledger: what the ledger of deliveries has of it.
    """
    priority = str(incident.get("priority") or "")
    title = Text.assemble(
        (_word(incident.get("id")), "bold"),
        "  ",
        (priority, PRIORITY_STYLES.get(priority, "")),
        f"  {_word(incident.get('state'))}  ",
        _word(incident.get("title")),
    )
    console.print(title)
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    for label, value in _facts(incident):
        facts.add_row(label, Text(value))
    console.print(facts)
    tell_elsewhere(console, incident, ledger)
    console.print(Text("\nTimeline", style="bold"))
    for entry in timeline:
        line = Text.assemble((_moment(entry.get("at")), "dim"), f"  {_word(entry.get('text'))}")
        if entry.get("actor"):
            line.append(f"  ({entry['actor']})", style="dim")
        console.print(line)


_HEADINGS: Final = ("What", "Record", "State there", "Sink", "Deliveries", "Address")


def tell_elsewhere(console: Console, incident: dict[str, Any], ledger: Iterable[LedgerEntry]) -> None:
    """Its tickets, pages, status pages, support cases and vendor tickets, with their states side by side."""
    rows = list(elsewhere(incident, ledger))
    if not rows:
        return
    console.print(Text("\nElsewhere", style="bold"))
    table = Table(box=None, header_style="dim", pad_edge=False)
    columns = zip(_HEADINGS, zip(*rows, strict=True), strict=True)
    shown = [(heading, cells) for heading, cells in columns if any(cells)]  # what nothing is known of takes no room
    for heading, _ in shown:
        table.add_column(heading, no_wrap=heading != "Address")
    for cells in zip(*(cells for _, cells in shown), strict=True):
        table.add_row(*map(Text, cells))
    console.print(table)


def elsewhere(incident: dict[str, Any], ledger: Iterable[LedgerEntry]) -> Iterable[tuple[str, ...]]:
    """What, record, state there, sink, deliveries and address of each; a sink's link and its entry are one row."""
    left, over = list(ledger), incident.get("state") in FINAL_STATES
    for link in incident.get("links") or []:
        number = str(link.get("id"))
        entry = next((each for each in left if _is_of(each, str(link.get("kind")), number)), None)
        if entry is not None:
            left.remove(entry)
        state = _word(link.get("state")) if entry is None else entry.remote_state
        if entry is None and over and state and state not in ENDED:
            state = f"was {state}"  # a link stays as it was when its incident ended, and the record ended after that
        yield (
            _word(link.get("kind")).replace("_", " "),
            number,
            state.replace("_", " "),
            "" if entry is None else entry.sink,
            _deliveries(entry),
            _word(link.get("url")),
        )
    for entry in left:
        state = entry.remote_state.replace("_", " ") if entry.remote_id else "not made"
        record = entry.remote_key or entry.remote_id or "-"
        yield entry.type.replace("_", " "), record, state, entry.sink, _deliveries(entry), entry.remote_url


def _is_of(entry: LedgerEntry, kind: str, number: str) -> bool:
    """Whether a link is to the record of an entry: several sinks may call their records by the incident's own id."""
    rules = SINK_TYPES.get(entry.type)
    return number in (entry.remote_key, entry.remote_id) and (rules is None or kind == rules.LINK_KIND)


def _deliveries(entry: LedgerEntry | None) -> str:
    if entry is None:
        return ""
    words = [f"{entry.waiting} waiting"] if entry.waiting else []
    words += [f"{entry.parked} parked"] if entry.parked else []
    words += [entry.reason.replace("_", " ")] if entry.reason else []
    return ", ".join(words) or "all told"


def _facts(incident: dict[str, Any]) -> Iterable[tuple[str, str]]:
    because = incident.get("priority_because") or []
    if because:
        yield "Priority because", "; ".join(map(str, because))
    for label, name in _FIELDS:
        if value := incident.get(name):
            yield label, "; ".join(map(str, value)) if isinstance(value, list) else str(value)
    for suspect in incident.get("suspects") or []:
        reasons = "; ".join(map(str, suspect.get("because") or []))
        yield "Suspect", f"{_word(suspect.get('ref'))}: {reasons}"
    yield from _life(incident)
    for name, clock in (incident.get("clocks") or {}).items():
        if clock:
            yield f"{name.capitalize()} due", _clock(clock)
    resolution = incident.get("resolution") or {}
    for name in ("code", "summary", "cause", "fix", "workaround", "corrective_action", "by"):
        if resolution.get(name):
            yield f"Resolution {name.replace('_', ' ')}", str(resolution[name])


def _life(incident: dict[str, Any]) -> Iterable[tuple[str, str]]:
    """Whom it waits for, what restored it, what is owed, and how long it was in each state."""
    for wait in incident.get("waiting") or []:
        record = " ".join(str(wait[name]) for name in ("link_kind", "id", "state") if wait.get(name))
        yield "Waits for", f"{wait.get('kind')} since {_time(wait.get('since_ms'))}" + (f", {record}" if record else "")
    if incident.get("mitigated_at_ms"):
        yield "Mitigated", f"{_time(incident['mitigated_at_ms'])}: {_word(incident.get('workaround'))}"
    for action in incident.get("corrective_actions") or []:
        owner = f", {action['owner']}" if action.get("owner") else ""
        due = f", by {action['due_date']}" if action.get("due_date") else ""
        yield "Corrective action", f"{action.get('id')} ({action.get('state')}): {action.get('text')}{owner}{due}"
    spent = dict(incident.get("time_in") or {})
    since_ms, until_ms = incident.get("state_since_ms"), incident.get("updated_at_ms")
    if since_ms and until_ms and not incident.get("closed_at_ms") and not incident.get("merged_into"):
        state = _word(incident.get("state"))
        spent[state] = spent.get(state, 0) + until_ms - since_ms
    if spent:
        yield "Time in states", "; ".join(f"{state} {_duration(ms)}" for state, ms in spent.items() if ms)


def _duration(milliseconds: int) -> str:
    """A duration in its two largest units: ``2 h 5 min``."""
    seconds = milliseconds // 1_000
    units = (("d", seconds // 86_400), ("h", seconds // 3_600 % 24), ("min", seconds // 60 % 60), ("s", seconds % 60))
    words = [f"{count} {unit}" for unit, count in units if count]
    return " ".join(words[:2]) or "under 1 s"


def _clock(clock: dict[str, Any]) -> str:
    words = [_time(clock.get("due_at_ms")) or "not running"]
    if clock.get("met_at_ms"):
        words.append(f"met at {_time(clock['met_at_ms'])}")
    if clock.get("breached_at_ms"):
        because = "; ".join(map(str, clock.get("because") or []))
        words.append(f"missed at {_time(clock['breached_at_ms'])}" + (f" ({because})" if because else ""))
    return ", ".join(words)


def _word(value: Any) -> str:
    return "" if value is None else str(value)


def _time(value: Any) -> str:
    return _moment(datetime.fromtimestamp(value / 1_000, UTC)) if isinstance(value, (int, float)) else ""


def _moment(value: Any) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z" if isinstance(value, datetime) else ""

"""What `spillway oncall` prints, for people, machines and calendars."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.catalog.oncall_answer import Answer, Duty, person_document, shift_document
from pipeline.cli.dead_letter_view import escaped
from pipeline.core.escalation.oncall_schedule import Shift
from pipeline.core.escalation.oncall_turns import from_ms
from pipeline.models.oncall import POSITIONS, Rotation
from pipeline.recording import to_rfc3339


def answer_document(found: Answer) -> dict[str, Any]:
    """For machines."""
    return {
        "service": found.ref,
        "answers": found.answers,
        "at": to_rfc3339(found.at_ms),
        "reached": found.reached,
        "covered_by": found.origin or None,
        "rotations": [_duty_document(each) for each in found.duties],
        "escalation": [{"level": name, "calls": called} for name, called in found.escalation],
        "runbooks": found.runbooks,
    }


def _duty_document(each: Duty) -> dict[str, Any]:
    return {
        "rotation": each.rotation.name,
        "timezone": each.rotation.timezone,
        "people": [
            {**person_document(one), "until": None if until is None else to_rfc3339(until)}
            for one, until in each.people
        ],
        "nobody": each.nobody or None,
        "next": shift_document(each.following) if each.following else None,
    }


def print_answer(found: Answer, console: Console) -> None:
    """For people: a line for each fact."""
    about = "" if found.answers == found.ref else f", for which {found.answers} answers"
    console.print(Text(escaped(f"{found.title} ({found.ref}){about} at {to_rfc3339(found.at_ms)}"), style="bold"))
    rows: list[tuple[str, str]] = []
    if not found.duties:
        rows.append(("on call", "nobody: no rotation covers it"))
    for number, each in enumerate(found.duties):
        name = f"{each.rotation.name} ({each.rotation.timezone})"
        rows.append(("rotation", f"{name}, {found.origin}") if number == 0 else ("if nobody", f"rotation {name}"))
        rows += _duty_rows(each)
    rows += [(f"{name}", called) for name, called in found.escalation]
    rows += [("runbook" if name == "default" else f"runbook {name}", there) for name, there in found.runbooks.items()]
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*(Text(escaped(cell)) for cell in row))
    console.print(table)


def _duty_rows(each: Duty) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for one, until in each.people:
        how_long = f" until {each.local(until)}" if until is not None else ""
        rows.append((one.position, f"{one.person}{how_long}: {one.because}"))
    if each.nobody:
        rows.append(("primary", f"nobody: {each.nobody}"))
    if each.following is not None:
        names = ", ".join(one.person for one in each.following.people if one.position == POSITIONS[0]) or "nobody"
        rows.append(("next", f"{names} from {each.local(each.following.start_ms)}"))
    return rows


def schedule_table(rotation: Rotation, shifts: Iterable[Shift]) -> Table:
    """A schedule in the rotation's own zone."""
    zone = ZoneInfo(rotation.timezone)
    title = f"{rotation.name}, {rotation.timezone}"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in ("from", "until", "primary", "secondary", "because"):
        table.add_column(column, no_wrap=column in {"from", "until"}, overflow="fold")
    for shift in shifts:
        began, ends = (from_ms(each).astimezone(zone) for each in (shift.start_ms, shift.end_ms))
        first, second = (
            ", ".join(one.person for one in shift.people if one.position == position) for position in POSITIONS[:2]
        )
        because = next((one.because for one in shift.people if one.position == POSITIONS[0]), "nobody is on call")
        cells = (f"{began:%a %Y-%m-%d %H:%M}", f"{ends:%a %Y-%m-%d %H:%M}", first or "-", second or "-", because)
        table.add_row(*(Text(escaped(cell), style="" if shift.people else "bold red") for cell in cells))
    return table

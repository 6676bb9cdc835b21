"""On-call rotations: their calendars read from the directory, and what must hold inside and between rotations."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time
from pathlib import PurePosixPath
from typing import Final

from pipeline.catalog.check_calendars import check_timezone
from pipeline.catalog.check_moments import check_span
from pipeline.catalog.packs import Packs, Source
from pipeline.catalog.problems import Findings, Place, suggestion
from pipeline.core.escalation.oncall_untrusted import CALENDAR_BYTES_MAX, check_calendar, nameless
from pipeline.models.oncall import OncallCalendar, OncallOverride, Rotation, Turns

FOLDER: Final = "oncall"
SUFFIX: Final = ".ics"
_DAYS: Final = range(7)


def is_calendar(file: PurePosixPath) -> bool:
    """Whether a file is a calendar that a rotation may read."""
    return file.suffix == SUFFIX and len(file.parts) == 2 and file.parts[0] == FOLDER


def attach_calendars(packs: Packs, calendars: dict[str, bytes], findings: Findings) -> None:
    """Give each rotation the text of its calendars; what no rotation reads is remarked.

    Args:
        packs: whose rotations are completed in place.
        calendars: name of each file below `oncall/` -> its bytes.
        findings: takes what is wrong, by the line of the calendar.
    """
    texts: dict[str, str | None] = {}
    for name, rotation in list(packs.rotations.items()):
        whole = rotation
        for path, turns in _calendars(rotation):
            file, place = _file_of(turns, name), packs.sources["rotation", name].at(*path, "calendar")
            if file not in texts:
                texts[file] = _text(file, calendars, place, findings)
            if (text := texts[file]) is None:
                packs.broken.add(("rotation", name))
            elif turns.calendar is not None:
                _remark_nameless(file, text, turns.calendar, findings)
                whole = _with_text(whole, path, turns.calendar.with_text(text))
        packs.rotations[name] = whole
    for file in sorted(calendars.keys() - texts.keys()):
        stem = PurePosixPath(file).stem
        message = f"no rotation reads this calendar: write 'calendar: {{file: {file}}}' in {FOLDER}/{stem}.yaml"
        findings.warning(Place(f"{FOLDER}/{file}", 1), message, "unused-calendar")


def _calendars(rotation: Rotation) -> Iterator[tuple[tuple[str | int, ...], Turns]]:
    """Path in the document and turns of whatever has a calendar."""
    if rotation.calendar is not None:
        yield (), rotation
    for index, layer in enumerate(rotation.layers):
        if layer.calendar is not None:
            yield ("layers", index), layer


def _file_of(turns: Turns, name: str) -> str:
    return (turns.calendar.file if turns.calendar else "") or f"{name}{SUFFIX}"


def _with_text(rotation: Rotation, path: tuple[str | int, ...], calendar: OncallCalendar) -> Rotation:
    if not path:
        return rotation.model_copy(update={"calendar": calendar})
    layers = list(rotation.layers)
    index = int(path[1])
    layers[index] = layers[index].model_copy(update={"calendar": calendar})
    return rotation.model_copy(update={"layers": tuple(layers)})


def _text(file: str, calendars: dict[str, bytes], place: Place, findings: Findings) -> str | None:
    """The text of a calendar that can be used; None, with the problems noted, where there is none."""
    data = calendars.get(file)
    if data is None:
        near = suggestion(file, calendars)
        findings.problem(place, f"calendar: there is no file {FOLDER}/{file}{near}")
        return None
    where = f"{FOLDER}/{file}"
    if len(data) > CALENDAR_BYTES_MAX:
        findings.problem(Place(where, 1), f"larger than {CALENDAR_BYTES_MAX:,} bytes; export less of the past")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        findings.problem(Place(where, line), "not UTF-8; save the file in that encoding")
        return None
    wrong = check_calendar(text)
    for line, message in wrong:
        findings.problem(Place(where, line), message)
    return None if wrong else text


def _remark_nameless(file: str, text: str, calendar: OncallCalendar, findings: Findings) -> None:
    lines = list(nameless(text, calendar))
    if lines:
        more = f", nor do {len(lines) - 1:,} more" if len(lines) > 1 else ""
        message = f"this event has no {calendar.person.upper()} to name a person by{more}: it calls nobody"
        findings.warning(Place(f"{FOLDER}/{file}", lines[0]), message, "event-of-nobody")


# -- what must hold


def check_rotation(rotation: Rotation, source: Source, packs: Packs, findings: Findings) -> None:
    """Every rule of one rotation that needs no catalogue."""
    check_timezone(rotation.timezone, source, findings, "timezone")
    check_turns(rotation, source, findings)
    for index, layer in enumerate(rotation.layers):
        if layer.timezone is not None:
            check_timezone(layer.timezone, source, findings, "layers", index, "timezone")
        check_turns(layer, source, findings, "layers", index)
        first = next(number for number, each in enumerate(rotation.layers) if each.name == layer.name)
        if first != index:
            findings.problem(source.at("layers", index, "name"), f"layers: '{layer.name}' is the name of two")
    for index, override in enumerate(rotation.overrides):
        check_span(override.start, override.end, source, findings, "overrides", index)
        _check_override(override, source, findings, index)
    _check_fall_back(rotation, source, packs, findings)


def check_turns(turns: Turns, source: Source, findings: Findings, *path: str | int) -> None:
    """The first hand-off is a moment, days are days, files are plain names."""
    start = turns.start
    if isinstance(start, datetime) and start.tzinfo is None and (turns.hand_off is None or start.time() != time(0)):
        findings.problem(
            source.at(*path, "start"),
            "start: no time zone; write it as 2026-03-10T10:00:00Z"
            + (", or as a date beside hand_off" if turns.hand_off is not None else ""),
        )
    for index, hours in enumerate(turns.on_duty):
        for day in hours.days:
            if day not in _DAYS:
                findings.problem(
                    source.at(*path, "on_duty", index, "days"), f"on_duty: day {day}; 0 is Monday, 6 is Sunday"
                )
    if turns.calendar is not None and not is_calendar(PurePosixPath(FOLDER, turns.calendar.file or f"x{SUFFIX}")):
        findings.problem(
            source.at(*path, "calendar", "file"), f"calendar: file must be the name of a *{SUFFIX} file in {FOLDER}/"
        )


def _check_override(override: OncallOverride, source: Source, findings: Findings, index: int) -> None:
    where = source.at("overrides", index)
    if override.instead_of == override.person:
        findings.problem(where, f"overrides: {override.person} stands in for themselves")
    if override.instead_of is not None and "position" in override.model_fields_set:
        findings.problem(where, "overrides: give either 'position' or 'instead_of'")


def _check_fall_back(rotation: Rotation, source: Source, packs: Packs, findings: Findings) -> None:
    """`escalate_to` names a rotation, and does not lead back here."""
    target = rotation.escalate_to
    if target is None:
        return
    known = packs.names("rotation")
    if target not in known:
        near = suggestion(target, known)
        findings.problem(source.at("escalate_to"), f"escalate_to: no rotation is called '{target}'{near}")
        return
    way = [rotation.name]
    following: str | None = target
    while following is not None and following not in way:
        way.append(following)
        found = packs.rotations.get(following)
        following = found.escalate_to if found else None
    if following == rotation.name:
        findings.problem(source.at("escalate_to"), f"escalate_to: runs in a circle: {' -> '.join([*way, following])}")

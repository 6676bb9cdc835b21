"""Cases: what ``tests/*.yaml`` of a configuration directory may say, and how it is read.

A case has alerts at relative times and what shall become of them. Files hold a mapping of names to cases.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import AwareDatetime, BeforeValidator, Field, model_validator

from pipeline.catalog.load import TESTS_FOLDER
from pipeline.catalog.packs import Source
from pipeline.catalog.problems import Findings, Place, suggestion
from pipeline.catalog.validate import validated
from pipeline.catalog.yaml_lines import FILE_BYTES_MAX, read_documents
from pipeline.models.alert import Severity
from pipeline.models.catalog import Frozen
from pipeline.models.command import ChangeKind

FILES_MAX: Final = 1_000
CASES_MAX: Final = 5_000
ALERTS_OF_A_CASE_MAX: Final = 5_000
"""More is a load test, for which there are recordings."""

SECONDS_MAX: Final = 30 * 24 * 60 * 60
RUN_ON_SECONDS: Final = 60 * 60
"""How long time goes on after the last alert, so that what is held for a while comes in."""

START: Final = datetime(2026, 3, 10, 10, tzinfo=UTC)
"""When a case begins that does not say: a Tuesday, in the business hours of most places."""

_SPAN: Final = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s)?")
_UNITS: Final = (86_400, 3_600, 60, 1)


def _seconds(value: Any) -> Any:
    """Seconds of ``90``, ``90s``, ``1m30s``, ``2h``."""
    if not isinstance(value, str):
        return value
    found = _SPAN.fullmatch(value.strip().replace(" ", ""))
    if found is None or not value.strip():
        raise ValueError(f"'{value[:40]}' is no span of time: write it as 90s, 1m30s or 2h")
    return sum(int(part or 0) * unit for part, unit in zip(found.groups(), _UNITS, strict=True))


Span = Annotated[int, BeforeValidator(_seconds), Field(ge=0, le=SECONDS_MAX)]


class AlertCase(Frozen):
    """One message: in short, as we would read it, or raw, as its source writes it.

    Attributes:
        id: what expectations call it.
        at: since the beginning of the case.
        resolves: it is the recovery of the alert of this id; nothing else is said then.
        feed: which feed it comes from.
        raw: the message as the feed's source writes it, read by the feed's adapter.
        name: the condition's name; with ``feed``, ``labels`` and ``host`` it tells conditions apart.
        labels: flat facts; what it is about is found by them and by the text, as live: ``service: checkout``.
        host: the same as the label ``host``.
        reporter: of a ticket: who reported. A feed of the service desk brings tickets.
    """

    id: str | None = None
    at: Span = 0
    resolves: str | None = None
    feed: str = "alertmanager"
    raw: Any = None
    name: str = ""
    summary: str = ""
    description: str = ""
    severity: Severity = Severity.CRITICAL
    host: str | None = None
    space: str | None = None
    reporter: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _says_enough(self) -> Self:
        said = self.model_fields_set
        if self.resolves is not None:
            if said - {"resolves", "at"}:
                raise ValueError("what resolves an alert says nothing but when: leave the rest out")
        elif self.id is None:
            raise ValueError("an alert needs an id, by which expectations call it")
        elif self.raw is not None:
            if said - {"id", "at", "feed", "raw"}:
                raise ValueError("a raw message says all itself: leave everything but id, at and feed out")
        elif not self.name:
            raise ValueError("an alert needs a name, or raw")
        return self


class ChangeCase(Frozen):
    """A deployment, configuration change or maintenance.

    Attributes:
        lasts: how long; None: its end is not known.
        suppress: alerts on the targets are expected meanwhile.
    """

    at: Span = 0
    kind: ChangeKind = ChangeKind.DEPLOYMENT
    summary: str = "a change"
    targets: tuple[str, ...] = ()
    lasts: Span | None = None
    suppress: bool = False
    space: str = "production"


class PeopleCase(Frozen):
    """What a person does: merge the incident of one alert into that of another, or split alerts off.

    Attributes:
        merge: id of an alert in the incident that ends; ``into``: of one in the incident that goes on.
        split: ids of alerts of one incident that get one of their own.
    """

    at: Span = 0
    merge: str | None = None
    into: str | None = None
    split: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if (self.merge is None) != (self.into is None) or (self.merge is None) == (not self.split):
            raise ValueError("a person does one thing: 'merge' with 'into', or 'split'")
        return self


class IncidentExpected(Frozen):
    """One incident at the end: exactly these alerts, and what else is stated.

    Attributes:
        service: in any name that the catalogue knows.
    """

    alerts: tuple[str, ...] = Field(min_length=1)
    priority: str | None = None
    title: str | None = None
    state: str | None = None
    owner: str | None = None
    service: str | None = None


class Expected(Frozen):
    """What shall be at the end.

    Attributes:
        incidents: all of them. Without it, only what is said below is looked at.
        none: alerts that are in no incident: held, suppressed, or repeats of no news.
        together: lists of alerts that are in one incident.
        apart: lists of alerts of which no two are in one incident.
    """

    incidents: tuple[IncidentExpected, ...] | None = None
    none: tuple[str, ...] = ()
    together: tuple[tuple[str, ...], ...] = ()
    apart: tuple[tuple[str, ...], ...] = ()

    @model_validator(mode="after")
    def _expects(self) -> Self:
        if self.incidents is None and not (self.none or self.together or self.apart):
            raise ValueError("expects nothing: say incidents, none, together or apart")
        return self


class Case(Frozen):
    """One case.

    Attributes:
        start: when it begins.
        run_on: how long time goes on after the last alert.
    """

    start: AwareDatetime = START
    alerts: tuple[AlertCase, ...] = Field(max_length=ALERTS_OF_A_CASE_MAX)
    changes: tuple[ChangeCase, ...] = Field(default=(), max_length=100)
    people: tuple[PeopleCase, ...] = Field(default=(), max_length=100)
    expect: Expected
    run_on: Span = RUN_ON_SECONDS

    @model_validator(mode="after")
    def _something_comes_in(self) -> Self:
        if not self.alerts:
            raise ValueError("a case needs alerts")
        return self


@dataclass(frozen=True, slots=True)
class NamedCase:
    """A case with its name and where it stands."""

    name: str
    place: Place
    case: Case


def read_cases(directory: Path, findings: Findings) -> list[NamedCase]:
    """Every case of a configuration directory, in order of file and line.

    Args:
        directory: of the configuration.
        findings: takes what is wrong; cases that are right are returned all the same.
    """
    found: list[NamedCase] = []
    folder = directory / TESTS_FOLDER
    files = sorted(islice(folder.glob("*.yaml"), FILES_MAX + 1)) if folder.is_dir() else []
    if len(files) > FILES_MAX:
        findings.problem(Place(TESTS_FOLDER, 1), f"more than {FILES_MAX:,} files")
        return []
    for file in files:
        name = f"{TESTS_FOLDER}/{file.name}"
        try:
            with file.open("rb") as opened:
                data = opened.read(FILE_BYTES_MAX + 1)
        except OSError as error:
            findings.problem(Place(name, 1), f"cannot be read: {error.strerror}")
            continue
        found += _read_file(name, data, findings)
        if len(found) > CASES_MAX:
            findings.problem(Place(name, 1), f"more than {CASES_MAX:,} cases")
            return []
    return found


def _read_file(name: str, data: bytes, findings: Findings) -> list[NamedCase]:
    found: list[NamedCase] = []
    for document in read_documents(name, data, findings):
        if not isinstance(document.value, dict):
            findings.problem(document.at(), "expected a mapping: the name of each case, then what it holds")
            continue
        for case_name in document.value:
            case = validated(Case, document, findings, path=(case_name,))
            if case is not None and _check(case, Source(document, (case_name,)), findings):
                found.append(NamedCase(case_name, document.at(case_name), case))
    return found


def _check(case: Case, source: Source, findings: Findings) -> bool:
    """Every name means an alert, and in a list of all incidents each alert stands once; whether that holds."""
    before = len(findings.problems)
    ids: dict[str, int] = {}
    for index, alert in enumerate(case.alerts):
        if alert.id is not None and alert.resolves is None and ids.setdefault(alert.id, index) != index:
            first = source.at("alerts", ids[alert.id]).line
            findings.problem(source.at("alerts", index), f"alert '{alert.id}' is on line {first} already")
    for path, name in _named(case):
        if name not in ids:
            findings.problem(source.at(*path), f"there is no alert '{name[:80]}'{suggestion(name, ids)}")
    if case.expect.incidents is not None:
        listed = [name for incident in case.expect.incidents for name in incident.alerts] + [*case.expect.none]
        for name in ids:
            if listed.count(name) != 1:
                words = (
                    "is expected nowhere: add it to an incident or to none" if name not in listed else "stands twice"
                )
                findings.problem(source.at("expect"), f"alert '{name}' {words}")
    return len(findings.problems) == before


def _named(case: Case) -> list[tuple[tuple[str | int, ...], str]]:
    """Every name of an alert, with where it stands."""
    expect = case.expect
    found: list[tuple[tuple[str | int, ...], str]] = []
    found += [(("alerts", n, "resolves"), each.resolves) for n, each in enumerate(case.alerts) if each.resolves]
    for number, act in enumerate(case.people):
        names = [*act.split, *(name for name in (act.merge, act.into) if name is not None)]
        found += [(("people", number), name) for name in names]
    for number, incident in enumerate(expect.incidents or ()):
        found += [(("expect", "incidents", number, "alerts", n), name) for n, name in enumerate(incident.alerts)]
    found += [(("expect", "none", n), name) for n, name in enumerate(expect.none)]
    for kind in ("together", "apart"):
        for number, names_of in enumerate(getattr(expect, kind)):
            found += [(("expect", kind, number, n), name) for n, name in enumerate(names_of)]
    return found

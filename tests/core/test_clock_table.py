"""Decision table of the example company's clocks: when each is due, worked out by hand on a wall calendar.

Halden Works and Northwind Market count their lower priorities in business hours (07:00 to 18:00, 09:00 to 18:00,
without weekends and holidays); the hospital never stops.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

import pytest

from pipeline.catalog import load_config
from pipeline.core.clocks import sla
from pipeline.core.draft import Draft
from pipeline.models.incident import Incident
from tests.core.desks import desk

AT: Final = desk(load_config(Path(__file__).parents[2] / "config"))

# domain, priority, detected; response, update and resolution due, local time.
TABLE: Final = """
retail     P1  2026-03-10T10:00+01:00  2026-03-10T10:05+01:00  2026-03-10T10:15+01:00  2026-03-10T11:00+01:00
retail     P1  2026-03-29T01:58+01:00  2026-03-29T03:03+02:00  2026-03-29T03:13+02:00  2026-03-29T03:58+02:00
retail     P1  2026-10-25T02:50+02:00  2026-10-25T02:55+02:00  2026-10-25T02:05+01:00  2026-10-25T02:50+01:00
retail     P2  2026-03-13T17:30+01:00  2026-03-13T17:45+01:00  2026-03-13T18:30+01:00  2026-03-13T21:30+01:00
retail     P2  2026-12-31T22:00+01:00  2026-12-31T22:15+01:00  2026-12-31T23:00+01:00  2027-01-01T02:00+01:00
retail     P3  2026-03-28T12:00+01:00  2026-03-28T13:00+01:00  -                       2026-03-29T13:00+02:00
retail     P3  2026-10-24T12:00+02:00  2026-10-24T13:00+02:00  -                       2026-10-25T11:00+01:00
retail     P4  2026-03-10T10:00+01:00  2026-03-10T18:00+01:00  -                       2026-03-17T13:00+01:00
retail     P4  2026-03-10T22:00+01:00  2026-03-11T17:00+01:00  -                       2026-03-18T12:00+01:00
retail     P4  2026-03-13T17:00+01:00  2026-03-16T16:00+01:00  -                       2026-03-23T11:00+01:00
retail     P4  2026-03-14T12:00+01:00  2026-03-16T17:00+01:00  -                       2026-03-23T12:00+01:00
retail     P4  2026-04-02T17:00+02:00  2026-04-03T16:00+02:00  -                       2026-04-13T11:00+02:00
retail     P4  2026-04-24T17:00+02:00  2026-04-28T16:00+02:00  -                       2026-05-05T11:00+02:00
retail     P4  2026-03-27T17:00+01:00  2026-03-30T16:00+02:00  -                       2026-04-07T11:00+02:00
retail     P4  2026-10-23T17:00+02:00  2026-10-26T16:00+01:00  -                       2026-11-02T11:00+01:00
workplace  P1  2026-03-10T22:00+01:00  2026-03-10T22:15+01:00  2026-03-10T23:00+01:00  2026-03-11T02:00+01:00
workplace  P1  2026-03-29T01:50+01:00  2026-03-29T03:05+02:00  2026-03-29T03:50+02:00  2026-03-29T06:50+02:00
workplace  P2  2026-03-13T17:00+01:00  2026-03-13T17:30+01:00  2026-03-13T19:00+01:00  2026-03-14T01:00+01:00
workplace  P2  2026-10-25T00:00+02:00  2026-10-25T00:30+02:00  2026-10-25T02:00+02:00  2026-10-25T07:00+01:00
workplace  P3  2026-03-10T10:00+01:00  2026-03-10T12:00+01:00  -                       2026-03-11T15:00+01:00
workplace  P3  2026-03-10T22:00+01:00  2026-03-11T09:00+01:00  -                       2026-03-12T12:00+01:00
workplace  P3  2026-03-13T17:00+01:00  2026-03-16T08:00+01:00  -                       2026-03-17T11:00+01:00
workplace  P3  2026-04-02T17:00+02:00  2026-04-07T08:00+02:00  -                       2026-04-08T11:00+02:00
workplace  P3  2026-03-27T17:00+01:00  2026-03-30T08:00+02:00  -                       2026-03-31T11:00+02:00
workplace  P3  2026-10-23T17:00+02:00  2026-10-26T08:00+01:00  -                       2026-10-27T11:00+01:00
workplace  P3  2026-12-23T17:00+01:00  2026-12-28T08:00+01:00  -                       2026-12-29T11:00+01:00
workplace  P4  2026-03-10T10:00+01:00  2026-03-10T18:00+01:00  -                       2026-03-13T17:00+01:00
workplace  P4  2026-03-10T22:00+01:00  2026-03-11T15:00+01:00  -                       2026-03-16T14:00+01:00
workplace  P4  2026-03-13T17:00+01:00  2026-03-16T14:00+01:00  -                       2026-03-19T13:00+01:00
workplace  P4  2026-04-02T17:00+02:00  2026-04-07T14:00+02:00  -                       2026-04-10T13:00+02:00
workplace  P4  2026-03-27T17:00+01:00  2026-03-30T14:00+02:00  -                       2026-04-02T13:00+02:00
workplace  P4  2026-10-23T17:00+02:00  2026-10-26T14:00+01:00  -                       2026-10-29T13:00+01:00
workplace  P4  2026-12-23T17:00+01:00  2026-12-28T14:00+01:00  -                       2027-01-04T13:00+01:00
hospital   P1  2026-03-10T03:00+00:00  2026-03-10T03:03+00:00  2026-03-10T03:10+00:00  2026-03-10T03:30+00:00
hospital   P1  2026-03-29T00:58+00:00  2026-03-29T02:01+01:00  2026-03-29T02:08+01:00  2026-03-29T02:28+01:00
hospital   P2  2026-03-14T23:30+00:00  2026-03-14T23:40+00:00  2026-03-15T00:00+00:00  2026-03-15T01:30+00:00
hospital   P2  2026-10-25T00:30+01:00  2026-10-25T00:40+01:00  2026-10-25T01:00+01:00  2026-10-25T01:30+00:00
hospital   P3  2026-03-13T17:00+00:00  2026-03-13T17:30+00:00  -                       2026-03-14T01:00+00:00
hospital   P3  2026-12-24T23:00+00:00  2026-12-24T23:30+00:00  -                       2026-12-25T07:00+00:00
hospital   P4  2026-03-28T12:00+00:00  2026-03-28T16:00+00:00  -                       2026-03-30T13:00+01:00
hospital   P4  2026-10-24T12:00+01:00  2026-10-24T16:00+01:00  -                       2026-10-26T11:00+00:00
"""
ROWS: Final = [line.split() for line in TABLE.split("\n") if line]


def ms(text: str) -> int | None:
    return None if text == "-" else round(datetime.fromisoformat(text).timestamp() * 1_000)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(row[:3]))
def test_each_clock_of_the_example_company_is_due_when_the_wall_calendar_says(row: list[str]) -> None:
    domain, priority, detected, *dues = row
    at_ms = ms(detected) or 0
    draft = Draft(Incident(id="INC-1", space="s", domain=domain, priority=priority, detected_at_ms=at_ms), at_ms)
    sla.set_clocks(AT, draft)
    clocks = draft.incident.clocks
    found = [clocks[name].due_at_ms if name in clocks else None for name in ("response", "update", "resolution")]
    assert found == [ms(due) for due in dues]


def test_the_table_has_every_priority_of_every_domain() -> None:
    packs = {name: set(pack.targets) for name, pack in AT.config.domains.items()}
    assert {name: {row[1] for row in ROWS if row[0] == name} for name in packs} == packs

"""Calendars and clocks in files: what is wrong is named with its line, and what is right means what it says."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from pipeline.catalog import ConfigError, load_config
from pipeline.core.clocks.calendars import calendar
from pipeline.models.clocks import ClockRules
from tests.catalog.directory import write

BROKEN = {
    "times and days that are none": (
        """
        calendars:
          a: {week: {mondy: ["09:00-17:00"]}}
          b: {week: {monday: ["9-17"], tuesday: ["09:00-25:00"]}}
          c: {week: {monday-friday: ["09:00-17:00"], friday: ["09:00-12:00"]}}
          d: {week: {monday: ["08:00-08:00"]}}
          e: {week: {friday-monday: ["08:00-09:00"]}}
        """,
        ["2: week: 'mondy' is no day or span of days, as monday or monday-friday",
         "3: week: '9-17' is no span of time, as 09:00-17:30",
         "4: week: friday is there twice",
         "5: week: '08:00-08:00' has no length; the whole day is 00:00-24:00",
         "6: week: 'friday-monday' ends before it begins; the week begins on monday"],
    ),
    "holidays and working days that are none": (
        """
        business_hours:
          holidays:
            - 2026-02-30
            - 02-30
            - 2026-12-24/2026-12-20
          working_days: {2026-12-19: ["8"]}
        calendars:
          a:
            public_holidays: {country: XX}
          b:
            public_holidays: {country: DE, subdivision: ZZ}
          c:
            public_holidays: {country: DE, categories: [bank]}
          d:
            public_holidays:
              country: IE
              except_days: [Easter Tuesday]
        """,
        ["3: holidays: '2026-02-30' is not a date such as 2026-12-25",
         "4: holidays: '02-30' is not a date such as 2026-12-25",
         "5: holidays: '2026-12-24/2026-12-20' has -3 days; a stretch has 1 to 366",
         "6: working_days: '8' is no span of time, as 09:00-17:30",
         "9: public_holidays: no country 'XX' is known; codes are of ISO 3166-1, as DE",
         "11: public_holidays: DE has no 'ZZ'; it has BB, BE, BW, BY, HB, HE, HH, MV, NI, NW, RP, SH, SL, SN, ST, TH, "
         "Augsburg",
         "13: public_holidays: no category 'bank'; DE has catholic, public, school"],
    ),
    "calendars that never open": (
        """
        calendars:
          empty: {week: {}}
          few: {week: {}, working_days: {2026-12-19: ["08:00-12:00"]}}
          rare: {week: {monday: ["09:00-09:01"]}}
        targets:
          P1: {respond_minutes: 5, resolve_minutes: 600, calendar: rare}
          P2: {respond_minutes: 5, resolve_minutes: 60, calendar: rares}
          P3: {respond_minutes: 5, resolve_minutes: 60, calendars: {resolution: never}}
          P4: {respond_minutes: 5, resolve_minutes: 60}
        """,
        ["2: empty: nobody works within ten years of some day; check week, days and holidays",
         "3: few: nobody works within ten years of some day; check week, days and holidays",
         "6: targets: 600 min of resolution take more than ten years on calendar 'rare'",
         "7: targets: unknown calendar 'rares'; did you mean 'rare'?",
         "8: targets: unknown calendar 'never'; known: always, business, empty, few, rare"],
    ),
    "clocks that cannot run so": (
        """
        clocks:
          warn_at: [0.5, 1.0]
          pause_in: {response: [waiting_customer], resolution: [resolved]}
          met_by: [acknowledged]
        """,
        ["2: clocks.warn_at: a warning comes at a share of the target between 0 and 1, as 0.75",
         "3: clocks.pause_in.resolution.0: input should be 'waiting_customer', 'waiting_vendor', 'waiting_provider' or "
         "'mitigated'",
         "3: clocks.pause_in.response.[key]: input should be 'update' or 'resolution'",
         "4: clocks.met_by.0: input should be 'mitigated' or 'resolved'"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_with_a_calendar_or_clock_is_named_with_its_line(case: str, tmp_path: Path) -> None:
    text, expected = BROKEN[case]
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, {"domains/retail.yaml": text}))
    said = [str(each).removeprefix("domains/retail.yaml:") for each in caught.value.problems]
    assert [each for each in expected if each not in said] == []


def test_calendars_and_clocks_are_inherited_key_by_key(tmp_path: Path) -> None:
    files = {
        "domains/_group.yaml": """
            extends: built-in
            calendars:
              plant: {timezone: Europe/Berlin, week: {monday-friday: ["06:00-14:00", "14:00-22:00"]}}
            clocks: {warn_at: [0.5, 0.9]}
            """,
        "domains/works.yaml": """
            extends: _group
            calendars:
              plant: {week: {saturday: ["06:00-12:00"]}}
            clocks: {on_reopen: restart}
            targets: {P4: {respond_minutes: 60, resolve_minutes: 600, calendar: plant}}
            """,
    }
    pack = load_config(write(tmp_path, files)).domains["works"]
    plant = calendar(pack.calendars["plant"])
    assert [plant.spans(date(2026, 3, day)) for day in (13, 14, 15)] == [((360, 840), (840, 1320)), ((360, 720),), ()]
    assert pack.clocks == ClockRules(warn_at=(0.5, 0.9), on_reopen="restart")


def test_a_time_and_a_date_need_no_quotes_and_holidays_have_names(tmp_path: Path) -> None:
    text = """
        business_hours:
          timezone: Europe/Berlin
          week: {monday-friday: [08:00-12:00, 13:00-17:00]}
          public_holidays: {country: DE, subdivision: BY, categories: [public, catholic], except_days: [Epiphany]}
          holidays: {12-24: works closed, 2026-12-28/2026-12-30: inventory}
          working_days: [2026-12-05]
        """
    hours = calendar(load_config(write(tmp_path, {"domains/works.yaml": text})).domains["works"].business_hours)
    named = {day: hours.holiday(date.fromisoformat(day)) for day in ("2026-08-15", "2026-12-24", "2026-12-29")}
    assert named == {"2026-08-15": "Assumption Day", "2026-12-24": "works closed", "2026-12-29": "inventory"}
    assert hours.holiday(date(2026, 1, 6)) is None
    assert hours.spans(date(2026, 12, 5)) == ((480, 720), (780, 1020))  # a Saturday, as on a Monday

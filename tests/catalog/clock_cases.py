"""Clocks and calendars that nobody can have meant, and what lint says of each."""

from __future__ import annotations

from typing import Final

CLOCKS: Final[dict[str, tuple[dict[str, str], list[str]]]] = {
    "clocks that sleep, updates that come too late and holidays that are over": (
        {"domains/retail.yaml": """
            business_hours:
              holidays: [2025-12-25, 2026-01-01]
            calendars:
              shop: {week: {monday-saturday: ["08:00-20:00"]}, holidays: {2025-12-26: Boxing Day}}
              round: {week: {monday-sunday: ["00:00-24:00"]}, holidays: [12-25]}
            targets:
              P1: {respond_minutes: 5, resolve_minutes: 60, update_minutes: 60, calendar: shop}
              P2: {respond_minutes: 15, resolve_minutes: 240, update_minutes: 30, calendar: round}
              P3: {respond_minutes: 60, resolve_minutes: 480, calendar: business}
              P4: {respond_minutes: 480, resolve_minutes: 2880}
            """},
        ["domains/retail.yaml:2: holidays-past: business_hours: the last of its holidays was 2026-01-01; name the "
         "next ones, or a country in 'public_holidays'",
         "domains/retail.yaml:4: holidays-past: shop: the last of its holidays was 2025-12-26; name the next ones, or "
         "a country in 'public_holidays'",
         "domains/retail.yaml:7: update-after-target: P1 is to be resolved in 60 min, and people are told something "
         "after 60",
         "domains/retail.yaml:7: urgent-by-day-only: response to P1 waits while calendar 'shop' is closed: nobody is "
         "late at night"],
    ),
    "clocks and calendars as they should be": (
        {"domains/retail.yaml": """
            business_hours: {public_holidays: {country: NL}, holidays: [2020-01-01]}
            calendars:
              works: {week: {monday-friday: ["06:00-14:00"]}, holidays: [12-24, 2020-01-01]}
            targets:
              P1: {respond_minutes: 5, resolve_minutes: 60, update_minutes: 15, calendar: business,
                   calendars: {response: always}}
              P2: {respond_minutes: 15, resolve_minutes: 240, calendar: works}
              P3: {respond_minutes: 60, resolve_minutes: 480}
              P4: {respond_minutes: 480, resolve_minutes: 2880}
            """},
        [],
    ),
}  # fmt: skip

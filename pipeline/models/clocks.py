"""Service level targets, the rules that their clocks run by, and the calendars that they count on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field

from pipeline.models.catalog import Frozen

ALWAYS: Final = "always"
"""The calendar that never closes."""

BUSINESS: Final = "business"
"""The calendar that is the pack's own ``business_hours``."""

RESPONSE: Final = "response"
UPDATE: Final = "update"
RESOLUTION: Final = "resolution"

ClockName = Literal["response", "update", "resolution"]
PausableClock = Literal["update", "resolution"]
PausingState = Literal["waiting_customer", "waiting_vendor", "waiting_provider", "mitigated"]
MeetingState = Literal["mitigated", "resolved"]


def _shares(shares: tuple[float, ...]) -> tuple[float, ...]:
    if any(not 0 < share < 1 for share in shares):
        raise ValueError("a warning comes at a share of the target between 0 and 1, as 0.75")
    if list(shares) != sorted(set(shares)):
        raise ValueError("shares of warnings rise, as in [0.5, 0.75, 0.9]")
    return shares


Shares = Annotated[tuple[float, ...], AfterValidator(_shares)]

WARN_AT_DEFAULT: Final = (0.75,)
"""Late enough to be rare, early enough to act."""


class Targets(Frozen):
    """Service level targets of one priority, in minutes.

    Attributes:
        update_minutes: people are to be told something at least so often; None: no such promise.
        calendar: what the clocks count on: ``always`` is day and night; ``business`` is the pack's ``business_hours``;
            else the name of a calendar of the pack or of ``calendars.yaml``.
        calendars: the same for one clock alone: ``response``, ``update`` or ``resolution``.
        warn_at: shares of a target at which a warning goes out, each once; without: as the pack's ``clocks`` say.
        pause_in: states that pause a clock; without: as the pack's ``clocks`` say.
    """

    respond_minutes: int = Field(gt=0)
    resolve_minutes: int = Field(gt=0)
    update_minutes: int | None = Field(default=None, gt=0)
    calendar: str = ALWAYS
    calendars: dict[ClockName, str] = Field(default_factory=dict)
    warn_at: Shares | None = None
    pause_in: dict[PausableClock, tuple[PausingState, ...]] | None = None

    def calendar_of(self, clock: str) -> str:
        """Name of the calendar that a clock counts on."""
        own: Mapping[Any, str] = self.calendars
        return own.get(clock, self.calendar)

    def minutes_of(self, clock: str) -> int | None:
        """The target of a clock, in minutes of working time; None where there is none."""
        if clock == RESPONSE:
            return self.respond_minutes
        return self.resolve_minutes if clock == RESOLUTION else self.update_minutes


_PAUSES: Final[dict[PausableClock, tuple[PausingState, ...]]] = {
    "resolution": ("waiting_customer",),
    "update": ("mitigated",),
}


class ClockRules(Frozen):
    """By which rules the clocks of a pack run.

    Attributes:
        warn_at: shares of a target at which a warning goes out, each once.
        pause_in: states that pause a clock. By default waiting for the customer pauses the resolution, as nobody here
            can go on; waiting for a vendor or provider does not, as those who are affected wait no less. Nobody is
            promised news of what is mitigated. The response clock never pauses.
        met_by: states that meet the resolution clock. ``resolved`` always does.
        on_reopen: ``continue`` lets the resolution clock run on with what it has counted; ``restart`` lets response
            and resolution begin anew. What was missed stays missed.
    """

    warn_at: Shares = WARN_AT_DEFAULT
    pause_in: dict[PausableClock, tuple[PausingState, ...]] = Field(default_factory=lambda: dict(_PAUSES))
    met_by: tuple[MeetingState, ...] = ("resolved", "mitigated")
    on_reopen: Literal["continue", "restart"] = "continue"


class PublicHolidays(Frozen):
    """Public holidays of a country, as the ``holidays`` library knows them.

    Attributes:
        country: ISO 3166-1 code of two letters: ``DE``.
        subdivision: of the country, as the library names it: ``BY``; None: those of the whole country.
        categories: which kinds of days; ``public`` are those that all have off.
        except_days: names or dates (``2026-08-15``) of days on which people here work all the same.
    """

    country: str
    subdivision: str | None = None
    categories: tuple[str, ...] = ("public",)
    except_days: tuple[str, ...] = ()


class BusinessHours(Frozen):
    """A weekly calendar in local time, with its holidays.

    Either ``days``, ``start`` and ``end`` say when people work, or ``week`` does.

    Attributes:
        days: 0 is Monday.
        week: spans such as ``09:00-12:30``, by day: ``monday``, ``monday-friday`` or ``saturday, sunday``. A span that
            ends before it begins runs over midnight and belongs to the day on which it begins; ``24:00`` is midnight.
        public_holidays: those of a country.
        holidays: own days without work, as a list or with names: a date (``2026-12-24``), a day of each year
            (``12-24``) or a stretch (``2026-12-24/2027-01-01``).
        working_days: days with work though weekday or holiday say otherwise, with their spans; as a list: with those
            of that weekday, or of the first that has any.
    """

    timezone: str = "UTC"
    days: tuple[int, ...] = (0, 1, 2, 3, 4)
    start: time = time(9, 0)
    end: time = time(17, 0)
    week: dict[str, tuple[str, ...]] | None = None
    public_holidays: PublicHolidays | None = None
    holidays: tuple[str, ...] | dict[str, str] = ()
    working_days: tuple[str, ...] | dict[str, tuple[str, ...]] = ()

    def __hash__(self) -> int:
        """Of what tells most calendars apart and can be hashed; the rest is for equality."""
        return hash((self.timezone, self.days, self.start, self.end, self.public_holidays, len(self.holidays)))

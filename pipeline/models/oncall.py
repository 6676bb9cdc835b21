"""Rotations: who is on call for which services, by whose turn, in which hours, and who if nobody is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Final, Literal, Self

from pydantic import ConfigDict, Field, PrivateAttr, field_validator, model_validator

from pipeline.models.catalog import Frozen

Position = Literal["primary", "secondary", "tertiary"]
"""Whose turn it is to be called first, second, third."""

POSITIONS: Final[tuple[Position, ...]] = ("primary", "secondary", "tertiary")

TURN_DAYS_DEFAULT: Final = 7
LAYERS_MAX: Final = 20
"""Layers of one rotation. Follow-the-sun with weekends and a secondary needs eight."""


class OncallOverride(Frozen):
    """Somebody stands in.

    Attributes:
        start: from this moment on.
        end: until before this moment.
        person: who stands in.
        position: the place that is taken, whoever has it. Not together with `instead_of`.
        instead_of: who is away. With it, only the turns of that person are taken over, wherever they are on call.
            Without it, the place at `position` is.
        reason: why, in words that are shown beside the name.
        by: who arranged it.
    """

    start: datetime
    end: datetime
    person: str = Field(min_length=1)
    position: Position = "primary"
    instead_of: str | None = None
    reason: str = ""
    by: str | None = None


class DutyHours(Frozen):
    """When a layer is on duty, by the wall clock of its time zone.

    Attributes:
        days: days on which the hours begin; 0 is Monday.
        start: begin, local time.
        end: end, local time. Not after the start: on the next day, so `00:00` is the end of the day.
    """

    days: tuple[int, ...] = Field(default=(0, 1, 2, 3, 4, 5, 6), min_length=1)
    start: time = time(0, 0)
    end: time = time(0, 0)


class OncallCalendar(Frozen):
    """Turns that are kept in a calendar: an iCalendar file in `oncall/`.

    Attributes:
        file: its name; without: the rotation's name with `.ics`.
        person: what of an event names the people: `attendee`, `summary` or `organizer`.
        people: e-mail address or words of a summary -> person. An address that is not listed is the person by its
            part before the @, a summary that is not listed is the person as it stands there.
    """

    file: str = ""
    person: Literal["attendee", "summary", "organizer"] = "attendee"
    people: dict[str, str] = Field(default_factory=dict)
    _text: str = PrivateAttr("")

    @property
    def text(self) -> str:
        """Content of the file; empty until it is read."""
        return self._text

    def with_text(self, text: str) -> Self:
        """The same calendar with the content of its file."""
        copy = self.model_copy()
        copy._text = text
        return copy


class Turns(Frozen):
    """People who take turns of equal length, or turns that a calendar has.

    Attributes:
        people: order of turns.
        start: first hand-off: a moment with its zone, or a date where `hand_off` says the time.
        timezone: hand-offs and hours are by the wall clock of this zone.
        turn_hours: length of a turn in hours, as the wall clock counts them.
        turn_days: length of a turn in days; seven where no length is given.
        turn_weeks: length of a turn in weeks.
        hand_off: local time of the hand-off; without: that of `start`.
        at_once: people who are on call together. The next in turn comes in, the first goes.
        on_duty: hours in which it is on; without: always. Turns go on outside of them.
        calendar: the turns are in an iCalendar file instead.
    """

    people: tuple[str, ...] = Field(default=(), min_length=1)
    start: datetime | date | None = None
    timezone: str | None = None
    turn_hours: int | None = Field(default=None, gt=0)
    turn_days: int | None = Field(default=None, gt=0)
    turn_weeks: int | None = Field(default=None, gt=0)
    hand_off: time | None = None
    at_once: int = Field(default=1, gt=0)
    on_duty: tuple[DutyHours, ...] = ()
    calendar: OncallCalendar | None = None

    @field_validator("start")
    @classmethod
    def _moment(cls, start: datetime | date | None) -> datetime | None:
        """A date is its midnight, without a zone until `hand_off` and `timezone` complete it."""
        if start is None or isinstance(start, datetime):
            return start
        return datetime.combine(start, time(0, 0))

    @property
    def length(self) -> timedelta:
        """Length of a turn on the wall clock."""
        if self.turn_hours is not None:
            return timedelta(hours=self.turn_hours)
        if self.turn_weeks is not None:
            return timedelta(weeks=self.turn_weeks)
        return timedelta(days=self.turn_days or TURN_DAYS_DEFAULT)

    def _say_whose_turns(self) -> None:
        """Refuse turns of nobody, of two kinds at once, or without a first hand-off."""
        if bool(self.people) == (self.calendar is not None):
            raise ValueError("give either 'people' with a 'start', or a 'calendar'")
        if self.people and self.start is None:
            raise ValueError("field 'start' is missing: the first hand-off, such as 2026-01-05T09:00:00+01:00")
        if sum(each is not None for each in (self.turn_hours, self.turn_days, self.turn_weeks)) > 1:
            raise ValueError("give one of turn_hours, turn_days, turn_weeks")
        if self.people and self.at_once > len(self.people):
            raise ValueError(f"at_once is {self.at_once}, and there are {len(self.people)} people")


def _one_of(*fields: tuple[str, ...]) -> ConfigDict:
    """What an editor asks for: one of these sets of fields."""
    return ConfigDict(json_schema_extra={"anyOf": [{"required": list(each)} for each in fields]})


class Layer(Turns):
    """One layer of a rotation.

    Attributes:
        name: `secondary` and `tertiary` are called second and third; other names are of your choice.
        position: whose place the layer fills; by its name, else `primary`.
    """

    model_config = _one_of(("people", "start"), ("calendar",))

    name: str = Field(min_length=1)
    position: Position | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        self._say_whose_turns()
        return self

    @property
    def place(self) -> Position:
        """The position that the layer fills."""
        if self.position is not None:
            return self.position
        return next((each for each in POSITIONS if each == self.name), POSITIONS[0])


class Rotation(Turns):
    """Who is on call for services: one layer of turns, or several.

    Attributes:
        services: names or references of the services that it covers.
        layers: the highest in the file wins, of those that are on at a moment and fill the same position.
        overrides: who stands in, and when. The first that applies wins.
        escalate_to: the rotation that is called where nobody is on call here.
    """

    model_config = _one_of(("people", "start"), ("calendar",), ("layers",))

    name: str
    services: tuple[str, ...] = ()
    timezone: str = "UTC"
    layers: tuple[Layer, ...] = Field(default=(), max_length=LAYERS_MAX)
    overrides: tuple[OncallOverride, ...] = ()
    escalate_to: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.layers:
            self._say_whose_turns()
        elif stated := sorted(self.model_fields_set & _OF_ONE_LAYER):
            raise ValueError(f"{', '.join(stated)} belong into the layers where there are layers")
        return self

    def whole(self) -> tuple[Layer, ...]:
        """Every layer, highest first, with its zone; the simple form is a layer called `primary`."""
        if not self.layers:
            fields = {name: getattr(self, name) for name in Turns.model_fields}
            return (Layer.model_construct(name=POSITIONS[0], position=None, **fields),)
        return tuple(
            each if each.timezone else each.model_copy(update={"timezone": self.timezone}) for each in self.layers
        )

    def everybody(self) -> tuple[str, ...]:
        """Everybody whom the rotation names, in order; of a calendar, those of its mapping."""
        return tuple(dict.fromkeys((*self.takers(), *(each.person for each in self.overrides))))

    def takers(self) -> tuple[str, ...]:
        """Everybody who takes turns, without those who only stand in."""
        return tuple(dict.fromkeys(person for layer in self.whole() for person in _named(layer)))


_OF_ONE_LAYER: Final = frozenset(Turns.model_fields) - {"timezone"}


def _named(layer: Layer) -> Iterator[str]:
    yield from layer.people
    if layer.calendar is not None:
        yield from layer.calendar.people.values()

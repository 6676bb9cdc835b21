"""What a list or a search is narrowed to, and how query parameters and options say it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pipeline.models.incident import IncidentKind, IncidentState

NOBODY: Final = "nobody"
"""As an assignee: incidents that are nobody's."""

# Names of services are far shorter; the search index holds facts of 500 characters.
VALUE_CHARACTERS_MAX: Final = 300

# A search of more than this is a pasted log: its few telling words find more.
TEXT_CHARACTERS_MAX: Final = 1_000

# More of one kind narrows nothing.
VALUES_MAX: Final = 20

# A clock that is due within this is at risk: somebody who takes it now can still meet it.
AT_RISK_MS: Final = 30 * 60 * 1_000


class BadFilterError(ValueError):
    """A filter that is not known or cannot be understood; the message names it and what would be right."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list is narrowed to; all of it must hold. Empty: everything.

    Attributes:
        kind: ``incident`` or ``bridge``.
        state: one of these states.
        priority: one of these priorities.
        open: True: not closed, merged or cancelled; False: those that are.
        domain: a domain that it is of; of a bridge incident also one of its members'.
        service: a service that it affects.
        owner: team.
        assignee: person, or ``nobody``.
        category: a category that it has.
        at_risk: a clock that runs is due soon or has missed its target; only of those that are open.
        member: whether it is in a bridge incident.
        muted: whether its notifications are.
        opened_from: opened at or after this moment.
        opened_to: opened before this moment.
        space: correlation space.
        q: words to search for; lists take none.
        now_ms: the moment that ``at_risk`` counts from, epoch milliseconds.
    """

    kind: str | None = None
    state: tuple[str, ...] = ()
    priority: tuple[str, ...] = ()
    open: bool | None = None
    domain: str | None = None
    service: str | None = None
    owner: str | None = None
    assignee: str | None = None
    category: str | None = None
    hosting_model: str | None = None
    infrastructure_layer: str | None = None
    severity: str | None = None
    at_risk: bool | None = None
    member: bool | None = None
    muted: bool | None = None
    opened_from: datetime | None = None
    opened_to: datetime | None = None
    space: str | None = None
    q: str = ""
    now_ms: int = 0

    @property
    def question(self) -> str:
        """What tells one list from another, for its cursors."""
        return repr(replace(self, now_ms=0))

    @property
    def risk_by(self) -> datetime:
        """A clock that is due before this is at risk."""
        return _EPOCH + timedelta(milliseconds=self.now_ms + AT_RISK_MS)

    @property
    def parameters(self) -> dict[str, list[str]]:
        """The query parameters that say this, for links."""
        told = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "now_ms"}
        return {name: _spelled(value) for name, value in told.items() if value not in (None, "", ())}


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_WORDS: Final = ("domain", "service", "owner", "assignee", "category", "hosting_model", "infrastructure_layer")
_MORE_WORDS: Final = ("severity", "space")
_FLAGS: Final = ("open", "at_risk", "member", "muted")
_MOMENTS: Final = ("opened_from", "opened_to")
NAMES: Final = ("kind", "state", "priority", *_WORDS, *_MORE_WORDS, *_FLAGS, *_MOMENTS, "q")
"""Query parameters that there are."""


def parse_filters(parameters: Mapping[str, Iterable[str]] | Iterable[tuple[str, str]], now_ms: int) -> Filters:
    """Filters of query parameters; a value may come several times or hold several between commas.

    Empty values, as forms send them, narrow nothing.

    Args:
        parameters: name -> values, or pairs of them.
        now_ms: epoch milliseconds.

    Raises:
        BadFilterError: a name that is not known, or a value that cannot be.
    """
    given: dict[str, list[str]] = {}
    pairs = parameters.items() if isinstance(parameters, Mapping) else parameters
    for name, values in pairs:
        if name not in NAMES:
            raise BadFilterError(f"no filter {name[:50]!r}: there are {', '.join(NAMES)}")
        each_of = [values] if isinstance(values, str) else list(values)
        given.setdefault(name, []).extend(value for value in each_of if value.strip())
    told: dict[str, Any] = {name: _read(name, values) for name, values in given.items() if values}
    return Filters(now_ms=now_ms, **told)


def _read(name: str, values: list[str]) -> Any:
    if name in ("state", "priority"):
        several = tuple(dict.fromkeys(part.strip() for value in values for part in value.split(",") if part.strip()))
        if len(several) > VALUES_MAX:
            raise BadFilterError(f"{name}: {VALUES_MAX} values at most")
        for each in several:
            _checked(name, each, tuple(IncidentState) if name == "state" else ())
        return several
    if len(values) > 1:
        raise BadFilterError(f"{name}: one value, not {len(values)}")
    value = values[0].strip()
    if name == "q":
        if len(value) > TEXT_CHARACTERS_MAX:
            raise BadFilterError(f"q: {TEXT_CHARACTERS_MAX:,} characters at most; a few telling words find more")
        return value.replace("\0", " ")
    if name in _FLAGS:
        return _flag(name, value)
    if name in _MOMENTS:
        return _moment(name, value)
    return _checked(name, value, tuple(IncidentKind) if name == "kind" else ())


def _checked(name: str, value: str, known: tuple[str, ...]) -> str:
    if known and value not in known:
        raise BadFilterError(f"{name}: no {value[:50]!r}, there are {', '.join(known)}")
    if len(value) > VALUE_CHARACTERS_MAX or "\0" in value:
        raise BadFilterError(f"{name}: {VALUE_CHARACTERS_MAX} characters at most, and none of them NUL")
    return value


def _flag(name: str, value: str) -> bool:
    known = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if (found := known.get(value.lower())) is None:
        raise BadFilterError(f"{name}: true or false, not {value[:50]!r}")
    return found


_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


def _moment(name: str, value: str) -> datetime:
    """A day (its beginning, UTC), or a moment of RFC 3339 with its zone."""
    wrong = f"{name}: a day such as 2026-11-30, or a moment with its zone such as 2026-11-30T14:00:00Z"
    try:
        found = datetime.fromisoformat(f"{value}T00:00:00+00:00" if _DAY.fullmatch(value) else value)
    except ValueError:
        raise BadFilterError(wrong) from None
    if found.tzinfo is None or not _YEARS[0] <= found.year < _YEARS[1]:
        raise BadFilterError(wrong)
    return found.astimezone(UTC)


_YEARS: Final = (1971, 9000)


def _spelled(value: Any) -> list[str]:
    if isinstance(value, tuple):
        return [str(each) for each in value]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [value.isoformat() if isinstance(value, datetime) else str(value)]

"""What resolving and closing take."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, Field, Tag

from pipeline.models.catalog import Frozen
from pipeline.models.command import Resolution

USUAL_CODES: Final = {
    "fixed": "Fixed at the cause",
    "workaround": "Restored by a workaround; the fix is owed",
    "configuration": "Configuration corrected",
    "rollback": "Change rolled back",
    "restarted": "Restarted",
    "capacity_added": "Capacity added",
    "vendor_fixed": "Fixed by the vendor",
    "provider_recovered": "The provider recovered",
    "cleared_by_itself": "Cleared by itself",
    "false_alarm": "False alarm: nothing was broken",
    "duplicate": "Duplicate of another incident",
    "cannot_reproduce": "Cannot be reproduced",
    "not_supported": "Not something that we support",
}
"""Resolution codes with titles that most desks tell apart: what is suggested where a pack has no list of its own."""

WORKAROUND_OR_FIX: Final = "workaround_or_fix"
"""A requirement that either field of the resolution meets."""

CASES: Final = "cases"
"""A requirement of the incident, not of the resolution: a link for every case outside that it owes."""

REQUIRABLE: Final = (*Resolution.model_fields, WORKAROUND_OR_FIX, CASES)
"""What a pack can ask a resolution for."""

OF_PRIORITIES: Final = ("close_after_minutes", "reopen_minutes", "require", "close_undocumented")
"""Settings that are one value, or one for each priority."""


def _shape(value: Any) -> str:
    return "each" if isinstance(value, dict) else "all"


_Minutes = Annotated[int, Field(gt=0)]
_WindowMinutes = Annotated[int, Field(ge=0)]
_Undocumented = Literal["after", "never"]


class Closure(Frozen):
    """What resolving and closing takes.

    The settings of `OF_PRIORITIES` may be a mapping of priorities; one that it leaves out has the default.

    Attributes:
        resolve_quiet_seconds: how long all episodes must be quiet before the incident counts as resolved.
        close_after_minutes: from resolved to closed, when nobody objects.
        settle_minutes: how long what still fires may take to clear after a person has resolved over it; then it is
            reopened. Until then new alerts of it do not reopen it, unless it gets worse.
        reopen_minutes: a new run of a member's condition within this time reopens the resolved incident.
        require: fields of the resolution that a person's resolve, and every closure by a person, must bring; `CASES`
            is met by links.
        codes: resolution codes that a person may give, with titles; None: any, and `USUAL_CODES` are suggested.
        close_undocumented: what becomes of an incident that resolved by itself and that nobody documented: ``after``
            closes it like any other, ``never`` keeps it resolved and reminds its owner until somebody does.
        remind_minutes: how often he is reminded.
        problem_review: priorities that get a problem review on the next business day.
    """

    resolve_quiet_seconds: int = Field(default=0, ge=0)
    settle_minutes: int = Field(default=15, ge=1, le=24 * 60)
    close_after_minutes: Annotated[
        Annotated[_Minutes, Tag("all")] | Annotated[dict[str, _Minutes], Tag("each")], Discriminator(_shape)
    ] = 24 * 60
    reopen_minutes: Annotated[
        Annotated[_WindowMinutes, Tag("all")] | Annotated[dict[str, _WindowMinutes], Tag("each")], Discriminator(_shape)
    ] = 30
    require: Annotated[
        Annotated[tuple[str, ...], Tag("all")] | Annotated[dict[str, tuple[str, ...]], Tag("each")],
        Discriminator(_shape),
    ] = ()
    codes: dict[str, str] | None = Field(default=None, min_length=1)
    close_undocumented: Annotated[
        Annotated[_Undocumented, Tag("all")] | Annotated[dict[str, _Undocumented], Tag("each")], Discriminator(_shape)
    ] = "after"
    remind_minutes: int = Field(default=24 * 60, gt=0)
    problem_review: tuple[str, ...] = ("P1",)

    def of(self, setting: str, priority: str) -> Any:
        """One of `OF_PRIORITIES`, for a priority."""
        value = getattr(self, setting)
        if isinstance(value, dict):
            return value.get(priority, type(self).model_fields[setting].default)
        return value

"""What people write on incidents: the same patterns are for it, at whichever door it comes in."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from pydantic import BaseModel

from pipeline.core.privacy.redactor import FeedRedactor

WORDS: Final = frozenset(
    ("note", "reason", "text", "summary", "cause", "fix", "workaround", "corrective_action", "resolution", "title")
)
"""Fields of commands and of what downstreams send back that hold people's own words. Ids and addresses are none."""

CHARACTERS_KEPT: Final = 1_000
"""The least that any such field takes: a pseudonym may be longer than what it stands for."""

Said = TypeVar("Said", bound=BaseModel)


def without_personal_data(said: Said, redactor: FeedRedactor | None) -> Said:
    """A command, or an update of a sink, whose words hold no personal data; the very same where they held none."""
    if redactor is None:
        return said
    changed = {}
    for name in type(said).model_fields:
        before = getattr(said, name)
        after = _of(name, before, redactor)
        if after is not before:
            changed[name] = after
    return said.model_copy(update=changed) if changed else said


def _of(name: str, value: Any, redactor: FeedRedactor) -> Any:
    if isinstance(value, str):
        return _words(value, redactor) if name in WORDS else value
    if isinstance(value, BaseModel):
        return without_personal_data(value, redactor)
    if isinstance(value, tuple | list):
        changed = [_of(name, each, redactor) for each in value]
        return value if all(new is old for new, old in zip(changed, value, strict=True)) else type(value)(changed)
    return value


def _words(text: str, redactor: FeedRedactor) -> str:
    changed = redactor.text(text)
    return text if changed is text else changed[: max(len(text), CHARACTERS_KEPT)]

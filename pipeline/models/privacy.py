"""Privacy: which personal data is taken out at the door, and for how long what stays is kept."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Self

from pydantic import Field, model_validator

from pipeline.models.catalog import Frozen

RETENTION_MONTHS_DEFAULT: Final = 36
"""Three years: audits look back one or two, and quarters are compared with those of the year before."""

RETENTION_MONTHS_MAX: Final = 240
RULES_MAX: Final = 100
ENTRIES_MAX: Final = 500
PATTERN_NAME: Final = r"^[a-z][a-z0-9_]{0,39}$"

KEY_VARIABLE_DEFAULT: Final = "SPILLWAY_PRIVACY_KEY"
KEY_BYTES_MIN: Final = 16
"""A shorter key can be tried through."""


class RedactAction(StrEnum):
    """What takes the place of personal data."""

    REMOVE = "remove"
    MASK = "mask"
    PSEUDONYMISE = "pseudonymise"


class Unreadable(StrEnum):
    """What becomes of a message that cannot be read, so that its fields cannot be found either."""

    KEEP = "keep"
    DROP = "drop"


class RedactRule(Frozen):
    """Personal data that is taken out of messages before anything is derived from them.

    Attributes:
        feeds: names of the feeds that it is for; none: all of them.
        fields: names of fields (``email``), or the end of their path (``reporter.email``), or all of it from the top
            (``$.data.reporter.*``). All that is in such a field is taken out.
        patterns: names of what is taken out of texts, ready-made or of ``patterns``; with ``fields``, of those alone.
        action: ``remove``; ``mask``: say what stood there; ``pseudonymise``: the same pseudonym for the same value.
        commands: it is for what people write on incidents, too; of such words the patterns alone count.
    """

    feeds: tuple[str, ...] = Field(default=(), max_length=ENTRIES_MAX)
    fields: tuple[str, ...] = Field(default=(), max_length=ENTRIES_MAX)
    patterns: tuple[str, ...] = Field(default=(), max_length=ENTRIES_MAX)
    action: RedactAction = RedactAction.MASK
    commands: bool = False

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if not self.fields and not self.patterns:
            raise ValueError("a rule needs 'fields', 'patterns' or both; this one would take out nothing")
        if self.commands and not self.patterns:
            raise ValueError("'commands' needs 'patterns': what people write has no fields")
        return self


class Privacy(Frozen):
    """Personal data: what is taken out at the door, and how long records are kept.

    Attributes:
        retention_months: for how many months the records store keeps incidents that are closed.
        key_env: environment variable that holds the key of pseudonyms, of 16 bytes or more.
        patterns: more of them by name, each a regular expression of RE2.
        redact: rules by name, in order.
        unreadable: what becomes of what cannot be read where a rule is for its feed: ``keep`` its text without what
            the patterns match, or ``drop`` it; the reason is kept in either case.
    """

    retention_months: int = Field(default=RETENTION_MONTHS_DEFAULT, ge=1, le=RETENTION_MONTHS_MAX)
    key_env: str = Field(default=KEY_VARIABLE_DEFAULT, pattern=r"^[A-Z][A-Z0-9_]{0,99}$")
    patterns: dict[str, str] = Field(default_factory=dict, max_length=RULES_MAX)
    redact: dict[str, RedactRule] = Field(default_factory=dict, max_length=RULES_MAX)
    unreadable: Unreadable = Unreadable.KEEP

    @property
    def needs_key(self) -> bool:
        """Whether a rule makes pseudonyms."""
        return any(rule.action is RedactAction.PSEUDONYMISE for rule in self.redact.values())

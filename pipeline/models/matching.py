"""Rules that tell by patterns which entity an alert is about: ``matching.yaml``."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from pipeline.models.catalog import Frozen

RULES_MAX: Final = 500
"""Rules of one company: each is tried for an alert whose labels name nothing, at some microseconds."""

PATTERN_CHARS_MAX: Final = 256
"""A pattern that people can still read."""

LABELS_OF_A_RULE_MAX: Final = 8


class MatchingRule(Frozen):
    """One rule; it matches where all that it states holds. The first that matches and names an entity wins.

    Attributes:
        feeds: only alerts of these feeds; empty: of all.
        labels: label -> pattern (RE2) that its whole value matches.
        text: pattern (RE2) that is found in the alert's name or summary.
        entity: name or reference of the entity; ``{group}`` stands for what a named group of a pattern matched.
    """

    name: str
    feeds: tuple[str, ...] = ()
    labels: dict[str, str] = Field(default_factory=dict, max_length=LABELS_OF_A_RULE_MAX)
    text: str | None = None
    entity: str

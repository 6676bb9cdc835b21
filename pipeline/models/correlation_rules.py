"""Rules of correlation, as ``correlation.yaml`` has them under ``rules``: what always joins, never meets, or waits."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from pipeline.models.catalog import Frozen

RULES_MAX: Final = 2_000
"""Rules of one company: more are generated, and then labels of the catalogue say the same in fewer words."""

RULE_NAME: Final = r"^[a-z0-9][a-z0-9._-]{0,62}$"
"""A name that stands on timelines, in state and as a metric's label."""

VALUES_OF_A_FIELD_MAX: Final = 200
"""Values that one field of ``match`` may have: more than people read, and each is one entry of the index."""

WHOLE_NUMBER_MAX: Final = (1 << 63) - 1
"""What state and records hold in 64 bits; a greater number would stop the stage that has to write it."""

VALUE_CHARS_MAX: Final = 512
"""Ingest cuts longer values, so that they are equal to nothing."""

FIELDS_OF_A_RULE_MAX: Final = 16
GROUP_FIELDS_MAX: Final = 8

WINDOW_SECONDS_MAX: Final = 7 * 24 * 60 * 60
"""A week: what belongs together over a longer time is a problem record, not an incident."""

MIN_COUNT_MAX: Final = 1_000
"""Episodes that one rule may ask for before an incident opens: as many are held for it."""

TEXT_FACTS: Final[dict[str, str]] = {
    "feed": "name of the feed",
    "feed_class": "`cloud`, `on_prem`, `saas` or `desk` (reports by people)",
    "name": "the condition's name: alert rule, alarm, trigger",
    "summary": "the symptom in one line, as the source worded it",
    "severity": "`critical`, `error`, `warning`, `info` or `unknown`",
    "space": "correlation space: the environment, unless the feed says otherwise",
    "host": "host or node as reported, lower case",
    "entity": "catalogue reference of what it is about: `component:default/checkout`",
    "service": "catalogue reference of the service that this is or belongs to",
    "entity_type": "the entity's type: service, website, database, host",
    "system": "name of the entity's system",
    "owner": "name of the group that owns the entity",
    "domain": "service domain",
    "layer": "the entity's infrastructure layer: application, database, network",
    "hosting_model": "`cloud`, `on_prem`, `hybrid` or `saas`",
}
"""Facts that are one text each; "" where it is not known."""

NUMBER_FACTS: Final[dict[str, str]] = {"tier": "the entity's tier, 1 (most critical) to 4; null where it is not stated"}
LIST_FACTS: Final[dict[str, str]] = {
    "terms": "words of summary and description, lower case, cut to a simple stem",
    "mentions": "catalogue references of what the text names in business terms",
}
LABELS: Final = "labels"
LABEL_FACT: Final = f"{LABELS}."
"""Beginning of the name of a label: ``labels.team``."""

BOUND: Final = "|with="
"""In the mark of a member that a rule put together with others: the rule's name, this, the group."""

REFERENCE_FACTS: Final = ("entity", "service", "mentions")
"""Facts that are catalogue references; ``match`` takes any name that the catalogue knows."""


def _values(given: Any) -> tuple[str | int, ...]:
    """One value, or a list of them. YAML's true and false are texts: labels have no others."""
    values = given if isinstance(given, list | tuple) else (given,)
    if not 0 < len(values) <= VALUES_OF_A_FIELD_MAX:
        raise ValueError(f"a fact has 1 to {VALUES_OF_A_FIELD_MAX} values here; leave it out to ask for nothing")
    return tuple(_value(each) for each in values)


def _value(given: Any) -> str | int:
    if isinstance(given, bool):
        return str(given).lower()
    if isinstance(given, int) and abs(given) <= WHOLE_NUMBER_MAX:
        return given
    if isinstance(given, str) and 0 < len(given) <= VALUE_CHARS_MAX:
        return given
    raise ValueError(
        f"a value is a text of 1 to {VALUE_CHARS_MAX} characters or a whole number of 64 bits; put others in quotes"
    )


def _names(given: Any) -> Any:
    """One name is a list of one."""
    return (given,) if isinstance(given, str) else given


_VALUE_SCHEMA: Final[dict[str, Any]] = {"type": ["string", "integer", "boolean"]}
Values = Annotated[
    tuple[str | int, ...],
    BeforeValidator(_values),
    WithJsonSchema({"anyOf": [_VALUE_SCHEMA, {"type": "array", "items": _VALUE_SCHEMA}]}),
]
Names = Annotated[
    tuple[str, ...],
    BeforeValidator(_names),
    Field(max_length=GROUP_FIELDS_MAX),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class Selector(Frozen):
    """Which episodes are meant: all that is stated holds.

    Attributes:
        match: fact or label (``labels.team``) -> the value that it has, or a list of which it has one.
        when: a condition in CEL over the same facts.
    """

    match: dict[str, Values] = Field(default_factory=dict, max_length=FIELDS_OF_A_RULE_MAX)
    when: str | None = None


class Window(Frozen):
    """How long a group goes on, in stream time.

    Attributes:
        kind: ``fixed`` counts from the first episode, ``rolling`` from the last, ``capped`` from the last but not
            past ``max_seconds`` from the first.
        seconds: how long.
        max_seconds: of ``capped``: the longest that the whole group lasts.
    """

    kind: Literal["fixed", "rolling", "capped"] = "rolling"
    seconds: int = Field(default=900, gt=0, le=WINDOW_SECONDS_MAX)
    max_seconds: int | None = Field(default=None, gt=0, le=WINDOW_SECONDS_MAX)

    @model_validator(mode="after")
    def _cap_fits(self) -> Self:
        if self.kind != "capped" and self.max_seconds is not None:
            raise ValueError(f"max_seconds is of 'kind: capped', and this window is {self.kind}")
        if self.kind == "capped" and (self.max_seconds is None or self.max_seconds < self.seconds):
            raise ValueError("a capped window needs max_seconds, at least as long as seconds")
        return self

    def end_ms(self, first_ms: int, last_ms: int) -> int:
        """The last moment at which a group takes another, from its first and last episode; epoch milliseconds."""
        if self.kind == "fixed":
            return first_ms + self.seconds * 1_000
        end_ms = last_ms + self.seconds * 1_000
        return end_ms if self.max_seconds is None else min(end_ms, first_ms + self.max_seconds * 1_000)


class CorrelationRule(Selector):
    """One rule, with one action: ``join: always``, ``join: never`` or ``min_count``.

    Never goes before always, and both before the scoring. Of the rules of one action the first in the file wins.

    Attributes:
        join: ``always`` puts the episodes of a group into one incident; ``never`` keeps them apart.
        min_count: an incident opens only from so many episodes of a group within the window on.
        group_by: facts or labels; episodes that have the same values are one group. One that lacks a value does not
            match. With ``join: never``, episodes of different groups never meet.
        window: how long a group goes on.
        with: with ``join: never``: only with episodes that match this; without it and ``group_by``, with any other.
        title: what an incident that the rule opens is called; ``{labels.team}`` stands for a value of ``group_by``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, serialize_by_alias=True)

    join: Literal["always", "never"] | None = None
    min_count: int | None = Field(default=None, ge=2, le=MIN_COUNT_MAX)
    group_by: Names = ()
    window: Window = Window()
    with_: Selector | None = Field(default=None, alias="with")
    title: str | None = Field(default=None, min_length=1, max_length=160)

    @property
    def action(self) -> str:
        """``always``, ``never`` or ``min_count``."""
        return self.join or "min_count"

    @model_validator(mode="after")
    def _one_action(self) -> Self:
        if (self.join is None) == (self.min_count is None):
            raise ValueError("a rule has one action: 'join: always', 'join: never' or 'min_count'")
        if self.join == "always" and not self.group_by:
            raise ValueError("'join: always' needs group_by: facts or labels whose equal values put episodes together")
        if self.join != "never" and self.with_ is not None:
            raise ValueError("'with' is of 'join: never'")
        if self.join == "never" and self.with_ is not None and self.group_by:
            raise ValueError("'join: never' takes 'with' or group_by, not both")
        if self.join == "never" and {"window", "title"} & self.model_fields_set:
            raise ValueError("'join: never' has no window and no title")
        if not (self.match or self.when or self.group_by):
            raise ValueError("a rule needs match, when or group_by; this one would match every episode")
        if self.with_ is not None and not (self.with_.match or self.with_.when):
            raise ValueError("'with' needs match or when; leave it out for 'never with any other'")
        return self

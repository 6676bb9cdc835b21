"""An adapter written as YAML, `adapters/<name>.yaml`. Only the words; `pipeline.feeds.declarative` reads by them.

Paths are JMESPath. A path that begins with ``$.`` starts at the message, any other at the member that becomes the
alert. A fact that is not there stays missing; of another type than it must be, it is refused.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, Literal, Self

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue

from pipeline.models.alert import FeedClass, Kind, Severity
from pipeline.models.catalog import Frozen

ALTERNATIVES_MAX: Final = 16
"""Of one fact. More is a table of cases, which belongs into ``by_kind`` or into two adapters."""

_SOURCES: Final = ("path", "const", "template", "header", "first")


class Value(Frozen):
    """Where one fact comes from: exactly one of these. A text alone is a path, a list alone is ``first``.

    Attributes:
        path: JMESPath from the member, or with ``$.`` from the message.
        const: this.
        template: text with paths in braces: ``{host}: {text}``; missing where one of them is. ``{{`` is a brace.
        header: a header of the record, whatever its case.
        first: the first of these that is there.
    """

    path: str | None = None
    const: str | int | float | bool | None = None
    template: str | None = None
    header: str | None = None
    first: tuple[Value, ...] = Field(default=(), max_length=ALTERNATIVES_MAX)

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        if isinstance(given, str):
            return {"path": given}
        if isinstance(given, list | tuple):
            return {"first": given}
        if not isinstance(given, dict | Value):
            raise ValueError(f"expected a path, a list of alternatives, or one of {', '.join(_SOURCES)}")  # noqa: TRY004
        return given

    @model_validator(mode="after")
    def _one(self) -> Self:
        said = self.said()
        if len(said) != 1 and (said or self.needs_source()):
            raise ValueError(f"exactly one of {', '.join(_SOURCES)}; found {' and '.join(said) or 'none'}")
        return self

    def said(self) -> tuple[str, ...]:
        """Which sources are given."""
        return tuple(name for name in _SOURCES if getattr(self, name) not in {None, ()})

    def needs_source(self) -> bool:
        """Whether it is nothing without a source."""
        return True

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Also a path alone, or a list of alternatives alone."""
        schema = handler.resolve_ref_schema(handler(core))
        whole = {
            name: schema.pop(name) for name in ("properties", "required", "additionalProperties") if name in schema
        }
        alternatives = {"type": "array", "items": whole["properties"]["first"]["items"], "maxItems": ALTERNATIVES_MAX}
        schema.pop("type", None)
        schema["anyOf"] = [{"type": "string"}, alternatives, {"type": "object", **whole}]
        return schema


class Spelling(StrEnum):
    """How a source spells a time. Other spellings are a ``format``."""

    ISO = "iso"
    EPOCH_SECONDS = "epoch_seconds"
    EPOCH_MILLISECONDS = "epoch_milliseconds"
    EPOCH_NANOSECONDS = "epoch_nanoseconds"
    RFC_1123 = "rfc1123"


class TimeValue(Value):
    """A time.

    Attributes:
        spelling: ISO 8601 with a zone, unless another or a format is given.
        format: of Python's ``strptime``: ``%d.%m.%Y %H:%M:%S``.
        zone: of a format without ``%z``: ``Europe/Berlin``, ``UTC``.
        absent: words that mean "none": ``-1``, ``n/a``.
    """

    spelling: Spelling = Spelling.ISO
    format: str | None = None
    zone: str | None = None
    absent: tuple[str, ...] = ()


class When(Frozen):
    """A condition in CEL about ``member``, or about ``message`` before it is split; both know ``headers``.

    Attributes:
        when: the expression.
        on_error: what it comes to where it reads what is absent or of another type: ``refuse`` the member, or
            ``ignore`` the condition, as if it were not true.
    """

    when: str
    on_error: Literal["refuse", "ignore"] = "refuse"


class Requirement(When):
    """What must be true; the rest is refused, into the dead letter.

    Attributes:
        otherwise: what is said of the rest.
    """

    otherwise: str


class Skip(When):
    """What is no news (tests, keep-alives): counted as a control message, never an incident.

    Attributes:
        because: why.
    """

    because: str


class KindRule(When):
    """What happened, by a condition.

    Attributes:
        kind: of the member, where the condition is true.
    """

    kind: Kind


class SeverityRule(When):
    """How bad it is, by a condition.

    Attributes:
        severity: of the member, where the condition is true.
    """

    severity: Severity


class KindValue(Value):
    """What happened. Rules go first, in order; then the word.

    Attributes:
        map: the source's words to ours; without it, the source uses our words.
        default: where there is no word, or one that the map does not know; without it, that is refused.
    """

    rules: tuple[KindRule, ...] = ()
    map: dict[str, Kind] = Field(default_factory=dict)
    default: Kind | None = None

    def needs_source(self) -> bool:
        """Rules or a default are enough."""
        return not self.rules and self.default is None


class SeverityValue(Value):
    """How bad it is. Rules go first, in order; then the word. Case of words does not matter.

    Attributes:
        map: the source's words to ours; without it, the words that many sources share (critical, p1, warn...).
        default: where there is no word, or one that is not known; ``unknown`` where it is not given.
        because: why the default is right; it is kept with each alert that gets it.
    """

    rules: tuple[SeverityRule, ...] = ()
    map: dict[str, Severity] = Field(default_factory=dict)
    default: Severity | None = None
    because: str | None = None

    def needs_source(self) -> bool:
        """Rules or a default are enough."""
        return not self.rules and self.default is None

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if (self.default is None) != (not self.because):
            raise ValueError("'default' and 'because' come together: an assumed severity says why")
        return self


class Pairs(Frozen):
    """A list of objects that each name one label: ``tags: [{tag: x, value: y}]``.

    Attributes:
        path: to the list.
        name: field that holds the label's name.
        value: field that holds its value; where that is missing, the label is left out.
    """

    path: str
    name: str = "name"
    value: str = "value"


class Labels(Frozen):
    """Flat facts. What comes later wins: objects, pairs, then named ones.

    Attributes:
        all_of: paths to objects whose plain values become labels; nested ones are left out.
        pairs: lists of names and values.
        named: label -> where its value is; one that is missing is left out.
        without: labels that are left out, such as those that change with each message.
    """

    all_of: tuple[str, ...] = ()
    pairs: tuple[Pairs, ...] = ()
    named: dict[str, Value] = Field(default_factory=dict)
    without: tuple[str, ...] = ()


class Macro(Frozen):
    """What a template leaves behind where the source had no value: ``begin`` and ``end`` around a name.

    A text that is nothing but an unresolved macro counts as missing.
    """

    begin: str = Field(min_length=1)
    end: str = ""


class AlertFields(Frozen):
    """The facts of an alert, each with where it comes from.

    Attributes:
        identity: what names the condition, equal when it begins and when it ends; all of it must be there.
        episode_id: the source's id of one run of the condition.
        delivery_id: the source's id of this message.
        name: of the condition: what stays equal over its runs.
        summary: the symptom; its first line is kept. Without it, the name.
        description: longer text.
        severity: how bad it is.
        event_at: when it happened.
        ended_at: when it ended; read only of what says that something ended.
        labels: flat facts.
        links: title -> address.
        ticket: id of a service desk's ticket.
        reporter: who reported; kept as an opaque id.
        users_affected: how many, as a whole number.
        ttl_seconds: for sources that never say that it is over.
    """

    identity: tuple[Value, ...] = ()
    episode_id: Value | None = None
    delivery_id: Value | None = None
    name: Value | None = None
    summary: Value | None = None
    description: Value | None = None
    severity: SeverityValue | None = None
    event_at: TimeValue | None = None
    ended_at: TimeValue | None = None
    labels: Labels = Labels()
    links: dict[str, Value] = Field(default_factory=dict)
    ticket: Value | None = None
    reporter: Value | None = None
    users_affected: Value | None = None
    ttl_seconds: int | None = Field(default=None, gt=0)


class AdapterSpec(Frozen):
    """One source's adapter.

    Attributes:
        name: of the adapter, and of the feed that is there without configuration.
        title: what it reads, for people.
        feed_class: where the source runs; ``desk`` for reports by people.
        split: path to the list of members; without it, the message is one alert.
        require: what must be true of every message or member.
        skip: what is no news.
        kind: what a member says happened.
        alert: the facts of a member.
        by_kind: facts that come from elsewhere for members of one kind; ``null`` for none.
        macros: what unresolved macros look like.
    """

    name: str
    title: str = ""
    feed_class: FeedClass
    split: str | None = None
    require: tuple[Requirement, ...] = ()
    skip: tuple[Skip, ...] = ()
    kind: KindValue
    alert: AlertFields
    by_kind: dict[Kind, AlertFields] = Field(default_factory=dict)
    macros: tuple[Macro, ...] = ()

    def fields_of(self, kind: Kind) -> AlertFields:
        """The facts of members of one kind."""
        override = self.by_kind.get(kind)
        if override is None:
            return self.alert
        return self.alert.model_copy(update={name: getattr(override, name) for name in override.model_fields_set})

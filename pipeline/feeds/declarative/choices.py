"""Choices: conditions, and what they and a source's words decide: kind and severity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

from pipeline.core.expressions import Condition, ExpressionError, Facts, OnError, Scope
from pipeline.feeds.declarative.paths import Member
from pipeline.feeds.declarative.values import Texts, ValueSpecError, place_of
from pipeline.feeds.fields import missing, unknown_word
from pipeline.feeds.severity import LABEL_WORDS, Graded, grade
from pipeline.models.adapter import KindValue, SeverityValue, When
from pipeline.models.alert import Kind, Severity

_OUR_KINDS: Final[Mapping[str, Kind]] = {each.value: each for each in Kind}
_MESSAGE: Final = "message"
_MEMBER: Final = "member"


class Question:
    """A condition of the specification, with what it is about.

    Attributes:
        of_message: it is about the message as a whole, and asked once; otherwise about each member.
    """

    __slots__ = ("condition", "of_message")

    def __init__(self, when: When) -> None:
        """Compile it.

        Raises:
            ValueSpecError: it is no condition, or about both.
        """
        on_error = OnError(when.on_error)
        try:
            self.condition = _scope(_MEMBER).compile(when.when, on_error)
            self.of_message = False
        except ExpressionError as error:
            self.condition = _of_message(when.when, on_error, error)
            self.of_message = True

    def holds(self, member: Member, known: dict[str, Facts]) -> bool:
        """Whether it is true; ``known`` keeps what was converted, for the member's other conditions."""
        name, where, document = _MEMBER, member.where, member.document
        if self.of_message:
            name, where, document = _MESSAGE, "$", member.message
        facts = known.get(name)
        if facts is None:
            facts = known[name] = _scope(name).facts(**{name: document, "headers": _headers(member)})
        return self.condition.holds(facts, where)


def _headers(member: Member) -> dict[str, str]:
    """The headers that are text, by their names in lower case; of two with one name the first, as adapters see it."""
    names = {title.lower() for title, _ in member.raw.headers}
    texts = {name: member.raw.header(name) for name in names}
    return {name: text for name, text in texts.items() if text is not None}


@cache
def _scope(name: str) -> Scope:
    return Scope({name: "any", "headers": "object"})


def _of_message(source: str, on_error: OnError, first: ExpressionError) -> Condition:
    """The condition as one about the message; the first error where it is not about that."""
    try:
        return _scope(_MESSAGE).compile(source, on_error)
    except ExpressionError as error:
        if _MESSAGE in source and _MEMBER in source:
            raise ValueSpecError("about 'member' and 'message' at once; make it two conditions") from error
        raise ValueSpecError(str(error if _MESSAGE in source else first)) from error


def _rule(when: When, index: int) -> Question:
    try:
        return Question(when)
    except ValueSpecError as error:
        raise ValueSpecError(str(error), ("rules", index, "when")) from error


def kind_reader(value: KindValue, texts: Texts) -> Callable[[Member, dict[str, Facts]], Kind]:
    """What says what happened.

    Raises:
        ValueSpecError: a path or a condition is wrong.
    """
    rules = [(_rule(each, index), each.kind) for index, each in enumerate(value.rules)]
    reader = texts.reader(value) if value.said() else None
    words, default = value.map or _OUR_KINDS, value.default

    def read(member: Member, known: dict[str, Facts]) -> Kind:
        for question, kind in rules:
            if question.holds(member, known):
                return kind
        word = reader(member) if reader is not None else None
        found = words.get(word) if word is not None else None
        if found is not None:
            return found
        if default is not None:
            return default
        if reader is None:
            raise missing(f"{member.where}: what none of the rules for 'kind' describes")
        place = place_of(value, member.where)
        raise missing(place) if word is None else unknown_word(place, tuple(words))

    return read


def severity_reader(value: SeverityValue | None, texts: Texts) -> Callable[[Member, dict[str, Facts]], Graded]:
    """What says how bad it is.

    Raises:
        ValueSpecError: a path or a condition is wrong.
    """
    if value is None:
        untold = Graded(Severity.UNKNOWN, None, "this source has no severity")
        return lambda _, __: untold
    rules = [(_rule(each, index), each.severity) for index, each in enumerate(value.rules)]
    reader = texts.reader(value) if value.said() else None
    words = {word.strip().lower(): each for word, each in value.map.items()} or LABEL_WORDS
    default, because = value.default or Severity.UNKNOWN, value.because
    name = place_of(value, "$").removeprefix("$.") if value.said() else "severity"

    def read(member: Member, known: dict[str, Facts]) -> Graded:
        native = reader(member) if reader is not None else None
        for question, severity in rules:
            if question.holds(member, known):
                return Graded(severity, native, None)
        graded = grade(native, words, name, default)
        return graded if graded.default_reason is None or because is None else graded._replace(default_reason=because)

    return read

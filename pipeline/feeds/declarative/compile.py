"""Compiles a specification into an `Adapter`, and names everything that is wrong with it, each with its place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from pipeline.feeds.declarative.choices import Question, kind_reader, severity_reader
from pipeline.feeds.declarative.paths import Path, PathError, compile_path
from pipeline.feeds.declarative.reader import FactReaders, LabelReaders, Reader, nothing
from pipeline.feeds.declarative.times import Time, time_reader
from pipeline.feeds.declarative.values import Text, Texts, ValueSpecError, required, whole_number
from pipeline.models.adapter import AdapterSpec, AlertFields, Labels, TimeValue, Value, When
from pipeline.models.alert import Kind
from pipeline.models.feed import Adapter

Place = tuple[str | int, ...]
"""Path of a field in the specification: ``("alert", "identity", 0)``."""


_TEXTS: Final = ("episode_id", "delivery_id", "name", "summary", "description", "ticket", "reporter")
"""Facts that are read as they are."""


class SpecProblem(NamedTuple):
    """One thing that is wrong with a specification, and where."""

    place: Place
    message: str


class SpecError(ValueError):
    """A specification that cannot be used.

    Attributes:
        problems: all of them.
    """

    def __init__(self, name: str, problems: list[SpecProblem]) -> None:
        self.problems = problems
        first = problems[0]
        super().__init__(f"adapter {name}: {'.'.join(map(str, first.place))}: {first.message}")


def compile_adapter(spec: AdapterSpec) -> Adapter:
    """The adapter that a specification describes.

    Raises:
        SpecError: it cannot be used; names all that is wrong.
    """
    compiler = _Compiler(spec)
    reader = compiler.reader()
    if compiler.problems:
        raise SpecError(spec.name, compiler.problems)
    return Adapter(spec.feed_class, reader.parse)


def problems_of(spec: AdapterSpec) -> list[SpecProblem]:
    """Everything that is wrong with a specification; none where it can be used."""
    try:
        compile_adapter(spec)
    except SpecError as error:
        return error.problems
    return []


class _Compiler:
    """Goes through one specification; what is wrong is noted, and the rest is looked at all the same."""

    def __init__(self, spec: AdapterSpec) -> None:
        self.problems: list[SpecProblem] = []
        self._spec = spec
        self._texts = Texts(spec.macros)

    def reader(self) -> Reader:
        spec = self._spec
        kind: Any = nothing
        with self._noting("kind"):
            kind = kind_reader(spec.kind, self._texts)
        facts = dict.fromkeys(Kind, self._facts(spec.alert, ("alert",)))
        for each, own in spec.by_kind.items():
            facts[each] = self._facts(spec.fields_of(each), ("by_kind", each.value), own.model_fields_set)
        if any(not spec.fields_of(each).identity for each in self._kinds()):
            self._note(
                ("alert", "identity"), "nothing names the condition; list what is the same when it begins and ends"
            )
        return Reader(
            split=self._path(spec.split, "split") if spec.split is not None else None,
            require=self._questions(spec.require, "require", "otherwise"),
            skip=self._questions(spec.skip, "skip", "because"),
            kind=kind,
            facts=facts,
        )

    def _kinds(self) -> set[Kind]:
        """The kinds that members can have."""
        value = self._spec.kind
        kinds = {*value.map.values(), *(rule.kind for rule in value.rules), value.default} - {None}
        own_words = set(Kind) if value.said() and not value.map else set()
        return {each for each in kinds | own_words if each is not None}

    def _facts(self, fields: AlertFields, place: Place, only: set[str] | None = None) -> FactReaders:
        """The readers of all facts. ``only``: those whose problems are not noted elsewhere already."""
        known = len(self.problems)
        users = fields.users_affected
        users_text = self._optional(users, *place, "users_affected")
        severity: Any = nothing
        with self._noting(*place, "severity"):
            severity = severity_reader(fields.severity, self._texts)
        readers = FactReaders(
            identity=[
                required(self._text(each, *place, "identity", index), each)
                for index, each in enumerate(fields.identity)
            ],
            severity=severity,
            **{name: self._optional(getattr(fields, name), *place, name) for name in _TEXTS},
            event_at=self._time(fields.event_at, *place, "event_at"),
            ended_at=self._time(fields.ended_at, *place, "ended_at"),
            labels=self._labels(fields.labels, *place, "labels"),
            links={title: self._text(each, *place, "links", title) for title, each in fields.links.items()},
            users_affected=whole_number(users_text, users) if users is not None else nothing,
            ttl_seconds=fields.ttl_seconds,
        )
        if only is not None:
            self.problems[known:] = [each for each in self.problems[known:] if each.place[len(place)] in only]
        return readers

    def _labels(self, labels: Labels, *place: str | int) -> LabelReaders:
        return LabelReaders(
            all_of=[self._path(each, *place, "all_of", index) for index, each in enumerate(labels.all_of)],
            pairs=[
                (self._path(each.path, *place, "pairs", index, "path"), each.name, each.value)
                for index, each in enumerate(labels.pairs)
            ],
            named={name: self._text(each, *place, "named", name) for name, each in labels.named.items()},
            without=frozenset(labels.without),
        )

    def _questions(self, whens: tuple[When, ...], field: str, words: str) -> list[tuple[Question, str]]:
        found: list[tuple[Question, str]] = []
        for index, each in enumerate(whens):
            with self._noting(field, index, "when"):
                found.append((Question(each), getattr(each, words)))
        return found

    def _optional(self, value: Value | None, *place: str | int) -> Text:
        return self._text(value, *place) if value is not None else nothing

    def _text(self, value: Value, *place: str | int) -> Text:
        try:
            return self._texts.reader(value)
        except ValueSpecError as error:
            self._note((*place, *error.place), str(error))
            return nothing

    def _time(self, value: TimeValue | None, *place: str | int) -> Time:
        if value is None:
            return nothing
        try:
            return time_reader(value, self._texts)
        except ValueSpecError as error:
            self._note((*place, *error.place), str(error))
            return nothing

    def _path(self, text: str, *place: str | int) -> Path:
        try:
            return compile_path(text)
        except PathError as error:
            self._note(place, str(error))
            return Path(text, nothing, of_message=False)

    @contextmanager
    def _noting(self, *place: str | int) -> Iterator[None]:
        try:
            yield
        except ValueSpecError as error:
            self._note((*place, *error.place), str(error))

    def _note(self, place: Place, message: str) -> None:
        self.problems.append(SpecProblem(place, message))

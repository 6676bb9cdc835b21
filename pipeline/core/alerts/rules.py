"""Matching rules: which entity an alert is about, by patterns over its labels and text.

Patterns are RE2's: matching takes time in proportion to the text, whatever the pattern, and the memory of each is
bounded. Python's own engine tries again and again: a pattern such as ``(a+)+b`` would stop a partition for hours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

import re2

from pipeline.models.alert import Alert
from pipeline.models.matching import PATTERN_CHARS_MAX, MatchingRule

PATTERN_BYTES_MAX: Final = 1 << 20
"""Memory of one compiled pattern: RE2 forgets what it has worked out rather than grow."""

VALUE_CHARS_MAX: Final = 512
"""Longer label values match nothing: ingest cuts them there, too."""

TEXT_CHARS_MAX: Final = 2_048
"""Of name and summary together."""

ANSWERS_REMEMBERED_MAX: Final = 4_096
"""Labels come again and again; asked anew, each costs a few microseconds a rule."""

_FIELD: Final = re.compile(r"\{(\w+)\}")


class PatternError(Exception):
    """A pattern cannot be used; the message is one line and says why."""


def compiled(pattern: str) -> Any:
    """A pattern, compiled within bounds.

    Raises:
        PatternError: it is too long, or not one of RE2.
    """
    if len(pattern) > PATTERN_CHARS_MAX:
        raise PatternError(f"longer than {PATTERN_CHARS_MAX} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = PATTERN_BYTES_MAX
    try:
        return re2.compile(pattern, options=options)
    except re2.error as error:
        said = error.args[0] if error.args else "not a pattern"
        raise PatternError(said.decode(errors="replace") if isinstance(said, bytes) else str(said)) from error


def fields_of(template: str) -> set[str]:
    """Names of the groups that an entity's template stands on."""
    return set(_FIELD.findall(template))


class _Rule:
    """A rule with its patterns compiled."""

    def __init__(self, rule: MatchingRule) -> None:
        self.name = rule.name
        self.feeds = frozenset(rule.feeds)
        self.labels = [(label, compiled(pattern)) for label, pattern in sorted(rule.labels.items())]
        self.text = None if rule.text is None else compiled(rule.text)
        self.entity = rule.entity

    def named(self, feed: str, values: dict[str, str], text: str) -> str | None:
        """What the rule says the alert is about; None where it does not match."""
        if self.feeds and feed not in self.feeds:
            return None
        groups: dict[str, str | None] = {}
        for label, pattern in self.labels:
            found = pattern.fullmatch(values[label]) if label in values else None
            if found is None:
                return None
            groups.update(found.groupdict())
        if self.text is not None:
            found = self.text.search(text)
            if found is None:
                return None
            groups.update(found.groupdict())
        return _FIELD.sub(lambda field: groups.get(field[1]) or "", self.entity)


class Rules:
    """The rules of one configuration."""

    def __init__(self, rules: Sequence[MatchingRule], resolve: Callable[[str], str | None]) -> None:
        """Compile.

        Args:
            rules: in order.
            resolve: reference of the entity that a name means.

        Raises:
            PatternError: a pattern cannot be used.
        """
        self._rules = [_Rule(rule) for rule in rules]
        self._resolve = resolve
        self._labels = sorted({label for rule in rules for label in rule.labels})
        self._asks_text = any(rule.text is not None for rule in rules)
        self._answer = lru_cache(ANSWERS_REMEMBERED_MAX)(self._decide)

    def match(self, alert: Alert) -> tuple[str, str] | None:
        """The entity of the first rule that matches and names one, and ``rule:<name>``."""
        if not self._rules:
            return None
        labels = alert.labels
        values = tuple(_bounded(labels.get(label)) for label in self._labels)
        text = f"{alert.name}\n{alert.summary}"[:TEXT_CHARS_MAX] if self._asks_text else ""
        return self._answer(alert.feed, values, text)

    def _decide(self, feed: str, values: Iterable[str | None], text: str) -> tuple[str, str] | None:
        given = {label: value for label, value in zip(self._labels, values, strict=True) if value is not None}
        for rule in self._rules:
            named = rule.named(feed, given, text)
            if named and (ref := self._resolve(named)):
                return ref, f"rule:{rule.name}"
        return None


def _bounded(value: str | None) -> str | None:
    return value if value is not None and len(value) <= VALUE_CHARS_MAX else None

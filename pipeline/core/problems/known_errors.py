"""Known errors: which of them an incident matches, those of the configuration and those that problems have become."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from pipeline.core.practice.prioritise import plain
from pipeline.models.problem import KnownError
from pipeline.models.summary import Summary


class Offer(NamedTuple):
    """A known error as it is offered to whoever works on an incident.

    Attributes:
        id: of the problem, or the name of the known error in the configuration.
        because: what of the incident fits, in words.
    """

    id: str
    title: str
    workaround: str
    url: str | None
    because: str


class _Compiled(NamedTuple):
    known: KnownError
    causes: frozenset[str]
    services: frozenset[str]
    words: tuple[str, ...]


class KnownErrors:
    """The known errors of a configuration, by what they ask for first, so that each incident asks a few only."""

    def __init__(self, known: Mapping[str, KnownError], resolve: Callable[[str], str | None]) -> None:
        """Compile them.

        Args:
            known: by name, in order.
            resolve: finds the catalogue reference of a name that people use.
        """
        self._by_name: dict[str, list[_Compiled]] = {}
        self._others: list[_Compiled] = []
        for each in known.values():
            compiled = _Compiled(
                each,
                _refs(each.causes, resolve),
                _refs(each.services, resolve),
                tuple(plain(word).rstrip() for word in each.words),
            )
            names = compiled.causes or compiled.services
            for name in sorted(names):
                self._by_name.setdefault(name, []).append(compiled)
            if not names:
                self._others.append(compiled)

    def matching(self, summary: Summary) -> list[Offer]:
        """What fits an incident, in the order of the configuration for each way to find it."""
        asked = [name for name in dict.fromkeys((summary.cause, summary.service)) if name is not None]
        found = [each for name in asked for each in self._by_name.get(name, ())]
        text = plain(summary.title)
        fitting = {each.known.name: each for each in (*found, *self._others) if _fits(each, summary, text)}
        return [_offer(each) for each in fitting.values()]


def _refs(names: Iterable[str], resolve: Callable[[str], str | None]) -> frozenset[str]:
    return frozenset(resolve(name) or name.lower() for name in names)


def _fits(each: _Compiled, summary: Summary, text: str) -> bool:
    known = each.known
    if each.causes and summary.cause not in each.causes:
        return False
    if each.services and summary.service not in each.services:
        return False
    if known.categories and summary.category not in known.categories:
        return False
    return all(word in text for word in each.words)


def _offer(each: _Compiled) -> Offer:
    known = each.known
    parts = []
    if known.causes:
        parts.append("the cause")
    if known.services:
        parts.append("the service")
    if known.categories:
        parts.append("the category")
    if known.words:
        parts.append(f"the words {', '.join(known.words)}")
    title = known.title or known.name
    return Offer(known.problem or known.name, title, known.workaround, known.url, f"{' and '.join(parts)} fit")

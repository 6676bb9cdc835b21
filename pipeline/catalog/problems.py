"""What is wrong in a configuration directory: every problem with its file and line, all of them at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import Final, NamedTuple

# Below this likeness a suggestion confuses more than it helps.
SUGGESTION_LIKENESS_MIN: Final = 0.6
# A slip of the keyboard changes few letters; this spares the costly comparison with most of a large catalogue.
SUGGESTION_LENGTH_DIFFERENCE_MAX: Final = 3
# Names compared for suggestions in one directory, a few seconds' worth: a catalogue of 10,000 gets ten.
COMPARISONS_MAX: Final = 100_000
# More problems than this are never read; a broken template can cause one in each of thousands of documents.
PROBLEMS_SHOWN_MAX: Final = 500


class Problem(NamedTuple):
    """One thing that is wrong, or only suspicious.

    Attributes:
        file: path relative to the configuration directory; "." for the directory itself.
        line: 1 is the first.
        message: what is wrong and what to do. Holds no value that may be a secret.
        rule: stable name of what is only suspicious, for silencing it; "" for what is wrong.
    """

    file: str
    line: int
    message: str
    rule: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class ConfigError(Exception):
    """The directory cannot be used as it is.

    Attributes:
        problems: everything that is wrong, by file and line.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        first = str(self.problems[0]) if self.problems else "the configuration is not usable"
        others = len(self.problems) - 1
        super().__init__(first if others < 1 else f"{first} (and {others} more: spillway config check)")


class Place(NamedTuple):
    """A file and a line."""

    file: str
    line: int


class Findings:
    """Gathers problems (the directory is refused) and warnings (it works, but somebody should look)."""

    def __init__(self) -> None:
        self._comparisons_left = COMPARISONS_MAX
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self._passed: dict[str, list[Place]] = {}

    def problem(self, place: Place, message: str) -> None:
        """Note what makes the directory unusable."""
        self.problems.append(Problem(place.file, place.line, message))

    def warning(self, place: Place, message: str, rule: str = "check") -> None:
        """Note what works, and is probably not meant, under the stable name of its rule."""
        self.warnings.append(Problem(place.file, place.line, message, rule))

    def passed(self, kind: str, place: Place) -> None:
        """Note a descriptor of a kind that is not read."""
        self._passed.setdefault(kind, []).append(place)

    def remark_passed(self) -> None:
        """Say once for each kind what was not read, however many there are."""
        for kind, places in sorted(self._passed.items()):
            first, others = min(places), len(places) - 1
            more = f", nor are {others:,} more" if others else ""
            self.warning(first, f"kind '{kind}' says nothing about failure and is not read{more}", "kind-not-read")

    def near(self, wrong: str, entities: Collection[str]) -> str:
        """`suggestion` from the names of a catalogue, until so many were wrong that looking takes too long."""
        self._comparisons_left -= len(entities)
        return suggestion(wrong, entities) if self._comparisons_left >= 0 else ""


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the nearest known name, or nothing where none is near."""
    names = sorted(name for name in set(known) if abs(len(name) - len(wrong)) <= SUGGESTION_LENGTH_DIFFERENCE_MAX)
    lowered = {name.lower(): name for name in names}
    near = get_close_matches(wrong.lower(), lowered, n=1, cutoff=SUGGESTION_LIKENESS_MIN)
    return f"; did you mean '{lowered[near[0]]}'?" if near else ""

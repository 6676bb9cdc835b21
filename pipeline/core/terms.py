"""Words of an alert's text, for comparing what people and monitors wrote."""

from __future__ import annotations

import re
from sys import intern
from typing import Final

TERMS_MAX: Final = 24
"""Words kept of one text: a ticket's subject and first sentences; more adds noise, not likeness."""

TERM_LENGTH_MIN: Final = 3

_ENDINGS: Final = ("ing", "ed", "es", "s")
_WORD: Final = re.compile(r"[^\W\d_]+(?:[-'][^\W\d_]+)*")
_COMMON: Final = frozenset(
    """
    about after again all and any are because been before but can cannot could does doing done down each for from
    had has have having help hello here high into its just keep keeps kind like longer low more most much need new
    not now off once only other our out over please regards same says should since some still than thank thanks
    that the their them then there these they this those through too under until urgent very was were what when
    where which while who why will with without work working works would you your
    alert alerts error errors failed failing failure firing issue problem resolved status threshold ticket user users
    today yesterday morning evening night since above below
    """.split()
)


def terms_of(*texts: str) -> list[str]:
    """Telling words of the texts, lower case, in alphabetical order, at most `TERMS_MAX`.

    Words are cut to a simple stem, so that "crawling" and "crawls" meet. Numbers and identifiers are left out:
    they tell runs of one condition apart, not conditions.
    """
    found: dict[str, None] = {}
    for text in texts:
        for word in _WORD.findall(text.lower()):
            if len(word) >= TERM_LENGTH_MIN and word not in _COMMON:
                found.setdefault(intern(_stem(word)))  # the same few words, in many texts
                if len(found) == TERMS_MAX:
                    return sorted(found)
    return sorted(found)


def _stem(word: str) -> str:
    for ending in _ENDINGS if word.endswith(_ENDINGS) else ():
        if word.endswith(ending) and len(word) - len(ending) > TERM_LENGTH_MIN:
            return word[: -len(ending)]
    return word


def likeness(left: frozenset[str], right: frozenset[str]) -> float:
    """Jaccard similarity of two sets of words, in [0, 1]."""
    if not left or not right:
        return 0.0
    shared = len(left & right)
    return shared / (len(left) + len(right) - shared)

"""Words of an alert's text, for comparing what people and monitors wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from sys import intern
from typing import Final

TERMS_MAX: Final = 24
"""Words kept of one text: a ticket's subject and first sentences; more adds noise, not likeness."""

TERM_LENGTH_MIN: Final = 3

CHUNKS_REMEMBERED_MAX: Final = 8_192
"""Stretches of letters whose words are remembered: the vocabulary of a company's alerts; below 2 MiB."""

CHUNK_REMEMBERED_CHARACTERS_MAX: Final = 64
"""Longer stretches are no words, and hardly come twice."""

_ENDINGS: Final = ("ing", "ed", "es", "s")
_WORD: Final = re.compile(r"[^\W\d_]+(?:[-'][^\W\d_]+)*")
_ASCII_CHUNKS: Final = bytes(
    ord(chr(code).lower()) if chr(code).isalpha() and code < 0x80 else code if code in b"-'" else 0x20
    for code in range(256)
)
"""What can be part of an ASCII word, as a table of bytes: letters in lower case, - and ', and a space for all else."""

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
        for chunk in _chunks(text):
            length = len(chunk)
            if length < TERM_LENGTH_MIN:
                continue
            for stem in _stems(chunk) if length <= CHUNK_REMEMBERED_CHARACTERS_MAX else _stems_in(chunk):
                found[stem] = None
                if len(found) == TERMS_MAX:
                    return sorted(found)
    return sorted(found)


def _chunks(text: str) -> Iterable[str]:
    """Stretches of a text, lower case, that no word goes beyond."""
    if text.isascii():  # several times as fast as to look for words, and nearly every text of a machine
        return text.encode().translate(_ASCII_CHUNKS).decode().split()
    return _WORD.findall(text.lower())


def _stems_in(chunk: str) -> tuple[str, ...]:
    """Stems of the telling words in a stretch: mostly one or none."""
    words = (word for word in _WORD.findall(chunk) if len(word) >= TERM_LENGTH_MIN and word not in _COMMON)
    return tuple(intern(_stem(word)) for word in words)  # interned: the same few words are kept with many episodes


_stems: Final = lru_cache(CHUNKS_REMEMBERED_MAX)(_stems_in)


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

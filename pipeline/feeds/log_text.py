"""What the text of a log line says: which lines are the same sentence, and which of them end what others began.

Owns the masking of what changes from line to line, and the table of phrases in pairs. Keeps no state: a line's
template follows from the line alone, so every worker and every replay finds the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from pipeline.feeds.fields import first_line
from pipeline.models.catalog import Frozen

# A sentence says early what it is about; what follows is data.
TEMPLATE_CHARS_MAX: Final = 400

_TIME: Final = (
    r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:[Zz]|[+-]\d\d:?\d\d)?)?|\b\d\d?:\d\d:\d\d(?:[.,]\d+)?"
)
_PIECE: Final = re.compile(
    rf"(?P<time>{_TIME})"
    r"|(?P<address>\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+|/\d+)?(?![\w.])"
    r"|(?<![\w:])(?=[0-9a-fA-F:]*\d)[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}(?![\w:]))"
    r"|(?P<word>[\w-]+(?:\.\d[\w-]*)*)"
)
_NUMBER: Final = re.compile(r"-*\d+(?:\.\d+)*[A-Za-zµ]{0,3}")
_DIGIT: Final = re.compile(r"\d")
_SPACES: Final = re.compile(r"\s+")
_NO_WORD: Final = re.compile(r"[^\w-]+")

# Where a line began: the kernel writes the seconds since it started.
_CLOCK: Final = re.compile(rf"{_TIME}|^\[\s*\d+\.\d+\]")
# "failed to bring the link up" is no recovery.
_NEGATION: Final = re.compile(
    r"(?<![\w-])(?:not|no|never|fail|fails|failed|failure|cannot|can't|unable|until|waiting|error|before)(?![\w-])"
)
# Cisco: sequence number and time stand before the mnemonic, and are others in every line.
_CISCO: Final = re.compile(r"(%[A-Z0-9_]+(?:-[A-Z0-9_]+)*-\d-[A-Z0-9_]+):\s*")
# After the phrase comes what it is about ("link down on port 5") or an explanation ("lost, peer considered down").
_ABOUT: Final = re.compile(r"\s+(?:on|for|to|from|at|of|in|with|between)\s[^,;(]*", re.IGNORECASE)


class Pair(Frozen):
    """Phrases that begin a condition, and those that end it.

    Attributes:
        firing: say that it began, in lower case or any.
        resolved: say that it is over, about the same subject.
    """

    firing: tuple[str, ...]
    resolved: tuple[str, ...]


PAIRS: Final = (
    Pair(firing=("changed state to down",), resolved=("changed state to up",)),
    Pair(firing=("link is down", "link down"), resolved=("link is up", "link up")),
    Pair(firing=("is down", "went down"), resolved=("is up", "came up", "is up again", "is back up")),
    Pair(firing=("heartbeat lost", "lost heartbeat"), resolved=("heartbeat restored", "heartbeat is back")),
    Pair(
        firing=("connection lost", "lost connection", "connection is lost"),
        resolved=("connection restored", "restored connection", "connection re-established", "reconnected"),
    ),
    Pair(firing=("is unreachable", "became unreachable"), resolved=("is reachable", "became reachable")),
    Pair(firing=("went offline", "is offline"), resolved=("came online", "is online", "is back online")),
    Pair(firing=("on battery",), resolved=("on line power",)),  # UPS daemons
    Pair(firing=("power failure",), resolved=("power is back",)),
    Pair(firing=("alarm raised", "alarm set"), resolved=("alarm cleared",)),
    Pair(firing=("became unhealthy", "is unhealthy"), resolved=("became healthy", "is healthy")),
)
"""Phrases of which one ends what the other began."""

RECOVERY_WORDS: Final = (
    "recovered", "restored", "drained", "reconnected", "re-established", "back to normal", "resolved",
    "succeeded again",
)  # fmt: skip
"""Words of a harmless line that say that a known condition is over."""

UP_WORDS: Final = frozenset({
    "up", "ok", "clear", "cleared", "normal", "resolved", "restored", "recovered", "online", "healthy", "established",
})  # fmt: skip
"""States in which all is well."""

DOWN_WORDS: Final = frozenset({
    "down", "fail", "failed", "failure", "lost", "error", "critical", "offline", "unhealthy", "alarm", "raised",
    "fault",
})  # fmt: skip
"""States in which something is wrong."""


class Turn(NamedTuple):
    """What a line says of a condition that begins and ends in words.

    Attributes:
        over: it ended.
        subject: what both lines say: which condition it is.
    """

    over: bool
    subject: str


class Phrases:
    """The pairs of phrases of a feed, ready to be looked for."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._meaning: dict[str, tuple[bool, str]] = {}
        for pair in pairs:
            for over, phrases in ((False, pair.firing), (True, pair.resolved)):
                for phrase in phrases:
                    self._meaning.setdefault(_folded(phrase), (over, _folded(pair.firing[0])))
        longest_first = sorted(self._meaning, key=lambda phrase: (-len(phrase), phrase))
        self._pattern = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-])")

    def turn_of(self, text: str) -> Turn | None:
        """What a line says, or None where it has no phrase. Numbers stay: port 5 is not port 6."""
        line = _folded(" ".join(spoken(text))).strip()
        if not any(phrase in line for phrase in self._meaning):  # most lines; the pattern takes fifty times as long
            return None
        found = self._pattern.search(line)
        if found is None:
            return None
        over, condition = self._meaning[found[0]]
        if over and _NEGATION.search(line, 0, found.start()) is not None:
            return None
        about = _ABOUT.match(line, found.end())
        subject = _CLOCK.sub("", line[: found.start()] + (about[0].rstrip(" .!") if about else ""))
        return Turn(over, f"{condition}: {_SPACES.sub(' ', subject).strip()}")


def spoken(text: str) -> tuple[str, str]:
    """The mnemonic of a Cisco device (``%LINK-3-UPDOWN``) or "", and the sentence: the first line, or what follows."""
    line = first_line(text)[:TEMPLATE_CHARS_MAX]
    if "%" not in line or (cisco := _CISCO.search(line)) is None:
        return "", line
    return cisco[1], line[cisco.end() :]


def template(text: str) -> str:
    """The first line of a text with what changes masked: times, addresses, numbers, and names with digits."""
    mnemonic, line = spoken(text)
    words = [_PIECE.sub(_masked, word) if _DIGIT.search(word) is not None else word for word in line.split()]
    return " ".join((mnemonic, *words) if mnemonic else words)


def _masked(piece: re.Match[str]) -> str:
    if piece.lastgroup != "word":
        return f"<{piece.lastgroup}>"
    if _DIGIT.search(piece[0]) is None:
        return piece[0]
    return "<num>" if _NUMBER.fullmatch(piece[0]) else "<id>"


def _folded(text: str) -> str:
    return _SPACES.sub(" ", text.lower())


def words_say_recovery(text: str, words: Sequence[str] = RECOVERY_WORDS) -> bool:
    """Whether a line holds one of the words, as a whole word and in any case."""
    spoken = _NO_WORD.sub(" ", first_line(text)[:TEMPLATE_CHARS_MAX].lower())
    return any(f" {word.lower()} " in f" {spoken} " for word in words) and _NEGATION.search(spoken) is None


def state_word(name: str) -> tuple[str, bool | None]:
    """A name like ``HA_FAIL`` or ``LINK-UP`` without its word of state, and whether that says that all is well."""
    well: bool | None = None
    kept = []
    for part in re.split(r"[_.-]", name):
        word = part.lower()
        if word in UP_WORDS or word in DOWN_WORDS:
            well = word in UP_WORDS
        else:
            kept.append(part)
    return "_".join(kept), well

"""What matches in a text: pieces of it, each marked or not. No markup is in them; whoever shows them escapes them."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, text

# Characters that no text needs, and that are taken out of all before they mark what matches.
_BEGIN: Final = "\x02"
_END: Final = "\x03"
_GAP: Final = " … "

# Of a longer text the beginning is looked through: a page of excerpts must not take longer than the search.
LOOKED_THROUGH_CHARACTERS_MAX: Final = 10_000

_WHOLE: Final = f"HighlightAll=true, StartSel={_BEGIN}, StopSel={_END}"
_PARTS: Final = (
    f'MaxFragments=2, MaxWords=24, MinWords=8, FragmentDelimiter="{_GAP}", StartSel={_BEGIN}, StopSel={_END}'
)


class Piece(NamedTuple):
    """A piece of a text, as it was said.

    Attributes:
        is_match: whether it is what was searched for.
    """

    text: str
    is_match: bool


TEXTS: Final = ("resolution", "symptoms", "notes")
"""Of what there are excerpts, in the order in which they tell most."""


def marked(connection: Connection, ids: list[str], words: str) -> dict[str, dict[str, list[Piece]]]:
    """Of each incident the pieces of ``title``, and of the `TEXTS` that match.

    Args:
        connection: to the records store.
        ids: of the incidents.
        words: a `tsquery` as text.
    """
    parts = [_headline("title", "coalesce(title, '')", "whole")]
    parts += [_headline(name, f"left({name}_text, {LOOKED_THROUGH_CHARACTERS_MAX})", "parts") for name in TEXTS]
    asked = text(f"SELECT id, {', '.join(parts)} FROM incidents WHERE id = ANY(cast(:ids AS text[]))")  # noqa: S608  # of our own words
    given: dict[str, Any] = {"ids": ids, "words": words, "whole": _WHOLE, "parts": _PARTS, "marks": _BEGIN + _END}
    found: dict[str, dict[str, list[Piece]]] = {}
    for row in connection.execute(asked, given).mappings():
        matching = {name: pieces_of(row[name]) for name in TEXTS if _BEGIN in row[name]}
        found[row["id"]] = {"title": pieces_of(row["title"]), **matching}
    return found


def pieces_of(headline: str) -> list[Piece]:
    """The pieces of a text in which marks stand around what matches."""
    found: list[Piece] = []
    for number, part in enumerate(headline.split(_BEGIN)):
        match, marked_off, rest = part.partition(_END) if number else ("", "", part)
        if marked_off:
            found.append(Piece(match, is_match=True))
        elif number:
            rest = match  # no end: that is not marked by us
        if rest:
            found.append(Piece(rest, is_match=False))
    return found


def _headline(name: str, document: str, options: str) -> str:
    cleaned = f"translate({document}, :marks, '')"
    return f"ts_headline('english', {cleaned}, cast(:words AS tsquery), :{options}) AS {name}"

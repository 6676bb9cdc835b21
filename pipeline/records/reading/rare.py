"""Which words tell one incident from another: those that few incidents have, as the statistics of the store say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, text

# A word in more than this share of the incidents tells nothing.
COMMON_SHARE: Final = 0.02

# Statistics name a thousand lexemes or so, facts among them; a new store has none, and then no word is common.
_COMMON: Final = text("""
    SELECT word, share FROM pg_stats, unnest(
        most_common_elems::text::text[],
        most_common_elem_freqs[1:array_length(most_common_elems::text::text[], 1)]) AS each(word, share)
    WHERE schemaname = current_schema() AND tablename = 'incidents' AND attname = 'words'
        AND word = ANY(cast(:words AS text[]))""")

WORDS_MAX: Final = 200


def rare_words(connection: Connection, words: Iterable[str], most: int) -> list[str]:
    """The rarest of some words, the rarest first; words that are common are none of them."""
    known = sorted(words, key=lambda word: (-len(word), word))[:WORDS_MAX]
    shares: dict[str, float] = {each.word: each.share for each in connection.execute(_COMMON, {"words": known})}
    rare = [each for each in known if shares.get(each, 0.0) <= COMMON_SHARE and not each.isdigit() and len(each) > 2]
    return sorted(rare, key=lambda word: shares.get(word, 0.0))[:most]


_IS_COMMON: Final = text("""
    SELECT EXISTS (SELECT 1 FROM pg_stats, unnest(
        most_common_elems::text::text[],
        most_common_elem_freqs[1:array_length(most_common_elems::text::text[], 1)]) AS each(word, share)
    WHERE schemaname = current_schema() AND tablename = 'incidents' AND attname = 'words' AND share > :share
        AND word = ANY(tsvector_to_array(to_tsvector('english', :word))))""")


def is_common(connection: Connection, word: str) -> bool:
    """Whether so many incidents say a word, in whatever form, that nobody who types it means a longer one."""
    return bool(connection.scalar(_IS_COMMON, {"word": word, "share": COMMON_SHARE}))

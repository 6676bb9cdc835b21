"""What people type, as a question to the search index.

Written as `websearch_to_tsquery` reads it: words that must all be there, ``"a phrase"``, ``or``, ``-without``. Each
word is given to PostgreSQL's own parser as a value; what it makes of it, and facts that are quoted here, are all that
a question is made of. A word that looks like a name (INC-..., a ticket's number, a host) is also looked up as one, and
the last word may be the beginning of one, unless it is a common word itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, text

from pipeline.records.lexemes import LEXEME_CHARACTERS_MAX, fact, id_fact, is_fact
from pipeline.records.reading.filters import NOBODY, Filters
from pipeline.records.reading.rare import is_common
from pipeline.records.reading.scope import Scope

# Words of one search: more are a pasted log, and each of them costs.
TERMS_MAX: Final = 24

# PostgreSQL refuses words of more than 2,046 bytes, and nobody types one.
TERM_CHARACTERS_MAX: Final = 255

# The beginning of a word that is shorter stands for too many words.
PREFIX_CHARACTERS_MIN: Final = 3

_TERM: Final = re.compile(r'-?"[^"]*"?|\S+')
_LOOKS_LIKE_NAME: Final = re.compile(r"[\d\-_/.:@]")


@dataclass(frozen=True, slots=True)
class Asked:
    """A search as the index understands it.

    Attributes:
        words: what texts must say, as `tsquery` spells it; empty: nothing is asked of texts.
        names: what would be found by its name alone, as `tsquery` spells it; empty: none.
        nothing: something was typed, but nothing that could be found: stop words or punctuation alone.
    """

    words: str
    names: str
    nothing: bool


@dataclass(frozen=True, slots=True)
class _Term:
    said: str
    without: bool
    phrase: bool
    last: bool


def asked_of(connection: Connection, typed: str) -> Asked:
    """What a text asks for."""
    groups = _groups(typed)
    if not any(groups):
        return Asked("", "", bool(typed.replace("\0", " ").strip()))
    known = _known_by(connection, {term.said for terms in groups for term in terms if _is_name(term)})
    parameters: dict[str, Any] = {}
    begun = {term for terms in groups for term in terms if _is_begun(term) and not is_common(connection, term.said)}
    parts = [f"({' && '.join(_term(term, known, begun, parameters) for term in terms)})" for terms in groups]
    question = text(f"SELECT cast({' || '.join(parts)} AS text)")  # values are bound
    words: str = connection.scalar(question, parameters) or ""
    wanted = [term for terms in groups for term in terms if _is_name(term) and not term.without]
    return Asked(words, " | ".join(_names(term, known) for term in wanted), not words)


# Of one name: the newest incidents of a condition are what somebody looks for, older ones are found by its words.
KNOWN_BY_MAX: Final = 50

_KNOWN_BY: Final = text("""
    SELECT said, incident_id FROM unnest(cast(:names AS text[])) AS said CROSS JOIN LATERAL (
        SELECT incident_id, opened_at FROM episodes WHERE alert_key = said AND incident_id IS NOT NULL
        UNION ALL SELECT incident_id, opened_at FROM episodes WHERE id = said AND incident_id IS NOT NULL
        ORDER BY opened_at DESC LIMIT :most) AS known""")


def _known_by(connection: Connection, names: set[str]) -> dict[str, list[str]]:
    """Name -> incidents that alerts of that key, or an episode of that id, led to."""
    found: dict[str, list[str]] = {}
    if names:
        for said, incident_id in connection.execute(_KNOWN_BY, {"names": sorted(names), "most": KNOWN_BY_MAX}):
            found.setdefault(said, []).append(incident_id)
    return found


def _names(term: _Term, known: dict[str, list[str]]) -> str:
    """The facts that a name asks for: its own, and the incidents that alerts of that key led to."""
    return either(id_fact(each) for each in (term.said, *known.get(term.said, ())))


def facts_of(filters: Filters, scope: Scope) -> list[str]:
    """What filters and scope ask of the index, as `tsquery` spells it; all of it must hold.

    Not all that they ask: the columns are asked for all of it.
    """
    parts = [] if scope is None else [either(fact("domain", each) for each in sorted(scope))]
    for name in _EXACT:
        if (value := getattr(filters, name)) is not None:
            parts.append(quoted(fact(name, value)))
    for name in ("state", "priority"):
        if values := getattr(filters, name):
            parts.append(either(fact(name, each) for each in values))
    if filters.assignee is not None:
        nobody = filters.assignee == NOBODY
        parts.append(quoted(is_fact("unassigned") if nobody else fact("assignee", filters.assignee)))
    parts += [quoted(is_fact(flag)) for flag in _FLAGS if getattr(filters, flag)]
    if filters.kind == "bridge":
        parts.append(quoted(fact("kind", filters.kind)))
    if filters.at_risk:
        parts.append(quoted(is_fact("open")))
    return parts


_EXACT: Final = (
    "domain",
    "service",
    "owner",
    "category",
    "hosting_model",
    "infrastructure_layer",
    "severity",
)

# What nearly all have (closed, in no bridge, one space) is left to the columns: here it would cost and narrow nothing.
_FLAGS: Final = ("open", "member", "muted")


def either(facts: Iterable[str]) -> str:
    """One of these facts must hold; with none of them nothing is found."""
    each_of = [quoted(each) for each in facts]
    return f"({' | '.join(each_of)})" if each_of else quoted(is_fact("nothing"))


def quoted(lexeme: str) -> str:
    """A lexeme as `tsquery` spells it, whatever is in it."""
    cut = lexeme.replace("\0", "")[:LEXEME_CHARACTERS_MAX]
    return "'" + cut.replace("\\", "\\\\").replace("'", "''") + "'"


def _groups(typed: str) -> list[list[_Term]]:
    """Alternatives, each of which is what must all be there."""
    found: list[list[_Term]] = [[]]
    said = typed.replace("\0", " ")
    matches = list(_TERM.finditer(said))[:TERMS_MAX]
    for match in matches:
        term = match[0]
        if term.lower() == "or":
            found.append([])
            continue
        without = term.startswith("-") and len(term) > 1
        term = term[1:] if without else term
        phrase = term.startswith('"')
        words = term.replace('"', " ").strip()[:TERM_CHARACTERS_MAX]
        if any(map(str.isalnum, words)):
            found[-1].append(_Term(words, without, phrase, match.end() == len(said)))
    return [terms for terms in found if terms] or [[]]


def _term(term: _Term, known: dict[str, list[str]], begun: set[_Term], parameters: dict[str, Any]) -> str:
    """What a term asks, as SQL; its words are bound."""
    name = f"term_{len(parameters)}"
    # As a phrase also where it is one word: "-" or "or" at its beginning says nothing then.
    parameters[name] = f'"{term.said}"'
    alternatives = [f"websearch_to_tsquery('english', :{name})"]
    if _is_name(term):
        parameters[f"{name}_id"] = _names(term, known)
        alternatives.append(f"cast(:{name}_id AS tsquery)")
    if term in begun:
        parameters[f"{name}_begun"] = f"{term.said.lower()}:*"
        alternatives.append(f"to_tsquery('english', :{name}_begun)")
    question = f"({' || '.join(alternatives)})"
    return f"(!!{question})" if term.without else question


def _is_name(term: _Term) -> bool:
    return not term.phrase and bool(_LOOKS_LIKE_NAME.search(term.said))


def _is_begun(term: _Term) -> bool:
    """Whether it may be the beginning of a word: all words that begin so are put together, and that costs."""
    return term.last and not term.phrase and not term.without and _is_prefix(term.said)


def _is_prefix(said: str) -> bool:
    """Letters and digits alone, so that nothing in it means something to `to_tsquery`."""
    return len(said) >= PREFIX_CHARACTERS_MIN and said.isalnum() and not said.isdigit()

"""The catalogue seen from its names: which entity each name means, and what follows from an entity.

Two entities may share a name: Component goes before Resource before System, then the order of references.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from pipeline.models.catalog import Catalogue, Entity

# Longer values are no names: DNS allows 253 characters.
NAME_CHARS_MAX: Final = 253
HOST_LABELS: Final = ("instance", "host", "node", "hostname", "server", "url", "source")
"""Labels, of alerts and of catalogue entities alike, that hold a host."""

PLACE_LABELS: Final = ("exported_namespace", "namespace", "cluster", "rack", "zone")
"""Where something runs: many things do, so it counts only where the text names nothing."""

ENVIRONMENT_LABELS: Final = ("environment", "env")

# Labels that entities share by nature: a value of these identifies none, even where only one carries it yet.
# Hosts have a step of their own, which reads them with and without port and domain alike.
_SHARED_LABELS: Final = frozenset(
    ("team", "owner", "tier", "severity", "region", "priority", *HOST_LABELS, *PLACE_LABELS, *ENVIRONMENT_LABELS)
)
KIND_RANK: Final = {"component": 0, "resource": 1, "system": 2}
_KIND_RANK_OTHER: Final = 3
_WORD: Final = re.compile(r"[^\W_]+")
"""A word: letters and digits of any script; whatever else parts words."""

ASCII_WORDS: Final = bytes(
    ord(chr(code).lower()) if chr(code).isalnum() and code < 0x80 else 0x20 for code in range(256)
)
"""The same for ASCII, as a table of bytes: letters in lower case, digits, and a space for all else."""


class Term(NamedTuple):
    """A name in the catalogue.

    Attributes:
        rank: order among the entities that share the name: kind, kind of name, reference.
        ref: the entity.
        how: ``name``, ``host``, ``title`` or ``alias``.
    """

    rank: tuple[int, int, str]
    ref: str
    how: str


class Place(NamedTuple):
    """What follows from an entity."""

    service: str | None
    domain: str | None
    environment: str | None


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case."""
    if text.isascii():  # twice as fast, and nearly every text of a machine
        return text.encode().translate(ASCII_WORDS).decode().split()
    return _WORD.findall(text.lower())


def phrase_of(text: str) -> str:
    """A name as its words: ``Payments-API``, ``payments_api`` and ``payments api`` are one."""
    return " ".join(words_of(text))


def bare_host(value: str) -> str | None:
    """The host of ``host``, ``host:port``, ``[v6]:port`` or a web address; None where it is no host."""
    host = value.strip().lower()
    scheme, found, rest = host.partition("://")
    host = (rest if found else scheme).partition("/")[0].rpartition("@")[2]
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    host = host.rstrip(".")
    return host if len(host) <= NAME_CHARS_MAX and len(host.split()) == 1 else None


def terms_of(catalogue: Catalogue) -> dict[str, Term]:
    """Every name of every entity, as a phrase; where several share one, the first in rank has it."""
    terms: dict[str, Term] = {}
    for entity in catalogue.entities.values():
        kind = KIND_RANK.get(entity.kind, _KIND_RANK_OTHER)
        for order, (how, name) in enumerate(_names(entity)):
            phrase = phrase_of(name)
            term = Term((kind, order, entity.ref), entity.ref, how)
            if phrase and (phrase not in terms or term.rank < terms[phrase].rank):
                terms[phrase] = term
    for phrase, term in sorted(terms.items()):  # people write "mails" for "mail"
        if term.how == "alias" and phrase[-1].isalpha() and not phrase.endswith("s"):
            terms.setdefault(f"{phrase}s", term)
    return terms


def _names(entity: Entity) -> Iterator[tuple[str, str]]:
    yield "name", entity.name
    for label in HOST_LABELS:
        for host in entity.labels.get(label, "").split(","):
            yield "host", bare_host(host) or ""
    yield "title", entity.title
    for alias in entity.aliases:
        yield "alias", alias


def identifying_labels(catalogue: Catalogue) -> dict[tuple[str, str], str]:
    """Label values of the catalogue that exactly one entity carries."""
    owners: dict[tuple[str, str], list[str]] = {}
    for ref, entity in catalogue.entities.items():
        for label, value in entity.labels.items():
            if label not in _SHARED_LABELS:
                owners.setdefault((label, value), []).append(ref)
    return {pair: refs[0] for pair, refs in owners.items() if len(refs) == 1}


def places_of(catalogue: Catalogue) -> dict[str, Place]:
    """What follows from each entity.

    The service is the entity itself where it is a Component, else the one Component that directly depends on
    it. The domain is the entity's own, its system's, or its service's.
    """
    entities = catalogue.entities
    users: dict[str, list[str]] = {}
    for ref, entity in entities.items():
        if entity.kind == "component":
            for needed in dict.fromkeys(entity.depends_on):
                users.setdefault(needed, []).append(ref)
    places: dict[str, Place] = {}
    for ref, entity in entities.items():
        service = _service(entity, users.get(ref, []))
        domain = entity.domain or _system_domain(entity, catalogue)
        if domain is None and service is not None:
            served = entities[service]
            domain = served.domain or _system_domain(served, catalogue)
        places[ref] = Place(service, domain, entity.environment)
    return places


def _service(entity: Entity, users: list[str]) -> str | None:
    if entity.kind == "component":
        return entity.ref
    return users[0] if len(users) == 1 else None


def _system_domain(entity: Entity, catalogue: Catalogue) -> str | None:
    if entity.system is None:
        return None
    system = catalogue.entities.get(entity.system) or catalogue.entities.get(f"system:default/{entity.system}")
    return system.domain if system else None


def spellings_of(catalogue: Catalogue, terms: dict[str, Term]) -> dict[str, str]:
    """Names of entities as the catalogue writes them -> what each means: the spelling in which nearly all come.

    Not among them are names with a colon, which could be references, and what is too long for a name.
    """
    names = (entity.name for entity in catalogue.entities.values())
    spelled = {name: terms.get(phrase_of(name)) for name in names if ":" not in name and len(name) <= NAME_CHARS_MAX}
    return {name: term.ref for name, term in spelled.items() if term is not None}

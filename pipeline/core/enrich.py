"""Enrichment: which catalogue entity an alert is about, and so its service, domain and space.

Owns the matching of labels, hosts and business terms to the catalogue. The most specific fact wins:

    explicit reference > service labels > cloud dimensions > hosts > resources > words of the text > places

Only an unambiguous name counts: of two entities with one name, Component goes before Resource before System.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from pipeline.models.alert import Alert, FeedClass
from pipeline.models.catalog import Catalogue, Entity
from pipeline.models.policy import Config

SPACE_DEFAULT: Final = "production"

# A text names its subject early; the limit keeps a pasted log from costing milliseconds.
TEXT_CHARS_SCANNED_MAX: Final = 2_048
# An alert that names more entities than this names none in particular.
MENTIONS_MAX: Final = 8
# Longest name or alias of the catalogue in words; longer ones match as label values only.
PHRASE_WORDS_MAX: Final = 8
# Longer label values are no names: DNS allows 253 characters.
NAME_CHARS_MAX: Final = 253
# A word of one letter is no business term.
TERM_CHARS_MIN: Final = 2
# Spaces are partition keys and appear in ids; an environment is one short word.
SPACE_CHARS_MAX: Final = 63

# Labels that hold a whole catalogue reference.
REFERENCE_LABELS: Final = ("spillway.dev/entity", "spillway_entity", "backstage.io/entity-ref", "entity_ref")
# Labels that name a service or a part of one.
SERVICE_LABELS: Final = (
    "service",
    "app",
    "component",
    "job",
    "deployment",
    "app_kubernetes_io_name",
    "app.kubernetes.io/name",
    "statefulset",
    "service_instance",
    "components",
)
# CloudWatch dimensions that name one resource, most specific first.
DIMENSION_LABELS: Final = (
    "DBInstanceIdentifier",
    "DBClusterIdentifier",
    "ServiceName",
    "FunctionName",
    "QueueName",
    "TopicName",
    "TableName",
    "StreamName",
    "BucketName",
    "CacheClusterId",
    "InstanceId",
    "LoadBalancer",
    "TargetGroup",
    "ApiName",
    "AutoScalingGroupName",
    "ClusterName",
)
HOST_LABELS: Final = ("instance", "host", "node", "hostname", "server", "url", "source")
# Other labels and custom properties that name what is broken.
RESOURCE_LABELS: Final = ("resource", "database", "queue", "device", "container", "subject_CN", "secret_name")
# Where something runs: many things do, so it counts only where the text names nothing.
PLACE_LABELS: Final = ("exported_namespace", "namespace", "cluster", "rack", "zone")
ENVIRONMENT_LABELS: Final = ("environment", "env")
ENVIRONMENT_WORDS: Final = {
    "prod": "production", "prd": "production", "live": "production",
    "stg": "staging", "stage": "staging",
    "dev": "development",
}  # fmt: skip
# Labels that many entities share by nature; equal values of these do not identify an entity.
_SHARED_LABELS: Final = frozenset(
    ("team", "owner", "tier", "severity", "region", "priority", *PLACE_LABELS, *ENVIRONMENT_LABELS)
)

_KIND_RANK: Final = {"component": 0, "resource": 1, "system": 2}
_KIND_RANK_OTHER: Final = 3
_WORD: Final = re.compile(r"[^\W_]+")
_SEPARATOR: Final = re.compile(r"[/,]")
_POD_HASHES_MAX: Final = 2


class _Term(NamedTuple):
    """A name in the catalogue.

    Attributes:
        rank: order among the entities that share the name: kind, kind of name, reference.
        ref: the entity.
        how: ``name``, ``host``, ``title`` or ``alias``.
    """

    rank: tuple[int, int, str]
    ref: str
    how: str


class _Place(NamedTuple):
    """What follows from an entity."""

    service: str | None
    domain: str | None
    environment: str | None


class Enricher:
    """Matches alerts to the catalogue of one configuration. Builds its indexes once; holds no other state."""

    def __init__(self, config: Config) -> None:
        self._spaces = {name: feed.space for name, feed in config.feeds.items() if feed.space}
        self._entities = config.catalogue.entities
        self._terms = _terms(config.catalogue)
        self._labels = _identifying_labels(config.catalogue)
        self._places = _places(config.catalogue)
        # Longest phrase that starts with a word, in words: bounds the search at each word of a text.
        self._first_words: dict[str, int] = {}
        for phrase in self._terms:
            words = phrase.split(" ")
            if len(words) <= PHRASE_WORDS_MAX and len(phrase) >= TERM_CHARS_MIN and not phrase.isdigit():
                self._first_words[words[0]] = max(len(words), self._first_words.get(words[0], 0))

    def enrich(self, alert: Alert) -> None:
        """Fill space, entity, service, host, domain, mentions and matched_by of an alert, in place."""
        labels = alert.labels
        alert.host = _host(labels)
        mentions = self._mentions(alert)
        alert.mentions = [mention.ref for mention in mentions]
        matched = self._match(alert, mentions)
        if matched is not None:
            alert.entity, alert.matched_by = matched
        place = self._places.get(alert.entity) if alert.entity else None
        if place is not None:
            alert.service, alert.domain = place.service, place.domain
        alert.space = self._space(alert, place)

    def resolve(self, name: str) -> str | None:
        """Reference of the entity that a reference, name, title, alias or host means, or None."""
        if len(name) > NAME_CHARS_MAX:
            return None
        lowered = name.strip().lower()
        if lowered in self._entities:
            return lowered
        kind, found, rest = lowered.partition(":")
        if found and kind in _KIND_RANK and (reference := f"{kind}:default/{rest}") in self._entities:
            return reference
        term = self._terms.get(_phrase(lowered))
        return term.ref if term else self._resolve_host(lowered)

    # -- the match, most specific first

    def _match(self, alert: Alert, mentions: list[_Term]) -> tuple[str, str] | None:
        labels = alert.labels
        mentioned = (mentions[0].ref, mentions[0].how) if mentions else None
        if mentioned and alert.feed_class == FeedClass.DESK:  # people's words say more than a form's fields
            return mentioned
        return (
            self._by_reference(labels)
            or self._by_names(labels, SERVICE_LABELS)
            or self._by_pod(labels)
            or self._by_names(labels, DIMENSION_LABELS)
            or self._by_host(alert)
            or self._by_names(labels, RESOURCE_LABELS)
            or mentioned
            or self._by_names(labels, PLACE_LABELS)
        )

    def _by_reference(self, labels: Mapping[str, str]) -> tuple[str, str] | None:
        for label in REFERENCE_LABELS:
            if label in labels and (ref := self.resolve(labels[label])):
                return ref, f"label:{label}"
        if self._labels:
            for label, value in labels.items():
                if found := self._labels.get((label, value)):
                    return found, f"catalogue:{label}"
        return None

    def _by_names(self, labels: Mapping[str, str], names: tuple[str, ...]) -> tuple[str, str] | None:
        for label in names:
            value = labels.get(label)
            if value and (ref := self._resolve_parts(value)):
                return ref, f"label:{label}"
        return None

    def _resolve_parts(self, value: str) -> str | None:
        """An entity named by a value or by a part of it: ``namespace/name``, ``app/name/id``, ``a, b``."""
        if (ref := self.resolve(value)) is not None or len(value) > NAME_CHARS_MAX:
            return ref
        parts = _SEPARATOR.split(value.lower())
        for part in reversed(parts) if len(parts) > 1 else ():
            if term := self._terms.get(_phrase(part)):
                return term.ref
        return None

    def _by_pod(self, labels: Mapping[str, str]) -> tuple[str, str] | None:
        """The workload of a pod: its name before the one or two hashes that Kubernetes appends."""
        pod = labels.get("pod")
        if not pod or len(pod) > NAME_CHARS_MAX:
            return None
        for _ in range(_POD_HASHES_MAX + 1):
            if term := self._terms.get(_phrase(pod.lower())):
                return term.ref, "label:pod"
            pod = pod.rpartition("-")[0]
        return None

    def _by_host(self, alert: Alert) -> tuple[str, str] | None:
        for label in HOST_LABELS:
            value = alert.labels.get(label)
            if value and (host := _bare_host(value)) and (ref := self._resolve_host(host)):
                return ref, "host"
        return None

    def _resolve_host(self, host: str) -> str | None:
        """An entity by host name: whole first, then without each domain suffix. Addresses stay whole."""
        if len(host) > NAME_CHARS_MAX:
            return None
        while True:
            if term := self._terms.get(_phrase(host)):
                return term.ref
            host, found, last = host.rpartition(".")
            if not found or last.isdigit():
                return None

    # -- words of the text

    def _mentions(self, alert: Alert) -> list[_Term]:
        """Entities that the text names, each once: longest name first, then as they come."""
        found: dict[str, tuple[int, int, _Term]] = {}
        for text in _texts(alert):
            for words, chars, term in self._phrases_in(text):
                known = found.get(term.ref)
                if known is None or (words, chars) > known[:2]:
                    found[term.ref] = (words, chars, term)
        if len(found) > 1:
            ordered = sorted(found.values(), key=lambda mention: (-mention[0], -mention[1]))
            return [term for _, _, term in ordered[:MENTIONS_MAX]]
        return [term for _, _, term in found.values()]

    def _phrases_in(self, text: str) -> Iterator[tuple[int, int, _Term]]:
        """Catalogue names in a text by whole words, longest at each place: words, characters, term."""
        words = _WORD.findall(text)
        first_words, terms = self._first_words, self._terms
        at, count = 0, len(words)
        while at < count:
            longest = first_words.get(words[at], 0)
            for length in range(min(longest, count - at), 0, -1):
                phrase = words[at] if length == 1 else " ".join(words[at : at + length])
                if (term := terms.get(phrase)) is not None and len(phrase) >= TERM_CHARS_MIN:
                    yield length, len(phrase), term
                    at += length - 1
                    break
            at += 1

    def _space(self, alert: Alert, place: _Place | None) -> str:
        if (space := self._spaces.get(alert.feed)) is not None:
            return space
        if place is not None and place.environment:
            return place.environment
        for label in ENVIRONMENT_LABELS:
            word = alert.labels.get(label, "").strip().lower()
            if word and len(word) <= SPACE_CHARS_MAX:
                return ENVIRONMENT_WORDS.get(word, word)
        return SPACE_DEFAULT


def _phrase(text: str) -> str:
    """A name as its words: ``payments-api``, ``payments_api`` and ``payments api`` are one."""
    return " ".join(_WORD.findall(text))


def _texts(alert: Alert) -> Iterator[str]:
    """The texts to look in, lower case, most telling first, each once."""
    summary = alert.summary[:TEXT_CHARS_SCANNED_MAX].lower()
    yield summary
    if alert.feed_class == FeedClass.DESK:
        yield alert.labels.get("service_instance", "").lower()
    elif alert.name != alert.summary:
        yield alert.name[:TEXT_CHARS_SCANNED_MAX].lower()
    if alert.description and alert.description != alert.summary:
        yield alert.description[:TEXT_CHARS_SCANNED_MAX].lower()


def _host(labels: Mapping[str, str]) -> str | None:
    for label in HOST_LABELS:
        if (value := labels.get(label)) and (host := _bare_host(value)):
            return host
    return None


def _bare_host(value: str) -> str | None:
    """The host of ``host``, ``host:port``, ``[v6]:port`` or a web address; None where it is no host."""
    host = value.strip().lower()
    scheme, found, rest = host.partition("://")
    host = (rest if found else scheme).partition("/")[0].rpartition("@")[2]
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    host = host.rstrip(".")
    return host if host and len(host) <= NAME_CHARS_MAX and not host.isspace() else None


def _terms(catalogue: Catalogue) -> dict[str, _Term]:
    """Every name of every entity, as a phrase; where several share one, the first in rank has it."""
    terms: dict[str, _Term] = {}
    for entity in catalogue.entities.values():
        kind = _KIND_RANK.get(entity.kind, _KIND_RANK_OTHER)
        for order, (how, name) in enumerate(_names(entity)):
            phrase = _phrase(name.lower())
            term = _Term((kind, order, entity.ref), entity.ref, how)
            if phrase and (phrase not in terms or term.rank < terms[phrase].rank):
                terms[phrase] = term
    return terms


def _names(entity: Entity) -> Iterator[tuple[str, str]]:
    yield "name", entity.name
    for label in HOST_LABELS:
        for host in entity.labels.get(label, "").split(","):
            yield "host", _bare_host(host) or ""
    yield "title", entity.title
    for alias in entity.aliases:
        yield "alias", alias


def _identifying_labels(catalogue: Catalogue) -> dict[tuple[str, str], str]:
    """Label values of the catalogue that exactly one entity carries."""
    owners: dict[tuple[str, str], list[str]] = {}
    for ref, entity in catalogue.entities.items():
        for label, value in entity.labels.items():
            if label not in _SHARED_LABELS:
                owners.setdefault((label, value), []).append(ref)
    return {pair: refs[0] for pair, refs in owners.items() if len(refs) == 1}


def _places(catalogue: Catalogue) -> dict[str, _Place]:
    entities = catalogue.entities
    users: dict[str, list[str]] = {}
    for ref, entity in entities.items():
        if entity.kind == "component":
            for needed in dict.fromkeys(entity.depends_on):
                users.setdefault(needed, []).append(ref)
    places: dict[str, _Place] = {}
    for ref, entity in entities.items():
        service = _service(entity, users.get(ref, []))
        domain = entity.domain or _system_domain(entity, catalogue)
        if domain is None and service is not None:
            served = entities[service]
            domain = served.domain or _system_domain(served, catalogue)
        places[ref] = _Place(service, domain, entity.environment)
    return places


def _service(entity: Entity, users: list[str]) -> str | None:
    if entity.kind == "component":
        return entity.ref
    return users[0] if len(users) == 1 else None


def _system_domain(entity: Entity, catalogue: Catalogue) -> str | None:
    if entity.system is None:
        return None
    system = catalogue.entities.get(entity.system) or catalogue.entities.get(
        f"system:default/{entity.system}"
    )
    return system.domain if system else None

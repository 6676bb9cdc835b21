"""Enrichment: which catalogue entity an alert is about, and so its service, domain and space.

Owns the matching of labels, rules, hosts and business terms to the catalogue. The most specific fact wins: `MATCHING`
is the order. Only an unambiguous name counts: of two entities with one name, Component goes before Resource before
System.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from pipeline.core.alerts.own_alerts import OWN_FEED, SPACE_CHARS_MAX, own_space
from pipeline.core.alerts.recall import Recall
from pipeline.core.alerts.rules import Rules
from pipeline.core.names import (
    ENVIRONMENT_LABELS,
    HOST_LABELS,
    KIND_RANK,
    NAME_CHARS_MAX,
    PLACE_LABELS,
    Place,
    Term,
    bare_host,
    identifying_labels,
    phrase_of,
    places_of,
    spellings_of,
    terms_of,
    words_of,
)
from pipeline.models.alert import Alert, FeedClass
from pipeline.models.policy import Config

SPACE_DEFAULT: Final = "production"

# A text names its subject early; the limit keeps a pasted log from costing milliseconds.
TEXT_CHARS_SCANNED_MAX: Final = 2_048
# An alert that names more entities than this names none in particular.
MENTIONS_MAX: Final = 8
# Longest name or alias of the catalogue in words; longer ones match as label values only.
PHRASE_WORDS_MAX: Final = 8
# A word of one letter is no business term.
TERM_CHARS_MIN: Final = 2

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
# Other labels and custom properties that name what is broken.
RESOURCE_LABELS: Final = ("resource", "database", "queue", "device", "container", "subject_CN", "secret_name")
ENVIRONMENT_WORDS: Final = {
    "prod": "production", "prd": "production", "live": "production",
    "stg": "staging", "stage": "staging",
    "dev": "development",
}  # fmt: skip
_POD_HASHES_MAX: Final = 2
_DESK: Final = FeedClass.DESK.value
# Few alerts have any of these, and to ask for none of them at once is faster than to ask for each.
_HOST_LABELS: Final = frozenset(HOST_LABELS)
_DIMENSION_LABELS: Final = frozenset(DIMENSION_LABELS)
_RESOURCE_LABELS: Final = frozenset(RESOURCE_LABELS)

# Texts whose meaning is remembered: rule names, service labels and the summaries that are on just now.
# Texts that are long are rarely the same twice; with both limits the memory stays below 4 MiB.
TEXTS_REMEMBERED_MAX: Final = 4_096
REMEMBERED_CHARS_MAX: Final = 256


Match = tuple[str, str]
"""Reference of an entity, and how it was found: ``matched_by`` of the alert."""


class Way(NamedTuple):
    """One way to find the entity of an alert.

    Attributes:
        method: of `Enricher`.
        looks_at: for the documentation.
        matched_by: what the alert says of it then.
    """

    method: str
    looks_at: str
    matched_by: str


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


MATCHING: Final = (
    Way("_by_people", "tickets of people alone: names, titles and aliases in their words", "`name`, `title`, `alias`"),
    Way("_by_reference", f"labels that hold a whole reference: {_listed(REFERENCE_LABELS)}", "`label:<label>`"),
    Way("_by_catalogue", "a label with a value that one entity alone carries in its descriptor", "`catalogue:<label>`"),
    Way("_by_service", f"labels that name a service: {_listed(SERVICE_LABELS)}", "`label:<label>`"),
    Way("_by_pod", "the label `pod`, without the hashes that Kubernetes appends", "`label:pod`"),
    Way("_by_dimension", f"dimensions of CloudWatch: {_listed(DIMENSION_LABELS)}", "`label:<label>`"),
    Way("_by_rule", "rules of `matching.yaml`, in the order written", "`rule:<name>`"),
    Way("_by_host", f"hosts, with and without port and domain: {_listed(HOST_LABELS)}", "`host`"),
    Way("_by_resource", f"labels that name a resource: {_listed(RESOURCE_LABELS)}", "`label:<label>`"),
    Way("_by_words", "names, titles and aliases in summary, name and description", "`name`, `title`, `alias`, `host`"),
    Way("_by_place", f"where it runs: {_listed(PLACE_LABELS)}", "`label:<label>`"),
)
"""The order in which an alert's entity is looked for. The first way that finds one ends the search."""


class Enricher:
    """Matches alerts to the catalogue of one configuration. Builds its indexes once; holds no other state.

    Attributes:
        recall: what messages came to under this configuration; here because partitions of one process share it.
    """

    def __init__(self, config: Config) -> None:
        self._spaces = {name: feed.space for name, feed in config.feeds.items() if feed.space}
        self._entities = config.catalogue.entities
        self._terms = terms_of(config.catalogue)
        self._spelled = spellings_of(config.catalogue, self._terms)
        self._labels = identifying_labels(config.catalogue)
        self._places = places_of(config.catalogue)
        self._spoken = {phrase: term for phrase, term in self._terms.items() if _can_be_spoken(phrase)}
        # Longest phrase that starts with a word, in words: bounds the search at each word of a text.
        self._first_words: dict[str, int] = {}
        for phrase in self._spoken:
            words = phrase.split(" ")
            self._first_words[words[0]] = max(len(words), self._first_words.get(words[0], 0))
        self.recall = Recall()
        # What depends on one text alone; labels and rule names come again and again.
        self._named_by = lru_cache(TEXTS_REMEMBERED_MAX)(self._resolve_parts)
        self._phrases = lru_cache(TEXTS_REMEMBERED_MAX)(self._phrases_in)
        self._rules = Rules(config.matching, self.resolve)
        self._ways: list[Callable[[Alert, list[Term]], Match | None]] = [getattr(self, way.method) for way in MATCHING]

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
        if found and kind in KIND_RANK and (reference := f"{kind}:default/{rest}") in self._entities:
            return reference
        term = self._terms.get(phrase_of(lowered))
        return term.ref if term else self._resolve_host(lowered)

    # -- the ways of `MATCHING`

    def _match(self, alert: Alert, mentions: list[Term]) -> Match | None:
        for way in self._ways:
            found = way(alert, mentions)
            if found is not None:
                return found
        return None

    def _by_people(self, alert: Alert, mentions: list[Term]) -> Match | None:
        """People's words say more than a form's fields."""
        return self._by_words(alert, mentions) if alert.feed_class == _DESK else None

    def _by_reference(self, alert: Alert, _: list[Term]) -> Match | None:
        labels = alert.labels
        for label in REFERENCE_LABELS:
            if label in labels and (ref := self.resolve(labels[label])):
                return ref, f"label:{label}"
        return None

    def _by_catalogue(self, alert: Alert, _: list[Term]) -> Match | None:
        if self._labels:
            for label, value in alert.labels.items():
                if found := self._labels.get((label, value)):
                    return found, f"catalogue:{label}"
        return None

    def _by_service(self, alert: Alert, _: list[Term]) -> Match | None:
        return self._by_names(alert, SERVICE_LABELS)

    def _by_dimension(self, alert: Alert, _: list[Term]) -> Match | None:
        return None if _DIMENSION_LABELS.isdisjoint(alert.labels) else self._by_names(alert, DIMENSION_LABELS)

    def _by_rule(self, alert: Alert, _: list[Term]) -> Match | None:
        return self._rules.match(alert)

    def _by_resource(self, alert: Alert, _: list[Term]) -> Match | None:
        return None if _RESOURCE_LABELS.isdisjoint(alert.labels) else self._by_names(alert, RESOURCE_LABELS)

    def _by_words(self, _: Alert, mentions: list[Term]) -> Match | None:
        return (mentions[0].ref, mentions[0].how) if mentions else None

    def _by_place(self, alert: Alert, _: list[Term]) -> Match | None:
        return self._by_names(alert, PLACE_LABELS)

    def _by_names(self, alert: Alert, names: tuple[str, ...]) -> Match | None:
        labels = alert.labels
        for label in names:
            value = labels.get(label)
            if value and (ref := self._named(value)):
                return ref, f"label:{label}"
        return None

    def _named(self, value: str) -> str | None:
        """What a label's value names."""
        spelled = self._spelled.get(value)
        if spelled is not None:
            return spelled
        return self._named_by(value) if len(value) <= REMEMBERED_CHARS_MAX else self._resolve_parts(value)

    def _resolve_parts(self, value: str) -> str | None:
        """An entity named by a value or by a part of it: ``namespace/name``, ``app/name/id``, ``a, b``."""
        if (ref := self.resolve(value)) is not None or len(value) > NAME_CHARS_MAX:
            return ref
        if "/" not in value and "," not in value:
            return None
        for item in value.lower().split(","):
            for part in reversed(item.split("/")):
                if term := self._terms.get(phrase_of(part)):
                    return term.ref
        return None

    def _by_pod(self, alert: Alert, _: list[Term]) -> Match | None:
        """The workload of a pod: its name before the one or two hashes that Kubernetes appends."""
        pod = alert.labels.get("pod")
        if not pod or len(pod) > NAME_CHARS_MAX:
            return None
        for _hashes in range(_POD_HASHES_MAX + 1):
            if term := self._terms.get(phrase_of(pod)):
                return term.ref, "label:pod"
            pod = pod.rpartition("-")[0]
        return None

    def _by_host(self, alert: Alert, _: list[Term]) -> Match | None:
        if alert.host is None:
            return None
        for label in HOST_LABELS:
            value = alert.labels.get(label)
            if value and (host := bare_host(value)) and (ref := self._resolve_host(host)):
                return ref, "host"
        return None

    def _resolve_host(self, host: str) -> str | None:
        """An entity by host name: whole first, then without each domain suffix. Addresses stay whole."""
        if len(host) > NAME_CHARS_MAX:
            return None
        while True:
            if term := self._terms.get(phrase_of(host)):
                return term.ref
            host, found, last = host.rpartition(".")
            if not found or last.isdigit():
                return None

    # -- words of the text

    def _mentions(self, alert: Alert) -> list[Term]:
        """Entities that the text names, each once: longest name first, then as they come."""
        found: dict[str, tuple[int, int, Term]] = {}
        for text in _texts(alert):
            phrases = self._phrases if len(text) <= REMEMBERED_CHARS_MAX else self._phrases_in
            for phrase in phrases(text):
                ref = phrase[2].ref
                known = found.get(ref)
                if known is None or phrase[:2] > known[:2]:
                    found[ref] = phrase
        if len(found) > 1:
            ordered = sorted(found.values(), key=lambda mention: (-mention[0], -mention[1]))
            return [term for _, _, term in ordered[:MENTIONS_MAX]]
        return [term for _, _, term in found.values()]

    def _phrases_in(self, text: str) -> tuple[tuple[int, int, Term], ...]:
        """Catalogue names in a text by whole words, longest at each place: words, characters, term."""
        words = words_of(text)
        first_words, spoken = self._first_words, self._spoken
        found: list[tuple[int, int, Term]] = []
        at, free_from = -1, 0
        for word in filter(first_words.__contains__, words):  # few words of a text begin a name
            at = words.index(word, at + 1)
            if at < free_from:
                continue
            for length in range(min(first_words[word], len(words) - at), 0, -1):
                phrase = word if length == 1 else " ".join(words[at : at + length])
                if (term := spoken.get(phrase)) is not None:
                    found.append((length, len(phrase), term))
                    free_from = at + length
                    break
        return tuple(found)

    def _space(self, alert: Alert, place: Place | None) -> str:
        if alert.feed == OWN_FEED:
            return own_space(alert.labels)
        if (space := self._spaces.get(alert.feed)) is not None:
            return space
        if place is not None and place.environment:
            return place.environment
        for label in ENVIRONMENT_LABELS:
            word = alert.labels.get(label, "").strip().lower()
            if word and len(word) <= SPACE_CHARS_MAX:
                return ENVIRONMENT_WORDS.get(word, word)
        return SPACE_DEFAULT


def _can_be_spoken(phrase: str) -> bool:
    """Whether a catalogue name may be looked for in free text: a lone letter or a bare number means too much."""
    return len(phrase) >= TERM_CHARS_MIN and not phrase.isdigit() and phrase.count(" ") < PHRASE_WORDS_MAX


def _texts(alert: Alert) -> list[str]:
    """The texts to look in, most telling first, each once."""
    texts = [alert.summary[:TEXT_CHARS_SCANNED_MAX]]
    if alert.feed_class == _DESK:
        texts.append(alert.labels.get("service_instance", "")[:TEXT_CHARS_SCANNED_MAX])
    elif alert.name != alert.summary:
        texts.append(alert.name[:TEXT_CHARS_SCANNED_MAX])
    if alert.description and alert.description != alert.summary:
        texts.append(alert.description[:TEXT_CHARS_SCANNED_MAX])
    return texts


def _host(labels: Mapping[str, str]) -> str | None:
    if _HOST_LABELS.isdisjoint(labels):
        return None
    for label in HOST_LABELS:
        if (value := labels.get(label)) and (host := bare_host(value)):
            return host
    return None

"""Whether a peer did the job: its output against a digest of what the alerts must come to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson
from confluent_kafka import Message

from benchmarks.broker import Broker
from benchmarks.peers.job import Document, count, flatten

_MASK: Final = (1 << 64) - 1
_ORDERLESS: Final = ("domain", "fingerprint", "status", "service", "severity")
"""Fields of a change that do not depend on the order in which a peer happens to read the partitions."""


@dataclass(slots=True)
class Digest:
    """Sum of hashes: the same for the same documents in any order.

    Attributes:
        records: how many.
        accepted: over every field of what goes from the first stage to the second.
        changes: over `_ORDERLESS` of what comes out.
    """

    records: int = 0
    accepted: int = 0
    changes: int = 0

    def add(self, flat: Document) -> None:
        """One document of the first stage."""
        self.records += 1
        self.accepted = (self.accepted + _hash(flat)) & _MASK

    def add_change(self, change: Document) -> None:
        """One document of the second stage."""
        self.changes = (self.changes + _hash([change[name] for name in _ORDERLESS])) & _MASK


class Expectation:
    """What the job must come to, worked out without any broker, alert by alert."""

    def __init__(self, services: dict[str, Document]) -> None:
        self.digest = Digest()
        self._services = services
        self._seen: dict[str, Document] = {}

    def take(self, alert: Document) -> None:
        """The next alert."""
        flat = flatten(alert, self._services)
        fingerprint = flat["fingerprint"]
        self._seen[fingerprint], news = count(self._seen.get(fingerprint), flat)
        if news:
            self.digest.add(flat)
            self.digest.add_change(flat)


def expected(alerts: Iterable[Document], services: dict[str, Document]) -> Digest:
    """What the job must come to."""
    expectation = Expectation(services)
    for alert in alerts:
        expectation.take(alert)
    return expectation.digest


def found(broker: Broker, accepted: str, changes: str) -> Digest:
    """What a peer wrote, committed."""
    digest = Digest()

    def take_accepted(message: Message) -> None:
        digest.add(orjson.loads(message.value() or b""))

    def take_change(message: Message) -> None:
        digest.add_change(orjson.loads(message.value() or b""))

    broker.read(accepted, take_accepted)
    broker.read(changes, take_change)
    return digest


def _hash(document: Any) -> int:
    text = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")

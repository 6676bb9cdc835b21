"""What made-up incidents say: failures as people and monitors word them, and words as unevenly used as words are."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

VOCABULARY: Final = 30_000
"""Words of notes and symptoms beside those of the failures: the commonest is in half of the incidents, the rarest in
some hundreds of a million."""

SENTENCES: Final = 30_000
"""So many different sentences are said of them: drawing words for each would take longer than the store does."""

WORDS_IN_A_SENTENCE: Final = 8

_SYLLABLES: Final = (
    "ba be bo da de do fa fe go ha ka ke ko la le lo ma me mo na ne no pa pe po ra re ro sa se so ta te to".split()
)
_ENDINGS: Final = ("n", "r", "s", "t", "x", "m", "l", "d")


@dataclass(frozen=True, slots=True)
class Failure:
    """A way to fail: its category, what is said of it, and what ends it."""

    category: str
    layer: str
    symptoms: tuple[str, ...]
    cause: str
    fix: str
    code: str


FAILURES: Final = (
    Failure(
        "availability",
        "application",
        ("{s} answers with HTTP 503", "requests to {s} fail", "users cannot open {s}"),
        "a release left {h} without its configuration",
        "the release was rolled back",
        "change_reverted",
    ),
    Failure(
        "performance",
        "application",
        ("{s} is slow", "latency of {s} above its target", "timeouts calling {s}"),
        "a query without an index on {h}",
        "the index was created",
        "configuration",
    ),
    Failure(
        "performance",
        "database",
        ("connections of {h} are exhausted", "{s} waits for the database", "deadlock on {h}"),
        "a report job keeps its connections open",
        "the job was stopped and its pool capped",
        "configuration",
    ),
    Failure(
        "capacity",
        "compute",
        ("disk of {h} is full", "no space left on device on {h}", "{s} cannot write"),
        "logs were not rotated on {h}",
        "old logs were removed, rotation is on",
        "capacity_added",
    ),
    Failure(
        "capacity",
        "compute",
        ("memory of {h} is above 95 %", "{s} is killed and starts again", "swap in use on {h}"),
        "a memory leak of the last release",
        "the leak is fixed in the new release",
        "bug_fixed",
    ),
    Failure(
        "certificate",
        "identity",
        ("the certificate of {h} has expired", "sign in to {s} fails", "browser warns of {s}"),
        "the renewal job ran with a revoked account",
        "the certificate was renewed",
        "certificate_renewed",
    ),
    Failure(
        "mail_flow",
        "application",
        ("mail is delayed", "queue on {h} grows", "messages to suppliers bounce"),
        "a routing rule of the gateway",
        "the rule was reverted",
        "change_reverted",
    ),
    Failure(
        "network",
        "network",
        ("packet loss to {h}", "{s} unreachable from the branches", "BGP session of {h} down"),
        "a line card of {h} failed",
        "the line card was replaced",
        "hardware_replaced",
    ),
    Failure(
        "remote_access",
        "network",
        ("VPN disconnects every hour", "token of {s} refused", "home office cannot sign in"),
        "a clock drifted on {h}",
        "time is synchronised again",
        "configuration",
    ),
    Failure(
        "data",
        "database",
        ("replication of {h} is behind", "stale orders in {s}", "report of {s} shows yesterday"),
        "a long transaction on {h}",
        "the transaction was ended",
        "workaround",
    ),
    Failure(
        "integration",
        "application",
        ("payment provider declines everything", "webhook of {s} not delivered", "invoices missing in {s}"),
        "the provider changed its signature",
        "the new signature is accepted",
        "vendor_fixed",
    ),
    Failure(
        "printing",
        "application",
        ("printer on floor 3 jams", "labels of {s} unreadable", "print queue on {h} stuck"),
        "a worn roller",
        "the roller was replaced",
        "hardware_replaced",
    ),
    Failure(
        "messaging",
        "application",
        ("consumer lag of {s} grows", "kafka broker {h} out of sync", "events of {s} late"),
        "a poison record stopped the consumer",
        "the record was set aside",
        "bug_fixed",
    ),
    Failure(
        "storage",
        "compute",
        ("volume of {h} read only", "latency of storage behind {s}", "RAID of {h} degraded"),
        "a disk of {h} failed",
        "the disk was replaced",
        "hardware_replaced",
    ),
    Failure(
        "dns",
        "network",
        ("name of {s} does not resolve", "NXDOMAIN for {h}", "intermittent lookups of {s}"),
        "a zone was published without a record",
        "the record is back",
        "configuration",
    ),
    Failure(
        "security",
        "identity",
        ("accounts of {s} locked", "brute force against {h}", "unusual sign in to {s}"),
        "a script with an old password",
        "the script has its own account",
        "user_error",
    ),
)


class Vocabulary:
    """Sentences of words that are used as unevenly as Zipf found them."""

    def __init__(self, seed: int) -> None:
        """Make them; the same seed makes the same."""
        numbers = random.Random(seed)  # noqa: S311  # made-up data
        made: dict[str, None] = {}
        while len(made) < VOCABULARY:
            syllables = (numbers.choice(_SYLLABLES) for _ in range(numbers.randint(2, 4)))
            made["".join(syllables) + numbers.choice(_ENDINGS)] = None
        self.words = list(made)
        weights = list(accumulate(1 / (rank + 10) for rank in range(VOCABULARY)))
        drawn = numbers.choices(self.words, cum_weights=weights, k=SENTENCES * WORDS_IN_A_SENTENCE)
        starts = range(0, len(drawn), WORDS_IN_A_SENTENCE)
        self.sentences = [" ".join(drawn[start : start + WORDS_IN_A_SENTENCE]) for start in starts]

"""Mutants: the samples of all sources, damaged by a seed, each with the feed that it comes in by.

A mutant depends on the seed and its number alone, so any of them can be made again by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from random import Random
from typing import Any, Final, NamedTuple

import orjson

from pipeline.core.step import Headers
from pipeline.flow import RAW_VALUE_BYTES_MAX
from pipeline.models.policy import Feed
from tests.feeds.payloads import SAMPLE_OF, Sample
from tests.fuzz.trees import LONG_BYTES, PIECES, WORDS, damage, lengthen, written

OVERSIZE_SHARE: Final = 0.0005
"""Of all mutants: one MiB of bytes is slow to make, and there is one way to refuse it."""

OTHERWISE: Final[dict[str, dict[str, Any]]] = {
    "alertmanager": {"identity_labels": ["alertname", "service"]},
    "cloudevents": {"ttl_seconds": 60},
    "dynatrace": {"custom_alert_severity": "error"},
    "icinga2": {"quiet_in_downtime": True},
    "nagios": {"zone": "Europe/Berlin", "date_format": "us"},
    "otel-logs": {"severity_at_least": "info", "identity_attributes": ["db.system.name", "retry.count"]},
    "servicenow": {"site": "https://meridian.service-now.example", "tables": ["incident", "problem"]},
    "snmp-logstash": {"target": "trap"},
    "splunk": {"identity": ["host", "count"], "severity_words": {"high": "critical"}},
    "syslog": {"severity_at_least": "debug", "zone": "Europe/Berlin", "identity_params": ["peer", "origin.ip"]},
    "syslog-vector": {"severity_at_least": "debug", "zone": "Europe/Berlin", "identity_params": ["peer"]},
    "zabbix-webhook": {"zone": "Europe/Berlin"},
    "zendesk": {"site": "https://meridian.zendesk.example"},
}
"""Options that take adapters through other parts of their code: local times, other identities, all severities."""

VALUE_BYTES_MAX: Final = 2 * RAW_VALUE_BYTES_MAX
"""Damage upon damage would become larger than brokers take."""

LONG_SHARE: Final = 0.05
OTHERWISE_SHARE: Final = 0.2
STRANGERS_SHARE: Final = 0.04
"""Messages in the topic of another source."""

_NOISE: Final = (
    b"\x00", b"\xff", b"\xc3\x28", b"\xe2\x28\xa1", b"\xf0\x28\x8c\x28", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xc0\xaf",
    b"\xf4\x90\x80\x80", b"\x80", b"\r\n", b"\n", b"\t", b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"<", b">1 ",
    b"\\u0000", b"\\ud800", b"\\udfff\\ud800", b"NaN", b"-", b"1e999", b"{}{}", b"]]]", b"/**/", b"%00", b"0" * 300,
)  # fmt: skip


class Seed(NamedTuple):
    """A sample as it arrives: bytes, headers, and its document where it is JSON."""

    name: str
    feed: Feed
    value: bytes
    headers: Headers
    document: Any


class Mutant(NamedTuple):
    """One damaged message."""

    number: int
    sample: str
    feed: Feed
    value: bytes
    headers: Headers


def _seed(sample: Sample) -> Seed:
    value = sample.file.read_bytes()
    document = _document(value)
    if isinstance(document, dict) and set(document) == {
        "kafka"
    }:  # a Kafka record written down: its value is the message
        document = document["kafka"]["value"]
        value = orjson.dumps(document)
    name = f"{sample.adapter}-{sample.name}" if sample.options else sample.adapter
    feed = Feed(name=name, adapter=sample.adapter, options=sample.options)
    return Seed(sample.name, feed, value, sample.headers, document)


def _document(value: bytes) -> Any:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return None


SEEDS: Final[tuple[Seed, ...]] = tuple(map(_seed, SAMPLE_OF.values()))
DONORS: Final = [seed.document for seed in SEEDS if seed.document is not None]
FEEDS: Final[dict[str, Feed]] = {seed.feed.name: seed.feed for seed in SEEDS} | {
    f"{adapter}-otherwise": Feed(name=f"{adapter}-otherwise", adapter=adapter, options=options)
    for adapter, options in OTHERWISE.items()
}
"""A feed for each adapter, one for each sample that needs options, and one for each adapter with other options."""


def mutant(seed: int, number: int, seeds: Sequence[Seed] = SEEDS) -> Mutant:
    """The mutant of a number; the samples take turns, so that each gets its share."""
    random = Random(f"{seed}/{number}")  # noqa: S311 chance that can be repeated is what is wanted
    chosen = seeds[number % len(seeds)]
    value = _value(chosen, random)[:VALUE_BYTES_MAX]
    if random.random() < OVERSIZE_SHARE:
        value += b" " * (RAW_VALUE_BYTES_MAX - len(value) + random.choice((-1, 0, 1)))
    return Mutant(number, chosen.name, _feed(chosen, random), value, _headers(chosen, random))


def _feed(chosen: Seed, random: Random) -> Feed:
    draw = random.random()
    if draw < OTHERWISE_SHARE:
        return FEEDS.get(f"{chosen.feed.adapter}-otherwise", chosen.feed)
    return random.choice(SEEDS).feed if draw > 1 - STRANGERS_SHARE else chosen.feed


def _value(chosen: Seed, random: Random) -> bytes:
    if chosen.document is None and random.random() < LONG_SHARE:
        piece = random.choice(PIECES).encode()
        return random.choice((chosen.value, b"")) + piece * (LONG_BYTES // len(piece))
    if chosen.document is None or random.random() < 0.2:
        value = chosen.value
        for _ in range(random.choice((1, 1, 2, 4))):
            value = random.choice(_BYTE_WAYS)(value, random)
        return value
    document = deepcopy(chosen.document)
    if random.random() < LONG_SHARE:
        return written(lengthen(document, random)).encode()
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        document = damage(document, DONORS, random)
    # Lone surrogates are escapes in ASCII, and not UTF-8 otherwise.
    text = written(document, ascii_only=random.random() < 0.8)
    value = text.encode(errors="surrogatepass")
    return random.choice(_BYTE_WAYS)(value, random) if random.random() < 0.05 else value


def _headers(chosen: Seed, random: Random) -> Headers:
    headers = list(chosen.headers)
    if not headers or random.random() < 0.6:
        return tuple(headers)
    for _ in range(random.choice((1, 2))):
        at = random.randrange(len(headers))
        name, value = headers[at]
        headers[at] = random.choice(
            [
                (name, random.choice(WORDS).encode(errors="replace")),
                (name, random.choice(_NOISE)),
                (name, value[: random.randrange(len(value) + 1)]),
                (name, value * 300),
                (name.upper(), value),
                (f"{name}-", value),
                random.choice(random.choice(SEEDS).headers or [("", b"")]),
            ]
        )
        headers += random.choice(([], [], [(name, value)]))
    return tuple(headers)


# -- damage to bytes


def _cut(value: bytes, random: Random) -> bytes:
    return value[: random.randrange(len(value) + 1)]


def _behead(value: bytes, random: Random) -> bytes:
    return value[random.randrange(len(value) + 1) :]


def _flip(value: bytes, random: Random) -> bytes:
    changed = bytearray(value)
    for _ in range(random.choice((1, 1, 3, 20)) if changed else 0):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _insert(value: bytes, random: Random) -> bytes:
    at = random.randrange(len(value) + 1)
    return value[:at] + random.choice(_NOISE) * random.choice((1, 1, 1, 2, 50)) + value[at:]


def _remove(value: bytes, random: Random) -> bytes:
    at = random.randrange(len(value) + 1)
    return value[:at] + value[at + random.choice((1, 2, 10, 100)) :]


def _repeat(value: bytes, random: Random) -> bytes:
    begin = random.randrange(len(value) + 1)
    piece = value[begin : begin + random.choice((1, 10, 200))]
    return value[:begin] + piece * random.choice((2, 3, 40)) + value[begin:]


def _splice(value: bytes, random: Random) -> bytes:
    """The beginning of one message and the end of another, as a broken bridge would write it."""
    other = random.choice(SEEDS).value
    return value[: random.randrange(len(value) + 1)] + other[random.randrange(len(other) + 1) :]


def _recode(value: bytes, random: Random) -> bytes:
    text = value.decode(errors="replace")
    encoding = random.choice(("utf-16", "utf-16-le", "utf-32", "latin-1", "utf-7", "utf-8-sig"))
    return text.encode(encoding, errors="replace")


def _swap_token(value: bytes, random: Random) -> bytes:
    """One word of the text becomes another, also where the text is not JSON."""
    words = value.split(b" ")
    other = random.choice(WORDS).encode(errors="replace")
    words[random.randrange(len(words))] = random.choice((other, other, b"-", b"<999>1"))
    return b" ".join(words)


def _noise(_value: bytes, random: Random) -> bytes:
    return random.randbytes(random.choice((0, 1, 3, 40, 400)))


_BYTE_WAYS: Final[tuple[Callable[[bytes, Random], bytes], ...]] = (
    _cut, _cut, _behead, _flip, _flip, _flip, _insert, _insert, _insert, _remove, _remove, _repeat, _splice, _recode,
    _swap_token, _swap_token, _noise,
)  # fmt: skip

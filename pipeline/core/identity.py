"""Names derived from content: the same facts give the same id, in every run and on every machine."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final
from zlib import crc32

_BASE_32: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_BASE_32_PAIRS: Final = tuple(first + second for first in _BASE_32 for second in _BASE_32)
"""Ten bits as two letters of RFC 4648."""


def content_hash(*parts: str) -> str:
    """32 hexadecimal digits over the parts, each with its length, so that no two lists collide by joining."""
    return _digest(parts).hexdigest()


def short_id(prefix: str, *parts: str) -> str:
    """A content id that people can read out: prefix and 12 base-32 letters (60 bits)."""
    bits = int.from_bytes(_digest(parts).digest()[:8]) >> 4
    pairs = _BASE_32_PAIRS
    return (
        f"{prefix}-{pairs[bits >> 50]}{pairs[bits >> 40 & 1023]}{pairs[bits >> 30 & 1023]}"
        f"{pairs[bits >> 20 & 1023]}{pairs[bits >> 10 & 1023]}{pairs[bits & 1023]}"
    )


def _digest(parts: tuple[str, ...]) -> blake2b:
    digest = blake2b(digest_size=16)
    for part in parts:
        data = part.encode()
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest


def partition_of(key: bytes, partitions: int) -> int:
    """Partition of a key: CRC-32 as librdkafka's ``consistent`` partitioner, so that its users agree with us."""
    return crc32(key) % partitions

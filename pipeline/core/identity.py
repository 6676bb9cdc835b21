"""Names derived from content: the same facts give the same id, in every run and on every machine."""

from __future__ import annotations

from base64 import b32encode
from hashlib import blake2b
from zlib import crc32


def content_hash(*parts: str) -> str:
    """32 hexadecimal digits over the parts, each with its length, so that no two lists collide by joining."""
    digest = blake2b(digest_size=16)
    for part in parts:
        data = part.encode()
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.hexdigest()


def short_id(prefix: str, *parts: str) -> str:
    """A content id that people can read out: prefix and 12 base-32 letters (60 bits)."""
    raw = bytes.fromhex(content_hash(*parts))[:8]
    return f"{prefix}-{b32encode(raw).decode()[:12]}"


def partition_of(key: bytes, partitions: int) -> int:
    """Partition of a key: CRC-32 as librdkafka's ``consistent`` partitioner, so that its users agree with us."""
    return crc32(key) % partitions

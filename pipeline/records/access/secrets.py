"""Secrets of tokens and sessions: made here, shown once, kept as hashes.

A secret has 256 bits of chance, so a fast hash is enough: there is nothing to guess that a slow one would protect.
"""

from __future__ import annotations

import re
from hashlib import sha256
from secrets import token_bytes, token_hex, token_urlsafe
from typing import Final

SECRET_BYTES: Final = 32

BEGINS: Final = "spw_"
"""Tells what it is to people and to scanners of leaked secrets."""

_ID_BYTES: Final = 6
_TOKEN: Final = re.compile(r"spw_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")

NOBODY: Final = sha256(token_bytes(SECRET_BYTES)).digest()
"""The hash of no secret: what is compared where there is no such token, so that both take the same time."""


def new_token() -> tuple[str, str, bytes]:
    """A token: its id, the whole of it, and the hash of its secret."""
    token_id, secret = token_hex(_ID_BYTES), token_urlsafe(SECRET_BYTES)
    return token_id, f"{BEGINS}{token_id}_{secret}", hash_of(secret)


def new_secret() -> str:
    """A secret for a cookie."""
    return token_urlsafe(SECRET_BYTES)


def parts_of(token: str) -> tuple[str, bytes] | None:
    """The id of a token, and the hash of its secret; None: it is not written as one."""
    found = _TOKEN.fullmatch(token)
    return (found[1], hash_of(found[2])) if found else None


def is_secret(text: str) -> bool:
    """Whether it is written as a secret of ours."""
    return _SECRET.fullmatch(text) is not None


def hash_of(secret: str) -> bytes:
    """What is kept of a secret."""
    return sha256(secret.encode()).digest()


def reference_of(secret_hash: bytes) -> str:
    """A name for a session, of which nobody gets to the secret."""
    return sha256(b"reference" + secret_hash).hexdigest()[:12]

"""Signatures made by others than the gateway: the ``openssl`` command, and the vendors' own libraries."""

from __future__ import annotations

import subprocess
from pathlib import Path


def _openssl(*arguments: str, given: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=True).stdout


def hmac_hex(secret: str, *parts: bytes) -> str:
    """HMAC-SHA256 in hexadecimal."""
    return hmac_bytes(secret, *parts).hex()


def hmac_bytes(secret: str, *parts: bytes) -> bytes:
    return _openssl("dgst", "-sha256", "-hmac", secret, "-binary", given=b"".join(parts))


def base64(data: bytes) -> str:
    return _openssl("base64", "-A", given=data).decode()


def rsa_signature(key: Path, digest: str, signed: bytes) -> str:
    """PKCS #1 v1.5 signature in base64."""
    return base64(_openssl("dgst", f"-{digest}", "-sign", str(key), given=signed))


def make_key(place: Path, name: str, bits: int = 2_048) -> Path:
    """An RSA key."""
    path = place / f"{name}.key"
    _openssl("genrsa", "-out", str(path), str(bits))
    return path


def make_elliptic_key(place: Path, name: str) -> Path:
    path = place / f"{name}.key"
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(path))
    return path


def public_key(key: Path) -> str:
    """The public half, PEM."""
    return _openssl("pkey", "-in", str(key), "-pubout").decode()


def make_certificate(place: Path, name: str, key: Path, subject: str, *, days: int = 30) -> Path:
    """A certificate that signs itself, for one host name."""
    path = place / f"{name}.pem"
    _openssl(
        *("req", "-x509", "-key", str(key), "-out", str(path), "-days", str(days), "-subj", f"/CN={subject}"),
        *("-addext", f"subjectAltName=DNS:{subject}"),
    )
    return path

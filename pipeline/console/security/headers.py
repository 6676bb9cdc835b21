"""Headers that every answer has: what a browser may do with it, and who may see it."""

from __future__ import annotations

from typing import Final

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
"""Nothing but our own files, no inline script or style, nobody's frame."""

_ALWAYS: Final = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # The browser's own word for where a request comes from; other sites learn nothing of incident ids.
    (b"referrer-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_HSTS: Final = (b"strict-transport-security", b"max-age=31536000")
"""A year, for this host alone: others below it are not ours to decide on."""

_NO_STORE: Final = (b"cache-control", b"no-store")

Headers = list[tuple[bytes, bytes]]


def with_security(given: Headers, *, https: bool, request_id: str) -> Headers:
    """The headers of an answer, completed.

    Args:
        given: by whoever answers; what is there already stays, but the policy that nobody may loosen.
        https: whether the client came by https.
        request_id: names the request in the log and to the client.
    """
    named = {name.lower() for name, _ in given}
    wanted = [*_ALWAYS, *([_HSTS] if https else []), (b"x-request-id", request_id.encode())]
    if b"cache-control" not in named:
        wanted.append(_NO_STORE)  # what one person may see is in no cache for the next
    replaced = {name for name, _ in wanted}
    return [each for each in given if each[0].lower() not in replaced] + wanted

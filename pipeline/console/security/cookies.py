"""Cookies of browsers: out of reach of scripts and of other sites."""

from __future__ import annotations

from typing import Final

from starlette.requests import cookie_parser
from starlette.types import Scope

SESSION: Final = "spillway_session"
VISIT: Final = "spillway_visit"
"""Of a browser that is about to sign in: what ties the form to it."""
SIGN_IN: Final = "spillway_sign_in"
"""Of a browser that is away at the issuer."""

_HOST_PREFIX: Final = "__Host-"
"""Behind https: no other host below our domain can set a cookie of such a name, nor can plain http."""


def cookie_name(name: str, *, https: bool) -> str:
    """What a cookie is called on the wire."""
    return _HOST_PREFIX + name if https else name


def cookie_of(scope: Scope, name: str, *, https: bool) -> str | None:
    """The value of a cookie; None where there is none."""
    wanted = cookie_name(name, https=https)
    for header, value in scope["headers"]:
        if header == b"cookie":
            found = cookie_parser(value.decode("latin-1")).get(wanted)
            if found:
                return found
    return None


def set_cookie(name: str, value: str, *, https: bool, seconds: int | None, from_elsewhere: bool = False) -> str:
    """The header's value.

    Args:
        name: of `SESSION` and so on.
        value: nothing that needs quoting.
        https: whether the browser came by https.
        seconds: until it is forgotten; None: when the browser ends; 0: now.
        from_elsewhere: it comes back also where another site leads here, which the issuer does.
    """
    parts = [f"{cookie_name(name, https=https)}={value}", "Path=/", "HttpOnly"]
    parts.append("SameSite=Lax" if from_elsewhere else "SameSite=Strict")
    if https:
        parts.append("Secure")
    if seconds is not None:
        parts.append(f"Max-Age={seconds}")
    return "; ".join(parts)

"""Signing in at the issuer: authorization code with PKCE, state and nonce.

All three are derived from one secret that the browser keeps in a cookie while it is away. So nothing of somebody who is
not known yet is stored here, any process of the console can take him back, and nobody else's answer fits.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as mac
from typing import Final
from urllib.parse import urlencode

from pipeline.console.security.grants import of_groups
from pipeline.console.security.oidc import Issuer
from pipeline.console.security.oidc_claims import TokenRefusedError, groups_of, name_of, subject_of
from pipeline.console.security.oidc_http import IssuerAwayError
from pipeline.console.security.onward import onward
from pipeline.models.console import ConsoleSettings
from pipeline.records.access.secrets import is_secret, new_secret
from pipeline.records.access.tokens import Token
from pipeline.runtime.guard import log_line

RETURN: Final = "/login/return"
AWAY_SECONDS: Final = 600
"""How long somebody may take at the issuer."""

PARAMETER_CHARACTERS_MAX: Final = 4_096
AGAIN: Final = "Try once more from this page."


class SignInError(Exception):
    """Nobody is signed in; the message is a sentence or two for whoever tried."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody who has shown who he is. Attributes: as of a session; see `pipeline.records.access.sessions`."""

    subject: str
    name: str
    token: Token | None
    groups: tuple[str, ...]


async def begin(issuer: Issuer | None, settings: ConsoleSettings, where: str, now: datetime) -> tuple[str, str]:
    """Send a browser away: the address to send it to, and what it keeps in a cookie.

    Raises:
        SignInError: there is no issuer, or it is away.
    """
    if issuer is None:
        raise SignInError("There is no single sign-on here: use an API token.")
    try:
        described = await issuer.description()
    except IssuerAwayError:
        raise SignInError("Single sign-on does not answer. Try again in a moment, or use an API token.") from None
    secret = new_secret()
    challenge = urlsafe_b64encode(sha256(_derived(secret, "verifier").encode()).digest()).decode().rstrip("=")
    asked = {
        "response_type": "code",
        "client_id": issuer.oidc.client_id,
        "redirect_uri": _redirect(settings),
        "scope": " ".join(issuer.oidc.scopes),
        "state": _derived(secret, "state"),
        "nonce": _derived(secret, "nonce"),
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    joint = "&" if "?" in described.authorization else "?"
    wanted = urlsafe_b64encode(where.encode()).decode().rstrip("=")
    return f"{described.authorization}{joint}{urlencode(asked)}", f"{round(now.timestamp())}.{secret}.{wanted}"


async def finish(
    issuer: Issuer | None, settings: ConsoleSettings, given: dict[str, str], kept: str | None, now: datetime
) -> tuple[Arrival, str]:
    """Take a browser back.

    Args:
        issuer: that it was sent to.
        settings: of the console.
        given: parameters of the address that it comes to.
        kept: its cookie.
        now: the time.

    Returns:
        Who it is, and the page that he wanted.

    Raises:
        SignInError: nobody is signed in.
    """
    if issuer is None:
        raise SignInError("There is no single sign-on here: use an API token.")
    secret, where = _kept(kept, now)
    if not compare_digest(given.get("state", "").encode(), _derived(secret, "state").encode()):
        raise SignInError(f"This answer belongs to another try to sign in. {AGAIN}")
    try:
        described = await issuer.description()
        if given.get("iss", issuer.oidc.issuer if not described.names_itself else None) != issuer.oidc.issuer:
            raise SignInError(f"This answer is of another issuer than yours. {AGAIN}")
        code = given.get("code", "")
        if "error" in given or not 0 < len(code) <= PARAMETER_CHARACTERS_MAX:
            raise SignInError(f"Single sign-on has let nobody in. {AGAIN}")
        token = await issuer.redeem(code, _derived(secret, "verifier"), _redirect(settings))
        claims = await issuer.claims(token, issuer.oidc.client_id, now)
        _check_nonce(claims.get("nonce"), secret)
        subject = subject_of(claims, issuer.oidc)
    except IssuerAwayError as away:
        log_line("sign-in-refused", because=f"issuer: {away}")
        raise SignInError(f"Single sign-on did not say who you are. {AGAIN}") from None
    except TokenRefusedError as refused:
        log_line("sign-in-refused", because=str(refused))
        raise SignInError(f"What single sign-on said of you is not believed: {refused}. {AGAIN}") from None
    groups = groups_of(claims, issuer.oidc)
    if not of_groups(settings, groups):
        raise SignInError("You are known, and none of your groups may come in. Ask an administrator of Spillway.")
    return Arrival(subject, name_of(claims, issuer.oidc, subject), None, groups), where


def _check_nonce(said: object, secret: str) -> None:
    if not isinstance(said, str) or not compare_digest(said.encode(), _derived(secret, "nonce").encode()):
        raise TokenRefusedError("of another try to sign in")


def _kept(cookie: str | None, now: datetime) -> tuple[str, str]:
    """The secret of the cookie, and the page that was wanted."""
    began, _, rest = (cookie or "").partition(".")
    secret, _, wanted = rest.partition(".")
    fresh = began.isdecimal() and len(began) < 12 and 0 <= now.timestamp() - int(began) + 1 <= AWAY_SECONDS
    if not fresh or not is_secret(secret):
        raise SignInError(f"This try to sign in was not begun in this browser, or too long ago. {AGAIN}")
    try:
        where = urlsafe_b64decode(wanted + "=" * (-len(wanted) % 4)).decode()
    except (Base64Error, ValueError):
        where = ""
    return secret, onward(where)


def _derived(secret: str, what: str) -> str:
    return urlsafe_b64encode(mac(secret.encode(), what.encode(), sha256)).decode().rstrip("=")


def _redirect(settings: ConsoleSettings) -> str:
    assert settings.public_url is not None  # noqa: S101  # the loader demands it with `oidc`
    return settings.public_url + RETURN

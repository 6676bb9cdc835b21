"""The issuer of single sign-on: what it says of itself, and who its tokens are from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote_plus

import jwt
from jwt.exceptions import PyJWTError

from pipeline.console.identity import Identity
from pipeline.console.security.grants import of_groups
from pipeline.console.security.oidc_claims import TokenRefusedError, check_claims, groups_of, name_of, subject_of
from pipeline.console.security.oidc_http import IssuerAwayError, IssuerHttp
from pipeline.console.security.oidc_keys import FRESH_SECONDS, GOOD_SECONDS, Keys
from pipeline.models.console import ConsoleSettings, Oidc
from pipeline.runtime.guard import log_line

DISCOVERY: Final = "/.well-known/openid-configuration"

ASK_AGAIN_SECONDS: Final = 10.0
"""An issuer that is away is not asked again before, however many would sign in."""

TYPES: Final = frozenset(("", "jwt", "at+jwt", "application/at+jwt", "application/jwt"))
"""Of tokens that say who somebody is; the header ``typ``, lower case."""

KEY_NAME_CHARACTERS_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Description:
    """What an issuer says of itself.

    Attributes:
        authorization: where browsers are sent to.
        token: where a code is turned in.
        keys: where its keys are.
        names_itself: it says its own name to browsers that come back (RFC 9207).
        basic: it takes the client's secret in a header.
    """

    authorization: str
    token: str
    keys: str
    names_itself: bool
    basic: bool


class Issuer:
    """One issuer. Safe to use from many requests at once."""

    def __init__(self, settings: ConsoleSettings, oidc: Oidc, secret: str | None, clock: Callable[[], float]) -> None:
        """Nothing is asked yet.

        Args:
            settings: of the console: what groups may.
            oidc: the issuer.
            secret: of the client; None: it has none.
            clock: seconds, never going back.
        """
        self.oidc = oidc
        self._settings = settings
        self._secret = secret
        self._clock = clock
        self._http = IssuerHttp(oidc)
        self._keys = Keys(self._fetch_keys, clock)
        self._described: Description | None = None
        self._described_at = self._tried_at = float("-inf")

    async def description(self) -> Description:
        """What it says of itself, asked again every hour.

        Raises:
            IssuerAwayError: it has not said for a day.
        """
        now = self._clock()
        if now - self._described_at > FRESH_SECONDS and now - self._tried_at > ASK_AGAIN_SECONDS:
            self._tried_at = now
            try:
                document = await self._http.get(self.oidc.issuer.rstrip("/") + DISCOVERY)
                self._described, self._described_at = self._read(document), now
            except IssuerAwayError as away:
                log_line("issuer-away", error=str(away))
        if self._described is None or self._clock() - self._described_at > GOOD_SECONDS:
            raise IssuerAwayError("it does not describe itself")
        return self._described

    def _read(self, document: dict[str, Any]) -> Description:
        if document.get("issuer") != self.oidc.issuer:
            raise IssuerAwayError("it calls itself by another name than oidc.issuer; both must be the same")
        methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        return Description(
            authorization=self._http.checked(document.get("authorization_endpoint")),
            token=self._http.checked(document.get("token_endpoint")),
            keys=self._http.checked(document.get("jwks_uri")),
            names_itself=document.get("authorization_response_iss_parameter_supported") is True,
            basic=not isinstance(methods, list) or "client_secret_basic" in methods,
        )

    async def _fetch_keys(self) -> dict[str, Any]:
        return await self._http.get((await self.description()).keys)

    async def bearer(self, token: str, now: datetime) -> Identity:
        """Who sends a bearer token.

        Raises:
            TokenRefusedError: nobody that it says.
        """
        claims = await self.claims(token, self.oidc.audience or self.oidc.client_id, now)
        subject = subject_of(claims, self.oidc)
        grants = of_groups(self._settings, groups_of(claims, self.oidc))
        return Identity(subject, name_of(claims, self.oidc, subject), grants, "oidc", str(claims.get("jti", ""))[:64])

    async def claims(self, token: str, audience: str, now: datetime) -> dict[str, Any]:
        """What a token says, once it is believed.

        Raises:
            TokenRefusedError: it is not.
        """
        try:
            header = jwt.get_unverified_header(token)
        except PyJWTError:
            raise TokenRefusedError("not a signed token") from None
        name = header.get("kid")
        if name is not None and (not isinstance(name, str) or len(name) > KEY_NAME_CHARACTERS_MAX):
            raise TokenRefusedError("names no key")
        if str(header.get("typ") or "").lower() not in TYPES or "crit" in header:
            raise TokenRefusedError("a token of another kind")
        try:
            key = await self._keys.key(name)
        except IssuerAwayError as away:
            raise TokenRefusedError(f"its issuer: {away}") from None
        if key is None or header.get("alg") not in key.algorithms:
            raise TokenRefusedError("signed by no key of its issuer")
        off: Any = dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat", "verify_aud", "verify_iss"), False)
        off |= {"verify_sub": False, "verify_jti": False}
        try:
            claims: dict[str, Any] = jwt.decode(token, key.key, algorithms=[header["alg"]], options=off)
        except (PyJWTError, ValueError):
            raise TokenRefusedError("signed by no key of its issuer") from None
        check_claims(claims, self.oidc, audience, now)  # by the console's own clock
        return claims

    async def redeem(self, code: str, verifier: str, redirect: str) -> str:
        """The ID token for a code.

        Raises:
            IssuerAwayError: the issuer gives none.
        """
        described = await self.description()
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect, "code_verifier": verifier}
        basic = None
        if self._secret is None:
            form["client_id"] = self.oidc.client_id
        elif described.basic:
            basic = (_quoted(self.oidc.client_id), _quoted(self._secret))
        else:
            form |= {"client_id": self.oidc.client_id, "client_secret": self._secret}
        answer: Mapping[str, Any] = await self._http.post(described.token, form, basic)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise IssuerAwayError("it gives no ID token; is `openid` among the scopes?")
        return token

    async def close(self) -> None:
        """Disconnect."""
        await self._http.close()


def _quoted(text: str) -> str:
    """As RFC 6749, section 2.3.1 wants it in the header."""
    return quote_plus(text)

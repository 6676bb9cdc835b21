"""What a request shows to say who it is from, looked up: a bearer token, or the cookie of a session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from http import HTTPStatus
from typing import Final

from sqlalchemy import Connection
from starlette.datastructures import Headers
from starlette.types import Scope

from pipeline.console.context import Context
from pipeline.console.identity import Identity
from pipeline.console.refusal import Reason, Refusal
from pipeline.console.security.cookies import SESSION, cookie_of
from pipeline.console.security.grants import session_identity, token_identity
from pipeline.console.security.oidc import Issuer
from pipeline.console.security.oidc_claims import TokenRefusedError
from pipeline.console.security.origin import Origin
from pipeline.console.security.rates import Limiter
from pipeline.records.access import sessions, tokens
from pipeline.records.access.secrets import BEGINS, is_secret

BEARER_CHARACTERS_MAX: Final = 8_192
"""Of a signed token that names its bearer's groups."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was shown. Attributes: bearer: a token; cookie: the secret of a session. One of them."""

    bearer: str | None = None
    cookie: str | None = None

    @property
    def digest(self) -> bytes:
        """Names it in memory without holding it."""
        return sha256(f"{self.bearer or ''}\n{self.cookie or ''}".encode()).digest()


def proof_of(scope: Scope, origin: Origin) -> Proof | None:
    """What a request shows; None: nothing. A bearer token goes before a cookie, good or not.

    Raises:
        Refusal: it shows several bearer tokens, or one that is not written as any.
    """
    stated = Headers(scope=scope).getlist("authorization")
    if not stated:
        cookie = cookie_of(scope, SESSION, https=origin.https)
        return None if cookie is None else Proof(cookie=cookie)
    scheme, _, token = stated[0].partition(" ")
    token = token.strip()
    if len(stated) > 1 or scheme.lower() != "bearer" or not 0 < len(token) <= BEARER_CHARACTERS_MAX:
        raise not_known("write one header, `Authorization: Bearer TOKEN`", "invalid_request")
    return Proof(bearer=token)


class Prover:
    """Looks up what requests show."""

    def __init__(self, context: Context, limiter: Limiter, issuer: Issuer | None) -> None:
        self._context = context
        self._settings = context.config.console
        self._limiter = limiter
        self._issuer = issuer

    async def identity(self, proof: Proof, origin: Origin) -> Identity | None:
        """Who shows it; None where a cookie is of no session, which is as if there were none.

        Raises:
            Refusal: a bearer token that is none, or too many of such from this address.
        """
        if proof.bearer is None:
            return await self._by_session(proof, origin)
        self._limiter.before_proof(origin.neighbourhood, proof.digest)
        found = await self.look(proof)
        if found is not None and found.grants:
            self._limiter.proven(proof.digest)
            return found
        self._limiter.failed(origin.neighbourhood, proof.digest)
        raise not_known("the token lets nobody in: none of ours, expired, revoked, or with no role", "invalid_token")

    async def _by_session(self, proof: Proof, origin: Origin) -> Identity | None:
        if not is_secret(proof.cookie or ""):
            return None
        self._limiter.before_session(origin.neighbourhood, proof.digest)
        found = await self.look(proof)
        if found is None or not found.grants:
            self._limiter.over(proof.digest)
            return None
        self._limiter.proven(proof.digest)
        return found

    async def look(self, proof: Proof) -> Identity | None:
        """Who shows it; None: nobody."""
        now = self._context.now()
        if proof.cookie is not None:
            return await self._session(proof.cookie, now)
        bearer = proof.bearer or ""
        if bearer.startswith(BEGINS):
            token = await self.token(bearer, now)
            return None if token is None else token_identity(token)
        if self._issuer is None:
            return None
        try:
            return await self._issuer.bearer(bearer, now)
        except TokenRefusedError:
            return None

    async def token(self, shown: str, now: datetime) -> tokens.Token | None:
        """The API token that is shown, noted as used."""
        token = await self._context.ask(lambda connection: tokens.token_shown(connection, shown, now))
        if token is not None and tokens.wants_note(token, now):
            token_id = token.id
            await self._context.write(lambda connection: tokens.used(connection, token_id, now))
        return token

    async def _session(self, cookie: str, now: datetime) -> Identity | None:
        idle = self._settings.session_idle_minutes

        def question(connection: Connection) -> sessions.Session | None:
            return sessions.session_shown(connection, cookie, idle_minutes=idle, now=now)

        session = await self._context.ask(question)
        if session is None:
            return None
        if sessions.wants_note(session, now):
            await self._context.write(lambda connection: sessions.seen(connection, cookie, now))
        return session_identity(session, self._settings)


def not_known(detail: str, error: str) -> Refusal:
    """A credential that does not say who it is (RFC 6750)."""
    challenge = f'Bearer realm="spillway", error="{error}"'
    return Refusal(HTTPStatus.UNAUTHORIZED, Reason.NOT_KNOWN, detail, headers={"WWW-Authenticate": challenge})

"""API tokens: made, found by what somebody shows, listed, revoked. Functions of a connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any, Final

from sqlalchemy import Connection, Row, select, update
from sqlalchemy.dialects.postgresql import insert

from pipeline.core.draft import MACHINE
from pipeline.records.access.secrets import NOBODY, new_token, parts_of
from pipeline.records.access.tables import ACCESS_TOKENS, SESSIONS

USED_MINUTES: Final = 5
"""How exactly it is known when a token was last used: more would be a write for each request."""

LIST_MAX: Final = 1_000

_T: Final = ACCESS_TOKENS.c
_SHOWN: Final = tuple(column for column in ACCESS_TOKENS.columns if column.name != "secret_hash")


class TokenError(Exception):
    """A token cannot be made; the message is one line."""


@dataclass(frozen=True, slots=True)
class Token:
    """An API token, without its secret.

    Attributes:
        id: the part of it that is no secret.
        name: who it is to the rest of Spillway: the actor of what is asked with it.
        grants: ``{"role", "domains"}`` each; ``domains`` None: all.
    """

    id: str
    name: str
    grants: tuple[dict[str, Any], ...]
    created_at: datetime
    created_by: str
    expires_at: datetime
    revoked_at: datetime | None = None
    revoked_by: str | None = None
    last_used_at: datetime | None = None

    def live(self, now: datetime) -> bool:
        """Whether it still lets anybody in."""
        return self.revoked_at is None and now < self.expires_at

    def document(self, now: datetime) -> dict[str, Any]:
        """For machines."""
        moments = ("created_at", "expires_at", "revoked_at", "last_used_at")
        told = {name: value and value.isoformat() for name in moments for value in [getattr(self, name)]}
        about = {"id": self.id, "name": self.name, "grants": list(self.grants), "live": self.live(now)}
        return about | told | {"created_by": self.created_by, "revoked_by": self.revoked_by}


def create_token(
    connection: Connection, name: str, grants: Sequence[dict[str, Any]], *, days: float, by: str, now: datetime
) -> tuple[Token, str]:
    """Make one. The whole of it is told here and never again.

    Args:
        connection: in a transaction.
        name: see `Token`.
        grants: see `Token`.
        days: until it ends by itself.
        by: who makes it.
        now: the time.

    Raises:
        TokenError: a live token has this name, or it is that of the pipeline itself.
    """
    if name.strip().casefold() == MACHINE:
        raise TokenError(f"{MACHINE!r} is who acts where nobody does: timelines and figures would tell no difference")
    token_id, whole, secret_hash = new_token()
    token = Token(token_id, name, tuple(grants), now, by, now + timedelta(days=days))
    # An expired one makes room for the next of its name; what it did stays in the log under its id.
    over = (_T.name == name) & _T.revoked_at.is_(None) & (_T.expires_at <= now)
    connection.execute(update(ACCESS_TOKENS).where(over).values(revoked_at=now, revoked_by=by))
    values = {
        "id": token_id,
        "secret_hash": secret_hash,
        "name": name,
        "grants": list(grants),
        "created_at": now,
        "created_by": by,
        "expires_at": token.expires_at,
    }
    done = connection.execute(insert(ACCESS_TOKENS).values(values).on_conflict_do_nothing().returning(_T.id))
    if done.one_or_none() is None:
        raise TokenError(f"a live token is called {name!r} already: revoke it, or choose another name")
    return token, whole


def token_shown(connection: Connection, shown: str, now: datetime) -> Token | None:
    """The live token that somebody shows; None where it is none of ours, or is over."""
    parts = parts_of(shown)
    token_id, secret_hash = parts or ("", NOBODY)
    found = connection.execute(select(ACCESS_TOKENS).where(_T.id == token_id)).one_or_none()
    same = compare_digest(found.secret_hash if found is not None else NOBODY, secret_hash)
    if found is None or parts is None or not same:
        return None
    token = _token(found)
    return token if token.live(now) else None


def used(connection: Connection, token_id: str, now: datetime) -> None:
    """Note that a token is in use, every few minutes."""
    known = _T.last_used_at.is_(None) | (_T.last_used_at < now - timedelta(minutes=USED_MINUTES))
    connection.execute(update(ACCESS_TOKENS).where((_T.id == token_id) & known).values(last_used_at=now))


def wants_note(token: Token, now: datetime) -> bool:
    """Whether `used` would write."""
    return token.last_used_at is None or token.last_used_at < now - timedelta(minutes=USED_MINUTES)


def token_of(connection: Connection, token_id: str) -> Token | None:
    """A token by its id, live or not."""
    found = connection.execute(select(*_SHOWN).where(_T.id == token_id)).one_or_none()
    return None if found is None else _token(found)


def tokens(connection: Connection, *, with_ended: bool, now: datetime, limit: int = LIST_MAX) -> list[Token]:
    """Tokens, the newest first."""
    query = select(*_SHOWN).order_by(_T.created_at.desc(), _T.id).limit(limit)
    if not with_ended:
        query = query.where(_T.revoked_at.is_(None) & (_T.expires_at > now))
    return list(map(_token, connection.execute(query)))


def revoke_token(connection: Connection, token_id: str, *, by: str, now: datetime) -> bool:
    """End a token, and the sessions that came from it; False where there is no such live token."""
    live = (_T.id == token_id) & _T.revoked_at.is_(None)
    done = connection.execute(update(ACCESS_TOKENS).where(live).values(revoked_at=now, revoked_by=by))
    connection.execute(SESSIONS.delete().where(SESSIONS.c.token_id == token_id))
    return bool(done.rowcount)


def _token(row: Row[Any]) -> Token:
    said = row._mapping
    fields = {column.name: said[column.name] for column in _SHOWN}
    return Token(**{**fields, "grants": tuple(fields["grants"])})

"""Sessions of browsers: begun, found by what a cookie says, ended. Functions of a connection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, or_, select, update

from pipeline.records.access.secrets import NOBODY, hash_of, is_secret, new_secret, reference_of
from pipeline.records.access.tables import SESSIONS
from pipeline.records.access.tokens import Token, token_of

SEEN_SECONDS: Final = 60
"""How exactly it is known when a session was last used."""

SESSIONS_MAX: Final = 50
"""Of one person: the oldest make room. More are a script that signs in for each request."""

_S: Final = SESSIONS.c


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is signed in.

    Attributes:
        reference: names it in the access log; leads to no secret.
        token: what it came from; None where that was single sign-on.
        groups: as single sign-on said.
    """

    reference: str
    subject: str
    name: str
    token: Token | None
    groups: tuple[str, ...]
    seen_at: datetime
    expires_at: datetime


def begin_session(
    connection: Connection,
    subject: str,
    name: str,
    *,
    token: Token | None,
    groups: tuple[str, ...],
    hours: float,
    before: str | None,
    now: datetime,
) -> str:
    """Sign a browser in; the secret for its cookie. What it was signed in with before is over.

    Args:
        connection: in a transaction.
        subject: who.
        name: for people.
        token: what was shown; the session does not outlive it.
        groups: of single sign-on.
        hours: until it ends however much it is used.
        before: the cookie that the browser had.
        now: the time.
    """
    end_session(connection, before)
    secret = new_secret()
    expires = now + timedelta(hours=hours)
    if token is not None:
        expires = min(expires, token.expires_at)
    secret_hash = hash_of(secret)
    kept = select(_S.secret_hash).where(_S.subject == subject).order_by(_S.created_at.desc()).limit(SESSIONS_MAX - 1)
    connection.execute(delete(SESSIONS).where((_S.subject == subject) & _S.secret_hash.not_in(kept)))
    values = {"secret_hash": secret_hash, "reference": reference_of(secret_hash), "subject": subject, "name": name}
    about = {"token_id": token and token.id, "groups": list(groups)}
    times = {"created_at": now, "seen_at": now, "expires_at": expires}
    connection.execute(SESSIONS.insert().values(values | about | times))
    return secret


def session_shown(connection: Connection, cookie: str, *, idle_minutes: float, now: datetime) -> Session | None:
    """The session of a cookie; None where there is none, or it or what it came from is over."""
    secret_hash = hash_of(cookie) if is_secret(cookie) else NOBODY
    row = connection.execute(select(SESSIONS).where(_S.secret_hash == secret_hash)).one_or_none()
    if row is None or now >= row.expires_at or now - row.seen_at >= timedelta(minutes=idle_minutes):
        return None
    token = None
    if row.token_id is not None:
        token = token_of(connection, row.token_id)
        if token is None or not token.live(now):
            return None
    return Session(row.reference, row.subject, row.name, token, tuple(row.groups), row.seen_at, row.expires_at)


def seen(connection: Connection, cookie: str, now: datetime) -> None:
    """Note that a session is in use."""
    connection.execute(update(SESSIONS).where(_S.secret_hash == hash_of(cookie)).values(seen_at=now))


def wants_note(session: Session, now: datetime) -> bool:
    """Whether it is time for `seen`."""
    return now - session.seen_at >= timedelta(seconds=SEEN_SECONDS)


def end_session(connection: Connection, cookie: str | None) -> None:
    """Sign a browser out."""
    if cookie and is_secret(cookie):
        connection.execute(delete(SESSIONS).where(_S.secret_hash == hash_of(cookie)))


def sweep_sessions(connection: Connection, *, idle_minutes: float, now: datetime) -> int:
    """Forget sessions that are over; how many."""
    over = or_(_S.expires_at <= now, _S.seen_at <= now - timedelta(minutes=idle_minutes))
    return connection.execute(delete(SESSIONS).where(over)).rowcount

"""The door: every request goes through it, both ways.

In: where it comes from, who it is from, how often he asks, whether his browser meant it, how long it is. Out: headers,
and what goes into the access log. A request without an identity gets to nothing but the few paths of `OPEN`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from sqlalchemy.exc import InterfaceError, OperationalError
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.console.identity import Identity
from pipeline.console.refusal import Reason, Refusal, problem
from pipeline.console.security.access import Access
from pipeline.console.security.body import again, read_body
from pipeline.console.security.cookies import VISIT, cookie_of, set_cookie
from pipeline.console.security.forgery import SAFE_METHODS, check_site, check_value, csrf_of
from pipeline.console.security.headers import with_security
from pipeline.console.security.metrics import REFUSED
from pipeline.console.security.origin import Origin, check_host
from pipeline.console.security.proof import Proof, proof_of
from pipeline.records.access.secrets import is_secret, new_secret

OPEN: Final = frozenset(("/login", "/login/start", "/login/return", "/logout", "/healthz", "/readyz"))
OPEN_BELOW: Final = ("/static/",)
DESCRIPTION: Final = "/api/v1/openapi.json"
"""Tells nothing that is not in the documentation."""

API: Final = "/api/"

IDENTITY: Final = "spillway.identity"
ORIGIN: Final = "spillway.origin"
PROOF: Final = "spillway.proof"
REASON: Final = "spillway.reason"
SUBJECT: Final = "spillway.subject"
"""Who a request turned out to be from, where nobody was known before."""
TARGET: Final = "spillway.target"
"""What a request was about, where its path does not say it."""
ACTION: Final = "spillway.action"
"""What a request is in the access log, where its route does not say it best."""

AGAIN_SECONDS: Final = 15
"""How often it is asked whether whoever an answer goes on and on to still may hear it."""


class Door:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or not."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        origin = self._access.origins.of(scope)
        scope[ORIGIN] = origin
        scope["scheme"] = "https" if origin.https else "http"
        passage = _Passage(self._access, scope, origin, send)
        try:
            check_host(scope)
            receive = await self._admit(scope, receive, passage)
            await self._app(scope, passage.receiver(receive), passage.send)
        except Refusal as refusal:
            await self._refused(scope, passage, refusal)
        except (OperationalError, InterfaceError):
            away = Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE,
                Reason.STORE_AWAY,
                "the records store does not answer: try again in a moment",
                headers={"Retry-After": "5"},
            )
            await self._refused(scope, passage, away)
        except (ClientDisconnect, OSError):
            if not passage.over:
                raise
        finally:
            self._access.note(scope, passage.status)

    async def _admit(self, scope: Scope, receive: Receive, passage: _Passage) -> Receive:
        """See who it is, and that he means it; what to read the body from.

        Raises:
            Refusal: he does not come in.
        """
        headers, origin, method = Headers(scope=scope), passage.origin, scope["method"]
        changes = method not in SAFE_METHODS
        state = scope.setdefault("state", {})
        if isinstance(scope.get(IDENTITY), Identity):  # somebody before us knows
            return again(await read_body(headers, receive), receive) if changes else receive
        # Files are for everybody: to look up who asks for each of a page's would only cost.
        proof = None if scope["path"].startswith(OPEN_BELOW) else proof_of(scope, origin)
        identity = None
        if proof is not None:
            identity = await self._access.prover.identity(proof, origin)
        scope[IDENTITY], scope[PROOF] = identity, proof
        is_open = open_to_all(scope["path"])
        if identity is None:
            if not scope["path"].startswith(OPEN_BELOW):
                self._access.limiter.stranger(origin.neighbourhood)
            if not is_open:
                raise Refusal(
                    HTTPStatus.UNAUTHORIZED,
                    Reason.NOT_KNOWN,
                    "not signed in: send a bearer token, or sign in",
                    headers={"WWW-Authenticate": 'Bearer realm="spillway"'},
                )
        else:
            self._access.limiter.person(identity.subject, changes=changes)
            passage.watch = proof
        secret = self._page_secret(scope, proof, identity, passage)
        if secret is not None:
            state["csrf"] = csrf_of(secret)
        if not changes:
            return receive
        bearer = proof is not None and proof.bearer is not None
        if not bearer:
            check_site(headers, origin)
        body = await read_body(headers, receive)
        if not bearer:
            check_value(headers, body, secret or new_secret())
        return again(body, receive)

    def _page_secret(
        self, scope: Scope, proof: Proof | None, identity: Identity | None, passage: _Passage
    ) -> str | None:
        """What the pages of this browser are tied to: its session, or before that a visit."""
        if identity is not None:
            return proof.cookie if proof is not None else None
        if scope["path"] not in OPEN:
            return None
        https = passage.origin.https
        visit = cookie_of(scope, VISIT, https=https)
        if visit is not None and is_secret(visit):
            return visit
        if scope["method"] in SAFE_METHODS and scope["path"] == "/login":
            visit = new_secret()
            passage.cookies.append(set_cookie(VISIT, visit, https=https, seconds=3_600))
            return visit
        return None

    async def _refused(self, scope: Scope, passage: _Passage, refusal: Refusal) -> None:
        """Answer with a refusal, unless an answer has begun already."""
        note_refusal(scope, refusal)
        if passage.status is not None:
            raise refusal
        request = Request(scope)
        await answer_refused(request, refusal)(scope, passage.receiver(_nothing), passage.send)


@dataclass(slots=True)
class _Passage:
    """One request on its way: sends the answer with what every answer has, and stops one that goes on too long."""

    access: Access
    scope: Scope
    origin: Origin
    out: Send
    status: int | None
    watch: Proof | None
    cookies: list[str]
    over: bool
    _look_at: float

    def __init__(self, access: Access, scope: Scope, origin: Origin, out: Send) -> None:
        self.access, self.scope, self.origin, self.out = access, scope, origin, out
        self.status, self.watch, self.cookies, self.over = None, None, [], False
        self._look_at = access.clock() + AGAIN_SECONDS

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = list(message.get("headers", ()))
            headers = with_security(given, https=self.origin.https, request_id=self.origin.request_id)
            headers += [(b"set-cookie", cookie.encode()) for cookie in self.cookies]
            await self.out({**message, "headers": headers})
            return
        if self.over:
            raise OSError("nobody may hear this any more")
        if message.get("more_body") and self.watch is not None and self.access.clock() >= self._look_at:
            self._look_at = self.access.clock() + AGAIN_SECONDS
            if await self.access.prover.look(self.watch) != self.scope.get(IDENTITY):
                self.over = True
                await self.out({"type": "http.response.body", "body": b"", "more_body": False})
                raise OSError("nobody may hear this any more")
        await self.out(message)

    def receiver(self, receive: Receive) -> Receive:
        """What the application reads the request from."""

        async def received() -> Message:
            return {"type": "http.disconnect"} if self.over else await receive()

        return received


def open_to_all(path: str) -> bool:
    """Whether a path is for people who are not known yet."""
    return path in OPEN or path == DESCRIPTION or path.startswith(OPEN_BELOW)


def note_refusal(scope: Scope, refusal: Refusal) -> None:
    """Count it, and keep its reason for the access log."""
    scope[REASON] = str(refusal.reason)
    REFUSED.labels(refusal.reason).inc()


def answer_refused(request: Request, refusal: Refusal) -> Response:
    """What a refusal looks like: a problem; to a browser a page, or where it is not signed in the way to sign in."""
    wants_page = request.method in {"GET", "HEAD"} and not request.url.path.startswith((API, *OPEN_BELOW))
    if wants_page and refusal.reason == Reason.NOT_KNOWN and "x-fragment" not in request.headers:
        where = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?next={quote(where, safe='')}", HTTPStatus.SEE_OTHER)
    page: Callable[[Request, Refusal], Response | None] = request.app.state.refused_page
    return page(request, refusal) or problem(request, refusal)


async def _nothing() -> Message:
    return {"type": "http.disconnect"}

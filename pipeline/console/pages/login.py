"""Signing in and out: by an API token that somebody pastes, or by single sign-on."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from pipeline.console.pages.render import render
from pipeline.console.refusal import Reason
from pipeline.console.security.access import access_of
from pipeline.console.security.cookies import SESSION, SIGN_IN, VISIT, cookie_of, set_cookie
from pipeline.console.security.door import ACTION, IDENTITY, ORIGIN, PROOF, REASON, SUBJECT
from pipeline.console.security.metrics import SIGNED_IN
from pipeline.console.security.onward import onward
from pipeline.console.security.origin import Origin
from pipeline.console.security.proof import Proof
from pipeline.console.security.sign_in import AWAY_SECONDS, Arrival, SignInError, begin, finish
from pipeline.records.access import sessions

router = APIRouter()

LOGIN: Final = "/login"


@router.get(LOGIN)
async def login(request: Request, next: str = "") -> Response:  # noqa: A002  # the name in the address
    """The way in; straight on for a browser that is in."""
    if request.scope.get(IDENTITY) is not None:
        return RedirectResponse(onward(next), HTTPStatus.SEE_OTHER)
    return _page(request, next)


@router.post(LOGIN)
async def login_by_token(
    request: Request,
    token: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "",  # noqa: A002  # the name of the field
) -> Response:
    """Show an API token once; the browser keeps a session instead of it."""
    access, origin = access_of(request), _origin(request)
    request.scope[ACTION] = "sign-in"
    access.limiter.sign_in(origin.neighbourhood)
    now = access.context.now()
    found = await access.prover.token(token.strip(), now)
    if found is None:
        SIGNED_IN.labels("token", "refused").inc()
        request.scope[REASON] = str(Reason.NOT_KNOWN)
        words = "That is no token that lets anybody in: it is mistyped, has expired or was revoked."
        return _page(request, next, HTTPStatus.UNAUTHORIZED, words)
    SIGNED_IN.labels("token", "in").inc()
    request.scope[SUBJECT] = found.name
    arrival = Arrival(found.name, found.name, found, ())
    answer = RedirectResponse(onward(next), HTTPStatus.SEE_OTHER)
    return await _let_in(request, arrival, answer)


@router.get("/login/start")
async def login_start(request: Request, next: str = "") -> Response:  # noqa: A002  # the name in the address
    """Send a browser to the issuer."""
    access, origin = access_of(request), _origin(request)
    access.limiter.sign_in(origin.neighbourhood)
    try:
        address, kept = await begin(access.issuer, access.context.config.console, onward(next), access.context.now())
    except SignInError as wrong:
        return _page(request, next, HTTPStatus.SERVICE_UNAVAILABLE, str(wrong))
    answer = RedirectResponse(address, HTTPStatus.SEE_OTHER)
    cookie = set_cookie(SIGN_IN, kept, https=origin.https, seconds=AWAY_SECONDS, from_elsewhere=True)
    answer.headers.append("set-cookie", cookie)
    return answer


@router.get("/login/return")
async def login_return(request: Request) -> Response:
    """A browser is back from the issuer."""
    access, origin = access_of(request), _origin(request)
    request.scope[ACTION] = "sign-in"
    access.limiter.sign_in(origin.neighbourhood)
    kept = cookie_of(request.scope, SIGN_IN, https=origin.https)
    gone = set_cookie(SIGN_IN, "", https=origin.https, seconds=0, from_elsewhere=True)
    settings, now = access.context.config.console, access.context.now()
    try:
        arrival, where = await finish(access.issuer, settings, dict(request.query_params), kept, now)
    except SignInError as wrong:
        SIGNED_IN.labels("oidc", "refused").inc()
        request.scope[REASON] = str(Reason.NOT_KNOWN)
        answer = _page(request, "", HTTPStatus.UNAUTHORIZED, str(wrong))
    else:
        SIGNED_IN.labels("oidc", "in").inc()
        request.scope[SUBJECT] = arrival.subject
        # A page, not a redirect: where another site led, the cookie of a session is not sent, redirected or not.
        answer = await _let_in(request, arrival, render(request, None, "signed_in.html", where=where))
    answer.headers.append("set-cookie", gone)
    return answer


@router.post("/logout")
async def logout(request: Request) -> Response:
    """End the session of this browser."""
    access, origin = access_of(request), _origin(request)
    request.scope[ACTION] = "sign-out"
    proof = request.scope.get(PROOF)
    if isinstance(proof, Proof) and proof.cookie is not None:
        cookie = proof.cookie
        await access.context.write(lambda connection: sessions.end_session(connection, cookie))
    answer = RedirectResponse(LOGIN, HTTPStatus.SEE_OTHER, {"Clear-Site-Data": '"cache"'})
    answer.headers.append("set-cookie", set_cookie(SESSION, "", https=origin.https, seconds=0))
    return answer


async def _let_in(request: Request, arrival: Arrival, answer: Response) -> Response:
    """Give a browser a new session; what it had before is over."""
    access, origin = access_of(request), _origin(request)
    settings = access.context.config.console
    before = cookie_of(request.scope, SESSION, https=origin.https)
    secret = await access.context.write(
        lambda connection: sessions.begin_session(
            connection,
            arrival.subject,
            arrival.name,
            token=arrival.token,
            groups=arrival.groups,
            hours=settings.session_hours,
            before=before,
            now=access.context.now(),
        )
    )
    access.limiter.proven(Proof(cookie=secret).digest)
    seconds = round(settings.session_hours * 3_600)
    answer.headers.append("set-cookie", set_cookie(SESSION, secret, https=origin.https, seconds=seconds))
    answer.headers.append("set-cookie", set_cookie(VISIT, "", https=origin.https, seconds=0))
    return answer


def _page(request: Request, asked: str, status: int = 200, wrong: str = "") -> Response:
    oidc = access_of(request).context.config.console.oidc
    facts = {"next": onward(asked), "wrong": wrong, "issuer": oidc.title if oidc else ""}
    return render(request, None, "login.html", status=status, **facts)


def _origin(request: Request) -> Origin:
    found = request.scope[ORIGIN]
    assert isinstance(found, Origin)  # noqa: S101  # the door has put it there
    return found

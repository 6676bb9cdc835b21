"""Requests that another site makes a browser send: told apart by what only a page of ours can know.

A write of a browser needs all of: a value that is derived from the secret of its session, in the form or in a header;
no word from the browser that another site began it.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as mac
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import Headers

from pipeline.console.refusal import Reason, Refusal
from pipeline.console.security.origin import Origin

HEADER: Final = "x-csrf-token"
FIELD: Final = "csrf"
SAFE_METHODS: Final = frozenset(("GET", "HEAD", "OPTIONS"))
FORM: Final = "application/x-www-form-urlencoded"
FIELDS_MAX: Final = 1_000


def csrf_of(secret: str) -> str:
    """The value that stands in the pages of a session; it tells nothing of the session's own secret."""
    return urlsafe_b64encode(mac(secret.encode(), b"csrf", sha256)).decode().rstrip("=")


def check_site(headers: Headers, origin: Origin) -> None:
    """What the browser says of where a write began.

    Raises:
        Refusal: elsewhere.
    """
    site = headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        raise forged("another site began this request")
    said = headers.get("origin")
    if said is None and (referrer := headers.get("referer")):
        said = _site_of(referrer)
    if said is not None and said.lower() not in origin.own:
        raise forged("this request began on a page of another address; reach the console by its `public_url`")


def _site_of(referrer: str) -> str:
    """Scheme, host and port of a page; of what is no address nothing that is ours."""
    try:
        parts = urlsplit(referrer)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}"


def check_value(headers: Headers, body: bytes, secret: str) -> None:
    """The value of the page that a write came from.

    Raises:
        Refusal: none, or that of another session.
    """
    given = headers.get(HEADER)
    if given is None and headers.get("content-type", "").partition(";")[0].strip().lower() == FORM:
        given = _field(body)
    if given is None or not compare_digest(given.encode(), csrf_of(secret).encode()):
        raise forged("the page that this came from is out of date, or of another session: load it again")


def _field(body: bytes) -> str | None:
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        return None
    found = [value for name, value in fields if name == FIELD]
    return found[0] if len(found) == 1 else None


def forged(detail: str) -> Refusal:
    """A request that somebody else may have made."""
    return Refusal(HTTPStatus.FORBIDDEN, Reason.FORGED, detail)

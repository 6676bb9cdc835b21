"""Asking the issuer: its own hosts alone, no redirect, little time, little room.

What is asked is never an address of a request. What the issuer's own description names is held to its hosts as well,
so that a description that somebody has changed does not make the console ask inside of the network (SSRF).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import orjson

from pipeline.models.console import Oidc, is_loopback

ASK_SECONDS_MAX: Final = 5.0
"""Somebody waits for it with an empty page."""

ANSWER_BYTES_MAX: Final = 262_144
"""Descriptions and sets of keys have some KiB; a token that names many groups has tens."""

CONNECTIONS_MAX: Final = 8


class IssuerAwayError(Exception):
    """The issuer does not answer as one does; the message is a clause without secrets."""


class IssuerHttp:
    """A client for one issuer."""

    def __init__(self, settings: Oidc) -> None:
        """Describe it; nothing connects yet."""
        self._scheme = urlsplit(settings.issuer).scheme
        self._hosts = frozenset((urlsplit(settings.issuer).netloc.lower(), *settings.hosts))
        self._opened: aiohttp.ClientSession | None = None

    def checked(self, url: object) -> str:
        """An address that is the issuer's own.

        Raises:
            IssuerAwayError: it is not.
        """
        if not isinstance(url, str) or not url.isascii() or not url.isprintable() or set(url) & set(' \\"<>'):
            raise IssuerAwayError("it names an address that is none")
        parts = urlsplit(url)
        plain = self._scheme == "http" and is_loopback(parts.hostname or "")
        if parts.scheme != "https" and not (parts.scheme == "http" and plain):
            raise IssuerAwayError("it names an address that is not https")
        if parts.netloc.lower() not in self._hosts or parts.fragment:
            raise IssuerAwayError("it names an address of another host; if that is its own, add it to oidc.hosts")
        return url

    async def get(self, url: str) -> dict[str, Any]:
        """A JSON object.

        Raises:
            IssuerAwayError: none came.
        """
        return await self._ask("GET", url, {}, None)

    async def post(self, url: str, form: Mapping[str, str], basic: tuple[str, str] | None) -> dict[str, Any]:
        """The same in answer to a form; ``basic`` is user and password.

        Raises:
            IssuerAwayError: none came.
        """
        headers = {}
        if basic is not None:
            headers["Authorization"] = f"Basic {b64encode(':'.join(basic).encode()).decode()}"
        return await self._ask("POST", url, headers, dict(form))

    async def _ask(self, method: str, url: str, headers: dict[str, str], form: dict[str, str] | None) -> dict[str, Any]:
        try:
            async with self._session().request(
                method, self.checked(url), data=form, headers=headers, allow_redirects=False
            ) as response:
                body = await _limited(response)
                if response.status != HTTPStatus.OK:
                    raise IssuerAwayError(f"it answers {response.status}")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise IssuerAwayError(f"no answer: {type(error).__name__}") from None
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise IssuerAwayError("it answers with what is no JSON") from None
        if not isinstance(found, dict):
            raise IssuerAwayError("it answers with what is no JSON object")
        return found

    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            self._opened = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=ASK_SECONDS_MAX),
                connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                headers={"User-Agent": "spillway", "Accept": "application/json", "Accept-Encoding": "identity"},
            )
        return self._opened

    async def close(self) -> None:
        """Disconnect."""
        if self._opened is not None:
            await self._opened.close()


async def _limited(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > ANSWER_BYTES_MAX:
            raise IssuerAwayError(f"it answers with more than {ANSWER_BYTES_MAX} bytes")
    return bytes(body)

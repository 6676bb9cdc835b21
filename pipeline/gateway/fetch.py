"""Fetching what a request names: from SNS's own hosts alone, and never from inside the network.

A request must not make the gateway ask an address of the sender's choice (SSRF). So: https, a host of SNS by its whole
name, the usual port, no user, no redirect; and the address that the name leads to must be a public one, checked on the
very address that is then connected to, so that a name which changes between check and use gains nothing.
"""

from __future__ import annotations

import re
import socket
import ssl
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

FETCH_SECONDS_MAX: Final = 5.0
"""SNS waits 15 seconds for an answer of ours."""

FETCHED_BYTES_MAX: Final = 32_768
"""A certificate is 2 KiB, an answer to a confirmation 1 KiB."""

CONNECTIONS_MAX: Final = 4
URL_CHARACTERS_MAX: Final = 2_048
_HOST: Final = re.compile(r"sns\.[a-z]{2}(-[a-z]{2,12}){1,3}-\d{1,2}\.amazonaws\.com(\.cn)?")
_HTTPS_PORT: Final = 443


class FetchError(Exception):
    """Nothing came, and it may come later; the message is one line and repeats no address."""


class ForbiddenUrlError(Exception):
    """An address that is not asked, whatever happens; the message says which rule it breaks."""


def checked_sns_url(url: object) -> SplitResult:
    """An address that may be asked.

    Raises:
        ForbiddenUrlError: it may not.
    """
    if not isinstance(url, str) or len(url) > URL_CHARACTERS_MAX or not url.isascii() or not url.isprintable():
        raise ForbiddenUrlError("no plain address")
    if any(character in url for character in " \\"):  # which parsers read in different ways
        raise ForbiddenUrlError("no plain address")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ForbiddenUrlError("no plain address") from None
    if parts.scheme != "https":
        raise ForbiddenUrlError("not https")
    # The whole authority, so that no user, no port and no other spelling of a host passes.
    if port not in {None, _HTTPS_PORT} or not _HOST.fullmatch(parts.netloc.removesuffix(f":{_HTTPS_PORT}")):
        raise ForbiddenUrlError("not a host of SNS")
    if parts.fragment:
        raise ForbiddenUrlError("a fragment")
    return parts


class PublicResolver(AbstractResolver):
    """Names to addresses, of which only public ones are given."""

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a name.

        Raises:
            OSError: one of them is not public: then the name is not to be trusted at all.
        """
        found = await self._inner.resolve(host, port, family)
        if not all(is_public(each["host"]) for each in found):
            raise OSError(None, "the name leads to an address that is not public")
        return found

    async def close(self) -> None:
        """Let go of the inner resolver."""
        await self._inner.close()


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet; an IPv4 address inside an IPv6 one counts by itself."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        if parsed.sixtofour or parsed.teredo or parsed in _LOCAL_TRANSLATION:  # ways to wherever
            return False
        if any(parsed in network for network in _IPV4_INSIDE):
            return is_public(str(IPv4Address(int(parsed) & 0xFFFF_FFFF)))
    return parsed.is_global and not parsed.is_multicast


_IPV4_INSIDE: Final = tuple(map(IPv6Network, ("::ffff:0:0/96", "64:ff9b::/96", "::/96")))
"""Mapped, translated (NAT64) and, long ago, compatible."""

_LOCAL_TRANSLATION: Final = IPv6Network("64:ff9b:1::/48")


class SnsFetcher:
    """Asks SNS's hosts."""

    def __init__(self, resolver: AbstractResolver | None = None, trust: ssl.SSLContext | None = None) -> None:
        """Describe the client; nothing connects yet.

        Args:
            resolver: names to addresses; by default the system's, public addresses alone.
            trust: certificates that hosts must show; by default those that the system trusts.
        """
        self._resolver = resolver
        self._trust = trust
        self._opened: aiohttp.ClientSession | None = None

    def _session(self) -> aiohttp.ClientSession:
        """The client, made when it is first needed: most gateways never ask SNS."""
        if self._opened is None:
            self._opened = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=FETCH_SECONDS_MAX),
                connector=aiohttp.TCPConnector(
                    resolver=self._resolver or PublicResolver(ThreadedResolver()),
                    ssl=self._trust or ssl.create_default_context(),
                    use_dns_cache=False,
                    limit=CONNECTIONS_MAX,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                headers={"User-Agent": "spillway", "Accept-Encoding": "identity"},
            )
        return self._opened

    async def get(self, url: SplitResult) -> bytes:
        """What an address answers with 200; ``url`` comes from `checked_sns_url`.

        Raises:
            FetchError: nothing did, or too much.
            ForbiddenUrlError: the host says that there is no such thing.
        """
        try:
            async with self._session().get(url.geturl(), allow_redirects=False) as response:
                if HTTPStatus.BAD_REQUEST <= response.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise ForbiddenUrlError(f"the host answers {response.status}")
                if response.status != HTTPStatus.OK:
                    raise FetchError(f"the host answers {response.status}")
                return await _limited(response)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise FetchError(f"no answer: {type(error).__name__}") from None

    async def close(self) -> None:
        """Disconnect."""
        if self._opened is not None:
            await self._opened.close()


async def _limited(response: aiohttp.ClientResponse) -> bytes:
    data = bytearray()
    async for part in response.content.iter_any():
        data += part
        if len(data) > FETCHED_BYTES_MAX:
            raise FetchError(f"more than {FETCHED_BYTES_MAX} bytes")
    return bytes(data)

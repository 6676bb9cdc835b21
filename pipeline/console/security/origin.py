"""Where a request comes from: the client's address and how it came, also through proxies that are trusted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

from starlette.datastructures import Headers
from starlette.types import Scope

from pipeline.console.refusal import Reason, Refusal
from pipeline.models.console import ConsoleSettings, is_loopback

UNKNOWN: Final = "unknown"
"""Address of a client that comes over something that has none, such as a socket in the file system."""

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
_HOPS_MAX: Final = 20

# A name or address, and a port. What else stands there makes whoever builds an address of it raise, or build another.
_HOST: Final = re.compile(r"(?:[A-Za-z0-9._~-]{0,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")

_NEIGHBOURS_BITS: Final = 64
"""One customer has a whole /64 of IPv6: its addresses are one client to the limits."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request comes from.

    Attributes:
        address: of the client.
        https: whether it came to us, or to the proxy in front, by https.
        own: origins (scheme, host and port) that are this console's own, lower case.
        request_id: names the request; a trusted proxy's own where it gives one.
    """

    address: str
    https: bool
    own: frozenset[str]
    request_id: str

    @property
    def neighbourhood(self) -> str:
        """Whom limits count together."""
        try:
            parsed = ip_address(self.address)
        except ValueError:
            return self.address
        if isinstance(parsed, IPv6Address):
            return str(ip_network((parsed, _NEIGHBOURS_BITS), strict=False))
        return self.address


def check_host(scope: Scope) -> None:
    """Refuse a request whose ``Host`` is none, or comes twice (RFC 9112, section 3.2).

    What is refused is taken out of the scope: nobody can build an address of it, also not of the refusal's page.

    Raises:
        Refusal: 400.
    """
    stated = Headers(scope=scope).getlist("host")
    if len(stated) <= 1 and all(_HOST.fullmatch(each) for each in stated):
        return
    scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"host"]
    raise Refusal(HTTPStatus.BAD_REQUEST, Reason.BAD_INPUT, "the header Host is not one name with or without a port")


class Origins:
    """Reads where requests come from."""

    def __init__(self, settings: ConsoleSettings) -> None:
        self._trusted = [ip_network(each) for each in settings.trusted_proxies]
        self._public = settings.public_url

    def of(self, scope: Scope) -> Origin:
        """The origin of a request."""
        headers = Headers(scope=scope)
        address, scheme = (scope.get("client") or (UNKNOWN, 0))[0], scope.get("scheme", "http")
        host, request_id = headers.get("host", ""), ""
        if self._trusts(address):
            address = self._client(headers.getlist("x-forwarded-for"), address)
            scheme = headers.get("x-forwarded-proto", scheme).split(",")[-1].strip().lower()
            host = headers.get("x-forwarded-host", host).split(",")[-1].strip()
            request_id = headers.get("x-request-id", "")
        if not _REQUEST_ID.fullmatch(request_id):
            request_id = uuid4().hex
        return Origin(address[:64], scheme == "https", self._own(scheme, host), request_id)

    def _own(self, scheme: str, host: str) -> frozenset[str]:
        """Where the configuration says where we are, that, and this machine's own names beside it."""
        asked = f"{scheme}://{host}".lower()
        if self._public is None:
            return frozenset((asked,))
        public = self._public.lower()
        return frozenset((public, asked) if is_loopback(_host_of(asked)) else (public,))

    def _trusts(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._trusted)

    def _client(self, forwarded: Sequence[str], peer: str) -> str:
        """The nearest address that no trusted proxy has: what stands further away, anybody may have written."""
        hops = [hop.strip() for line in forwarded for hop in line.split(",")][-_HOPS_MAX:]
        nearest = peer
        for hop in reversed(hops):
            bare = hop.removeprefix("[").partition("]")[0] if hop.startswith("[") else hop
            if bare.count(":") == 1:
                bare = bare.partition(":")[0]
            try:
                nearest = str(ip_address(bare))
            except ValueError:
                return nearest
            if not self._trusts(nearest):
                return nearest
        return nearest


def _host_of(address: str) -> str:
    """The host of an address; "" where it has none, such as of a header ``Host: [``, which anybody may send."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""

"""Connections: one whose head does not come in time ends, so that nobody holds many open by saying little."""

from __future__ import annotations

import asyncio
from typing import Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS_MAX: Final = 10.0
"""A phone on a bad line sends a head in a second or two."""

HEAD_BYTES_MAX: Final = 32 << 10
"""Cookies of a company's other pages come along."""

CONNECTIONS_MAX: Final = 2_500
"""1,000 streams, and what else 1,000 browsers have open."""

IDLE_SECONDS_MAX: Final = 75
"""Longer than the minute after which proxies let go of a connection: who closes first loses no request."""


class Connection(H11Protocol):
    """One connection."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin."""
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._be_content()
        elif self._late is None:
            self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._be_content()
        super().connection_lost(exc)

    def _expect(self) -> None:
        self._late = self.loop.call_later(HEAD_SECONDS_MAX, self.transport.close)

    def _be_content(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

"""What tests of every kind share: waiting on conditions, and clients of the broker under test."""

from __future__ import annotations

import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from typing import Final

POLL_SECONDS: Final = 0.02


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Return as soon as ``condition()`` is true.

    Args:
        condition: asked again and again.
        seconds: how long at most.
        what: what is awaited, for the message.

    Raises:
        AssertionError: it did not become true in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain for: {what}")
        time.sleep(POLL_SECONDS)


def is_ready(port: int, seconds: float) -> bool:
    """Whether a process of this machine says on its port of health that it serves. ``seconds``: for its answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()

"""Ports for what is started on this machine a moment later."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from random import SystemRandom
from typing import Final

HOST: Final = "127.0.0.1"

PORTS: Final = range(20_000, 32_000)
"""Linux gives connections ports from 32,768 on (`ip_local_port_range`), so that none takes one of these between the
moment in which it is chosen and the one in which it is listened on. One that the system chooses (0) is of those."""

TRIES_MAX: Final = 1_000
"""More than a twelfth of the ports; where all of those are taken, something else is wrong."""


def free_ports(count: int) -> list[int]:
    """Different free ports, all held open until all are known.

    Raises:
        OSError: none was found.
    """
    random, tries_left = SystemRandom(), TRIES_MAX
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            probe, port = held.enter_context(socket.socket()), random.choice(PORTS)
            try:
                probe.bind((HOST, port))
            except OSError:
                tries_left -= 1
                if not tries_left:
                    raise
            else:
                found.append(port)
    return found

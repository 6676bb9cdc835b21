"""What has changed in the records store, told to those who listen: in the transaction of the rows, by PostgreSQL.

notify(connection, changes)                       # in the projection
read_changes(notification.payload)                # in the console
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import orjson
from sqlalchemy import Connection, func, select

CHANNEL: Final = "spillway_changes"

# PostgreSQL takes less than 8,000 bytes a notification.
PAYLOAD_BYTES_MAX: Final = 7_900

DOMAINS_MAX: Final = 20
"""Of a bridge incident that spans more, those that come first hear of it at once, the others when they look."""


class Changed(NamedTuple):
    """One incident as its newest revision says.

    Attributes:
        kind: ``incident``, ``bridge`` or ``problem``.
        change: what happened, an ``IncidentChange`` word.
        domains: whose it is: who may hear of it.
    """

    id: str
    revision: int
    kind: str
    change: str
    state: str
    priority: str
    domains: list[str]


def notify(connection: Connection, changes: Iterable[Changed]) -> None:
    """Tell those who listen, when the transaction commits."""
    for payload in _payloads(changes):
        connection.execute(select(func.pg_notify(CHANNEL, payload.decode())))


def read_changes(payload: str) -> Sequence[Changed]:
    """What a notification tells."""
    return [Changed(*each) for each in orjson.loads(payload)]


def _payloads(changes: Iterable[Changed]) -> Iterator[bytes]:
    """JSON arrays as long as PostgreSQL takes them; one change alone is far shorter."""
    parts: list[bytes] = []
    size = 2
    for each in changes:
        part = _part(each)
        if parts and size + len(part) + 1 > PAYLOAD_BYTES_MAX:
            yield b"[" + b",".join(parts) + b"]"
            parts, size = [], 2
        parts.append(part)
        size += len(part) + 1
    if parts:
        yield b"[" + b",".join(parts) + b"]"


def _part(changed: Changed) -> bytes:
    """One change as JSON that fits; of one with odd, endless words they are left out, and the listener looks it up."""
    part = orjson.dumps(tuple(changed._replace(domains=changed.domains[:DOMAINS_MAX])))
    if len(part) <= PAYLOAD_BYTES_MAX - 2:
        return part
    return orjson.dumps(tuple(changed._replace(change="updated", state="", priority="", domains=[])))

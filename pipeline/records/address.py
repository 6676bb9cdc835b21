"""The address of the records store, checked and made an engine's.

Every process imports this for its error, and few have a store: SQLAlchemy is a sixth of what a start costs, and comes
when an engine is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

# A database that does not answer a connection attempt by then counts as away, and the attempt is repeated.
CONNECT_SECONDS_MAX: Final = 5


class RecordsUrlError(Exception):
    """The address of the records store cannot be used; the message is one line without the password."""


def engine_of(url: str, schema: str | None = None) -> Engine:
    """An engine; nothing connects yet.

    Args:
        url: of the database.
        schema: one beside the usual one, in which it works.

    Raises:
        RecordsUrlError: not the address of a PostgreSQL database.
    """
    from sqlalchemy import create_engine

    options = dict(_OPTIONS)
    if schema is not None:
        options["connect_args"] = {**options["connect_args"], "options": f"-csearch_path={schema}"}
    return create_engine(_address(url), **options)


def async_engine_of(url: str, connections_max: int) -> AsyncEngine:
    """The same for an event loop.

    Args:
        url: as of `engine_of`.
        connections_max: connections at once; who comes later waits.
    """
    from sqlalchemy.ext.asyncio import create_async_engine

    return create_async_engine(_address(url), pool_size=connections_max, max_overflow=0, **_OPTIONS)


_OPTIONS: Final[dict[str, Any]] = {
    "hide_parameters": True,  # an error would put whole incidents, and hashes of credentials, into logs
    "pool_pre_ping": True,  # a restarted server would otherwise cost the first batch after it a retry
    # No prepared statements: a plan that is made once for all words is a bad one for most of them.
    "connect_args": {
        "connect_timeout": CONNECT_SECONDS_MAX,
        "application_name": "spillway",
        "prepare_threshold": None,
    },
    "json_serializer": lambda value: orjson.dumps(value).decode(),
    "json_deserializer": orjson.loads,
}


def _address(url: str) -> URL:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        address = make_url(url)
    except ArgumentError:
        raise RecordsUrlError("records store: not a postgresql:// address") from None
    if address.get_backend_name() not in ("postgresql", "postgres"):
        raise RecordsUrlError(f"records store: PostgreSQL is needed, got {address.get_backend_name()}://")
    return address.set(drivername="postgresql+psycopg")

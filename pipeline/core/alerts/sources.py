"""What reads the messages of each raw topic: its feed, the adapter of that, and the adapter's options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from pipeline.core.privacy.redactor import FeedRedactor
from pipeline.core.step import Headers
from pipeline.flow import RAW_TOPIC_PREFIX
from pipeline.models.alert import Alert
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import Adapter, RawMessage
from pipeline.models.policy import Feed


class Source(NamedTuple):
    """How one raw topic is read.

    Attributes:
        feed: whose topic it is.
        adapter: the feed's.
        options: of the feed, as the adapter's own model.
    """

    feed: Feed
    adapter: Adapter
    options: Any

    def read(self, value: bytes, headers: Headers, redactor: FeedRedactor | None = None) -> list[Alert | BadRecord]:
        """The alerts of a message, in order.

        Args:
            value: as it came.
            headers: as they came.
            redactor: takes personal data out before anything else is done.

        Raises:
            BadRecord: the whole message is bad.
        """
        feed, adapter, options = self
        message = RawMessage(feed.name, adapter.feed_class, headers, options)
        document = _parsed(value) if adapter.decode is None else adapter.decode(value)
        if redactor is not None:
            document = redactor.document(document)
            message = message._replace(headers=redactor.headers(headers))
        results = adapter.parse(document, message)
        if not results:  # an adapter at fault: without this the record would be lost, and no count would tell
            raise BadRecord(Reason.UNKNOWN_SHAPE, f"$: the adapter {feed.adapter} found nothing to read in it")
        return results


def sources_of(adapters: Mapping[str, Adapter], feeds: Mapping[str, Feed]) -> dict[str, Source]:
    """How each raw topic is read, by its logical name.

    Args:
        adapters: by adapter name.
        feeds: by feed name: the feeds that may come in.

    Raises:
        ValueError: a feed names an adapter that is not there, or options that its adapter does not have.
    """
    sources: dict[str, Source] = {}
    for name, feed in feeds.items():
        if feed.adapter not in adapters:
            known = ", ".join(adapters)
            raise ValueError(f"feed {name}: there is no adapter {feed.adapter!r}; use one of {known}")
        adapter = adapters[feed.adapter]
        sources[RAW_TOPIC_PREFIX + name] = Source(feed, adapter, adapter.read_options(feed.options))
    return sources


def _parsed(value: bytes) -> Any:
    """The document of a record's value.

    Raises:
        BadRecord: it is not JSON, not UTF-8, or nested too deep. Says where, not what stands there.
    """
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise BadRecord(Reason.BROKEN_JSON, f"line {error.lineno}, column {error.colno}: not JSON") from error

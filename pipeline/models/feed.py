"""What an adapter is: the function that reads one source's shape, and what it is told beside the document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pipeline.models.alert import Alert
from pipeline.models.decision import BadRecord


class RawMessage(NamedTuple):
    """What an adapter may know of a raw record beside its document.

    Neither its time nor its place: those are no facts of the source, and without them equal messages come to equal
    alerts, which `pipeline.core.recall` relies on.

    Attributes:
        feed: name of the feed; part of every alert key.
        feed_class: a `FeedClass`.
        headers: as they came; bridges put delivery ids of webhooks here.
    """

    feed: str
    feed_class: str
    headers: Sequence[tuple[str, bytes]] = ()

    def header(self, name: str) -> str | None:
        """The text of a header, by its name in lower case; None where it is absent, empty or not UTF-8."""
        for header, value in self.headers:
            if value and header.lower() == name:
                try:
                    return value.decode()
                except UnicodeDecodeError:
                    return None
        return None


class Adapter(NamedTuple):
    """One source's adapter. Calling it reads a message.

    Attributes:
        feed_class: a `FeedClass`: where the source runs.
        parse: takes the parsed JSON document and its `RawMessage`; returns the alerts in order, with a
            `BadRecord` in the place of a bad member. Raises `BadRecord` where the whole message is bad.
    """

    feed_class: str
    parse: Callable[[object, RawMessage], list[Alert | BadRecord]]

    def __call__(self, document: object, message: RawMessage) -> list[Alert | BadRecord]:
        """Read a message."""
        return self.parse(document, message)

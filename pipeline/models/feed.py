"""What an adapter is: the function that reads one source's shape, and what it is told beside the document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel

from pipeline.models.alert import Alert
from pipeline.models.decision import BadRecord


class RawMessage(NamedTuple):
    """What an adapter may know of a raw record beside its document.

    Neither its time nor its place: those are no facts of the source, and without them equal messages come to equal
    alerts, which `pipeline.core.alerts.recall` relies on.

    Attributes:
        feed: name of the feed; part of every alert key.
        feed_class: a `FeedClass`.
        headers: as they came; the gateway puts delivery ids of webhooks here.
        options: of the feed, as the adapter's own model; None where the adapter has no options.
    """

    feed: str
    feed_class: str
    headers: Sequence[tuple[str, bytes]] = ()
    options: Any = None

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
        parse: takes the document and its `RawMessage`; returns the alerts in order, with a `BadRecord` in the place
            of a bad member. Raises `BadRecord` where the whole message is bad.
        decode: makes the document of a record's bytes, for sources that do not write JSON; raises `BadRecord`. Given
            no bytes for a record without a value, which is a message only where headers say it all.
        options: model of what a feed may set in ``options:``, with a default for everything.
    """

    feed_class: str
    parse: Callable[[object, RawMessage], list[Alert | BadRecord]]
    decode: Callable[[bytes], object] | None = None
    options: type[BaseModel] | None = None

    def read_options(self, given: Mapping[str, Any]) -> Any:
        """A feed's options as the adapter's model; None where it has none.

        Raises:
            ValueError: options for an adapter that has none, or that do not fit; pydantic's error tells where.
        """
        if self.options is None:
            if given:
                raise ValueError(f"this adapter has no options, and {', '.join(sorted(given))} is given")
            return None
        return self.options.model_validate(dict(given))

    def __call__(self, document: object, message: RawMessage) -> list[Alert | BadRecord]:
        """Read a message."""
        return self.parse(document, message)

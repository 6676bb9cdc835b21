"""What comes back from sinks: ``/v1/sinks/NAME``, verified, read into updates, answered when the brokers have them.

A message of a feed goes on byte for byte, because its adapter reads it later. A sink's message is read here: the
topic ``sink.updates`` is keyed by incident, which stands inside. What is refused is told to its sender at once; what
the sender then throws away is made up for by the reconciler, which reads the record itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final, NamedTuple

import orjson
from aiohttp import web
from pydantic import ValidationError

from pipeline.core.privacy.redactor import FeedRedactor
from pipeline.core.privacy.words import without_personal_data
from pipeline.flow import RAW_VALUE_BYTES_MAX
from pipeline.gateway.arrival import Guard
from pipeline.gateway.headers import check_media_type
from pipeline.gateway.limits import TokenBucket
from pipeline.gateway.refusal import Reason, Refusal, kafka_unavailable
from pipeline.gateway.taken import Records
from pipeline.models.gateway import SECRET_HEADERS
from pipeline.models.remote import SinkUpdate
from pipeline.models.sinks.base import TwoWay
from pipeline.sinks.updates import Reader

SINKS_PATH: Final = "/v1/sinks/"

BODY_BYTES_MAX: Final = RAW_VALUE_BYTES_MAX
"""As a feed's: tickets with all their fields take some tens of kilobytes."""

REQUESTS_PER_SECOND: Final = 100.0
REQUESTS_BURST: Final = 500
"""Of one sink, in each gateway. People cannot write so fast; a script that closes a thousand tickets can, and waits."""

UPDATES_MAX: Final = 200
"""Of one message: vendors tell of one record, at most of a page of them."""

REASON_CHARACTERS_MAX: Final = 200

ANSWER_SECONDS_MAX: Final[Mapping[str, float]] = {"slack": 2.5}
"""Type of sink -> how long it waits. Slack shows the person who pressed a button an error after 3 seconds."""

SILENT: Final = frozenset({"slack"})
"""Types that want 200 and nothing else: Slack takes a body for words that it shall show."""

# What a reader raises that has a defect. Such a body must cost its sender an answer, and the gateway nothing.
_DEFECTS: Final = (LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)


class Reply(NamedTuple):
    """The answer to a request that was taken."""

    status: HTTPStatus
    body: bytes


@dataclass(frozen=True, slots=True)
class OpenSink:
    """A sink that takes messages back over HTTP.

    Attributes:
        type: as in sinks.yaml.
        rules: of the sink.
        guard: who may send.
        reader: of its type.
        rate: of its requests.
    """

    name: str
    type: str
    rules: TwoWay
    guard: Guard
    reader: Reader
    rate: TokenBucket

    @property
    def label(self) -> str:
        """What metrics and log lines call it, beside the names of feeds."""
        return f"sinks/{self.name}"

    def take_token(self) -> None:
        """Count the request against the sink's rate.

        Raises:
            Refusal: 429.
        """
        if wait_seconds := self.rate.take():
            sentence = f"a sink's messages are taken {REQUESTS_PER_SECOND:g} times a second"
            raise Refusal(HTTPStatus.TOO_MANY_REQUESTS, Reason.RATE, sentence, retry_after_seconds=wait_seconds)

    def updates(self, request: web.BaseRequest, body: bytes) -> list[SinkUpdate]:
        """What a verified message says of our incidents.

        Raises:
            Refusal: it cannot be read.
        """
        headers = {name.lower(): value for name, value in request.headers.items() if name.lower() not in SECRET_HEADERS}
        try:
            found = self.reader(body, headers, self.rules, datetime.now(UTC))
        except ValueError as error:
            raise _unreadable(self.type, _reason(error)) from None
        except _DEFECTS as error:
            sentence = "the message could not be read by a defect of Spillway"
            private = f"reader of {self.type}: {type(error).__name__}"
            raise Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, Reason.DEFECT, sentence, private=private) from None
        if len(found) > UPDATES_MAX:
            raise _unreadable(self.type, f"{len(found)} records in one message, {UPDATES_MAX} at most")
        return found


class SinkDoor:
    """Takes what sinks send back."""

    def __init__(
        self, sinks: Mapping[str, OpenSink], topic: str, records: Records, redactor: FeedRedactor | None = None
    ) -> None:
        """Describe it.

        Args:
            sinks: by name.
            topic: name on the wire of ``sink.updates``.
            records: where updates go.
            redactor: takes personal data out of what people write there.
        """
        self._sinks = sinks
        self._topic = topic
        self._records = records
        self._redactor = redactor

    def sink(self, name: str) -> OpenSink:
        """The sink of a name.

        Raises:
            Refusal: 404; a sink without ``updates:`` looks the same as none.
        """
        sink = self._sinks.get(name)
        if sink is None:
            sentence = "no sink of this name takes messages here"
            raise Refusal(HTTPStatus.NOT_FOUND, Reason.UNKNOWN_SINK, sentence)
        return sink

    async def take(self, sink: OpenSink, request: web.BaseRequest, value: bytes, request_id: str) -> Reply:
        """Read a verified message, write its updates, and say so.

        Raises:
            Refusal: it cannot be read, or the brokers do not have it.
        """
        sink.take_token()
        if not value:
            raise Refusal(HTTPStatus.BAD_REQUEST, Reason.EMPTY, "there is no message: the body is empty")
        check_media_type(request.headers, ())
        updates = [without_personal_data(each, self._redactor) for each in sink.updates(request, value)]
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX.get(sink.type)):
                await self._write(updates)
        except TimeoutError:
            raise kafka_unavailable("the brokers take longer than the sender waits") from None
        if sink.type in SILENT:
            return Reply(HTTPStatus.OK, b"")
        words = "accepted" if updates else "about nothing of ours"
        body = {"status": words, "sink": sink.name, "updates": len(updates), "request_id": request_id}
        return Reply(HTTPStatus.ACCEPTED if updates else HTTPStatus.OK, orjson.dumps(body))

    async def _write(self, updates: list[SinkUpdate]) -> None:
        """All or an error: a message that is sent again because one was not written changes nothing by the others.

        The producer's partitioner is that of `core.identity.partition_of`, so an update is where its incident is.
        """
        writes = [self._records.send(self._topic, each.incident_id.encode(), each.to_bytes(), []) for each in updates]
        for outcome in await asyncio.gather(*writes, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome


def _unreadable(kind: str, reason: str) -> Refusal:
    sentence = f"this is no message of {kind} that Spillway reads: {reason}"
    return Refusal(HTTPStatus.BAD_REQUEST, Reason.UNREADABLE, sentence, private=reason)


def _reason(error: ValueError) -> str:
    """Why a reader refused, in one line that quotes nothing of the body."""
    if isinstance(error, ValidationError):  # its own text repeats what was given
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        return f"{'.'.join(map(str, first['loc'])) or 'the update'}: {first['type']}"[:REASON_CHARACTERS_MAX]
    if isinstance(error, orjson.JSONDecodeError | UnicodeError):
        return "it is not JSON" if isinstance(error, orjson.JSONDecodeError) else "it is not UTF-8"
    line = str(error).partition("\n")[0][:REASON_CHARACTERS_MAX]
    return "".join(each if each.isprintable() else " " for each in line) or "unknown shape"

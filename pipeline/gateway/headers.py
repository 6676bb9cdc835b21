"""Headers of a request: its id, its media type, and those that go into Kafka beside the body."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote_to_bytes
from uuid import uuid4

from multidict import CIMultiDictProxy

from pipeline.gateway.refusal import Reason, Refusal

REQUEST_ID: Final = "X-Request-Id"
_REQUEST_ID_SANE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{7,127}")

CONTENT_TYPE: Final = "content-type"
_CLOUDEVENT_HTTP: Final = "ce-"
_CLOUDEVENT_KAFKA: Final = "ce_"
_BATCH: Final = "application/cloudevents-batch"
FORM: Final = "application/x-www-form-urlencoded"

KEPT: Final = (
    "x-atlassian-webhook-identifier",
    "x-github-delivery",
    "x-github-event",
    "x-xurrent-delivery",
    "x-xurrent-delivery-origin",
    "x-webhook-id",  # PagerDuty v3: one delivery of a webhook
    "x-zendesk-webhook-id",
    "x-zendesk-webhook-invocation-id",
    "sentry-hook-resource",
    "sentry-hook-timestamp",
    "request-id",  # Sentry's id of a delivery
    "webhook-id",
    "webhook-timestamp",
    "x-amz-sns-message-type",
    "x-amz-sns-message-id",
    "x-amz-sns-topic-arn",
    "x-amz-sns-rawdelivery",
    "traceparent",
    "tracestate",
)
"""Ids of deliveries and facts that stand in no body."""

HEADER_BYTES_MAX: Final = 1_024
"""Of one header's value. Delivery ids are far shorter; a longer one is left out rather than cut to another id."""

CLOUDEVENT_HEADERS_MAX: Final = 40
CLOUDEVENT_NAME_CHARS_MAX: Final = 64
"""The specification asks for 20 at most; forty names of kilobytes would make a legal body too large for its topic."""

KafkaHeaders = list[tuple[str, bytes]]


def request_id_of(headers: CIMultiDictProxy[str]) -> str:
    """The sender's request id where it is sane, else a new one."""
    given = headers.get(REQUEST_ID, "")
    return given if _REQUEST_ID_SANE.fullmatch(given) else uuid4().hex


def media_type_of(headers: CIMultiDictProxy[str]) -> str:
    """Media type without parameters, in lower case; "" where none is given."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()


def check_media_type(headers: CIMultiDictProxy[str], allowed: tuple[str, ...]) -> None:
    """Refuse what no adapter reads.

    Raises:
        Refusal: 415.
    """
    media_type = media_type_of(headers)
    if media_type.startswith(_BATCH):
        sentence = "batches of CloudEvents are not taken: send each event in a request of its own"
    elif allowed and media_type not in allowed:
        sentence = f"Content-Type must be one of {', '.join(allowed)}"
    elif media_type.startswith("multipart/"):
        sentence = "multipart bodies are not taken: send the message itself as the body"
    else:
        return
    raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, Reason.CONTENT_TYPE, sentence)


def kafka_headers(headers: CIMultiDictProxy[str], more: Iterable[str] = (), secret: str | None = None) -> KafkaHeaders:
    """What goes into Kafka: names in lower case; attributes of CloudEvents as Kafka's binding spells them.

    Over HTTP an attribute is ``ce-`` with percent-encoded text, on Kafka ``ce_`` with plain UTF-8.

    Args:
        headers: of the request.
        more: names that the feed wants beside the usual ones.
        secret: the header that the feed's sender proves itself by; it stays out, whatever list it is on.
    """
    barred = None if secret is None else secret.lower()
    names = dict.fromkeys(name.lower() for name in (CONTENT_TYPE, *KEPT, *more))
    kept = [
        (name, value.encode(errors="surrogateescape"))
        for name in names
        if name != barred and (value := headers.get(name)) is not None
    ]
    if "ce-specversion" in headers:
        attributes = [
            (name.lower(), value)
            for name, value in headers.items()
            if name.lower().startswith(_CLOUDEVENT_HTTP) and name.lower() != barred
        ]
        kept += [
            (
                _CLOUDEVENT_KAFKA + name.removeprefix(_CLOUDEVENT_HTTP),
                unquote_to_bytes(value.encode(errors="surrogateescape")),
            )
            for name, value in attributes[:CLOUDEVENT_HEADERS_MAX]
            if len(name) <= CLOUDEVENT_NAME_CHARS_MAX
        ]
    return [(name, value) for name, value in kept if len(value) <= HEADER_BYTES_MAX]

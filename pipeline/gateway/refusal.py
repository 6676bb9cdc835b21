"""Refusals: why a request is not taken, as a status, a word for metrics and logs, and a sentence for the sender."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Final

RETRY_SOON_SECONDS: Final = 1
"""The gateway is full for a moment."""

RETRY_KAFKA_SECONDS: Final = 5
"""Kafka does not take records: a broker comes back, or another leads, within seconds."""


class Reason(StrEnum):
    """Why a request was not taken; label of ``spillway_gateway_refused_total``."""

    BROKEN_HEAD = "broken_head"
    UNKNOWN_PATH = "unknown_path"
    UNKNOWN_FEED = "unknown_feed"
    UNKNOWN_SINK = "unknown_sink"
    WRONG_METHOD = "wrong_method"
    NOT_BUILT = "not_built"
    UNAUTHENTICATED = "unauthenticated"
    NOT_VERIFIABLE = "not_verifiable"
    TOO_LARGE = "too_large"
    SLOW_BODY = "slow_body"
    BROKEN_BODY = "broken_body"
    BROKEN_OFF = "broken_off"
    EMPTY = "empty"
    CONTENT_TYPE = "content_type"
    CONTENT_ENCODING = "content_encoding"
    INVALID_EVENT = "invalid_event"
    UNREADABLE = "unreadable"
    RATE = "rate"
    BUSY = "busy"
    KAFKA = "kafka"
    TOPIC_MISSING = "topic_missing"
    DEFECT = "defect"


class Refusal(Exception):
    """A request that is not taken.

    Attributes:
        status: HTTP status.
        reason: why, in one word.
        sentence: for the sender; repeats nothing that was sent and tells no secret.
        retry_after_seconds: when to try again; None: never with the same request.
        headers: more headers of the answer.
        private: for our log alone: what exactly did not fit. Holds no value either.
    """

    def __init__(
        self,
        status: HTTPStatus,
        reason: Reason,
        sentence: str,
        *,
        retry_after_seconds: int | None = None,
        headers: Mapping[str, str] | None = None,
        private: str = "",
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.reason = reason
        self.sentence = sentence
        self.retry_after_seconds = retry_after_seconds
        self.headers = headers or {}
        self.private = private


def unauthenticated(private: str) -> Refusal:
    """401, in the same words whatever was wrong: details would help those who guess."""
    sentence = "the authentication was not met"
    headers = {"WWW-Authenticate": 'Bearer realm="spillway"'}
    return Refusal(HTTPStatus.UNAUTHORIZED, Reason.UNAUTHENTICATED, sentence, headers=headers, private=private)


def busy(private: str) -> Refusal:
    """503: the gateway's own room is used up."""
    sentence = "the gateway is full: send the same request again"
    return Refusal(
        HTTPStatus.SERVICE_UNAVAILABLE,
        Reason.BUSY,
        sentence,
        retry_after_seconds=RETRY_SOON_SECONDS,
        private=private,
    )


def kafka_unavailable(private: str) -> Refusal:
    """503: the broker has not acknowledged. The record may yet be there, so a repeat is possible, a loss is not."""
    sentence = "Kafka does not take records now: send the same request again"
    return Refusal(
        HTTPStatus.SERVICE_UNAVAILABLE,
        Reason.KAFKA,
        sentence,
        retry_after_seconds=RETRY_KAFKA_SECONDS,
        private=private,
    )


def too_large(limit_bytes: int) -> Refusal:
    """413."""
    sentence = f"the body is larger than {limit_bytes} bytes"
    return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, Reason.TOO_LARGE, sentence)

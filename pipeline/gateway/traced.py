"""Traces begin at the gateway, or go on with those of its senders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from time import time_ns
from typing import Final

from pipeline.gateway.headers import KafkaHeaders
from pipeline.runtime.tracing import TRACEPARENT, Context, Exporter, Span, context_of

_NOT_SAMPLED: Final = "00-{trace}-{span}-00"


class GatewayTraces:
    """What the gateway does with traces; without an exporter, nothing: a sender's header goes on as it came."""

    def __init__(self, exporter: Exporter | None = None, ratio: float = 0.0, chance: Random | None = None) -> None:
        """Describe them.

        Args:
            exporter: where spans go.
            ratio: share of messages without a sender's trace of which one begins, from 0 to 1.
            chance: chooses them, and makes ids.
        """
        self._exporter, self._ratio = exporter, ratio
        self._chance = chance or Random()  # noqa: S311 ids that need not be secret

    @contextmanager
    def taking(self, feed: str, headers: KafkaHeaders) -> Iterator[KafkaHeaders]:
        """Write a message inside its span.

        Args:
            feed: whose message it is.
            headers: of the record, as the sender gave them; what is yielded goes to Kafka.
        """
        if self._exporter is None:
            yield headers
            return
        parent = context_of(headers)
        has_trace = any(name == TRACEPARENT for name, _ in headers)
        if parent is None and (has_trace or self._chance.random() >= self._ratio):
            # Whoever reads it would choose again: it says that it was not chosen.
            no = (TRACEPARENT, _NOT_SAMPLED.format(trace=self._id(128), span=self._id(64)).encode())
            yield headers if has_trace else [*headers, no]
            return
        context = Context(self._id(128) if parent is None else parent.trace_id, self._id(64))
        span = Span(
            name=f"gateway {feed}",
            kind="server",
            context=context,
            parent=parent,
            begin_ns=time_ns(),
            attributes={"spillway.feed": feed, "messaging.system": "kafka"},
        )
        span.error = "not taken"
        try:
            yield [*(each for each in headers if each[0] != TRACEPARENT), (TRACEPARENT, context.header.encode())]
            span.error = ""
        finally:
            span.end_ns = time_ns()
            self._exporter.take(span)

    def _id(self, bits: int) -> str:
        return f"{self._chance.getrandbits(bits) | 1:0{bits // 4}x}"

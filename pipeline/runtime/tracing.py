"""Traces: one alert's way from a request to a ticket, in W3C Trace Context carried by Kafka headers.

The core knows nothing of it. Whoever carries records (the runtime, the gateway, the sender of sinks) sees which
input led to which output, and hands the context on: so a replay writes the same bytes with and without traces.

Off by default. On, only what is sampled costs more than a look at a record's headers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import blake2b
from time import time_ns
from typing import Final, NamedTuple, Protocol

from pipeline.core.step import TICK_KEY, Effects, Headers, Output, Processor, Record
from pipeline.flow import DEAD_LETTER_TOPIC

TRACEPARENT: Final = "traceparent"

CURRENT: Final[ContextVar[Context | None]] = ContextVar("trace", default=None)
"""The span that is worked in, where that is one: requests carry it, and log lines name it."""

# Version 00 of https://www.w3.org/TR/trace-context/; later versions begin the same way.
_TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED: Final = 1

SPANS_PER_BATCH_MAX: Final = 200
"""Of one transaction. A producer that marks all that it sends as sampled must not make us keep a span for each."""

_MIX: Final = 0x9E3779B97F4A7C15
_MIX_PARTITION: Final = 0xBF58476D1CE4E5B9
"""Odd numbers of 64 bits that spread what is counted up; those of SplitMix64 (Steele, Lea and Flood, 2014)."""

_BITS: Final = 1 << 64


class Context(NamedTuple):
    """A place in a trace, which is sampled.

    Attributes:
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits.
    """

    trace_id: str
    span_id: str

    @property
    def header(self) -> str:
        """As ``traceparent`` has it."""
        return f"00-{self.trace_id}-{self.span_id}-01"


@dataclass(slots=True, kw_only=True)
class Span:
    """What one process did for one trace.

    Attributes:
        kind: ``consumer``, ``server`` or ``client``, as OpenTelemetry has them.
        parent: None: the trace begins here.
        begin_ns, end_ns: epoch nanoseconds by the machine's clock.
        links: other traces that end here as well.
        error: what went wrong; "": nothing.
    """

    name: str
    kind: str
    context: Context
    parent: Context | None
    begin_ns: int
    end_ns: int = 0
    attributes: dict[str, str | int] = field(default_factory=dict)
    links: tuple[Context, ...] = ()
    error: str = ""


class Exporter(Protocol):
    """Where spans go. Never waits, never raises."""

    def take(self, span: Span) -> None:
        """Take a span that has ended, or drop and count it where there is no room."""


def context_of(headers: Iterable[tuple[str, bytes | None]]) -> Context | None:
    """The context in a record's headers; None where there is none, it is not one, or it is not sampled."""
    for name, value in headers:
        if name == TRACEPARENT:
            return parsed(value.decode(errors="replace")) if value else None
    return None


def parsed(text: str) -> Context | None:
    """The context that a ``traceparent`` names; None as above."""
    found = _TRACEPARENT.fullmatch(text)
    if found is None or not int(found[3], 16) & _SAMPLED:
        return None
    trace_id, span_id = found[1], found[2]
    return Context(trace_id, span_id) if trace_id.strip("0") and span_id.strip("0") else None


def child_id(parent: str, *place: object) -> str:
    """Id of a span, by where it happens: the same record in the same stage is the same span, also after a crash."""
    return blake2b(f"{parent}/{place}".encode(), digest_size=8).hexdigest()


class Sampler:
    """Which records begin a trace: a share of them, by their position, so that everybody chooses the same."""

    def __init__(self, ratio: float) -> None:
        """Choose this share, from 0 to 1."""
        self._below = int(ratio * _BITS)

    def chooses(self, partition: int, offset: int) -> bool:
        """Whether a record begins one."""
        return ((offset + 1) * _MIX + partition * _MIX_PARTITION) % _BITS < self._below

    def begins(self, record: Record) -> Context | None:
        """The trace that a record begins; None: none."""
        if not self.chooses(record.partition, record.offset):
            return None
        name = f"{record.topic}/{record.partition}/{record.offset}/{record.timestamp}"
        return Context(blake2b(name.encode(), digest_size=16).hexdigest(), "")


class Untraced:
    """How one partition's records are handled where traces are off."""

    def handle(self, processor: Processor, records: Iterable[Record], effects: Effects) -> None:
        """Have records decided, as `Processor.handle` does."""
        processor.handle(records, effects)

    def committed(self) -> None:
        """The transaction of all that was handled is committed."""


class Traced(Untraced):
    """The same, with traces: contexts are handed on from records to what they lead to.

    Args of `__init__`:
        stage: the stage's word.
        group: its consumer group.
        exporter: where spans go.
        sampler: for the stage that begins traces; None: it only goes on with them.
    """

    def __init__(self, stage: str, group: str, exporter: Exporter, sampler: Sampler | None) -> None:
        self._stage, self._group = stage, group
        self._exporter, self._sampler = exporter, sampler
        self._spans: list[Span] = []

    def handle(self, processor: Processor, records: Iterable[Record], effects: Effects) -> None:
        """Have records decided, as `Processor.handle` does, and hand contexts on.

        What a deadline does that a record's time made due counts as that record's.
        """
        found: list[tuple[int, int, Span]] = []
        processor.handle(self._watched(records, effects.outputs, found), effects)
        for begin, end, span in found:
            hand_on(effects.outputs, begin, end, span.context)
            self._spans.append(span)

    def committed(self) -> None:
        """Spans end where their transaction does."""
        if self._spans:
            spans, self._spans, end_ns = self._spans, [], time_ns()
            for span in spans:
                span.end_ns = end_ns
                self._exporter.take(span)

    def _watched(
        self, records: Iterable[Record], outputs: list[Output], found: list[tuple[int, int, Span]]
    ) -> Iterator[Record]:
        """The records, and beside them which outputs each traced one led to."""
        sampler, now_ns, before = self._sampler, time_ns(), len(self._spans)
        for record in records:
            headers = record.headers
            context = context_of(headers) if headers else None
            if context is None and sampler is not None and not _says_no(headers):
                context = sampler.begins(record)
            if context is None or record.key == TICK_KEY or before + len(found) >= SPANS_PER_BATCH_MAX:
                yield record
                continue
            begin = len(outputs)
            yield record
            found.append((begin, len(outputs), self._span(record, context, now_ns)))

    def _span(self, record: Record, parent: Context, now_ns: int) -> Span:
        place = (self._stage, record.topic, record.partition, record.offset)
        return Span(
            name=f"{self._stage} {record.topic}",
            kind="consumer",
            context=Context(parent.trace_id, child_id(parent.trace_id + parent.span_id, *place)),
            parent=parent if parent.span_id else None,
            begin_ns=now_ns,
            attributes={
                "messaging.system": "kafka",
                "messaging.operation.type": "process",
                "messaging.destination.name": record.topic,
                "messaging.destination.partition.id": str(record.partition),
                "messaging.kafka.offset": record.offset,
                "messaging.consumer.group.name": self._group,
                "spillway.stage": self._stage,
            },
        )


def _says_no(headers: Headers) -> bool:
    """Whether a producer has a trace of its own that it does not sample: then nor do we."""
    return any(name == TRACEPARENT for name, _ in headers)


def hand_on(outputs: list[Output], begin: int, end: int, context: Context) -> None:
    """Give some outputs the context, in the place of another that they carry. A dead letter keeps what it came with."""
    header = (TRACEPARENT, context.header.encode())
    for number in range(begin, end):
        output = outputs[number]
        if output.topic != DEAD_LETTER_TOPIC:
            kept = tuple(each for each in output.headers if each[0] != TRACEPARENT)
            outputs[number] = output._replace(headers=(*kept, header))

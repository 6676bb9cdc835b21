"""Traces of what is sent to sinks: one span an attempt, which ends the traces of all that it tells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from time import time_ns
from typing import Final

import orjson

from pipeline.core.outward.send import Send
from pipeline.core.step import Record
from pipeline.models.delivery import DeliveryOutcome
from pipeline.runtime.tracing import CURRENT, TRACEPARENT, Context, Exporter, Span, child_id, context_of
from pipeline.sinks.base import Answer


def trace_headers() -> dict[str, str]:
    """Headers of a request, by the attempt that it belongs to."""
    context = CURRENT.get()
    return {} if context is None else {TRACEPARENT: context.header}


INCIDENTS_MAX: Final = 10_000
"""Incidents with traces that are remembered, the newest: some MiB."""

LINKS_MAX: Final = 16
"""Traces that one telling ends. A storm's hundreds would make a span that no collector takes."""


@dataclass(slots=True)
class _Incident:
    """Traces of one incident: by revision, and which of them each sink has been told."""

    contexts: list[tuple[int, Context]] = field(default_factory=list)
    told: dict[str, int] = field(default_factory=dict)


class Told:
    """Whose traces incidents are in.

    In memory alone: a process that takes a partition over tells what is left without a trace.
    """

    def __init__(self) -> None:
        self._incidents: dict[str, _Incident] = {}

    def note(self, records: Iterable[Record]) -> None:
        """Remember the traces of incident events."""
        for record in records:
            context = context_of(record.headers) if record.headers and record.topic == "incidents" else None
            if context is not None and record.key is not None and record.value is not None:
                self._note(record.key.decode(errors="replace"), record.value, context)

    def _note(self, incident_id: str, value: bytes, context: Context) -> None:
        try:
            revision = int(orjson.loads(value)["incident"]["revision"])
        except (ValueError, TypeError, KeyError):
            return  # no event of ours: deliver refuses it
        known = self._incidents.pop(incident_id, None) or _Incident()
        known.contexts = [*known.contexts, (revision, context)][-LINKS_MAX:]
        self._incidents[incident_id] = known
        if len(self._incidents) > INCIDENTS_MAX:
            del self._incidents[next(iter(self._incidents))]

    def of(self, send: Send) -> tuple[Context, ...]:
        """The traces that a telling ends, the newest last."""
        known = self._incidents.get(send.incident_id)
        if known is None:
            return ()
        after = known.told.get(send.sink, -1)
        return tuple(context for revision, context in known.contexts if after < revision <= send.revision)

    def delivered(self, send: Send) -> None:
        """A sink has been told."""
        if (known := self._incidents.get(send.incident_id)) is not None:
            known.told[send.sink] = max(send.revision, known.told.get(send.sink, -1))


class Attempt:
    """An attempt that may be traced."""

    def __init__(self, span: Span | None, on_delivered: Callable[[], None]) -> None:
        self._span = span
        self._on_delivered = on_delivered

    def answered(self, answer: Answer) -> None:
        """What the sink said, or that it said nothing."""
        if answer.outcome is DeliveryOutcome.DELIVERED:
            self._on_delivered()
        if self._span is not None:
            self._span.attributes["spillway.outcome"] = str(answer.outcome)
            if answer.status is not None:
                self._span.attributes["http.response.status_code"] = answer.status
            if answer.outcome is not DeliveryOutcome.DELIVERED:
                self._span.error = str(answer.outcome)  # not the detail: it quotes what the sink says


class SinkTraces:
    """Traces of one process's deliveries; without an exporter there are none."""

    def __init__(self, exporter: Exporter | None = None) -> None:
        self._exporter = exporter
        self._told = Told()

    def note(self, records: Iterable[Record]) -> None:
        """Remember the traces of incident events that are to be told."""
        if self._exporter is not None:
            self._told.note(records)

    @contextmanager
    def attempt(self, send: Send) -> Iterator[Attempt]:
        """Run an attempt in its span."""
        contexts = self._told.of(send)
        if self._exporter is None or not contexts:
            yield Attempt(None, _nothing)
            return
        *others, parent = contexts
        place = (send.delivery_id, send.attempt)
        span = Span(
            name=f"deliver {send.sink}",
            kind="client",
            context=Context(parent.trace_id, child_id(parent.trace_id + parent.span_id, *place)),
            parent=parent,
            begin_ns=time_ns(),
            attributes={
                "spillway.stage": "deliver",
                "spillway.sink": send.sink,
                "spillway.incident": send.incident_id,
                "spillway.revision": send.revision,
                "spillway.attempt": send.attempt,
            },
            links=tuple(others),
        )
        token = CURRENT.set(span.context)
        try:
            yield Attempt(span, partial(self._told.delivered, send))
        finally:
            CURRENT.reset(token)
            span.end_ns = time_ns()
            self._exporter.take(span)


def _nothing() -> None:
    """Nobody waits to hear of it."""

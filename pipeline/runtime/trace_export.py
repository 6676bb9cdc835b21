"""Spans to a collector: OTLP over HTTP, by OpenTelemetry's own exporter, on a thread of its own behind a bounded queue.

A collector that is slow or away costs dropped spans, which are counted, and nothing else. Needs the extra
the extra ``tracing``.
"""

from __future__ import annotations

import atexit
import queue
import threading
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter

from pipeline.runtime.guard import log_line
from pipeline.runtime.tracing import Context, Span
from pipeline.settings import Settings, SettingsError

QUEUE_SPANS_MAX: Final = 4_096
"""Some MiB. At 1 % of 10,000 alerts a second it holds what comes within ten seconds."""

BATCH_SPANS_MAX: Final = 512
BATCH_SECONDS_MAX: Final = 1.0
EXPORT_SECONDS_MAX: Final = 5.0
STOP_SECONDS_MAX: Final = 2.0

EXPORTED: Final = "exported"
FAILED: Final = "failed"
DROPPED: Final = "dropped"


class TraceMetrics:
    """Series of what became of spans."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register it, from zero."""
        self.spans = Counter(
            "spillway_trace_spans",
            "Spans by what became of them: exported, failed where the collector did not take them, dropped for want of "
            "room.",
            ["outcome"],
            registry=registry,
        )
        for outcome in (EXPORTED, FAILED, DROPPED):
            self.spans.labels(outcome)


class OtlpExporter:
    """Sends spans to a collector."""

    def __init__(self, url: str, service: str, metrics: TraceMetrics) -> None:
        """Start the thread.

        Args:
            url: the collector's address for traces: ``http://collector:4318/v1/traces``.
            service: what sends: ``spillway-dedupe``.
            metrics: of the process.

        Raises:
            SettingsError: the extra is not installed.
        """
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
        except ImportError as error:
            raise SettingsError(
                "SPILLWAY_TRACE_URL is set: pip install '.[tracing]' in Spillway's checkout to send traces"
            ) from error
        self._resource = Resource({"service.name": service, "service.namespace": "spillway"})
        self._sender = OTLPSpanExporter(endpoint=url, timeout=EXPORT_SECONDS_MAX)
        self._metrics = metrics
        self._queue: queue.Queue[Span | None] = queue.Queue(QUEUE_SPANS_MAX)
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
        self._thread.start()
        atexit.register(self.stop)

    def take(self, span: Span) -> None:
        """Take a span that has ended, or drop and count it where there is no room."""
        try:
            self._queue.put_nowait(span)
        except queue.Full:
            self._metrics.spans.labels(DROPPED).inc()

    def stop(self) -> None:
        """Send what is there, in little time, and end."""
        try:
            self._queue.put(None, timeout=STOP_SECONDS_MAX)
        except queue.Full:
            return
        self._thread.join(STOP_SECONDS_MAX)

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            spans, ended = self._gathered(first)
            self._export(spans)
            if ended:
                return

    def _gathered(self, first: Span) -> tuple[list[Span], bool]:
        """What comes within a moment, and whether it was the last."""
        spans = [first]
        while len(spans) < BATCH_SPANS_MAX:
            try:
                span = self._queue.get(timeout=BATCH_SECONDS_MAX)
            except queue.Empty:
                break
            if span is None:
                return spans, True
            spans.append(span)
        return spans, False

    def _export(self, spans: list[Span]) -> None:
        from opentelemetry.sdk.trace.export import SpanExportResult

        taken = self._sender.export([self._readable(span) for span in spans]) is SpanExportResult.SUCCESS
        self._metrics.spans.labels(EXPORTED if taken else FAILED).inc(len(spans))
        if taken == self._failing:
            self._failing = not taken
            log_line("traces are taken again" if taken else "traces are not taken", spans=len(spans))

    def _readable(self, span: Span) -> Any:
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import Link, SpanKind, Status, StatusCode

        return ReadableSpan(
            name=span.name,
            context=_context(span.context),
            parent=None if span.parent is None else _context(span.parent),
            resource=self._resource,
            attributes=span.attributes,
            links=[Link(_context(each)) for each in span.links],
            kind=SpanKind[span.kind.upper()],
            status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET),
            start_time=span.begin_ns,
            end_time=span.end_ns,
        )


def exporter_of(settings: Settings, component: str, registry: CollectorRegistry) -> OtlpExporter | None:
    """Where the spans of a process go; None: traces are off.

    Raises:
        SettingsError: the extra is not installed.
    """
    if settings.trace_url is None:
        return None
    return OtlpExporter(settings.trace_url, f"spillway-{component}", TraceMetrics(registry))


def _context(context: Context) -> Any:
    from opentelemetry.trace import SpanContext, TraceFlags

    return SpanContext(int(context.trace_id, 16), int(context.span_id, 16), is_remote=True, trace_flags=TraceFlags(1))

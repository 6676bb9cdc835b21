"""Traces: contexts go from records to what they lead to, the bytes stay the same, and a collector hinders nothing."""

from __future__ import annotations

from random import Random

import orjson
import pytest
from prometheus_client import CollectorRegistry

from pipeline.core.step import Effects, StreamRecord
from pipeline.gateway.traced import GatewayTraces
from pipeline.models.alert import alert_to_wire
from pipeline.runtime import trace_export
from pipeline.runtime.trace_export import OtlpExporter, TraceMetrics
from pipeline.runtime.tracing import (
    SPANS_PER_BATCH_MAX,
    TRACEPARENT,
    Context,
    Sampler,
    Span,
    Traced,
    Untraced,
    context_of,
    parsed,
)
from tests.core.builders import T0, Bench, alert
from tests.support import wait_until
from tests.tracing.collector import collecting

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADER = f"00-{TRACE}-{SPAN}-01"
SECONDS_MAX = 30.0


class Gathered:
    """Spans that have ended."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def take(self, span: Span) -> None:
        self.spans.append(span)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (HEADER, Context(TRACE, SPAN)),
        (f"00-{TRACE}-{SPAN}-03", Context(TRACE, SPAN)),
        (f"cc-{TRACE}-{SPAN}-01-what-a-later-version-adds", Context(TRACE, SPAN)),
        (f"00-{TRACE}-{SPAN}-00", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        ("00-1", None),
        ("", None),
    ],
)
def test_a_traceparent_is_read_as_w3c_has_it(text: str, found: Context | None) -> None:
    assert parsed(text) == found


def test_bytes_that_are_no_text_are_no_context() -> None:
    assert context_of([(TRACEPARENT, b"\xff\xfe")]) is None
    assert context_of([(TRACEPARENT, None)]) is None


def records(count: int, *traced: int) -> list[StreamRecord]:
    """Alerts of as many conditions; some have a trace."""
    header = ((TRACEPARENT, HEADER.encode()),)
    return [
        StreamRecord("alerts", 0, number, T0 + number, b"k", wire(number), header if number in traced else ())
        for number in range(count)
    ]


def wire(number: int) -> bytes:
    return alert_to_wire(alert(f"k{number}"))


def decided(handler: Untraced, given: list[StreamRecord]) -> Effects:
    effects = Effects()
    handler.handle(Bench("dedupe").processor, iter(given), effects)
    handler.committed()
    return effects


def test_what_a_record_leads_to_carries_its_trace_and_nothing_else_does() -> None:
    gathered = Gathered()
    effects = decided(Traced("dedupe", "spillway-dedupe", gathered, None), records(4, 1, 3))
    (first, second) = gathered.spans
    assert (first.parent, first.context.trace_id) == (Context(TRACE, SPAN), TRACE)
    assert first.attributes["messaging.kafka.offset"] == 1
    assert first.end_ns >= first.begin_ns > 0
    found = [context_of(output.headers) for output in effects.outputs]
    assert found == [None, first.context, None, second.context]


def test_traces_change_no_byte_of_key_or_value_and_no_decision() -> None:
    plain = decided(Untraced(), records(50))
    traced = decided(Traced("dedupe", "g", Gathered(), Sampler(1.0)), records(50))
    assert [each[:4] for each in plain.outputs] == [each[:4] for each in traced.outputs]
    assert plain.decisions == traced.decisions
    assert all(context_of(each.headers) for each in traced.outputs)


def test_the_same_record_is_the_same_span_also_when_it_is_handled_again() -> None:
    first, again = Gathered(), Gathered()
    for gathered in (first, again):
        decided(Traced("dedupe", "g", gathered, Sampler(1.0)), records(3))
    assert [each.context for each in first.spans] == [each.context for each in again.spans]
    assert len({each.context.span_id for each in first.spans}) == 3


def test_a_dead_letter_keeps_the_headers_that_it_came_with() -> None:
    given = [StreamRecord("alerts", 0, 0, T0, b"k", b"{broken", ((TRACEPARENT, HEADER.encode()),))]
    (letter,) = decided(Traced("dedupe", "g", Gathered(), None), given).outputs
    assert (TRACEPARENT, HEADER.encode()) in letter.headers


def test_a_producer_that_samples_everything_makes_a_bounded_number_of_spans() -> None:
    gathered = Gathered()
    effects = decided(Traced("dedupe", "g", gathered, None), records(3 * SPANS_PER_BATCH_MAX, *range(10_000)))
    assert len(gathered.spans) == SPANS_PER_BATCH_MAX
    assert len(effects.outputs) == 3 * SPANS_PER_BATCH_MAX


def test_a_trace_that_its_producer_does_not_sample_is_not_begun_anew() -> None:
    gathered = Gathered()
    unsampled = ((TRACEPARENT, f"00-{TRACE}-{SPAN}-00".encode()),)
    decided(Traced("ingest", "g", gathered, Sampler(1.0)), [each._replace(headers=unsampled) for each in records(2)])
    assert not gathered.spans


@pytest.mark.parametrize("ratio", [0.0, 0.01, 0.25, 1.0])
def test_the_sampler_chooses_its_share_evenly(ratio: float) -> None:
    sampler = Sampler(ratio)
    for partition in range(4):
        chosen = sum(sampler.chooses(partition, offset) for offset in range(20_000))
        assert abs(chosen - ratio * 20_000) < 60


def test_the_gateway_goes_on_with_a_senders_trace_and_begins_its_share_of_others() -> None:
    gathered = Gathered()
    traces = GatewayTraces(gathered, 0.5, Random(7))  # noqa: S311 no secret
    with traces.taking("shop", [(TRACEPARENT, HEADER.encode()), ("x", b"1")]) as headers:
        pass
    assert gathered.spans[0].parent == Context(TRACE, SPAN)
    assert context_of(headers) == gathered.spans[0].context
    begun = []
    for _ in range(200):
        with traces.taking("shop", []) as headers:
            begun.append(context_of(headers) is not None)
            assert len(headers) == 1, "who reads it must not choose again"
    assert 60 < sum(begun) < 140
    assert len({each.context.trace_id for each in gathered.spans}) == sum(begun) + 1


def test_without_an_exporter_the_gateway_leaves_headers_as_they_are() -> None:
    given = [("x", b"1")]
    with GatewayTraces().taking("shop", given) as headers:
        assert headers is given


# -- the exporter


def span(number: int) -> Span:
    context = Context(f"{number + 1:032x}", f"{number + 1:016x}")
    return Span(
        name="n", kind="client", context=context, parent=None, begin_ns=1, end_ns=2, links=(Context(TRACE, SPAN),)
    )


def count(metrics: TraceMetrics, outcome: str) -> float:
    return metrics.spans.labels(outcome)._value.get()  # type: ignore[no-any-return]


def test_spans_reach_a_collector_as_otlp() -> None:
    with collecting() as collector:
        metrics = TraceMetrics(CollectorRegistry())
        exporter = OtlpExporter(collector.url, "spillway-test", metrics)
        for number in range(3):
            exporter.take(span(number))
        exporter.stop()
        assert [each.trace_id for each in collector.spans] == [f"{number + 1:032x}" for number in range(3)]
        assert {each.service for each in collector.spans} == {"spillway-test"}
        assert collector.spans[0].links == (TRACE,)
        assert count(metrics, "exported") == 3


def test_a_collector_that_is_slow_costs_spans_which_are_counted_and_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_export, "QUEUE_SPANS_MAX", 10)
    monkeypatch.setattr(trace_export, "BATCH_SPANS_MAX", 1)
    with collecting() as collector:
        collector.gate.clear()
        metrics = TraceMetrics(CollectorRegistry())
        exporter = OtlpExporter(collector.url, "spillway-test", metrics)
        for number in range(100):
            exporter.take(span(number))
        dropped = count(metrics, "dropped")
        assert dropped >= 100 - 10 - 1
        collector.gate.set()
        wait_until(lambda: len(collector.spans) == 100 - dropped, SECONDS_MAX, "the rest arrives")
        exporter.stop()


def test_a_collector_that_is_away_is_counted() -> None:
    metrics = TraceMetrics(CollectorRegistry())
    exporter = OtlpExporter("http://127.0.0.1:1/v1/traces", "spillway-test", metrics)
    exporter.take(span(1))
    wait_until(lambda: count(metrics, "failed") == 1, SECONDS_MAX, "the export has failed")
    exporter.stop()


def test_an_output_without_a_trace_has_no_header_more() -> None:
    effects = decided(Traced("dedupe", "g", Gathered(), Sampler(0.0)), records(5))
    assert [each.headers for each in effects.outputs] == [() for _ in effects.outputs]
    assert orjson.loads(effects.outputs[0].value or b"")["change"] == "opened"

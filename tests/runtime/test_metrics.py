"""What a worker counts and shows of itself: complete, bounded, and there before the first event."""

from __future__ import annotations

import asyncio
from importlib.metadata import version

import pytest
from prometheus_client import CollectorRegistry

from pipeline.agents.processors import processor_factory
from pipeline.catalog import load_config
from pipeline.core.step import Effects, Processor, StreamRecord, dead_letter
from pipeline.flow import DEAD_LETTER_TOPIC, STAGE_BY_NAME
from pipeline.models.decision import BadRecord, Decision, Disposition, Origin, Reason
from pipeline.runtime import guard
from pipeline.runtime.figures import FIGURE_LABELS_MAX, FIGURES, HasGauges
from pipeline.runtime.metric_words import ALERTS_DECIDED
from pipeline.runtime.metrics import Metrics
from pipeline.runtime.process_metrics import expose_process


def made(*stages: str) -> Metrics:
    return Metrics(CollectorRegistry(), stages)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def refused(reason: Reason, headers: tuple[tuple[str, bytes | None], ...] = ()) -> Effects:
    record = StreamRecord("incidents", 0, 0, 0, b"k", b"v", headers)  # type: ignore[arg-type]  # Kafka has null headers
    return Effects([dead_letter("deliver", record, BadRecord(reason, "a test"))])


def test_a_dead_letter_without_a_decision_is_counted_by_its_reason() -> None:
    metrics = made("deliver")
    metrics.committed("deliver", 1, refused(Reason.WRONG_TYPE), 0.1, 0)
    assert value(metrics, "spillway_dead_letters_total", stage="deliver", reason="wrong_type") == 1
    assert value(metrics, "spillway_dead_letters_total", stage="deliver", reason="empty") == 0


def test_what_the_sender_wrote_into_headers_does_not_count() -> None:
    metrics = made("deliver")
    theirs = (("spillway-reason", b"empty"), ("nothing", None), ("spillway-reason", None))
    metrics.committed("deliver", 1, refused(Reason.WRONG_TYPE, theirs), 0.1, 0)
    assert value(metrics, "spillway_dead_letters_total", stage="deliver", reason="wrong_type") == 1


def test_a_dead_letter_without_a_reason_of_ours_does_not_make_a_series_of_its_own() -> None:
    metrics = made("deliver")
    (letter,) = refused(Reason.EMPTY).outputs
    odd = [letter._replace(headers=(("spillway-reason", b"x%d" % number),)) for number in range(3)]
    metrics.committed("deliver", 3, Effects(odd), 0.1, 0)
    assert value(metrics, "spillway_dead_letters_total", stage="deliver", reason="unsaid") == 3


def test_alerts_start_at_zero_for_every_disposition_that_a_stage_decides() -> None:
    metrics = made(*STAGE_BY_NAME)
    for stage, dispositions in ALERTS_DECIDED.items():
        for disposition, reasons in dispositions.items():
            for reason in reasons:
                labels = {"stage": stage, "disposition": disposition, "reason": reason}
                assert value(metrics, "spillway_alerts_total", **labels) == 0
    assert {disposition for each in ALERTS_DECIDED.values() for disposition in each} == set(Disposition)


def test_batches_start_at_zero_for_every_outcome_and_a_failed_one_counts() -> None:
    metrics = made("dedupe")
    for outcome in ("committed", "skipped", "failed"):
        assert value(metrics, "spillway_transactions_total", stage="dedupe", outcome=outcome) == 0
    metrics.failed("dedupe")
    assert value(metrics, "spillway_transactions_total", stage="dedupe", outcome="failed") == 1


def test_a_defect_is_counted_before_the_process_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []

    def leave(code: int) -> None:
        happened.append(f"exit {code}")
        raise SystemExit

    async def count(error: Exception) -> dict[str, object]:
        happened.append("counted")
        return {}

    async def defect() -> None:
        async with guard.guarded("test", count):
            raise RuntimeError

    monkeypatch.setattr("pipeline.runtime.guard.os._exit", leave)
    with pytest.raises(SystemExit):
        asyncio.run(defect())
    assert happened == ["counted", "exit 70"]


def test_every_figure_that_a_processor_gives_is_declared() -> None:
    declared = {figure.name for figure in FIGURES}
    config = load_config(None)
    processors: list[Processor] = [processor_factory(stage, config)() for stage in STAGE_BY_NAME]
    given = {name for each in processors if isinstance(each, HasGauges) for name in each.gauges()}
    assert given == declared


def test_figures_are_shown_by_their_label_and_sink_to_zero_when_their_partition_leaves() -> None:
    metrics = made("deliver", "bridge")
    metrics.figures.observe("deliver", {"deliveries_waiting": {"chat": 3}, "deliveries_parked": {"chat": 1}})
    metrics.figures.observe("bridge", {"open_bridges": {"": 2}})
    assert value(metrics, "spillway_deliveries_waiting", sink="chat") == 3
    assert value(metrics, "spillway_deliveries_parked", sink="chat") == 1
    assert value(metrics, "spillway_open_bridges") == 2
    assert value(metrics, "spillway_open_incidents", priority="P1") == 0
    metrics.figures.observe("deliver", {})
    assert value(metrics, "spillway_deliveries_waiting", sink="chat") == 0


def test_a_figure_that_is_not_declared_or_has_no_end_of_labels_is_left_out_and_told_once(
    capfd: pytest.CaptureFixture[str],
) -> None:
    metrics = made("deliver")
    endless = {str(number): 1.0 for number in range(FIGURE_LABELS_MAX + 50)}
    for _ in range(2):
        metrics.figures.observe("deliver", {"deliveries_waiting": endless, "surprise": {"": 1}})
    told = capfd.readouterr().err.splitlines()
    assert len(told) == 2
    (family,) = (each for each in metrics.registry.collect() if each.name == "spillway_deliveries_waiting")
    assert len(family.samples) == FIGURE_LABELS_MAX


def test_the_dead_letter_topic_is_the_one_that_is_counted() -> None:
    assert refused(Reason.EMPTY).outputs[0].topic == DEAD_LETTER_TOPIC


def test_latency_is_counted_by_feed_and_for_what_opens_an_incident_apart() -> None:
    metrics = Metrics(CollectorRegistry(), ["correlate"], feeds=["zabbix"])
    origins = [Origin(f"alerts.raw.{feed}", 0, 0, 0) for feed in ("zabbix", "zabbix", "unheard-of")]
    dispositions = (Disposition.OPENED, Disposition.JOINED, Disposition.JOINED)
    decisions = [
        Decision(origin, disposition, Reason.FIRST_SYMPTOM, 1_000)
        for origin, disposition in zip(origins, dispositions, strict=True)
    ]
    metrics.committed("correlate", 3, Effects(decisions=decisions), 0.1, 3.0)
    assert value(metrics, "spillway_end_to_end_seconds_sum", feed="zabbix") == 4.0
    assert value(metrics, "spillway_end_to_end_seconds_count", feed="other") == 1
    assert value(metrics, "spillway_incident_open_seconds_count", feed="zabbix") == 1
    assert value(metrics, "spillway_incident_open_seconds_bucket", feed="zabbix", le="1.0") == 0
    metrics.know_feeds(["unheard-of"])  # as after a reload
    metrics.committed("correlate", 1, Effects(decisions=decisions[2:]), 0.1, 3.0)
    assert value(metrics, "spillway_end_to_end_seconds_count", feed="unheard-of") == 1


def test_what_is_written_of_state_is_counted_in_bytes_removals_too() -> None:
    metrics = made("dedupe")
    metrics.state_written("dedupe", [(b"key", b"value"), (b"gone", None)])
    assert value(metrics, "spillway_changelog_records_total", stage="dedupe") == 2
    assert value(metrics, "spillway_changelog_bytes_total", stage="dedupe") == 12


def test_a_process_says_its_release_its_memory_and_when_it_started() -> None:
    registry = CollectorRegistry()
    expose_process(registry, "worker")
    labels = {"version": version("spillway"), "component": "worker"}
    assert registry.get_sample_value("spillway_build_info", labels) == 1
    assert (registry.get_sample_value("process_resident_memory_bytes") or 0) > 1_000_000
    assert (registry.get_sample_value("process_start_time_seconds") or 0) > 1_000_000_000
    assert (registry.get_sample_value("process_open_fds") or 0) > 0

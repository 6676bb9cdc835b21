"""A short fuzz run of every adapter, and that the bench notices what it is there for. The long one: make fuzz."""

from __future__ import annotations

from typing import Any, Final

import orjson
import pytest

from pipeline.core.alerts.ingest import IngestProcessor
from pipeline.feeds import ADAPTERS
from pipeline.models.alert import Alert, Kind, Severity
from pipeline.models.decision import BadRecord, Reason
from tests.fuzz import bench as bench_module
from tests.fuzz.__main__ import attempt
from tests.fuzz.bench import Bench
from tests.fuzz.mutants import SEEDS, mutant
from tests.fuzz.trees import LONG_BYTES

SEED: Final = 20_260_304
RECORDS: Final = 2_000
"""About two seconds."""


def test_damaged_messages_of_every_source_end_as_alerts_or_dead_letters() -> None:
    bench = Bench()

    failures = [failure for number in range(RECORDS) if (failure := attempt(bench, mutant(SEED, number)))]

    assert failures == []
    assert set(bench.tally.records) == set(ADAPTERS)
    assert all(bench.tally.alerts[adapter] for adapter in ADAPTERS)
    assert {adapter for adapter, _ in bench.tally.refused} == set(ADAPTERS)


def test_a_mutant_is_the_same_whenever_it_is_made() -> None:
    numbers = range(0, 2_000, 7)

    assert [mutant(SEED, number) for number in numbers] == [mutant(SEED, number) for number in reversed(numbers)][::-1]
    assert mutant(SEED, 1).value != mutant(SEED + 1, 1).value


def test_undamaged_samples_pass_the_bench() -> None:
    bench = Bench()
    for seed in SEEDS:
        assert bench.problems(mutant(SEED, 0)._replace(feed=seed.feed, value=seed.value, headers=seed.headers)) == []
    assert not bench.tally.refused


@pytest.mark.parametrize(
    ("name", "field", "text"),
    [
        ("cloudevents-structured-firing", "type", "a-" * LONG_BYTES),
        ("servicenow-ticket-firing", "business_service", "$A" * LONG_BYTES),
    ],
)
def test_a_text_that_is_far_too_long_costs_no_time(name: str, field: str, text: str) -> None:
    (seed,) = [each for each in SEEDS if each.name == name]
    value = orjson.dumps({**seed.document, field: text})

    assert Bench().problems(mutant(SEED, 0)._replace(feed=seed.feed, value=value, headers=seed.headers)) == []


def _said(**changed: Any) -> Alert:
    said: dict[str, Any] = {"feed": "f", "feed_class": "cloud", "kind": Kind.FIRING, "alert_key": "0" * 32, "name": "n"}
    return Alert(**{**said, "summary": "s", "severity": Severity.ERROR, **changed})


@pytest.mark.parametrize(
    ("result", "complaint"),
    [
        ([_said(alert_key="not a hash")], "alert key"),
        ([_said(kind="fired")], "kind is"),
        ([_said(severity=Severity.UNKNOWN)], "nothing says why"),
        ([_said(event_at_ms=-5)], "event_at_ms is"),
        ([_said(ttl_seconds=1 << 60)], "ttl_seconds is"),
        ([_said(links={"source": "javascript:alert(1)"})], "web page"),
        ([_said(reporter="r" * 600)], "reporter has 600"),
        ([BadRecord(Reason.RELEASED, "$.a: refused")], "undeclared reason"),
        ([BadRecord(Reason.WRONG_TYPE, "$.a: expected string, found hunter2secret")], "tells the payload's"),
        (KeyError("status"), "KeyError"),
    ],
)
def test_the_bench_notices_an_adapter_at_fault(
    result: list[Alert | BadRecord] | Exception, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse(_document: object, _message: object) -> list[Alert | BadRecord]:
        if isinstance(result, Exception):
            raise result
        return result

    feed = SEEDS[0].feed
    monkeypatch.setattr(
        bench_module, "ADAPTERS", {**ADAPTERS, feed.adapter: ADAPTERS[feed.adapter]._replace(parse=parse)}
    )
    damaged = mutant(SEED, 0)._replace(feed=feed, value=b'{"password": "hunter2secret"}', headers=())

    failure = attempt(Bench(), damaged)

    assert failure is not None
    assert complaint in failure[2]


def test_the_bench_notices_a_message_that_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IngestProcessor, "process", lambda *_: None)

    failure = attempt(Bench(), mutant(SEED, 0))

    assert failure is not None
    assert "nothing came of it" in failure[2]

"""A record that Spillway made in a source comes in by its feed, and opens nothing: else it would make itself again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson
import pytest

from pipeline.core.identity import short_id
from pipeline.models.alert import Kind
from pipeline.models.mark import label_of, marked_id
from tests.feeds.payloads import document, only
from tests.feeds.runs import Run

INCIDENT: Final = short_id("INC", "an episode")
BRIDGE: Final = short_id("MI", "an incident")
AT_MS: Final = 1_772_591_005_118

Mark = Callable[[Any, str], None]


def jira(payload: Any, mark: str) -> None:
    payload["issue"]["fields"]["labels"] = ["payments", label_of(mark) if marked_id(mark) else mark]


def servicenow(payload: Any, mark: str) -> None:
    payload["correlation_id"] = mark


def xurrent(payload: Any, mark: str) -> None:
    payload["payload"]["sourceID"] = mark


def zendesk(payload: Any, mark: str) -> None:
    payload["detail"]["external_id"] = mark


def zendesk_tag(payload: Any, mark: str) -> None:
    payload["detail"]["tags"] = ["vip", label_of(mark).lower()]


def pagerduty(payload: Any, mark: str) -> None:
    payload["event"]["data"]["incident_key"] = mark


MARKS: Final[dict[str, tuple[str, Mark]]] = {
    "jira": ("jira-ticket", jira),
    "servicenow": ("servicenow-ticket", servicenow),
    "xurrent": ("xurrent-ticket", xurrent),
    "zendesk": ("zendesk-ticket", zendesk),
    "pagerduty-webhook": ("pagerduty-webhook-v3", pagerduty),
}
IN_EACH = pytest.mark.parametrize("adapter", MARKS)


def marked(adapter: str, end: str, mark: str) -> Any:
    sample, put = MARKS[adapter]
    payload = document(f"{sample}-{end}")
    put(payload, mark)
    return payload


@IN_EACH
@pytest.mark.parametrize("mark", [INCIDENT, BRIDGE, f"{INCIDENT}/2"])
def test_a_record_with_our_mark_is_our_own_while_it_is_open_and_when_it_is_over(adapter: str, mark: str) -> None:
    begun = "ack" if adapter == "pagerduty-webhook" else "firing"
    for end in (begun, "resolved"):
        assert only(adapter, marked(adapter, end, mark)).kind == Kind.OWN


@IN_EACH
@pytest.mark.parametrize(
    "mark", ["", "INC0041877", "monitoring-7", "INC-1", "inc", f"see {INCIDENT}", f"{INCIDENT}X", "[script]"]
)
def test_the_mark_of_anybody_else_changes_nothing(adapter: str, mark: str) -> None:
    assert only(adapter, marked(adapter, "resolved", mark)).kind == Kind.RESOLVED


def test_a_tag_in_small_letters_is_our_mark_too() -> None:
    payload = document("zendesk-ticket-firing")
    zendesk_tag(payload, INCIDENT)
    assert only("zendesk", payload).kind == Kind.OWN


@pytest.mark.parametrize("adapter", [each for each in MARKS if each != "pagerduty-webhook"])
def test_our_own_ticket_opens_no_incident_and_is_counted_by_its_own_reason(adapter: str) -> None:
    own, other = marked(adapter, "firing", INCIDENT), document(f"{MARKS[adapter][0]}-firing")
    over = marked(adapter, "resolved", INCIDENT)

    run = Run(adapter, [(AT_MS + index, orjson.dumps(each)) for index, each in enumerate((own, over))])
    assert run.decisions == [("control", "own_record")] * 2
    assert run.incidents == []

    assert len(Run(adapter, [(AT_MS, orjson.dumps(other))], 7_200).incidents) == 1


@pytest.mark.parametrize("given", [None, "", " ", "x" * 10_000, "INC-" + "A" * 10_000, "\x00", "İNC-AAAAAAAAAAAA"])
def test_hostile_marks_are_nobodys(given: str | None) -> None:
    assert marked_id(given) is None

"""Events for PagerDuty as tables: lengths, severities, keys, what hostile text cannot do."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from pipeline.models.sinks.paging import PagerDuty
from pipeline.sinks.pagerduty_words import (
    EVENT_BYTES_MAX,
    SUMMARY_CHARACTERS_MAX,
    Key,
    follow_up,
    note,
    read_key,
    read_title,
    summary,
    trigger,
)
from pipeline.sinks.told import told
from tests.sinks.bodies import INCIDENT_ID, entry, send, snapshot
from tests.sinks.shapes import faults

KEY = Key(INCIDENT_ID, 2)


def rules(**fields: Any) -> PagerDuty:
    return PagerDuty(name="desk", secret_env="PD_KEY", **fields)


def event(made: PagerDuty | None = None, **fields: Any) -> dict[str, Any]:
    return trigger(made or rules(), told(send(snapshot(**fields)).body), KEY)


def checked(found: dict[str, Any]) -> dict[str, Any]:
    assert faults("pagerduty", "event", {"routing_key": "r" * 32, **found}) == []
    return found


@pytest.mark.parametrize(
    ("priority", "rank", "severity"),
    [("P1", 0, "critical"), ("P2", 1, "error"), ("P3", 2, "warning"), ("P9", 8, "info"), ("P1", None, "info")],
)
def test_severity_goes_by_the_place_of_the_priority(priority: str, rank: int | None, severity: str) -> None:
    assert event(priority=priority, priority_rank=rank)["payload"]["severity"] == severity


def test_severity_is_what_the_configuration_says_of_a_priority() -> None:
    made = rules(severities={"P3": "critical"})
    assert event(made, priority="P3", priority_rank=2)["payload"]["severity"] == "critical"


@pytest.mark.parametrize(
    "title",
    [
        "x" * 5_000,
        "line\nbreak\r\nand\ttab \u2028 \x00",
        '<script>alert("hi")</script> <!channel> @everyone',
        "Kasse fällt aus 🔥" * 100,
        "",
    ],
)
def test_a_summary_is_one_line_that_ends_in_the_reference(title: str) -> None:
    found = summary(title, KEY)
    assert len(found) <= SUMMARY_CHARACTERS_MAX
    assert found.isprintable()
    assert read_title(found) == KEY
    checked(event(title=title))


def test_a_title_that_names_another_incident_does_not_pass_for_it() -> None:
    assert read_title(summary("Fake [INC-AAAAAAAAAAAA/0]", KEY)) == KEY
    assert read_title("[INC-AAAAAAAAAAAA/0] and more") is None


@pytest.mark.parametrize("key", [Key("INC-1", 0), Key("MI-QX7ZHUYBCD7C", 12), Key("INC-1", 1, "0a1b2c3d4e5f")])
def test_keys_are_read_back(key: Key) -> None:
    assert read_key(str(key)) == key
    assert read_title(summary("Checkout is down", key)) == key


@pytest.mark.parametrize("text", ["", "INC-1", "INC-1/x", "disk-db1/0", "INC-1/0/../1", "x INC-1/0"])
def test_other_keys_are_not_ours(text: str) -> None:
    assert read_key(text) is None


def test_fields_of_the_event_and_own_details_are_templates() -> None:
    made = rules(fields={"group": "{{ owner }}", "source": "{{ service }}", "money": "{{ revenue_per_minute }}"})
    payload = checked(event(made, revenue_per_minute=9500.0))["payload"]
    assert (payload["group"], payload["source"]) == ("storefront-sre", "checkout")
    assert payload["custom_details"]["money"].startswith("9500")


def test_an_incident_of_which_nothing_is_known_has_a_source_all_the_same() -> None:
    assert checked(event(service=None, entities=[]))["payload"]["source"] == "-"


def test_links_are_web_addresses_only() -> None:
    links = [
        {"kind": "chat", "id": "C1", "url": "https://chat.example/c1", "state": None},
        {"kind": "x", "id": "1", "url": "javascript:alert(1)", "state": None},
        {"kind": "y", "id": "2", "url": None, "state": None},
    ]
    assert [each["href"] for each in event(links=links, runbook="ftp://x")["links"]] == ["https://chat.example/c1"]


def test_an_event_is_never_too_large() -> None:
    huge = "🔥" * 4_000
    made = rules(fields={f"own{number}": huge for number in range(50)})
    found = checked(event(made, who_is_affected=huge, symptoms=[huge] * 50, priority_because=[huge] * 50))
    assert len(orjson.dumps(found)) < EVENT_BYTES_MAX
    assert found["payload"]["custom_details"]["incident"] == INCIDENT_ID


def test_what_follows_up_names_the_key_alone() -> None:
    assert checked(follow_up("resolve", KEY)) == {"event_action": "resolve", "dedup_key": f"{INCIDENT_ID}/2"}


def test_notes_hold_what_matters_or_all_or_nothing() -> None:
    entries = [entry("note", "restarted", "kim"), entry("detect", "seen")]
    api: dict[str, Any] = {"api_secret_env": "PD_API", "api_user": "a@b.example"}
    said = told(send(entries=entries, revision=7).body)
    assert note(rules(notes="important", **api), said, propose=False) == "Spillway, revision 7:\nkim: restarted"
    assert note(rules(notes="all", **api), said, propose=False).endswith("\nseen")
    assert note(rules(), said, propose=False) == ""


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"notes": "all"}, "events carry none"),
        ({"poll_seconds": 60}, "cannot be asked for"),
        ({"members": "in_bridge", "kinds": ["incident"]}, "which kinds leaves out"),
        ({"owners": {"assignee": "ours"}}, "assigns by its own policies"),
        ({"api_user": "kim"}, "mail address"),
        ({"severities": {"P1": "fatal"}}, "critical"),
    ],
)
def test_what_could_not_work_is_refused_with_the_configuration(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        rules(**fields)

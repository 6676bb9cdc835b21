"""Verified messages whose bodies are damaged: a reader refuses them in its one way, or reads what fits a record."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any, Final
from urllib.parse import urlencode

import pytest

from pipeline.core.outward.received import read_update
from pipeline.core.step import StreamRecord
from pipeline.models.decision import BadRecord
from pipeline.models.sinks import SINK_TYPES
from pipeline.sinks.bounds import UPDATE_BYTES_MAX
from pipeline.sinks.updates import READERS
from tests.sinks.hostile.garbage import damaged

SEED = 20261130
"""The suite does the same damage each time; `python -m tests.sinks.hostile` does other damage each time."""

MESSAGES: Final = 400
NOW: Final = datetime(2026, 3, 4, 2, 11, 42, tzinfo=UTC)
INCIDENT: Final = "INC-D5KZHUYBCD7C"
OTHER: Final = "INC-AAAAAAAAAAAA"

_KIM: Final = {"id": "P1", "type": "user_reference", "summary": "Kim"}
_PAGED: Final[Mapping[str, Any]] = {
    "id": "Q1", "number": 7, "html_url": "https://a.pagerduty.com/incidents/Q1", "incident_key": f"{INCIDENT}/0",
    "title": f"x [{INCIDENT}/0]", "status": "triggered", "priority": {"summary": "P1"}, "assignees": [_KIM],
    "incident": {"incident_key": f"{INCIDENT}/0"}, "content": "words",
    "resolve_reason": {"type": "merge_resolve_reason", "incident": {"id": "Q2", "incident_key": f"{OTHER}/0"}},
}  # fmt: skip
_ISSUE: Final[Mapping[str, Any]] = {
    "id": "1", "key": "OPS-1",
    "fields": {
        "labels": ["spillway", f"inc-{INCIDENT}"], "summary": "t", "priority": {"name": "High"},
        "status": {"name": "Done", "statusCategory": {"key": "done"}}, "assignee": {"accountId": "a"},
        "resolution": {"name": "Done"}, "updated": "2026-03-04T02:11:42.318+0000",
        "issuelinks": [{"type": {"name": "Problem/Incident"}, "outwardIssue": {"key": "P-1", "fields": {}}}],
    },
}  # fmt: skip
_WORDS: Final = {"type": "doc", "content": [{"type": "paragraph", "content": [{"type": "text", "text": "hi"}]}]}

BODIES: Final[Mapping[str, tuple[Mapping[str, Any], list[Mapping[str, Any]]]]] = {
    "pagerduty": ({}, [
        {"event": {"id": "01", "event_type": f"incident.{kind}", "occurred_at": "2026-03-04T02:11:42Z", "agent": _KIM,
                   "data": _PAGED}}
        for kind in ("acknowledged", "resolved", "annotated", "reassigned", "priority_updated", "reopened")
    ]),
    "jira": ({"url": "https://acme.example", "user": "us@acme.example", "project": "OPS"}, [
        {"webhookEvent": kind, "timestamp": 1_772_590_302_318, "user": {"accountId": "a", "displayName": "c"},
         "comment": {"id": "1", "author": {"accountId": "a"}, "body": _WORDS}, "issue": _ISSUE}
        for kind in ("jira:issue_updated", "comment_created", "jira:issue_deleted")
    ]),
    "servicenow": ({"url": "https://acme.example", "user": "us"}, [
        {"sys_id": "a" * 32, "number": "INC0012345", "state": "6", "priority": "1", "short_description": "t",
         "correlation_id": INCIDENT, "correlation_display": "Spillway", "close_code": "Duplicate", "close_notes": "n",
         "sys_updated_on": "2026-03-04 02:11:42", "sys_updated_by": "kim", "sys_mod_count": "3", "assigned_to": "x",
         "work_notes": "2026-03-04 02:11:42 - Kim Lee (Work notes)\nhi", "comments": "yo", "hold_reason": "1",
         "problem_id.number": "PRB1", "parent_incident.correlation_id": OTHER, "operation": "update"},
    ]),
    "statuspage": ({"page_id": "kctb"}, [
        {"page": {"id": "kctb"},
         "incident": {"id": "p1", "status": "resolved", "updated_at": "2026-03-04T02:11:42Z",
                      "shortlink": "https://stspg.io/x",
                      "metadata": {"spillway": {"incident_id": INCIDENT, "sink": "desk"}}}},
    ]),
    "xurrent": ({"url": "https://api.acme.example", "account": "acme"}, [
        {"event": "request.note-added", "object_id": 7, "person_id": 9, "person_name": "Kim",
         "payload": {"source": "Spillway", "sourceID": INCIDENT, "status": "completed", "completion_reason": "solved",
                     "impact": "top", "subject": "s", "member": {"id": 6, "name": "x"}, "problem": {"id": 8},
                     "supplier_requestID": "X1", "note_id": 4, "audit_line_id": 5,
                     "note": {"id": 1, "text": "hi", "person": {"id": 3}, "internal": False, "medium": "api"}}},
    ]),
    "slack": ({"channel": "C0INCIDENTS"}, [
        {"type": "block_actions", "user": {"id": "U1", "username": "kim"}, "container": {"message_ts": "1.2"},
         "actions": [{"action_id": "spillway_resolve", "value": INCIDENT, "action_ts": "1548426417.840180"}]},
    ]),
}  # fmt: skip


def body_of(kind: str, document: Any) -> bytes:
    text = json.dumps(document)
    return urlencode({"payload": text}).encode() if kind == "slack" else text.encode()


@pytest.mark.parametrize("kind", sorted(READERS))
def test_a_damaged_message_is_refused_in_one_way_or_says_what_fits_a_record(kind: str) -> None:
    seed = SEED
    random = Random(seed)  # noqa: S311  # repeatable, not secret
    settings, documents = BODIES[kind]
    rules = SINK_TYPES[kind].model_validate({"name": "desk", "secret_env": "SECRET_DESK", **settings})
    read = 0
    for _ in range(MESSAGES):
        document = damaged(random, copy.deepcopy(random.choice(documents)))
        try:
            updates = READERS[kind](body_of(kind, document), {}, rules, NOW)
        except ValueError:
            continue
        for each in updates:
            value = each.to_bytes()
            assert len(value) <= UPDATE_BYTES_MAX, f"seed {seed}"
            try:
                read += read_update(StreamRecord("sink.updates", 0, 0, 0, None, value, ())).sink == "desk"
            except BadRecord as error:
                pytest.fail(f"seed {seed}: {error}")
    assert read, f"seed {seed}: nothing was read"

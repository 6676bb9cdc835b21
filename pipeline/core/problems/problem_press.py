"""Drafts of problems become revisions: an event on ``problems`` for each, sealed with the one before.

CloudEvents 1.0, Kafka protocol binding, binary content mode, as `pipeline.core.press` does with incidents.
"""

from __future__ import annotations

from typing import Final

from pipeline.core.chain import content_of, seal
from pipeline.core.outward.delivery_body import rfc3339
from pipeline.core.step import Effects, Output
from pipeline.models.problem import PROBLEM_SCHEMA, PROBLEMS_TOPIC, ProblemDraft
from pipeline.models.wire import to_json

TYPE_PREFIX: Final = "dev.spillway.problem."


def publish_problem(draft: ProblemDraft, effects: Effects) -> None:
    """Turn a draft into the next revision of its problem."""
    problem, change = draft.problem, draft.change().value
    problem.revision += 1
    problem.updated_at_ms = draft.now_ms
    before = problem.chain
    problem.chain = seal(before, content_of(problem.id, problem.revision, change, draft.now_ms, draft.entries))
    body = {
        "schema": PROBLEM_SCHEMA,
        "problem_id": problem.id,
        "revision": problem.revision,
        "change": change,
        "at_ms": draft.now_ms,
        "entries": draft.entries,
        "command_id": draft.command_id,
        "chain_before": before,
        "problem": problem,
    }
    key = problem.id.encode()
    headers = (
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_id", b"%b/%d" % (key, problem.revision)),
        ("ce_type", f"{TYPE_PREFIX}{change}.v1".encode()),
        ("ce_source", b"/spillway/problems"),
        ("ce_subject", key),
        ("ce_time", rfc3339(draft.now_ms).encode()),
        ("ce_partitionkey", key),
        ("ce_sequence", b"%d" % problem.revision),
    )
    effects.outputs.append(Output(PROBLEMS_TOPIC, key, to_json(body), draft.now_ms, headers))

"""Why an alert is where it is on one side, in one line: the reason, its score and the evidence that weighed most."""

from __future__ import annotations

from typing import Any, Final

import orjson

from pipeline.backtest.side import NONE, Side

EVIDENCE_NAMED_MAX: Final = 4
"""Kinds of evidence named: those that weigh most."""


def reason_of(side: Side, position: int) -> str:
    """Why the alert at a position is where it is; "" where the side does not have it."""
    if position == NONE:
        return ""
    episode = side.episodes[position]
    disposition, reason = side.outcome_names[side.outcomes[position]]
    incident = side.holder(episode)
    if incident == NONE:
        return f"in no incident: {disposition} ({reason})"
    facts = orjson.loads(side.whys.get(episode, b"{}"))
    where = side.incidents[incident].id
    if (rule := facts.get("rule")) is not None and str(facts["reason"]).startswith("rule_"):
        return f"{where}: {facts['reason']}, rule {rule}"
    if "score" in facts:
        needed = f" of {facts['join_at_least']:.3f} needed" if "join_at_least" in facts else ""
        return f"{where}: {facts['reason']}, {facts['score']:.3f}{needed} ({_evidence(facts)})"
    if others := facts.get("others"):
        nearest = others[0]
        needed = f" of {facts['join_at_least']:.3f}" if "join_at_least" in facts else ""
        near = f"nearest was {nearest['incident_id']}, {nearest['score']:.3f}{needed}"
        return f"{where}: {facts.get('reason', 'moved there')}; {near}, {nearest['why']} ({_evidence(nearest)})"
    return f"{where}: {facts.get('reason', 'moved there')}"


def _evidence(facts: dict[str, Any]) -> str:
    """The kinds of evidence that weigh most, with their weights."""
    evidence: dict[str, float] = facts.get("evidence") or {}
    most = sorted(evidence.items(), key=lambda each: (-abs(each[1]), each[0]))[:EVIDENCE_NAMED_MAX]
    return ", ".join(f"{kind} {weight:+.2f}" for kind, weight in most) or "no evidence"

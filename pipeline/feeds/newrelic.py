"""New Relic by webhook: issues of workflows, with our template, and incidents of the legacy alerts (version 1).

An issue is correlated already: it stands for all its incidents and entities, and is one alert that says so. What it
is about is its state; the trigger (one more incident, one fewer) is only why New Relic wrote just now.
"""

from __future__ import annotations

import re
from typing import Final

from pipeline.core.identity import content_hash
from pipeline.feeds.fields import Fields, first_line, put_link, scalar_text, unknown_word, wrong_type
from pipeline.feeds.labels import first_and_all, known
from pipeline.feeds.severity import Graded, grade
from pipeline.feeds.templates import filled
from pipeline.models.alert import Alert, FeedClass, Kind, Severity
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.SAAS

# Handlebars of the workflow's template, and the variables of a legacy channel's custom payload.
_VARIABLE: Final = re.compile(r"\{\{[^{}]*\}\}|\$[A-Z][A-Z0-9_]*")

_ISSUE_KINDS: Final = {
    "CREATED": Kind.FIRING,
    "ACTIVATED": Kind.FIRING,
    "ACKNOWLEDGED": Kind.ACKNOWLEDGED,
    "DEACTIVATED": Kind.RESOLVED,
    "CLOSED": Kind.RESOLVED,
}
# An acknowledged issue that changes is told of again, still acknowledged: what is news then is that it fires, and how.
_NEWS: Final = frozenset({"INCIDENT_ADDED", "INCIDENT_CLOSED", "PRIORITY_CHANGED"})

_LEGACY_KINDS: Final = {
    "open": Kind.FIRING,
    "acknowledged": Kind.ACKNOWLEDGED,
    "closed": Kind.RESOLVED,
    "test": Kind.CONTROL,
}
_PRIORITIES: Final = {
    "critical": Severity.CRITICAL, "high": Severity.ERROR, "medium": Severity.WARNING, "low": Severity.INFO,
}  # fmt: skip
_LEGACY_WORDS: Final = {"critical": Severity.CRITICAL, "warning": Severity.WARNING, "info": Severity.INFO}


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one notification."""
    top = Fields.of(document)
    if top.has("current_state"):
        return [_incident(filled(top, _VARIABLE, ("incident_id", "current_state")), message)]
    if top.has("state"):
        return [_issue(filled(top, _VARIABLE, ("id", "state")), message)]
    raise BadRecord(Reason.UNKNOWN_SHAPE, "$: neither state nor current_state; use the template of the documentation")


# -- workflows


def _issue(issue: Fields, message: RawMessage) -> Alert:
    issue_id, state = issue.identifier("id"), issue.text("state").upper()
    if state not in _ISSUE_KINDS:
        raise unknown_word(issue.at("state"), tuple(_ISSUE_KINDS))
    trigger = issue.text_or_none("trigger")
    kind = _ISSUE_KINDS[state]
    if kind == Kind.ACKNOWLEDGED and trigger in _NEWS:
        kind = Kind.FIRING
    created_ms = issue.epoch_or_none("createdAt", per_second=1_000)
    updated_ms = issue.epoch_or_none("updatedAt", per_second=1_000)
    closed_ms = issue.epoch_or_none("closedAt", per_second=1_000)
    graded = grade(issue.text_or_none("priority"), _PRIORITIES, "priority")
    title = first_line(issue.text_or_none("title") or "")
    conditions = _texts(issue, "alertConditionNames")
    alert = Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=kind,
        alert_key=content_hash(message.feed, "issue", issue_id),
        source_episode_id=issue_id,
        delivery_id=f"{issue_id}/{trigger or state}/{updated_ms}" if updated_ms is not None else None,
        name=next(iter(conditions), "") or title or issue_id,
        summary=title,
        description=issue.text_or_none("description") or "",
        severity=graded.severity,
        severity_native=graded.native,
        severity_default_reason=graded.default_reason,
        event_at_ms=updated_ms if kind == Kind.ACKNOWLEDGED else created_ms,
        ended_at_ms=(closed_ms or updated_ms) if kind == Kind.RESOLVED else None,
        labels=_issue_labels(issue, state, conditions),
    )
    put_link(alert.links, "source", issue.text_or_none("issueUrl"))
    put_link(alert.links, "runbook", next(iter(_texts(issue, "runbookUrls")), None))
    return alert


def _texts(issue: Fields, name: str) -> list[str]:
    """A list of texts; a template may also write a single one, or leave its variable there."""
    value = issue.values.get(name)
    if isinstance(value, str):
        return [value] if value else []
    items = issue.items(name)
    for index, item in enumerate(items):
        if not isinstance(item, str):
            raise wrong_type(f"{issue.at(name)}[{index}]", "string", item)
    return [item for item in items if item and not _VARIABLE.fullmatch(item)]


def _issue_labels(issue: Fields, state: str, conditions: list[str]) -> dict[str, str]:
    entities, policies = _texts(issue, "impactedEntities"), _texts(issue, "alertPolicyNames")
    return {
        **filled(issue.section_or_empty("labels"), _VARIABLE).scalars(),
        **first_and_all("component", entities),
        **first_and_all("condition", conditions),
        **known(
            {
                "policy": ", ".join(policies),
                "state": state,
                "incidents": scalar_text(issue.values.get("totalIncidents")),
                "correlated": scalar_text(issue.values.get("isCorrelated")),
                "workflow": issue.text_or_none("workflowName"),
            }
        ),
    }


# -- legacy alerts


def _incident(incident: Fields, message: RawMessage) -> Alert:
    state = incident.text("current_state").lower()
    if state not in _LEGACY_KINDS:
        raise unknown_word(incident.at("current_state"), tuple(_LEGACY_KINDS))
    kind = _LEGACY_KINDS[state]
    account, number = incident.identifier_or_none("account_id") or "", incident.identifier("incident_id")
    at_ms = incident.epoch_or_none("timestamp", per_second=1_000)
    condition = incident.text_or_none("condition_name") or ""
    graded = _legacy_grade(incident, kind)
    alert = Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=kind,
        alert_key=content_hash(message.feed, "control" if kind == Kind.CONTROL else "incident", account, number),
        source_episode_id=number,
        delivery_id=f"{number}/{state}/{at_ms}" if at_ms is not None else None,
        name=condition or incident.text_or_none("policy_name") or number,
        summary=first_line(incident.text_or_none("details") or "") or condition,
        description=incident.text_or_none("details") or "",
        severity=graded.severity,
        severity_native=graded.native,
        severity_default_reason=graded.default_reason,
        event_at_ms=None if kind == Kind.RESOLVED else at_ms,
        ended_at_ms=at_ms if kind == Kind.RESOLVED else None,
        labels=_legacy_labels(incident, state, account),
    )
    put_link(alert.links, "source", incident.text_or_none("incident_url"))
    put_link(alert.links, "runbook", incident.text_or_none("runbook_url"))
    return alert


def _legacy_grade(incident: Fields, kind: Kind) -> Graded:
    if kind == Kind.CONTROL:
        return Graded(Severity.INFO, incident.text_or_none("severity"), "a test has no severity")
    return grade(incident.text_or_none("severity"), _LEGACY_WORDS, "severity")


def _legacy_labels(incident: Fields, state: str, account: str) -> dict[str, str]:
    targets = list(incident.sections("targets")) if isinstance(incident.values.get("targets"), list) else []
    names = [name for target in targets if (name := target.text_or_none("name"))]
    labels: dict[str, str] = {}
    for target in targets:
        labels = {**target.section_or_empty("labels").scalars(), **labels}
    return {
        **labels,
        **first_and_all("component", names),
        **known(
            {
                "policy": incident.text_or_none("policy_name"),
                "condition": incident.text_or_none("condition_name"),
                "state": state,
                "account": account,
            }
        ),
    }

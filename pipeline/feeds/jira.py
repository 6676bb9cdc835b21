"""Jira and Jira Service Management webhooks: a ticket opened, updated or done.

What is done is read from the status category, never from the status name: each project words its own.
"""

from __future__ import annotations

from typing import Final

from pipeline.core.identity import content_hash
from pipeline.feeds.fields import Fields, put_link
from pipeline.feeds.severity import JIRA_PRIORITY_WORDS, grade
from pipeline.feeds.tickets import TICKET_NAME, reporter_id
from pipeline.models.alert import Alert, FeedClass, Kind
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.DESK

_DELIVERY_HEADER: Final = "x-atlassian-webhook-identifier"
_CREATED: Final = "jira:issue_created"
_DELETED: Final = "jira:issue_deleted"


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one issue event.

    The alert happened when this event did: a ticket reopened after its end must not look older than the end.
    """
    top = Fields.of(document)
    event = top.text("webhookEvent")
    if not top.has("issue"):
        raise BadRecord(Reason.UNKNOWN_SHAPE, "$.issue: missing; only events about issues are read")
    issue = top.section("issue")
    key = issue.text("key")
    fields = issue.section_or_empty("fields")
    sent_ms = top.epoch_or_none("timestamp", per_second=1_000)
    created_ms = fields.time_or_none("created")
    done = event == _DELETED or _category(fields) == "done"
    graded = grade(fields.section_or_empty("priority").text_or_none("name"), JIRA_PRIORITY_WORDS, "priority")
    delivery_id = f"{key}/{event}/{sent_ms}" if sent_ms is not None else None
    alert = Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=Kind.RESOLVED if done else Kind.TICKET,
        alert_key=content_hash(message.feed, key),
        source_episode_id=key,
        delivery_id=message.header(_DELIVERY_HEADER) or delivery_id,
        name=TICKET_NAME,
        summary=fields.text_or_none("summary") or "",
        description=fields.text_or_none("description") or "",
        severity=graded.severity,
        severity_native=graded.native,
        severity_default_reason=graded.default_reason,
        event_at_ms=created_ms if event == _CREATED or sent_ms is None else sent_ms,
        ended_at_ms=(fields.time_or_none("resolutiondate") or sent_ms) if done else None,
        labels=_labels(fields),
        ticket=key,
        reporter=_reporter(fields, message.feed),
    )
    put_link(alert.links, "ticket", _address(issue, key))
    return [alert]


def _category(fields: Fields) -> str | None:
    return fields.section_or_empty("status").section_or_empty("statusCategory").text_or_none("key")


def _labels(fields: Fields) -> dict[str, str]:
    components = [component.text("name") for component in fields.sections("components")]
    known = {
        "project": fields.section_or_empty("project").text_or_none("key"),
        "issue_type": fields.section_or_empty("issuetype").text_or_none("name"),
        "status": fields.section_or_empty("status").text_or_none("name"),
        "component": components[0] if components else None,
        "components": ", ".join(components) if len(components) > 1 else None,
    }
    return {label: value for label, value in known.items() if value}


def _reporter(fields: Fields, feed: str) -> str | None:
    """Opaque id of who reported: ``accountId`` in the cloud, ``key`` on a server."""
    reporter = fields.section_or_empty("reporter")
    return reporter_id(feed, reporter.text_or_none("accountId") or reporter.text_or_none("key"))


def _address(issue: Fields, key: str) -> str | None:
    """The page for people, from the address for machines: ``https://host/rest/api/2/40311``."""
    base, found, _ = (issue.text_or_none("self") or "").partition("/rest/")
    return f"{base}/browse/{key}" if found else None

"""Jira and Jira Service Management webhooks: a ticket opened, updated or done.

What is done is read from the status category, never from the status name: each project words its own.
"""

from __future__ import annotations

from typing import Any, Final

from pipeline.feeds.fields import Fields, missing
from pipeline.feeds.severity import JIRA_PRIORITY_WORDS, grade
from pipeline.feeds.tickets import Ticket, TicketLabels, kind_of
from pipeline.models.alert import Alert, FeedClass, Kind
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.DESK

_DELIVERY_HEADER: Final = "x-atlassian-webhook-identifier"
_CREATED: Final = "jira:issue_created"
_DELETED: Final = "jira:issue_deleted"
_DONE: Final = "done"
# Ingest keeps 4,096 characters of a description; a document tree is read no further than that may need.
_DESCRIPTION_CHARS_MAX: Final = 8_192
_LINE_ENDING_NODES: Final = frozenset({"paragraph", "heading", "hardBreak", "listItem", "codeBlock"})


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one issue event.

    An open ticket's time is the event's: one that is reopened after its end must not look older than the end.
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
    done = event == _DELETED or _is_done(fields, event)
    began = done or event == _CREATED or sent_ms is None
    ticket = Ticket(
        identity=(key,),
        number=key,
        kind=kind_of(Kind.RESOLVED if done else Kind.TICKET, *_tags(fields)),
        summary=fields.text_or_none("summary"),
        description=_description(fields),
        graded=grade(fields.section_or_empty("priority").text_or_none("name"), JIRA_PRIORITY_WORDS, "priority"),
        labels=_labels(fields),
        reporter=_reporter(fields),
        delivery_id=message.header(_DELIVERY_HEADER) or (f"{key}/{event}/{sent_ms}" if sent_ms is not None else None),
        address=_address(issue, key),
        event_at_ms=created_ms if began else sent_ms,
        ended_at_ms=(fields.time_or_none("resolutiondate") or sent_ms) if done else None,
    )
    return [ticket.alert(message)]


def _is_done(fields: Fields, event: str) -> bool:
    """By the status category. A new ticket may go without; later, nobody could tell whether the event reopens it."""
    category = fields.section_or_empty("status").section_or_empty("statusCategory").text_or_none("key")
    if category is None and event != _CREATED:
        raise missing(f"{fields.at('status')}.statusCategory.key")
    return category == _DONE


def _labels(fields: Fields) -> TicketLabels:
    components = [component.text("name") for component in fields.sections("components")]
    return TicketLabels(
        type=fields.section_or_empty("issuetype").text_or_none("name"),
        status=fields.section_or_empty("status").text_or_none("name"),
        project=fields.section_or_empty("project").text_or_none("key"),
        component=components[0] if components else None,
        components=", ".join(components) if len(components) > 1 else None,
        tags=", ".join(_tags(fields)),
    )


def _tags(fields: Fields) -> list[str]:
    return [tag for tag in fields.items("labels") if isinstance(tag, str) and tag]


def _description(fields: Fields) -> str | None:
    """The description: text, or a document tree (Atlassian Document Format), of which the text is taken."""
    value = fields.values.get("description")
    if isinstance(value, dict):
        return _text_of(value)
    return fields.text_or_none("description")


def _text_of(tree: dict[str, Any]) -> str:
    """The text of a document tree, a line for each paragraph. What is no node is passed over."""
    parts: list[str] = []
    chars = 0
    waiting: list[object] = [tree]
    while waiting and chars < _DESCRIPTION_CHARS_MAX:
        node = waiting.pop()
        if isinstance(node, str):
            parts.append(node)
            chars += len(node)
        elif isinstance(node, dict):
            if node.get("type") in _LINE_ENDING_NODES:
                waiting.append("\n")
            content, text = node.get("content"), node.get("text")
            if isinstance(content, list):
                waiting.extend(reversed(content))
            if isinstance(text, str):
                waiting.append(text)
    return "".join(parts).strip()


def _reporter(fields: Fields) -> str | None:
    """Who reported: ``accountId`` in the cloud, ``key`` on a server."""
    reporter = fields.section_or_empty("reporter")
    return reporter.text_or_none("accountId") or reporter.text_or_none("key")


def _address(issue: Fields, key: str) -> str | None:
    """The page for people, from the address for machines: ``https://host/rest/api/2/40311``."""
    base, found, _ = (issue.text_or_none("self") or "").partition("/rest/")
    return f"{base}/browse/{key}" if found else None

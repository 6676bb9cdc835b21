"""Sentry webhooks of an internal integration: metric alerts, issue alerts (``event_alert``) and issues.

Which of them a message is stands in the header ``Sentry-Hook-Resource``; where a bridge dropped it, the shape tells.
An issue alert is always ``triggered`` and never resolves: it is the same condition as its issue, which is resolved
or archived by people. So both end by silence too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from pipeline.core.identity import content_hash
from pipeline.feeds.fields import Fields, put_link, scalar_text, unknown_word, wrong_type
from pipeline.feeds.severity import grade
from pipeline.feeds.times import epoch_ms
from pipeline.models.alert import Alert, FeedClass, Kind, Severity
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.SAAS

# An issue alert repeats at most every 30 minutes by default: eight of them without news, and it is over.
ISSUE_TTL_SECONDS: Final = 4 * 60 * 60

LEVEL_WORDS: Final[Mapping[str, Severity]] = {
    "fatal": Severity.CRITICAL, "error": Severity.ERROR, "warning": Severity.WARNING,
    "info": Severity.INFO, "debug": Severity.INFO, "sample": Severity.INFO,
}  # fmt: skip
_METRIC_WORDS: Final[Mapping[str, Severity]] = {"critical": Severity.CRITICAL, "warning": Severity.WARNING}

_RESOURCE_HEADER: Final = "sentry-hook-resource"
_TIMESTAMP_HEADER: Final = "sentry-hook-timestamp"
_DELIVERY_HEADER: Final = "request-id"

_METRIC, _EVENT, _ISSUE, _INSTALLATION = "metric_alert", "event_alert", "issue", "installation"
_SHAPES: Final = ((_METRIC, "metric_alert"), (_EVENT, "event"), (_ISSUE, "issue"), (_INSTALLATION, "installation"))
_METRIC_KINDS: Final[Mapping[str, Kind]] = {
    "critical": Kind.FIRING,
    "warning": Kind.FIRING,
    "resolved": Kind.RESOLVED,
}
_CREATED: Final = "created"
_ISSUE_KINDS: Final[Mapping[str, Kind]] = {
    _CREATED: Kind.FIRING,
    "unresolved": Kind.FIRING,
    "resolved": Kind.RESOLVED,
    "archived": Kind.RESOLVED,  # somebody decided that it is no matter
    "ignored": Kind.RESOLVED,  # the same in older versions
}
_ASSIGNED: Final = "assigned"
_ISSUE_OVER: Final = frozenset({"resolved", "ignored", "archived"})


class Options(BaseModel):
    """What a feed may set.

    Attributes:
        ttl_seconds: silence after which an issue is over that nobody resolved.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ttl_seconds: int = Field(default=ISSUE_TTL_SECONDS, gt=0)


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one webhook."""
    top = Fields.of(document)
    data = top.section("data")
    resource = message.header(_RESOURCE_HEADER) or next((name for name, key in _SHAPES if data.has(key)), None)
    if resource == _METRIC:
        return [_metric_alert(top, data, message)]
    if resource == _EVENT:
        return [_event_alert(data, message)]
    if resource == _ISSUE:
        return [_issue(top, data, message)]
    if resource == _INSTALLATION:
        return [_control(top, message)]
    raise BadRecord(
        Reason.UNKNOWN_SHAPE, "$.data: neither a metric alert nor an issue alert nor an issue; subscribe to these only"
    )


def _metric_alert(top: Fields, data: Fields, message: RawMessage) -> Alert:
    action = top.text("action")
    if action not in _METRIC_KINDS:
        raise unknown_word("$.action", tuple(_METRIC_KINDS))
    kind = _METRIC_KINDS[action]
    incident = data.section("metric_alert")
    rule = incident.section_or_empty("alert_rule")
    run = incident.identifier("id")
    projects = [project for project in incident.items("projects") if isinstance(project, str) and project]
    name = rule.text_or_none("name") or incident.text("title")
    text = data.text_or_none("description_text")
    recovered = kind == Kind.RESOLVED
    graded = grade(None if recovered else action, _METRIC_WORDS, "action")
    alert = Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=kind,
        alert_key=content_hash(message.feed, "rule", rule.identifier_or_none("id") or run, *sorted(projects)),
        source_episode_id=run,
        delivery_id=message.header(_DELIVERY_HEADER),
        name=name,
        summary=f"{name}: {text}" if text else name,
        severity=graded.severity,
        severity_native=graded.native,
        severity_default_reason="a recovery carries no severity" if recovered else graded.default_reason,
        event_at_ms=incident.time_or_none("date_started"),
        ended_at_ms=incident.time_or_none("date_closed") if recovered else None,
        labels=_said(
            environment=rule.text_or_none("environment"),
            query=rule.text_or_none("query"),
            aggregate=rule.text_or_none("aggregate"),
            owner=rule.text_or_none("owner"),
            projects=", ".join(projects) if len(projects) > 1 else None,
            **_project(projects[0] if projects else None),
        ),
    )
    put_link(alert.links, "sentry", data.text_or_none("web_url"))
    return alert


def _event_alert(data: Fields, message: RawMessage) -> Alert:
    event = data.section("event")
    title = event.text("title")
    tags = _tags(event)
    graded = grade(event.text_or_none("level"), LEVEL_WORDS, "data.event.level")
    slug = _slug_of(event.text_or_none("url"))
    alert = Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=Kind.FIRING,
        alert_key=_issue_key(event.identifier("issue_id"), message),
        delivery_id=message.header(_DELIVERY_HEADER) or event.identifier_or_none("event_id"),
        name=title,
        summary=title,
        description=event.text_or_none("message") or "",
        severity=graded.severity,
        severity_native=graded.native,
        severity_default_reason=graded.default_reason,
        event_at_ms=event.time_or_none("datetime"),
        labels={
            **tags,
            **_said(
                environment=event.text_or_none("environment"),
                release=event.text_or_none("release"),
                culprit=event.text_or_none("culprit"),
                rule=data.text_or_none("triggered_rule"),
                host=tags.get("server_name"),
                **(_project(slug) if slug else {"project": event.identifier_or_none("project")}),
            ),
        },
        ttl_seconds=message.options.ttl_seconds,
    )
    put_link(alert.links, "sentry", event.text_or_none("web_url"))
    return alert


def _issue(top: Fields, data: Fields, message: RawMessage) -> Alert:
    issue = data.section("issue")
    action = top.text("action")
    kind = _issue_kind(action, issue)
    title = issue.text("title")
    over = kind == Kind.RESOLVED
    sent_ms = _sent_ms(message)
    began_ms = issue.time_or_none("firstSeen")
    graded = grade(issue.text_or_none("level"), LEVEL_WORDS, "data.issue.level")
    alert = Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=kind,
        alert_key=_issue_key(issue.identifier("id"), message),
        delivery_id=message.header(_DELIVERY_HEADER),
        name=title,
        summary=title,
        severity=graded.severity,
        severity_native=graded.native,
        severity_default_reason=graded.default_reason,
        # One that comes back after its end must not look older than the end.
        event_at_ms=began_ms if over or action == _CREATED else sent_ms or issue.time_or_none("lastSeen"),
        ended_at_ms=sent_ms if over else None,
        labels=_said(
            culprit=issue.text_or_none("culprit"),
            issue=issue.text_or_none("shortId"),
            status=issue.text_or_none("status"),
            events=issue.identifier_or_none("count"),
            **_project(issue.section_or_empty("project").text_or_none("slug")),
        ),
        users_affected=issue.integer_or_none("userCount"),
        ttl_seconds=None if over else message.options.ttl_seconds,
    )
    put_link(alert.links, "sentry", issue.text_or_none("web_url") or data.text_or_none("web_url"))
    return alert


def _issue_kind(action: str, issue: Fields) -> Kind:
    if action == _ASSIGNED:
        return Kind.RESOLVED if issue.text_or_none("status") in _ISSUE_OVER else Kind.FIRING
    if action not in _ISSUE_KINDS:
        raise unknown_word("$.action", (*_ISSUE_KINDS, _ASSIGNED))
    return _ISSUE_KINDS[action]


def _issue_key(issue_id: str, message: RawMessage) -> str:
    return content_hash(message.feed, "issue", issue_id)


def _project(slug: str | None) -> dict[str, str | None]:
    """A project of Sentry is an application, so its name is told as one too: the catalogue is matched by that."""
    return {"project": slug, "app": slug}


def _slug_of(address: str | None) -> str | None:
    """The project's name in ``https://sentry.io/api/0/projects/<organisation>/<project>/events/<id>/``."""
    _, found, rest = (address or "").partition("/projects/")
    parts = rest.split("/")
    return parts[1] if found and len(parts) > 1 and parts[1] else None


def _tags(event: Fields) -> dict[str, str]:
    """Tags are pairs in an array."""
    tags: dict[str, str] = {}
    for index, pair in enumerate(event.items("tags")):
        if not isinstance(pair, list):
            raise wrong_type(f"{event.at('tags')}[{index}]", "array", pair)
        if len(pair) == 2 and isinstance(pair[0], str) and pair[0] and (value := scalar_text(pair[1])):
            tags[pair[0]] = value
    return tags


def _said(**labels: str | None) -> dict[str, str]:
    return {label: value for label, value in labels.items() if value}


def _sent_ms(message: RawMessage) -> int | None:
    """When Sentry sent it, by its header; a header that is no time says nothing."""
    sent = message.header(_TIMESTAMP_HEADER)
    try:
        return epoch_ms(sent, per_second=1) if sent else None
    except ValueError:
        return None


def _control(top: Fields, message: RawMessage) -> Alert:
    return Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=Kind.CONTROL,
        alert_key=content_hash(message.feed, "control", _INSTALLATION),
        delivery_id=message.header(_DELIVERY_HEADER),
        name=f"{_INSTALLATION}.{top.text_or_none('action') or 'changed'}",
        summary="Sentry says that the integration was installed or removed",
        severity=Severity.INFO,
        severity_default_reason="a control message has no severity",
    )

"""Atlassian Statuspage of a provider: webhooks about a component or an incident, and the polled ``summary.json``.

A component under maintenance and a scheduled incident are announced maintenance, not failures. A summary lists
every component but only the incidents that are not over: one that ends is missing from the next summary, which no
single message can tell, so an incident of a summary ends by silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from pipeline.core.identity import content_hash
from pipeline.feeds.fields import MEMBERS_MAX, Fields, missing, put_link, unknown_word
from pipeline.feeds.severity import STATUSPAGE_COMPONENT_WORDS, STATUSPAGE_IMPACT_WORDS, grade
from pipeline.models.alert import Alert, FeedClass, Kind
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.SAAS

# Pages are polled every minute or few: half an hour without an incident is several summaries without it.
SUMMARY_TTL_SECONDS: Final = 30 * 60

_INCIDENT_KINDS: Final = {
    "investigating": Kind.FIRING,
    "identified": Kind.FIRING,
    "monitoring": Kind.FIRING,
    "resolved": Kind.RESOLVED,
    "postmortem": Kind.RESOLVED,
    "scheduled": Kind.MAINTENANCE_START,
    "in_progress": Kind.MAINTENANCE_START,
    "verifying": Kind.MAINTENANCE_START,
    "completed": Kind.MAINTENANCE_END,
}
_MAINTENANCE: Final = (Kind.MAINTENANCE_START, Kind.MAINTENANCE_END)
_STATUS_PAGE: Final = "status page"


class Options(BaseModel):
    """What a feed may set.

    Attributes:
        summary_ttl_seconds: how long an incident may be missing from polled summaries until it is over; more than
            three times the interval of the polls.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    summary_ttl_seconds: int = Field(default=SUMMARY_TTL_SECONDS, gt=0)


class _Page(NamedTuple):
    """The page that a message is from.

    Attributes:
        name: the provider's; webhooks do not tell it.
        url: of the page for people; the same.
    """

    id: str
    name: str | None
    url: str | None

    def labels(self) -> dict[str, str]:
        return {"page": self.id, "provider": self.name} if self.name else {"page": self.id}


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one notification, or one summary."""
    top = Fields.of(document)
    section = top.section("page")
    page = _Page(section.identifier("id"), section.text_or_none("name"), section.text_or_none("url"))
    if top.has("component_update"):
        return list(_component_update(top, page, message))
    if top.has("incident"):
        return [_incident(top.section("incident"), page, message)]
    if top.has("components") or top.has("incidents") or top.has("scheduled_maintenances"):
        return _summary(top, page, message)
    raise BadRecord(
        Reason.UNKNOWN_SHAPE,
        "$: neither a component update nor an incident nor a summary; send webhooks, or poll /api/v2/summary.json",
    )


# -- webhooks


def _component_update(top: Fields, page: _Page, message: RawMessage) -> Iterator[Alert]:
    update, component = top.section("component_update"), top.section("component")
    status = update.text_or_none("new_status") or component.text("status")
    if status not in STATUSPAGE_COMPONENT_WORDS:
        raise unknown_word(update.at("new_status"), tuple(STATUSPAGE_COMPONENT_WORDS))
    for kind in _component_kinds(status, update.text_or_none("old_status")):
        alert = _component(component, status, kind, update.time_or_none("created_at"), page, message)
        alert.delivery_id = update.identifier_or_none("id")
        yield alert


def _component_kinds(status: str, before: str | None) -> tuple[Kind, ...]:
    """What a component's new status says. The end of a maintenance also ends an outage before it."""
    if status == "under_maintenance":
        return (Kind.MAINTENANCE_START,)
    if status != "operational":
        return (Kind.FIRING,)
    if before == "under_maintenance":
        return (Kind.MAINTENANCE_END, Kind.RESOLVED)
    return (Kind.RESOLVED,)


# -- a summary


def _summary(top: Fields, page: _Page, message: RawMessage) -> list[Alert | BadRecord]:
    """Every component, incident and maintenance of the page; a bad one takes its place and the others go on."""
    readers: tuple[tuple[str, Callable[[Fields], Alert | None]], ...] = (
        ("components", lambda each: _component_now(each, page, message)),
        ("incidents", lambda each: _incident_now(each, page, message)),
        ("scheduled_maintenances", lambda each: _incident_now(each, page, message)),
    )
    count = sum(len(top.items(name)) for name, _ in readers)
    if count > MEMBERS_MAX:
        raise BadRecord(Reason.TOO_LARGE, f"$: {count} components and incidents, at most {MEMBERS_MAX}")
    results: list[Alert | BadRecord] = []
    for name, read in readers:
        for index, item in enumerate(top.items(name)):
            try:
                alert = read(Fields.of(item, f"{top.at(name)}[{index}]"))
            except BadRecord as bad:
                results.append(bad)
            else:
                results += [alert] if alert is not None else []
    if not results:
        raise missing("$.components")
    return results


def _component_now(component: Fields, page: _Page, message: RawMessage) -> Alert | None:
    """A component as it is; None for a group, which only repeats what its members say."""
    if component.values.get("group") is True:
        return None
    status = component.text("status")
    if status not in STATUSPAGE_COMPONENT_WORDS:
        raise unknown_word(component.at("status"), tuple(STATUSPAGE_COMPONENT_WORDS))
    (kind,) = _component_kinds(status, None)
    alert = _component(component, status, kind, component.time_or_none("updated_at"), page, message)
    put_link(alert.links, _STATUS_PAGE, page.url)
    return alert


def _incident_now(incident: Fields, page: _Page, message: RawMessage) -> Alert:
    """An incident as it is. No delivery id: each poll is news that it goes on, and keeps it from ending by silence."""
    alert = _incident(incident, page, message)
    alert.delivery_id = None
    alert.ttl_seconds = message.options.summary_ttl_seconds if alert.kind == Kind.FIRING else None
    return alert


# -- what both say


def _component(
    component: Fields, status: str, kind: Kind, changed_ms: int | None, page: _Page, message: RawMessage
) -> Alert:
    name = component.text("name")
    over = kind in (Kind.RESOLVED, Kind.MAINTENANCE_END)
    about = "maintenance" if kind in _MAINTENANCE else "component"
    return Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=kind,
        alert_key=content_hash(message.feed, about, page.id, component.identifier("id")),
        name=name,
        summary=f"{name}: {status.replace('_', ' ')}",
        severity=STATUSPAGE_COMPONENT_WORDS[status],
        severity_native=status,
        event_at_ms=None if over else changed_ms,
        ended_at_ms=changed_ms if over else None,
        labels={"component": name, **page.labels()},
    )


def _incident(incident: Fields, page: _Page, message: RawMessage) -> Alert:
    incident_id = incident.identifier("id")
    name = incident.text("name")
    status = incident.text("status")
    if status not in _INCIDENT_KINDS:
        raise unknown_word(incident.at("status"), tuple(_INCIDENT_KINDS))
    kind = _INCIDENT_KINDS[status]
    updates = list(incident.sections("incident_updates"))  # newest first
    graded = grade(incident.text_or_none("impact"), STATUSPAGE_IMPACT_WORDS, "impact")
    alert = Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=kind,
        alert_key=content_hash(message.feed, "incident", page.id, incident_id),
        source_episode_id=incident_id,
        delivery_id=updates[0].identifier_or_none("id") if updates else None,
        name=name,
        summary=name,
        description=(updates[0].text_or_none("body") or "") if updates else "",
        severity=graded.severity,
        severity_native=graded.native,
        severity_default_reason=graded.default_reason,
        event_at_ms=_began_ms(incident, kind, updates),
        ended_at_ms=_ended_ms(incident, kind, updates),
        labels={**page.labels(), "status": status, **_affected(incident)},
    )
    put_link(alert.links, _STATUS_PAGE, incident.text_or_none("shortlink") or page.url)
    return alert


def _began_ms(incident: Fields, kind: Kind, updates: list[Fields]) -> int | None:
    """When it began; of one that was reopened, when that was: it must not look older than its end."""
    if kind in _MAINTENANCE:
        return incident.time_or_none("scheduled_for") or incident.time_or_none("created_at")
    if kind == Kind.FIRING:
        reopened_ms: int | None = None
        for update in updates:
            if _INCIDENT_KINDS.get(update.text_or_none("status") or "") == Kind.RESOLVED:
                return reopened_ms
            reopened_ms = update.time_or_none("created_at") or reopened_ms
    return incident.time_or_none("created_at")


def _ended_ms(incident: Fields, kind: Kind, updates: list[Fields]) -> int | None:
    if kind in _MAINTENANCE:
        return incident.time_or_none("scheduled_until")
    if kind == Kind.RESOLVED:
        newest_ms = updates[0].time_or_none("created_at") if updates else None
        return incident.time_or_none("resolved_at") or newest_ms
    return None


def _affected(incident: Fields) -> dict[str, str]:
    components = [component.text("name") for component in incident.sections("components")]
    labels = {"component": components[0]} if components else {}
    if len(components) > 1:
        labels["components"] = ", ".join(components)
    return labels

"""Datadog monitors by webhook, with our template: a monitor's group changed its state, or still has it.

The condition is the monitor and the group of tags that it alerts on. ``$PRIORITY`` is that of the event in Datadog's
stream and says nothing; a monitor's is ``$ALERT_PRIORITY``. Titles begin with the transition, so they are no names.
"""

from __future__ import annotations

import re
from typing import Final

from pipeline.core.identity import content_hash
from pipeline.feeds.control import channel_test
from pipeline.feeds.fields import Fields, missing, put_link, unknown_word
from pipeline.feeds.labels import known, listed, tag_labels
from pipeline.feeds.severity import Graded, grade
from pipeline.feeds.templates import filled
from pipeline.models.alert import SEVERITY_RANK, Alert, FeedClass, Kind, Severity
from pipeline.models.decision import BadRecord
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.SAAS

_VARIABLE: Final = re.compile(r"\$[A-Z][A-Z0-9_]*(?:\[[^\]]*\])?")
_REQUIRED: Final = ("alert_id", "alert_transition", "alert_scope")

_TRIGGERED, _WARN, _NO_DATA, _RENOTIFY, _RECOVERED = "triggered", "warn", "no data", "renotify", "recovered"
_AGAIN: Final = "re-"
_TRANSITIONS: Final = ("Triggered", "Re-Triggered", "Warn", "Re-Warn", "No Data", "Re-No Data", "Renotify", "Recovered")
_STATES: Final = frozenset((_TRIGGERED, _WARN, _NO_DATA, _RENOTIFY, _RECOVERED))

_PRIORITIES: Final = {
    "p1": Severity.CRITICAL, "p2": Severity.ERROR, "p3": Severity.WARNING, "p4": Severity.INFO, "p5": Severity.INFO,
}  # fmt: skip
_TYPES: Final = {
    "error": Severity.ERROR, "warning": Severity.WARNING, "info": Severity.INFO, "success": Severity.INFO,
}  # fmt: skip

_TEST_TITLE: Final = "[TEST]"
_TITLE_PREFIX: Final = re.compile(
    r"(?:\[P[1-5]\] ?)?\[(?:Re-)?(Triggered|Warn|No Data|Renotify|Recovered)(?: on \{[^}]{0,512}\})?\] ?",
    re.IGNORECASE,
)
_MARKDOWN_FENCE: Final = "%%%"
# A scope such as ``!env:dev`` or ``-env:dev`` says what the group is not.
_NEGATIONS: Final = ("!", "-")


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one notification."""
    top = filled(Fields.of(document), _VARIABLE, _REQUIRED)
    title = top.text_or_none("alert_title") or top.text_or_none("title") or ""
    if title.startswith(_TEST_TITLE):
        return [channel_test(message, "Datadog tests a monitor's notification")]
    transition = top.text("alert_transition")
    state = transition.strip().lower().removeprefix(_AGAIN)
    if state not in _STATES:
        raise unknown_word(top.at("alert_transition"), _TRANSITIONS)
    if "alert_scope" not in top.values:  # empty for a monitor that alerts as a whole; without it groups would be one
        raise missing(top.at("alert_scope"))
    monitor, scope = top.identifier("alert_id"), top.text_or_none("alert_scope") or ""
    organisation = filled(top.section_or_empty("org"), _VARIABLE)
    prefix = _TITLE_PREFIX.match(title)
    name = (title[prefix.end() :] if prefix else title).strip() or f"monitor {monitor}"
    if state == _RENOTIFY and prefix is not None:  # of what: only the title says
        state = prefix[1].lower() if prefix[1].lower() != _RECOVERED else _RENOTIFY
    over = state == _RECOVERED
    at_ms = top.epoch_or_none("date", per_second=1_000)
    graded = _grade(top, state)
    delivery = top.identifier_or_none("id")
    alert = Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=Kind.RESOLVED if over else Kind.FIRING,
        alert_key=content_hash(
            message.feed, organisation.identifier_or_none("id") or "", monitor, *sorted(listed(scope))
        ),
        source_episode_id=top.identifier_or_none("alert_cycle_key"),
        # One event may be told of again as it turns worse, under the same id.
        delivery_id=f"{delivery}/{transition}" if delivery else None,
        name=name,
        summary=f"{name}: no data" if state == _NO_DATA else name,
        description=_text(top),
        severity=graded.severity,
        severity_native=graded.native,
        severity_default_reason=graded.default_reason,
        event_at_ms=None if over else at_ms,
        ended_at_ms=at_ms if over else None,
        labels=_labels(top, scope, transition, organisation),
    )
    put_link(alert.links, "source", top.text_or_none("link"))
    put_link(alert.links, "snapshot", top.text_or_none("snapshot"))
    return [alert]


def _grade(top: Fields, state: str) -> Graded:
    """The monitor's priority, else the event's type; at most warning where the monitor itself does not alert."""
    priority, kind = top.text_or_none("alert_priority"), top.text_or_none("alert_type")
    graded = grade(priority, _PRIORITIES, "alert_priority")
    if graded.default_reason is not None and kind is not None:
        graded = grade(kind, _TYPES, "alert_type")
    if state == _NO_DATA:
        return _at_most_warning(graded, "a monitor without data says only that nobody is watching")
    if state == _WARN or (state == _RENOTIFY and kind == "warning"):
        return _at_most_warning(graded, "only the warning threshold is crossed, so it counts as warning at most")
    return graded


def _at_most_warning(graded: Graded, because: str) -> Graded:
    if SEVERITY_RANK[graded.severity] > SEVERITY_RANK[Severity.WARNING]:
        return Graded(Severity.WARNING, graded.native, because)
    return graded


def _text(top: Fields) -> str:
    """What the team wrote, without the marks of Markdown; else Datadog's own words."""
    body = top.text_or_none("body") or ""
    lines = [line for line in body.splitlines() if line.strip() != _MARKDOWN_FENCE]
    return "\n".join(lines).strip() or top.text_or_none("alert_status") or ""


def _labels(top: Fields, scope: str, transition: str, organisation: Fields) -> dict[str, str]:
    """Tags as labels; those of the group that alerts win over all that the monitor has."""
    of_group = tag_labels(tag for tag in listed(scope) if ":" in tag and not tag.startswith(_NEGATIONS))
    host = known({"host": top.text_or_none("hostname")})
    own = {
        "transition": transition,
        "monitor": top.identifier_or_none("alert_id"),
        "scope": scope,
        "metric": top.text_or_none("alert_metric"),
        "organisation": organisation.text_or_none("name"),
    }
    return {**host, **tag_labels(listed(top.text_or_none("tags") or "")), **of_group, **known(own)}

"""Dynatrace problems by webhook, with our template: a problem was opened, resolved, or merged into another.

``{PID}`` identifies the problem; ``{ProblemID}`` is its number for people. Times are in ``{ProblemDetailsJSONv2}``
alone. A problem is correlated already, and its root cause stands in a label.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from pipeline.core.identity import content_hash
from pipeline.feeds.control import channel_test
from pipeline.feeds.fields import Fields, first_line, missing, put_link, unknown_word
from pipeline.feeds.labels import first_and_all, known, listed, tag_labels
from pipeline.feeds.severity import Graded, grade
from pipeline.feeds.templates import filled
from pipeline.models.alert import Alert, FeedClass, Kind, Severity
from pipeline.models.decision import BadRecord
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.SAAS

_VARIABLE: Final = re.compile(r"\{[A-Za-z][A-Za-z0-9]*\}")
_KINDS: Final = {"OPEN": Kind.FIRING, "RESOLVED": Kind.RESOLVED, "MERGED": Kind.MERGED}
_WORDS: Final = {
    "availability": Severity.CRITICAL,
    "error": Severity.ERROR,
    "performance": Severity.WARNING,
    "resource_contention": Severity.WARNING,
    "monitoring_unavailable": Severity.WARNING,  # nobody is watching
    "info": Severity.INFO,
}
_CUSTOM: Final = "custom_alert"
_TEST_TITLE: Final = "Dynatrace problem notification test run"
_NOT_YET: Final = -1  # endTime of a problem that is open
# Tags may carry where they come from: ``[Kubernetes]app:cart``.
_TAG_CONTEXT: Final = re.compile(r"^\[[^\]]{1,64}\]")


class Options(BaseModel):
    """What a feed may set.

    Attributes:
        custom_alert_severity: of problems that a rule of your own raised; Dynatrace does not say how bad they are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    custom_alert_severity: Severity = Field(default=Severity.INFO)


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one notification."""
    top = filled(Fields.of(document), _VARIABLE, ("State", "PID"))
    title = top.text_or_none("ProblemTitle") or ""
    if title == _TEST_TITLE:
        return [channel_test(message, title)]
    state = top.text("State").upper()
    if state not in _KINDS:
        raise unknown_word(top.at("State"), tuple(_KINDS))
    kind = _KINDS[state]
    details = top.section_or_empty("ProblemDetailsJSONv2")
    problem = top.identifier_or_none("PID") or details.identifier_or_none("problemId")
    if problem is None:
        raise missing(top.at("PID"))
    graded = _grade(top, details, message)
    alert = Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=kind,
        alert_key=content_hash(message.feed, problem),
        source_episode_id=problem,
        name=title or problem,
        summary=first_line(top.text_or_none("ImpactedEntity") or "") or title,
        description=top.text_or_none("ProblemDetailsText") or "",
        severity=graded.severity,
        severity_native=graded.native,
        severity_default_reason=graded.default_reason,
        event_at_ms=_time_or_none(details, "startTime"),
        ended_at_ms=None if kind == Kind.FIRING else _time_or_none(details, "endTime"),
        labels=_labels(top, details),
    )
    put_link(alert.links, "source", top.text_or_none("ProblemURL"))
    return [alert]


def _grade(top: Fields, details: Fields, message: RawMessage) -> Graded:
    native = top.text_or_none("ProblemSeverity") or details.text_or_none("severityLevel")
    if native is not None and native.lower() == _CUSTOM:
        options = message.options or Options()
        return Graded(options.custom_alert_severity, native, "a custom alert says nothing of its severity")
    return grade(native, _WORDS, "ProblemSeverity")


def _time_or_none(details: Fields, name: str) -> int | None:
    return None if details.values.get(name) == _NOT_YET else details.epoch_or_none(name, per_second=1_000)


def _labels(top: Fields, details: Fields) -> dict[str, str]:
    zones = [name for zone in details.sections("managementZones") if (name := zone.text_or_none("name"))]
    return {
        **tag_labels(_tags(top.text_or_none("Tags") or "")),
        **first_and_all("component", _entity_names(top, details)),
        **known(
            {
                "problem": top.identifier_or_none("ProblemID") or details.text_or_none("displayId"),
                "impact": top.text_or_none("ProblemImpact") or details.text_or_none("impactLevel"),
                "root_cause": details.section_or_empty("rootCauseEntity").text_or_none("name"),
                "management_zone": ", ".join(zones),
            }
        ),
    }


def _entity_names(top: Fields, details: Fields) -> list[str]:
    """Names of what is affected: as the notification lists them, else as the problem's details do."""
    affected = top.sections("ImpactedEntities") if top.has("ImpactedEntities") else details.sections("affectedEntities")
    return [name for each in affected if (name := each.text_or_none("name"))]


def _tags(text: str) -> Iterator[str]:
    """Tags of a list with commas, without where they come from."""
    return (_TAG_CONTEXT.sub("", tag) for tag in listed(text))

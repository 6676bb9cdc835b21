"""Coverage: what the alerts of each feed find in the catalogue, told from recorded messages.

The messages go through ingest itself, so what is counted is what would happen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from pipeline.catalog.lint_context import Context, Finding
from pipeline.catalog.problems import Place
from pipeline.core.alerts.enrich import DIMENSION_LABELS, REFERENCE_LABELS, RESOURCE_LABELS, SERVICE_LABELS
from pipeline.core.alerts.ingest import ALERTS_TOPIC
from pipeline.core.names import HOST_LABELS, PLACE_LABELS
from pipeline.core.step import Effects, Processor, StreamRecord
from pipeline.flow import RAW_TOPIC_PREFIX
from pipeline.models.alert import Kind, alert_from_wire
from pipeline.models.decision import Reason

NAMING_LABELS: Final = frozenset(
    (*REFERENCE_LABELS, *SERVICE_LABELS, *DIMENSION_LABELS, *HOST_LABELS, *RESOURCE_LABELS, *PLACE_LABELS, "pod")
)
"""Labels whose values are looked up in the catalogue."""

COVERED_SHARE_MIN: Final = 0.5  # below this, more alerts are lost to the catalogue than found
VALUES_SHOWN_MAX: Final = 10  # of label values that match nothing, the most frequent
VALUE_CHARS_MAX: Final = 80
_SILENT_KINDS: Final = frozenset(
    (Kind.HEARTBEAT, Kind.CONTROL, Kind.OWN)
)  # of the source itself or of ours, not of a service


@dataclass(slots=True)
class Coverage:
    """What the messages of one feed came to.

    Attributes:
        alerts: those that are about something: no heartbeats.
        refused: messages and members that could not be read, by reason.
        matched: alerts that match an entity of the catalogue.
        to_service: those of them that lead to one service.
        matched_by: how they matched.
        unmatched: label and value of alerts that match nothing, where a value names something.
    """

    feed: str
    messages: int = 0
    alerts: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    matched: int = 0
    to_service: int = 0
    matched_by: Counter[str] = field(default_factory=Counter)
    unmatched: Counter[tuple[str, str]] = field(default_factory=Counter)
    services: Counter[str] = field(default_factory=Counter)

    def document(self) -> dict[str, Any]:
        """For machines."""
        return {
            "feed": self.feed,
            "messages": self.messages,
            "alerts": self.alerts,
            "refused": dict(sorted(self.refused.items())),
            "matched": self.matched,
            "to_service": self.to_service,
            "matched_by": dict(self.matched_by.most_common()),
            "unmatched": [
                {"label": label, "value": value, "alerts": number}
                for (label, value), number in self.unmatched.most_common(VALUES_SHOWN_MAX)
            ],
        }


def cover(ingest: Processor, records: Iterable[StreamRecord]) -> list[Coverage]:
    """What the raw records come to, by feed, in the order in which feeds appear. Other records are passed over."""
    found: dict[str, Coverage] = {}
    for record in records:
        if not record.topic.startswith(RAW_TOPIC_PREFIX):
            continue
        name = record.topic.removeprefix(RAW_TOPIC_PREFIX)
        coverage = found.setdefault(name, Coverage(name))
        coverage.messages += 1
        effects = Effects()
        ingest.handle_one(record, effects)
        coverage.refused.update(decision.reason.value for decision in effects.decisions)
        for output in effects.outputs:
            if output.topic == ALERTS_TOPIC and output.value is not None:
                _count(coverage, output.value)
    return list(found.values())


def _count(coverage: Coverage, value: bytes) -> None:
    alert = alert_from_wire(orjson.loads(value))
    if alert.kind in _SILENT_KINDS:
        return
    coverage.alerts += 1
    if alert.entity is None:
        pairs = ((label, alert.labels[label][:VALUE_CHARS_MAX]) for label in alert.labels if label in NAMING_LABELS)
        coverage.unmatched.update(pairs)
        return
    coverage.matched += 1
    coverage.matched_by[alert.matched_by or "unknown"] += 1
    coverage.services[alert.entity] += 1
    if alert.service is not None:
        coverage.to_service += 1


def check_coverage(context: Context, coverage: Sequence[Coverage], *, of_all_feeds: bool = True) -> Iterator[Finding]:
    """Rules about what the alerts of each feed came to; that one has none counts only where all were looked at."""
    sources = context.opened.packs.sources
    seen = {each.feed: each for each in coverage}
    for each in coverage:
        source = sources.get(("feed", each.feed))
        place = source.at() if source else Place("feeds.yaml", 1)
        yield from _check_feed(each, place)
    for name in context.config.feeds if of_all_feeds else ():
        if name not in seen:
            message = f"feed '{name}' has no message among those that were given"
            yield Finding("feed-silent", sources["feed", name].at(), message)


def _check_feed(each: Coverage, place: Place) -> Iterator[Finding]:
    if each.refused[Reason.UNKNOWN_FEED]:
        message = f"no feed reads {RAW_TOPIC_PREFIX}{each.feed} ({_messages(each)}): name it in feeds.yaml"
        yield Finding("topic-without-feed", place, message)
        return
    if each.refused:
        reasons = ", ".join(f"{number} {reason}" for reason, number in each.refused.most_common())
        yield Finding("feed-refused", place, f"feed '{each.feed}': not readable are {reasons} of {_messages(each)}")
    if not each.alerts:
        return
    share = each.matched / each.alerts
    words = f"feed '{each.feed}': {each.matched} of {each.alerts} alerts match the catalogue{_nearest(each)}"
    if not each.matched:
        yield Finding("feed-uncovered", place, words)
    elif share < COVERED_SHARE_MIN:
        yield Finding("feed-coverage", place, words)


def _messages(each: Coverage) -> str:
    return f"{each.messages} message{'' if each.messages == 1 else 's'}"


def _nearest(each: Coverage) -> str:
    """The label that most of what matches nothing has, for the message; its values are in the table."""
    labels = Counter[str]()
    for (label, _), number in each.unmatched.items():
        labels[label] += number
    return f"; most of the rest name something by {labels.most_common(1)[0][0]}" if labels else ""

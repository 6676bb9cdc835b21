"""What a member of an incident still says of its alert, where the alert itself is not kept.

So that a silence or a rule of inhibition that comes later finds what is in an incident already by the facts that it
would have found it by before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipeline.models.alert import Alert, Kind
from pipeline.models.episode import EpisodeChange, EpisodeEvent
from pipeline.models.member import Member

UNLISTED: Final = "unlisted:"
"""Beginning of the name of what no catalogue lists; see `pipeline.core.clustering.assessor.unlisted`."""

LABELS_KEPT_CHARS_MAX: Final = 1_024
"""Of the labels of one member, names and values: some thirty labels. Bounds its record, of which a storm has thousands;
of more labels the first are kept, as the source orders them."""


def labels_kept(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels that a member keeps of its alert."""
    kept: dict[str, str] = {}
    left = LABELS_KEPT_CHARS_MAX
    for name, value in labels.items():
        left -= len(name) + len(value)
        if left < 0:
            break
        kept[name] = value
    return kept


def alert_of(member: Member, space: str) -> Alert:
    """The alert of a member as far as it is known: its description and links are not."""
    entity = member.entity
    return Alert(
        feed=member.feed,
        feed_class=member.feed_class,
        kind=Kind.FIRING,
        alert_key=member.alert_key,
        name=member.name,
        summary=member.summary,
        severity=member.severity,
        labels=member.labels,
        space=space,
        entity=None if entity is None or entity.startswith(UNLISTED) else entity,
        service=member.service,
        host=member.host,
        domain=member.domain,
        mentions=member.mentions,
    )


def event_of(member: Member, space: str) -> EpisodeEvent:
    """The beginning of a member's episode, as far as it is known."""
    return EpisodeEvent(
        episode_id=member.episode_id,
        alert_key=member.alert_key,
        space=space,
        change=EpisodeChange.OPENED,
        reason="",
        at_ms=member.opened_at_ms,
        repeats=0,
        alert=alert_of(member, space),
        counted=False,
    )

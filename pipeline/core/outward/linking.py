"""Links: the record there hangs on the incident, with its state beside those of its other records.

A link is asked for when the record is first known, when it ends or comes back, and when people there change its state;
not whenever we write it. What comes of our own link is no news for the sink whose record it names: no link is asked for
because of a link.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipeline.core.draft import MACHINE
from pipeline.core.outward.asking import own_link
from pipeline.core.outward.outbox import Outbox
from pipeline.core.outward.ownership import wanted
from pipeline.models.command import Command, Link
from pipeline.models.remote import ADDRESS_CHARACTERS_MAX, ENDED, Remote
from pipeline.models.sinks import SinkRules

LINKS_TOLD_MAX: Final = 50
"""News of one record that its incident is told: whose state changes more often is looked up there."""

_CANNOT_LINK: Final = ("", "closed", "cancelled")


def link_news(rules: SinkRules, outbox: Outbox, *, theirs: bool) -> Command | None:
    """The link that brings the incident up to date; None: it is. ``theirs``: they have changed its state."""
    remote, sides = outbox.remote, outbox.sides
    if rules.LINK_KIND is None or remote is None or sides.state in _CANNOT_LINK or sides.links_told >= LINKS_TOLD_MAX:
        return None
    state = str(remote.state)
    matters = theirs or remote.ended or sides.linked in ENDED
    if sides.linked is not None and not (matters and state != sides.linked and not _moves_on(rules, outbox)):
        return None
    sides.linked, sides.links_told = state, sides.links_told + 1
    url = remote.url if remote.url and len(remote.url) <= ADDRESS_CHARACTERS_MAX else None
    link = Link(kind=rules.LINK_KIND, id=_key(remote), url=url, state=state)
    return own_link(outbox.sink, outbox.incident_id, link, sides.links_told)


def _moves_on(rules: SinkRules, outbox: Outbox) -> bool:
    """Whether the state there is one that we are about to change.

    Told now, it would be so no longer, and a machine there that changes it back each time would be answered each time.
    """
    return "state" in wanted(rules, outbox.remote, outbox.sides, outbox.sides.desired.get("state"))


def is_own_link(entry: Mapping[str, Any], rules: SinkRules, remote: Remote | None) -> bool:
    """Whether an entry of the timeline is about our link to this record."""
    if remote is None or entry.get("action") != "link" or entry.get("actor") != MACHINE:
        return False
    return str(entry.get("text", "")).startswith(f"linked {rules.LINK_KIND} {_key(remote)}")


def _key(remote: Remote) -> str:
    return (remote.key or remote.id)[:256]

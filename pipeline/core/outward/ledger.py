"""The ledger: for each outbox one line that says what is open there, and whether anything will ever close it."""

from __future__ import annotations

from typing import Final

from pipeline.core.outward.outbox import Outbox
from pipeline.core.outward.ownership import owner_of
from pipeline.models.ledger import LedgerEntry, OrphanReason
from pipeline.models.remote import RemoteState
from pipeline.models.sinks import SINK_TYPES, SinkRules

_TYPES: Final = {model: name for name, model in SINK_TYPES.items()}


def ledger_entry(outbox: Outbox, rules: SinkRules | None) -> LedgerEntry:
    """What the ledger says of an outbox. ``rules``: of its sink; None: it is configured no longer."""
    remote, reason = outbox.remote, orphaned(outbox, rules)
    return LedgerEntry(
        sink=outbox.sink,
        type=_TYPES[type(rules)] if rules is not None else "",
        incident_id=outbox.incident_id,
        incident_state=outbox.sides.state,
        remote_id=remote.id if remote is not None else "",
        remote_key=remote.key if remote is not None else "",
        remote_url=remote.url if remote is not None else "",
        remote_state=str(remote.state) if remote is not None else "",
        remote_fields=remote.fields if remote is not None else {},
        remote_extra=remote.extra if remote is not None else {},
        waiting=len(outbox.queue),
        waiting_since_ms=outbox.queue[0].at_ms if outbox.queue else None,
        parked=outbox.parked_waiting,
        contested=sorted(outbox.sides.contested),
        last=outbox.last,
        orphan=reason is not None,
        reason=reason or "",
    )


def orphaned(outbox: Outbox, rules: SinkRules | None) -> OrphanReason | None:  # noqa: PLR0911  # a table in prose
    """Why the incident and its record there do not end together; None: they do, or what is under way ends them."""
    if not outbox.final:
        gone = outbox.remote is not None and outbox.remote.state == RemoteState.GONE
        return OrphanReason.GONE if gone else None
    if outbox.done:
        return None
    if rules is None:
        known = outbox.remote is not None or outbox.may_exist
        return OrphanReason.SINK_REMOVED if known else None
    if not rules.enabled:
        return OrphanReason.SINK_DISABLED
    if outbox.queue:
        return None
    if outbox.stuck:
        return OrphanReason.PARKED
    if outbox.remote is None:
        return OrphanReason.MAY_EXIST
    if "state" in outbox.sides.contested:
        return OrphanReason.CONTESTED
    return OrphanReason.STATE_IS_THEIRS if owner_of(rules, "state") == "theirs" else OrphanReason.NOT_CLOSED

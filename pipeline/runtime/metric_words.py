"""Words that label the worker's series, and those of them that start at zero.

A rate needs the zero before the first event. All combinations of the enums would be hundreds of series that never move,
so what is expected is listed; what is missing here is still counted, from its first event on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pipeline.models.decision import Disposition, Reason
from pipeline.models.delivery import UpdateReason

UNSAID: Final = "unsaid"
"""Label of a dead letter whose headers give no reason of ours."""

OTHER_FEED: Final = "other"
"""Label of what came on a topic that no configured feed has."""

PRIORITIES: Final = ("P1", "P2", "P3", "P4")
SUPPRESSING: Final = (Reason.MAINTENANCE, Reason.SILENCED, Reason.INHIBITED)

NO_SINK: Final = "none"
"""Label of what came from a sink that is not configured, and of what concerns all."""

UNNAMED: Final = frozenset({UpdateReason.UNKNOWN_SINK, UpdateReason.RETRIED, UpdateReason.NOTHING_TO_RETRY})

DEAD_LETTER_REASONS: Final = (
    Reason.EMPTY,
    Reason.TOO_LARGE,
    Reason.BROKEN_JSON,
    Reason.WRONG_TYPE,
    Reason.MISSING_FIELD,
    Reason.UNKNOWN_FEED,
    Reason.UNKNOWN_SHAPE,
    Reason.UNKNOWN_SCHEMA,
    Reason.UNKNOWN_TARGET,
    Reason.NOT_PERMITTED,
    Reason.QUARANTINED,
)

ALERTS_DECIDED: Final[Mapping[str, Mapping[Disposition, Sequence[Reason]]]] = {
    "ingest": {Disposition.DEAD_LETTERED: DEAD_LETTER_REASONS},
    "dedupe": {
        Disposition.REPEATED: (
            Reason.STILL_FIRING,
            Reason.DUPLICATE_DELIVERY,
            Reason.OUT_OF_ORDER,
            Reason.RESOLVED_WITHOUT_FIRING,
        ),
        Disposition.SUPPRESSED: (Reason.MAINTENANCE, Reason.FLAPPING),
        Disposition.CONTROL: (
            Reason.HEARTBEAT,
            Reason.MAINTENANCE_NOTICE,
            Reason.SOURCE_CONTROL,
            Reason.OWN_RECORD,
            Reason.ACKNOWLEDGED_AT_SOURCE,
        ),
        Disposition.DEAD_LETTERED: (Reason.EMPTY, Reason.UNKNOWN_SCHEMA),
    },
    "correlate": {
        Disposition.OPENED: (Reason.FIRST_SYMPTOM, Reason.RULE_NEVER, Reason.RULE_MIN_COUNT),
        Disposition.JOINED: (
            Reason.SAME_CONDITION,
            Reason.SAME_ENTITY,
            Reason.DEPENDENCY,
            Reason.BUSINESS_TERMS,
            Reason.SHARED_HOSTING,
            Reason.SIMILAR_TEXT,
            Reason.COMBINED_EVIDENCE,
            Reason.RULE_JOIN,
            Reason.EPISODE_UPDATED,
            Reason.EPISODE_RESOLVED,
            Reason.FLAPPING,
        ),
        Disposition.SUPPRESSED: (Reason.MAINTENANCE, Reason.FLAPPING),
        Disposition.HELD: (Reason.TRANSIENT, Reason.RULE_MIN_COUNT),
        Disposition.CONTROL: (Reason.INCIDENT_GONE,),
        Disposition.DEAD_LETTERED: (Reason.UNKNOWN_SCHEMA,),
    },
}
"""Stage -> disposition -> reasons that start at zero."""

COMMITTED: Final = "committed"
SKIPPED: Final = "skipped"
FAILED: Final = "failed"
OUTCOMES: Final = (COMMITTED, SKIPPED, FAILED)
"""What becomes of a batch. A failed one ends the process: a scrape may miss it, the log line does not."""

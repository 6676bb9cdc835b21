"""Summaries of incidents as the stages that read them take them: a record of ``incidents.summaries``, or a refusal."""

from __future__ import annotations

import orjson

from pipeline.core.step import Record
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.summary import Summary, summary_from_wire


def read_summary(record: Record) -> Summary:
    """The summary that a record holds.

    Raises:
        BadRecord: it is none that this release reads.
    """
    try:
        return summary_from_wire(orjson.loads(record.value or b""))
    except (ValueError, TypeError) as error:
        raise BadRecord(Reason.UNKNOWN_SCHEMA, f"not a summary that this release reads ({error})") from error

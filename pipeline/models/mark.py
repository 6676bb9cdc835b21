"""Our mark: what a record in another system bears that Spillway made there, so that it is known wherever it turns up.

The mark is the incident's id, where the other system has a place for the ids of others: ``correlation_id`` in
ServiceNow, ``sourceID`` in Xurrent, ``external_id`` in Zendesk, the key of deduplication in PagerDuty. Jira has labels.
"""

from __future__ import annotations

import re
from typing import Final

PRODUCT: Final = "Spillway"
"""Name of the source, where the other system asks for one: ``correlation_display``, ``source``."""

LABEL_PREFIX: Final = "inc-"

# Ids of incidents and of bridge incidents (`core.identity.short_id`); behind it may stand how often it was reopened.
_MARK: Final = re.compile(
    r"(?:inc-|spillway-)?((?:INC|MI)-[A-Z2-7]{12})(?:[^A-Za-z0-9].{0,100})?", re.ASCII | re.IGNORECASE
)


def label_of(incident_id: str) -> str:
    """The label of an incident's record, where the other system has labels and no other place."""
    return f"{LABEL_PREFIX}{incident_id}"


def marked_id(text: str | None) -> str | None:
    """The id of the incident that a mark names; None where it is none of ours.

    Systems that fold the case of labels change nothing: ids are in capitals.
    """
    found = _MARK.fullmatch(text.strip()) if text else None
    return found[1].upper() if found else None

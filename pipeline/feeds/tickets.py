"""What service-desk feeds share: every ticket is one condition, and who reported stays opaque."""

from __future__ import annotations

from typing import Final

from pipeline.core.identity import content_hash

TICKET_NAME: Final = "ticket"
"""Name of every ticket's condition: people word one failure in a hundred ways, so the subject is no name."""

# 64 bits tell the users of any company apart; the hash is there to count people, not to hide them.
_REPORTER_DIGITS: Final = 16


def reporter_id(feed: str, person: str | None) -> str | None:
    """An opaque id for a person of a desk, equal in all of their tickets; None where nobody is named."""
    return content_hash(feed, "reporter", person)[:_REPORTER_DIGITS] if person else None

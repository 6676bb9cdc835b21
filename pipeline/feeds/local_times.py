"""Times that a source writes in its local time: they count only where the feed says in which zone.

Without a zone, in the hour that a change to winter time repeats and in the one that summer time skips, such a
time names no moment: adding a guess would invent a fact.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator

from pipeline.feeds.times import iso_ms


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # OSError: a folder of the time zone database, as "America"
        raise ValueError("not a time zone; write it as Europe/Berlin or UTC") from error
    return name


ZoneName = Annotated[str, AfterValidator(_known_zone)]
"""Option of a feed: name of a time zone, as ``Europe/Berlin``."""


def local_ms(text: str, zone: str | None) -> int | None:
    """Epoch milliseconds of an ISO 8601 time; one without a zone of its own is in ``zone``.

    Returns:
        None where the time names no moment: no zone, or an hour that comes twice or not at all.

    Raises:
        ValueError: not an ISO 8601 time, or outside the years 1970 to 9999.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        return iso_ms(text)
    if zone is None:
        return None
    early = moment.replace(tzinfo=ZoneInfo(zone), fold=0)
    late = early.replace(fold=1)
    if early.utcoffset() != late.utcoffset():
        return None
    return iso_ms(early.isoformat())

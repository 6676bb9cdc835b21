"""How long a failed attempt waits, and when a delivery is given up."""

from __future__ import annotations

from typing import Final

from pipeline.core.identity import content_hash
from pipeline.models.delivery import ParkReason

BACKOFF_FIRST_SECONDS: Final = 2  # a restart of the sink's process is over by the second or third attempt
BACKOFF_SECONDS_MAX: Final = 900  # once an outage is long, four attempts an hour are enough to notice its end
# A sink may ask for patience, but not for ever: rate limits are of minutes, daily quotas of hours.
RETRY_AFTER_SECONDS_MAX: Final = 6 * 3_600
# A sink that is down for a night is repaired in the morning; after a day its news is history.
RETRY_HOURS_MAX: Final = 24
# A sink that is down is left alone meanwhile, which uses nothing up: a delivery is given up only after it was tried.
RETRY_ATTEMPTS_MIN: Final = 10
# A day of backing off takes 105 attempts; more than that means the sink names tiny waits.
RETRY_ATTEMPTS_MAX: Final = 120

_HOUR_MS: Final = 3_600_000


def used_up(attempt: int, failing_since_ms: int, now_ms: int) -> ParkReason | None:
    """Which budget a delivery has used up with this attempt; None: none."""
    if attempt >= RETRY_ATTEMPTS_MAX:
        return ParkReason.ATTEMPTS_USED_UP
    if attempt >= RETRY_ATTEMPTS_MIN and now_ms - failing_since_ms >= RETRY_HOURS_MAX * _HOUR_MS:
        return ParkReason.HOURS_USED_UP
    return None


def wait_ms(delivery: str, attempt: int, retry_after_seconds: int | None) -> int:
    """Wait before the next attempt: as long as the sink asks for, within reason, and at least the back-off."""
    asked_ms = min(retry_after_seconds or 0, RETRY_AFTER_SECONDS_MAX) * 1_000
    return max(asked_ms, backoff_ms(delivery, attempt))


def backoff_ms(delivery: str, attempt: int) -> int:
    """Wait after a failed attempt: doubling, then shortened by up to a half, by a hash instead of by chance.

    So that outboxes which failed together do not come back together, and replay still gives the same.
    """
    doublings = min(attempt - 1, 16)
    whole_ms = min(BACKOFF_FIRST_SECONDS << doublings, BACKOFF_SECONDS_MAX) * 1_000
    spread = int(content_hash(delivery, str(attempt))[:8], 16)
    return whole_ms // 2 + whole_ms // 2 * spread // 0xFFFF_FFFF

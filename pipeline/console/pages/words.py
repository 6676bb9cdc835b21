"""Values in words, for templates: ``{{ incident.state | words }}``, ``{{ seconds | span }}``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from pipeline.sinks.wording import name_of, words_of


def moment(value: Any) -> str:
    """Epoch milliseconds, or a moment, as people read it: UTC, to the second."""
    if isinstance(value, int | float):
        value = datetime.fromtimestamp(value / 1_000, UTC)
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if isinstance(value, datetime) else ""


def machine_moment(value: Any) -> str:
    """The same as RFC 3339, for the ``datetime`` of a ``<time>``."""
    if isinstance(value, int | float):
        value = datetime.fromtimestamp(value / 1_000, UTC)
    return value.astimezone(UTC).isoformat(timespec="milliseconds") if isinstance(value, datetime) else ""


def span(seconds: Any) -> str:
    """A duration in the unit that people would say it in."""
    if not isinstance(seconds, int | float):
        return ""
    if abs(seconds) < 120:
        return f"{seconds:.0f} s"
    if abs(seconds) < 7_200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h" if abs(seconds) < 172_800 else f"{seconds / 86_400:.0f} days"


def epoch_ms(value: Any) -> int | None:
    """Epoch milliseconds of a moment, or as they are; None: it is none."""
    if isinstance(value, datetime):
        return int(value.timestamp() * 1_000)
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def ago(at_ms: int, now_ms: int) -> str:
    """How long ago, or in what time, as people say it; the console's script says it alike."""
    seconds = (now_ms - at_ms) / 1_000
    if abs(seconds) < NOW_SECONDS:
        return "now"
    return f"{span(seconds)} ago" if seconds > 0 else f"in {span(-seconds)}"


def countdown(due_ms: int, now_ms: int) -> str:
    """What a clock has left, to the second below a day: ``12:05``, ``3:12:05 over``."""
    left = (due_ms - now_ms) // 1_000
    seconds = abs(left)
    if seconds >= DAY_SECONDS:
        words = f"{seconds // DAY_SECONDS} d {seconds % DAY_SECONDS // 3_600} h"
    elif seconds >= 3_600:
        words = f"{seconds // 3_600}:{seconds % 3_600 // 60:02}:{seconds % 60:02}"
    else:
        words = f"{seconds // 60}:{seconds % 60:02}"
    return words if left >= 0 else f"{words} over"


def state_words(state: Any) -> str:
    """A state of an incident in words."""
    return STATES.get(str(state), (words_of(state), ""))[0]


def state_tone(state: Any) -> str:
    """What a state is to whoever looks for work: ``new``, ``work``, ``wait``, ``done`` or ``over``."""
    return STATES.get(str(state), ("", "work"))[1]


def clock(value: Any) -> str:
    """The day and time of a line, short: the year stands elsewhere."""
    return value.astimezone(UTC).strftime("%m-%d %H:%M:%S") if isinstance(value, datetime) else ""


def sentence(value: Any) -> str:
    """Words that begin a line: with a capital letter."""
    said = str(value or "")
    return said[:1].upper() + said[1:]


def safe_url(value: Any) -> str:
    """An address from outside, if it is one that a link may lead to; a script in it leads nowhere."""
    return value if isinstance(value, str) and value.lower().startswith(("https://", "http://")) else "#"


NOW_SECONDS: Final = 3
"""What is nearer is now."""

DAY_SECONDS: Final = 86_400

STATES: Final = {
    "detected": ("detected", "new"),
    "logged": ("new", "new"),
    "reopened": ("reopened", "new"),
    "escalated": ("escalated", "new"),
    "acknowledged": ("acknowledged", "work"),
    "in_progress": ("in progress", "work"),
    "waiting_customer": ("waits for the customer", "wait"),
    "waiting_vendor": ("waits for the vendor", "wait"),
    "waiting_provider": ("waits for the provider", "wait"),
    "mitigated": ("mitigated", "done"),
    "resolved": ("resolved", "done"),
    "closed": ("closed", "over"),
    "merged": ("merged", "over"),
    "cancelled": ("cancelled", "over"),
}
"""State -> in words, and its tone."""

FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "moment": moment,
    "machine_moment": machine_moment,
    "span": span,
    "epoch_ms": epoch_ms,
    "ago": ago,
    "countdown": countdown,
    "clock": clock,
    "safe_url": safe_url,
    "sentence": sentence,
    "state_words": state_words,
    "state_tone": state_tone,
    "words": words_of,
    "name": name_of,
}

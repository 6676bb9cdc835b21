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


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "moment": moment,
    "machine_moment": machine_moment,
    "span": span,
    "words": words_of,
    "name": name_of,
}

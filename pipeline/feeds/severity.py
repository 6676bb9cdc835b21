"""Severity words of each source, to our scale. A word that the table does not know says so, with why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from pipeline.models.alert import Severity

_CRITICAL, _ERROR, _WARNING, _INFO = Severity.CRITICAL, Severity.ERROR, Severity.WARNING, Severity.INFO

# Words that teams put in a Prometheus `severity` label; also what people write into alarm descriptions.
LABEL_WORDS: Final[Mapping[str, Severity]] = {
    "critical": _CRITICAL, "crit": _CRITICAL, "page": _CRITICAL, "p1": _CRITICAL, "emergency": _CRITICAL,
    "disaster": _CRITICAL, "fatal": _CRITICAL,
    "error": _ERROR, "err": _ERROR, "high": _ERROR, "major": _ERROR, "p2": _ERROR,
    "warning": _WARNING, "warn": _WARNING, "medium": _WARNING, "minor": _WARNING,
    "average": _WARNING, "p3": _WARNING,
    "info": _INFO, "information": _INFO, "informational": _INFO, "notice": _INFO, "low": _INFO, "none": _INFO,
    "p4": _INFO, "p5": _INFO,
}  # fmt: skip

ZABBIX_LEVELS: Final[tuple[tuple[str, Severity], ...]] = (
    ("not classified", _INFO),
    ("information", _INFO),
    ("warning", _WARNING),
    ("average", _WARNING),
    ("high", _ERROR),
    ("disaster", _CRITICAL),
)

AZURE_WORDS: Final[Mapping[str, Severity]] = {
    "sev0": _CRITICAL, "sev1": _ERROR, "sev2": _WARNING, "sev3": _INFO, "sev4": _INFO,
}  # fmt: skip

STATUSPAGE_COMPONENT_WORDS: Final[Mapping[str, Severity]] = {
    "major_outage": _CRITICAL, "partial_outage": _ERROR, "degraded_performance": _WARNING,
    "under_maintenance": _INFO, "operational": _INFO,
}  # fmt: skip

STATUSPAGE_IMPACT_WORDS: Final[Mapping[str, Severity]] = {
    "critical": _CRITICAL, "major": _ERROR, "minor": _WARNING, "none": _INFO, "maintenance": _INFO,
}  # fmt: skip

PAGERDUTY_WORDS: Final[Mapping[str, Severity]] = {
    "critical": _CRITICAL, "error": _ERROR, "warning": _WARNING, "info": _INFO,
}  # fmt: skip

# What one person reports is weak evidence of severity; these tables only carry it over.
JIRA_PRIORITY_WORDS: Final[Mapping[str, Severity]] = {
    "highest": _CRITICAL, "blocker": _CRITICAL, "critical": _CRITICAL,
    "high": _ERROR, "major": _ERROR,
    "medium": _WARNING,
    "low": _INFO, "lowest": _INFO, "minor": _INFO, "trivial": _INFO,
}  # fmt: skip

XURRENT_IMPACT_WORDS: Final[Mapping[str, Severity]] = {
    "top": _CRITICAL, "high": _ERROR, "medium": _WARNING, "low": _INFO,
}  # fmt: skip


class Graded(NamedTuple):
    """A severity: ours, the source's word, and why a default was used, where one was."""

    severity: Severity
    native: str | None
    default_reason: str | None


def grade(
    native: str | None, words: Mapping[str, Severity], where: str, default: Severity = Severity.UNKNOWN
) -> Graded:
    """Translate a source's word.

    Args:
        native: the word, or None where the source has none.
        words: the source's table, lower case.
        where: what should have said it, for the reason: ``label severity``.
        default: used where there is no word, or one that the table does not know.
    """
    if not native:
        return Graded(default, None, f"{where} is absent")
    found = words.get(native) or words.get(native.strip().lower())
    if found is None:
        return Graded(default, native, f"{where} is not a word that we know")
    return Graded(found, native, None)

"""The row of an incident, from its snapshot: what lists, boards and the search go by stands in columns.

A snapshot may be of any release, or damaged: what is not of its type is None, and the snapshot keeps the original.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from pipeline.core.outward.incident_event import IncidentEvent
from pipeline.records.lexemes import lexemes_of
from pipeline.records.values import moment_of, number_of, text_of

_TEXTS: Final = (
    "kind",
    "space",
    "state",
    "title",
    "priority",
    "urgency",
    "impact",
    "category",
    "domain",
    "service",
    "owner",
    "assignee",
    "bridge_id",
    "merged_into",
    "severity",
    "hosting_model",
    "infrastructure_layer",
    "commander",
    "status",
)
_NUMBERS: Final = (
    "users_affected",
    "revenue_per_minute",
    "alerts_total",
    "episodes_total",
    "episodes_open",
    "reopened",
)
_TIMES: Final = ("opened", "acknowledged", "resolved", "closed", "updated", "detected", "mitigated")

# Of what the index `incidents_counted` holds, which takes entries of 2,704 bytes: far more than any of them has.
_BYTES_MAX: Final = {"kind": 64, "state": 64, "priority": 64, "assignee": 300, "domain": 200}
_DOMAINS_BYTES_MAX: Final = 1_500

# A tsvector holds 1 MiB: what is longer is searched by its beginning.
SEARCHED_CHARACTERS_MAX: Final = 100_000


def incident_row(row: IncidentEvent) -> dict[str, Any]:
    """Columns of `pipeline.records.tables.INCIDENTS`, but ``notes_text``, which several revisions make."""
    incident = row.incident
    texts = {name: _short(text_of(incident.get(name)), _BYTES_MAX.get(name)) for name in _TEXTS}
    numbers = {name: number_of(incident.get(name)) for name in _NUMBERS}
    times = {f"{name}_at": moment_of(incident.get(f"{name}_at_ms")) for name in _TIMES}
    rank = incident.get("priority_rank")
    due_ms, breached = _clocks(incident.get("clocks"))
    domains = {each for each in (texts["domain"], *_words(incident.get("domains"))) if each}
    if sum(len(each.encode(errors="replace")) + 8 for each in domains) > _DOMAINS_BYTES_MAX:
        domains = {texts["domain"] or ""} - {""}  # damaged: nobody has so many
    return {
        "id": row.incident_id,
        "revision": row.revision,
        "snapshot": incident,
        **texts,
        **numbers,
        **times,
        "priority_rank": rank if type(rank) is int and abs(rank) < 1_000 else None,  # true is no rank
        "state_since_at": moment_of(incident.get("state_since_ms")),
        "due_at": moment_of(due_ms),
        "breached": breached,
        "domains": sorted(domains),
        "services": sorted(set(_words(incident.get("services")))),
        "lexemes": lexemes_of(incident),
        "symptoms_text": _searched(_words(incident.get("symptoms"))),
        "resolution_text": _searched(_resolution(incident)),
    }


def _short(value: str | None, bytes_max: int | None) -> str | None:
    if value is None or bytes_max is None or len(value) * 4 <= bytes_max:
        return value
    return value.encode(errors="replace")[:bytes_max].decode(errors="ignore")


def _clocks(clocks: Any) -> tuple[int | None, bool]:
    """When the next clock that runs is due, and whether one that is not met has missed its target."""
    each_of = [each for each in clocks.values() if isinstance(each, dict)] if isinstance(clocks, dict) else []
    open_ones = [each for each in each_of if each.get("met_at_ms") is None]
    due = [each["due_at_ms"] for each in open_ones if isinstance(each.get("due_at_ms"), int)]
    return min(due, default=None), any(each.get("breached_at_ms") is not None for each in open_ones)


def _words(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


# What was done first: excerpts are read from there. Who said it is a fact, and no word.
_TOLD_OF_RESOLUTION: Final = ("summary", "cause", "fix", "workaround", "corrective_action", "code")


def _resolution(incident: dict[str, Any]) -> list[str]:
    resolution = incident.get("resolution")
    told = resolution if isinstance(resolution, dict) else {}
    return [*_words([told.get(name) for name in _TOLD_OF_RESOLUTION]), *_words([incident.get("workaround")])]


def _searched(parts: Iterable[str]) -> str:
    return "\n".join(parts)[:SEARCHED_CHARACTERS_MAX]

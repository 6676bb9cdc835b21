"""A million incidents of two years, made up by number: rows as the record stage would write them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from benchmarks.console_words import FAILURES, Failure, Vocabulary
from pipeline.core.names import places_of
from pipeline.core.outward.incident_event import IncidentEvent
from pipeline.models.catalog import Entity
from pipeline.models.policy import Config
from pipeline.records.rows import incident_row

SEED: Final = 20_261_130
DAYS: Final = 730
END: Final = datetime(2026, 11, 30, 20, 0, tzinfo=UTC)
"""When the made-up company's newest incident has opened; the console's clock has moved on by minutes."""

HOSTS: Final = 4_000
PEOPLE: Final = 120
PRIORITIES: Final = ("P1", "P2", "P3", "P4")
PRIORITY_WEIGHTS: Final = (2, 10, 38, 50)
OPEN_STATES: Final = ("logged", "acknowledged", "in_progress", "escalated", "waiting_vendor", "mitigated")
OLD_OPEN_SHARE: Final = 0.1
"""Of the open ones so many are older than the newest: the long tail that every desk has."""


@dataclass(frozen=True, slots=True)
class Place:
    """A service of the company, and whose it is."""

    entity: Entity
    domain: str


class Incidents:
    """Incidents by number, 0 the oldest; the same number and size make the same incident."""

    def __init__(self, config: Config, total: int, open_total: int) -> None:
        """Prepare the words and places that they are made of."""
        places = places_of(config.catalogue)
        entities = config.catalogue.entities.values()
        found = [Place(each, places[each.ref].domain or "") for each in entities if each.kind == "component"]
        self.places = [each for each in found if each.domain]
        self.vocabulary = Vocabulary(SEED)
        self.total = total
        self._recent_open = int(open_total * (1 - OLD_OPEN_SHARE))
        self._old_open_every = max(1, total // max(1, open_total - self._recent_open))

    def rows(self, first: int, end: int) -> Iterator[dict[str, Any]]:
        """Rows of ``incidents`` for a range of numbers."""
        numbers = random.Random(SEED + first)  # noqa: S311  # made-up data
        for number in range(first, end):
            snapshot = self.snapshot(number, numbers)
            event = IncidentEvent(snapshot["id"], snapshot["revision"], "updated", 0, [], snapshot)
            row = incident_row(event)
            row["notes_text"] = snapshot.pop("notes")
            yield row

    def is_open(self, number: int) -> bool:
        """Whether it is: half of the newest, and a few of all."""
        recent = number >= self.total - 2 * self._recent_open
        return number % 2 == 0 if recent else number % self._old_open_every == 0

    def opened(self, number: int) -> datetime:
        """When it was opened: evenly over the days."""
        return END - timedelta(seconds=(self.total - 1 - number) * (DAYS * 86_400 / self.total))

    def incident_id(self, number: int) -> str:
        """Its id, scattered as real ones are."""
        scattered = (number * 2_654_435_761 + 12_345) % (1 << 32)
        return f"INC-{scattered:08X}{number % 97:02}"

    def snapshot(self, number: int, numbers: random.Random) -> dict[str, Any]:
        """The snapshot, with the words of its ``notes`` beside it."""
        failure, place = (
            numbers.choice(FAILURES),
            self.places[min(numbers.randrange(len(self.places)), numbers.randrange(len(self.places)))],
        )
        host = f"{place.entity.name}-{numbers.randrange(HOSTS):04}"
        symptoms = [_worded(each, place, host) for each in failure.symptoms]
        symptoms += numbers.choices(self.vocabulary.sentences, k=numbers.randint(1, 5))
        opened_ms, is_open = int(self.opened(number).timestamp() * 1_000), self.is_open(number)
        priority = numbers.choices(range(4), PRIORITY_WEIGHTS)[0]
        state = numbers.choice(OPEN_STATES) if is_open else ("resolved" if number > self.total - 20 else "closed")
        facts = {
            "id": self.incident_id(number),
            "space": "production",
            "kind": "incident",
            "state": state,
            "revision": 7,
            "title": f"{place.entity.title}: {symptoms[0]}",
            "priority": PRIORITIES[priority],
            "priority_rank": priority,
            "urgency": "work-stopped",
            "impact": "department",
            "category": failure.category,
            "categories": [failure.category],
            "domain": place.domain,
            "service": place.entity.ref,
            "owner": place.entity.owner,
            "infrastructure_layer": failure.layer,
            "hosting_model": numbers.choice(("cloud", "on_prem", "saas")),
            "severity": numbers.choice(("critical", "error", "warning")),
            "services": [place.entity.ref],
            "entities": [place.entity.ref, f"resource:default/{host}"],
            "symptoms": symptoms,
            "who_is_affected": f"about {numbers.randint(5, 5_000)} users of {place.entity.title}",
            "users_affected": numbers.randint(5, 5_000),
            "assignee": None if numbers.random() < 0.3 else f"person.{numbers.randrange(PEOPLE)}",
            "identified": f"resource:default/{host}" if numbers.random() < 0.5 else None,
            "opened_at_ms": opened_ms,
            "detected_at_ms": opened_ms,
            "logged_at_ms": opened_ms,
            "updated_at_ms": opened_ms + 3_600_000,
            "state_since_ms": opened_ms + 600_000,
            "tickets": [_ticket(number, each, symptoms[0], is_open) for each in range(numbers.randint(0, 3))],
            "alerts_total": numbers.randint(1, 40),
            "episodes_total": 3,
            "episodes_open": int(is_open),
            "reopened": 0,
            "notes": "\n".join(numbers.choices(self.vocabulary.sentences, k=numbers.randint(1, 6))),
        }
        return (
            _BASE
            | facts
            | _clocks(opened_ms, priority, is_open)
            | ({} if is_open else _ended(failure, place, host, opened_ms, numbers))
        )


def _worded(words: str, place: Place, host: str) -> str:
    return words.format(s=place.entity.title, h=host)


def _ticket(number: int, each: int, summary: str, is_open: bool) -> dict[str, Any]:
    ticket = {"id": f"DESK-{number * 3 + each}", "feed": "jira", "state": "open" if is_open else "resolved"}
    return ticket | {"summary": summary, "episode_id": f"EP-{number:09}{each}"}


def _clocks(opened_ms: int, priority: int, is_open: bool) -> dict[str, Any]:
    clocks = {}
    for name, hours in (("response", (1, 2, 8, 24)), ("resolution", (4, 12, 72, 240))):
        due = opened_ms + hours[priority] * 3_600_000
        met = None if is_open and name == "resolution" else opened_ms + 600_000
        clocks[name] = _CLOCK | {
            "due_at_ms": due,
            "met_at_ms": met,
            "started_at_ms": opened_ms,
            "priority": PRIORITIES[priority],
        }
    return {"clocks": clocks, "acknowledged_at_ms": opened_ms + 600_000}


def _ended(failure: Failure, place: Place, host: str, opened_ms: int, numbers: random.Random) -> dict[str, Any]:
    resolved = opened_ms + numbers.randint(600, 90_000) * 1_000
    resolution = {
        "code": failure.code,
        "summary": _worded(failure.fix, place, host),
        "by": f"person.{numbers.randrange(PEOPLE)}",
        "cause": _worded(failure.cause, place, host),
        "fix": _worded(failure.fix, place, host),
        "workaround": None,
        "corrective_action": None,
    }
    return {
        "resolution": resolution,
        "resolved_at_ms": resolved,
        "closed_at_ms": resolved + 3_600_000,
        "updated_at_ms": resolved + 3_600_000,
    }


_CLOCK: Final[dict[str, Any]] = {
    "warn_at_ms": None,
    "breached_at_ms": None,
    "target_ms": 7_200_000,
    "elapsed_ms": 660_000,
    "running_since_ms": None,
    "held_since_ms": None,
    "held_for": "",
    "paused_ms": 0,
    "warned": 0,
    "missed": 0,
    "calendar": "business",
    "because": [],
}

# What every snapshot has and no question looks at: it makes rows as long as they are.
_BASE: Final[dict[str, Any]] = {
    "priority_by": None,
    "priority_because": [
        "impact department: 100 people or more",
        "urgency work-stopped: nobody can work",
        "matrix: P3",
    ],
    "policy_version": "2026.1+afea2a5315f1",
    "config_version": "d4299c5c6398bf654dbfa2024535260f",
    "runbook": "https://runbooks.halden-works.example/default",
    "services_total": 1,
    "entities_total": 2,
    "reporters": 2,
    "revenue_per_minute": 0.0,
    "regulatory": [],
    "resolve_at_ms": None,
    "news_at_ms": None,
    "suspects": [
        {
            "ref": "component:default/mail-routing",
            "score": 3.1,
            "because": ["touches two of them", "changed before the first symptom"],
            "change_id": "CHG-2207",
            "evident": True,
        },
        {
            "ref": "resource:default/rack-1",
            "score": 1.2,
            "because": ["is needed by both"],
            "change_id": None,
            "evident": False,
        },
    ],
    "links": [],
    "bridge_id": None,
    "members": [],
    "merged_into": None,
    "absorbed": [],
    "escalation": {
        "level": 1,
        "started_at_ms": 0,
        "since_ms": 0,
        "next_at_ms": None,
        "called_from": 0,
        "run": 1,
        "repeat": 0,
        "paged": [
            {
                "at_ms": 0,
                "person": "lukas.brandt",
                "rotation": "messaging",
                "target": "oncall",
                "because": "opened",
                "evidence": [],
            }
        ],
        "answered_by": "lukas.brandt",
        "stalls_at_ms": None,
        "share_used": False,
        "route": None,
        "routed": [],
    },
    "engaged": [],
    "cleared": [],
    "cases_owed": [],
    "communications": [],
    "streams": {},
    "duties": [],
    "domains": [],
    "resolution": None,
    "problem_review": None,
    "chronic": None,
    "muted": None,
    "commands": ["cmd-1", "cmd-2"],
    "chain": "f7f381c977962bb9c42b2327811a514b28d25461a4299b2c9fde555394b300b0",
    "time_in": {"detected": 0, "logged": 600_000},
    "last_step_at_ms": {"log": 0},
    "waiting": [],
    "waiting_for": None,
    "mitigated_at_ms": None,
    "workaround": None,
    "known_errors": [],
    "corrective_actions": [],
    "settle_at_ms": None,
    "sites": [],
    "commander": None,
    "status": "",
    "major": None,
    "member_states": {},
    "linked": [],
    "parted": [],
    "declared": None,
    "corrected": None,
    "schema": 1,
}

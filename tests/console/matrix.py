"""Who may ask what: every route of the console, and what each role gets from it.

A route that is not in `MATRIX` fails a test. The thing that routes are about is of the domain `OWN`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from pipeline.console import api, pages
from pipeline.console.app import API_PREFIX, routers
from pipeline.models.command import Role

OWN: Final = "workplace"
OTHER: Final = "retail"

INCIDENT: Final = "INC-A6HDPL2MC77R"
"""Of the stories, of `OWN`, and open."""
PROBLEM: Final = "PRB-FK4IPESNVN7U"
SERVICE: Final = "component:default/corporate-mail"
ROTATION: Final = "messaging"


class Needs(StrEnum):
    """What a route asks of whoever asks it."""

    NOBODY = "nobody has to be known"
    KNOWN = "whoever is known; sees what is of his domains"
    SEEING = "whoever may see the thing: of a role for its domain"
    RESPONDER_OF = "responder for the domain of the thing"
    COMMANDER_OF = "commander for the domain of the thing"
    RESPONDER = "responder for some domain"
    ADMINISTRATOR = "administrator for some domain"
    WHOLE = "administrator for all domains"


@dataclass(frozen=True)
class Row:
    """One route.

    Attributes:
        parts: what stands in its path.
        json: its body; None: none.
        form: likewise, of a page.
        query: of its address.
        fine: what it answers to whoever may.
    """

    needs: Needs
    parts: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    form: Mapping[str, str] | None = None
    query: str = ""
    fine: frozenset[int] = frozenset({200})


def row(needs: Needs, *fine: int, json: Any = None, form: Any = None, query: str = "", **parts: str) -> Row:
    return Row(needs, parts, json, form, query, frozenset(fine or (200,)))


NOTE: Final = {"type": "note", "note": "seen"}
CANCEL: Final = {"type": "cancel", "reason": "a drill"}
MUTE: Final = {"targets": [SERVICE], "until": "2030-03-17T18:00:00Z", "reason": "work"}
MUTE_FORM: Final = {"targets": SERVICE, "hours": "2", "reason": "work"}
PERIOD: Final = "?since=2026-03-01T00:00:00Z&until=2026-03-31T00:00:00Z"
ABOUT: Final = {"incident_id": INCIDENT}

MATRIX: Final[dict[str, list[Row]]] = {
    # The API.
    "GET /api/v1/openapi.json": [row(Needs.NOBODY)],
    "GET /api/v1/me": [row(Needs.KNOWN)],
    "GET /api/v1/incidents": [row(Needs.KNOWN)],
    "GET /api/v1/board": [row(Needs.KNOWN)],
    "GET /api/v1/bridges": [row(Needs.KNOWN)],
    "GET /api/v1/search": [row(Needs.KNOWN, query="?q=mail")],
    "GET /api/v1/services": [row(Needs.KNOWN)],
    "GET /api/v1/oncall": [row(Needs.KNOWN)],
    "GET /api/v1/problems": [row(Needs.KNOWN)],
    "GET /api/v1/known-errors": [row(Needs.KNOWN)],
    "GET /api/v1/silences": [row(Needs.KNOWN)],
    "GET /api/v1/suppression": [row(Needs.KNOWN)],
    "GET /api/v1/stream": [row(Needs.KNOWN, 503)],  # nobody tells of changes in this test
    "GET /api/v1/analytics/maturity": [row(Needs.KNOWN)],
    "GET /api/v1/analytics/quarters": [row(Needs.KNOWN)],
    "GET /api/v1/analytics/comparison": [row(Needs.KNOWN, 200, 422)],
    "GET /api/v1/analytics/trend": [row(Needs.KNOWN, query="?measure=incidents")],
    "GET /api/v1/analytics/states": [row(Needs.KNOWN)],
    "GET /api/v1/analytics/noise": [row(Needs.KNOWN)],
    "GET /api/v1/analytics/escalations": [row(Needs.KNOWN)],
    "GET /api/v1/analytics/repeats": [row(Needs.KNOWN)],
    "GET /api/v1/analytics/export": [row(Needs.KNOWN)],
    "GET /api/v1/incidents/{incident_id}": [row(Needs.SEEING, **ABOUT)],
    "GET /api/v1/incidents/{incident_id}/timeline": [row(Needs.SEEING, **ABOUT)],
    "GET /api/v1/incidents/{incident_id}/episodes": [row(Needs.SEEING, **ABOUT)],
    "GET /api/v1/incidents/{incident_id}/explanation": [row(Needs.SEEING, **ABOUT)],
    "GET /api/v1/incidents/{incident_id}/similar": [row(Needs.SEEING, **ABOUT)],
    "GET /api/v1/incidents/{incident_id}/links": [row(Needs.SEEING, **ABOUT)],
    "GET /api/v1/incidents/{incident_id}/deliveries": [row(Needs.SEEING, **ABOUT)],
    "GET /api/v1/incidents/{incident_id}/communications": [row(Needs.SEEING, **ABOUT)],
    "GET /api/v1/incidents/{incident_id}/audit": [row(Needs.SEEING, **ABOUT)],
    "GET /api/v1/incidents/{incident_id}/responders": [row(Needs.SEEING, **ABOUT)],
    "GET /api/v1/problems/{problem_id}": [row(Needs.SEEING, problem_id=PROBLEM)],
    "GET /api/v1/episodes/{episode_id}": [row(Needs.SEEING, episode_id="{episode}")],
    "GET /api/v1/episodes/{episode_id}/explanation": [row(Needs.SEEING, episode_id="{episode}")],
    "GET /api/v1/oncall/rotations/{rotation}/schedule": [row(Needs.SEEING, rotation=ROTATION)],
    "GET /api/v1/oncall/services/{service:path}": [row(Needs.SEEING, service=SERVICE)],
    "GET /api/v1/commands/{command_id}": [row(Needs.KNOWN, 404, command_id="api-none")],
    "POST /api/v1/incidents/{incident_id}/commands": [
        row(Needs.RESPONDER_OF, 202, json=NOTE, **ABOUT),
        row(Needs.COMMANDER_OF, 202, json=CANCEL, **ABOUT),
    ],
    "POST /api/v1/problems/{problem_id}/commands": [
        row(Needs.RESPONDER_OF, 202, json={"type": "note", "text": "seen"}, problem_id=PROBLEM)
    ],
    "POST /api/v1/silences": [row(Needs.RESPONDER_OF, 202, json=MUTE)],
    "POST /api/v1/silences/{silence_id}/commands": [
        row(Needs.RESPONDER, 404, json={"type": "unsilence"}, silence_id="SIL-NONE")
    ],
    "GET /api/v1/audit/export": [row(Needs.ADMINISTRATOR)],
    "GET /api/v1/access-log": [row(Needs.WHOLE)],
    "GET /api/v1/tokens": [row(Needs.WHOLE)],
    "POST /api/v1/tokens": [row(Needs.WHOLE, 201, 409, json={"name": "matrix", "grants": [{"role": "viewer"}]})],
    "DELETE /api/v1/tokens/{token_id}": [row(Needs.WHOLE, 404, token_id="none")],
    # The pages.
    "GET /": [row(Needs.KNOWN)],
    "GET /majors": [row(Needs.KNOWN)],
    "GET /search": [row(Needs.KNOWN)],
    "GET /services": [row(Needs.KNOWN)],
    "GET /oncall": [row(Needs.KNOWN)],
    "GET /suppression": [row(Needs.KNOWN)],
    "GET /analytics": [row(Needs.KNOWN)],
    "GET /problems": [row(Needs.KNOWN)],
    "GET /incidents/{incident_id}": [row(Needs.SEEING, **ABOUT)],
    "GET /incidents/{incident_id}/timeline": [row(Needs.SEEING, **ABOUT)],
    "GET /incidents/{incident_id}/similar": [row(Needs.SEEING, **ABOUT)],
    "GET /incidents/{incident_id}/audit": [row(Needs.SEEING, **ABOUT)],
    "GET /services/{ref:path}": [row(Needs.SEEING, ref=SERVICE)],
    "GET /oncall/{name}.ics": [row(Needs.SEEING, name=ROTATION)],
    "GET /problems/{problem_id}": [row(Needs.SEEING, problem_id=PROBLEM)],
    "GET /incidents/{incident_id}/do/{type_}": [row(Needs.RESPONDER_OF, type_="note", **ABOUT)],
    "POST /incidents/{incident_id}/do/{type_}": [
        row(Needs.RESPONDER_OF, 303, form={"note": "seen"}, type_="note", **ABOUT)
    ],
    "POST /do/{type_}": [row(Needs.RESPONDER, 303, form={"ids": ""}, type_="acknowledge")],
    "GET /do/merge": [row(Needs.RESPONDER_OF, query=f"?ids={INCIDENT}")],
    "POST /problems/{problem_id}/do/{kind}": [
        row(Needs.RESPONDER_OF, 303, form={"text": "seen"}, kind="note", problem_id=PROBLEM)
    ],
    "POST /suppression/silences": [row(Needs.RESPONDER_OF, 303, form=MUTE_FORM)],
    "POST /suppression/silences/{silence_id}/{deed}": [
        row(Needs.RESPONDER, 404, form={"x": "y"}, silence_id="SIL-NONE", deed="end")
    ],
    "GET /access": [row(Needs.WHOLE)],
    "POST /access/tokens": [row(Needs.WHOLE, 200, 409, form={"name": "matrix", "role": "viewer", "days": "5"})],
    "POST /access/tokens/{token_id}/revoke": [row(Needs.WHOLE, 404, form={"x": "y"}, token_id="none")],
    # The way in and out.
    "GET /login": [row(Needs.NOBODY, 200, 303)],
    "POST /login": [row(Needs.NOBODY, 401, 403, form={"token": "none"})],
    "GET /login/start": [row(Needs.NOBODY, 503)],
    "GET /login/return": [row(Needs.NOBODY, 401)],
    "POST /logout": [row(Needs.NOBODY, 303, 403, form={"x": "y"})],
}
"""Method and path -> what is asked, and who may."""


@dataclass(frozen=True)
class Person:
    """Somebody who asks. Attributes: grants: role and domain; domain None: all. None at all: a stranger."""

    name: str
    grants: tuple[tuple[Role, str | None], ...]

    def role(self, domain: str) -> Role | None:
        """His role for a domain."""
        roles = [role for role, of in self.grants if of in (None, domain)]
        return max(roles, key=_ORDER.index, default=None)

    @property
    def highest(self) -> Role | None:
        return max((role for role, _ in self.grants), key=_ORDER.index, default=None)


_ORDER: Final = [Role.VIEWER, Role.RESPONDER, Role.COMMANDER, Role.ADMINISTRATOR]

PEOPLE: Final = (
    Person("stranger", ()),
    *(Person(f"{role} of {domain or 'all'}", ((role, domain),)) for role in _ORDER for domain in (OWN, OTHER, None)),
    Person("commander elsewhere who may look here", ((Role.COMMANDER, OTHER), (Role.VIEWER, OWN))),
    Person("administrator elsewhere who is responder here", ((Role.ADMINISTRATOR, OTHER), (Role.RESPONDER, OWN))),
)


def allowed(row: Row, person: Person, *, page: bool, reads: bool) -> frozenset[int]:
    """The answers that somebody may get, and no other."""
    if row.needs is Needs.NOBODY:
        return row.fine
    if not person.grants:
        return frozenset({303}) if page and reads else frozenset({401})
    if row.needs is Needs.WHOLE:
        return row.fine if (Role.ADMINISTRATOR, None) in person.grants else frozenset({403})
    return row.fine if (refused := _refused(row, person)) is None else refused


_NEEDED: Final = {
    Needs.RESPONDER_OF: Role.RESPONDER,
    Needs.RESPONDER: Role.RESPONDER,
    Needs.COMMANDER_OF: Role.COMMANDER,
}


def _refused(row: Row, person: Person) -> frozenset[int] | None:
    """How somebody is refused who has some role; None: he is not."""
    here, needed = person.role(OWN), _NEEDED.get(row.needs)
    if needed is not None and not at_least(person.highest, Role.RESPONDER):
        return frozenset({403})
    if row.needs is Needs.ADMINISTRATOR:
        return None if person.highest == Role.ADMINISTRATOR else frozenset({403})
    if row.needs in {Needs.KNOWN, Needs.RESPONDER}:
        return None
    if here is None:  # what he names himself is not his; what the path names does not exist for him
        return frozenset({403}) if row.json == {**MUTE} or row.form == MUTE_FORM else frozenset({404})
    return None if needed is None or at_least(here, needed) else frozenset({403})


def at_least(role: Role | None, needed: Role) -> bool:
    return role is not None and _ORDER.index(role) >= _ORDER.index(needed)


def routes() -> Iterator[str]:
    """Every route of the application: method and path."""
    yield f"GET {API_PREFIX}/openapi.json"
    for package, prefix in ((api, API_PREFIX), (pages, "")):
        for router in routers(package):
            for each in router.routes:
                for method in sorted(getattr(each, "methods", None) or ()):
                    yield f"{method} {prefix}{getattr(each, 'path', '')}"

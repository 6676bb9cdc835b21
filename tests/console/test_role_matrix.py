"""Every route for every role, for its own domain and for another: nobody gets more than the table says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import text
from starlette.testclient import TestClient

from pipeline.console import api, pages
from pipeline.console.app import create_app, routers
from pipeline.models.console import ConsoleSettings, Rates
from pipeline.models.policy import Config
from pipeline.records.access.tokens import create_token
from pipeline.records.address import engine_of
from tests.console.door import Shut, sign_in
from tests.console.matrix import INCIDENT, MATRIX, PEOPLE, Person, Row, allowed, routes

GENEROUS: Final = Rates(
    strangers_per_second=10_000, people_per_second=10_000, commands_per_second=10_000, sign_ins_per_minute=10_000
)


@pytest.fixture
def shut(shut: Shut, company: Config) -> Shut:
    """With limits that are not in the way."""
    shut.config = company.model_copy(update={"console": ConsoleSettings(rates=GENEROUS)})
    return shut


@pytest.fixture(scope="session")
def episode(stories: str) -> str:
    """An episode of the incident."""
    engine = engine_of(stories)
    with engine.connect() as connection:
        found = connection.scalar(text("SELECT id FROM episodes WHERE incident_id = :id LIMIT 1"), {"id": INCIDENT})
    engine.dispose()
    assert isinstance(found, str)
    return found


def token_of(shut: Shut, person: Person) -> str | None:
    """A token with all his grants."""
    if not person.grants:
        return None
    grants = [{"role": role, "domains": domain and [domain]} for role, domain in person.grants]
    engine = engine_of(shut.url)
    with engine.begin() as connection:
        name = f"{person.name} {id(shut)}"
        _, whole = create_token(connection, name, grants, days=30, by="the test", now=shut.now())
    engine.dispose()
    return whole


def asked(client: TestClient, route: str, row: Row, episode: str, **more: Any) -> int:
    method, path = route.split(" ", 1)
    for name, value in row.parts.items():
        path = path.replace(f"{{{name}:path}}", value).replace(f"{{{name}}}", value.format(episode=episode))
    assert "{" not in path, path
    sent: dict[str, Any] = {"json": row.json} if row.json is not None else {}
    if row.form is not None:
        sent = {"data": {**row.form, **more}}
    return client.request(method, path + row.query, **sent).status_code


def test_every_route_is_in_the_table_and_no_other() -> None:
    assert sorted(routes()) == sorted(MATRIX)


def test_there_are_no_routes_beside_those_of_the_packages(shut: Shut) -> None:
    app = create_app(shut.context())
    beside = [getattr(each, "path", None) for each in app.routes if not hasattr(each, "original_router")]
    assert beside == ["/api/v1/openapi.json", "/static"]
    included = [each for each in app.routes if hasattr(each, "original_router")]
    assert len(included) == len([*routers(api), *routers(pages)])
    assert all(isinstance(each, APIRoute) for package in (api, pages) for r in routers(package) for each in r.routes)


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.name.replace(" ", "-"))
def test_nobody_gets_more_and_nobody_less_than_the_table_says(person: Person, shut: Shut, episode: str) -> None:
    wrong = []
    with shut.client(token_of(shut, person)) as client:
        for route, rows in MATRIX.items():
            method, path = route.split(" ", 1)
            for row in rows:
                client.cookies.clear()
                got = asked(client, route, row, episode)
                wanted = allowed(row, person, page=not path.startswith("/api/"), reads=method == "GET")
                if got not in wanted:
                    wrong.append(f"{route} {row.json or row.form or ''}: {got}, not {sorted(wanted)}")
    assert not wrong, f"{person.name}:\n" + "\n".join(wrong)


def test_no_command_was_sent_for_whoever_may_not(shut: Shut, episode: str) -> None:
    for person in PEOPLE:
        before = len(shut.sent.commands)
        with shut.client(token_of(shut, person)) as client:
            for route, rows in writes():
                for row in rows:
                    got = asked(client, route, row, episode)
                    sent = len(shut.sent.commands) - before
                    assert not sent or got < 400, f"{person.name}: {route} answered {got} and sent {sent}"
                    before = len(shut.sent.commands)
    by = {(command.actor, command.role) for command, *_ in shut.sent.commands if hasattr(command, "role")}
    assert not [each for each in by if str(each[1]) == "viewer"]


def writes() -> Iterator[tuple[str, list[Row]]]:
    """Routes that change something, but for those of the way in."""
    for route, rows in MATRIX.items():
        if not route.startswith("GET ") and not route.endswith("/login"):
            yield route, rows


def test_every_write_of_a_browser_needs_the_value_of_its_page(shut: Shut, episode: str) -> None:
    with shut.client() as browser:
        csrf = sign_in(browser, shut.token())
        wrong = [
            route
            for route, rows in writes()
            for row in rows
            if asked(browser, route, row, episode) != 403 or asked(browser, route, row, episode, csrf="x" * 43) != 403
        ]
        assert not wrong
        assert not shut.sent.commands
        assert browser.get("/api/v1/me").status_code == 200, "and is still signed in"
        note = browser.post(f"/incidents/{INCIDENT}/do/note", data={"note": "seen", "csrf": csrf})
        assert (note.status_code, len(shut.sent.commands)) == (303, 1)

"""What people ask for becomes a command: checked, allowed, sent once, and followed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pipeline.console.commands import Asked, ask_for
from pipeline.console.context import Context
from pipeline.console.identity import Identity
from pipeline.console.refusal import Reason, Refusal
from pipeline.models.command import Command, Role
from pipeline.models.policy import Config
from pipeline.records.address import async_engine_of
from pipeline.records.store import RecordsStore
from pipeline.settings import Settings
from tests.console.conftest import somebody
from tests.console.sent import Sent
from tests.played import Played, fill


@pytest.fixture
def store(database: str, played: Played) -> str:
    """Address of a records store of one's own that holds the stories."""
    fill(database, played)
    return database


class Asking:
    """Asks in an event loop of its own, as a route does."""

    def __init__(self, url: str, config: Config, sent: Sent) -> None:
        self._url, self._config, self._sent = url, config, sent

    def __call__(self, who: Identity, incident_id: str, *several: tuple[dict[str, Any], str | None]) -> list[Asked]:
        async def ask() -> list[Asked]:
            engine = async_engine_of(self._url, 2)
            context = Context(Settings(records_url=self._url), self._config, engine, self._sent)
            try:
                return [await ask_for(context, who, incident_id, fields, key) for fields, key in several]
            finally:
                await engine.dispose()

        return asyncio.run(ask())


@pytest.fixture
def ask(store: str, company: Config, sent: Sent) -> Asking:
    """Ask a console."""
    return Asking(store, company, sent)


@pytest.fixture
def incident(store: str) -> dict[str, Any]:
    """One that is open."""
    records = RecordsStore(store)
    found = next(each for each in records.incidents(open_only=True, limit=100) if each["kind"] == "incident")
    records.close()
    return found


def test_a_command_carries_who_asks_and_in_what_role_and_goes_where_its_incident_is_decided(
    ask: Asking, incident: dict[str, Any], sent: Sent
) -> None:
    who = somebody(Role.RESPONDER, incident["domain"], subject="ana.lima")
    (asked,) = ask(who, incident["id"], ({"type": "note", "note": "on it"}, None))
    ((command, topic, key),) = sent.commands
    assert isinstance(command, Command)
    assert (command.command_id, command.actor, command.role) == (asked.command_id, "ana.lima", Role.RESPONDER)
    assert (command.target.incident_id, topic, key) == (incident["id"], "commands", incident["space"])


def test_the_same_request_with_the_same_key_is_sent_once(ask: Asking, incident: dict[str, Any], sent: Sent) -> None:
    request = ({"type": "note", "note": "on it"}, "key-1")
    first, second = ask(somebody(), incident["id"], request, request)
    assert (first.command_id, second.command_id, second.repeated) == (first.command_id, first.command_id, True)
    assert len(sent.commands) == 1


def test_a_key_that_stands_for_another_request_is_refused(ask: Asking, incident: dict[str, Any], sent: Sent) -> None:
    with pytest.raises(Refusal) as refused:
        ask(somebody(), incident["id"], ({"type": "note", "note": "a"}, "k"), ({"type": "note", "note": "b"}, "k"))
    assert (refused.value.status, refused.value.reason) == (422, Reason.CONFLICT)
    assert len(sent.commands) == 1


def test_keys_of_two_people_do_not_meet(ask: Asking, incident: dict[str, Any], sent: Sent) -> None:
    request = ({"type": "note", "note": "on it"}, "key-1")
    (first,) = ask(somebody(subject="ana"), incident["id"], request)
    (second,) = ask(somebody(subject="ben"), incident["id"], request)
    assert first.command_id != second.command_id
    assert len(sent.commands) == 2


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"type": "note", "note": "x", "actor": "the boss"}, 422, "actor: is not yours to set"),
        ({"type": "note", "note": "x", "role": "system"}, 422, "role: is not yours to set"),
        ({"type": "note", "note": "x", "target": {"incident_id": "y"}}, 422, "target: is not yours to set"),
        ({"type": "note", "note": "x", "command_id": "y"}, 422, "command_id: is not yours to set"),
        ({"type": "note", "colour": "red"}, 422, "colour: is no field of it"),
        ({"type": "explode"}, 422, "type: "),
        ({}, 422, "type: "),
        ({"type": "note", "note": "x" * 4_001}, 422, "note: "),
        ({"type": "offer_known_error", "ref": "x"}, 403, "nobody"),
        ({"type": "note", "note": "x", "expected_revision": 0}, 412, "read it again"),
        ({"type": "merge", "into": "INC-NONE"}, 404, "no incident 'INC-NONE'"),
        ({"type": "unsilence"}, 422, "/api/v1/silences"),
    ],
)
def test_what_cannot_be_done_is_refused_before_it_is_sent(
    ask: Asking, incident: dict[str, Any], sent: Sent, fields: dict[str, Any], status: int, said: str
) -> None:
    with pytest.raises(Refusal) as refused:
        ask(somebody(), incident["id"], (fields, None))
    assert refused.value.status == status, refused.value.detail
    assert said in refused.value.detail
    assert not sent.commands


@pytest.mark.parametrize(
    ("who", "status"),
    [
        (somebody(Role.VIEWER), 403),
        (somebody(Role.RESPONDER, "no-such-domain"), 404),
        (somebody(Role.ADMINISTRATOR, "no-such-domain"), 404),
    ],
)
def test_who_may_not_is_refused_and_who_may_not_see_it_is_told_of_nothing(
    ask: Asking, incident: dict[str, Any], sent: Sent, who: Identity, status: int
) -> None:
    with pytest.raises(Refusal) as refused:
        ask(who, incident["id"], ({"type": "acknowledge"}, None))
    assert refused.value.status == status
    assert not sent.commands

"""The page of noise: alerts in and incidents out, what hid them, what to do; and silences, which responders end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from sqlalchemy import create_engine, make_url

from pipeline.console.context import Context
from pipeline.console.pages.suppression import ADVICE, WHAT_WORDS, advice
from pipeline.models.command import Command, CommandType, Role
from pipeline.models.policy import Config
from pipeline.models.suppression import Suppression, What
from pipeline.records.address import async_engine_of
from pipeline.records.store import RecordsStore
from pipeline.records.suppressions import write
from pipeline.settings import Settings
from tests.console.conftest import EVENING_MS, Client, _clients, somebody
from tests.console.reading import card, page, words
from tests.console.sent import Sent

HOUR_MS = 3_600_000


def test_alerts_in_incidents_out_and_what_hid_the_others(in_the_evening: Client) -> None:
    html = page(in_the_evening(somebody()), "/suppression")
    read = words(html)
    assert "Alerts in 147 Incidents out 7 Less by 95.2 %" in read
    assert "Nobody was told of 4 of 10 that were hidden" in read
    noisy = card(html, "conditions")
    assert "write latency of sdb on log-archive-1 above 200 ms" in noisy
    assert ADVICE[What.FLAPPING] in noisy


def test_of_other_domains_nothing_is_told(in_the_evening: Client) -> None:
    read = words(page(in_the_evening(somebody(Role.VIEWER, "hospital")), "/suppression"))
    assert "checkout" not in read
    assert "certificate" in read


@pytest.mark.parametrize("days", ["0", "93", "x"])
def test_a_span_that_is_none_is_refused(in_the_evening: Client, days: str) -> None:
    assert in_the_evening(somebody()).get(f"/suppression?days={days}").status_code == 422


def test_every_cause_has_its_words_and_what_to_do() -> None:
    causes = set(What) - {What.SILENCE}
    assert set(WHAT_WORDS) == causes
    assert set(ADVICE) == causes
    assert advice({"by": {"repeats": 3, "flapping": 8}}) == ADVICE[What.FLAPPING]
    assert advice({}) == ""


@pytest.fixture
def muted(database: str, company: Config, sent: Sent) -> Iterator[Client]:
    """A console over a store with a silence on a service of retail, and one of a label."""
    store = RecordsStore(database)
    store.migrate()
    store.close()
    engine = create_engine(make_url(database).set(drivername="postgresql+psycopg"))
    for number, targets in enumerate((["checkout"], [])):
        told = {
            "owner": "storefront-sre",
            "actor": "noor.haddad",
            "until_ms": EVENING_MS + HOUR_MS,
            "targets": targets,
            "match": {} if targets else {"labels.team": ["shop"]},
            "conditions": [],
            "hidden": 3,
            "would_page": 2,
            "priorities": {"P2": 3},
        }
        hidden = Suppression(
            what=What.SILENCE,
            ended="on",
            episode_id=f"SIL-{number}",
            alert_key=f"SIL-{number}",
            space="production",
            feed="",
            summary="the load test",
            severity="",
            since_ms=EVENING_MS - HOUR_MS,
            until_ms=EVENING_MS,
            alerts=0,
            decided_by=told,
        )
        with engine.begin() as connection:
            write(connection, [hidden])
    engine.dispose()
    settings = Settings(records_url=database)
    with ExitStack() as opened:
        yield _clients(
            opened, Context(settings, company, async_engine_of(database, 4), sent, now_ms=lambda: EVENING_MS)
        )


def test_silences_in_force_tell_owner_end_and_what_they_hid(muted: Client) -> None:
    told = card(page(muted(somebody()), "/suppression"), "silences")
    assert "Muted now (2)" in told
    assert "checkout SIL-0 the load test storefront-sre asked for by noor.haddad 1:00:00" in told
    assert "labels.team is shop" in told
    assert "3 P2 2" in told


def test_a_responder_ends_a_silence_and_lets_one_end_at_another_time(muted: Client, sent: Sent) -> None:
    console = muted(somebody(Role.RESPONDER, "retail"))
    answer = console.post("/suppression/silences/SIL-0/end")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/suppression?asked={sent.commands[0][0].command_id}#silences"
    assert "End SIL-0: " in words(page(console, answer.headers["location"]))
    assert console.post("/suppression/silences/SIL-0/extend", data={"hours": "3"}).status_code == 303
    (ended, topic, key), (extended, _, _) = sent.commands
    assert (ended.type, ended.actor, topic, key) == (CommandType.UNSILENCE, "noor.haddad", "commands", "production")
    assert isinstance(extended, Command)
    assert extended.until is not None
    assert extended.type == CommandType.EXTEND_SILENCE
    assert extended.until.timestamp() * 1_000 == EVENING_MS + 3 * HOUR_MS


def test_who_may_not_see_a_silence_cannot_end_it_and_a_viewer_may_not(muted: Client, sent: Sent) -> None:
    assert muted(somebody(Role.RESPONDER, "hospital")).post("/suppression/silences/SIL-0/end").status_code == 404
    assert muted(somebody(Role.RESPONDER, "retail")).post("/suppression/silences/SIL-1/end").status_code == 404
    assert muted(somebody(Role.VIEWER)).post("/suppression/silences/SIL-0/end").status_code == 403
    assert muted(somebody(Role.RESPONDER)).post("/suppression/silences/SIL-9/end").status_code == 404
    assert sent.commands == []


@pytest.mark.parametrize("hours", ["", "0", "-1", "745", "1e3", "x"])
def test_hours_that_are_none_extend_nothing(muted: Client, sent: Sent, hours: str) -> None:
    answer = muted(somebody(Role.RESPONDER)).post("/suppression/silences/SIL-0/extend", data={"hours": hours})
    assert answer.status_code == 422
    assert sent.commands == []


def test_a_responder_begins_a_silence_of_what_he_was_led_from(muted: Client, sent: Sent) -> None:
    console = muted(somebody(Role.RESPONDER, "retail"))
    form = page(console, "/suppression?mute=component:default/checkout").partition('id="begin"')[2]
    assert form.startswith(" open")
    assert 'value="component:default/checkout"' in form
    fields = {"targets": "checkout, orders-api", "hours": "2", "reason": "the load test"}
    assert console.post("/suppression/silences", data=fields).status_code == 303
    ((command, _, _),) = sent.commands
    assert isinstance(command, Command)
    assert command.silence is not None
    assert command.silence.targets == ("checkout", "orders-api")
    assert (command.type, command.silence.owner) == (CommandType.SILENCE, "noor.haddad")
    assert console.post("/suppression/silences", data=fields | {"targets": "vpn"}).status_code == 403
    assert console.post("/suppression/silences", data=fields | {"hours": "0"}).status_code == 422
    assert "Begin a silence" not in words(page(muted(somebody(Role.VIEWER, "retail")), "/suppression"))

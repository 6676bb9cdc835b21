"""The Slack sink when something fails: Slack says no, says nothing, or a person has deleted the message."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.sinks.base import Trouble
from tests.sinks.receivers import NOW, run
from tests.sinks.servers.slack import TOKEN, SlackServer
from tests.sinks.slack_app import methods, remote_of, slack
from tests.sinks.telling import call, entry, told_send


@pytest.fixture
def server() -> Iterator[SlackServer]:
    server = SlackServer()
    yield server
    assert server.complaints == []


@pytest.mark.parametrize("fault", ["silent", "after", "before", "silent-before"])
@pytest.mark.parametrize("request_number", range(4))
def test_whatever_request_fails_in_whatever_way_nothing_is_posted_twice(
    server: SlackServer, fault: str, request_number: int
) -> None:
    told = told_send(entries=[entry("it is the cache")], calls=[call()])

    async def test() -> None:
        async with slack(server) as sink:
            server.next_faults = [""] * request_number + [fault]
            answer = await sink.send(told, NOW)
            again = told._replace(remote=answer.remote, unsure=answer.unknown, attempt=2)
            remote_of(await sink.send(again, NOW))

    run(test())
    [seen] = server.seen()
    assert seen.steps == ["run 1 level 1/ada"]
    assert len(seen.notes) == 2


def test_the_reconciler_reads_the_state_that_a_message_shows_or_that_it_is_gone(server: SlackServer) -> None:
    async def test() -> None:
        async with slack(server) as sink:
            known = remote_of(await sink.send(told_send(incident={"state": "mitigated"}), NOW))
            found = await sink.look("INC-D5KZHUYBCD7C", known, NOW)
            assert found is not None
            assert (found.kind, found.fields.state, found.person) == ("read", "mitigated", False)
            server.delete(known.id)
            gone = await sink.look("INC-D5KZHUYBCD7C", known, NOW)
            assert gone is not None
            assert (gone.kind, gone.fields.state) == ("gone", None)
            server.next_errors = ["internal_error"]
            with pytest.raises(Trouble):
                await sink.look("INC-D5KZHUYBCD7C", known, NOW)

    run(test())


def test_a_channel_that_the_app_is_not_in_is_found_before_an_incident_needs_it(server: SlackServer) -> None:
    async def test() -> None:
        async with slack(server, channels=[{"channel": "C0OTHER", "domains": ["retail"]}]) as sink:
            assert await sink.check() == "we are spillway in Northwind, in 2 channels"
            del server.channels["C0OTHER"]
            with pytest.raises(Trouble, match="channel_not_found: the id is wrong"):
                await sink.check()

    run(test())


@pytest.mark.parametrize(
    ("word", "outcome", "status", "unknown"),
    [
        ("channel_not_found", "retry", 200, False),
        ("not_in_channel", "retry", 200, False),
        ("invalid_auth", "retry", 401, False),
        ("missing_scope", "retry", 403, False),
        ("ratelimited", "retry", 200, False),
        ("internal_error", "retry", 500, True),
        ("fatal_error", "retry", 500, True),
        ("service_unavailable", "retry", 503, False),
        ("a_word_of_next_year", "retry", 200, False),
        ("msg_too_long", "rejected", 200, False),
        ("invalid_blocks", "rejected", 200, False),
    ],
)
def test_what_slack_says_no_in_words_means_for_the_delivery(
    server: SlackServer, word: str, outcome: str, status: int, unknown: bool
) -> None:
    async def test() -> None:
        async with slack(server) as sink:
            server.next_errors = [word]
            answer = await sink.send(told_send(), NOW)
            assert (answer.outcome, answer.status, answer.unknown) == (outcome, status, unknown)
            assert answer.detail.startswith(f"Slack: chat.postMessage: {word}")
            assert TOKEN not in answer.detail

    run(test())


def test_a_token_that_is_not_valid_loses_nothing_and_says_what_to_do(server: SlackServer) -> None:
    async def test() -> None:
        async with slack(server) as sink:
            server.token = "xoxb-renewed"
            answer = await sink.send(told_send(), NOW)
            assert (answer.outcome, answer.detail.split(": ")[-1]) == ("retry", "renew it")

    run(test())


def test_429_pauses_for_as_long_as_slack_asks(server: SlackServer) -> None:
    async def test() -> None:
        async with slack(server) as sink:
            server.rate_per_second = 0.001
            answer = await sink.send(told_send(), NOW)
            assert (answer.outcome, answer.status, answer.retry_after_seconds) == ("retry", 429, 1)

    run(test())


def test_a_failure_half_way_keeps_what_is_there_and_goes_on_from_it(server: SlackServer) -> None:
    told = told_send(entries=[entry("it is the cache")], calls=[call()])

    async def test() -> None:
        async with slack(server) as sink:
            server.next_errors = ["", "", "msg_too_long"]
            answer = await sink.send(told, NOW)
            assert answer.outcome == "rejected"
            assert answer.remote is not None
            assert answer.remote.extra["calls"] == ["run 1 level 1/ada"]
            server.journal.clear()
            remote_of(await sink.send(told._replace(remote=answer.remote, attempt=2), NOW))

    run(test())
    assert methods(server) == ["chat.postMessage", "chat.getPermalink"]

"""The Slack sink against a server that behaves as its Web API is documented: one message, one thread, nothing twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.models.remote import Remote
from pipeline.sinks.slack_thread import CALLS_A_REPLY_MAX
from tests.sinks.receivers import NOW, run
from tests.sinks.servers.slack import CHANNEL, SlackServer, about, text_of
from tests.sinks.slack_app import remote_of, slack
from tests.sinks.telling import call, entry, told_send, words


@pytest.fixture
def server() -> Iterator[SlackServer]:
    server = SlackServer()
    yield server
    assert server.complaints == []


def test_an_incident_is_one_message_that_is_edited_and_its_timeline_is_the_thread(server: SlackServer) -> None:
    async def test() -> None:
        async with slack(server) as sink:
            opened = remote_of(await sink.send(told_send(entries=[entry("escalated to level 2", "escalate")]), NOW))
            assert opened.state == "open"
            assert opened.url == f"https://acme.slack.com/archives/{CHANNEL}/p1772590000000001"
            taken = told_send(2, "acknowledged", incident={"state": "acknowledged"}, entries=[entry("I look")])
            after = remote_of(await sink.send(taken._replace(remote=opened), NOW))
            assert (after.id, after.state, after.url) == (opened.id, "acknowledged", opened.url)
            assert after.fields["state"] == "acknowledged"

    run(test())
    [root] = server.roots()
    assert "acknowledged" in text_of(root)
    assert [text_of(each).split("> ", 1)[1] for each in server.thread(root["ts"])] == [
        "ada: escalated to level 2",
        "ada: I look",
    ]
    [seen] = server.seen()
    assert (seen.incident_id, seen.state, seen.priority, seen.created) == ("INC-D5KZHUYBCD7C", "acknowledged", "P1", 1)


def test_what_would_say_the_same_makes_no_request(server: SlackServer) -> None:
    async def test() -> None:
        async with slack(server) as sink:
            known = remote_of(await sink.send(told_send(), NOW))
            server.journal.clear()
            remote_of(await sink.send(told_send(2, "updated", remote=known), NOW))

    run(test())
    assert server.journal == []


@pytest.mark.parametrize("state", ["resolved", "closed", "merged", "cancelled"])
def test_what_has_ended_says_so_in_place_and_has_no_buttons(server: SlackServer, state: str) -> None:
    updates = {"scheme": "slack", "secrets_env": ["SIGNING"]}

    async def test() -> None:
        async with slack(server, updates=updates) as sink:
            known = remote_of(await sink.send(told_send(), NOW))
            assert "actions" in [each["type"] for each in server.roots()[0]["blocks"]]
            ended = {"state": state, "merged_into": "INC-OTHER"}
            after = remote_of(await sink.send(told_send(2, state, incident=ended, remote=known), NOW))
            assert after.ended
            again = told_send(3, "reopened", incident={"state": "reopened"}, remote=after)
            assert remote_of(await sink.send(again, NOW)).state == "open"

    run(test())
    [root] = server.roots()
    assert "actions" in [each["type"] for each in root["blocks"]]
    edited = [each for each in server.journal if "chat.update" in each.path]
    assert b'"actions"' not in edited[0].body
    assert (b"merged into INC-OTHER" in edited[0].body) == (state == "merged")


def test_somebody_is_called_once_for_a_step_and_mentioned_where_it_is_known_who_that_is(server: SlackServer) -> None:
    async def test() -> None:
        async with slack(server) as sink:
            both = [call(), call("run 1 level 1/grace", "grace", "<!channel> & more")]
            known = remote_of(await sink.send(told_send(calls=both), NOW))
            again = told_send(2, "escalated", calls=[call(), call("run 1 level 2/ada")], remote=known)
            remote_of(await sink.send(again, NOW))

    run(test())
    [seen] = server.seen()
    assert seen.steps == ["run 1 level 1/ada", "run 1 level 1/grace", "run 1 level 2/ada"]
    assert "<@U0ADA>" in seen.notes[0]
    assert "*grace*: &lt;!channel&gt; &amp; more" in seen.notes[0]


def test_many_calls_at_once_are_all_made(server: SlackServer) -> None:
    many = [call(f"run 1 level 1/{number}", f"person-{number}") for number in range(CALLS_A_REPLY_MAX * 2 + 1)]

    async def test() -> None:
        async with slack(server) as sink:
            remote_of(await sink.send(told_send(calls=many), NOW))

    run(test())
    [seen] = server.seen()
    assert seen.steps == [each["key"] for each in many]


def test_what_was_said_is_not_said_again_by_a_delivery_that_grew_meanwhile(server: SlackServer) -> None:
    first, second = entry("it is the cache " + "x" * 300), entry("it is not")
    calls = [call(), call("run 1 level 2/grace", "grace")]

    async def test() -> None:
        async with slack(server) as sink:
            known = remote_of(await sink.send(told_send(), NOW))
            server.next_faults = ["", "silent"]
            said = told_send(2, "noted", entries=[first], calls=calls[:1], messages=[words("We look.")], remote=known)
            lost = await sink.send(said, NOW)
            assert lost.unknown
            # The same entry, as a larger body has room for it.
            cut = {**first, "text": first["text"][:99] + "…"}
            both = [words("We look."), words("We see.", number=2)]
            grown = told_send(3, "noted", entries=[cut, second], calls=calls, messages=both, remote=lost.remote)
            grown = grown._replace(unsure=True, attempt=2)
            known = remote_of(await sink.send(grown, NOW))
            remote_of(await sink.send(grown._replace(remote=known, unsure=False, revision=4), NOW))

    run(test())
    [seen] = server.seen()
    assert seen.steps == ["run 1 level 1/ada", "run 1 level 2/grace"]
    whole = "\n".join(seen.notes)
    assert [whole.count(text) for text in ("it is the cache", "it is not", "We look.", "We see.")] == [1, 1, 1, 1]


def test_many_long_lines_become_several_replies_and_none_is_lost(server: SlackServer) -> None:
    entries = [entry(f"{number}: " + "<x>" * 1_000) for number in range(120)]

    async def test() -> None:
        async with slack(server) as sink:
            remote_of(await sink.send(told_send(entries=entries), NOW))

    run(test())
    [seen] = server.seen()
    lines = "\n".join(seen.notes).splitlines()
    assert [line.split("ada: ")[1].split(":")[0] for line in lines] == [str(number) for number in range(120)]


def test_after_an_unknown_outcome_the_message_is_found_on_a_later_page_among_those_of_others(
    server: SlackServer,
) -> None:
    async def test() -> None:
        async with slack(server) as sink:
            server.page = 3
            server.next_faults = ["silent"]
            assert (await sink.send(told_send(), NOW)).unknown
            for number in range(10):
                other = {"id": f"INC-{number}", "opened_at_ms": 1_772_590_000_000}
                remote_of(await sink.send(told_send(incident=other), NOW))
            server.channels[CHANNEL].append({"ts": "1772590000.999999", "text": "a person's words"})
            remote_of(await sink.send(told_send(unsure=True, entries=[entry("here")]), NOW))
            del server.channels[CHANNEL][-2]  # that of the person
            server.channels[CHANNEL] = [each for each in server.channels[CHANNEL] if "metadata" in each]

    run(test())
    assert [each.created for each in server.seen()] == [1] * 11


def test_of_a_message_that_somebody_deleted_it_is_said_that_it_is_gone_and_it_can_be_posted_again(
    server: SlackServer,
) -> None:
    async def test() -> None:
        async with slack(server) as sink:
            known = remote_of(await sink.send(told_send(), NOW))
            server.delete(known.id)
            taken = told_send(2, "acknowledged", incident={"state": "acknowledged"}, remote=known)
            answer = await sink.send(taken, NOW)
            assert (answer.outcome, answer.unknown) == ("retry", False)
            assert answer.remote is not None
            assert (answer.remote.id, answer.remote.state) == (known.id, "gone")
            again = remote_of(await sink.send(taken._replace(remote=None, attempt=2), NOW))
            assert (again.id != known.id, again.state) == (True, "acknowledged")

    run(test())
    assert len(server.roots()) == 1


def test_a_message_that_is_deleted_while_its_thread_is_written_is_gone_as_well(server: SlackServer) -> None:
    async def test() -> None:
        async with slack(server) as sink:
            known = remote_of(await sink.send(told_send(), NOW))
            server.delete(known.id)
            only_words = told_send(2, "noted", entries=[entry("still here")], remote=known)
            for unsure in (False, True):
                answer = await sink.send(only_words._replace(unsure=unsure), NOW)
                assert answer.remote is not None
                assert (answer.outcome, answer.remote.state) == ("retry", "gone")

    run(test())


def test_what_was_deleted_there_and_has_ended_here_stays_away(server: SlackServer) -> None:
    async def test() -> None:
        async with slack(server) as sink:
            gone = Remote(id="1772590000.000001", state="gone", extra={"channel": CHANNEL})
            last = told_send(4, "closed", incident={"state": "closed"}, remote=gone)
            assert remote_of(await sink.send(last, NOW)).state == "gone"

    run(test())
    assert server.journal == []


def test_the_channel_is_chosen_once_by_kind_priority_and_domain(server: SlackServer) -> None:
    channels = [{"channel": "C0MAJOR", "kinds": ["bridge"]}, {"channel": "C0OTHER", "priorities": ["P1"]}]

    async def test() -> None:
        async with slack(server, channels=channels) as sink:
            known = remote_of(await sink.send(told_send(), NOW))
            less = told_send(2, "updated", incident={"priority": "P3"}, remote=known)
            remote_of(await sink.send(less, NOW))
            major = {"id": "MI-1", "kind": "bridge", "members": ["INC-A", "INC-B"], "member_states": {"in_progress": 2}}
            linked = [{"member": "INC-A", "kind": "ticket", "id": "INC1", "state": "new", "url": None}]
            remote_of(await sink.send(told_send(incident={**major, "linked": linked}), NOW))
            remote_of(await sink.send(told_send(incident={"id": "INC-3", "priority": "P4"}), NOW))

    run(test())
    assert [about(each)["incident_id"] for each in server.roots("C0OTHER")] == ["INC-D5KZHUYBCD7C"]
    assert [about(each)["incident_id"] for each in server.roots()] == ["INC-3"]
    [major] = server.roots("C0MAJOR")
    assert "2 in progress\nINC-A · INC-B" in text_of(major)
    assert "• ticket INC1: new (INC-A)" in text_of(major)


def test_published_messages_and_a_proposal_are_told_in_the_thread(server: SlackServer) -> None:
    async def test() -> None:
        async with slack(server) as sink:
            remote_of(await sink.send(told_send(messages=[words("We are looking.")], propose=True), NOW))

    run(test())
    [seen] = server.seen()
    [note] = seen.notes
    assert "Told affected users: *Checkout is impaired* We are looking." in note
    assert "All alerts are clear." in note


@pytest.mark.parametrize(("notes", "count"), [("important", 1), ("all", 2), ("none", 0)])
def test_which_entries_are_told_is_configuration(server: SlackServer, notes: str, count: int) -> None:
    entries = [entry("a note"), entry("an episode joined", "join"), entry("ada is called", "page")]

    async def test() -> None:
        async with slack(server, notes=notes) as sink:
            remote_of(await sink.send(told_send(entries=entries), NOW))

    run(test())
    [seen] = server.seen()
    assert len("\n".join(seen.notes).splitlines()) == count


def test_a_snapshot_of_which_only_the_least_is_left_is_still_a_message(server: SlackServer) -> None:
    least = dict.fromkeys(["suspects", "clocks", "links", "tickets", "who_is_affected", "title", "priority"])

    async def test() -> None:
        async with slack(server) as sink:
            remote_of(await sink.send(told_send(incident=least), NOW))

    run(test())
    assert len(server.roots()) == 1

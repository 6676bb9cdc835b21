"""The mail sink against a real SMTP server: threads, refusals, encryption, and what is sent again."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.models.remote import Remote
from pipeline.models.sinks.streams import Mail
from pipeline.sinks.base import Answer, SinkError
from pipeline.sinks.limits import Buckets
from pipeline.sinks.mail import MailSink
from tests.gateway.signing import make_certificate, make_key
from tests.sinks.receivers import NOW, run
from tests.sinks.servers.mail import HOST, PASSWORD, USER, MailServer, text_of
from tests.sinks.telling import call, entry, told_send, words

TEAM, CHIEF = "team@acme.example", "chief@acme.example"


def made(port: int, password: str = PASSWORD, **fields: Any) -> MailSink:
    given = {"host": HOST, "port": port, "sender": "spillway@acme.example", "to": [TEAM], "security": "none", **fields}
    rules = Mail.model_validate({"name": "post", **given})
    return MailSink(rules, {"MAIL": password}, Buckets().of(rules))


@asynccontextmanager
async def mail(server: MailServer, **fields: Any) -> AsyncIterator[MailSink]:
    async with server.running():
        yield made(server.port, **fields)


def remote_of(answer: Answer) -> Remote:
    assert answer.outcome == "delivered", answer
    assert answer.remote is not None
    return answer.remote


def test_the_mails_of_an_incident_are_one_thread_of_one_subject() -> None:
    server = MailServer()

    async def test() -> None:
        async with mail(server) as sink:
            known = remote_of(await sink.send(told_send(), NOW))
            worse = {"state": "resolved", "title": "Checkout is down"}
            known = remote_of(await sink.send(told_send(2, "resolved", incident=worse, remote=known), NOW))
            assert known.state == "resolved"
            known = remote_of(await sink.send(told_send(3, "closed", incident={"state": "closed"}, remote=known), NOW))
            assert known.ended

    run(test())
    first, second, third = server.mails
    assert first["Subject"] == "[INC-D5KZHUYBCD7C] P1 Checkout: 12 % of checkout requests fail"
    assert second["Subject"] == third["Subject"] == f"Re: {first['Subject']}"
    assert first["In-Reply-To"] is None
    for reply in (second, third):
        assert reply["In-Reply-To"] == reply["References"] == first["Message-ID"]
    assert len({each["Message-ID"] for each in server.mails}) == 3
    assert "Priority P1, resolved" in text_of(second)


def test_a_mail_says_that_no_person_wrote_it_and_comes_as_text_and_as_html() -> None:
    server = MailServer()

    async def test() -> None:
        async with mail(server, reply_to="desk@acme.example") as sink:
            remote_of(await sink.send(told_send(entries=[entry("Überlast, 数据库 😀")], calls=[call()]), NOW))

    run(test())
    [got] = server.mails
    assert (got["From"], got["To"]) == ("Spillway <spillway@acme.example>", TEAM)
    assert (got["Auto-Submitted"], got["Precedence"]) == ("auto-generated", "bulk")
    assert (got["X-Auto-Response-Suppress"], got["Reply-To"]) == ("All", "desk@acme.example")
    assert got["Date"].datetime == NOW
    text = text_of(got)
    for line in (
        "Affected: about 18,000 users of Checkout",
        "- ada: level 1 of the path",
        "Since: 2026-03-04 02:06 UTC\r\nService: checkout",
        "- ticket INC0012345, new",
        "- vendor ticket CASE-12, open https://vendor.example/12",
        "ada: Überlast, 数据库 😀",
    ):
        assert line in text
    assert '<a href="https://vendor.example/12">' in text_of(got, "html")
    assert all(len(line) <= 998 for line in server.raw[0].split(b"\r\n"))
    assert server.raw[0].isascii()


@pytest.mark.parametrize(
    ("after", "mailed"),
    [
        ({}, False),
        ({"state": "acknowledged"}, False),
        ({"state": "mitigated"}, True),
        ({"state": "reopened"}, True),
        ({"state": "merged"}, True),
        ({"priority": "P2"}, True),
        ({"assignee": "ada"}, False),
    ],
)
def test_milestones_are_mailed_and_the_ledger_knows_the_rest(after: dict[str, Any], mailed: bool) -> None:
    server = MailServer()

    async def test() -> None:
        async with mail(server) as sink:
            known = remote_of(await sink.send(told_send(), NOW))
            last = remote_of(await sink.send(told_send(2, "updated", incident=after, remote=known), NOW))
            assert last.fields.get("assignee") == after.get("assignee")
            again = await sink.send(told_send(3, "updated", incident=after, remote=last), NOW)
            assert again.detail == "nothing to mail"

    run(test())
    assert len(server.mails) == 1 + mailed


def test_all_changes_are_mailed_where_that_is_asked_for() -> None:
    server = MailServer()

    async def test() -> None:
        async with mail(server, changes="all") as sink:
            known = remote_of(await sink.send(told_send(), NOW))
            remote_of(await sink.send(told_send(2, "updated", remote=known), NOW))

    run(test())
    assert len(server.mails) == 2


def test_who_is_called_gets_the_mail_of_the_call_once() -> None:
    server = MailServer()

    async def test() -> None:
        async with mail(server, addresses={"ada": "ada@acme.example"}) as sink:
            known = remote_of(await sink.send(told_send(), NOW))
            known = remote_of(await sink.send(told_send(2, "escalated", calls=[call(), call()], remote=known), NOW))
            again = await sink.send(told_send(3, "noted", calls=[call()], remote=known), NOW)
            assert again.detail == "nothing to mail"

    run(test())
    assert server.reached == [[TEAM], [TEAM, "ada@acme.example"]]
    assert text_of(server.mails[1]).count("- ada: level 1 of the path") == 1


def test_an_audience_gets_published_words_alone_and_does_not_see_who_else_does() -> None:
    server = MailServer()
    fields = {"to": [TEAM, CHIEF], "audience": "affected_users", "channel": "affected_users"}

    async def test() -> None:
        async with mail(server, **fields) as sink:
            nothing = await sink.send(told_send(entries=[entry("secret: the database")], calls=[call()]), NOW)
            assert (nothing.outcome, nothing.remote) == ("delivered", None)
            said = [words("We are looking."), words("Heads only.", "executives"), words("Second line.\nThird line.")]
            elsewhere = {**words("Another channel."), "page": "intranet"}
            told = told_send(2, "noted", messages=[*said, elsewhere], entries=[entry("secret: the database")])
            known = remote_of(await sink.send(told, NOW))
            remote_of(await sink.send(told_send(3, "noted", messages=[words("It works.")], remote=known), NOW))

    run(test())
    first, second = server.mails
    assert server.reached == [[TEAM, CHIEF]] * 2
    assert first["Subject"] == "Checkout is impaired"
    assert second["References"] == first["Message-ID"]
    for word in ("We are looking.", "Second line.", "Third line."):
        assert word in text_of(first)
    whole = b"".join(server.raw).decode()
    for internal in ("secret", "Heads", "Another", "INC-", "P1", "Owner", TEAM, CHIEF, "component:", "runbook", "ada"):
        assert internal not in whole


@pytest.mark.parametrize(
    ("answer", "outcome", "status", "unknown", "copies"),
    [
        ("451 4.3.0 later", "retry", 451, False, 1),
        ("554 5.7.1 spam", "rejected", 554, False, 1),
        ("drop", "retry", None, True, 1),
        ("lost", "retry", None, True, 2),
    ],
)
def test_what_becomes_of_the_mail_itself(
    answer: str, outcome: str, status: int | None, unknown: bool, copies: int
) -> None:
    server = MailServer()
    told = told_send(calls=[call()])

    async def test() -> None:
        async with mail(server) as sink:
            server.next_answers = [answer]
            first = await sink.send(told, NOW)
            assert (first.outcome, first.status, first.unknown) == (outcome, status, unknown)
            remote_of(await sink.send(told._replace(unsure=unknown, attempt=2, remote=first.remote), NOW))

    run(test())
    assert len(server.mails) == copies
    # A mailbox that has it already knows it by its id, and by its bytes.
    assert len({each["Message-ID"] for each in server.mails}) == 1
    assert len(set(server.raw)) == 1


def test_a_server_that_never_says_whether_it_has_the_mail_leaves_it_unknown() -> None:
    arrived = asyncio.Event()

    class Silent(MailServer):
        async def handle_DATA(self, *given: Any) -> str:  # noqa: N802  # the name that aiosmtpd looks for
            arrived.set()
            await asyncio.Event().wait()
            raise AssertionError("nobody sets this event")

    async def test() -> None:
        async with mail(Silent(), timeout_seconds=0.5) as sink:
            answer = await sink.send(told_send(), NOW)
            assert arrived.is_set()
            assert (answer.outcome, answer.unknown) == ("retry", True)

    run(test())


@pytest.mark.parametrize("priority", ["P1", None])
def test_who_is_refused_for_now_gets_it_later_and_nobody_gets_it_twice(priority: str | None) -> None:
    server = MailServer()
    told = told_send(incident={"priority": priority})

    async def test() -> None:
        async with mail(server, to=[TEAM, CHIEF]) as sink:
            server.refused = {CHIEF: "450 4.2.1 greylisted"}
            answer = await sink.send(told, NOW)
            assert (answer.outcome, answer.status, answer.unknown) == ("retry", 450, False)
            assert answer.remote is not None
            assert not answer.remote.ended
            server.refused = {}
            again = told._replace(remote=answer.remote, attempt=2)
            remote_of(await sink.send(again, NOW))

    run(test())
    assert server.reached == [[TEAM], [CHIEF]]
    assert len({each["Message-ID"] for each in server.mails}) == 1


def test_who_is_refused_for_good_is_named_by_number_and_the_others_have_it() -> None:
    server = MailServer()

    async def test() -> None:
        async with mail(server, to=[TEAM, CHIEF]) as sink:
            server.refused = {CHIEF: "550 5.1.1 no such user"}
            answer = await sink.send(told_send(), NOW)
            remote_of(answer)
            assert answer.detail == "1 recipients refused, the first with 550 5.1.1 no such user"

    run(test())
    assert server.reached == [[TEAM]]


@pytest.mark.parametrize(("code", "outcome"), [("550 no such user", "rejected"), ("451 later", "retry")])
def test_where_all_are_refused_nothing_is_sent(code: str, outcome: str) -> None:
    server = MailServer()

    async def test() -> None:
        async with mail(server, to=[TEAM, CHIEF]) as sink:
            server.refused = {CHIEF: "550 no such user", TEAM: code}
            answer = await sink.send(told_send(), NOW)
            assert (answer.outcome, answer.remote) == (outcome, None)

    run(test())
    assert server.mails == []


def test_a_sender_that_is_refused_loses_nothing() -> None:
    server = MailServer()

    async def test() -> None:
        async with mail(server) as sink:
            server.sender_answer = "550 5.7.60 not allowed to send as this sender"
            answer = await sink.send(told_send(), NOW)
            assert (answer.outcome, answer.status, answer.unknown) == ("retry", 550, False)

    run(test())


def test_a_server_that_is_not_there_is_tried_again_and_its_address_stays_unsaid() -> None:
    async def test() -> None:
        with socket.socket() as free:
            free.bind((HOST, 0))
            answer = await made(free.getsockname()[1]).send(told_send(), NOW)
        assert (answer.outcome, answer.unknown) == ("retry", False)
        assert HOST not in answer.detail

    run(test())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    place = tmp_path_factory.mktemp("certificate")
    key = make_key(place, "mail")
    path = make_certificate(place, "mail", key, HOST)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key)
    return path, context


# The server does not know that its connections are encrypted from the start.
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_password_goes_only_over_a_connection_whose_certificate_is_trusted(
    certificate: tuple[Path, ssl.SSLContext], security: str
) -> None:
    path, context = certificate
    server = MailServer()
    login = {"user": USER, "secret_env": "MAIL", "security": security}

    async def test() -> None:
        async with server.running(context, from_the_start=security == "tls", login=True):
            remote_of(await made(server.port, ca_file=str(path), **login).send(told_send(), NOW))
            stranger = await made(server.port, **login).send(told_send(), NOW)
            assert (stranger.outcome, stranger.status) == ("retry", None)
            wrong = await made(server.port, "another-password", ca_file=str(path), **login).send(told_send(), NOW)
            assert (wrong.outcome, wrong.status) == ("retry", 535)
            assert "another-password" not in wrong.detail

    run(test())
    assert len(server.mails) == len(server.logged_in) == 1


def test_a_server_that_offers_no_encryption_gets_nothing() -> None:
    server = MailServer()

    async def test() -> None:
        async with server.running():
            answer = await made(server.port, security="starttls").send(told_send(), NOW)
            assert (answer.outcome, answer.unknown) == ("retry", False)

    run(test())
    assert server.mails == []


def test_certificates_that_cannot_be_read_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")

    async def test() -> None:
        for path in ("ca.pem", "missing.pem"):
            with pytest.raises(SinkError, match="sink post: ca_file must be"):
                made(25, security="tls", ca_file=str(tmp_path / path))

    run(test())


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"user": "spillway"}, "to log in takes both"),
        ({"secret_env": "MAIL"}, "to log in takes both"),
        ({"user": "spillway", "secret_env": "MAIL", "security": "none"}, "not sent in the clear"),
        ({"audience": "public", "addresses": {"ada": "ada@acme.example"}}, "calls are internal"),
        ({"channel": "status"}, "of an audience"),
        ({"to": []}, "at least 1"),
        ({"to": ["Ada <ada@acme.example>"]}, "must be a mail address"),
        ({"to": ["ada@acme.example\r\nBcc: x@evil.example"]}, "must be a mail address"),
        ({"sender": "spillway"}, "must be a mail address"),
        ({"host": "mail.example\nx"}, "match pattern"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(fields: dict[str, Any], said: str) -> None:
    given = {"name": "post", "host": HOST, "sender": "spillway@acme.example", "to": [TEAM], "security": "starttls"}
    with pytest.raises(ValueError, match=said):
        Mail.model_validate({**given, **fields})

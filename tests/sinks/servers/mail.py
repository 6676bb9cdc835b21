"""A mail server on this machine: real SMTP, with mailboxes, and refusals and silences that can be asked for.

The faults of every downstream come here as a mail server has them: 451 before anything has happened, and a connection
that breaks off once it has the mail.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, Self

from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from pipeline.models.remote import STATES, RemoteState
from tests.sinks.servers.base import Seen, VendorServer

HOST = "localhost"
USER, PASSWORD = "spillway", "the-password-of-mail"


_SUBJECT = re.compile(r"\[((?:INC|MI)-[^\]]+)\]")
_STATE = re.compile(r"^Priority (\S+), (\w+(?: \w+)?)", re.MULTILINE)
_REVISION = re.compile(r"revision (\d+)")


class MailServer(VendorServer):
    """One server. ``async with server.running()``.

    Attributes:
        mails: what it has taken, in order.
        reached: to whom, of each.
        refused: recipient -> what is answered to it.
        next_answers: to the next mails themselves, in order: a reply, ``drop`` before it has happened, ``lost`` after.
        sender_answer: to ``MAIL FROM``; "" takes it.
        connections: how many there were.
        url: host and port.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.token = PASSWORD
        self.mails: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.reached: list[list[str]] = []
        self.refused: dict[str, str] = {}
        self.next_answers: list[str] = []
        self.sender_answer = ""
        self.connections = 0
        self.logged_in: list[str] = []
        self.port = 0

    @asynccontextmanager
    async def running(
        self, tls: ssl.SSLContext | None = None, *, from_the_start: bool = False, login: bool = False
    ) -> AsyncIterator[Self]:
        """Serve on a free port. ``tls``: its certificate, for STARTTLS, or for all of it ``from_the_start``."""
        loop = asyncio.get_running_loop()

        def made() -> SMTP:
            self.connections += 1
            return SMTP(
                self,
                hostname=HOST,
                tls_context=None if from_the_start else tls,
                require_starttls=tls is not None and not from_the_start,
                authenticator=self._authenticate if login else None,
                auth_required=login,
                auth_require_tls=not from_the_start,
                loop=loop,
            )

        server = await loop.create_server(made, HOST, 0, ssl=tls if from_the_start else None)
        self.port = server.sockets[0].getsockname()[1]
        self.url = f"{HOST}:{self.port}"
        try:
            yield self
        finally:
            server.close()

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        if not isinstance(data, LoginPassword) or (data.login, data.password) != (USER.encode(), PASSWORD.encode()):
            return AuthResult(success=False, handled=False)
        self.logged_in.append(mechanism)
        return AuthResult(success=True)

    async def handle_MAIL(  # noqa: N802  # the name that aiosmtpd looks for
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.down:
            return self._abort(server)
        if self.token != PASSWORD:
            return "530 5.7.0 not with that password any more"
        if self._over_the_rate():
            return "450 4.7.1 too many mails"
        if self.sender_answer:
            return self.sender_answer
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802  # as above
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # as above
        answer = self.next_answers.pop(0) if self.next_answers else _FAULTS[self._fault()]
        if answer not in {"", "lost"}:
            return self._abort(server) if answer == "drop" else answer
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=default)
        assert isinstance(message, EmailMessage)
        self.raw.append(content)
        self.mails.append(message)
        self.reached.append(list(envelope.rcpt_tos))
        return self._abort(server) if answer == "lost" else "250 taken"

    async def handle(self, request: web.Request, body: bytes) -> web.StreamResponse:
        raise AssertionError("it speaks no HTTP")

    def seen(self) -> list[Seen]:
        """The threads, as a mailbox shows them: a mail of an id that is there already is not shown."""
        return [self._seen(incident_id, mails) for incident_id, mails in self._threads().items()]

    def disorder(self) -> list[str]:
        threads = self._threads()
        revisions = {key: [int(_found(_REVISION, each)[1]) for each in mails] for key, mails in threads.items()}
        return [key for key, numbers in revisions.items() if numbers != sorted(numbers)]

    def _threads(self) -> dict[str, list[EmailMessage]]:
        shown = {str(each["Message-ID"]): each for each in reversed(self.mails)}
        threads: dict[str, list[EmailMessage]] = {}
        for each in reversed(shown.values()):
            found = _SUBJECT.search(str(each["Subject"]))
            assert found is not None
            threads.setdefault(found[1], []).append(each)
        return threads

    def _seen(self, incident_id: str, mails: list[EmailMessage]) -> Seen:
        priority, state = _found(_STATE, mails[-1]).groups()
        known = "merged" if state.startswith("merged") else state.replace(" ", "_")
        return Seen(
            incident_id=incident_id,
            id=str(mails[0]["Message-ID"]),
            state=STATES.get(known, RemoteState.OPEN),
            title=str(mails[0]["Subject"]),
            priority=priority,
            notes=[text_of(each) for each in mails],
            created=sum(each["In-Reply-To"] is None for each in mails),
        )

    def _abort(self, server: SMTP) -> str:
        transport = server.transport
        assert isinstance(transport, asyncio.Transport)
        transport.abort()
        return "250 nobody hears this"


_FAULTS = {
    "": "",
    "before": "451 4.3.0 try again later",
    "after": "lost",
    "silent": "lost",
    "silent-before": "drop",
    "401": "451 4.7.0 try again later",
}
"""Faults of every downstream -> what becomes of the mail here."""


def _found(pattern: re.Pattern[str], mail: EmailMessage) -> re.Match[str]:
    found = pattern.search(text_of(mail))
    assert found is not None, text_of(mail)
    return found


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    """The plain or the HTML text of a mail."""
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content())

"""A mail server on this machine: real SMTP, with mailboxes, and refusals and silences that can be asked for."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

HOST = "localhost"
USER, PASSWORD = "spillway", "the-password-of-mail"


class MailServer:
    """One server. ``async with server.running()``.

    Attributes:
        mails: what it has taken, in order.
        reached: to whom, of each.
        refused: recipient -> what is answered to it.
        next_answers: to the next mails themselves, in order: a reply, ``drop`` before it has happened, ``lost`` after.
        sender_answer: to ``MAIL FROM``; "" takes it.
        connections: how many there were.
    """

    def __init__(self) -> None:
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
        answer = self.next_answers.pop(0) if self.next_answers else ""
        if answer not in {"", "lost"}:
            return self._drop(server) if answer == "drop" else answer
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=default)
        assert isinstance(message, EmailMessage)
        self.raw.append(content)
        self.mails.append(message)
        self.reached.append(list(envelope.rcpt_tos))
        return self._drop(server) if answer == "lost" else "250 taken"

    def _drop(self, server: SMTP) -> str:
        transport = server.transport
        assert isinstance(transport, asyncio.Transport)
        transport.abort()
        return "250 nobody hears this"


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    """The plain or the HTML text of a mail."""
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content())

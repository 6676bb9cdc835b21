"""The mail sink: one thread an incident, by SMTP (RFC 5321).

Nobody can ask a mail server whether it has delivered a mail. So where the answer to the mail itself is lost, it is sent
again under the same ``Message-ID``, and a mailbox that knows that id shows it once. Until the server has begun to take
the mail nothing has happened, and what it refuses by recipient is sent again to those alone.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, NamedTuple

import aiosmtplib

from pipeline.core.identity import content_hash
from pipeline.core.outward.send import Send
from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.remote import STEPS_KEPT_MAX, Remote
from pipeline.models.sinks.streams import Mail
from pipeline.sinks import mail_words as words
from pipeline.sinks.base import Answer, SinkClient, SinkError, Trouble
from pipeline.sinks.last_told import last_told
from pipeline.sinks.limits import Bucket
from pipeline.sinks.told import Call, Told, told

NOTABLE: Final = frozenset({"mitigated", "resolved", "reopened", "closed", "merged", "cancelled"})
"""States that are mailed when they are new."""

DONE: Final = 250
PERMANENT: Final = 500
"""SMTP: what it says to a mail that it has taken, and from where on a refusal is for good."""

SAID_CHARACTERS_MAX: Final = 200
"""Of what the server says: a line or two."""


class _Post(NamedTuple):
    """What is to be mailed.

    Attributes:
        calls: keys of the calls in it.
    """

    letter: words.Letter
    recipients: tuple[str, ...]
    calls: tuple[str, ...] = ()


class MailSink(SinkClient):
    """One server, one sender. A connection a mail: a mail server closes what is idle, and mails are few."""

    def __init__(self, rules: Mail, secrets: Mapping[str, str], bucket: Bucket) -> None:
        """Describe; nothing connects yet.

        Args:
            rules: the configuration.
            secrets: the password, by the name of its variable.
            bucket: of the server.

        Raises:
            SinkError: the certificates cannot be read.
        """
        self._rules = rules
        self._password = secrets[rules.secret_env] if rules.secret_env else None
        self._bucket = bucket
        self._tls = _tls(rules)
        if self._password is not None:
            login = f"\0{rules.user}\0{self._password}"  # as it is sent, RFC 4616
            bucket.secrets.learn([self._password, login])

    async def send(self, send: Send, now: datetime) -> Answer:
        """Mail what is notable to whom has not got it yet."""
        said = told(send.body)
        extra = dict(send.remote.extra) if send.remote is not None else {}
        begun = extra.get("delivery") == send.delivery_id
        post = self._post(said, extra, begun=begun)
        if post is None:
            remote = last_told(send, said, extra) if send.remote is not None else None
            return Answer(DeliveryOutcome.DELIVERED, detail="nothing to mail", remote=remote)
        reached: list[str] = list(extra.get("reached", ())) if begun else []
        waiting = tuple(each for each in post.recipients if _digest(each) not in reached)
        message, thread = self._message(send, post, extra, now)
        await self._bucket.take(send.rank)
        try:
            refused = await self._transmit(message, waiting)
        except Trouble as trouble:
            return trouble.answer
        extra |= thread | {"delivery": send.delivery_id}
        extra["reached"] = [*reached, *(_digest(each) for each in waiting if each not in refused)]
        if not extra["reached"]:
            return self._refused(refused)
        if any(code < PERMANENT for code, _ in refused.values()):
            # Not all have it, so the state stays the one before.
            before = send.remote or Remote(id=send.incident_id)
            return self._refused(refused)._replace(remote=replace(before, extra=extra))
        extra |= {"state": said.state, "priority": said.incident.get("priority")}
        extra["calls"] = [*extra.get("calls", ()), *post.calls][-STEPS_KEPT_MAX:]
        detail = self._words(refused) if refused else ""
        return Answer(DeliveryOutcome.DELIVERED, DONE, detail, remote=last_told(send, said, extra))

    async def check(self) -> str:
        """Log in and name the sender; no recipient is named, so nothing is sent."""
        smtp = self._smtp()
        try:
            await self._begin(smtp, ())
            with suppress(aiosmtplib.SMTPException, OSError):
                await smtp.quit()
        finally:
            smtp.close()
        return f"mail from {self._rules.sender} is taken"

    async def close(self) -> None:
        """Nothing stays connected."""

    def _post(self, said: Told, extra: Mapping[str, Any], *, begun: bool) -> _Post | None:
        """What is to be mailed; None: nothing. ``begun``: some have got it."""
        rules = self._rules
        if rules.audience:
            messages = [each for each in said.messages if each.audience == rules.audience]
            shown = [each for each in messages if not rules.channel or each.page == rules.channel]
            return _Post(words.to_audience(shown), rules.to) if shown else None
        made = set(extra.get("calls", ()))
        calls = [call for call in _unique(said.calls) if call.key not in made]
        if not (begun or calls or rules.changes == "all" or _notable(said, extra)):
            return None
        called = [rules.addresses[call.person] for call in calls if call.person in rules.addresses]
        recipients = tuple(dict.fromkeys([*rules.to, *called]))
        return _Post(words.to_responders(said, calls, rules.name), recipients, tuple(call.key for call in calls))

    def _message(
        self, send: Send, post: _Post, extra: Mapping[str, Any], now: datetime
    ) -> tuple[bytes, dict[str, str]]:
        """The bytes of a mail, and what is remembered of its thread."""
        identity = words.message_id(send.delivery_id, self._rules)
        root = str(extra.get("root", identity))
        # Many programs make a thread of one subject only, so it stays what it was at first.
        subject = words.plain(extra.get("subject") or post.letter.subject, words.SUBJECT_CHARACTERS_MAX)
        letter = post.letter if self._rules.audience else post.letter._replace(subject=subject)
        message = words.mail(letter, self._rules, identity, root, now)
        return message.as_bytes(), {"root": root, "subject": subject}

    async def _transmit(self, message: bytes, recipients: tuple[str, ...]) -> dict[str, tuple[int, str]]:
        """Hand a mail over; who is refused, with the code and the words of the server.

        Raises:
            Trouble: nobody gets it now, or it is not known whether they do.
        """
        if not recipients:
            return {}
        smtp = self._smtp()
        try:
            refused = await self._begin(smtp, recipients)
            if len(refused) < len(recipients):
                await self._content(smtp, message)
            with suppress(aiosmtplib.SMTPException, OSError):  # it has the mail: a farewell changes nothing
                await smtp.quit()
        finally:
            smtp.close()
        return refused

    def _smtp(self) -> aiosmtplib.SMTP:
        rules = self._rules
        return aiosmtplib.SMTP(
            hostname=rules.host,
            port=rules.port,
            local_hostname=rules.sender.rpartition("@")[2],
            timeout=rules.timeout_seconds,
            use_tls=rules.security == "tls",
            start_tls=rules.security == "starttls",
            tls_context=self._tls,
            username=rules.user,
            password=self._password,
        )

    async def _begin(self, smtp: aiosmtplib.SMTP, recipients: tuple[str, ...]) -> dict[str, tuple[int, str]]:
        """Up to the mail itself: until then nothing has happened there.

        Raises:
            Trouble: it takes no mail of ours now.
        """
        refused = {}
        try:
            await smtp.connect()
            await smtp.mail(self._rules.sender)
            for recipient in recipients:
                try:
                    await smtp.rcpt(recipient)
                except aiosmtplib.SMTPRecipientRefused as error:
                    refused[recipient] = (error.code, error.message)
        except aiosmtplib.SMTPResponseException as error:
            # Who we are or what we may send from is refused: a person has to repair it, and nothing is lost until then.
            raise Trouble(self._answer(DeliveryOutcome.RETRY, error.code, error.message)) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            # The text of the error may quote addresses inside the network.
            said = f"cannot connect, secure it or log in: {type(error).__name__}"
            raise Trouble(Answer(DeliveryOutcome.RETRY, detail=said)) from None
        return refused

    async def _content(self, smtp: aiosmtplib.SMTP, message: bytes) -> None:
        """The mail itself, and the server's word that it has it.

        Raises:
            Trouble: it does not take it, or its word was lost.
        """
        try:
            await smtp.data(message)
        except aiosmtplib.SMTPResponseException as error:
            outcome = DeliveryOutcome.REJECTED if error.code >= PERMANENT else DeliveryOutcome.RETRY
            raise Trouble(self._answer(outcome, error.code, error.message)) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            said = f"no word whether it has the mail: {type(error).__name__}"
            raise Trouble(Answer(DeliveryOutcome.RETRY, detail=said, unknown=True)) from None

    def _refused(self, refused: Mapping[str, tuple[int, str]]) -> Answer:
        """Of those that are refused, one that may pass later makes it worth another attempt."""
        codes = [code for code, _ in refused.values()]
        for_good = all(code >= PERMANENT for code in codes)
        outcome = DeliveryOutcome.REJECTED if for_good else DeliveryOutcome.RETRY
        return Answer(outcome, min(codes), self._words(refused))

    def _words(self, refused: Mapping[str, tuple[int, str]]) -> str:
        code, said = next(iter(refused.values()))
        return self._shown(f"{len(refused)} recipients refused, the first with {code} {said}")

    def _answer(self, outcome: DeliveryOutcome, code: int, said: str) -> Answer:
        return Answer(outcome, code if code > 0 else None, self._shown(f"{code} {said}"))

    def _shown(self, text: str) -> str:
        return self._bucket.secrets.shown(text, SAID_CHARACTERS_MAX)


def _tls(rules: Mail) -> ssl.SSLContext | None:
    """Verifies the server's certificate and name.

    Raises:
        SinkError: the certificates cannot be read.
    """
    if rules.security == "none":
        return None
    try:
        return ssl.create_default_context(cafile=rules.ca_file or None)
    except (OSError, ssl.SSLError):
        raise SinkError(f"sink {rules.name}: ca_file must be a file of certificates in PEM") from None


def _notable(said: Told, extra: Mapping[str, Any]) -> bool:
    if "root" not in extra:
        return True  # the first that they hear of it
    new = said.state in NOTABLE and said.state != extra.get("state")
    return new or said.incident.get("priority") != extra.get("priority")


def _unique(calls: list[Call]) -> list[Call]:
    return list({call.key: call for call in calls}.values())


def _digest(address: str) -> str:
    """An address as it is remembered: nobody's address stands in a topic for that."""
    return content_hash(address)[:12]

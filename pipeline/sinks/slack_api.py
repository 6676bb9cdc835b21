"""The Web API of Slack: what its answers mean, and pages of messages.

Slack answers most failures with status 200 and ``"ok": false``. Sources: the "Errors" of
https://docs.slack.dev/reference/methods/chat.postMessage, ``chat.update`` and ``conversations.history``;
https://docs.slack.dev/apis/web-api/pagination.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from pipeline.models.delivery import DeliveryOutcome
from pipeline.sinks.base import Answer, Trouble
from pipeline.sinks.http import PAUSE_SECONDS_DEFAULT, Http
from pipeline.sinks.limits import Bucket

GONE: Final = frozenset({"message_not_found", "thread_not_found"})
"""Somebody has deleted the message."""

TOO_MANY: Final = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})

WRONG: Final = frozenset(
    {
        "block_mismatch",
        "invalid_arguments",
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_metadata_format",
        "invalid_metadata_schema",
        "metadata_must_be_sent_from_app",
        "metadata_too_large",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_text",
        "slack_connect_blocked_file_type",
    }
)
"""What we say is wrong: the same words never pass."""

PERHAPS_DONE: Final = frozenset({"fatal_error", "internal_error", "request_timeout"})
"""Of these Slack says that some of it may have happened."""

STATUSES: Final[Mapping[str, HTTPStatus]] = {
    "account_inactive": HTTPStatus.UNAUTHORIZED,
    "fatal_error": HTTPStatus.INTERNAL_SERVER_ERROR,
    "internal_error": HTTPStatus.INTERNAL_SERVER_ERROR,
    "invalid_auth": HTTPStatus.UNAUTHORIZED,
    "missing_scope": HTTPStatus.FORBIDDEN,
    "not_authed": HTTPStatus.UNAUTHORIZED,
    "request_timeout": HTTPStatus.INTERNAL_SERVER_ERROR,
    "service_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "token_expired": HTTPStatus.UNAUTHORIZED,
    "token_revoked": HTTPStatus.UNAUTHORIZED,
}
"""The status that others say it by: the breaker holds back what cannot pass until a person has renewed a token."""

ADVICE: Final[Mapping[str, str]] = {
    "account_inactive": "the app's user was removed: install the app again and renew the token",
    "cant_update_message": "another app posted it: use the token of the app that did",
    "channel_not_found": "the id is wrong, or the app was not invited into a private channel",
    "invalid_auth": "the token is not valid: renew it",
    "is_archived": "the channel is archived: name another one",
    "missing_scope": "the app needs the scopes chat:write, channels:history and groups:history",
    "not_authed": "there is no token",
    "not_in_channel": "invite the app into the channel",
    "token_expired": "renew the token",
    "token_revoked": "renew the token",
}
"""What a person has to do. Everything that is not known to be wrong in itself is tried again until that is done."""

ERROR_CHARACTERS_MAX: Final = 100

PAGE_MESSAGES: Final = 200
"""Slack recommends no more than 200 a page."""

PAGES_MAX: Final = 25
"""5,000 messages, newest first: more are not posted to one channel between an attempt and the next."""


class SlackApi:
    """Calls of one app."""

    def __init__(self, http: Http, bucket: Bucket, url: str) -> None:
        """Describe; nothing connects yet.

        Args:
            http: with the token in its headers.
            bucket: paused where Slack asks for it in words.
            url: where the methods are.
        """
        self._http = http
        self._bucket = bucket
        self._url = url.rstrip("/")

    async def write(self, method: str, arguments: Mapping[str, Any], rank: int) -> dict[str, Any]:
        """Call a method that changes something.

        Raises:
            Trouble: it did not, or perhaps did.
        """
        # Without the character set Slack warns in each answer.
        headers = {"Content-Type": "application/json; charset=utf-8"}
        reply = await self._http.call("POST", f"{self._url}/{method}", json=dict(arguments), headers=headers, rank=rank)
        return self._judged(method, reply.data, writes=True)

    async def read(self, method: str, arguments: Mapping[str, str], rank: int) -> dict[str, Any]:
        """Call a method that changes nothing.

        Raises:
            Trouble: no answer.
        """
        reply = await self._http.call("GET", f"{self._url}/{method}", params=arguments, rank=rank)
        return self._judged(method, reply.data, writes=False)

    async def messages(self, method: str, arguments: Mapping[str, str], rank: int) -> AsyncIterator[dict[str, Any]]:
        """Messages of a channel or of a thread with their metadata, page after page.

        Raises:
            Trouble: no answer.
        """
        asked = {**arguments, "include_all_metadata": "true", "limit": str(PAGE_MESSAGES)}
        for _ in range(PAGES_MAX):
            page = await self.read(method, asked, rank)
            messages, metadata = page.get("messages"), page.get("response_metadata")
            if not isinstance(messages, list):  # to take it for "none" would post it twice
                words = f"Slack: {method}: the answer holds no messages"
                raise Trouble(Answer(DeliveryOutcome.RETRY, HTTPStatus.OK, words))
            for message in messages:
                if isinstance(message, dict):
                    yield message
            cursor = metadata.get("next_cursor") if isinstance(metadata, dict) else None
            if not isinstance(cursor, str) or not cursor or cursor == asked.get("cursor"):
                return
            asked["cursor"] = cursor

    def _judged(self, method: str, data: Any, *, writes: bool) -> dict[str, Any]:
        if not isinstance(data, dict) or not isinstance(data.get("ok"), bool):
            words = f"Slack: {method}: no answer of the Web API"
            raise Trouble(Answer(DeliveryOutcome.RETRY, HTTPStatus.OK, words, unknown=writes))
        if data["ok"]:
            return data
        word = self._bucket.secrets.shown(str(data.get("error", "")), ERROR_CHARACTERS_MAX)
        if word in GONE:
            raise Gone(_answer(DeliveryOutcome.RETRY, method, word))
        if word in TOO_MANY:
            self._bucket.pause(PAUSE_SECONDS_DEFAULT)
        outcome = DeliveryOutcome.REJECTED if word in WRONG else DeliveryOutcome.RETRY
        raise Trouble(_answer(outcome, method, word)._replace(unknown=writes and word in PERHAPS_DONE))


class Gone(Trouble):
    """The message is not there any more."""


def _answer(outcome: DeliveryOutcome, method: str, word: str) -> Answer:
    advice = ADVICE.get(word)
    return Answer(
        outcome, STATUSES.get(word, HTTPStatus.OK), f"Slack: {method}: {word}" + (f": {advice}" if advice else "")
    )

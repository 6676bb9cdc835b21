"""What all status pages have in common: which messages are said, once each, and that none stays open for ever.

A page's own sink says how a message is said there. Whatever it has done is known after each request, so that an
attempt which fails half-way goes on where it stopped.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from pipeline.core.outward.send import Send
from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.remote import Remote, RemoteState
from pipeline.models.sinks.status_pages import Notify, Published, StatusPage
from pipeline.sinks.base import Answer, SinkClient, SinkError, Trouble
from pipeline.sinks.http import Http, Reply, by_the_api
from pipeline.sinks.limits import Bucket
from pipeline.sinks.status_page_words import RESOLVED, Post, closing, posts, remote_state, same
from pipeline.sinks.ticket_words import is_plain
from pipeline.sinks.told import Told, told

_PRINTABLE: Final = range(0x21, 0x7F)


class Said(NamedTuple):
    """A message as it stands there."""

    id: str
    status: str
    text: str


class There(NamedTuple):
    """An incident as it stands there.

    Attributes:
        remote: None: there is none.
        news: what was said there since we last knew, oldest first.
    """

    remote: Remote | None
    news: list[Said]


class Spoken(NamedTuple):
    """What is there after a message was said.

    Attributes:
        news: what was found there beyond it, said by an attempt that we never heard of.
    """

    remote: Remote
    news: Sequence[Said] = ()


class PageSink(SinkClient):
    """A sink that publishes the messages of an incident."""

    notify: Notify = "states"

    def __init__(self, rules: Published) -> None:
        """Take the configuration; nothing connects yet."""
        self.published = rules

    async def send(self, send: Send, now: datetime) -> Answer:
        """Make one attempt. ``now``: aware."""
        progress = _Progress(send.remote)
        try:
            await self._tell(send, told(send.body), progress, now)
        except Trouble as trouble:
            return trouble.answer._replace(remote=progress.news)
        return Answer(DeliveryOutcome.DELIVERED, remote=progress.news)

    async def _tell(self, send: Send, about: Told, progress: _Progress, now: datetime) -> None:
        # By what was known before the attempts, so that each of them has the same to say.
        wanted = posts(self.published, about, send.remote, self.notify)
        news: list[Said] = []
        if send.unsure:
            progress.remote, news = await self.there(send, send.remote)
        for post in wanted:
            known = taken(news, post, self.shown(post.text))
            if known is not None and progress.remote is not None:
                progress.remote = remembering(progress.remote, post, update=known.id)
            else:
                progress.remote, more = await self.say(send, about, progress.remote, post, now)
                news = [*news, *more]
        last = closing(self.published, about, progress.remote)
        if last is not None:
            progress.remote, _ = await self.say(send, about, progress.remote, last, now)
        if progress.remote is not None:
            progress.remote = await self.settle(send, about, progress.remote)

    @abstractmethod
    async def there(self, send: Send, remote: Remote | None) -> There:
        """What is there, after an attempt that may have taken effect.

        Raises:
            Trouble: it could not be looked up.
        """

    @abstractmethod
    async def say(self, send: Send, about: Told, remote: Remote | None, post: Post, now: datetime) -> Spoken:
        """Say one message there; where there is nothing to say it on, something is made.

        Raises:
            Trouble: it was not done, or nobody knows.
        """

    async def settle(self, send: Send, about: Told, remote: Remote) -> Remote:
        """Make the rest of it fit, without a word.

        Raises:
            Trouble: it was not done, or nobody knows.
        """
        del send, about
        return remote

    def shown(self, text: str) -> str:
        """A text as it is sent there."""
        return text


class _Progress:
    """What is known of the record there so far."""

    def __init__(self, remote: Remote | None) -> None:
        self._before = remote
        self.remote = remote

    @property
    def news(self) -> Remote | None:
        """What is known now, where that is another thing than before."""
        return self.remote if self.remote != self._before else None


def taken(news: list[Said], post: Post, text: str) -> Said | None:
    """The message, where it has been said already; it is taken, as the next one may have the same words."""
    for index, each in enumerate(news):
        if each.status == post.status and same(each.text, text):
            del news[: index + 1]
            return each
    return None


def remembering(remote: Remote, post: Post, **more: Any) -> Remote:
    """The record after a message was said on it. ``more``: what the page's own sink has to remember beside it."""
    memory = {"page": post.page, "number": post.number, "status": post.status, "name": post.name}
    return in_status(replace(remote, extra={**remote.extra, **memory, **more}), post.status)


def in_status(remote: Remote, status: str) -> Remote:
    """The record in a status there."""
    state = remote_state(status)
    return replace(remote, state=state, fields={"state": str(state)})


def gone(remote: Remote) -> Remote:
    """The record after somebody has deleted it there. What it held down is still down."""
    kept = remote.extra
    left = {**kept.get("left", {}), **kept.get("components", {})}
    extra = {**kept, "status": RESOLVED, "components": {}, "left": left, "update": ""}
    return replace(remote, state=RemoteState.GONE, fields={"state": str(RemoteState.GONE)}, extra=extra)


def record_of(reply: Reply, *path: str) -> Mapping[str, Any]:
    """The record that an answer holds, at a path in it.

    Raises:
        Trouble: it holds none; whether what was asked for was done, nobody knows.
    """
    found: Any = reply.data
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    by_the_api(reply)
    if not isinstance(found, dict) or not isinstance(found.get("id"), str) or not is_plain(found["id"]):
        raise Trouble(Answer(DeliveryOutcome.RETRY, reply.status, "the answer holds no incident", unknown=True))
    return found


def _checked_key(name: str, variable: str, key: str) -> str:
    """A key that can stand in a header.

    Raises:
        SinkError: it cannot.
    """
    if not key or any(ord(each) not in _PRINTABLE for each in key):
        raise SinkError(f"sink {name}: {variable} must hold an API key: printable characters without spaces")
    return key


def page_http(rules: StatusPage, secrets: Mapping[str, str], bucket: Bucket, scheme: str) -> Http:
    """Requests of a page's API, with its key. Nothing connects yet.

    Args:
        rules: the configuration.
        secrets: the API key, by the name of its variable.
        bucket: of the key.
        scheme: what stands before the key in ``Authorization``.

    Raises:
        SinkError: the key cannot be one.
    """
    key = _checked_key(rules.name, rules.secret_env, secrets[rules.secret_env])
    return Http(rules, bucket, {"Authorization": f"{scheme} {key}"})

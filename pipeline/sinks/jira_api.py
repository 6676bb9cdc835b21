"""Jira's REST API version 3, as far as it is used: issues, transitions, comments, links, searches.

Facts (Atlassian's OpenAPI description "The Jira Cloud platform REST API", its pages "Search and reconcile" and "Rate
limiting"): texts of several lines are documents (Atlassian Document Format); ``/search/jql`` shows a new issue some
seconds to minutes late, and can be asked for certain ids (``reconcileIssues``) but for no others; ``/issue/bulkfetch``
reads the issues themselves; a status is changed by a transition alone, and which there are depends on the status; 429
comes with ``Retry-After`` or ``X-RateLimit-Reset``.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.sinks.jira import Jira
from pipeline.sinks.base import Answer, Trouble
from pipeline.sinks.http import ANSWER_CHARACTERS_SHOWN, Http, Reply
from pipeline.sinks.limits import Bucket
from pipeline.sinks.ticket_words import is_plain

Issue = Mapping[str, Any]

KEYS_AT_ONCE: Final = 100
"""Issues that one request for many may name."""

COMMENTS_LOOKED_AT: Final = 100
"""Newest comments among which one of ours is looked for; people do not write more between two attempts."""


class Page(NamedTuple):
    """One page of a search; ``token`` asks for the next one, None: there is none."""

    issues: list[Issue]
    token: str | None


class Invalid(Trouble):
    """Jira refuses a request. ``fields``: names of those that it refuses it for."""

    def __init__(self, answer: Answer, fields: frozenset[str]) -> None:
        super().__init__(answer)
        self.fields = fields


class Issues:
    """The issues of one site."""

    def __init__(self, rules: Jira, secret: str, bucket: Bucket) -> None:
        credential = b64encode(f"{rules.user}:{secret}".encode()).decode()
        headers = {"Authorization": f"Basic {credential}", "Accept": "application/json"}
        self._http = Http(rules, bucket, headers)
        self._base = f"{rules.url.rstrip('/')}/rest/api/3"

    async def search(
        self, jql: str, fields: Sequence[str], *, token: str | None = None, limit: int = 50, rank: int = 0
    ) -> Page:
        """One page of what a query finds, as far as the index knows yet."""
        params = {"jql": jql, "fields": ",".join(fields), "maxResults": str(limit)}
        reply = await self._call("GET", "/search/jql", params=params | _token(token), rank=rank)
        following = reply.mapping.get("nextPageToken")
        return Page(_issues(reply)[:limit], str(following) if following else None)

    async def fetch(self, keys: Sequence[str], fields: Sequence[str], *, rank: int = 0) -> list[Issue]:
        """Those of the issues that exist, whatever the index knows."""
        json = {"issueIdsOrKeys": list(keys), "fields": list(fields)}
        try:
            reply = await self._call("POST", "/issue/bulkfetch", json=json, rank=rank)
        except Trouble as trouble:  # it is a question, and changes nothing
            raise Trouble(trouble.answer._replace(unknown=False)) from None
        return _issues(reply)

    async def read(self, issue_id: str, fields: Sequence[str], *, rank: int = 0) -> Issue | None:
        """One issue; None: it is gone."""
        params = {"fields": ",".join(fields)}
        reply = await self._call("GET", f"/issue/{issue_id}", params=params, rank=rank)
        if reply.status == HTTPStatus.NOT_FOUND:
            return None
        issue = _identified(reply.mapping, reply.status)
        if issue_id not in (issue["id"], issue["key"]):
            raise Trouble(Answer(DeliveryOutcome.RETRY, reply.status, "one issue was asked for, and another came"))
        return issue

    async def create(self, json: Mapping[str, Any], *, rank: int = 0) -> Issue:
        """A new issue: its id and key.

        Raises:
            Invalid: some fields cannot be set.
        """
        reply = await self._call("POST", "/issue", json=json, rank=rank)
        if reply.status == HTTPStatus.NOT_FOUND:
            raise Trouble(_refused(reply, DeliveryOutcome.REJECTED))
        return _identified(reply.mapping, reply.status)

    async def edit(self, issue_id: str, json: Mapping[str, Any], *, rank: int = 0) -> bool:
        """Change fields; False: the issue is gone.

        Raises:
            Invalid: some fields cannot be set.
        """
        reply = await self._call("PUT", f"/issue/{issue_id}", json=json, rank=rank)
        return reply.status != HTTPStatus.NOT_FOUND

    async def transitions(self, issue_id: str, *, rank: int = 0) -> list[dict[str, Any]]:
        """The transitions that there are from its present status, with the fields that they take."""
        params = {"expand": "transitions.fields"}
        reply = await self._call("GET", f"/issue/{issue_id}/transitions", params=params, rank=rank)
        return [] if reply.status == HTTPStatus.NOT_FOUND else _listed(reply, "transitions")

    async def transition(self, issue_id: str, json: Mapping[str, Any], *, rank: int = 0) -> None:
        """Take a transition."""
        await self._call("POST", f"/issue/{issue_id}/transitions", json=json, rank=rank)

    async def comments(self, issue_id: str, *, rank: int = 0) -> list[dict[str, Any]]:
        """The newest comments."""
        params = {"orderBy": "-created", "maxResults": str(COMMENTS_LOOKED_AT)}
        reply = await self._call("GET", f"/issue/{issue_id}/comment", params=params, rank=rank)
        return [] if reply.status == HTTPStatus.NOT_FOUND else _listed(reply, "comments")

    async def comment(self, issue_id: str, json: Mapping[str, Any], *, rank: int = 0) -> bool:
        """A new comment; False: the issue is gone."""
        reply = await self._call("POST", f"/issue/{issue_id}/comment", json=json, rank=rank)
        return reply.status != HTTPStatus.NOT_FOUND

    async def link(self, kind: str, source: str, target: str, *, rank: int = 0) -> None:
        """A link: the source does to the target what the type's outward words say. The same one twice is one."""
        json = {"type": {"name": kind}, "inwardIssue": {"key": source}, "outwardIssue": {"key": target}}
        await self._call("POST", "/issueLink", json=json, rank=rank)

    async def unlink(self, link_id: str, *, rank: int = 0) -> None:
        """Remove a link."""
        await self._call("DELETE", f"/issueLink/{link_id}", rank=rank)

    async def myself(self) -> str:
        """The account that we are there, for people."""
        reply = await self._http.call("GET", f"{self._base}/myself")
        return f"{reply.mapping.get('displayName')}, account_id {reply.mapping.get('accountId')}"

    async def close(self) -> None:
        """Disconnect."""
        await self._http.close()

    async def _call(self, method: str, path: str, **asked: Any) -> Reply:
        judged = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND)
        reply = await self._http.call(method, self._base + path, allowed=judged, **asked)
        if reply.status == HTTPStatus.BAD_REQUEST:
            errors = reply.data.get("errors") if isinstance(reply.data, Mapping) else None
            fields = frozenset(map(str, errors)) if isinstance(errors, Mapping) else frozenset[str]()
            raise Invalid(_refused(reply, DeliveryOutcome.REJECTED), fields)
        if reply.status == HTTPStatus.NOT_FOUND and not _is_said_by_jira(reply):
            # A proxy's page, or the address of something else: an issue that is there must not be made again.
            raise Trouble(Answer(DeliveryOutcome.RETRY, reply.status, f"no Jira at this address: {said(reply)}"))
        return reply


def _issues(reply: Reply) -> list[Issue]:
    """The issues in an answer.

    Raises:
        Trouble: it holds no list of any, or one without an id.
    """
    return [_identified(each, reply.status) for each in _listed(reply, "issues")]


def _identified(issue: Issue, status: int) -> Issue:
    """An issue that can be addressed: its id and key stand in addresses and queries from now on.

    Raises:
        Trouble: they are none.
    """
    if all(isinstance(issue.get(name), str) and is_plain(issue[name]) for name in ("id", "key")):
        return issue
    raise Trouble(Answer(DeliveryOutcome.RETRY, status, "the answer holds an issue without id and key", unknown=True))


def said(reply: Reply) -> str:
    """What an error says, on one line."""
    if not isinstance(reply.data, Mapping):
        return " ".join(reply.text.split())[:ANSWER_CHARACTERS_SHOWN]
    messages, errors = reply.data.get("errorMessages"), reply.data.get("errors")
    words = [str(each) for each in messages] if isinstance(messages, list) else []
    words += [f"{name}: {text}" for name, text in errors.items()] if isinstance(errors, Mapping) else []
    return " ".join("; ".join(words).split())[:ANSWER_CHARACTERS_SHOWN]


def _is_said_by_jira(reply: Reply) -> bool:
    return isinstance(reply.data, Mapping) and isinstance(reply.data.get("errorMessages"), list)


def _refused(reply: Reply, outcome: DeliveryOutcome) -> Answer:
    return Answer(outcome, reply.status, said(reply))


def _token(token: str | None) -> dict[str, str]:
    return {"nextPageToken": token} if token else {}


def _listed(reply: Reply, name: str) -> list[Any]:
    """The objects of a list in an answer.

    Raises:
        Trouble: it holds no such list: whatever answered is not Jira, and "none" would be a lie.
    """
    found = reply.mapping.get(name)
    if not isinstance(found, list):
        raise Trouble(Answer(DeliveryOutcome.RETRY, reply.status, f"the answer holds no list of {name}"))
    return [each for each in found if isinstance(each, Mapping)]

"""The Jira sink: an issue there for each incident here, by the REST API version 3.

There is no key of ours that Jira keeps unique, and its search shows new issues late. So an issue whose creation may
have taken effect is looked for in the index by its label, and then among the newest issues of the project themselves,
whatever the index knows; where it still may be under way, that is done twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pipeline.core.outward.send import Send
from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.remote import Remote, RemoteState, SinkUpdate, UpdateKind
from pipeline.models.sinks.jira import Jira
from pipeline.sinks import jira_words as words
from pipeline.sinks.base import Answer, SinkClient, Trouble, gone_update
from pipeline.sinks.jira_api import Issue, Issues
from pipeline.sinks.jira_attempt import Attempt
from pipeline.sinks.jira_updates import read_fields, update_of
from pipeline.sinks.limits import RANK_POLL, RANK_RECONCILE, Bucket

PAGE_ISSUES: Final = 50
"""Issues asked for at once, with their comments."""

PAGES_MAX: Final = 100
"""Pages of one look at what has changed: what is more is found by the next look."""

MINUTE_SECONDS: Final = 60


class JiraSink(SinkClient):
    """One project."""

    def __init__(self, rules: Jira, secrets: Mapping[str, str], bucket: Bucket) -> None:
        self._rules = rules
        self._issues = Issues(rules, secrets[rules.secret_env], bucket)

    async def send(self, send: Send, now: datetime) -> Answer:
        """Make one attempt. A failure half-way tells what was learned of the issue."""
        del now
        attempt = Attempt(self._rules, self._issues, send)
        try:
            await attempt.make()
        except Trouble as trouble:
            return trouble.answer._replace(remote=attempt.remote if attempt.learned else None)
        return Answer(DeliveryOutcome.DELIVERED, detail=attempt.detail, remote=attempt.remote)

    async def look(self, incident_id: str, remote: Remote, now: datetime) -> SinkUpdate | None:
        """The issue as it is there now."""
        issue = await self._issues.read(remote.id, read_fields(self._rules), rank=RANK_RECONCILE)
        if issue is None:
            return gone_update(self._rules.name, incident_id, remote, now)
        update = update_of(self._rules, issue, UpdateKind.READ, at=now, incident_id=incident_id)
        return None if update is None else await self._with_duplicate(update, issue)

    async def changed(self, since: datetime) -> AsyncIterator[SinkUpdate]:
        """Issues of ours that have changed, oldest first, with their newest comments.

        Times of a query are in the zone of the account and have no seconds, so it is asked for the last minutes, and
        what changed before is passed over.
        """
        minutes = int((datetime.now(UTC) - since).total_seconds()) // MINUTE_SECONDS + 2
        jql = (
            f'project = "{self._rules.project}" AND labels = "{words.LABEL}" AND updated >= -{minutes}m '
            "ORDER BY updated ASC"
        )
        token = None
        for _ in range(PAGES_MAX):
            page = await self._issues.search(
                jql, read_fields(self._rules), token=token, limit=PAGE_ISSUES, rank=RANK_POLL
            )
            for issue in page.issues:
                whole = await self._with_newest_comments(issue)
                update = update_of(self._rules, whole, UpdateKind.READ, at=since, since=since)
                if update is not None and update.at >= since:
                    yield await self._with_duplicate(update, issue)
            token = page.token
            if token is None:
                return

    async def check(self) -> str | None:
        """Ask who we are there."""
        return await self._issues.myself()

    async def close(self) -> None:
        """Disconnect."""
        await self._issues.close()

    async def _with_newest_comments(self, issue: Issue) -> Issue:
        """A search shows some comments and tells how many there are: the newest are asked for by themselves."""
        fields = words.part(issue, "fields")
        comment = words.part(fields, "comment")
        shown, total = comment.get("comments"), comment.get("total")
        if not isinstance(shown, list) or not isinstance(total, int) or total <= len(shown):
            return issue
        newest = await self._issues.comments(str(issue.get("id")), rank=RANK_POLL)
        return {**issue, "fields": {**fields, "comment": {"comments": newest[::-1]}}}

    async def _with_duplicate(self, update: SinkUpdate, issue: Issue) -> SinkUpdate:
        """Of an issue that was closed as a duplicate the incident that the other one is of; links do not say it."""
        state = update.fields.state
        keys = list(_duplicates(self._rules, issue)) if state in {RemoteState.RESOLVED, RemoteState.CLOSED} else []
        if not keys:
            return update
        found = await self._issues.fetch(keys[:1], ["labels"], rank=RANK_POLL)
        incident_id = words.incident_of(found[0].get("fields")) if found else None
        if incident_id is None or incident_id == update.incident_id:
            return update
        return update.model_copy(update={"duplicate_of": incident_id})


def _duplicates(rules: Jira, issue: Issue) -> Iterable[str]:
    """Keys of what an issue duplicates."""
    links: Any = words.part(issue, "fields").get("issuelinks")
    for link in links if isinstance(links, list) else ():
        if isinstance(link, Mapping) and words.name_of(words.part(link, "type")) == rules.duplicate_link:
            key = words.part(link, "outwardIssue").get("key")
            if isinstance(key, str):
                yield key

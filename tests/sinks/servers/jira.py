"""Jira, as its documentation describes the REST API version 3: issues, a workflow, comments, links, a late index.

A new issue is found by a search only once the index has it (`index`); read by its key it is there at once. Nothing
keeps a second creation from being a second issue. Requests are checked against `shapes/jira.json`.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from aiohttp import web

from pipeline.models.mark import LABEL_PREFIX
from tests.sinks.servers.base import Seen, VendorServer
from tests.sinks.servers.jira_workflow import SERVICE, Workflow
from tests.sinks.shapes import faults

USER, TOKEN = "spillway@example.com", "secret-api-token"
WORDS = {"new": "open", "indeterminate": "in_progress", "done": "resolved"}
PRIORITIES = {"Highest": "P1", "High": "P2", "Medium": "P3", "Low": "P4", "Lowest": "P4"}
PEOPLE = {"account-kim": "Kim Lee"}
TEXT_CHARACTERS_MAX = 32_767
COMMENTS_SHOWN_MAX = 20
_BY_LABEL = re.compile(r'project = "(\w+)" AND labels = "([^"\s]+)"(?: AND updated >= -(\d+)m)? ORDER BY (\w+) ASC')
_NEWEST = re.compile(r'project = "(\w+)" ORDER BY created DESC')


@dataclass
class Record:
    """One issue."""

    id: str
    key: str
    fields: dict[str, Any]
    properties: dict[str, Any] = field(default_factory=dict)
    comments: list[dict[str, Any]] = field(default_factory=list)
    indexed: bool = False


class JiraServer(VendorServer):
    """One site with one project.

    Attributes:
        user, token: of basic authentication.
        workflow: statuses and transitions of the project.
        index_lags: what is created is found by no search until `index` is called.
        screens_lack: fields that the project's screens do not have.
        service_project: whether comments can be internal.
    """

    def __init__(self, seed: int = 0, project: str = "OPS") -> None:
        super().__init__(seed)
        self.user, self.token = USER, TOKEN
        self.project = project
        self.workflow: Workflow = SERVICE
        self.index_lags = False
        self.screens_lack: set[str] = set()
        self.issues: dict[str, Record] = {}
        self.links: list[dict[str, Any]] = []
        self.created: dict[str, int] = {}
        self.count = 0
        self.now = datetime.now(UTC)

    # -- what tests ask and do

    def issue_of(self, incident_id: str) -> Record:
        """The issue of an incident of ours; the first that was made."""
        return next(each for each in self.issues.values() if f"{LABEL_PREFIX}{incident_id}" in each.fields["labels"])

    def index(self) -> None:
        """The index has caught up."""
        for each in self.issues.values():
            each.indexed = True

    def status_of(self, incident_id: str) -> str:
        """Name of the status of an incident's issue."""
        return str(self.issue_of(incident_id).fields["status"]["name"])

    def comments_on(self, incident_id: str, *, public: bool | None = None) -> list[str]:
        """Texts of its comments, oldest first."""
        return [
            text_of(each["body"])
            for each in self.issue_of(incident_id).comments
            if public is None or each["jsdPublic"] is public
        ]

    def edit(self, record: Record, **fields: Any) -> None:
        """A person changes an issue; a status by its name."""
        if "status" in fields:
            fields["status"] = self.workflow.status(fields["status"])
        record.fields |= fields
        self._touch(record)

    def say(self, record: Record, author: str, text: str, *, public: bool = False) -> None:
        """A person comments."""
        body = {
            "type": "doc",
            "version": 1,
            "content": [{"type": "paragraph", "content": [{"type": "text", "text": text}]}],
        }
        self._touch(record)
        record.comments.append(self._comment(record, author, body, public=public))

    def seen(self) -> list[Seen]:  # as the base
        found = []
        for each in self.issues.values():
            incident_id = next(
                (name.removeprefix(LABEL_PREFIX) for name in each.fields["labels"] if name.startswith(LABEL_PREFIX)), ""
            )
            found.append(
                Seen(
                    incident_id=incident_id,
                    id=each.id,
                    state=WORDS[each.fields["status"]["statusCategory"]["key"]],
                    title=each.fields["summary"],
                    priority=PRIORITIES.get((each.fields.get("priority") or {}).get("name", ""), ""),
                    notes=[text_of(comment["body"]) for comment in each.comments],
                    created=self.created[incident_id],
                )
            )
        return found

    # -- the API

    def admits(self, request: web.Request) -> bool:  # as the base
        given = request.headers.get("Authorization", "").removeprefix("Basic ")
        return b64decode(given).decode() == f"{self.user}:{self.token}"

    def error(self, request: web.Request, status: int, words: str) -> web.Response:  # as the base
        del request
        return refusal(status, words)

    async def handle(self, request: web.Request, body: bytes) -> web.StreamResponse:  # as the base
        path = request.path.removeprefix("/rest/api/3")
        json = orjson.loads(body) if body else None
        answers: dict[tuple[str, str], Callable[[], web.StreamResponse]] = {
            ("GET", "/search/jql"): lambda: self._search(dict(request.query)),
            ("GET", "/myself"): lambda: web.json_response({"accountId": "account-spillway", "displayName": "Spillway"}),
            ("POST", "/issue/bulkfetch"): lambda: self._fetch(json),
            ("POST", "/issue"): lambda: self._create(json),
            ("POST", "/issueLink"): lambda: self._link(json),
        }
        if (request.method, path) in answers:
            return answers[request.method, path]()
        if request.method == "DELETE" and path.startswith("/issueLink/"):
            self.links = [each for each in self.links if each["id"] != path.rpartition("/")[2]]
            return web.Response(status=204)
        _, _, issue_id, *rest = path.split("/")
        record = self.issues.get(issue_id)
        if record is None:
            return refusal(404, "Issue does not exist or you do not have permission to see it.")
        return self._of_issue(request, record, rest, json)

    def _of_issue(self, request: web.Request, record: Record, rest: list[str], json: Any) -> web.StreamResponse:
        answers: dict[tuple[str, ...], Callable[[], web.StreamResponse]] = {
            ("GET",): lambda: web.json_response(self._shown(record, request.query.get("fields", "").split(","))),
            ("PUT",): lambda: self._edited(record, json),
            ("GET", "transitions"): lambda: web.json_response({"transitions": self._transitions(record)}),
            ("POST", "transitions"): lambda: self._moved(record, json),
            ("GET", "comment"): lambda: web.json_response({"comments": record.comments[::-1][:100], "startAt": 0}),
            ("POST", "comment"): lambda: self._commented(record, json),
        }
        answer = answers.get((request.method, *rest))
        return answer() if answer is not None else refusal(405, "method not allowed")

    def _search(self, parameters: dict[str, str]) -> web.StreamResponse:
        if wrong := faults("jira", "search", parameters):
            return refusal(400, wrong[0])
        newest, labelled = _NEWEST.fullmatch(parameters["jql"]), _BY_LABEL.fullmatch(parameters["jql"])
        found = [each for each in self.issues.values() if each.indexed]
        if newest:
            found = found[::-1]
        elif labelled:
            found = [each for each in found if labelled[2] in each.fields["labels"]]
            since = self.now - timedelta(minutes=int(labelled[3])) if labelled[3] else datetime(1970, 1, 1, tzinfo=UTC)
            found = [each for each in found if datetime.fromisoformat(each.fields["updated"]) >= since]
            found.sort(key=lambda each: each.fields["updated" if labelled[4] == "updated" else "created"])
        else:
            return refusal(400, f"Error in the JQL Query: {parameters['jql']}")
        begin, limit = int(parameters.get("nextPageToken", "t0")[1:]), int(parameters.get("maxResults", "50"))
        names = parameters.get("fields", "id").split(",")
        page: dict[str, Any] = {"issues": [self._shown(each, names) for each in found[begin : begin + limit]]}
        page["isLast"] = begin + limit >= len(found)
        return web.json_response(page if page["isLast"] else page | {"nextPageToken": f"t{begin + limit}"})

    def _fetch(self, json: Any) -> web.StreamResponse:
        if wrong := faults("jira", "bulkfetch", json):
            return refusal(400, wrong[0])
        wanted = set(json["issueIdsOrKeys"])
        found = [each for each in self.issues.values() if {each.id, each.key} & wanted]
        return web.json_response({"issues": [self._shown(each, json["fields"]) for each in found], "issueErrors": []})

    def _create(self, json: Any) -> web.StreamResponse:
        if refused := self._refused("create", json):
            return refused
        self.count += 1
        at = self._tick()
        fields = {
            "priority": {"name": "Medium"}, "assignee": None, "resolution": None, "labels": [],
            **self._stored(json["fields"]), "status": self.workflow.first, "created": at, "updated": at,
        }  # fmt: skip
        record = Record(str(10_000 + self.count), f"{self.project}-{self.count}", fields, indexed=not self.index_lags)
        record.properties = {each["key"]: each["value"] for each in json.get("properties", ())}
        self.issues[record.id] = record
        for each in fields["labels"]:
            if each.startswith(LABEL_PREFIX):
                name = each.removeprefix(LABEL_PREFIX)
                self.created[name] = self.created.get(name, 0) + 1
        return web.json_response({"id": record.id, "key": record.key, "self": f"{self.url}/{record.id}"}, status=201)

    def _edited(self, record: Record, json: Any) -> web.StreamResponse:
        if refused := self._refused("edit", json):
            return refused
        if record.fields["status"]["name"] in self.workflow.locked:
            return refusal(
                400, "It is not on the appropriate screen, or unknown.", dict.fromkeys(json["fields"], "locked")
            )
        record.fields |= self._stored(json["fields"])
        self._touch(record)
        return web.Response(status=204)

    def _refused(self, shape: str, json: Any) -> web.StreamResponse | None:
        if wrong := faults("jira", shape, json):
            return refusal(400, wrong[0])
        lacking = {
            name: f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."
            for name in json["fields"].keys() & self.screens_lack
        }
        if len(text_of(json["fields"].get("description"))) > TEXT_CHARACTERS_MAX:
            return refusal(400, "CONTENT_LIMIT_EXCEEDED")
        return refusal(400, None, lacking) if lacking else None

    def _transitions(self, record: Record) -> list[dict[str, Any]]:
        return self.workflow.transitions(record.fields["status"]["name"])

    def _moved(self, record: Record, json: Any) -> web.StreamResponse:
        if wrong := faults("jira", "transition", json):
            return refusal(400, wrong[0])
        options = {each["id"]: each for each in self._transitions(record)}
        chosen = options.get(json["transition"]["id"])
        if chosen is None:
            return refusal(400, "It seems that you have tried to perform a workflow operation that is not valid")
        given = json.get("fields", {})
        required = [name for name, about in chosen["fields"].items() if about["required"] and name not in given]
        if required or given.keys() - chosen["fields"].keys():
            return refusal(400, None, {name: f"{name} is required" for name in required or given})
        done = chosen["to"]["statusCategory"]["key"] == "done"
        resolution = given.get("resolution") or ({"name": "Done"} if done else None)
        record.fields |= {"status": chosen["to"], "resolution": resolution}
        self._touch(record)
        return web.Response(status=204)

    def _commented(self, record: Record, json: Any) -> web.StreamResponse:
        if wrong := faults("jira", "comment", json):
            return refusal(400, wrong[0])
        if len(text_of(json["body"])) > TEXT_CHARACTERS_MAX:
            return refusal(400, "CONTENT_LIMIT_EXCEEDED")
        settings = {each["key"]: each["value"] for each in json.get("properties", ())}
        public = not settings.get("sd.public.comment", {}).get("internal", False)
        self._touch(record)
        comment = self._comment(record, "account-spillway", json["body"], public=public)
        record.comments.append(comment)
        return web.json_response(comment, status=201)

    def _link(self, json: Any) -> web.StreamResponse:
        if wrong := faults("jira", "link", json):
            return refusal(400, wrong[0])
        by_key = {each.key: each for each in self.issues.values()}
        ends = [by_key.get(json[name]["key"]) for name in ("inwardIssue", "outwardIssue")]
        if None in ends:
            return refusal(404, "No issue could be found with the key.")
        link = {
            "kind": json["type"]["name"],
            "source": json["inwardIssue"]["key"],
            "target": json["outwardIssue"]["key"],
        }
        if link not in [{name: each[name] for name in link} for each in self.links]:
            self.links.append(link | {"id": str(20_000 + len(self.links))})
        return web.Response(status=201)

    # -- records

    def _shown(self, record: Record, names: list[str]) -> dict[str, Any]:
        found = {name: record.fields.get(name) for name in names if name in record.fields}
        if "issuelinks" in names:
            ends = [each for each in self.links if record.key in (each["source"], each["target"])]
            found["issuelinks"] = [self._link_of(record, each) for each in ends]
        if "comment" in names:
            found["comment"] = {"comments": record.comments[:COMMENTS_SHOWN_MAX], "total": len(record.comments)}
        return {"id": record.id, "key": record.key, "self": f"{self.url}/rest/api/3/issue/{record.id}", "fields": found}

    def _comment(self, record: Record, author: str, body: Any, *, public: bool) -> dict[str, Any]:
        return {
            "id": str(30_000 + len(record.comments) + 100 * int(record.id)),
            "author": {"accountId": author, "displayName": PEOPLE.get(author, "Spillway"), "accountType": "atlassian"},
            "body": body,
            "created": record.fields["updated"],
            "jsdPublic": public,
        }

    @staticmethod
    def _link_of(record: Record, link: dict[str, Any]) -> dict[str, Any]:
        side, key = ("outwardIssue", "target") if link["source"] == record.key else ("inwardIssue", "source")
        return {"id": link["id"], "type": {"name": link["kind"]}, side: {"key": link[key]}}

    @staticmethod
    def _stored(fields: dict[str, Any]) -> dict[str, Any]:
        if not fields.get("assignee"):
            return fields
        account = fields["assignee"]["accountId"]
        if account is None:
            return fields | {"assignee": None}
        return fields | {"assignee": {"accountId": account, "displayName": PEOPLE.get(account, "")}}

    def _touch(self, record: Record) -> None:
        record.fields["updated"] = self._tick()

    def _tick(self) -> str:
        self.now += timedelta(milliseconds=7)
        return self.now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{self.now.microsecond // 1_000:03d}+0000"


def text_of(value: Any) -> str:
    """The text of a document, a line for each paragraph."""
    if not isinstance(value, dict):
        return value or ""
    if value.get("type") == "hardBreak":
        return "\n"
    end = "\n" if value.get("type") == "paragraph" else ""
    text = str(value.get("text", "")) + "".join(text_of(each) for each in value.get("content", ())) + end
    return text.strip("\n") if value.get("type") == "doc" else text


def refusal(status: int, message: str | None, errors: dict[str, str] | None = None) -> web.Response:
    """An error as Jira words it."""
    body = {"errorMessages": [message] if message else [], "errors": errors or {}}
    return web.json_response(body, status=status)

"""ServiceNow, as its documentation describes the Table API: records, journals, computed priority, data policies.

Whatever the instance computes it computes here: a number, the priority, who changed a record and when. A correlation id
is not unique, so a second creation is a second record. Requests are checked against `shapes/servicenow.json`.
"""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from aiohttp import web

from tests.sinks.servers.base import Seen, VendorServer
from tests.sinks.servers.servicenow_query import Record, query
from tests.sinks.shapes import faults

USER, PASSWORD = "spillway.integration", "secret-password"
MATRIX = {"11": "1", "12": "2", "13": "3", "21": "2", "22": "3", "23": "4", "31": "3", "32": "4", "33": "5"}
WORDS = {"1": "open", "2": "in_progress", "3": "waiting", "6": "resolved", "7": "closed", "8": "closed"}
PRIORITIES = {"1": "P1", "2": "P2", "3": "P3", "4": "P4", "5": "P4"}
REFERENCES = {"parent_incident": "incident", "problem_id": "problem", "assigned_to": "sys_user", "caused_by": "change"}
JOURNALS = ("work_notes", "comments")
COLUMNS = (
    "sys_id number state priority impact urgency short_description description correlation_id correlation_display "
    "close_code close_notes hold_reason assigned_to assignment_group cmdb_ci business_service parent_incident "
    "problem_id caller_id sys_created_on sys_created_by sys_updated_on sys_updated_by sys_mod_count rfc caused_by "
    "category u_vendor_ticket u_provider_case u_region name element element_id value user_name"
).split()
BEARER = re.compile(r"Bearer (token-\d+)")


@dataclass
class Entry:
    """One entry of a journal."""

    sys_id: str
    element_id: str
    element: str
    value: str
    by: str
    on: str


@dataclass
class Instance:
    """What an instance is made of: its tables, its journal, and its accounts."""

    tables: dict[str, dict[str, dict[str, str]]] = field(default_factory=lambda: {"incident": {}, "problem": {}})
    journal: list[Entry] = field(default_factory=list)
    created: dict[str, int] = field(default_factory=dict)
    count: int = 0


class ServiceNowServer(VendorServer):
    """One instance.

    Attributes:
        user, token: name and password of basic authentication.
        client: id and secret of the OAuth application; its tokens hold until `expire`.
        journals_readable: whether the account may read ``sys_journal_field``.
        now: the instance's clock; each change is a second later.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.instance = Instance()
        self.user, self.token = USER, PASSWORD
        self.client = ("client-1", "secret-client")
        self.journals_readable = True
        self.now = datetime(2026, 3, 4, 2, 11, 42, tzinfo=UTC)
        self.tokens: set[str] = set()
        self.tokens_given = 0

    # -- what tests ask and do

    @property
    def incidents(self) -> list[dict[str, str]]:
        """The records of incidents, in the order of their creation."""
        return list(self.instance.tables["incident"].values())

    def record_of(self, incident_id: str) -> dict[str, str]:
        """The record of an incident of ours; the first that was made."""
        return next(each for each in self.incidents if each["correlation_id"] == incident_id)

    def words_on(self, record: dict[str, str], *elements: str) -> list[str]:
        """Entries of a record's journals, oldest first."""
        wanted = elements or JOURNALS
        return [
            each.value
            for each in self.instance.journal
            if each.element_id == record["sys_id"] and each.element in wanted
        ]

    def edit(self, record: dict[str, str], by: str, **values: str) -> dict[str, str]:
        """A person changes a record; what our business rule then posts."""
        self._write("incident", record, values, by)
        return self.posted(record, values)

    def delete(self, record: dict[str, str]) -> None:
        """A person deletes a record."""
        del self.instance.tables["incident"][record["sys_id"]]

    def posted(self, record: dict[str, str], new: dict[str, str], operation: str = "update") -> dict[str, str]:
        """The body of our business rule: stored values, and of each journal that has something new the newest."""
        names = [
            *(name for name in COLUMNS if name in record),
            *("parent_incident.correlation_id", "problem_id.number", "problem_id.state", "assigned_to.user_name"),
        ]
        body = {name: self._value(record, name) or "" for name in names} | {"operation": operation}
        heading = f"{record['sys_updated_on']} - Kim Lee"
        titles = {"work_notes": "Work notes", "comments": "Additional comments"}
        return body | {name: f"{heading} ({titles[name]})\n{new[name]}\n\n" for name in JOURNALS if name in new}

    def expire(self) -> None:
        """All tokens that were given end."""
        self.tokens.clear()

    def seen(self) -> list[Seen]:  # as the base
        return [
            Seen(
                incident_id=each["correlation_id"],
                id=each["sys_id"],
                state=WORDS[each["state"]],
                title=each["short_description"],
                priority=PRIORITIES[each["priority"]],
                notes=self.words_on(each),
                created=self.instance.created[each["correlation_id"]],
            )
            for each in self.incidents
        ]

    # -- the API

    def admits(self, request: web.Request) -> bool:  # as the base
        if request.path == "/oauth_token.do":
            return True
        given = request.headers.get("Authorization", "")
        if given.startswith("Basic "):
            return b64decode(given.removeprefix("Basic ")).decode() == f"{self.user}:{self.token}"
        found = BEARER.fullmatch(given)
        return found is not None and found[1] in self.tokens

    def error(self, request: web.Request, status: int, words: str) -> web.Response:  # as the base
        del request
        return error(status, words, words)

    async def handle(  # noqa: PLR0911  # an answer for each kind of request
        self, request: web.Request, body: bytes
    ) -> web.StreamResponse:
        if request.path == "/oauth_token.do":
            return self._token(dict(await request.post()))
        parts = request.path.removeprefix("/api/now/table/").split("/")
        parameters = dict(request.query)
        if wrong := faults("servicenow", "parameters", parameters):
            return error(400, "Invalid parameter", wrong[0])
        if parts[0] == "sys_journal_field":
            return self._journal(parameters)
        if parts[0] not in self.instance.tables:
            return error(400, "Invalid table", parts[0])
        if request.method == "GET" and len(parts) == 1:
            return self._find(parts[0], parameters)
        if request.method == "POST":
            return self._create(parts[0], body, parameters)
        record = self.instance.tables[parts[0]].get(parts[1])
        if record is None:
            return error(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")
        if request.method == "PATCH":
            return self._patch(parts[0], record, body, parameters)
        return web.json_response({"result": self._shown(record, parameters)})

    def _token(self, form: dict[str, Any]) -> web.StreamResponse:
        if faults("servicenow", "token_request", form) or (form["client_id"], form["client_secret"]) != self.client:
            answer = {"error_description": "access_denied", "error": "server_error"}
            return web.json_response(answer, status=401)
        self.tokens_given += 1
        token = f"token-{self.tokens_given}"
        self.tokens.add(token)
        return web.json_response({"access_token": token, "token_type": "Bearer", "expires_in": 1_799, "scope": ""})

    def _find(self, table: str, parameters: dict[str, str]) -> web.StreamResponse:
        found = query(self.instance.tables[table].values(), parameters.get("sysparm_query", ""), self._value)
        offset, limit = int(parameters.get("sysparm_offset", 0)), int(parameters.get("sysparm_limit", 10_000))
        page = [self._shown(record, parameters) for record in found[offset : offset + limit]]
        return web.json_response({"result": page}, headers={"X-Total-Count": str(len(found))})

    def _journal(self, parameters: dict[str, str]) -> web.StreamResponse:
        if not self.journals_readable:
            return error(403, "User Not Authorized", "Failed API level ACL Validation")
        entries = [
            {
                "sys_id": each.sys_id,
                "element_id": each.element_id,
                "element": each.element,
                "value": each.value,
                "name": "incident",
                "sys_created_by": each.by,
                "sys_created_on": each.on,
            }
            for each in self.instance.journal
        ]
        found = query(entries, parameters.get("sysparm_query", ""), lambda record, name: record.get(name))
        return web.json_response({"result": found[: int(parameters["sysparm_limit"])]})

    def _create(self, table: str, body: bytes, parameters: dict[str, str]) -> web.StreamResponse:
        values = orjson.loads(body)
        if wrong := faults("servicenow", "values", values):
            return error(400, "Exception while reading request", wrong[0])
        self.instance.count += 1
        number = self.instance.count
        record = {
            **dict.fromkeys(("correlation_id", "correlation_display", "close_code", "close_notes"), ""),
            **dict.fromkeys(("hold_reason", "assigned_to", "parent_incident", "problem_id"), ""),
            "sys_id": f"{number:032x}",
            "number": f"{'PRB' if table == 'problem' else 'INC'}{number:07}",
            "state": "1",
            "impact": "3",
            "urgency": "3",
            "short_description": "",
            "sys_mod_count": "-1",
        }
        if refused := self._refused(record, values, "insert"):
            return refused
        self._write(table, record, values, self.user)
        record["sys_created_on"] = record["sys_updated_on"]
        self.instance.tables[table][record["sys_id"]] = record
        ours = record["correlation_id"]
        self.instance.created[ours] = self.instance.created.get(ours, 0) + 1
        return web.json_response({"result": self._shown(record, parameters)}, status=201)

    def _patch(self, table: str, record: dict[str, str], body: bytes, parameters: dict[str, str]) -> web.StreamResponse:
        values = orjson.loads(body)
        if wrong := faults("servicenow", "values", values):
            return error(400, "Exception while reading request", wrong[0])
        if refused := self._refused(record, values, "update"):
            return refused
        self._write(table, record, values, self.user)
        return web.json_response({"result": self._shown(record, parameters)})

    def _refused(self, record: dict[str, str], values: dict[str, str], what: str) -> web.StreamResponse | None:
        after = {**record, **values}
        asked = {"6": ("close_code", "close_notes"), "7": ("close_code", "close_notes"), "3": ("hold_reason",)}
        if missing := [name for name in asked.get(after["state"], ()) if not after.get(name)]:
            words = f"Error during {what} of incident: Data Policy Exception: mandatory: {', '.join(missing)}"
            return error(403, "Operation Failed", words)
        return None

    # -- records

    def _write(self, table: str, record: dict[str, str], values: dict[str, str], by: str) -> None:
        self.now += timedelta(seconds=1)
        on = f"{self.now:%Y-%m-%d %H:%M:%S}"
        for name, value in values.items():
            if name in JOURNALS:
                entry = Entry(f"e{len(self.instance.journal):031}", record["sys_id"], name, value, by, on)
                self.instance.journal.append(entry)
            elif name in COLUMNS:  # a column that does not exist is passed over without a word
                record[name] = value
        if table == "incident":
            record["priority"] = MATRIX[record["impact"] + record["urgency"]]
        record |= {"sys_updated_on": on, "sys_updated_by": by, "sys_mod_count": str(int(record["sys_mod_count"]) + 1)}

    def _value(self, record: Record, name: str) -> str | None:
        """The value of a field, also of a referenced record; None where no table has such a column."""
        first, _, rest = name.partition(".")
        if not rest:
            return record.get(name, "") if name in COLUMNS else None
        table = self.instance.tables.get(REFERENCES.get(first, ""), {})
        return table.get(record.get(first, ""), {}).get(rest, "")

    def _shown(self, record: Record, parameters: dict[str, str]) -> dict[str, str]:
        names = parameters["sysparm_fields"].split(",") if "sysparm_fields" in parameters else COLUMNS
        shown = {name: value for name in names if (value := self._value(record, name)) is not None}
        if parameters.get("sysparm_display_value") == "true":
            for name in set(JOURNALS) & set(names):
                entries = [each for each in self.instance.journal if each.element_id == record["sys_id"]]
                texts = [f"{each.on} - {each.by}\n{each.value}\n\n" for each in entries if each.element == name]
                shown[name] = "".join(reversed(texts))
        return shown


def error(status: int, message: str, detail: str) -> web.Response:
    """An error as the Table API words it."""
    return web.json_response({"error": {"message": message, "detail": detail}, "status": "failure"}, status=status)

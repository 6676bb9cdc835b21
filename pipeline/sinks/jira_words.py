"""An incident in the words of Jira: fields, documents and transitions, from what is told. Pure.

Texts of several lines are documents in Atlassian Document Format ("Document structure" at developer.atlassian.com):
what is in a text node is text and nothing else, so no word of ours can become a mention, a macro or a link.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pipeline.models.incident import IncidentState
from pipeline.models.mark import LABEL_PREFIX, PRODUCT, label_of, marked_id
from pipeline.models.remote import ENDED, Remote, RemoteState
from pipeline.models.sinks.jira import CATEGORIES, TITLE_CHARACTERS_MAX, Jira
from pipeline.models.sinks.ticketing import one_line
from pipeline.sinks import ticket_words
from pipeline.sinks.mapping import render
from pipeline.sinks.told import Told

TEXT_CHARACTERS_MAX: Final = 30_000
"""A description or a comment; Jira refuses what is over 32,767 characters."""

NODES_READ_MAX: Final = 5_000
"""Nodes of a document that are read: a note that is longer is cut anyway."""

LABEL: Final = PRODUCT.casefold()
"""On all of our issues: what is ours is asked for by it."""

PROPERTY: Final = "spillway"
"""Entity property that holds the incident's id, where nobody edits it by accident."""

FIELDS: Final = ("summary", "status", "priority", "assignee", "labels", "resolution", "issuelinks", "updated")
"""What is asked of an issue."""

# Statuses that a done issue may be in without having been solved: taken only where nothing else is done.
_GIVEN_UP: Final = frozenset({"canceled", "cancelled", "declined", "rejected", "won't do", "withdrawn"})
_LINE_ENDS: Final = frozenset({"paragraph", "heading", "hardBreak", "listItem", "codeBlock"})


def document(text: str) -> dict[str, Any]:
    """A text as a document: a paragraph where an empty line stands, a break where a line ends."""
    paragraphs = [each for each in ticket_words.cut(text, TEXT_CHARACTERS_MAX).split("\n\n") if each.strip()]
    content = [{"type": "paragraph", "content": _lines(each)} for each in paragraphs]
    return {"type": "doc", "version": 1, "content": content or [{"type": "paragraph", "content": []}]}


def text_of(value: Any) -> str:
    """The text of a document, or of a text; what is no node is passed over."""
    if isinstance(value, str):
        return value
    parts: list[str] = []
    waiting: list[Any] = [value]
    for _ in range(NODES_READ_MAX):
        if not waiting:
            break
        node = waiting.pop()
        if isinstance(node, str):
            parts.append(node)
        elif isinstance(node, Mapping):
            waiting += ["\n"] if str(node.get("type")) in _LINE_ENDS else []
            content, text = node.get("content"), node.get("text")
            waiting += reversed(content) if isinstance(content, list) else []
            waiting += [text] if isinstance(text, str) else []
    return "".join(parts).strip()


def opening(rules: Jira, told: Told, incident_id: str, wanted: Mapping[str, str]) -> dict[str, Any]:
    """Fields of a new issue that it must have; those that may be left out are `optional`."""
    title = wanted.get("title") or str(told.incident.get("title") or incident_id)
    return {
        "project": {"key": rules.project},
        "issuetype": {"name": rules.issue_type},
        "summary": one_line(title, TITLE_CHARACTERS_MAX),
        "description": document(ticket_words.description(told.incident)),
        "labels": [LABEL, label_of(incident_id)],
    }


def optional(rules: Jira, told: Told, wanted: Mapping[str, str]) -> dict[str, Any]:
    """Shared fields but the title and the state: a project may not have them on its screens."""
    fields: dict[str, Any] = {}
    if (priority := wanted.get("priority")) and (name := rules.priority_name(priority)) is not None:
        fields["priority"] = {"name": name}
    if "assignee" in wanted and (there := rules.person_there(wanted["assignee"])) is not None:
        fields["assignee"] = {"accountId": there or None}
    return fields


def own_fields(rules: Jira, incident: Mapping[str, Any]) -> dict[str, Any]:
    """Component, team and the operator's own fields."""
    component = rules.component(incident.get("service"), incident.get("owner"), incident.get("domain"))
    team = rules.group_there(incident) if rules.team_field else None
    found = {name: ticket_words.visible(render(text, incident)) for name, text in rules.fields.items()}
    return {
        **({"components": [{"name": component}]} if component else {}),
        **({str(rules.team_field): team} if team else {}),
        **{name: value for name, value in found.items() if value},
    }


def comment(text: str, *, public: bool) -> dict[str, Any]:
    """A comment; one that is not public only those who work on it see ("sd.public.comment" of service projects)."""
    return {"body": document(text), "properties": [{"key": "sd.public.comment", "value": {"internal": not public}}]}


def way_to(
    rules: Jira, state: RemoteState, told: Told, now: str, transitions: Iterable[Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """The transition that leads to a state, or nearer to it; None: there is none.

    Args:
        rules: what statuses are called.
        state: that it should be in.
        told: what the incident is: one that was none is better cancelled than done.
        now: category of its present status.
        transitions: that there are from it.
    """
    named, category = rules.statuses.get(state), CATEGORIES[state]
    options = list(transitions)
    by_name = [each for each in options if named and _to(each)[0].casefold() == named.casefold()]
    if by_name:
        return by_name[0]
    if now == category:
        return None
    given_up = told.state == IncidentState.CANCELLED
    reaching = [each for each in options if _to(each)[1] == category]
    fitting = [each for each in reaching if category != "done" or (_to(each)[0].casefold() in _GIVEN_UP) == given_up]
    # Where nothing fitting leads there at once: done is reached through being worked on.
    between = [each for each in options if _to(each)[1] not in {now, "done", category}]
    return next(iter([*fitting, *between, *reaching]), None)


def transition(rules: Jira, told: Told, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The request to take a transition, with the resolution where its screen takes one."""
    body: dict[str, Any] = {"transition": {"id": str(chosen.get("id"))}}
    screen = chosen.get("fields")
    if _to(chosen)[1] == "done" and isinstance(screen, Mapping) and isinstance(screen.get("resolution"), Mapping):
        code, _ = ticket_words.closing(told.incident)
        wanted = rules.resolutions.get(code, rules.default_resolution)
        values = screen["resolution"].get("allowedValues")
        listed = values if isinstance(values, list) else []
        allowed = [str(each.get("name")) for each in listed if isinstance(each, Mapping)]
        fitting = [name for name in (wanted, rules.default_resolution, *allowed) if not allowed or name in allowed]
        body["fields"] = {"resolution": {"name": fitting[0]}}
    return body


def remote_of(rules: Jira, issue: Mapping[str, Any], extra: Mapping[str, Any]) -> Remote:
    """An issue of theirs as the ledger knows it."""
    key = str(issue.get("key") or "")
    found = fields_of(rules, issue.get("fields"))
    return Remote(
        id=str(issue.get("id") or ""),
        key=key,
        url=f"{rules.url.rstrip('/')}/browse/{key}",
        state=found["state"] or RemoteState.OPEN,
        fields={name: value for name, value in found.items() if value},
        extra=dict(extra),
    )


def fields_of(rules: Jira, fields: Any) -> dict[str, str]:
    """The shared fields of an issue, in our words; "" where it says nothing."""
    given: Mapping[str, Any] = fields if isinstance(fields, Mapping) else {}
    status, assignee = part(given, "status"), part(given, "assignee")
    state = rules.read_state(name_of(status), str(part(status, "statusCategory").get("key") or "")) if status else ""
    people = (str(assignee.get(name) or "") for name in ("accountId", "emailAddress", "displayName"))
    return {
        "state": state,
        "priority": rules.read_priority(name_of(part(given, "priority"))) or "",
        "title": one_line(str(given.get("summary") or ""), TITLE_CHARACTERS_MAX),
        "assignee": rules.person_here(*people),
    }


def incident_of(fields: Any) -> str | None:
    """Our incident, by its label; None where there is none, or, by a copied issue, of several."""
    labels = fields.get("labels") if isinstance(fields, Mapping) else None
    found = {
        incident_id
        for each in (labels if isinstance(labels, list) else ())
        if isinstance(each, str) and each.casefold().startswith(LABEL_PREFIX) and (incident_id := marked_id(each))
    }
    return found.pop() if len(found) == 1 else None


def bears(issue: Mapping[str, Any], label: str) -> bool:
    """Whether a label is on an issue. Jira folds no case of labels; others in front of it may."""
    labels = part(issue, "fields").get("labels")
    return isinstance(labels, list) and label.casefold() in {str(each).casefold() for each in labels}


def is_over(told: Told) -> bool:
    """Whether the incident says nothing more."""
    return told.state in {IncidentState.CLOSED, IncidentState.MERGED, IncidentState.CANCELLED}


def leaves_its_end(remote: Remote, wanted: Mapping[str, str]) -> bool:
    """Whether it is reopened: that comes first, as what is closed there takes no edit and no comment."""
    state = wanted.get("state")
    return remote.ended and state is not None and state not in ENDED


def part(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object in an object; an empty one where there is none."""
    found = values.get(name)
    return found if isinstance(found, Mapping) else {}


def name_of(values: Mapping[str, Any]) -> str:
    """The name of something that has one."""
    return str(values.get("name") or "")


def _to(transition: Mapping[str, Any]) -> tuple[str, str]:
    """Name and category of the status that a transition leads to."""
    status = part(transition, "to")
    return name_of(status), str(part(status, "statusCategory").get("key") or "")


def _lines(paragraph: str) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = []
    for number, line in enumerate(paragraph.split("\n")):
        nodes += [{"type": "hardBreak"}] if number else []
        nodes += [{"type": "text", "text": line}] if line else []
    return nodes

"""Field templates: what stands in a field of a downstream's own, said by the operator over facts of the incident.

    fields:
      u_business_service: "{{ service }}"
      assignment_group: "{% if domain == 'retail' %}Retail desk{% else %}Service desk{% endif %}"

The language is that of messages (`pipeline.core.communication.templates`): its sandbox, its filters, its bounds. The
facts are the list below and nothing beside it. They are taken from the snapshot that is sent, which may have been cut,
so each of them has a value that says nothing. A template is checked by `faults` when the configuration is loaded; what
fails all the same at three in the morning costs one field and no delivery.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from pipeline.core.communication.templates import (
    FACT_CHARACTERS_MAX,
    LIST_ITEMS_MAX,
    RenderError,
    Template,
    TemplateProblem,
    compiled_field,
)

FIELD_CHARACTERS_MAX: Final = 4_000
"""One field: as long as a message. Each sink cuts it again to what its downstream takes."""

Snapshot = Mapping[str, Any]
"""The incident as `docs/events.md` describes it."""


class Fact(NamedTuple):
    """One fact. ``meaning`` is for people; the page on sinks lists it."""

    take: Callable[[Snapshot], Any]
    meaning: str


def render(template: str, incident: Snapshot) -> str:
    """What a template makes of an incident; "" where it cannot be used or does not fit what is there.

    Args:
        template: as the configuration has it.
        incident: the snapshot (`Told.incident`).
    """
    try:
        return compiled_field(template).render(facts_of(incident)).text[:FIELD_CHARACTERS_MAX]
    except (TemplateProblem, RenderError):
        return ""


def facts_of(incident: Snapshot) -> dict[str, Any]:
    """All facts of an incident, each of them plain and bounded."""
    found = {name: _plain(fact.take(incident)) for name, fact in FACTS.items()}
    return found | {"timezone": "UTC", "currency": ""}  # what filters ask for


class Fault(NamedTuple):
    """What is wrong with a template. ``line``: from 1; ``unknown``: the name that is no fact, if that is it."""

    line: int
    message: str
    unknown: str = ""


def faults(template: str) -> Iterator[Fault]:
    """Everything that is wrong with a template."""
    try:
        made = compiled_field(template)
    except TemplateProblem as problem:
        yield Fault(problem.line, problem.message)
        return
    wrong = [Fault(line, f"'{name}' is no fact of an incident", name) for name, line in made.names.items()]
    wrong = [each for each in wrong if each.unknown not in FACTS]
    loops = made.loops.items()
    wrong += [Fault(line, f"'{name}' is no list") for name, line in loops if name in FACTS and name not in LISTS]
    yield from wrong or _tried(made)


def _tried(made: Template) -> Iterator[Fault]:
    """Filters and comparisons that a fact does not take are found by trying: on nothing, and on everything."""
    for sample in (BARE, SAMPLE):
        try:
            made.render(facts_of(sample))
        except RenderError as error:
            yield Fault(1, f"cannot be rendered: {error}")
            return


def _text(name: str) -> Callable[[Snapshot], str]:
    return lambda incident: _word(incident.get(name))


def _number(name: str) -> Callable[[Snapshot], float]:
    def take(incident: Snapshot) -> float:
        value = incident.get(name)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else 0

    return take


def _moment(name: str) -> Callable[[Snapshot], int | None]:
    def take(incident: Snapshot) -> int | None:
        value = incident.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    return take


def _texts(name: str) -> Callable[[Snapshot], list[str]]:
    return lambda incident: [each for each in _members(incident, name) if isinstance(each, str)]


def _names(name: str) -> Callable[[Snapshot], list[str]]:
    return lambda incident: [_short(each) for each in _members(incident, name) if isinstance(each, str)]


def _suspects(incident: Snapshot) -> list[dict[str, Any]]:
    found = (each for each in _members(incident, "suspects") if isinstance(each, dict))
    return [
        {
            "name": _short(_word(each.get("ref"))),
            "because": [reason for reason in _members(each, "because") if isinstance(reason, str)],
            "change": _word(each.get("change_id")),
        }
        for each in found
    ]


def _links(incident: Snapshot) -> list[dict[str, Any]]:
    found = (each for each in _members(incident, "links") if isinstance(each, dict))
    return [{name: _word(each.get(name)) for name in ("kind", "id", "url", "state")} for each in found]


def _members(incident: Snapshot, name: str) -> list[Any]:
    found = incident.get(name)
    return found if isinstance(found, list) else []


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _short(ref: str) -> str:
    """The name in a reference: ``component:default/checkout`` is ``checkout``."""
    return ref.rpartition("/")[2]


def _resolution(name: str) -> Callable[[Snapshot], str]:
    def take(incident: Snapshot) -> str:
        found = incident.get("resolution")
        return _word(found.get(name)) if isinstance(found, dict) else ""

    return take


FACTS: Final[Mapping[str, Fact]] = {
    "reference": Fact(_text("id"), "the id of the incident"),
    "title": Fact(_text("title"), "its title"),
    "state": Fact(_text("state"), "its state, such as `in_progress`"),
    "priority": Fact(_text("priority"), "its priority, such as `P1`"),
    "urgency": Fact(_text("urgency"), "its urgency"),
    "impact": Fact(_text("impact"), "its impact"),
    "severity": Fact(_text("severity"), "the worst severity of its alerts"),
    "because": Fact(_texts("priority_because"), "list: why it has this priority"),
    "category": Fact(_text("category"), "its category"),
    "domain": Fact(_text("domain"), "its service domain"),
    "space": Fact(_text("space"), "its correlation space, by default the environment"),
    "service": Fact(lambda incident: _short(_word(incident.get("service"))), "name of the service that it is about"),
    "service_ref": Fact(_text("service"), "reference of that service in the catalogue"),
    "services": Fact(_names("services"), "list: names of all services that are affected"),
    "owner": Fact(_text("owner"), "the team that owns the service"),
    "assignee": Fact(_text("assignee"), "who has it"),
    "layer": Fact(_text("infrastructure_layer"), "infrastructure layer"),
    "hosting": Fact(_text("hosting_model"), "hosting model: `cloud`, `on_prem`, `hybrid` or `saas`"),
    "sites": Fact(_texts("sites"), "list: where it is"),
    "runbook": Fact(_text("runbook"), "address of the runbook"),
    "affected": Fact(_text("who_is_affected"), "who is affected, in words"),
    "users": Fact(_number("users_affected"), "number of users that are affected"),
    "reporters": Fact(_number("reporters"), "number of people who have reported it"),
    "revenue_per_minute": Fact(_number("revenue_per_minute"), "what is at stake a minute"),
    "regulatory": Fact(_texts("regulatory"), "list: rules of regulators that it touches"),
    "symptoms": Fact(_texts("symptoms"), "list: its symptoms"),
    "cause": Fact(lambda incident: _short(_word(incident.get("identified"))), "name of the cause that is identified"),
    "suspects": Fact(_suspects, "list: probable causes, each with `name`, `because` (a list) and `change`"),
    "links": Fact(_links, "list: cases and tickets that hang on it, each with `kind`, `id`, `url` and `state`"),
    "major": Fact(lambda incident: incident.get("kind") == "bridge", "it is a Major Incident: true or false"),
    "bridge": Fact(_text("bridge_id"), "id of the bridge incident that it belongs to"),
    "commander": Fact(_text("commander"), "who commands the Major Incident"),
    "members": Fact(_texts("members"), "list: ids of the incidents of a Major Incident"),
    "workaround": Fact(_text("workaround"), "the workaround that is in place"),
    "resolution_code": Fact(_resolution("code"), "how it was resolved: the code"),
    "resolution": Fact(_resolution("summary"), "how it was resolved: the words"),
    "reopened": Fact(_number("reopened"), "how often it was reopened"),
    "alerts": Fact(_number("alerts_total"), "number of its alerts"),
    "since": Fact(_moment("detected_at_ms"), "when it began: a moment, for `local_time`"),
    "acknowledged": Fact(_moment("acknowledged_at_ms"), "when it was acknowledged: a moment, or none"),
    "ended": Fact(_moment("resolved_at_ms"), "when it was resolved: a moment, or none"),
    "now": Fact(lambda incident: _moment("updated_at_ms")(incident) or 0, "when it was last changed: a moment"),
}
"""Facts by name. Nothing in them is a secret: all of it stands in the events that anybody with the topic reads."""

SAMPLE: Final[Snapshot] = {
    "id": "INC-SAMPLE",
    "kind": "bridge",
    "state": "resolved",
    "title": "Checkout: requests fail",
    "priority": "P1",
    "urgency": "high",
    "impact": "severe",
    "severity": "critical",
    "priority_because": ["tier 1 service"],
    "category": "database",
    "domain": "retail",
    "space": "production",
    "service": "component:default/checkout",
    "services": ["component:default/checkout"],
    "owner": "payments",
    "assignee": "amara.okafor",
    "symptoms": ["requests fail"],
    "regulatory": ["pci-dss"],
    "sites": ["fra1"],
    "suspects": [{"ref": "component:default/payments-db", "because": ["it broke first"], "change_id": "CHG-1"}],
    "links": [{"kind": "ticket", "id": "T-1", "url": None, "state": "open"}],
    "members": ["INC-A"],
    "users_affected": 12_500,
    "resolution": {"code": "fixed", "summary": "Restarted."},
    "detected_at_ms": 1_773_136_800_000,
    "acknowledged_at_ms": 1_773_136_860_000,
    "resolved_at_ms": 1_773_140_400_000,
    "updated_at_ms": 1_773_140_400_000,
}
"""An incident that has everything, on which each template is tried."""

BARE: Final[Snapshot] = {"id": "INC-SAMPLE", "detected_at_ms": 1_773_136_800_000, "updated_at_ms": 1_773_136_800_000}
"""One that has nothing yet."""

LISTS: Final = frozenset(name for name, fact in FACTS.items() if isinstance(fact.take(SAMPLE), list))
"""Facts that a template may loop over."""


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value[:FACT_CHARACTERS_MAX]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return _listed(value) if isinstance(value, list) else value


def _listed(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(_plain(each) for each in list(values)[:LIST_ITEMS_MAX])

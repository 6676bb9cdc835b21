"""What each audience may see: a canary in every text of an incident never comes out where it must not."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from itertools import pairwise
from typing import Any, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.communication import audiences, communicate
from pipeline.core.communication.audience_facts import FACTS, LISTS, About, facts_of
from pipeline.core.communication.communicate import Words
from pipeline.core.communication.template_words import BUILT_IN
from pipeline.core.communication.templates import RenderError, TemplateProblem, compiled
from pipeline.core.draft import Draft
from pipeline.core.practice.desk import Desk
from pipeline.models.communications import (
    SPOKEN,
    STATES,
    TEMPLATE_NAMES,
    VIEWS,
    AudienceRule,
    CommunicationRules,
)
from pipeline.models.incident import Incident, IncidentState
from pipeline.models.incident_clock import Clock
from pipeline.models.incident_parts import (
    Communication,
    Duty,
    Escalation,
    Page,
    ProblemReview,
    Suspect,
    TicketLink,
)
from tests.core.builders import DB, HOST, MINUTE, PAY, SHOP, T0, catalogue, config, entity, policy
from tests.core.desks import desk

CANARY = "canary"
WORDS = {"id", "kind", "state", "space", "priority", "schema"}
"""Fields whose words are ours."""


def planted(salt: str, state: str, **given_fields: Any) -> Incident:
    """An incident in which each text that somebody else may have written is a canary."""

    def word(name: str) -> str:
        return f"{CANARY}-{salt}-{name}"

    made: dict[str, Any] = {}
    hints = get_type_hints(Incident)
    for each in fields(Incident):
        if each.name not in WORDS:
            if hints[each.name] in (str, str | None):
                made[each.name] = word(each.name)
            elif hints[each.name] == list[str]:
                made[each.name] = [word(each.name), word(each.name + "-2")]
    parts: dict[str, Any] = {
        "suspects": [Suspect(ref=word("suspect"), score=1.0, because=[word("because")], change_id=word("change"))],
        "tickets": [TicketLink(id=word("t"), feed=word("f"), state=word("s"), summary=word("u"), episode_id=word("e"))],
        "links": [{name: word(f"link-{name}") for name in ("kind", "id", "url", "state", "note")}],
        "clocks": {word("clock"): Clock(due_at_ms=T0)},
        "resolution": {name: word(f"resolution-{name}") for name in ("code", "summary", "by", "cause", "workaround")},
        "problem_review": ProblemReview(due_date=word("due"), because=word("review")),
        "chronic": {"times": 3, "why": word("chronic")},
        "duties": [Duty(name=word("duty"), notify=word("dpo"), due_at_ms=T0, because=word("why"), text=word("text"))],
        "communications": [Communication(at_ms=T0, page=word("page"), state="investigating", text=word("told"),
                                         audience="responders")],
    }  # fmt: skip
    escalation = Escalation()
    escalation.paged = [Page(at_ms=T0, person=word("person"), rotation=word("rotation"), service=word("service"),
                             target=word("target"), runbook=word("runbook"), because=word("page"))]  # fmt: skip
    core = {"id": "INC-1", "space": word("space"), "state": state, "priority": "P1", "detected_at_ms": T0}
    return Incident(**(made | parts | core | {"escalation": escalation} | given_fields))


def texts(value: Any) -> list[str]:
    """Every text inside a value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for each in pair for text in texts(each)]
    if isinstance(value, list | tuple):
        return [text for each in value for text in texts(each)]
    if is_dataclass(value):
        return [text for each in fields(value) for text in texts(getattr(value, each.name))]
    return []


def test_the_canaries_are_everywhere() -> None:
    incident = planted("x", "logged", commands=["canary-x-commands"])
    missing = [
        each.name
        for each in fields(Incident)
        if each.name not in WORDS
        and texts(getattr(incident, each.name))
        and CANARY not in "".join(texts(getattr(incident, each.name)))
    ]
    assert missing == []  # fmt: skip
    assert sum(CANARY in each for each in texts(incident)) > 60


HOSTILE = [
    "{% for each in LIST %}{{ each }}{% endfor %}",
    "{{ NAME }}",
    "{{ NAME | titles }}",
    "{{ NAME | first }}",
    "{{ NAME.title }}{{ NAME['because'] }}",
    "{{ NAME ~ '' }}",
]


def outside(at: Desk, incident: Incident, view: str, source: str, state: str) -> str:
    about = About(incident, at.policy(incident), at.topology, T0 + MINUTE, state, 1, T0 + 9 * MINUTE)
    said = compiled(source).render(facts_of(view, about))
    return f"{said.subject}\n{said.text}"


@settings(max_examples=50, deadline=None)
@given(
    salt=st.text("abcdef0123456789", min_size=4, max_size=8),
    state=st.sampled_from(list(IncidentState)),
    view=st.sampled_from(["public", "affected_users"]),
    told=st.sampled_from(STATES),
    resolved=st.none() | st.just(T0),
    service=st.sampled_from([SHOP, PAY, DB, HOST, "canary-service", None]),
)
def test_what_is_internal_never_gets_out(
    salt: str, state: str, view: str, told: str, resolved: int | None, service: str | None
) -> None:
    incident = planted(salt, state, resolved_at_ms=resolved, service=service)
    at = desk()
    facts = facts_of(view, About(incident, at.policy(incident), at.topology, T0, told))
    assert not any(CANARY in each for each in texts(facts))
    for name in TEMPLATE_NAMES:
        assert CANARY not in outside(at, incident, view, BUILT_IN[view][name], told)


@pytest.mark.parametrize("view", ["public", "affected_users"])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_template_can_ask_for_more_than_its_audience_may_see(view: str, hostile: str) -> None:
    incident, at = planted("x", "in_progress"), desk()
    names = {*(each.name for each in fields(Incident)), *(name for facts in FACTS.values() for name in facts)}
    for name in sorted(names):
        source = hostile.replace("NAME", name).replace("LIST", name)
        try:
            said = outside(at, incident, view, source, "investigating")
        except (TemplateProblem, RenderError):
            continue
        assert CANARY not in said, source


@settings(max_examples=40, deadline=None)
@given(salt=st.text("abcdef0123456789", min_size=4, max_size=8), state=st.sampled_from(list(IncidentState)))
def test_executives_see_no_person_no_machine_and_nothing_that_was_typed(salt: str, state: str) -> None:
    incident, at = planted(salt, state, regulatory=["pci"], duties=[]), desk()
    for service in (SHOP, HOST):
        incident.service = incident.identified = service
        about = About(incident, at.policy(incident), at.topology, T0, "investigating")
        facts = facts_of("executives", about)
        assert not any(CANARY in each for each in texts(facts))
        assert "Node-1" not in "".join(texts(facts))


def test_responders_see_everything() -> None:
    incident, at = planted("x", "in_progress"), desk()
    about = About(incident, at.policy(incident), at.topology, T0, "investigating")
    facts = facts_of("responders", about)
    for name in ("title", "symptoms", "assignee", "runbook", "affected"):
        assert CANARY in "".join(texts(facts[name]))


def test_a_wider_view_has_every_fact_of_a_narrower_one() -> None:
    wide = [set(FACTS[view]) for view in ("public", "affected_users", "executives", "responders")]
    assert all(narrow < wider for narrow, wider in pairwise(wide))
    assert set(BUILT_IN) == set(FACTS) == set(VIEWS)
    assert set().union(*wide) >= LISTS


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", TEMPLATE_NAMES)
def test_the_words_that_are_built_in_use_only_facts_of_their_audience(view: str, name: str) -> None:
    template = compiled(BUILT_IN[view][name])
    assert set(template.names) <= set(FACTS[view])
    assert set(template.loops) <= LISTS


@pytest.mark.parametrize(
    ("service", "names", "said"),
    [
        (SHOP, {}, "Shop"),
        (SHOP, {"shop": "the shop"}, "the shop"),
        (SHOP, {SHOP: "the shop"}, "the shop"),
        (SHOP, {"shop": ""}, "one of our services"),
        (DB, {}, "one of our services"),
        (DB, {"pay-db": "payments"}, "payments"),
        (HOST, {}, "one of our services"),
        ("unlisted:host/node-9", {}, "one of our services"),
        (None, {}, "one of our services"),
    ],
)
def test_outside_a_service_is_called_as_the_pack_or_the_catalogue_says_or_not_at_all(
    service: str | None, names: dict[str, str], said: str
) -> None:
    at = desk(communication=CommunicationRules(names=names))
    incident = Incident(id="INC-1", space="s", domain="shop", service=service)
    assert facts_of("public", About(incident, at.policy(incident), at.topology, T0, "resolved"))["service"] == said


def test_what_somebody_says_to_one_audience_is_said_to_no_other() -> None:
    rules = CommunicationRules(audiences={name: AudienceRule() for name in VIEWS})
    at = desk(config(domains={"shop": policy(communication=rules)}))
    incident = planted("x", "in_progress", bridge_id=None, domain="shop", logged_at_ms=T0)
    incident.communications.clear()
    draft = Draft(incident, T0)
    communicate.speak(at, draft, "executives", Words("identified", SPOKEN, "ann", "canary for the board"))
    communicate.keep(at, draft)
    by_audience = {each.audience: each.text for each in incident.communications}
    assert "canary for the board" in by_audience["executives"]
    assert CANARY not in by_audience["public"] + by_audience["affected_users"]


def test_long_lists_and_texts_are_bounded() -> None:
    many = catalogue(*(entity(f"component:default/s{number}") for number in range(60)))
    at = desk(config(catalogue=many))
    refs = sorted(many.entities)
    incident = Incident(id="INC-1", space="s", domain="shop", services=refs, title="x" * 9_000)
    facts = facts_of("responders", About(incident, at.policy(incident), at.topology, T0, "investigating"))
    assert len(facts["services"]) == 20
    assert len(facts["title"]) == 500
    channel = audiences.channels_of(at, incident, "public")[0]
    said, _, _ = audiences.render(channel, "update", audiences.about(at, channel, incident, T0, "investigating"))
    assert len(said.text) < 500

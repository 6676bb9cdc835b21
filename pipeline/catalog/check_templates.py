"""What the communications of a pack must hold together; every template is compiled and tried on sample incidents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from zoneinfo import available_timezones

from pipeline.catalog.packs import Packs, Source
from pipeline.catalog.problems import Findings, Place, suggestion
from pipeline.catalog.template_samples import samples
from pipeline.core.communication.audience_facts import FACTS, LISTS, facts_of
from pipeline.core.communication.templates import RenderError, Template, TemplateProblem, compiled
from pipeline.models.communications import LANGUAGE, TEMPLATE_NAMES, VIEWS, AudienceRule, view_of
from pipeline.models.policy import DomainPolicy

_HERE: Final = "communication"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?")
_RESERVED: Final = "internal"


def check_communication(policy: DomainPolicy, source: Source, packs: Packs, findings: Findings) -> None:
    """Audiences, languages, duties and templates of one pack."""
    rules = policy.communication
    _check_priorities(rules.status_page, policy, source, findings, _HERE, "status_page")
    for index, language in enumerate(rules.languages):
        if not _LANGUAGE.fullmatch(language):
            where = source.at(_HERE, "languages", index)
            findings.problem(where, f"languages: '{language}' is no language such as 'en' or 'nl'")
    if not rules.languages:
        findings.problem(source.at(_HERE, "languages"), "languages: name at least one")
    for audience, rule in rules.audiences.items():
        _check_audience(audience, rule, policy, source, findings)
        for name, text in rule.templates.items():
            if isinstance(text, str):
                file = packs.template_files.get((policy.domain, audience, name))
                _check_template(audience, rule, name, text, policy, source, file, findings)
        _check_languages(audience, rule, policy, source, findings)
    _check_duties(policy, source, findings)


def _check_priorities(
    names: tuple[str, ...], policy: DomainPolicy, source: Source, findings: Findings, *path: str | int
) -> None:
    stated = _HERE in policy.model_fields_set  # the default status page names a priority that this scale may not have
    for index, name in enumerate(names):
        if name not in policy.priorities and stated:
            known = suggestion(name, policy.priorities) or f"; known: {', '.join(policy.priorities)}"
            findings.problem(source.at(*path, index), f"{path[-1]}: unknown priority '{name}'{known}")


def _check_audience(
    audience: str, rule: AudienceRule, policy: DomainPolicy, source: Source, findings: Findings
) -> None:
    here = (_HERE, "audiences", audience)
    if not _NAME.fullmatch(audience) or audience == _RESERVED:
        message = f"audience '{audience}': must be lower-case letters, digits and '_', and not '{_RESERVED}'"
        findings.problem(source.at(*here), message)
    if rule.sees is None and audience not in VIEWS:
        known = ", ".join(VIEWS)
        message = f"audience '{audience}' sees as little as the public; say 'sees:' with one of {known}"
        findings.warning(source.at(*here), message, "audience-without-view")
    if audience in VIEWS and len(FACTS[rule.sees or audience]) > len(FACTS[audience]):
        message = f"sees: audience '{audience}' would see what {rule.sees} see; give such an audience a name of its own"
        findings.problem(source.at(*here, "sees"), message)
    _check_priorities(rule.priorities or (), policy, source, findings, *here, "priorities")
    if rule.timezone is not None and rule.timezone not in available_timezones():
        near = suggestion(rule.timezone, available_timezones())
        findings.problem(source.at(*here, "timezone"), f"unknown time zone '{rule.timezone}'{near}")
    _check_cadence(rule, policy, source, findings, here)


def _check_cadence(
    rule: AudienceRule, policy: DomainPolicy, source: Source, findings: Findings, here: tuple[str, ...]
) -> None:
    every = rule.every_minutes
    stated = every.items() if isinstance(every, dict) else [("", every)] if every is not None else []
    for priority, minutes in stated:
        path = (*here, "every_minutes", priority) if priority else (*here, "every_minutes")
        if priority and priority not in policy.priorities:
            near = suggestion(priority, policy.priorities)
            findings.problem(source.at(*path), f"every_minutes: unknown priority '{priority}'{near}")
        if minutes != 0 and minutes < 1:
            message = f"every_minutes: {minutes:g}; at least 1, or 0 for none between changes of state"
            findings.problem(source.at(*path), message)


def _check_template(
    audience: str,
    rule: AudienceRule,
    name: str,
    text: str,
    policy: DomainPolicy,
    source: Source,
    file: str | None,
    findings: Findings,
) -> None:
    place = source.at(_HERE, "audiences", audience, "templates", name)
    known, _, language = name.partition(".")
    if known not in TEMPLATE_NAMES:
        findings.problem(place, f"templates: there is no '{known}'{suggestion(known, TEMPLATE_NAMES)}")
        return
    if language and language not in policy.communication.languages[1:]:
        findings.problem(place, f"templates: '{language}' is none of the further languages of this pack")
    for line, message in _wrong(audience, rule, known, text, policy):
        where = Place(file, line) if file else _inside(place, text, line)
        findings.problem(where, f"template '{name}' of audience '{audience}': {message}")


def _inside(place: Place, text: str, line: int) -> Place:
    """A line of a template that stands in the pack: below its key where it is a block."""
    return Place(place.file, place.line + line) if "\n" in text else place


def _wrong(audience: str, rule: AudienceRule, name: str, text: str, policy: DomainPolicy) -> Iterator[tuple[int, str]]:
    """Line and words of what is wrong with a template."""
    try:
        template = compiled(text)
    except TemplateProblem as problem:
        yield problem.line, problem.message
        return
    view = view_of(audience, rule)
    found = False
    for fact, line in template.names.items():
        if fact not in FACTS[view]:
            found = True
            hidden = any(fact in facts for facts in FACTS.values())
            why = f"is not for the view '{view}'" if hidden else f"is no fact{suggestion(fact, FACTS[view])}"
            yield line, f"'{fact}' {why}"
    for fact, line in template.loops.items():
        if fact in FACTS[view] and fact not in LISTS:
            found = True
            yield line, f"'{fact}' is no list"
    if not found:
        yield from _tried(template, view, rule, name, policy)


def _tried(
    template: Template, view: str, rule: AudienceRule, name: str, policy: DomainPolicy
) -> Iterator[tuple[int, str]]:
    timezone = rule.timezone or policy.business_hours.timezone
    if timezone not in available_timezones():
        return
    for about in samples(policy, name, timezone):
        try:
            message = template.render(facts_of(view, about))
        except RenderError as error:
            yield 1, f"cannot be rendered for an incident that is {about.incident.state}: {error}"
            return
        if not message.text:
            yield 1, f"says nothing for an incident that is {about.incident.state}"
            return


def _check_languages(
    audience: str, rule: AudienceRule, policy: DomainPolicy, source: Source, findings: Findings
) -> None:
    """Every language that a pack lists has every template: a reader must not miss the one that matters."""
    languages = policy.communication.languages
    for language in languages:
        if language == LANGUAGE:
            continue
        names = [name if language == languages[0] else f"{name}.{language}" for name in TEMPLATE_NAMES]
        missing = [name for name in names if name not in rule.templates and not name.startswith("message")]
        if missing:
            where = source.at(_HERE, "audiences", audience, "templates")
            message = f"audience '{audience}' has no templates in '{language}': {', '.join(missing)}"
            findings.problem(where, f"{message}; only English is built in")


def _check_duties(policy: DomainPolicy, source: Source, findings: Findings) -> None:
    seen = set[str]()
    for index, duty in enumerate(policy.communication.duties):
        if duty.name in seen:
            findings.problem(source.at(_HERE, "duties", index, "name"), f"duty '{duty.name}' is there twice")
        seen.add(duty.name)
        _check_priorities(duty.priorities, policy, source, findings, _HERE, "duties", index, "priorities")

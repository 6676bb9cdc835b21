"""Who is told of an incident: the audiences of its domain; of a bridge incident, those of all its members' domains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from pipeline.core.communication.audience_facts import About, facts_of
from pipeline.core.communication.template_words import BUILT_IN
from pipeline.core.communication.templates import Message, RenderError, TemplateProblem, compiled
from pipeline.core.practice.desk import Desk
from pipeline.models.communications import LANGUAGE, AudienceRule, place_key, view_of
from pipeline.models.incident import Incident
from pipeline.models.incident_parts import AudienceStream
from pipeline.models.policy import DomainPolicy

MINUTE_MS: Final = 60_000


class Channel(NamedTuple):
    """One audience at one place, told by the rules of one pack."""

    audience: str
    page: str
    rule: AudienceRule
    policy: DomainPolicy

    @property
    def key(self) -> str:
        """Of its stream on the incident."""
        return place_key(self.audience, self.page)

    @property
    def timezone(self) -> str:
        """Where its times are told."""
        return self.rule.timezone or self.policy.business_hours.timezone

    def hears(self, incident: Incident) -> bool:
        """Whether it is told of incidents of this priority."""
        named = self.rule.priorities
        return incident.priority in (self.policy.priorities[:1] if named is None else named)

    def every_ms(self, priority: str) -> int:
        """How often at least it is told of one that is open; 0: only when its state changes."""
        minutes = self.rule.every_minutes
        if isinstance(minutes, dict):
            minutes = minutes.get(priority)
        if minutes is None:
            targets = self.policy.targets.get(priority)
            minutes = targets.update_minutes if targets is not None else None
        return round((minutes or 0) * MINUTE_MS)


def policies(desk: Desk, incident: Incident) -> Iterator[DomainPolicy]:
    """The packs whose audiences are told, the incident's own first."""
    yield desk.policy(incident)
    for domain in incident.domains:
        if domain != incident.domain:
            yield desk.policy_of(domain)


def channels(desk: Desk, incident: Incident) -> Iterator[Channel]:
    """Every audience that has a rule, each place once."""
    seen = set[str]()
    for policy in policies(desk, incident):
        for key, audience, page, rule in policy.communication.places:
            if key not in seen:
                seen.add(key)
                yield Channel(audience, page, rule, policy)


def channels_of(desk: Desk, incident: Incident, audience: str) -> list[Channel]:
    """Where one audience is told; one that every pack has is told where it has no rule, too. Empty: nobody knows it."""
    found = [each for each in channels(desk, incident) if each.audience == audience]
    if found:
        return found
    policy = desk.policy(incident)
    rule = policy.communication.known(audience)
    return [] if rule is None else [Channel(audience, policy.communication.page(audience), rule, policy)]


def channel_of(desk: Desk, incident: Incident, stream: AudienceStream) -> Channel:
    """The channel of a stream that has begun, though the pack may have changed since."""
    for each in channels_of(desk, incident, stream.audience):
        if each.page == stream.page:
            return each
    policy = desk.policy(incident)
    rule = policy.communication.known(stream.audience) or AudienceRule(priorities=())
    return Channel(stream.audience, stream.page, rule.model_copy(update={"priorities": ()}), policy)


def source_of(channel: Channel, name: str, language: str, first: str) -> str | None:
    """The template of a channel by its name, in a language; None: there is none in that language."""
    own = channel.rule.templates.get(name if language == first else f"{name}.{language}")
    if isinstance(own, str):
        return own
    if language in (LANGUAGE, first):
        return BUILT_IN[view_of(channel.audience, channel.rule)][name]
    return None


def render(channel: Channel, name: str, about: About) -> tuple[Message, dict[str, dict[str, str]], str]:
    """The message of a channel in its first language, in the others, and what was wrong with its template."""
    languages = channel.policy.communication.languages or (LANGUAGE,)
    view = view_of(channel.audience, channel.rule)
    problem, said = "", dict[str, Message]()
    for language in languages:
        source = source_of(channel, name, language, languages[0])
        if source is None:
            continue
        try:
            said[language] = _rendered(source, view, about)
        except (RenderError, TemplateProblem) as error:
            # Every template was tried when it was loaded; who waits for news is told in the words that are built in.
            problem = str(error)
            said[language] = _rendered(BUILT_IN[view][name], view, about)
    first = said.pop(languages[0])
    return first, {name: {"subject": each.subject, "text": each.text} for name, each in said.items()}, problem


def _rendered(source: str, view: str, about: About) -> Message:
    template = compiled(source)
    return template.render(facts_of(view, about, template.names))


def about(desk: Desk, channel: Channel, incident: Incident, now_ms: int, state: str, **given: Any) -> About:
    """What the facts of a message are taken from."""
    return About(incident, channel.policy, desk.topology, now_ms, state, timezone=channel.timezone, **given)

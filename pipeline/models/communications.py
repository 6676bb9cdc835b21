"""Who hears of what, how often, in which words, and what a regulator is owed."""

from __future__ import annotations

from functools import cached_property
from typing import Final, Literal

from pydantic import Field

from pipeline.models.catalog import Frozen

PUBLIC: Final = "public"

VIEWS: Final = ("responders", "affected_users", "executives", PUBLIC)
"""What an audience may see, from `pipeline.core.communication.audience_facts`; each is also the name of the
audience that has it."""

STATES: Final = ("investigating", "identified", "waiting", "mitigated", "resolved", "cancelled", "moved")
"""Where a stream of messages can be. ``cancelled``: it was no failure; ``moved``: another incident speaks for it."""

UPDATE: Final = "update"
"""Template of a message that is due though nothing is new."""

SPOKEN: Final = "message"
"""Template around what a person says."""

TEMPLATE_NAMES: Final = (*STATES, UPDATE, SPOKEN)

LANGUAGE: Final = "en"
"""Language of the templates that are built in."""


class TemplateFile(Frozen):
    """A template in a file of its own.

    Attributes:
        file: its name in ``templates/``.
    """

    file: str


class AudienceRule(Frozen):
    """One audience of a domain: when it is told, how often, where, in which words.

    Attributes:
        sees: what its messages may say: as `responders`, `affected_users`, `executives` or `public` do; by default as
            the audience of its own name, and as `public` where there is none.
        priorities: incidents of these priorities are told; by default of the highest.
        every_minutes: a message at least so often while it is open, for all priorities or by priority; 0: only when
            the state changes; by default the update target of the priority.
        channel: where the messages go: a status page, a chat, a list. A name, which sinks go by.
        approval: `required`: a message is a draft until a commander approves it; by default for the view `public`.
        timezone: times are told in it; by default that of the business hours.
        templates: own words by state (`investigating`, `identified`, `waiting`, `mitigated`, `resolved`, `cancelled`,
            `moved`), `update` and `message`; for another language with its name after a dot, as `resolved.nl`. A first
            line `Subject: ...` is the subject.
    """

    sees: Literal["responders", "affected_users", "executives", "public"] | None = None
    priorities: tuple[str, ...] | None = None
    every_minutes: float | dict[str, float] | None = None
    channel: str = Field(default="", max_length=200)
    approval: Literal["none", "required"] | None = None
    timezone: str | None = None
    templates: dict[str, str | TemplateFile] = Field(default_factory=dict)


class CommunicationDuty(Frozen):
    """A notice that somebody is owed by law or contract.

    Attributes:
        name: by which it is fulfilled; lower-case words.
        regulatory: for incidents with one of these tags; empty: for all.
        priorities: and of one of these priorities; empty: of all.
        notify: who is owed the notice: a role or an office.
        within_minutes: counted from detection.
        text: what is to be done, for who does it.
    """

    name: str = Field(min_length=1, max_length=64)
    regulatory: tuple[str, ...] = ()
    priorities: tuple[str, ...] = ()
    notify: str = Field(min_length=1, max_length=200)
    within_minutes: float = Field(gt=0)
    text: str = Field(default="", max_length=1_000)


class CommunicationRules(Frozen):
    """Who hears of what.

    Attributes:
        status_page: priorities that are shown on an internal status page; its messages need no approval. For one that
            the world reads, say `public` among the audiences.
        page_name: which status page.
        audiences: by name: `responders`, `affected_users`, `executives`, `public`, or a name of your own.
        languages: of the messages, the first of them first.
        currency: before sums of money, such as `EUR`.
        names: what services are called outside, by name or reference; with an empty name one is never named. By
            default a Component or System is called by its title, and anything else is not named.
        duties: notices that are owed.
    """

    status_page: tuple[str, ...] = ("P1",)
    page_name: str = "status"
    audiences: dict[str, AudienceRule] = Field(default_factory=dict)
    languages: tuple[str, ...] = (LANGUAGE,)
    currency: str = Field(default="", max_length=8)
    names: dict[str, str] = Field(default_factory=dict)
    duties: tuple[CommunicationDuty, ...] = ()

    @cached_property
    def rules(self) -> dict[str, AudienceRule]:
        """The audiences that are told, with the status page as ``public`` where no audience is called so."""
        page = AudienceRule(priorities=self.status_page, channel=self.page_name, approval="none")
        return ({PUBLIC: page} if self.status_page else {}) | self.audiences

    @cached_property
    def places(self) -> tuple[tuple[str, str, str, AudienceRule], ...]:
        """Key of its stream, name, page and rule of each audience."""
        pages = ((audience, self.page(audience), rule) for audience, rule in self.rules.items())
        return tuple((place_key(audience, page), audience, page, rule) for audience, page, rule in pages)

    @cached_property
    def heard(self) -> frozenset[str | None]:
        """Priorities that any audience is told of; None stands for the highest."""
        stated = [each.priorities for each in self.rules.values()]
        named = frozenset(priority for priorities in stated for priority in priorities or ())
        return named | {None} if None in stated else named

    def known(self, audience: str) -> AudienceRule | None:
        """The rule of an audience; one that every pack has is told nothing by itself where the pack has no rule."""
        if audience not in self.rules and audience in VIEWS:
            return AudienceRule(priorities=())
        return self.rules.get(audience)

    def page(self, audience: str) -> str:
        """Where the messages of an audience go."""
        rule = self.rules.get(audience)
        return (rule.channel if rule else "") or (self.page_name if audience == PUBLIC else audience)


def place_key(audience: str, page: str) -> str:
    """Key of the stream of messages to an audience at a place."""
    return f"{audience}/{page}"


def view_of(audience: str, rule: AudienceRule) -> str:
    """What an audience may see: what is unknown may see least."""
    return rule.sees or (audience if audience in VIEWS else PUBLIC)


def needs_approval(audience: str, rule: AudienceRule) -> bool:
    """Whether its messages are drafts first."""
    if rule.approval is not None:
        return rule.approval == "required"
    return view_of(audience, rule) == PUBLIC

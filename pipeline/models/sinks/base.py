"""What every sink has: who is told, how fast, and how it is watched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field

from pipeline.models.catalog import Frozen
from pipeline.models.gateway import Authentication, VariableName
from pipeline.models.remote import RemoteState

ADDRESS_CHARACTERS_MAX: Final = 2_000
"""What browsers and proxies take."""


def _address(value: str) -> str:
    """A web address without a secret in its plainest place; what is wrong is told without repeating it."""
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(each.isspace() for each in value):
        raise ValueError("must begin with https:// or http:// and name a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("may hold no user and no password: give the NAME of an environment variable that holds them")
    return value


Address = Annotated[str, Field(max_length=ADDRESS_CHARACTERS_MAX), AfterValidator(_address)]
"""The address of a downstream, or the base address of its API."""

Kind = Literal["incident", "bridge"]

FIELD_TEMPLATES_MAX: Final = 50
"""Own fields of a ticket: more than any form has."""

MAPPING_ENTRIES_MAX: Final = 2_000
"""Entries of a mapping: people, services or components of a large company."""

Named = Literal["priority", "domain", "service", "person", "team", "fact template"]


@dataclass(frozen=True, slots=True)
class Refers:
    """Marks a mapping or list of a sink that names something of ours, which `config check` then looks up.

    Attributes:
        keys: what the keys of the mapping name.
        values: what its values, or the members of the list, name.
    """

    keys: Named | None = None
    values: Named | None = None


Priorities = Annotated[tuple[str, ...], Refers(values="priority")]
Domains = Annotated[tuple[str, ...], Refers(values="domain")]

ByPriority = Annotated[dict[str, str], Field(max_length=MAPPING_ENTRIES_MAX), Refers(keys="priority")]
"""Priority here -> word there."""

ByDomain = Annotated[dict[str, str], Field(max_length=MAPPING_ENTRIES_MAX), Refers(keys="domain")]
"""Domain here -> word there."""

ByService = Annotated[dict[str, str], Field(max_length=MAPPING_ENTRIES_MAX), Refers(keys="service")]
"""Service here, by name or reference -> its id there."""

ToPerson = Annotated[dict[str, str], Field(max_length=MAPPING_ENTRIES_MAX), Refers(values="person")]
"""Person there -> person or team here."""

FieldTemplates = Annotated[dict[str, str], Field(max_length=FIELD_TEMPLATES_MAX), Refers(values="fact template")]
"""Name of a field there -> a template over the facts of the incident (`pipeline.sinks.mapping`)."""


class SinkRules(Frozen):
    """Fields of all sinks.

    Attributes:
        name: the key in sinks.yaml; filled in.
        priorities: only incidents of these priorities; empty: all. One that was told of once is told to its end.
        domains: only incidents of these domains; empty: all.
        kinds: incidents, bridge incidents, or both.
        timeout_seconds: for one request.
        requests_per_second: sustained rate of all workers together, shared by sinks of one credential; 0: no limit.
        burst: requests that may come at once.
        enabled: false: nothing is sent, and what is open there already waits.
    """

    # What was given by mistake may be the secret itself.
    model_config = ConfigDict(hide_input_in_errors=True)

    name: str
    priorities: Priorities = ()
    domains: Domains = ()
    kinds: tuple[Kind, ...] = ("incident", "bridge")
    timeout_seconds: float = Field(default=10.0, gt=0, le=120)
    requests_per_second: float = Field(default=0.0, ge=0, le=10_000)
    burst: int = Field(default=5, ge=1, le=10_000)
    enabled: bool = True

    LINK_KIND: ClassVar[str | None] = None
    """What the record there is to an incident, as on its ``links``; None: nothing to link to."""

    STATE_BY_MESSAGES: ClassVar[bool] = False
    """The state there is the one of the newest message, not of the incident, until the incident has ended."""

    MADE_AGAIN: ClassVar[bool] = True
    """A record that was deleted there while the incident is open is made again."""

    STATES: ClassVar[dict[RemoteState, RemoteState]] = {}
    """State that we ask for -> the one that is read back, where the downstream knows fewer than we do."""

    @property
    def credential(self) -> str:
        """Sinks of the same credential share its rate."""
        return self.name

    @property
    def secret_names(self) -> tuple[str, ...]:
        """Variables of the environment that it cannot work without."""
        return ()

    @property
    def address(self) -> str:
        """Where it is, for people."""
        return ""

    def canonical(self, field: str, value: str) -> str:
        """A value as it will be read back from there: what echoes are told by."""
        if field == "state":
            return self.STATES.get(RemoteState(value), RemoteState(value))
        return value


class WithSecret(SinkRules):
    """A sink of an address and a secret.

    Attributes:
        url: address; the base address of an API.
        secret_env: NAME of the environment variable that holds the secret; never the secret itself.
    """

    url: Address
    secret_env: VariableName

    @property
    def credential(self) -> str:  # noqa: D102  # as above
        return self.secret_env

    @property
    def secret_names(self) -> tuple[str, ...]:  # noqa: D102  # as above
        return (self.secret_env,)

    @property
    def address(self) -> str:  # noqa: D102  # as above
        return self.url


Owner = Literal["ours", "theirs", "both", "until_edited"]
"""Who may write a field. `both`: whoever wrote last, and a person before a machine. `until_edited`: ours until a person
edits it there, then theirs."""


class Owners(Frozen):
    """Field ownership: who may write what of the record that both sides have.

    Attributes:
        state: its state of work.
        priority: its priority.
        assignee: who has it.
        title: its title.
        notes: `both`: words of people there are noted here and ours there; `ours`: theirs stay there; `theirs`: ours
            stay here.
    """

    state: Owner = "both"
    priority: Owner = "until_edited"
    assignee: Owner = "theirs"
    title: Owner = "until_edited"
    notes: Owner = "both"


class TwoWay(SinkRules):
    """A sink that changes come back from.

    Attributes:
        owners: who may write what.
        on_all_clear: all alerts are clear while a person works on it there: `propose` that it be resolved, by a note,
            or `resolve` it.
        updates: who may send its webhooks to the gateway, at ``/v1/sinks/<name>``; None: nobody.
        reconcile_minutes: how often what should be open there is looked at; 0: never.
        own_users: accounts there whose changes are our own, beside the one that we log in as.
        people: who somebody there is here: name or id there -> name here.
    """

    owners: Owners = Owners()
    on_all_clear: Literal["propose", "resolve"] = "propose"
    updates: Authentication | None = None
    reconcile_minutes: float = Field(default=60, ge=0, le=10_080)
    own_users: tuple[str, ...] = ()
    people: ToPerson = Field(default_factory=dict)

    READS_BACK: ClassVar[bool] = True
    """Whether it has anything to send back: what people do there."""

"""``console.yaml``: who may come in to the console and its API, from where, how often, for how long."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from pipeline.models.catalog import Frozen
from pipeline.models.command import Role

TOKEN_DAYS_MAX: Final = 3_650
ACCESS_LOG_DAYS_MAX: Final = 3_650
NAMES_MAX: Final = 1_000
"""Groups, domains and proxies that one list may name."""


def _web_origin(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError("write an address such as https://spillway.example.com, without user, query or fragment")
    if parts.path not in ("", "/"):
        raise ValueError("the console is at the root of its host: leave out the path")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("http is for this machine alone: people's sessions go over it; use https")
    return text.rstrip("/")


def _issuer(text: str) -> str:
    parts = urlsplit(text)
    if not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError("write the issuer as it calls itself: https://login.example.com/realm")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise ValueError("an issuer is asked over https")
    return text


def _network(text: str) -> str:
    ip_network(text)
    return text


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its address or as ``localhost``."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


WebOrigin = Annotated[str, AfterValidator(_web_origin)]
Issuer = Annotated[str, Field(max_length=512), AfterValidator(_issuer)]
Network = Annotated[str, AfterValidator(_network)]


class GroupGrant(Frozen):
    """What a group of single sign-on may. Whoever is in several may what each of them may.

    Attributes:
        group: as the issuer calls it, in the claim `Oidc.groups_claim`.
        role: ``viewer``, ``responder``, ``commander`` or ``administrator``.
        domains: for incidents of these service domains; left out: of all, and of none.
    """

    group: str = Field(min_length=1, max_length=256)
    role: Literal[Role.VIEWER, Role.RESPONDER, Role.COMMANDER, Role.ADMINISTRATOR]
    domains: Annotated[tuple[str, ...], Field(min_length=1, max_length=NAMES_MAX)] | None = None


class Oidc(Frozen):
    """Single sign-on by OpenID Connect.

    Attributes:
        issuer: its address, exactly as it calls itself in its tokens.
        title: what the sign-in page calls it.
        client_id: of the console, as the issuer knows it.
        client_secret_env: environment variable with the client's secret; left out: a public client (PKCE alone).
        audience: what bearer tokens must be meant for; left out: ``client_id``.
        scopes: asked for when a browser signs in.
        subject_claim: who somebody is, in the log and as the actor of what he asks; it must never pass to another.
        name_claim: what people call him.
        groups_claim: the groups that he is in.
        leeway_seconds: by how much its clock and ours may differ.
        hosts: further hosts that the issuer keeps its keys and tokens on, such as ``www.googleapis.com``.
        grants: what each group may; nobody else comes in.
    """

    issuer: Issuer
    title: str = Field(default="single sign-on", min_length=1, max_length=60)
    client_id: str = Field(min_length=1, max_length=256)
    client_secret_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    audience: str | None = Field(default=None, min_length=1, max_length=256)
    scopes: tuple[Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$")], ...] = ("openid", "profile", "email")
    subject_claim: str = Field(default="sub", min_length=1, max_length=128)
    name_claim: str = Field(default="name", min_length=1, max_length=128)
    groups_claim: str = Field(default="groups", min_length=1, max_length=128)
    leeway_seconds: int = Field(default=30, ge=0, le=300)
    hosts: tuple[Annotated[str, Field(pattern=r"^[a-z0-9.-]+(:[0-9]{1,5})?$")], ...] = Field(default=(), max_length=10)
    grants: tuple[GroupGrant, ...] = Field(default=(), max_length=NAMES_MAX)


class Rates(Frozen):
    """How often somebody may ask; each is a sustained rate, with a burst of ten times as much on top of it.

    Attributes:
        strangers_per_second: requests without an identity, of one address.
        people_per_second: requests of one person or token.
        commands_per_second: of them, those that change something.
        sign_ins_per_minute: tries to sign in, and credentials that are none, of one address.
    """

    strangers_per_second: float = Field(default=5, gt=0, le=10_000)
    people_per_second: float = Field(default=50, gt=0, le=10_000)
    commands_per_second: float = Field(default=10, gt=0, le=10_000)
    sign_ins_per_minute: float = Field(default=10, gt=0, le=10_000)


class ConsoleSettings(Frozen):
    """The console and its API.

    Attributes:
        public_url: where browsers reach it; left out: wherever a request says.
        trusted_proxies: networks whose ``X-Forwarded-*`` headers are believed.
        session_hours: a browser signs in again after so long, whatever it does.
        session_idle_minutes: or when nothing came from it for so long.
        token_days_max: an API token lives so long at most.
        access_log_days: entries of the access log are kept for so long.
        rates: how often somebody may ask.
        oidc: single sign-on; left out: API tokens alone.
    """

    public_url: WebOrigin | None = None
    trusted_proxies: tuple[Network, ...] = Field(default=(), max_length=NAMES_MAX)
    session_hours: float = Field(default=12, gt=0, le=168)
    session_idle_minutes: float = Field(default=120, gt=0, le=1_440)
    token_days_max: int = Field(default=365, ge=1, le=TOKEN_DAYS_MAX)
    access_log_days: int = Field(default=400, ge=1, le=ACCESS_LOG_DAYS_MAX)
    rates: Rates = Rates()
    oidc: Oidc | None = None

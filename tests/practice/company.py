"""The company of the machine: three configurations of it that differ in all that a policy can say, and what fires."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from pipeline.models.clocks import BusinessHours, ClockRules, Targets
from pipeline.models.closure import Closure
from pipeline.models.communications import AudienceRule, CommunicationDuty, CommunicationRules
from pipeline.models.correlation_rules import Selector
from pipeline.models.escalation import EscalationLevel, EscalationPath, EscalationRepeat
from pipeline.models.inhibition import InhibitRule
from pipeline.models.maintenance import MaintenanceWindow
from pipeline.models.major import MajorIncidentMode, MajorIncidentRule, MajorIncidentTrigger, ProposalRules
from pipeline.models.policy import Config, CorrelationSettings, DomainPolicy, Feed
from tests.core.builders import DB, HOST, MINUTE, PAY, SHOP, T0, WIKI, catalogue, entity, moment, rotation

WARD: Final = "component:default/ward"
VERSIONS: Final = ("one", "two", "three")

_ENTITIES: Final = (
    entity(SHOP, tier=1, users=8_000, revenue_per_minute=900.0, system="store", depends_on=(PAY,)),
    entity(PAY, tier=1, users=3_000, revenue_per_minute=900.0, system="store", depends_on=(DB,)),
    entity(DB, type="database", infrastructure_layer="database", depends_on=(HOST,), system="store"),
    entity(HOST, type="host"),
    entity(WIKI, tier=3, users=400, domain="office", depends_on=(HOST,)),
    entity(WARD, tier=1, users=1_500, domain="care", regulatory=("patient-safety",), depends_on=(DB,)),
)
_ROTATIONS: Final = {
    "shop": rotation("shop", "ann", "bob", services=("shop",)),
    "pay": rotation("pay", "cem", "dora", services=("pay", "pay-db")),
    "ward": rotation("ward", "eve", "fred", services=("ward",)),
}
_FEEDS: Final = {
    "alertmanager": Feed(name="alertmanager", adapter="alertmanager", hold_seconds={"warning": 120}),
    "abroad": Feed(name="abroad", adapter="alertmanager", space="eu"),
    "zabbix": Feed(name="zabbix", adapter="zabbix"),
    "jira": Feed(name="jira", adapter="jira"),
}


def _levels(*levels: tuple[float, str]) -> tuple[EscalationLevel, ...]:
    return tuple(EscalationLevel(after_minutes=minutes, notify=tuple(names.split())) for minutes, names in levels)


def _one(domain: str) -> DomainPolicy:
    """Thorough: proposals, rounds, approvals, documentation."""
    return DomainPolicy(
        domain=domain,
        targets={
            "P1": Targets(respond_minutes=5, resolve_minutes=60, update_minutes=45),
            "P2": Targets(respond_minutes=15, resolve_minutes=240, update_minutes=60),
            "P3": Targets(respond_minutes=60, resolve_minutes=480, calendar="business"),
            "P4": Targets(respond_minutes=480, resolve_minutes=2_880, calendar="business"),
        },
        escalation=(
            EscalationPath(
                priorities=("P1", "P2"),
                levels=_levels((0, "oncall"), (5, "oncall-secondary dependency"), (15, "owner")),
                repeat=EscalationRepeat(times=2, every_minutes=7),
                resume_after_minutes=30,
                resume_at_share=0.5,
                fallback=("gina",),
            ),
            EscalationPath(priorities=("P3",), levels=_levels((20, "oncall"))),
        ),
        major_incident=MajorIncidentRule(
            rules=(
                MajorIncidentTrigger(
                    name="many", users_at_least=9_000, incidents_at_least=2, mode=MajorIncidentMode.PROMOTE
                ),
                MajorIncidentTrigger(name="big", users_at_least=5_000, mode=MajorIncidentMode.PROPOSE),
                MajorIncidentTrigger(name="care", regulatory=("patient-safety",)),
            ),
            manager=("shop", "gina"),
            propose=ProposalRules(call_again_minutes=5, expires_minutes=20, unanswered="declare"),
            demote_after_minutes=10,
        ),
        closure=Closure(
            resolve_quiet_seconds=60,
            close_after_minutes=90,
            close_undocumented={"P1": "never"},
            remind_minutes=600,
            require={"P1": ("cause",)},
        ),
        communication=CommunicationRules(
            status_page=("P1",),
            audiences={
                "public": AudienceRule(priorities=("P1",), every_minutes=60, channel="world"),
                "executives": AudienceRule(priorities=("P1", "P2"), every_minutes=90),
            },
            duties=(
                CommunicationDuty(name="regulator", notify="the regulator", within_minutes=120, priorities=("P1",)),
            ),
        ),
    )


def _two(domain: str) -> DomainPolicy:
    """Brisk: declares at once, clocks restart, short times, another matrix."""
    return DomainPolicy(
        domain=domain,
        matrix={
            "high": {"high": "P1", "medium": "P1", "low": "P2"},
            "medium": {"high": "P1", "medium": "P2", "low": "P3"},
            "low": {"high": "P2", "medium": "P4", "low": "P4"},
        },
        targets={
            "P1": Targets(respond_minutes=3, resolve_minutes=30, update_minutes=30),
            "P2": Targets(respond_minutes=10, resolve_minutes=90, calendar="business"),
        },
        clocks=ClockRules(
            warn_at=(0.5, 0.9),
            pause_in={"resolution": ("waiting_vendor", "mitigated"), "update": ("waiting_customer",)},
            met_by=("resolved",),
            on_reopen="restart",
        ),
        business_hours=BusinessHours(timezone="Europe/Berlin"),
        escalation=(EscalationPath(priorities=("P1",), levels=_levels((0, "oncall owner"), (4, "gina"))),),
        major_incident=MajorIncidentRule(users_at_least=3_000, demote_after_minutes=5),
        closure=Closure(resolve_quiet_seconds=0, close_after_minutes=10, reopen_minutes=5),
        communication=CommunicationRules(
            status_page=("P1",), audiences={"affected_users": AudienceRule(priorities=("P1", "P2"), every_minutes=45)}
        ),
        silence_never=("P1",),
    )


def company() -> dict[str, Config]:
    """The configurations, by version. The third is what a company gets that says nothing."""
    known: dict[str, Any] = {"catalogue": catalogue(*_ENTITIES), "rotations": _ROTATIONS, "feeds": _FEEDS}
    window = MaintenanceWindow(
        name="disks", start=moment(T0 + 40 * MINUTE), end=moment(T0 + 100 * MINUTE), targets=("node-1",), owner="ops"
    )
    nightly = MaintenanceWindow(name="wiki", every="weekday 11:00-12:00 UTC", targets=("wiki",))
    inhibit = InhibitRule(
        source=Selector(match={"severity": ("critical",)}),
        target=Selector(match={"severity": ("warning",)}),
        along="dependencies",
    )
    domains = ("shop", "office", "care")
    return {
        "one": Config(version="one", domains={each: _one(each) for each in domains}, maintenance=(window,), **known),
        "two": Config(
            version="two",
            domains={each: _two(each) for each in domains},
            maintenance=(nightly,),
            correlation=CorrelationSettings(window_seconds=300, inhibit={"below": inhibit}),
            **known,
        ),
        "three": Config(version="three", **(known | {"rotations": {}})),
    }


CONDITIONS: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "shop-errors": ("alertmanager", {"service": "shop"}),
    "shop-slow": ("alertmanager", {"service": "shop"}),
    "pay-errors": ("alertmanager", {"service": "pay"}),
    "db-connections": ("alertmanager", {"service": "pay-db"}),
    "node-disk": ("alertmanager", {"instance": "node-1:9100"}),
    "wiki-down": ("alertmanager", {"service": "wiki"}),
    "ward-login": ("alertmanager", {"service": "ward"}),
    "unknown-thing": ("alertmanager", {"service": "nobody-knows"}),
    "eu-shop": ("abroad", {"service": "shop"}),
    "eu-pay": ("abroad", {"service": "pay"}),
}
"""What monitors can see: name -> feed and labels."""

TICKETS: Final = (
    "The shop shows errors when I pay",
    "shop cannot be opened",
    "wiki search does not work",
    "Printer on floor 3 jams",
)

LONG: Final = timedelta(days=45)
"""After which nothing is left but what is kept for long on purpose."""

"""Policy packs, one for each service domain, and the rest of the configuration directory.

Nothing here is one universal workflow: categories, scales, matrices, targets, escalation and Major Incident
thresholds all belong to a domain. The defaults stand for a domain that has no pack of its own.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, ModelWrapValidatorHandler, model_validator

from pipeline.models.adapter import AdapterSpec
from pipeline.models.catalog import Catalogue, Frozen
from pipeline.models.clocks import BusinessHours, ClockRules, Targets
from pipeline.models.closure import Closure
from pipeline.models.communications import CommunicationRules
from pipeline.models.console import ConsoleSettings
from pipeline.models.correlation_rules import CorrelationRule
from pipeline.models.escalation import EscalationLevel, EscalationPath
from pipeline.models.expectation import Expectation
from pipeline.models.fatigue import ChronicRule, HoldSeconds, LearnedHold
from pipeline.models.gateway import GatewayFeed
from pipeline.models.inhibition import InhibitRule
from pipeline.models.maintenance import MaintenanceWindow
from pipeline.models.major import MajorIncidentRule
from pipeline.models.matching import MatchingRule
from pipeline.models.oncall import Rotation
from pipeline.models.own_scale import by_own_scale
from pipeline.models.permissions import Permissions
from pipeline.models.privacy import Privacy
from pipeline.models.problem import KnownError, ProblemRule
from pipeline.models.scales import PRIORITIES_DEFAULT, PRIORITIES_MAX, Category, ImpactRule, UrgencyRule
from pipeline.models.sinks import Sink
from pipeline.models.taxonomy import CATEGORIES_DEFAULT

DEFAULT_DOMAIN = "default"


_MATRIX_DEFAULT: dict[str, dict[str, str]] = {
    "high": {"high": "P1", "medium": "P2", "low": "P3"},
    "medium": {"high": "P2", "medium": "P3", "low": "P4"},
    "low": {"high": "P3", "medium": "P4", "low": "P4"},
}


class DomainPolicy(Frozen):
    """The policy pack of one service domain.

    Attributes:
        extends: the pack that it inherits from, or ``built-in``; the loader has merged it in.
        abstract: nothing but a parent of other packs; no domain works by it.
        priorities: the scale, most urgent first. Whatever compares two priorities goes by it. What else names
            priorities and is not written takes the defaults by their place in the scale.
        calendars: further calendars by name, for targets that name them; those of ``calendars.yaml`` are known as
            well, and the pack's own win.
        matrix: urgency level -> impact level -> priority.
        clocks: by which rules the service level clocks run.
        users_per_report: each distinct reporter stands for this many affected users, as most people do not
            report; capped by the service's population.
        silence_never: priorities that no silence mutes: an alert that would open an incident of one of them by
            itself is told.
        permissions: who may give which command, where that is another than by default.
        version: for people; recorded on each incident that was opened under it, with a digest of the content.
    """

    domain: str
    title: str = ""
    version: str = "1"
    extends: str | None = None
    abstract: bool = False
    priorities: tuple[str, ...] = Field(default=PRIORITIES_DEFAULT, min_length=1, max_length=PRIORITIES_MAX)
    business_hours: BusinessHours = BusinessHours()
    calendars: dict[str, BusinessHours] = Field(default_factory=dict)
    categories: tuple[Category, ...] = CATEGORIES_DEFAULT
    impact: tuple[ImpactRule, ...] = (
        ImpactRule(level="high", tier_at_most=1, because="tier 1 service"),
        ImpactRule(level="high", users_at_least=1_000, because="1,000 users or more"),
        ImpactRule(level="medium", tier_at_most=2, because="tier 2 service"),
        ImpactRule(level="medium", users_at_least=50, because="50 users or more"),
        ImpactRule(level="low"),
    )
    urgency: tuple[UrgencyRule, ...] = (
        UrgencyRule(level="high", severity_at_least="critical", because="critical severity"),
        UrgencyRule(level="medium", severity_at_least="error", because="error severity"),
        UrgencyRule(level="low"),
    )
    matrix: dict[str, dict[str, str]] = Field(default_factory=lambda: _MATRIX_DEFAULT)
    targets: dict[str, Targets] = Field(
        default_factory=lambda: {
            "P1": Targets(respond_minutes=5, resolve_minutes=60, update_minutes=30),
            "P2": Targets(respond_minutes=15, resolve_minutes=240, update_minutes=60),
            "P3": Targets(respond_minutes=60, resolve_minutes=480),
            "P4": Targets(respond_minutes=480, resolve_minutes=2_880),
        }
    )
    clocks: ClockRules = ClockRules()
    escalation: tuple[EscalationPath, ...] = (
        EscalationPath(
            priorities=("P1", "P2"),
            levels=(
                EscalationLevel(after_minutes=0, notify=("oncall",)),
                EscalationLevel(after_minutes=5, notify=("oncall-secondary", "dependency")),
                EscalationLevel(after_minutes=15, notify=("owner", "dependency")),
            ),
        ),
    )
    major_incident: MajorIncidentRule = MajorIncidentRule(users_at_least=5_000)
    closure: Closure = Closure()
    permissions: Permissions = Field(default_factory=dict)
    communication: CommunicationRules = CommunicationRules()
    chronic: ChronicRule = ChronicRule()
    problem: ProblemRule = ProblemRule()
    users_per_report: int = Field(default=50, gt=0)
    silence_never: tuple[str, ...] = ()

    @model_validator(mode="wrap")
    @classmethod
    def _own_scale(cls, written: Any, build: ModelWrapValidatorHandler[DomainPolicy]) -> DomainPolicy:
        return by_own_scale(cls, written, build)

    def rank(self, priority: str) -> int:
        """Place of a priority in the scale: 0 is the most urgent; after the last for one that is not of the scale."""
        try:
            return self.priorities.index(priority)
        except ValueError:
            return len(self.priorities)

    def top_priority(self) -> str:
        """The most urgent priority that the matrix gives."""
        return min((each for row in self.matrix.values() for each in row.values()), key=self.rank)


class FeedQuota(Frozen):
    """How much of one feed is handed on; what is above it waits in Kafka until there is room.

    Attributes:
        messages_per_second: sustained rate, over all partitions of its topic, each of which has an equal part.
        burst: messages that may go at once after a quiet time.
    """

    messages_per_second: float = Field(gt=0, le=1_000_000)
    burst: int = Field(default=1_000, ge=1, le=1_000_000)


class Feed(Frozen):
    """One source.

    Attributes:
        name: reads ``alerts.raw.<name>``.
        adapter: which adapter reads its shape; the feed's own name by default.
        space: correlation space of all its alerts; None: by the alert's environment.
        hold_seconds: by severity: how long a new episode may be held, so that transients pass unseen; ``learned``: as
            long as such episodes usually take to end by themselves.
        hold_learned: limits of what is learned.
        ttl_seconds: for sources that never resolve.
        maintenance_hours_max: how long maintenance that the source announces mutes what it is about, at most; 0: it
            mutes nothing.
        expect: how long it may say nothing before its silence is an incident of its own; None: for ever.
        options: what the adapter lets a feed choose; each adapter's page says what.
        gateway: how it takes messages over HTTP; None: it does not.
        quota: how much of it is handed on; None: a fair share of what there is room for.
    """

    name: str
    adapter: str
    space: str | None = None
    hold_seconds: dict[str, HoldSeconds] = Field(default_factory=dict)
    hold_learned: LearnedHold = LearnedHold()
    ttl_seconds: int | None = Field(default=None, gt=0)
    maintenance_hours_max: int = Field(default=24, ge=0, le=336)
    expect: Expectation | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    gateway: GatewayFeed | None = None
    quota: FeedQuota | None = None


class CorrelationSettings(Frozen):
    """Limits and thresholds of dedupe and correlate; weights are in the core, beside their reasons.

    Attributes:
        window_seconds: an incident without news for this long takes no new episode on evidence alone.
        join_at_least: score in [0, 1] from which an episode joins.
        flap_transitions: firing-resolved turns within ``flap_window_seconds`` that mean flapping.
        flap_quiet_seconds: quiet time after which a condition is no longer flapping.
        ttl_seconds: an episode whose source falls silent for this long expires; None: never, for sources
            that report recovery.
        rules: by name, in order: what always joins, never meets, or waits for company.
        inhibit: by name: what is muted while what it needs is known to be down.
        silence_days_max: for how many days from now people may silence something.
    """

    window_seconds: int = Field(default=900, gt=0)
    join_at_least: float = Field(default=0.5, gt=0, le=1)
    flap_transitions: int = Field(default=4, ge=2)
    flap_window_seconds: int = Field(default=1_800, gt=0)
    flap_quiet_seconds: int = Field(default=900, gt=0)
    ttl_seconds: int | None = Field(default=None, gt=0)
    rules: dict[str, CorrelationRule] = Field(default_factory=dict)
    inhibit: dict[str, InhibitRule] = Field(default_factory=dict)
    silence_days_max: int = Field(default=7, ge=1, le=90)


class Config(Frozen):
    """A whole configuration directory, loaded and checked. ``version`` is a hash of its content."""

    version: str = "empty"
    catalogue: Catalogue = Catalogue()
    domains: dict[str, DomainPolicy] = Field(default_factory=dict)
    rotations: dict[str, Rotation] = Field(default_factory=dict)
    adapters: dict[str, AdapterSpec] = Field(default_factory=dict)
    feeds: dict[str, Feed] = Field(default_factory=dict)
    sinks: dict[str, Sink] = Field(default_factory=dict)
    correlation: CorrelationSettings = CorrelationSettings()
    maintenance: tuple[MaintenanceWindow, ...] = ()
    known_errors: dict[str, KnownError] = Field(default_factory=dict)
    matching: tuple[MatchingRule, ...] = ()
    console: ConsoleSettings = ConsoleSettings()
    privacy: Privacy = Privacy()

    def policy(self, domain: str | None) -> DomainPolicy:
        """The pack of a domain, or the defaults for one that has none."""
        found = self.domains.get(domain) if domain else None
        return found or self.domains.get(DEFAULT_DOMAIN) or DomainPolicy(domain=domain or DEFAULT_DOMAIN)

"""The part of `effective` that a policy pack decides: categories, scales, matrix, targets, calendars, closure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipeline.catalog.clock_words import hours_words, public_words, shares_words, targets_words, week_words
from pipeline.catalog.effective_facts import DEFAULT, Fact, Section, at
from pipeline.catalog.inherit import parents
from pipeline.catalog.lint_context import Context
from pipeline.core.clocks.calendars import is_business_time
from pipeline.core.clustering.tally import Tally
from pipeline.core.names import Place as Follows
from pipeline.core.practice.prioritise import assess, gather
from pipeline.core.practice.shelf import stamp_of
from pipeline.models.alert import FeedClass, Severity
from pipeline.models.catalog import Entity
from pipeline.models.clocks import BusinessHours
from pipeline.models.member import Member
from pipeline.models.policy import DomainPolicy
from pipeline.models.scales import Category, ScaleRule

_SEVERITIES: Final = (Severity.CRITICAL, Severity.ERROR, Severity.WARNING, Severity.INFO)


class _Pack:
    """A pack with where each part of it is written."""

    def __init__(self, context: Context, policy: DomainPolicy) -> None:
        self.policy = policy
        self._source = context.opened.packs.sources.get(("domain", policy.domain))
        self._written = context.opened.packs.written

    @property
    def origin(self) -> str:
        """Where the pack itself is."""
        return DEFAULT if self._source is None else at(self._source.at())

    @property
    def parents(self) -> list[str]:
        """The packs that it inherits from, nearest first."""
        if self._source is None:
            return []
        return list(parents(self._written[self.policy.domain], self._written))

    def of(self, *path: str | int) -> str:
        """Where a part is written, here or by a pack that it inherits from; the default where it is not."""
        if self._source is None or (*self._source.path, *path) not in self._source.document.lines:
            return DEFAULT
        return at(self._source.at(*path))


def policy_sections(
    context: Context, policy: DomainPolicy, entity: Entity, follows: Follows, at_ms: int
) -> list[Section]:
    """What the pack in force says for a service.

    Args:
        context: a usable directory.
        policy: the pack, whose defaults are those of the models.
        entity: what alerts are about.
        follows: its service, and its domain, which may have no pack of its own.
        at_ms: the moment that business hours are judged at, epoch milliseconds.
    """
    pack = _Pack(context, policy)
    return [
        Section("policy pack", list(_pack(pack, follows.domain))),
        Section("categories", list(_categories(pack, entity))),
        Section("impact and urgency", list(_scales(pack))),
        Section("matrix", list(_matrix(pack))),
        Section("priority of its alerts", list(_priorities(context, pack, entity, follows, at_ms))),
        Section(
            "targets",
            [Fact(each, targets_words(targets), pack.of("targets", each)) for each, targets in policy.targets.items()],
        ),
        Section("calendar", list(_calendar(pack, at_ms))),
        Section("Major Incident and closure", list(_closure(pack))),
    ]


def _pack(pack: _Pack, domain: str | None) -> Iterator[Fact]:
    policy = pack.policy
    name = policy.domain if pack.origin != DEFAULT else "built in"
    whose = "" if policy.domain == domain or pack.origin == DEFAULT else f" as domain '{domain}' has none"
    yield Fact("pack", name, f"{pack.origin}{whose}")
    yield Fact("inherits from", pack.parents or None, pack.of("extends"))
    yield Fact("version", stamp_of(policy), pack.of("version"))
    yield Fact("priorities", list(policy.priorities), pack.of("priorities"))
    yield Fact("users a report stands for", policy.users_per_report, pack.of("users_per_report"))


def _categories(pack: _Pack, entity: Entity) -> Iterator[Fact]:
    for index, category in enumerate(pack.policy.categories):
        yield Fact(category.name, _category(category, entity), pack.of("categories", index))


def _category(category: Category, entity: Entity) -> str:
    parts = [f"words: {', '.join(category.words)}"] if category.words else []
    parts += [f"{label} is {' or '.join(values)}" for label, values in category.labels.items()]
    if category.feeds:
        parts.append(f"feeds: {', '.join(category.feeds)}")
    if category.hosting_models:
        here = " (this one's)" if entity.hosting_model in category.hosting_models else ""
        parts.append(f"hosting models: {', '.join(category.hosting_models)}{here}")
    if category.layers:
        here = " (this one's)" if entity.infrastructure_layer in category.layers else ""
        parts.append(f"layers: {', '.join(category.layers)}{here}")
    return "; ".join(parts)


def _scales(pack: _Pack) -> Iterator[Fact]:
    for index, reach in enumerate(pack.policy.impact):
        yield Fact(f"impact {reach.level}", _conditions(reach), pack.of("impact", index))
    for index, haste in enumerate(pack.policy.urgency):
        yield Fact(f"urgency {haste.level}", _conditions(haste), pack.of("urgency", index))


def _conditions(rule: ScaleRule) -> str:
    stated = rule.model_dump(exclude={"level", "because"}, exclude_defaults=True)
    words = [
        f"{name} {', '.join(map(str, value)) if isinstance(value, list | tuple) else value}"
        for name, value in stated.items()
    ]
    return " and ".join(words) or "all else"


def _matrix(pack: _Pack) -> Iterator[Fact]:
    impacts = list(dict.fromkeys(rule.level for rule in pack.policy.impact))
    for urgency in dict.fromkeys(rule.level for rule in pack.policy.urgency):
        row = pack.policy.matrix.get(urgency, {})
        cells = ", ".join(f"{impact} {row.get(impact, '-')}" for impact in impacts)
        yield Fact(f"urgency {urgency}", f"impact {cells}", pack.of("matrix", urgency))


def _priorities(context: Context, pack: _Pack, entity: Entity, follows: Follows, at_ms: int) -> Iterator[Fact]:
    """The priority of an incident of one alert of a monitor, as the rules themselves give it."""
    for severity in _SEVERITIES:
        plain, because = _priority(context, pack.policy, (entity, follows), severity, None, at_ms)
        yield Fact(f"{severity} alert", f"{plain}: {because}", pack.of("matrix"))
        for category in dict.fromkeys(each for rule in pack.policy.urgency for each in rule.categories):
            priority, because = _priority(context, pack.policy, (entity, follows), severity, category, at_ms)
            if priority != plain:
                yield Fact(f"{severity} alert of category {category}", f"{priority}: {because}", pack.of("matrix"))


def _priority(
    context: Context,
    policy: DomainPolicy,
    about: tuple[Entity, Follows],
    severity: str,
    category: str | None,
    at_ms: int,
) -> tuple[str, str]:
    alert = Member(
        episode_id="",
        incident_id="",
        alert_key="",
        feed="",
        feed_class=FeedClass.ON_PREM,
        summary="",
        severity=severity,
        opened_at_ms=at_ms,
        event_at_ms=at_ms,
        entity=about[0].ref,
        service=about[1].service,
        category=category,
    )
    result = assess(gather(Tally.of([alert], context.topology), policy), policy, at_ms)
    return result.priority, "; ".join(result.because[:2])


def _calendar(pack: _Pack, at_ms: int) -> Iterator[Fact]:
    hours: BusinessHours = pack.policy.business_hours
    yield Fact("business hours", week_words(hours), pack.of("business_hours"))
    yield Fact("time zone", hours.timezone, pack.of("business_hours", "timezone"))
    yield Fact("public holidays", public_words(hours) or None, pack.of("business_hours", "public_holidays"))
    yield Fact("holidays", list(hours.holidays) or None, pack.of("business_hours", "holidays"))
    yield Fact("extra working days", list(hours.working_days) or None, pack.of("business_hours", "working_days"))
    for name, other in pack.policy.calendars.items():
        yield Fact(f"calendar {name}", hours_words(other), pack.of("calendars", name))
    rules = pack.policy.clocks
    yield Fact("warnings at", shares_words(rules.warn_at), pack.of("clocks", "warn_at"))
    for clock, states in rules.pause_in.items():
        yield Fact(f"{clock} clock pauses in", ", ".join(states) or "no state", pack.of("clocks", "pause_in"))
    yield Fact("resolution is met by", ", ".join(rules.met_by), pack.of("clocks", "met_by"))
    yield Fact("after a reopening", f"clocks {rules.on_reopen}", pack.of("clocks", "on_reopen"))
    inside = "inside business hours" if is_business_time(hours, at_ms) else "outside business hours"
    yield Fact("at this time", inside, pack.of("business_hours"))


def _closure(pack: _Pack) -> Iterator[Fact]:
    for part, model in (
        ("major_incident", pack.policy.major_incident),
        ("closure", pack.policy.closure),
        ("communication", pack.policy.communication),
        ("chronic", pack.policy.chronic),
    ):
        for name, value in model.model_dump(mode="json").items():
            if value is not None:
                yield Fact(f"{part}.{name}", value if value != [] else None, pack.of(part, name))
    for command, permission in pack.policy.permissions.items():
        stated = permission.model_dump(mode="json", exclude_defaults=True)
        yield Fact(f"permissions.{command}", stated, pack.of("permissions", command))

"""Tables of a configuration for the terminal: what is in effect, defaults included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from rich.table import Table

from pipeline.catalog.clock_words import hours_words, rules_words, targets_words
from pipeline.catalog.effective_escalation import beside
from pipeline.catalog.rule_words import asks_for, does, ties
from pipeline.core.clustering.inhibition import critical
from pipeline.models.catalog import Entity
from pipeline.models.escalation import EscalationPath
from pipeline.models.maintenance import MaintenanceWindow
from pipeline.models.major import MajorIncidentRule, Thresholds
from pipeline.models.oncall import Layer
from pipeline.models.policy import Config, DomainPolicy, Feed
from pipeline.models.sinks import SinkRules
from pipeline.models.sinks.base import TwoWay

_KIND_TITLES: Final = {"component": "Components", "resource": "Resources", "system": "Systems"}


def counts(config: Config) -> dict[str, int]:
    """How many of each there are."""
    kinds = [entity.kind for entity in config.catalogue.entities.values()]
    return {
        "components": kinds.count("component"),
        "resources": kinds.count("resource"),
        "systems": kinds.count("system"),
        "groups": len(config.catalogue.groups),
        "domains": len(config.domains),
        "rotations": len(config.rotations),
        "adapters": len(config.adapters),
        "feeds": len(config.feeds),
        "sinks": len(config.sinks),
        "maintenance": len(config.maintenance),
        "rules": len(config.correlation.rules),
    }


def tables(config: Config, feeds: Mapping[str, Feed]) -> Iterator[Table]:
    """All tables that have a row, in the order in which they are read best.

    Args:
        config: the configuration.
        feeds: the feeds in force, those of adapters without configuration included.
    """
    entities = [entity for _, entity in sorted(config.catalogue.entities.items())]
    for kind, title in _KIND_TITLES.items():
        yield from _if_rows(_entities(title, [each for each in entities if each.kind == kind]))
    for policy in config.domains.values() if config.domains else [config.policy(None)]:
        yield _matrix(policy)
        yield _rules(policy)
    yield from _if_rows(_rotations(config))
    yield from _if_rows(_feeds(feeds))
    yield from _if_rows(_sinks(config))
    yield from _if_rows(_maintenance(config))
    yield from _if_rows(_correlation_rules(config))
    yield from _if_rows(_inhibition_rules(config))


def _if_rows(table: Table) -> list[Table]:
    return [table] if table.row_count else []


def _table(title: str, *columns: str) -> Table:
    """A table whose first column stays whole, so that names can be copied."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, no_wrap=index == 0, overflow="fold")
    return table


def _entities(title: str, entities: list[Entity]) -> Table:
    table = _table(title, "Name", "What it is", "Needs")
    for each in entities:
        table.add_row(
            each.name,
            _about(each),
            ", ".join(ref.rpartition("/")[2] for ref in each.depends_on) or "-",
        )
    return table


def _about(entity: Entity) -> str:
    """What an entity is and means, in a few words; what is not stated is left out."""
    tier = f"tier {entity.tier}" if entity.tier is not None else ""
    users = f"{entity.users:,} users" if entity.users is not None else ""
    money = f"{entity.revenue_per_minute:,.0f} a minute" if entity.revenue_per_minute is not None else ""
    owner = f"of {entity.owner}" if entity.owner else ""
    where = (entity.domain, entity.type, owner, tier, entity.hosting_model, entity.infrastructure_layer)
    return ", ".join(str(each) for each in (*where, users, money, *entity.regulatory) if each) or "-"


def _matrix(policy: DomainPolicy) -> Table:
    impacts = list(dict.fromkeys(rule.level for rule in policy.impact))
    name = f"{policy.domain} ({policy.title})" if policy.title else policy.domain
    table = _table(f"Domain {name}, pack version {policy.version}", "Urgency \\ impact", *impacts)
    for urgency in dict.fromkeys(rule.level for rule in policy.urgency):
        row = policy.matrix.get(urgency, {})
        table.add_row(urgency, *(row.get(impact, "-") for impact in impacts))
    return table


def _rules(policy: DomainPolicy) -> Table:
    table = _table("", "Rule", "In effect")
    table.show_header = False
    table.add_row("categories", ", ".join(category.name for category in policy.categories))
    for priority, targets in policy.targets.items():
        table.add_row(f"targets {priority}", targets_words(targets))
    for path in policy.escalation:
        table.add_row(f"escalation {', '.join(path.priorities)}", _escalation(path))
    table.add_row("Major Incident", _major(policy.major_incident))
    table.add_row("business hours", hours_words(policy.business_hours))
    for name, hours in policy.calendars.items():
        table.add_row(f"calendar {name}", hours_words(hours))
    table.add_row("clocks", rules_words(policy.clocks))
    closure = policy.closure
    table.add_row(
        "closure",
        f"resolved after {closure.resolve_quiet_seconds} s of quiet, "
        f"closed after {_each(closure.close_after_minutes)} min; "
        f"asks for {_each(closure.require)}; "
        f"problem review for {', '.join(closure.problem_review) or 'none'}",
    )
    shown = ", ".join(policy.communication.status_page) or "none"
    table.add_row("status page", f"{shown} on {policy.communication.page_name}")
    return table


def _each(value: Any) -> str:
    """A setting that is one value, or one for each priority."""
    if isinstance(value, dict):
        return ", ".join(f"{priority}: {_each(each)}" for priority, each in value.items())
    return (", ".join(value) or "nothing") if isinstance(value, tuple) else str(value)


def _escalation(path: EscalationPath) -> str:
    levels = [f"{level.after_minutes:g} min: {', '.join(level.notify)}" for level in path.levels]
    return "; ".join([*levels, *(f"{name} {words}" for name, words in beside(path))])


def _major(rule: MajorIncidentRule) -> str:
    if rule.rules:
        return "; ".join(
            f"{each.mode} by {' and '.join(_thresholds(each))} (counts {', '.join(each.priorities or rule.priorities)})"
            for each in rule.rules
        )
    return f"{' or '.join(_thresholds(rule)) or 'never'}; counts {', '.join(rule.priorities)}"


def _thresholds(rule: Thresholds) -> list[str]:
    words: list[str] = []
    for name, value in rule.stated.items():
        what = name.removesuffix("_at_least").replace("revenue_per_minute", "a minute").replace("_", " ")
        words.append(f"{value:,g} {what}" if isinstance(value, int | float) else f"regulated: {', '.join(value)}")
    return words


def _rotations(config: Config) -> Table:
    table = _table("Rotations", "Name", "Covers", "People in turn")
    for _, each in sorted(config.rotations.items()):
        covers = ", ".join(ref.rpartition("/")[2] for ref in each.services)
        turns = [_turns(layer, named=len(each.layers) > 1) for layer in each.whole()]
        overrides = [f"{len(each.overrides)} overridden"] if each.overrides else []
        fall_back = [f"then {each.escalate_to}"] if each.escalate_to else []
        table.add_row(each.name, covers or "-", ", ".join([*turns, *overrides, *fall_back]))
    return table


def _turns(layer: Layer, *, named: bool) -> str:
    """The turns of one layer in words."""
    name = f"{layer.name}: " if named else ""
    hours = ", in its hours" if layer.on_duty else ""
    if layer.calendar is not None:
        return f"{name}by calendar, {layer.timezone}{hours}"
    length = layer.length
    hours_long = length.total_seconds() / 3_600
    number, unit = (length.days, "day") if length.seconds == 0 else (round(hours_long), "hour")
    turn = f"{number} {unit}{'' if number == 1 else 's'} each, {layer.timezone}"
    return f"{name}{', '.join(layer.people)}; {turn}{hours}"


def _feeds(feeds: Mapping[str, Feed]) -> Table:
    table = _table("Feeds, each on the topic alerts.raw.<name>", "Name", "Adapter", "Space", "Held")
    for each in feeds.values():
        held = ", ".join(_held(severity, each) for severity in each.hold_seconds)
        table.add_row(each.name, each.adapter, each.space or "by environment", held or "-")
    return table


def _held(severity: str, feed: Feed) -> str:
    seconds, limits = feed.hold_seconds[severity], feed.hold_learned
    learned = f"learned, {limits.least_seconds} to {limits.most_seconds} s"
    return f"{severity} {learned if isinstance(seconds, str) else f'{seconds} s'}"


def _sinks(config: Config) -> Table:
    table = _table("Sinks", "Name", "Where", "Secret from", "Told of", "Comes back by")
    for each in config.sinks.values():
        chosen = ", ".join((*each.priorities, *each.domains))
        rate = f"{each.requests_per_second:g} a second" if each.requests_per_second else "no limit"
        table.add_row(
            each.name,
            f"{each.type}, {each.address or 'at a secret address'}",
            "\n".join(each.secret_names) or "nothing",
            f"{chosen or 'all'}; {rate if each.enabled else 'disabled'}",
            ", ".join(_ways_back(each)) or "-",
        )
    return table


def _ways_back(sink: SinkRules) -> list[str]:
    """How changes come back from a sink."""
    if not isinstance(sink, TwoWay):
        return []
    poll_seconds = getattr(sink, "poll_seconds", 0)
    ways = {
        "webhooks": sink.updates is not None and sink.READS_BACK,
        f"polls every {poll_seconds} s": poll_seconds > 0,
        f"looks every {sink.reconcile_minutes:g} min": sink.reconcile_minutes > 0,
    }
    return [way for way, is_used in ways.items() if is_used]


def _maintenance(config: Config) -> Table:
    table = _table("Maintenance windows", "Name", "From", "To", "Targets", "Labels")
    for each in config.maintenance:
        labels = ", ".join(f"{name}={value}" for name, value in each.labels.items())
        targets = ", ".join(each.targets)
        begins, ends = _when(each)
        table.add_row(each.name, begins, ends, targets or "-", labels or "-")
    return table


def _when(window: MaintenanceWindow) -> tuple[str, str]:
    if window.start is not None and window.end is not None:
        return _moment(window.start), _moment(window.end)
    if window.every is not None:
        return window.every, "-"
    return f"{window.start:%Y-%m-%d %H:%M} {window.timezone}, {window.rrule}", f"{window.duration_minutes} minutes"


def _correlation_rules(config: Config) -> Table:
    table = _table("Correlation rules", "Name", "Asks for", "Does")
    for name, rule in config.correlation.rules.items():
        table.add_row(name, asks_for(rule), does(rule))
    return table


def _inhibition_rules(config: Config) -> Table:
    table = _table("Inhibition rules", "Name", "While this fires", "This opens nothing", "Where it has")
    for name, rule in config.correlation.inhibit.items():
        table.add_row(name, asks_for(critical(rule.source)), asks_for(rule.target), ties(rule))
    return table


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M %Z}"

"""A made-up company of any size, and alerts about it, by number: so that a run can be repeated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import orjson

from benchmarks.alerts import START_MS, timestamp, webhook
from pipeline.core.step import StreamRecord
from pipeline.models.catalog import Catalogue, Entity
from pipeline.models.correlation_rules import CorrelationRule
from pipeline.models.maintenance import MaintenanceWindow
from pipeline.models.policy import Config, Feed

SERVICES_IN_A_SYSTEM: Final = 8
"""Services of one application: they depend on each other and on nothing outside but the platform."""

APPLICATIONS: Final = 62
"""Applications that alerts are about, in a company of any size: so that episodes open and join in one proportion."""

ENTITIES_IN_A_FILE: Final = 5_000

RULES_MATCHED: Final = 10
"""Correlation rules of a company of any number that match alerts."""

SEVERITIES: Final = ("critical", "error", "warning")


def company(services: int) -> Config:
    """Applications of eight services in a chain, each on a host of its own, all on one shared platform service."""
    entities: dict[str, Entity] = {}
    platform = _entity("component", "platform-auth", ())
    entities[platform.ref] = platform
    for number in range(services):
        host = _entity("resource", f"host-{number}", (), type="host")
        needs = [host.ref, platform.ref]
        if number % SERVICES_IN_A_SYSTEM:
            needs.append(f"component:default/service-{number - 1}")
        entities[host.ref] = host
        service = _entity("component", f"service-{number}", tuple(needs), tier=1 + number % 4, users=100 + number)
        entities[service.ref] = service
    return Config(version=f"benchmark-{services}", catalogue=Catalogue(entities=entities))


def _entity(kind: str, name: str, needs: tuple[str, ...], **facts: object) -> Entity:
    fields = {"ref": f"{kind}:default/{name}", "kind": kind, "name": name, "title": name, "depends_on": needs}
    return Entity.model_validate(fields | facts)


def write_company(services: int, directory: Path) -> None:
    """The same company as a configuration directory, in as many catalogue files as fit the limits of one."""
    folder = directory / "catalog"
    folder.mkdir(parents=True)
    entities = list(company(services).catalogue.entities.values())
    for number, first in enumerate(range(0, len(entities), ENTITIES_IN_A_FILE)):
        documents = [_descriptor(entity) for entity in entities[first : first + ENTITIES_IN_A_FILE]]
        # JSON is YAML, and a stream of documents needs only the separators.
        text = "\n---\n".join(orjson.dumps(document).decode() for document in documents)
        (folder / f"part-{number}.yaml").write_text(text + "\n")


def _descriptor(entity: Entity) -> dict[str, Any]:
    annotations = {"tier": entity.tier, "users": entity.users}
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": entity.kind.capitalize(),
        "metadata": {
            "name": entity.name,
            "annotations": {f"spillway.dev/{name}": str(fact) for name, fact in annotations.items() if fact},
        },
        "spec": {"type": entity.type or "service", "owner": "platform", "dependsOn": list(entity.depends_on)},
    }


def with_rules(config: Config, rules: int) -> Config:
    """The company with so many rules of each kind: correlation rules, maintenance windows in force, and feeds.

    No window matches an alert in the end: half of them ask for labels alone, half stand on a service that has alerts.
    Of the correlation rules the first `RULES_MATCHED` match alerts, at every point the same; the rest are alike and
    match none.
    """
    begin, end = (datetime.fromtimestamp(START_MS / 1000, UTC) + timedelta(days=days) for days in (-1, 1))
    services = sum(entity.kind == "component" for entity in config.catalogue.entities.values()) - 1
    windows = tuple(
        MaintenanceWindow(
            name=f"window-{number}",
            start=begin,
            end=end,
            targets=(f"service-{number % services}",) if number % 2 else (),
            labels={"team": f"nobody-{number}"},
        )
        for number in range(rules)
    )
    feeds = {f"feed-{number}": Feed(name=f"feed-{number}", adapter="alertmanager") for number in range(rules)}
    settings = config.correlation.model_copy(update={"rules": correlation_rules(rules)})
    return config.model_copy(update={"maintenance": windows, "feeds": feeds, "correlation": settings})


def correlation_rules(rules: int) -> dict[str, CorrelationRule]:
    """So many correlation rules: always-joins and never-joins by turns, half of them with a condition in CEL."""
    made: dict[str, CorrelationRule] = {}
    for number in range(rules):
        team = f"team-{number}" if number < RULES_MATCHED else f"nobody-{number}"
        said: dict[str, Any] = {"match": {"labels.team": team, "feed": "alertmanager"}}
        if number % 4 > 1:
            said = {"when": f'feed == "alertmanager" && labels.team == "{team}" && summary.contains("broken")'}
        if number % 2:
            said |= {"join": "never", "with": {"match": {"labels.team": f"nobody-{number}"}}}
        else:
            said |= {"join": "always", "group_by": ["labels.pod"]}
        made[f"rule-{number}"] = CorrelationRule.model_validate(said)
    return made


def about_service(number: int, services: int) -> dict[str, str]:
    """Labels of the condition with this number: on applications spread over the company, always as many of them."""
    applications = services // SERVICES_IN_A_SYSTEM
    application = (number % APPLICATIONS) * (applications // APPLICATIONS)
    service = application * SERVICES_IN_A_SYSTEM + number // APPLICATIONS % SERVICES_IN_A_SYSTEM
    return {"service": f"service-{service}", "pod": f"service-{service}-{number}"}


def about_stranger(number: int) -> dict[str, str]:
    """Labels of a condition of a machine that the catalogue does not list: it has no company in any incident."""
    return {"host": f"vm-{number}"}


def raw(number: int, labels: dict[str, str], at_ms: int) -> StreamRecord:
    """An Alertmanager message of one firing alert.

    Args:
        number: of the condition, which it identifies.
        labels: what it is about.
        at_ms: timestamp of the record, and start of the alert.
    """
    about = next(iter(labels.values()))
    alert = {
        "status": "firing",
        "labels": {
            "alertname": f"Rule{number % 97}",
            "severity": SEVERITIES[number % len(SEVERITIES)],
            "team": f"team-{number % 60}",
            **labels,
        },
        "annotations": {
            "summary": f"rule {number % 97} of {about} is broken",
            "description": f"{about} has been above its threshold for five minutes; check the dashboard and the "
            f"runbook at https://runbooks.corp.example/alerts/rule{number % 97} before escalating.",
        },
        "startsAt": timestamp(at_ms),
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": f"{number:08x}{next(iter(labels))}",
    }
    return StreamRecord("alerts.raw.alertmanager", 0, number, at_ms, None, webhook(alert))

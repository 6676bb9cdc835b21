"""A made-up company of any size and its alerts: seeded, so that a run can be repeated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

import orjson

from pipeline.core.step import StreamRecord
from pipeline.models.catalog import Catalogue, Entity
from pipeline.models.policy import Config

START_MS: Final = 1_772_600_000_000
SERVICES_IN_A_SYSTEM: Final = 8
"""Services of one application: they depend on each other and on nothing outside but the platform."""

ENTITIES_IN_A_FILE: Final = 5_000

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


def raw_alerts(count: int, conditions: int, services: int, seed: int = 1) -> Iterator[StreamRecord]:
    """Alertmanager messages of one alert each: every condition fires once, then repeats are drawn.

    Args:
        count: messages.
        conditions: different alert keys, over the services in turn.
        services: size of the company.
        seed: of the draw.
    """
    random = Random(seed)  # noqa: S311  # repeatable, not secret
    for number in range(count):
        condition = number if number < conditions else random.randrange(conditions)
        service = (condition * 7919) % services
        labels = {
            "alertname": f"Rule{condition % 97}",
            "service": f"service-{service}",
            "pod": f"service-{service}-{condition}",
            "severity": SEVERITIES[condition % len(SEVERITIES)],
        }
        alert = {
            "status": "firing",
            "labels": labels,
            "annotations": {"summary": f"rule {condition % 97} of service-{service} is broken"},
            "startsAt": "2026-03-04T02:11:42.318Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "fingerprint": f"{condition:016x}",
        }
        value = orjson.dumps({"version": "4", "status": "firing", "receiver": "spillway", "alerts": [alert]})
        yield StreamRecord("alerts.raw.alertmanager", 0, number, START_MS + number * 5, None, value)

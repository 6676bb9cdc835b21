"""Small builders for tests of the deciding stages: catalogue, configuration, alerts, and a bench to play them on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from pipeline.agents.processors import processor_factory
from pipeline.core.step import TICK_KEY, Effects, Output, Processor, StreamRecord
from pipeline.core.topology import Topology
from pipeline.models.alert import Alert, FeedClass, Kind, Severity
from pipeline.models.catalog import Catalogue, Entity, Group
from pipeline.models.closure import Closure
from pipeline.models.command import Change
from pipeline.models.decision import Decision
from pipeline.models.episode import EpisodeChange, EpisodeEvent
from pipeline.models.major import MajorIncidentRule
from pipeline.models.member import Member
from pipeline.models.oncall import Rotation
from pipeline.models.policy import Config, CorrelationSettings, DomainPolicy, Feed

T0: Final = 1_773_136_800_000
"""Tuesday 2026-03-10 10:00:00 UTC, where the clock of most tests begins."""

SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
SPACE: Final = "production"

SHOP: Final = "component:default/shop"
PAY: Final = "component:default/pay"
DB: Final = "resource:default/pay-db"
HOST: Final = "resource:default/node-1"
WIKI: Final = "component:default/wiki"


def entity(ref: str, **fields: Any) -> Entity:
    """A catalogue entity; title and owner follow from its name."""
    kind, _, rest = ref.partition(":")
    name = rest.rpartition("/")[2]
    given = {"title": name.title(), "owner": f"{name}-team", "domain": "shop", **fields}
    return Entity(ref=ref, kind=kind, name=name, **given)


def catalogue(*entities: Entity) -> Catalogue:
    """A catalogue; by default shop -> pay -> pay-db -> node-1, and a wiki beside them."""
    given = entities or (
        entity(SHOP, tier=1, users=8_000, revenue_per_minute=900.0, system="store", depends_on=(PAY,)),
        entity(PAY, tier=1, users=3_000, revenue_per_minute=900.0, system="store", depends_on=(DB,)),
        entity(DB, type="database", infrastructure_layer="database", depends_on=(HOST,), system="store"),
        entity(HOST, type="host"),
        entity(WIKI, tier=4, users=40, domain="office"),
    )
    groups = {f"{each.name}-team": Group(name=f"{each.name}-team", title=each.title) for each in given}
    return Catalogue(entities={each.ref: each for each in given}, groups=groups)


def rotation(name: str, *people: str, **fields: Any) -> Rotation:
    """People who take turns from Monday 2026-01-05 09:00 UTC."""
    return Rotation(name=name, people=people, start=datetime(2026, 1, 5, 9, tzinfo=UTC), **fields)


ROTATIONS: Final = {
    "shop": rotation("shop", "ann", "bob", services=("shop",)),
    "pay": rotation("pay", "cem", "dora", services=("pay", "pay-db")),
}
MAJOR: Final = MajorIncidentRule(users_at_least=5_000, priorities=("P1", "P2"))


def policy(domain: str = "shop", **fields: Any) -> DomainPolicy:
    """The default policy pack with some fields of its own."""
    given = {"closure": Closure(resolve_quiet_seconds=60, reopen_minutes=30), "major_incident": MAJOR, **fields}
    return DomainPolicy(domain=domain, **given)


def config(**fields: Any) -> Config:
    """A configuration: the catalogue above, two rotations, the default policy in domain ``shop``."""
    given: dict[str, Any] = {"catalogue": catalogue(), "rotations": ROTATIONS, "domains": {"shop": policy()}}
    return Config(**(given | fields))


def feed(name: str = "monitor", **fields: Any) -> Feed:
    """A feed that holds nothing unless told to."""
    return Feed(name=name, adapter="alertmanager", **fields)


def settings(**fields: Any) -> CorrelationSettings:
    """Correlation settings."""
    return CorrelationSettings(**fields)


def alert(key: str = "k1", **fields: Any) -> Alert:
    """A critical firing alert about the shop."""
    given: dict[str, Any] = {
        "feed": "monitor",
        "feed_class": FeedClass.CLOUD,
        "kind": Kind.FIRING,
        "name": f"Rule {key}",
        "summary": f"{key} is out of bounds",
        "severity": Severity.CRITICAL,
        "space": SPACE,
        "entity": SHOP,
        "service": SHOP,
        "domain": "shop",
        "origin": ("alerts.raw.monitor", 0, 0, 0),
        "received_at_ms": T0,
    }
    return Alert(alert_key=key, **(given | fields))


def resolved(key: str = "k1", **fields: Any) -> Alert:
    """The recovery of `alert`."""
    return alert(key, **({"kind": Kind.RESOLVED} | fields))


def report(key: str, text: str, **fields: Any) -> Alert:
    """What a person tells the service desk."""
    given: dict[str, Any] = {
        "feed": "desk",
        "feed_class": FeedClass.DESK,
        "kind": Kind.TICKET,
        "severity": Severity.UNKNOWN,
        "summary": text,
        "ticket": f"T-{key}",
        "reporter": f"person {key}",
    }
    return alert(key, **(given | fields))


def opened(about: Alert, at_ms: int = T0, **fields: Any) -> EpisodeEvent:
    """The episode event that dedupe sends for the first alert of a run."""
    given: dict[str, Any] = {
        "episode_id": f"EP-{about.alert_key}",
        "alert_key": about.alert_key,
        "space": about.space,
        "change": EpisodeChange.OPENED,
        "reason": "new_episode",
        "at_ms": at_ms,
        "repeats": 0,
        "counted": True,
    }
    return EpisodeEvent(alert=about, **(given | fields))


def member(key: str, **fields: Any) -> Member:
    """A member of an incident, about the shop."""
    given: dict[str, Any] = {
        "episode_id": f"EP-{key}",
        "incident_id": "INC-1",
        "feed": "monitor",
        "feed_class": FeedClass.CLOUD,
        "summary": f"{key} is out of bounds",
        "severity": Severity.CRITICAL,
        "opened_at_ms": T0,
        "event_at_ms": T0,
        "entity": SHOP,
        "service": SHOP,
        "domain": "shop",
    }
    return Member(alert_key=key, **(given | fields))


def topology(*entities: Entity) -> Topology:
    """The topology of `catalogue`."""
    return Topology(catalogue(*entities))


def change(change_id: str = "CHG-1", started_ms: int = T0, ended_ms: int | None = None, **fields: Any) -> Change:
    """A deployment on the database."""
    given: dict[str, Any] = {"kind": "deployment", "summary": "new release", "targets": (DB,)}
    ended = None if ended_ms is None else moment(ended_ms)
    return Change(change_id=change_id, started_at=moment(started_ms), ended_at=ended, **(given | fields))


def moment(at_ms: int) -> datetime:
    """Epoch milliseconds as an aware datetime."""
    return datetime.fromtimestamp(at_ms / 1_000, UTC)


class Bench:
    """One processor, fed by hand; gathers all that it writes and decides."""

    def __init__(self, stage: str, setup: Config | None = None) -> None:
        self.stage, self.setup = stage, setup if setup is not None else config()
        self.processor: Processor = processor_factory(stage, self.setup)()
        self.effects = Effects()
        self.state: dict[bytes, bytes] = {}
        self._offset = 0

    @property
    def decisions(self) -> list[Decision]:
        """All decisions so far."""
        return self.effects.decisions

    def put(self, topic: str, value: object, at_ms: int, key: bytes | None = b"k") -> list[Output]:
        """One record; bytes and None go as they are, the rest as JSON. Returns what it led to."""
        self._offset += 1
        body = value if value is None or isinstance(value, bytes) else orjson.dumps(value)
        return self._handle(StreamRecord(topic, 0, self._offset, at_ms, key, body))

    def tick(self, at_ms: int) -> list[Output]:
        """Time goes on, and nothing else."""
        return self._handle(StreamRecord("tick", 0, 0, at_ms, TICK_KEY, None))

    def _handle(self, record: StreamRecord) -> list[Output]:
        before = len(self.effects.outputs)
        self.processor.handle_one(record, self.effects)
        assert self.processor.ledger.remainder() == 0, "conservation holds after every record"
        return self.effects.outputs[before:]

    def restart(self) -> None:
        """What a restart of the worker does: a fresh processor gets what the changelog holds."""
        self.changes()
        self.processor = processor_factory(self.stage, self.setup)()
        for key, value in self.state.items():
            self.processor.restore(key, value)
        self.processor.restored()

    def changes(self) -> list[tuple[bytes, bytes | None]]:
        """End the batch: take the state changes, into ``state`` as the compacted changelog would."""
        self.processor.finish(self.effects)
        changes = self.processor.take_changes()
        for key, value in changes:
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value
        return changes


def values(outputs: Iterable[Output], topic: str) -> list[dict[str, Any]]:
    """The JSON values of the outputs on a topic."""
    return [orjson.loads(each.value or b"null") for each in outputs if each.topic == topic]

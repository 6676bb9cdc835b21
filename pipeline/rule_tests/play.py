"""Plays a case: its messages go through the deciding stages as they would live, and what is left is gathered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, NamedTuple

import orjson

from pipeline.catalog.problems import suggestion
from pipeline.core.alerts.enrich import Enricher
from pipeline.core.alerts.ingest import ALERTS_TOPIC, bound
from pipeline.core.clustering.correlate_rules import ACTED, FAILED, MATCHED
from pipeline.core.identity import content_hash
from pipeline.core.step import Effects, Output, Processor, Record, StreamRecord
from pipeline.feeds import adapters_of, feeds_of
from pipeline.flow import RAW_TOPIC_PREFIX
from pipeline.models.alert import Alert, FeedClass, Kind, alert_to_wire
from pipeline.models.command import Change, Command, CommandType, Target
from pipeline.models.decision import Decision
from pipeline.models.incident import IncidentKind
from pipeline.models.policy import Config
from pipeline.models.wire import to_json
from pipeline.replay import Replay, incident_lines
from pipeline.rule_tests.cases import AlertCase, Case, ChangeCase, PeopleCase

PERSON: Final = "somebody"
"""Who merges and splits in a case."""


class Shown(NamedTuple):
    """One incident at the end.

    Attributes:
        alerts: ids of alerts, sorted.
        facts: of the incident: id, title, priority, state, owner, service.
    """

    alerts: tuple[str, ...]
    facts: dict[str, Any]


@dataclass(slots=True)
class Played:
    """What a case came to.

    Attributes:
        incidents: at the end, in order of opening.
        outside: ids of alerts in no incident -> what became of each, and why.
        refused: ids of alerts whose message could not be read -> why not.
        matched: rules that an episode matched; ``acted``: that changed where one went.
        failed: rules whose condition could not be evaluated.
    """

    incidents: list[Shown] = field(default_factory=list)
    outside: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    matched: Counter[str] = field(default_factory=Counter)
    acted: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)

    def signature(self) -> list[Any]:
        """What a change of a rule may change for people: who is together, as what, how urgent."""
        shown = [(each.alerts, each.facts["title"], each.facts["priority"]) for each in self.incidents]
        return [sorted(shown), sorted(self.outside)]


def play(case: Case, config: Config, enricher: Enricher) -> Played:
    """Play a case.

    Args:
        case: what comes in.
        config: what decides.
        enricher: of the configuration's catalogue; cases share it.
    """
    return _Player(case, config, enricher).run()


class _Player:
    def __init__(self, case: Case, config: Config, enricher: Enricher) -> None:
        self._case = case
        self._adapters = adapters_of(config)
        self._enricher = enricher
        self._feeds = feeds_of(config)
        self._replay = Replay(config, watch=self._watch)
        self._played = Played()
        self._start_ms = round(case.start.timestamp() * 1_000)
        self._ids: dict[tuple[str, int], str] = {}
        self._fired: dict[str, Alert] = {}

    def run(self) -> Played:
        outcome = self._replay.run(self._records(), run_on_seconds=self._case.run_on)
        lines = map(orjson.loads, incident_lines(outcome.decisions, (each.value or b"" for each in outcome.events)))
        inside: set[str] = set()
        for incident in lines:
            names = {name for origin in incident["alerts"] if (name := self._id(origin)) is not None}
            if incident["kind"] == IncidentKind.INCIDENT and names:
                inside |= names
                self._played.incidents.append(Shown(tuple(sorted(names)), incident))
        for decision in outcome.decisions:
            name = self._id(decision.origin)
            if name is not None and name not in inside:
                self._played.outside.setdefault(name, f"{decision.disposition} ({decision.reason})")
        self._refuse(outcome.dead_letters)
        return self._played

    def _refuse(self, letters: list[Output]) -> None:
        for letter in letters:
            said = {name: value.decode(errors="replace") for name, value in letter.headers}
            origin = (said.get("spillway-topic", ""), int(said.get("spillway-offset", 0)))
            if origin in self._ids:
                self._played.refused[self._ids[origin]] = said.get("spillway-detail", "")

    def _id(self, origin: Any) -> str | None:
        """Which alert of the case came from a place; None for recoveries."""
        topic, _, offset, _ = origin
        return self._ids.get((topic, offset))

    def _watch(self, _: Processor, __: Record, effects: Effects) -> None:
        for (rule, outcome), count in effects.rules.items():
            if outcome in ACTED:
                self._played.acted[rule] += count
            elif outcome == MATCHED:
                self._played.matched[rule] += count
            elif outcome == FAILED:
                self._played.failed[rule] += count

    # -- what comes in

    def _records(self) -> Iterator[StreamRecord]:
        """Everything of the case in order of time; of one moment, changes first, then alerts, then people."""
        case = self._case
        all_of_it: list[ChangeCase | AlertCase | PeopleCase] = [*case.changes, *case.alerts, *case.people]
        for number, each in enumerate(sorted(all_of_it, key=lambda each: each.at)):
            at_ms = self._start_ms + each.at * 1_000
            if isinstance(each, ChangeCase):
                yield self._change(each, number, at_ms)
            elif isinstance(each, PeopleCase):
                yield self._command(each, number, at_ms)
            else:
                yield self._alert(each, number, at_ms)

    def _alert(self, said: AlertCase, number: int, at_ms: int) -> StreamRecord:
        topic = RAW_TOPIC_PREFIX + said.feed
        if said.resolves is not None:
            return self._written(self._recovery(said.resolves, number, at_ms), number, at_ms)
        if said.id is not None:
            self._ids[topic, number] = said.id
        if said.raw is not None:
            raw = said.raw.encode() if isinstance(said.raw, str) else orjson.dumps(said.raw)
            return StreamRecord(topic, 0, number, at_ms, None, raw)
        labels = said.labels if said.host is None else said.labels | {"host": said.host}
        feed_class = self._feed_class(said.feed)
        is_ticket = feed_class == FeedClass.DESK
        what = (said.id or "",) if is_ticket else (said.name, *sorted(map("=".join, labels.items())))
        alert = Alert(
            feed=said.feed,
            feed_class=feed_class,
            kind=Kind.TICKET if is_ticket else Kind.FIRING,
            alert_key=content_hash(said.feed, *what),
            name=said.name,
            summary=said.summary or said.name,
            description=said.description,
            severity=said.severity,
            labels=labels,
            ticket=said.id if is_ticket else None,
            reporter=(said.reporter or said.id) if is_ticket else None,
            event_at_ms=at_ms,
            origin=(topic, 0, number, 0),
            received_at_ms=at_ms,
        )
        self._enricher.enrich(alert)
        if said.space is not None:
            alert.space = said.space
        bound(alert)
        if said.id is not None:
            self._fired[said.id] = alert
        return self._written(alert, number, at_ms)

    def _feed_class(self, name: str) -> str:
        feed = self._feeds.get(name)
        if feed is None:
            raise CaseError(f"there is no feed '{name}'{suggestion(name, self._feeds)}")
        return self._adapters[feed.adapter].feed_class

    def _recovery(self, name: str, number: int, at_ms: int) -> Alert:
        fired = self._fired.get(name)
        if fired is None:
            raise CaseError(f"'{name}' is raw, or comes later: give its recovery as a raw message of its own")
        return Alert(
            feed=fired.feed,
            feed_class=fired.feed_class,
            kind=Kind.RESOLVED,
            alert_key=fired.alert_key,
            name=fired.name,
            summary=fired.summary,
            severity=fired.severity,
            labels=fired.labels,
            space=fired.space,
            entity=fired.entity,
            ended_at_ms=at_ms,
            origin=("recovery", 0, number, 0),
            received_at_ms=at_ms,
        )

    def _written(self, alert: Alert, number: int, at_ms: int) -> StreamRecord:
        return StreamRecord(ALERTS_TOPIC, 0, number, at_ms, alert.alert_key.encode(), alert_to_wire(alert))

    def _change(self, said: ChangeCase, number: int, at_ms: int) -> StreamRecord:
        began = self._case.start + timedelta(seconds=said.at)
        change = Change(
            change_id=f"change-{number}",
            kind=said.kind,
            summary=said.summary,
            targets=said.targets,
            started_at=began,
            ended_at=None if said.lasts is None else began + timedelta(seconds=said.lasts),
            suppress=said.suppress,
        )
        value = to_json(change.model_dump(mode="json", exclude_none=True))
        return StreamRecord("changes", 0, number, at_ms, said.space.encode(), value)

    def _command(self, said: PeopleCase, number: int, at_ms: int) -> StreamRecord:
        """What a person does; episodes and incidents are known by what was decided so far."""
        one = said.merge if said.merge is not None else said.split[0]
        decided = self._decided(one)
        into = None if said.into is None else self._incident_of(said.into)
        command = Command(
            command_id=f"command-{number}",
            type=CommandType.MERGE if said.merge is not None else CommandType.SPLIT,
            actor=PERSON,
            target=Target(episode_id=decided.episode_id),
            into=into,
            episodes=tuple(self._decided(name).episode_id or "" for name in said.split),
        )
        value = to_json(command.model_dump(mode="json", exclude_none=True))
        return StreamRecord("commands", 0, number, at_ms, b"", value)

    def _decided(self, name: str) -> Decision:
        for decision in reversed(self._replay.outcome.decisions):
            if decision.episode_id is not None and self._id(decision.origin) == name:
                return decision
        raise CaseError(f"nothing is decided of '{name}' at the moment at which a person acts on it")

    def _incident_of(self, name: str) -> str:
        """The incident that an alert is in now."""
        episode_id = self._decided(name).episode_id
        for event in reversed(self._replay.outcome.events):
            document = orjson.loads(event.value or b"{}")
            if episode_id in document["joined"]:
                return str(document["incident_id"])
        raise CaseError(f"'{name}' is in no incident at the moment at which a person merges into that")


class CaseError(Exception):
    """A case cannot be played; the message is a sentence that says why."""

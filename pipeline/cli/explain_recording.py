"""What a recording comes to, for `spillway explain`: decided again, with an eye on the alerts that somebody asks about.

The records store has what became part of an incident. A repeat, and what was held or suppressed, is in no incident:
of these a recording is the only record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from pipeline.cli.explain_because import Known, because
from pipeline.core.alerts.dedupe import DedupeProcessor
from pipeline.core.alerts.maintenance import MaintenanceIndex
from pipeline.core.clustering.correlate import CorrelateProcessor
from pipeline.core.step import Effects, Output, Processor, StreamRecord
from pipeline.core.topology import Topology
from pipeline.models.alert import alert_from_wire
from pipeline.models.decision import Decision, Disposition, Origin, Reason
from pipeline.models.policy import Config
from pipeline.models.suppression import SUPPRESSIONS_TOPIC, Suppression
from pipeline.records.explanation import Asked, about, episode_document, hidden_document, moment
from pipeline.records.suppressions import TOLD_MAX
from pipeline.replay import Replay

RUNS_TOLD_MAX: Final = 200
"""Alerts that came to the same one after another are told as one; of these as many. A condition that flaps all day has
thousands, and the counts have them all."""


INCIDENTS: Final = "incidents"


class Retold:
    """What the incidents of a replay tell, as the records store would."""

    def __init__(self) -> None:
        self._hidden: list[Suppression] = []
        self._incidents: dict[str, dict[str, Any]] = {}
        self._entries: dict[str, list[dict[str, Any]]] = {}

    def take(self, output: Output) -> None:
        """Take what a stage writes: a change of an incident, or what was hidden."""
        if output.topic == SUPPRESSIONS_TOPIC:
            self._hidden.append(Suppression(**orjson.loads(output.value or b"{}")))
        elif output.topic == INCIDENTS:
            event = orjson.loads(output.value or b"{}")
            incident_id = event["incident_id"]
            self._incidents[incident_id] = event["incident"]
            known = self._entries.setdefault(incident_id, [])
            for entry in event["entries"]:
                known.append(entry | {"incident_id": incident_id, "at": moment(entry["at_ms"])})

    def incident(self, incident_id: str) -> dict[str, Any] | None:
        """The newest snapshot of an incident, or None."""
        return self._incidents.get(incident_id)

    def timeline(self, incident_id: str) -> list[dict[str, Any]]:
        """Entries of an incident."""
        return self._entries.get(incident_id, [])

    def of_episode(self, episode_id: str) -> list[dict[str, Any]]:
        """Entries of all incidents that are about an episode, in order of time."""
        found = [entry for entry in self._all() if _is_about(entry["facts"], episode_id)]
        return sorted(found, key=lambda entry: (entry["at"], entry["incident_id"]))

    def of_alert(self, asked: Asked) -> list[dict[str, Any]]:
        """Nothing: alerts are told from their decisions, which a replay has of all."""
        return []

    def hidden(self, name: str) -> list[Suppression]:
        """What was hidden of an episode, or of a condition by its alert key, oldest first; the newest `TOLD_MAX`."""
        found = [each for each in self._hidden if name in {each.episode_id, each.alert_key}]
        return sorted(found, key=lambda each: (each.since_ms, each.what))[-TOLD_MAX:]

    def _all(self) -> Iterator[dict[str, Any]]:
        for entries in self._entries.values():
            yield from entries


def _is_about(facts: dict[str, Any], episode_id: str) -> bool:
    return facts.get("episode_id") == episode_id or episode_id in facts.get("episodes", ())


@dataclass(slots=True)
class Seen:
    """Alerts that were asked about and that came to the same, one after another.

    Attributes:
        decision: of the first.
        alert: what the first says; empty where it could not be read.
        at_ms: stream time of the first; ``last_at_ms`` of the last.
        by: what decided the first, for machines.
        because: the same in words.
        times: how many they are.
    """

    decision: Decision
    alert: dict[str, Any]
    at_ms: int
    by: dict[str, Any]
    because: str
    times: int = 1
    last_at_ms: int = 0


class Watcher:
    """Looks on while a recording is decided, and keeps what became of the alerts that somebody asks about.

    Attributes:
        seen: what they came to, in order.
        counts: how many came to what, all of them.
        omitted: turns of `seen` left out.
        told: what is told of incidents.
    """

    def __init__(self, asked: Asked, configs: Iterable[Config]) -> None:
        self.seen: list[Seen] = []
        self.counts: Counter[tuple[str, str]] = Counter()
        self.omitted = 0
        self.told = Retold()
        self._configs = {config.version: config for config in configs}
        self._asked = asked
        place = asked.origin
        self._mark = orjson.dumps(list(place[:3]))[:-1] if place else orjson.dumps(asked.text)[1:-1]
        self._forwarded: dict[Origin, dict[str, Any]] = {}
        self._by: dict[str | None, dict[str, Any]] = {}
        self._maintenance: tuple[str, MaintenanceIndex] | None = None

    def __call__(self, processor: Processor, record: StreamRecord, effects: Effects) -> None:
        """One record, the processor that handled it, and what came of it."""
        for output in effects.outputs:
            self.told.take(output)
        if isinstance(processor, DedupeProcessor):
            self._dedupe(processor, record, effects)
        elif isinstance(processor, CorrelateProcessor):
            self._correlate(processor, record, effects)
        elif processor.stage == "ingest" and self._asked.origin is not None:
            self._ingest(record, effects)

    def _ingest(self, record: StreamRecord, effects: Effects) -> None:
        """What could not be read has no alert: only its place can be asked about."""
        letters = (dict(output.headers).get("spillway-detail") for output in effects.outputs)
        details = iter([letter for letter in letters if letter is not None])
        for decision in effects.decisions:
            detail = next(details, b"").decode(errors="replace")
            if self._is_place(decision.origin):
                self._keep(Seen(decision, {}, record.timestamp, {"detail": detail}, detail))

    def _dedupe(self, processor: DedupeProcessor, record: StreamRecord, effects: Effects) -> None:
        if record.value is None or self._mark not in record.value:
            return
        alert = orjson.loads(record.value)
        origin, now_ms = Origin(*alert["origin"]), processor.clock_ms
        if not (self._is_place(origin) if self._asked.origin else self._is_name(alert)):
            return
        if not effects.decisions:
            self._forwarded[origin] = alert
        for decision in effects.decisions:
            config = self._configs[processor.config_version]
            covering = self._covering(config, alert, now_ms) if decision.reason == Reason.MAINTENANCE else []
            known = Known(config, condition=processor.condition(alert["alert_key"]), windows=covering)
            self._keep(Seen(decision, alert, now_ms, *because(decision, known)))

    def _correlate(self, processor: CorrelateProcessor, record: StreamRecord, effects: Effects) -> None:
        for decision in effects.decisions:
            alert = self._forwarded.pop(decision.origin, None)
            if decision.disposition == Disposition.SUPPRESSED:  # its recovery ends that, and is told by it, too
                by = processor.suppressed_by(decision.episode_id or "")
                self._by[decision.episode_id] = by or self._by.get(decision.episode_id, {})
            if alert is not None:
                event = orjson.loads(record.value or b"{}")
                known = self._known(processor, decision, alert, event)
                self._keep(Seen(decision, alert, processor.clock_ms, *because(decision, known)))

    def _known(
        self, processor: CorrelateProcessor, decision: Decision, alert: dict[str, Any], event: dict[str, Any]
    ) -> Known:
        """What correlate went by."""
        config = self._configs[processor.config_version]
        held = processor.waiting(decision.episode_id or "")
        suppressed = decision.disposition == Disposition.SUPPRESSED
        by = self._by.get(decision.episode_id, {}) if suppressed else {}
        change = by.get("change_id")
        windows = by.get("windows") or ([] if by else self._covering(config, alert, processor.clock_ms))
        facts = held.facts if held is not None else by
        until_ms = held.until_ms if held is not None else None
        return Known(config, event=event, change=change, windows=windows, until_ms=until_ms, facts=facts)

    def _keep(self, seen: Seen) -> None:
        """Keep one, or count it with those before that came to the same."""
        decision = seen.decision
        self.counts[decision.disposition, decision.reason] += 1
        last = self.seen[-1] if self.seen else None
        if last is not None and _outcome(last) == _outcome(seen):
            last.times += 1
            last.last_at_ms = seen.at_ms
        elif len(self.seen) < RUNS_TOLD_MAX:
            self.seen.append(seen)
        else:
            self.omitted += 1

    def _is_place(self, origin: Origin) -> bool:
        place = self._asked.origin
        return place is not None and origin[:3] == place[:3] and place[3] in {None, origin.index}

    def _is_name(self, alert: dict[str, Any]) -> bool:
        asked, source = self._asked.text, alert.get("source_episode_id") or ""
        return asked in {alert["alert_key"], source, source.rpartition("/")[0], alert.get("ticket")} - {""}

    def _covering(self, config: Config, alert: dict[str, Any], now_ms: int) -> list[str]:
        """Names of the maintenance windows of a configuration that cover an alert."""
        if self._maintenance is None or self._maintenance[0] != config.version:
            self._maintenance = config.version, MaintenanceIndex(config.maintenance, Topology(config.catalogue))
        return self._maintenance[1].covering(alert_from_wire(dict(alert)), now_ms)


def _outcome(seen: Seen) -> tuple[str, str, str]:
    return seen.decision.disposition, seen.decision.reason, seen.because


def about_recording(
    recording: Iterable[StreamRecord], configs: list[Config], text: str, run_on_seconds: int
) -> dict[str, Any] | None:
    """What a recording tells of an id, as `pipeline.records.explanation.about` does; None where it is nothing.

    Raises:
        RecordingError: a line is no record.
        UnknownVersionError: the recording goes on under a configuration that was not given.
    """
    watcher = Watcher(Asked.parse(text), configs)
    # The watcher keeps what it needs: all events of a million alerts fit into no memory.
    Replay(*configs, watch=watcher, keep=False).run(recording, run_on_seconds=run_on_seconds)
    told = watcher.told
    if not watcher.seen:
        return about(told, text)
    episodes = [name for name in dict.fromkeys(each.decision.episode_id for each in watcher.seen) if name is not None]
    documents = {name: episode_document(told, name) for name in episodes}
    untold = [name for name, document in documents.items() if document is None]
    return {
        "kind": "alert",
        "asked": text,
        "alerts": [_alert(each) for each in watcher.seen],
        "omitted": watcher.omitted,
        "counts": [
            {"disposition": disposition, "reason": reason, "alerts": count}
            for (disposition, reason), count in watcher.counts.most_common()
        ],
        "episodes": [document for document in documents.values() if document is not None],
        "hidden": [hidden_document(each) for name in untold for each in told.hidden(name)],
    }


def _alert(seen: Seen) -> dict[str, Any]:
    decision, said = seen.decision, seen.alert
    return {
        **decision.origin._asdict(),
        "at": moment(seen.at_ms),
        "alert_key": decision.alert_key,
        "source_episode_id": said.get("source_episode_id"),
        "episode_id": decision.episode_id,
        "incident_id": decision.incident_id,
        "kind": said.get("kind"),
        "feed": said.get("feed"),
        "entity": said.get("entity"),
        "severity": said.get("severity"),
        "summary": said.get("summary") or said.get("name"),
        "disposition": decision.disposition,
        "reason": decision.reason,
        "by": seen.by,
        "because": seen.because,
        "times": seen.times,
        "last_at": moment(seen.last_at_ms) if seen.last_at_ms else None,
    }

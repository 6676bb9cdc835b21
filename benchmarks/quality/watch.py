"""Correlate alone, watched: what it weighed of each episode, and whether that was right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson

from benchmarks.quality.days import Case, make_case
from benchmarks.quality.episodes import Labels
from benchmarks.quality.metrics import Figures, figures
from benchmarks.quality.stream import NOISE
from pipeline.agents.processors import build_processor
from pipeline.agents.shared import Shared
from pipeline.core.clustering.correlate import CorrelateProcessor
from pipeline.core.clustering.evidence import Verdict, Weights
from pipeline.core.clustering.matcher import Matcher
from pipeline.core.clustering.measures import GOES_ON, Measures, measure
from pipeline.core.clustering.tally import Tally
from pipeline.core.step import TICK_KEY, Effects, Output, Processor, StreamRecord
from pipeline.flow import SECOND_MS, STAGE_BY_NAME
from pipeline.models.episode import EpisodeChange
from pipeline.models.incident import Incident
from pipeline.models.member import Member
from pipeline.models.policy import Config
from pipeline.replay import Replay, Step

MIXED_WEIGHT: Final = 0.3
"""Of an example whose candidate is mostly another failure and has members of the right one, too."""

CORRELATE: Final = "correlate"

See = Callable[[Measures, bool, float], None]
"""Takes an example: measures, whether the two belong together, how much it counts."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A day as correlate sees it.

    Attributes:
        records: what it reads, in order.
        classes: episode id -> what it truly is about.
        expected: classes of announced maintenance.
    """

    level: str
    seed: int
    config: Config
    records: list[StreamRecord]
    classes: Mapping[str, str]
    expected: frozenset[str]


class _Heard(Replay):
    """A replay that keeps what correlate is given."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.given: list[StreamRecord] = []

    def _settle(self, record: StreamRecord, *, is_tick: bool) -> Step:
        if not is_tick and record.topic in STAGE_BY_NAME[CORRELATE].reads:
            self.given.append(record)
        return super()._settle(record, is_tick=is_tick)

    def _record(self, output: Output) -> StreamRecord:
        record = super()._record(output)
        if record.topic in STAGE_BY_NAME[CORRELATE].reads:
            self.given.append(record)
        return record


def make_watched(topologies: Path, level: str, seed: int) -> Watched:
    """The day of a seed, through ingest and dedupe."""
    case = make_case(topologies, level, seed)
    heard = _Heard(case.world.config)
    heard.run(case.told.records)
    return Watched(
        level,
        seed,
        case.world.config,
        heard.given,
        _classes(case, heard.given),
        frozenset(each.name for each in case.told.works if each.is_expected),
    )


def _classes(case: Case, records: list[StreamRecord]) -> dict[str, str]:
    found: dict[str, str] = {}
    for record in records:
        if record.topic != "episodes":
            continue
        event = orjson.loads(record.value or b"{}")
        if event["change"] == EpisodeChange.OPENED:
            topic, _, offset, index = event["alert"]["origin"]
            name = case.told.truth[topic, offset, index]
            found[event["episode_id"]] = event["episode_id"] if name == NOISE else name
    return found


@dataclass(slots=True)
class Decided:
    """What correlate made of a day.

    Attributes:
        online: the incident of each episode's first decision; ``final``: at the end.
    """

    online: Labels = field(default_factory=dict)
    final: Labels = field(default_factory=dict)

    def figures(self, day: Watched) -> Figures:
        """Of the final labels, over the episodes that are scored."""
        scored = {name: true for name, true in day.classes.items() if true not in day.expected or name in self.final}
        return figures(self.final, scored)


@dataclass(frozen=True, slots=True)
class _Watching(Matcher):
    """A matcher under weights of its own, or under the truth itself, that shows what it weighs."""

    trial: Weights | None
    classes: Mapping[str, str]
    members: Mapping[str, Counter[str]]
    homes: Labels
    see: See | None

    def weigh(
        self, episode: Member, incident: Incident, tally: Tally, age_ms: int, hot: int, *, same_condition: bool
    ) -> Verdict | None:
        """Weigh, and show it."""
        measures = measure(episode, tally, age_ms, hot, same_condition=same_condition)
        if measures is None:
            return None
        true = self.classes[episode.episode_id]
        members = Counter(self.members.get(incident.id))
        if self.homes.get(episode.episode_id) == incident.id:
            members[true] -= 1  # at a second look it is weighed against the others
        together = members.total() > 0 and members.most_common(1)[0][0] == true
        if members.total() > 0 and self.see is not None and GOES_ON not in measures:
            self.see(measures, together, MIXED_WEIGHT if not together and members[true] > 0 else 1.0)
        if self.trial is None:
            return Verdict(float(together), {})
        contributions = self.trial.contributions(measures)
        return Verdict(self.trial.probability(contributions), contributions)


def decide(day: Watched, trial: Weights | None, see: See | None = None) -> Decided:
    """Let correlate decide a day under weights; None: by the truth, as far as candidates go.

    Args:
        day: what it reads.
        trial: the weights.
        see: is shown every example.
    """
    processor = build_processor(CORRELATE, Shared.of(day.config))
    if not isinstance(processor, CorrelateProcessor):
        raise TypeError(f"{CORRELATE} is decided by {type(processor)}, which is not known here")
    decided, members = Decided(), dict[str, Counter[str]]()
    known = processor._matcher
    processor._matcher = _Watching(known.desk, known.book, trial, day.classes, members, decided.final, see)
    for record in day.records:
        while (due_ms := processor.next_deadline_ms()) is not None:
            tick_ms = -(-due_ms // SECOND_MS) * SECOND_MS
            if tick_ms > record.timestamp:
                break
            tick = StreamRecord("episodes", 0, 0, tick_ms, TICK_KEY, None)
            _step(processor, tick, day, decided, members)
        _step(processor, record, day, decided, members)
    return decided


def _step(
    processor: Processor, record: StreamRecord, day: Watched, decided: Decided, members: dict[str, Counter[str]]
) -> None:
    effects = Effects()
    processor.handle_one(record, effects)
    processor.finish(effects)
    for output in effects.outputs:
        if output.topic != "incidents":
            continue
        event = orjson.loads(output.value or b"{}")
        for episode_id in event["left"]:
            members[event["incident_id"]][day.classes[episode_id]] -= 1
        for episode_id in event["joined"]:
            decided.online.setdefault(episode_id, event["incident_id"])
            decided.final[episode_id] = event["incident_id"]
            members.setdefault(event["incident_id"], Counter())[day.classes[episode_id]] += 1

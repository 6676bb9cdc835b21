"""Gauges whose values the processors give: how much of what there is in their state.

Read once a second for each partition, so a processor answers out of counts that it keeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, Protocol, runtime_checkable

from prometheus_client import CollectorRegistry, Gauge

from pipeline.models.problem import ProblemState
from pipeline.runtime.guard import log_line
from pipeline.runtime.metric_words import PRIORITIES, SUPPRESSING


class Figure(NamedTuple):
    """A gauge whose value processors give (see `HasGauges`).

    Attributes:
        name: the figure's name; the series has ``spillway_`` in front.
        documentation: one sentence for people.
        label: label name of the figure's keys, or None where it has the single key "".
        values: label values that start at zero. Others come from the configuration, which bounds them.
    """

    name: str
    documentation: str
    label: str | None = None
    values: tuple[str, ...] = ()


FIGURES: Final = (
    Figure("open_episodes", "Episodes not resolved."),
    Figure("held_episodes", "Episodes in the waiting room: perhaps transients, or a rule wants more of their kind."),
    Figure("suppressed_episodes", "Episodes that fire and that correlate suppresses.", "reason", SUPPRESSING),
    Figure("open_incidents", "Incidents not resolved.", "priority", PRIORITIES),
    Figure("muted_incidents", "Open incidents that nobody is called for: all that fires is silenced or expected."),
    Figure("open_bridges", "Bridge incidents not resolved."),
    Figure("problems", "Problems that are not forgotten, by state.", "state", tuple(ProblemState)),
    Figure("deliveries_waiting", "Deliveries not yet accepted by their sink.", "sink"),
    Figure("deliveries_parked", "Deliveries given up, of the incidents that are still open.", "sink"),
    Figure(
        "feed_last_seen_timestamp_seconds", "When a message of a feed was read last, where a feed has `expect`.", "feed"
    ),
    Figure("feed_silent", "1 where nothing is heard from a feed that is expected to be.", "feed"),
    Figure("sink_records_open", "Records that are open in a sink, as far as is known.", "sink"),
    Figure(
        "incidents_sla_at_risk",
        "Open incidents of which a clock has used up a share of its target that people are warned of.",
        "priority",
        PRIORITIES,
    ),
    Figure(
        "incidents_sla_breached",
        "Open incidents of which a clock has missed its target, and what it waits for has not happened.",
        "priority",
        PRIORITIES,
    ),
    Figure("state_entries", "Entries of the state in memory, by kind.", "kind"),
)
"""Every figure that is exposed. What a processor gives and is not declared here is left out."""

# Sinks are dozens; what is past this is a figure labelled by something it must not be.
FIGURE_LABELS_MAX: Final = 200


@runtime_checkable
class HasGauges(Protocol):
    """A processor that reports figures of its state."""

    def gauges(self) -> dict[str, dict[str, float]]:
        """Figure -> label -> value: ``open_episodes`` under the label "", ``open_incidents`` by priority."""


class FigureGauges:
    """The gauges of `FIGURES` in one process, summed over stages and partitions."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register them; those with values of our own start at zero."""
        self._by_stage: dict[str, dict[str, dict[str, float]]] = {}
        self._told: set[str] = set()
        self._gauges = {
            figure.name: Gauge(
                f"spillway_{figure.name}",
                figure.documentation,
                [figure.label] if figure.label else [],
                registry=registry,
            )
            for figure in FIGURES
        }
        for figure in FIGURES:
            for value in figure.values:
                self._gauges[figure.name].labels(value)

    def observe(self, stage: str, figures: Mapping[str, Mapping[str, float]]) -> None:
        """Take the figures of a stage's state (see `HasGauges`), summed over its partitions here.

        What is not declared in `FIGURES`, or past `FIGURE_LABELS_MAX`, is left out with a log line: the pipeline does
        not stop because of what it tells of itself.
        """
        before = self._by_stage.get(stage, {})
        self._by_stage[stage] = {name: dict(values) for name, values in figures.items()}
        for name in sorted({*before, *figures}):
            self._set(name, {*before.get(name, ()), *figures.get(name, ())})

    def _set(self, name: str, labels: Iterable[str]) -> None:
        gauge = self._gauges.get(name)
        if gauge is None:
            self._tell_once(name, "it is not declared: add it to FIGURES in pipeline/runtime/figures.py")
            return
        labels = sorted(labels)
        if len(labels) > FIGURE_LABELS_MAX:
            self._tell_once(name, f"it has {len(labels)} labels: the first {FIGURE_LABELS_MAX} are shown")
        for label in labels[:FIGURE_LABELS_MAX]:
            total = sum(figures.get(name, {}).get(label, 0.0) for figures in self._by_stage.values())
            (gauge.labels(label) if label else gauge).set(total)

    def _tell_once(self, name: str, why: str) -> None:
        if name not in self._told:
            self._told.add(name)
            log_line("figure left out", figure=name, why=why)

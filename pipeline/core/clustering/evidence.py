"""Evidence: how strongly an episode belongs to an incident, as a sum of named contributions.

Contributions are log-odds; their sum through the logistic function is the probability. What each measure
(`pipeline.core.clustering.measures`) contributes is read from a table, by size; for some it depends on another measure,
too: to be on the same host as one of three members says much, as one of a hundred little. Where nothing is there to
measure the contribution is 0, so what is listed is what was seen.

The tables are ``weights.json``, trained on simulated companies whose truth is known by
``python -m benchmarks.quality.train``; the file says on what and how well (a generalised additive model with pairwise
terms: Lou, Caruana, Gehrke and Hooker, "Accurate intelligible models with pairwise interactions", 2013).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from math import exp
from typing import Any, Final, NamedTuple, Self

import orjson

from pipeline.core.clustering.measures import GOES_ON, Measures, measure
from pipeline.core.clustering.tally import Tally
from pipeline.models.decision import Reason
from pipeline.models.member import Member

WEIGHTS_FORMAT: Final = 1

TOLD_FROM: Final = 0.1
"""Contributions below that are told as one sum: each line of an explanation should have moved something."""

REST: Final = "rest"

GOES_ON_WEIGHT: Final = 8.0
"""The one weight that is not trained: it is a promise, not an observation (`LONE_ENTITIES_MAX`)."""

DECIDES_FROM: Final = 0.5
"""Contribution from which what speaks for it is named as the reason; below, several small ones did it together."""

LOG_ODDS_MAX: Final = 30.0
"""Beyond, the probability is 1 or 0 to every digit that is told."""

_REASONS: Final[dict[Reason, tuple[str, ...]]] = {
    Reason.SAME_CONDITION: ("same_condition", GOES_ON),
    Reason.SAME_ENTITY: ("same_entity", "still_fires"),
    Reason.DEPENDENCY: (
        *("needs_1", "needs_2", "needs_3", "needed_1", "needed_2", "needed_3", "common_1", "common_2", "common_3"),
    ),
    Reason.BUSINESS_TERMS: ("people_name_it", "business_terms", "names_it", "is_named"),
    Reason.SHARED_HOSTING: ("host", "rack", "cluster", "zone"),
    Reason.SIMILAR_TEXT: ("similar_text", "same_terms"),
}
"""Reason -> the measures that speak for it; of equals the first in the table."""

_REASON_OF: Final = {name: reason for reason, names in _REASONS.items() for name in names}


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an episode stands to one incident.

    Attributes:
        score: probability in [0, 1].
        contributions: log-odds by name, without the bias.
        ruled: the reason where a rule decided, and no evidence did.
    """

    score: float
    contributions: Mapping[str, float]
    ruled: Reason | None = None

    @property
    def evidence(self) -> dict[str, float]:
        """The contributions for the record: the largest first, the small ones as `REST`, so that the sum stays."""
        contributions = self.contributions
        large = sorted((-abs(value), name) for name, value in contributions.items() if abs(value) >= TOLD_FROM)
        found = {name: round(contributions[name], 2) for _, name in large}
        rest = round(sum(contributions.values()) - sum(found.values()), 2)
        return found | {REST: rest} if rest else found

    @property
    def reason(self) -> Reason:
        """What speaks for it most."""
        if self.ruled is not None:
            return self.ruled
        strength = dict.fromkeys(_REASONS, 0.0)
        contributions = self.contributions
        for name, value in contributions.items():
            if (reason := _REASON_OF.get(name)) is not None:
                strength[reason] += value
        kin = Reason.SAME_ENTITY if "same_entity" in contributions else Reason.DEPENDENCY
        strength[kin] += contributions.get("related", 0.0) + contributions.get("same_system", 0.0)
        strongest = max(strength, key=strength.__getitem__)
        return strongest if strength[strongest] >= DECIDES_FROM else Reason.COMBINED_EVIDENCE


class Curve(NamedTuple):
    """What one measure contributes: ``log_odds[n]`` for a value above ``above[n - 1]`` and not above the next."""

    above: tuple[float, ...]
    log_odds: tuple[float, ...]


class Plane(NamedTuple):
    """What one measure contributes more or less by the size of another: by the first's place, then by the second's."""

    of: str
    by: str
    log_odds: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Weights:
    """What everything that is measured contributes.

    Attributes:
        bias: the log-odds before anything is measured.
        curves: by measure.
        planes: of pairs. Where there is nothing of the first, there is nothing to say of it.
        training: on what they were trained, how, and how good they were there.
    """

    bias: float
    curves: Mapping[str, Curve]
    planes: Sequence[Plane]
    training: Mapping[str, Any]

    @classmethod
    def read(cls, content: bytes) -> Self:
        """Read them from JSON.

        Raises:
            ValueError: it is of a format that this release does not read.
        """
        document = orjson.loads(content)
        if document["format"] != WEIGHTS_FORMAT:
            raise ValueError(f"weights of format {document['format']!r}, this release reads {WEIGHTS_FORMAT}")
        curves = {
            name: Curve(tuple(each["above"]), tuple(each["log_odds"])) for name, each in document["measures"].items()
        }
        planes = [Plane(each["of"], each["by"], tuple(map(tuple, each["log_odds"]))) for each in document["planes"]]
        return cls(document["bias"], curves, planes, document["training"])

    def contributions(self, measures: Measures) -> dict[str, float]:
        """Log-odds by name, of everything that there is to measure."""
        curves, found, places = self.curves, dict[str, float](), dict[str, int]()
        for name, value in measures.items():
            curve = curves.get(name)
            if curve is not None:
                place = places[name] = bisect_left(curve.above, value)
                found[name] = curve.log_odds[place]
        for of, by, log_odds in self.planes:
            place = places.get(of, 0)
            if place:
                found[of] += log_odds[place][places.get(by, 0)]
        if GOES_ON in measures:
            found[GOES_ON] = GOES_ON_WEIGHT
        return found

    def probability(self, contributions: Mapping[str, float]) -> float:
        """Of the episode belonging to the incident, in [0, 1]."""
        total = self.bias + sum(contributions.values())
        return 1.0 / (1.0 + exp(-max(-LOG_ODDS_MAX, min(LOG_ODDS_MAX, total))))


WEIGHTS: Final = Weights.read(files("pipeline.core.clustering").joinpath("weights.json").read_bytes())
BIAS: Final = WEIGHTS.bias


def weigh(episode: Member, tally: Tally, age_ms: int, hot: int, *, same_condition: bool) -> Verdict | None:
    """Weigh an episode against one incident; None where nothing speaks for it. The arguments are those of `measure`."""
    measures = measure(episode, tally, age_ms, hot, same_condition=same_condition)
    if measures is None:
        return None
    contributions = WEIGHTS.contributions(measures)
    return Verdict(round(WEIGHTS.probability(contributions), 4), contributions)

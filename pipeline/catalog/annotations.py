"""Annotations that say what Backstage has no field for. One table: name, what it means, how it is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipeline.catalog.problems import Findings, Place, suggestion
from pipeline.models.catalog import HostingModel

PREFIX: Final = "spillway.dev/"
GENERATED_BY: Final = PREFIX + "generated-by"
"""Annotation of descriptors that an import wrote: they add to those written by hand, and lead nowhere."""

RUNBOOK: Final = "runbook"
RUNBOOK_DEFAULT: Final = "default"
_POPULATION: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}(/[a-z0-9][a-z0-9._-]{0,62}){0,3}")
_MONEY_MAX: Final = 1e12  # beyond any company's revenue a minute; catches misplaced digits


@dataclass(frozen=True, slots=True)
class Annotation:
    """One annotation.

    Attributes:
        name: without the prefix.
        field: field of `Entity` that it fills.
        read: text -> value; raises ValueError with what is expected.
        meaning: for the documentation.
    """

    name: str
    field: str
    read: Callable[[str], Any]
    meaning: str


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("expected a text, found nothing")
    return text.strip()


def _words(text: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(word.strip().lower() for word in text.split(",") if word.strip()))
    if not words:
        raise ValueError("expected words with commas between, found nothing")
    return words


def _tier(text: str) -> int:
    if text.strip() not in {"1", "2", "3", "4"}:
        raise ValueError(f"expected 1 (most critical) to 4, found '{text}'")
    return int(text)


def _count(text: str) -> int:
    if not (text.strip().isascii() and text.strip().isdigit() and len(text.strip()) <= 10):
        raise ValueError(f"expected a whole number of people such as 6200, found '{text}'")
    return int(text)


def _population(text: str) -> str:
    name = text.strip().lower()
    if not _POPULATION.fullmatch(name):
        raise ValueError(f"expected a name such as staff, or a part of one such as staff/berlin, found '{text}'")
    return name


def _money(text: str) -> float:
    try:
        amount = float(text)
    except ValueError:
        amount = -1.0
    if not 0 <= amount <= _MONEY_MAX:
        raise ValueError(f"expected an amount a minute such as 9500, found '{text}'")
    return amount


def _hosting_model(text: str) -> str:
    word = text.strip().lower().replace("-", "_")
    if word not in list(HostingModel):
        raise ValueError(f"expected {', '.join(HostingModel)}, found '{text}'{suggestion(word, HostingModel)}")
    return word


ANNOTATIONS: Final[dict[str, Annotation]] = {
    each.name: each
    for each in (
        Annotation("tier", "tier", _tier, "criticality, 1 (most critical) to 4"),
        Annotation("hosting-model", "hosting_model", _hosting_model, "cloud, on_prem, hybrid or saas"),
        Annotation(
            "infrastructure-layer",
            "infrastructure_layer",
            lambda text: _text(text).lower(),
            "application, database, network, compute, storage, identity, security...",
        ),
        Annotation("users", "users", _count, "people who use it"),
        Annotation(
            "population",
            "population",
            _population,
            "who they are, where other systems serve the same people: staff, or a part of them, staff/berlin",
        ),
        Annotation("revenue-per-minute", "revenue_per_minute", _money, "money lost a minute when it is down"),
        Annotation("regulatory", "regulatory", _words, "tags, comma-separated: pci-dss, patient-safety"),
        Annotation("sites", "sites", _words, "places of business where it is used, comma-separated: plants, branches"),
        Annotation("aliases", "aliases", _words, "business terms that users say, comma-separated"),
        Annotation("oncall", "oncall", _text, "rotation that covers it; without: its owner's"),
        Annotation(
            "environment",
            "environment",
            lambda text: _text(text).lower(),
            "where it runs; production where not stated",
        ),
    )
}


def read_annotations(written: Mapping[str, str], place: Callable[[str], Place], findings: Findings) -> dict[str, Any]:
    """Fields of `Entity` that the annotations of one descriptor give; other tools' annotations pass.

    Args:
        written: all annotations.
        place: annotation -> where it is written.
        findings: takes what is wrong.
    """
    fields: dict[str, Any] = {}
    runbooks: dict[str, str] = {}
    for key, text in written.items():
        if not key.startswith(PREFIX) or key == GENERATED_BY:
            continue
        name = key.removeprefix(PREFIX)
        known = ANNOTATIONS.get(name)
        base, dot, category = name.partition(".")
        if base == RUNBOOK and (category or not dot):
            runbooks[category or RUNBOOK_DEFAULT] = text.strip()
        elif known is None:
            near = suggestion(key, [PREFIX + each for each in (*ANNOTATIONS, RUNBOOK)])
            findings.problem(place(key), f"unknown annotation '{key}'{near}")
        else:
            try:
                fields[known.field] = known.read(text)
            except ValueError as error:
                findings.problem(place(key), f"{key}: {error}")
    if runbooks:
        fields["runbooks"] = runbooks
    return fields

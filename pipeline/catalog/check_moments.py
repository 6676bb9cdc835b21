"""Moments and spans in configuration files: with a time zone, and in order."""

from __future__ import annotations

from datetime import datetime

from pipeline.catalog.packs import Source
from pipeline.catalog.problems import Findings


def check_aware(moment: datetime, source: Source, findings: Findings, *path: str | int) -> bool:
    """A moment has a time zone."""
    if moment.tzinfo is None:
        findings.problem(source.at(*path), f"{path[-1]}: no time zone; write it as 2026-03-10T10:00:00Z")
        return False
    return True


def check_span(start: datetime, end: datetime, source: Source, findings: Findings, *path: str | int) -> None:
    """Both ends with a time zone, in order."""
    aware = [check_aware(moment, source, findings, *path, name) for name, moment in (("start", start), ("end", end))]
    if all(aware) and start >= end:
        findings.problem(source.at(*path, "end"), "end: must be after start")

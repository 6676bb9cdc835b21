"""``privacy.yaml``: patterns and fields that can be used, feeds that are there, and nothing that adapters live by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipeline.catalog.packs import Packs, Source
from pipeline.catalog.problems import Findings, suggestion
from pipeline.core.alerts.rules import PatternError
from pipeline.core.privacy.fields import PathError, fits, path_of
from pipeline.core.privacy.patterns import READY, own
from pipeline.feeds import DEFAULT_FEEDS
from pipeline.feeds.needs import needs_of
from pipeline.models.privacy import RedactAction, RedactRule

NAMED_MAX: Final = 3
"""Fields that one warning names; who sees three looks at the others."""


def check_privacy(packs: Packs, feeds: set[str] | None, findings: Findings) -> None:
    """Every rule can be used, names what is there, and leaves what its feeds' adapters need.

    Args:
        packs: all files beside the catalogue.
        feeds: the feeds in force; None leaves their names unchecked.
        findings: takes what is wrong.
    """
    source = packs.sources.get(("privacy", ""))
    if source is None:
        return
    privacy = packs.privacy
    for name, pattern in privacy.patterns.items():
        at = source.at("patterns", name)
        if name in READY:
            findings.problem(at, f"patterns: '{name}' is ready-made; give yours another name")
        _check_pattern(pattern, name, source, findings)
    known = {*READY, *privacy.patterns}
    for name, rule in privacy.redact.items():
        for index, each in enumerate(rule.patterns):
            if each not in known:
                near = suggestion(each, known)
                findings.problem(
                    source.at("redact", name, "patterns", index), f"patterns: there is none called '{each[:80]}'{near}"
                )
        for index, feed in enumerate(rule.feeds):
            if feeds is not None and feed not in feeds:
                near = suggestion(feed, feeds)
                findings.problem(
                    source.at("redact", name, "feeds", index), f"feeds: there is no feed '{feed[:80]}'{near}"
                )
        if (paths := _paths(name, rule, source, findings)) is not None:
            _check_needs(name, rule, paths, packs, source, findings)
        if "ip" in rule.patterns and not rule.fields:
            findings.warning(
                source.at("redact", name, "patterns"),
                f"'{name}' takes addresses out of every text: alerts that name a host by its address find it no more",
                "redacted-need",
            )
    used = {each for rule in privacy.redact.values() for each in rule.patterns}
    for name in privacy.patterns.keys() - used:
        findings.warning(source.at("patterns", name), f"no rule uses the pattern '{name}'", "unused-pattern")


def _check_pattern(pattern: str, name: str, source: Source, findings: Findings) -> None:
    try:
        compiled = own(pattern)
    except PatternError as error:
        findings.problem(source.at("patterns", name), f"{name}: not a pattern of RE2: {error}")
        return
    if compiled.finds.search("") is not None:
        findings.problem(source.at("patterns", name), f"{name}: matches nothing at all, and so everywhere")


def _paths(name: str, rule: RedactRule, source: Source, findings: Findings) -> list[tuple[str, ...]] | None:
    paths = []
    for index, written in enumerate(rule.fields):
        try:
            paths.append(path_of(written))
        except PathError as error:
            findings.problem(source.at("redact", name, "fields", index), f"fields: '{written[:80]}': {error}")
            return None
    return paths


def _check_needs(
    name: str, rule: RedactRule, paths: list[tuple[str, ...]], packs: Packs, source: Source, findings: Findings
) -> None:
    """Warn where a rule takes out what an adapter reads, or masks what tells one condition from another."""
    if rule.patterns:  # what stands around the pattern stays
        return
    for feed, adapter in sorted(_feeds_of(rule, packs).items()):
        if (needs := needs_of(adapter)) is None:
            continue
        place = source.at("redact", name, "fields")
        if read := [each for each in needs.reads if _named(each, paths)]:
            findings.warning(
                place,
                f"'{name}' takes out {_listed(read)} of feed '{feed}', which its adapter reads: its messages would go "
                f"to the dead letter or mean something else",
                "redacted-need",
            )
        same = [each for each in needs.identity if _named(each, paths)]
        if same and rule.action is not RedactAction.PSEUDONYMISE:
            findings.warning(
                place,
                f"'{name}' takes out {_listed(same)} of feed '{feed}', which tells one condition from another: "
                f"with action 'pseudonymise' they stay apart",
                "redacted-need",
            )


def _feeds_of(rule: RedactRule, packs: Packs) -> Mapping[str, str]:
    """The feeds that a rule is for, each with its adapter: of one for all feeds, those that are configured."""
    stated = {name: feed.adapter for name, feed in packs.feeds.items()}
    return {name: stated.get(name, name) for name in (rule.feeds or stated or DEFAULT_FEEDS)}


def _named(path: str, paths: list[tuple[str, ...]]) -> bool:
    """Whether a field, or one that it lies in, is taken out."""
    whole = tuple(path.split(".")[1:])
    return any(fits(whole[:length], parts) for parts in paths for length in range(1, len(whole) + 1))


def _listed(paths: list[str]) -> str:
    more = len(paths) - NAMED_MAX
    return ", ".join(paths[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")

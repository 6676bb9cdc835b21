"""Lint: what a configuration says and nobody can have meant. Each rule has a stable name, and can be silenced in place.

This file holds the table of rules, how they are run and how they are silenced. What each rule looks at is in
`lint_policy` (packs), `lint_reach` (services, people, names), `lint_oncall` (overrides, runbooks, schedules),
`lint_sinks` (downstreams) and `lint_coverage` (alerts of each feed).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from pipeline.catalog.lint_console import check_console
from pipeline.catalog.lint_context import Context, Finding
from pipeline.catalog.lint_coverage import Coverage, check_coverage
from pipeline.catalog.lint_escalation import check_paths
from pipeline.catalog.lint_oncall import check_cover, check_oncall
from pipeline.catalog.lint_packs import check_packs
from pipeline.catalog.lint_policy import check_policies
from pipeline.catalog.lint_reach import check_reach
from pipeline.catalog.lint_rules import check_rules
from pipeline.catalog.lint_sinks import check_sinks
from pipeline.catalog.load import Opened
from pipeline.catalog.problems import Place, suggestion


class Level(StrEnum):
    """How much a finding weighs: an error cannot have been meant, advice may have been."""

    ERROR = "error"
    ADVICE = "advice"


class Rule(NamedTuple):
    """One rule: its stable name, its level and what it finds."""

    name: str
    level: Level
    finds: str


RULES: Final[dict[str, Rule]] = {
    rule.name: rule
    for rule in (
        Rule("invalid", Level.ERROR, "what `config check` refuses; nothing else is looked at then"),
        Rule("shadowed-category", Level.ERROR, "a category that never wins: earlier ones take all that it matches"),
        Rule("shadowed-word", Level.ADVICE, "words of a category that earlier categories take"),
        Rule("shadowed-priority-rule", Level.ERROR, "a line of `impact` or `urgency` that never wins"),
        Rule("unused-priority", Level.ADVICE, "targets or an escalation path of a priority that never comes"),
        Rule("priority-without-escalation", Level.ADVICE, "P1 or P2 without a path: nobody is called"),
        Rule("escalation-nowhere", Level.ERROR, "an escalation path that calls nobody for a service"),
        Rule("urgent-by-day-only", Level.ADVICE, "response to the most urgent priority waits for a calendar to open"),
        Rule("update-after-target", Level.ADVICE, "people are told no earlier than it should be over"),
        Rule("holidays-past", Level.ADVICE, "a calendar whose own holidays are all in the past"),
        Rule("escalation-loop", Level.ERROR, "a level that calls only whom earlier levels have called"),
        Rule("level-finds-nobody", Level.ADVICE, "a level that finds nobody at some hour of a week, and no fall-back"),
        Rule("repeat-without-interval", Level.ADVICE, "a path that repeats and does not say how soon"),
        Rule("dependency-without-hops", Level.ERROR, "a path that notifies `dependency` with a hop budget of 0"),
        Rule("shadowed-route", Level.ERROR, "a route that is never taken: an earlier one takes all that fits it"),
        Rule("reopens-too-late", Level.ADVICE, "a reopen window that is longer than the time until it is closed"),
        Rule("shadowed-trigger", Level.ERROR, "a Major Incident rule that never wins: an earlier one always holds"),
        Rule("proposal-to-nobody", Level.ERROR, "Major Incidents that are proposed to nobody: no `manager`"),
        Rule("nobody-may", Level.ERROR, "permissions that leave nobody to acknowledge or resolve"),
        Rule("rotation-of-one", Level.ADVICE, "`oncall-secondary` is the person who is on call already"),
        Rule("service-without-owner", Level.ADVICE, "a Component whose `spec.owner` is not stated"),
        Rule("service-without-rotation", Level.ADVICE, "a Component that no rotation covers and no team owns"),
        Rule("owner-without-rotation", Level.ADVICE, "a team without a rotation that owns services which none covers"),
        Rule("unreachable-service", Level.ADVICE, "a Component whose names all mean others: no alert finds it"),
        Rule("isolated-service", Level.ADVICE, "a Component that needs nothing and that nothing needs"),
        Rule("unused-rotation", Level.ADVICE, "a rotation that covers nothing and that nothing names"),
        Rule("unused-group", Level.ADVICE, "a group that owns nothing"),
        Rule("unused-domain", Level.ADVICE, "a policy pack of a domain that nothing belongs to"),
        Rule("unused-parent", Level.ADVICE, "a policy pack that is a parent alone and that no other extends"),
        Rule("matrix-falls", Level.ADVICE, "a matrix in which more urgency or impact gives a less urgent priority"),
        Rule("domain-without-pack", Level.ADVICE, "a domain of the catalogue that works by the default pack"),
        Rule("common-alias", Level.ADVICE, "an alias that is a common word: texts about other things hold it too"),
        Rule("unspoken-alias", Level.ADVICE, "an alias that texts are not searched for: a letter, a number, too long"),
        Rule("shadowed-rule", Level.ERROR, "a correlation rule that never wins: an earlier one takes all it matches"),
        Rule("rule-without-index", Level.ADVICE, "a correlation rule that every episode is asked for"),
        Rule("window-past", Level.ADVICE, "a maintenance window that is over"),
        Rule("window-wide", Level.ADVICE, "a recurring maintenance window that is on for over a quarter of the time"),
        Rule("redacted-need", Level.ADVICE, "a redaction that takes out what an adapter or the catalogue goes by"),
        Rule("unused-pattern", Level.ADVICE, "a pattern of personal data that no rule of redaction uses"),
        Rule("dependency-circle", Level.ADVICE, "dependencies that run in a circle"),
        Rule("shared-alias", Level.ADVICE, "an alias of two entities: only the first is found by it"),
        Rule("misspelt-kind", Level.ADVICE, "a descriptor whose kind is not read and looks misspelt"),
        Rule("check", Level.ADVICE, "other warnings of `config check`"),
        Rule("topic-without-feed", Level.ERROR, "recorded: a raw topic that no feed reads"),
        Rule("feed-uncovered", Level.ERROR, "recorded: a feed none of whose alerts match anything in the catalogue"),
        Rule("feed-coverage", Level.ADVICE, "recorded: a feed fewer than half of whose alerts match"),
        Rule("feed-refused", Level.ADVICE, "recorded: a feed some of whose messages cannot be read"),
        Rule("feed-silent", Level.ADVICE, "recorded: a feed of feeds.yaml without a message"),
        Rule("unknown-person", Level.ADVICE, "an override or a calendar that names somebody who is not known"),
        Rule("override-past", Level.ADVICE, "an override that is over"),
        Rule("override-outside-turn", Level.ADVICE, "an override instead of somebody who has no turn then"),
        Rule("unused-calendar", Level.ADVICE, "a calendar in `oncall/` that no rotation reads"),
        Rule("event-of-nobody", Level.ADVICE, "an event of a calendar that names no person"),
        Rule("runbook-missing", Level.ADVICE, "a Component of tier 1 without a runbook"),
        Rule("runbook-address", Level.ADVICE, "a runbook that is no https:// address"),
        Rule("oncall-gap-critical", Level.ERROR, "ahead: nobody is on call for a service of tier 1 or 2"),
        Rule("oncall-gap", Level.ADVICE, "ahead: nobody is on call for other services"),
        Rule("double-booking", Level.ADVICE, "ahead: one person is primary in two rotations at once"),
        Rule("primary-is-secondary", Level.ADVICE, "ahead: one person is primary and secondary at once"),
        Rule("night-hand-off", Level.ADVICE, "ahead: a hand-off between 22:00 and 06:00 of the layer's zone"),
        Rule("sink-unreached", Level.ERROR, "a sink that is told of nothing: no incident passes its filters"),
        Rule("sink-secret-in-address", Level.ERROR, "a sink whose address holds a parameter that looks like a secret"),
        Rule("sink-in-the-clear", Level.ADVICE, "a sink of an http:// address outside of the own network"),
        Rule("sink-one-way", Level.ADVICE, "a sink that could hear what people do there, and does not"),
        Rule("sink-unknown-person", Level.ADVICE, "a mapping of people of a sink that names nobody who is known here"),
        Rule("page-without-audience", Level.ERROR, "a status page that no pack tells anything that it would show"),
        Rule("page-without-approval", Level.ADVICE, "a status page that shows what nobody has approved"),
        Rule("sign-in-of-nobody", Level.ERROR, "single sign-on none of whose groups may come in"),
        Rule("sign-in-without-administrator", Level.ADVICE, "single sign-on without an administrator of all domains"),
        Rule("proxies-too-wide", Level.ERROR, "trusted proxies that are more than a network of one's own"),
        Rule("unused-allow", Level.ADVICE, "a comment that silences a rule which finds nothing there"),
        Rule("unknown-allow", Level.ERROR, "a comment that silences a rule which does not exist"),
    )
}  # fmt: skip

CHECK_RULES: Final = frozenset(
    (
        "unused-rotation", "unreachable-service", "isolated-service", "service-without-rotation",
        "owner-without-rotation", "escalation-nowhere", "unknown-person", "override-outside-turn",
    )
)  # fmt: skip
"""Rules whose findings `config check` tells as warnings, too: references that lead nowhere."""

_ALLOW: Final = re.compile(r"(?:^|\s)#\s*spillway-lint:\s*allow\s+([a-z][a-z-]*(?:\s*,\s*[a-z][a-z-]*)*)")
_RECORDED_ONLY: Final = frozenset(name for name, rule in RULES.items() if rule.finds.startswith("recorded: "))

_AHEAD_ONLY: Final = frozenset(name for name, rule in RULES.items() if rule.finds.startswith("ahead: "))
ONCALL_RULES: Final = _AHEAD_ONLY | {
    "rotation-of-one", "service-without-rotation", "owner-without-rotation", "unused-rotation", "unknown-person",
    "override-past", "override-outside-turn", "unused-calendar", "event-of-nobody", "runbook-missing",
    "runbook-address",
}  # fmt: skip
"""Rules of `spillway oncall lint`."""


@dataclass(frozen=True, slots=True)
class Allow:
    """A comment that silences rules. Attributes: where it stands, the lines it speaks for, the rules it names."""

    place: Place
    lines: tuple[int, ...]
    rules: tuple[str, ...]


@dataclass(slots=True)
class Report:
    """What lint has to say.

    Attributes:
        findings: by file, line and rule.
        silenced: those that a comment silences.
        coverage: of each feed, where alerts were given.
    """

    findings: list[Finding] = field(default_factory=list)
    silenced: list[Finding] = field(default_factory=list)
    coverage: list[Coverage] = field(default_factory=list)

    def count(self, level: Level) -> int:
        """How many findings of a level."""
        return sum(RULES[finding.rule].level == level for finding in self.findings)


def lint(
    opened: Opened, now_ms: int, coverage: Sequence[Coverage] | None = None, *, of_all_feeds: bool = True
) -> Report:
    """Run every rule.

    Args:
        opened: the directory.
        now_ms: the moment that maintenance is judged at, epoch milliseconds.
        coverage: what the alerts of each feed came to; None where none were given.
        of_all_feeds: what was given would have messages of every feed that is alive.
    """
    found = [Finding("invalid", Place(each.file, each.line), each.message) for each in opened.checked.problems]
    found += [Finding(each.rule, Place(each.file, each.line), each.message) for each in opened.checked.warnings]
    found = [each if each.rule in RULES else each._replace(rule="check") for each in found]
    if opened.checked.config is not None:
        found += rule_findings(opened, now_ms)
        if coverage is not None:
            found += check_coverage(Context(opened, opened.checked.config, now_ms), coverage, of_all_feeds=of_all_feeds)
    looked_at_alerts = coverage is not None and of_all_feeds
    judged = RULES.keys() - _AHEAD_ONLY - (frozenset() if looked_at_alerts else _RECORDED_ONLY)
    report = _silence(sorted(set(found), key=_order), list(allows(opened)), judged)
    report.coverage = list(coverage or ())
    return report


def lint_oncall(opened: Opened, now_ms: int, start_ms: int, days: int) -> Report:
    """Run the rules about being on call, schedules included.

    Args:
        opened: the directory.
        now_ms: the moment that overrides are judged at, epoch milliseconds.
        start_ms: the first moment of the schedules that are looked at.
        days: how many days of them.
    """
    found = [Finding("invalid", Place(each.file, each.line), each.message) for each in opened.checked.problems]
    if (config := opened.checked.config) is not None:
        found += [Finding(each.rule, Place(each.file, each.line), each.message) for each in opened.checked.warnings]
        found += [*rule_findings(opened, now_ms), *check_cover(Context(opened, config, now_ms), start_ms, days)]
        found = [each for each in found if each.rule in ONCALL_RULES]
    return _silence(sorted(set(found), key=_order), list(allows(opened)), ONCALL_RULES)


def rule_findings(opened: Opened, now_ms: int) -> list[Finding]:
    """What the rules find that need no alerts; nothing where the directory is not usable."""
    if opened.checked.config is None:
        return []
    context = Context(opened, opened.checked.config, now_ms)
    rules = (
        check_policies,
        check_packs,
        check_paths,
        check_reach,
        check_rules,
        check_oncall,
        check_sinks,
        check_console,
    )
    return [finding for rule in rules for finding in rule(context)]


def without_silenced(opened: Opened, findings: Iterable[Finding]) -> list[Finding]:
    """Findings that no comment silences."""
    allowed = {(each.place.file, line, rule) for each in allows(opened) for line in each.lines for rule in each.rules}
    return [each for each in findings if (each.place.file, each.place.line, each.rule) not in allowed]


def _order(finding: Finding) -> tuple[str, int, str, str]:
    return finding.place.file, finding.place.line, finding.rule, finding.message


def allows(opened: Opened) -> Iterator[Allow]:
    """Every comment ``# spillway-lint: allow RULE, RULE``: of its own line, or of the next line that says something."""
    for file, data in opened.files.items():
        if b"spillway-lint" not in data:
            continue
        lines = data.decode("utf-8", "replace").splitlines()
        for number, line in enumerate(lines, 1):
            if found := _ALLOW.search(line):
                names = tuple(each.strip() for each in found[1].split(","))
                yield Allow(Place(file, number), _speaks_for(lines, number), names)


def _speaks_for(lines: Sequence[str], number: int) -> tuple[int, ...]:
    """Lines that a comment speaks for: its own and, where it stands alone, the next one that is no comment."""
    if not lines[number - 1].lstrip().startswith("#"):
        return (number,)
    for following in range(number, len(lines)):
        text = lines[following].strip()
        if text and not text.startswith("#") and text != "---":
            return (number, following + 1)
    return (number,)


def _silence(findings: list[Finding], comments: list[Allow], judged: AbstractSet[str]) -> Report:
    """Part what a comment silences from what it does not; comments of no use, of rules that ran, are findings."""
    report = Report()
    used: set[tuple[Place, str]] = set()
    for finding in findings:
        by = [
            each
            for each in comments
            if each.place.file == finding.place.file
            and finding.place.line in each.lines
            and finding.rule in each.rules
            and finding.rule != "invalid"  # what cannot be used cannot be silenced
        ]
        used.update((each.place, finding.rule) for each in by)
        (report.silenced if by else report.findings).append(finding)
    whole = all(finding.rule != "invalid" for finding in findings)  # else most rules did not run
    for each in comments:
        for name in each.rules:
            if name not in RULES:
                near = suggestion(name, RULES)
                report.findings.append(Finding("unknown-allow", each.place, f"there is no rule '{name}'{near}"))
            elif whole and (each.place, name) not in used and name in judged:
                report.findings.append(Finding("unused-allow", each.place, f"'{name}' finds nothing here: remove it"))
    report.findings.sort(key=_order)
    return report

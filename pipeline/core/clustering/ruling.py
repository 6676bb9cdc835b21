"""What correlation rules decide of an episode: into which incident it goes, and which it never joins.

A person's command goes before all of this. Never goes before always, and both before the scoring. A group follows its
last episode: where people merge, split or move that, later ones of the group go.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson

from pipeline.core.clustering.correlation_rules import Asked, CorrelationRules
from pipeline.core.clustering.rule_facts import RuleFacts
from pipeline.core.clustering.tally import Tally
from pipeline.core.identity import content_hash
from pipeline.core.topology import Topology
from pipeline.models.correlation_rules import BOUND, CorrelationRule
from pipeline.models.episode import EpisodeEvent
from pipeline.models.member import Member
from pipeline.models.wire import to_json

GROUPS_MAX: Final = 50_000
"""Groups open at once in one partition, a fifth of a kilobyte each. Past it none begins, and evidence alone decides."""

GROUP_SCHEMA: Final = 1
"""Of the state record of a group."""

ALONE: Final = "alone="
ONE: Final = "one"
OTHER: Final = "other"
APART: Final = "of="
FIELD: Final = re.compile(r"\{([^{}]+)\}")
"""A value of ``group_by`` in a title."""

_SIDES: Final = {ONE: OTHER, OTHER: ONE}


@dataclass(slots=True)
class Ruled:
    """What the rules say of an episode.

    Attributes:
        always: the first ``join: always`` rule that it matches, and its group.
        waits: the first ``min_count`` rule that it matches, and its group.
        marks: what `join: never` rules know it by: rule, ``|``, then which side it is on.
        failed: rules that could not be asked.
        kept_out: the rule that keeps it out of its group's incident, if one does.
        stays: its group goes on without it, for that reason.
        told: which rules it matched was counted before.
    """

    always: Group | None = None
    waits: Group | None = None
    marks: list[str] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    kept_out: str | None = None
    stays: bool = False
    told: bool = False

    def matched(self) -> list[str]:
        """The rules that it matches."""
        names = [mark.partition("|")[0] for mark in self.marks]
        names += [group.rule for group in (self.always, self.waits) if group is not None]
        return list(dict.fromkeys(names))


@dataclass(slots=True)
class Group:
    """Episodes that a rule puts together.

    Attributes:
        key: names the group in state.
        rule: the rule's name.
        values: of ``group_by``, in its order.
        episode_id: its last episode; None before the first.
        first_ms: when the first came, stream time; ``last_ms``: the last.
        count: how many have come while there were too few for an incident.
    """

    key: str
    rule: str
    values: list[str]
    episode_id: str | None = None
    first_ms: int = 0
    last_ms: int = 0
    count: int = 0


class Ruling:
    """The rules of one partition, with the groups that are going on.

    Attributes:
        rules: compiled.
        keeps_apart: there are ``join: never`` rules.
    """

    def __init__(self, rules: CorrelationRules, topology: Topology) -> None:
        self.rules = rules
        self.keeps_apart = any(rule.action == "never" for rule in rules.rules.values())
        self._topology = topology
        self._groups: dict[str, Group] = {}

    def ask(self, event: EpisodeEvent, episode: Member) -> Ruled | None:
        """Ask the rules about an episode; None where there are none."""
        if not self.rules.rules:
            return None
        ruled = Ruled()
        facts = RuleFacts(event.alert, episode.terms, self._topology)
        for asked in self.rules.matching(facts, ruled.failed):
            action = asked.rule.action
            if action == "never":
                ruled.marks += _marks(asked, facts, event.alert_key)
            elif action == "always" and ruled.always is None:
                ruled.always = self._group(asked, facts, event.space)
            elif action == "min_count" and ruled.waits is None:
                ruled.waits = self._group(asked, facts, event.space)
        return ruled

    def _group(self, asked: Asked, facts: RuleFacts, space: str) -> Group | None:
        """The group of a rule that an episode is of; one that lacks a value is of none."""
        values = facts.of_group(asked.rule.group_by)
        if values is None:
            return None
        key = content_hash(asked.name, space, *asked.rule.group_by, *values)
        return self._groups.get(key) or Group(key, asked.name, values)

    def marks(self, event: EpisodeEvent, episode: Member) -> list[str]:
        """What ``join: never`` rules know an episode by."""
        ruled = self.ask(event, episode) if self.keeps_apart else None
        return [] if ruled is None else ruled.marks

    def title(self, ruled: Ruled) -> str | None:
        """What an incident that an episode opens is called; None where no rule says."""
        groups = (group for group in (ruled.always, ruled.waits) if group is not None)
        titles = (title_of(self.rules.rules[group.rule], group) for group in groups)
        return next((title for title in titles if title is not None), None)

    # -- groups

    def goes_on(self, group: Group, now_ms: int) -> bool:
        """Whether a group takes another episode now."""
        return group.key in self._groups and now_ms <= self.end_ms(group)

    def end_ms(self, group: Group) -> int:
        """The last moment at which a group takes another; the beginning where its rule is gone."""
        rule = self.rules.rules.get(group.rule)
        return rule.window.end_ms(group.first_ms, group.last_ms) if rule is not None else 0

    def enter(self, group: Group, episode_id: str, now_ms: int, *, anew: bool) -> bool:
        """Note that an episode is the last of a group; False where there are too many groups to begin one."""
        if group.key not in self._groups:
            if len(self._groups) >= GROUPS_MAX:
                return False
            self._groups[group.key] = group
        if anew:
            group.first_ms = now_ms
        group.episode_id, group.last_ms = episode_id, now_ms
        return True

    def count(self, group: Group, now_ms: int) -> int:
        """Count one more of a group that has no incident yet: how many have come; 0 where there is no room for it."""
        if not self.goes_on(group, now_ms):
            if group.key not in self._groups and len(self._groups) >= GROUPS_MAX:
                return 0
            self._groups[group.key] = group
            group.first_ms, group.count, group.episode_id = now_ms, 0, None
        group.last_ms = now_ms
        group.count += 1
        return group.count

    def is_enough(self, group: Group) -> bool:
        """Whether as many have come as the group's rule asks for."""
        least = self.rules.rules[group.rule].min_count
        return least is not None and group.count >= least

    def due(self, key: str, now_ms: int) -> int | None:
        """A group may have ended: forget it, or say when to look again; None where there is none."""
        group = self._groups.get(key)
        if group is None:
            return None
        end_ms = self.end_ms(group)
        if now_ms <= end_ms:
            return end_ms + 1
        del self._groups[key]
        return None

    def load(self, key: str, value: bytes) -> None:
        """Take a group's state record back.

        Raises:
            ValueError: it has a schema that this release does not read.
        """
        schema, *values = orjson.loads(value)
        if schema != GROUP_SCHEMA:
            raise ValueError(f"group schema {schema!r}, this release reads {GROUP_SCHEMA}")
        self._groups[key] = Group(key, *values)

    def dump(self, key: str) -> bytes | None:
        """A group's state record; None where it is gone."""
        group = self._groups.get(key)
        if group is None:
            return None
        return to_json(
            (GROUP_SCHEMA, group.rule, group.values, group.episode_id, group.first_ms, group.last_ms, group.count)
        )

    def deadlines(self) -> list[tuple[str, int]]:
        """Each group that is kept, with the moment after its end."""
        return [(group.key, self.end_ms(group) + 1) for group in self._groups.values()]

    # -- never

    def forbids(self, marks: list[str], tally: Tally, members: int) -> str | None:
        """The first rule by which an episode must not join an incident; None where it may.

        Args:
            marks: of the episode.
            tally: of the incident.
            members: how many the incident has.
        """
        if not marks and not tally.marks:
            return None
        found = [rule for rule in self._forbidding(marks, tally.marks, members) if rule in self.rules.ranks]
        return min(found, key=self.rules.ranks.__getitem__, default=None)

    def parts(self, one: Tally, one_members: int, other: Tally, other_members: int) -> str | None:
        """The first rule by which two incidents must not become one; None where they may.

        Args:
            one: tally of one incident, which has ``one_members``.
            other: of the other.
            one_members: how many.
            other_members: how many.
        """
        found = self.forbids(list(one.marks), other, other_members), self.forbids(list(other.marks), one, one_members)
        return min((rule for rule in found if rule is not None), key=self.rules.ranks.__getitem__, default=None)

    def binds(self, one: Iterable[Member], other: Iterable[Member]) -> str | None:
        """A rule that has put members of two parts of an incident together, so that they stay so; None where none has.

        Args:
            one: members of one part; ``other``: of the other.
            other: of the other.
        """
        bound = {mark for member in one for mark in member.marks if BOUND in mark}
        shared = {mark for member in other for mark in member.marks if mark in bound}
        rules = {mark.partition("|")[0] for mark in shared} & self.rules.rules.keys()
        return min(rules, key=self.rules.ranks.__getitem__, default=None)

    def _forbidding(self, marks: list[str], held: Mapping[str, int], members: int) -> list[str]:
        found: list[str] = []
        for mark in marks:
            rule, _, side = mark.partition("|")
            if side in _SIDES:
                if f"{rule}|{_SIDES[side]}" in held:
                    found.append(rule)
            elif side.startswith(APART):
                if any(each != mark and each.startswith(f"{rule}|{APART}") for each in held):
                    found.append(rule)
            elif (
                side.startswith(ALONE) and held.get(mark, 0) != members
            ):  # only runs of its own condition are no others
                found.append(rule)
        for mark in held:
            rule, _, side = mark.partition("|")
            if side.startswith(ALONE) and mark not in marks:
                found.append(rule)
        return found


def bound_by(group: Group, *, anew: bool, now_ms: int) -> str:
    """The mark of a member that comes into a group: the same for all of one run of the group."""
    return f"{group.rule}{BOUND}{group.key[:16]}.{now_ms if anew else group.first_ms}"


def _marks(asked: Asked, facts: RuleFacts, alert_key: str) -> list[str]:
    """What a ``join: never`` rule knows an episode by."""
    rule = asked.rule
    if rule.with_ is not None:
        return [f"{asked.name}|{OTHER if asked.other else ONE}"]
    if not rule.group_by:
        return [f"{asked.name}|{ALONE}{alert_key}"]
    values = facts.of_group(rule.group_by)
    return [] if values is None else [f"{asked.name}|{APART}{content_hash(*values)[:16]}"]


def title_of(rule: CorrelationRule, group: Group) -> str | None:
    """What an incident that the rule opens is called; None where the rule leaves it to the episode."""
    if rule.title is None:
        return None
    given = dict(zip(rule.group_by, group.values, strict=True))
    return FIELD.sub(lambda field: given.get(field[1], field[0]), rule.title)

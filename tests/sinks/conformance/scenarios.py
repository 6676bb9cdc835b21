"""What every downstream goes through: lives without trouble, and each trouble that a downstream can make.

A scenario is played once, at all downstreams together; the tests then look at each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from typing import Final

from pipeline.models.incident import IncidentKind
from tests.sinks.conformance.life import HOSTILE_TITLE, Life, Told
from tests.sinks.conformance.town import Town

Step = Callable[[], Life]

_NUMBERS = count(1)

BEGAN_MS: Final = 1_772_589_900_000
"""Shortly before the clocks of the servers begin: nothing is there before its incident is."""

PAGE_SIZES: Final = ("page", "page_size", "page_size_max")
"""Attributes of servers whose lists come in pages."""

QUICK_SECONDS_MAX: Final = 15.0
"""What a downstream that is well may take while another is not, on a busy machine."""


def born(title: str = "Checkout: requests fail", kind: str = IncidentKind.INCIDENT) -> Life:
    """A new incident, of which nothing is told yet."""
    return Life(f"INC-CONFORM{next(_NUMBERS):04d}", BEGAN_MS, title=title, kind=kind)


def whole_life(life: Life) -> list[Step]:
    """The steps from the first symptom to the end, with a reopening on the way."""
    return [
        life.opened,
        lambda: life.called("amara.okafor", "1"),
        lambda: life.published("investigating", "We are looking into it."),
        lambda: life.called("jonas.weber", "2"),
        life.acknowledged,
        lambda: life.assigned("lucia.ferrari"),
        lambda: life.noted("The database is out of connections."),
        lambda: life.prioritised("P2"),
        life.mitigated,
        lambda: life.published("mitigated", "It should work again."),
        life.resolved,
        lambda: life.published("resolved", "It is solved."),
        life.reopened,
        lambda: life.called("amara.okafor", "1"),
        life.acknowledged,
        life.resolved,
        life.closed,
    ]


def _step_by_step(town: Town) -> list[Life]:
    """Each step arrives before the next one happens."""
    life = born()
    for step in whole_life(life):
        town.play(step())
        town.settle(life)
    return [life]


def _all_at_once(town: Town) -> list[Life]:
    """The whole life is in the queue before the first request is made."""
    lives = [born() for _ in range(3)]
    for life in lives:
        for step in whole_life(life):
            step()
    town.play(*lives)
    town.settle(*lives)
    return lives


def _other_ends(town: Town) -> list[Life]:
    """Merged, cancelled, and never acknowledged."""
    winner, loser, cancelled, brief = born(), born(), born(), born()
    for life in (winner, loser, cancelled, brief):
        town.play(life.opened(), life.called("amara.okafor"))
    town.settle(winner, loser, cancelled, brief)
    loser.merged_into(winner)
    cancelled.cancelled()
    brief.resolved().closed()
    town.play(winner, loser, cancelled, brief)
    town.settle(winner, loser, cancelled, brief)
    town.play(winner.resolved().closed())
    town.settle(winner)
    return [winner, loser, cancelled, brief]


def _major_incident(town: Town) -> list[Life]:
    """A bridge incident over two members, which end with it."""
    members = [born(), born()]
    bridge = born("Major Incident: Checkout", IncidentKind.BRIDGE)
    for life in (*members, bridge):
        town.play(life.opened())
    for member in members:
        member.joined(bridge)
    town.play(*members, bridge)
    town.settle(*members, bridge)
    for life in (*members, bridge):
        town.play(life.resolved().closed())
    town.settle(*members, bridge)
    return [*members, bridge]


def _hostile(town: Town) -> list[Life]:
    """Words that do harm where they are taken for code; longer than any field."""
    life = born(HOSTILE_TITLE)
    town.play(life.opened(), life.noted(HOSTILE_TITLE), life.noted("x" * 6_000), life.resolved(), life.closed())
    town.settle(life)
    return [life]


def _faulty(*faults: str) -> Callable[[Town], list[Life]]:
    """The first requests of a life meet these faults; a person may see the rest of it go well."""

    def play(town: Town) -> list[Life]:
        life = born()
        town.fail(*faults)
        town.play(life.opened(), life.called("amara.okafor"))
        town.settle(life)
        town.calm()
        town.play(life.acknowledged(), life.resolved(), life.closed())
        town.settle(life)
        return [life]

    return play


def _later_faults(town: Town) -> list[Life]:
    """What is there already is written, and each write fails once, one way or the other."""
    life = born()
    town.play(life.opened(), life.published("investigating", "We are looking into it."))
    town.settle(life)
    steps: list[tuple[Step, str]] = [
        (life.acknowledged, "silent"),
        (lambda: life.called("jonas.weber"), "after"),
        (life.resolved, "silent"),
        (life.closed, "after"),
    ]
    for step, fault in steps:
        town.fail(fault)
        town.play(step())
        town.settle(life)
        town.calm()
    return [life]


def _small_pages(town: Town) -> list[Life]:
    """What was made without an answer stands on a later page: a downstream shows two records at a time."""
    others, life = [born() for _ in range(3)], born()
    kept = [
        (server, name, getattr(server, name))
        for server in town.servers.values()
        for name in PAGE_SIZES
        if isinstance(getattr(server, name, None), int)
    ]
    for server, name, _ in kept:
        setattr(server, name, 2)
    words = "We are looking into it."
    town.play(*(each.opened().published("investigating", words) for each in others))
    town.settle(*others)
    town.fail("silent")
    town.play(life.opened(), life.called("amara.okafor"), life.published("investigating", words))
    town.settle(life)
    town.calm()
    lives = [*others, life]
    town.play(*(each.resolved().closed() for each in lives))
    town.settle(*lives)
    for server, name, size in kept:
        setattr(server, name, size)
    return lives


def _throttled(town: Town) -> list[Life]:
    """More than the downstream takes: 429 with Retry-After."""
    lives = [born() for _ in range(2)]

    for server in town.servers.values():
        server.rate_per_second, server.burst = 8.0, 2.0
    for life in lives:
        town.play(life.opened(), life.resolved(), life.closed())
    town.settle(*lives)
    town.calm()
    return lives


def _expired(town: Town) -> list[Life]:
    """The credential expires, and is repaired: nothing is lost until then."""
    life = born()
    expiring = {name: each for name, each in town.downstreams.items() if each.credential is not None}
    kept: dict[str, tuple[str, object]] = {}
    for name, each in expiring.items():
        attribute, other = each.credential or ("", "")
        kept[name] = (attribute, getattr(town.servers[name], attribute))
        setattr(town.servers[name], attribute, other)
    town.play(life.opened(), life.published("investigating", "We are looking into it."))
    town.wait(lambda: kept.keys() <= town.tried(life), "every sink has been refused")
    for name, (attribute, value) in kept.items():
        setattr(town.servers[name], attribute, value)
    town.retry_given_up(life)
    town.settle(life)
    town.play(life.resolved(), life.closed())
    town.settle(life)
    return [life]


def _one_is_dead(town: Town) -> list[Life]:
    """Half of the downstreams are dead for a while: the others are told as ever, and those when they are back."""
    life, names = born(), sorted(town.servers)
    for half in (names[::2], names[1::2]):
        for name in half:
            town.servers[name].down = True
        town.play(life.opened() if not life.incident.revision else life.noted("still there"))
        town.settle(life, sinks=set(names) - set(half), seconds=QUICK_SECONDS_MAX)
        for name in half:
            town.servers[name].down = False
        town.settle(life)
    town.play(life.resolved().closed())
    town.settle(life)
    return [life]


Scenario = Callable[[Town], list[Life]]

SCENARIOS: Final[Mapping[str, Scenario]] = {
    "a life step by step": _step_by_step,
    "a life all at once": _all_at_once,
    "merged, cancelled, brief": _other_ends,
    "a major incident": _major_incident,
    "hostile words": _hostile,
    "refused before it happens": _faulty("before", "before"),
    "an error after it has happened": _faulty("after"),
    "no answer after it has happened": _faulty("silent"),
    "no answer twice": _faulty("silent", "silent"),
    "writes that fail by turns": _later_faults,
    "pages of two": _small_pages,
    "too many requests": _throttled,
    "a credential that expires": _expired,
    "half of them dead": _one_is_dead,
}
"""By name."""


class Played:
    """Scenarios of one run, each played once, when it is first asked for."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self._lives: dict[str, list[Told]] = {}
        self._failed: dict[str, AssertionError] = {}

    def of(self, scenario: str) -> list[Told]:
        """What has to be known after a scenario.

        Raises:
            AssertionError: it did not come to its end.
        """
        if scenario not in self._lives and scenario not in self._failed:
            try:
                lives = SCENARIOS[scenario](self.town)
                self.town.settle_books(*lives)
                self._lives[scenario] = [life.told for life in lives]
            except AssertionError as error:
                self._failed[scenario] = error
            finally:
                self.town.calm()
        if scenario in self._failed:
            raise self._failed[scenario]
        return self._lives[scenario]

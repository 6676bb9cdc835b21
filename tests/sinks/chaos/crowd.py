"""A crowd of incidents that live by chance, each step one that its state allows."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from pipeline.models.incident import IncidentState
from tests.sinks.conformance.life import Life

BEGAN_MS: Final = 1_772_589_900_000
"""Shortly before the clocks of the servers begin."""

PEOPLE: Final = ("amara.okafor", "jonas.weber", "lucia.ferrari", "noor.haddad")
UNANSWERED: Final = frozenset({IncidentState.LOGGED, IncidentState.REOPENED})
ENDED: Final = frozenset({IncidentState.CLOSED, IncidentState.MERGED, IncidentState.CANCELLED})

Step = Callable[[], object]


class Crowd:
    """Incidents, by seed.

    Attributes:
        living: those that have not ended.
        ended: those that have.
    """

    def __init__(self, random: Random, name: str = "CHAOS") -> None:
        self.living: list[Life] = []
        self.ended: list[Life] = []
        self._random = random
        self._name = name
        self._born = 0
        self._steps = 0

    def everybody(self) -> list[Life]:
        """All of them."""
        return [*self.ended, *self.living]

    def step(self) -> list[Life]:
        """One thing happens to one incident, or a new one begins; those with something new to tell."""
        if not self.living or self._random.random() < 0.12:
            return [self._begin()]
        life = self._random.choice(self.living)
        before = life.incident.revision
        partner = self._partner(life)
        self._random.choice(self._possible(life, partner))()
        self._bury()
        return [each for each in (life, partner) if each is not None and (each is partner or before)]

    def finish(self) -> list[Life]:
        """Everything that lives comes to an end."""
        finished = list(self.living)
        for life in finished:
            if life.incident.state != IncidentState.RESOLVED:
                life.resolved()
            life.closed()
        self._bury()
        return finished

    def forget(self) -> None:
        """What has ended and was judged is of no interest any more."""
        self.ended.clear()

    def _begin(self) -> Life:
        self._born += 1
        life = Life(f"INC-{self._name}{self._born:05d}", BEGAN_MS, title=f"Checkout {self._born}: requests fail")
        self.living.append(life.opened())
        return life

    def _partner(self, life: Life) -> Life | None:
        """Another open incident that it may be merged into."""
        others = [each for each in self.living if each is not life and each.incident.state != IncidentState.RESOLVED]
        return self._random.choice(others) if others and self._random.random() < 0.04 else None

    def _possible(self, life: Life, partner: Life | None) -> list[Step]:
        self._steps += 1
        number, person = self._steps, self._random.choice(PEOPLE)
        if partner is not None:
            return [lambda: life.merged_into(partner)]
        if life.incident.state == IncidentState.RESOLVED:
            return [life.reopened, life.closed, life.closed]
        steps: list[Step] = [
            lambda: life.noted(f"note {number}"),
            lambda: life.assigned(person),
            lambda: life.prioritised(f"P{1 + number % 3}"),
            lambda: life.published("identified", f"We know more ({number})."),
            life.mitigated,
            life.resolved,
        ]
        if life.incident.state in UNANSWERED:
            steps += [lambda: life.called(person, str(number)), lambda: life.called(person, str(number))]
            steps += [lambda: life.acknowledged(person)]
        return [*steps, life.cancelled] if number % 9 == 0 else steps

    def _bury(self) -> None:
        gone = [life for life in self.living if life.incident.state in ENDED]
        self.ended += gone
        self.living = [life for life in self.living if life not in gone]

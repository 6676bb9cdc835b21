"""What must be so at a downstream once it is quiet: the right end, nothing twice, nothing left over, in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pipeline.models.remote import ENDED, STATES, RemoteState
from tests.sinks.conformance.life import Told
from tests.sinks.conformance.table import Downstream
from tests.sinks.conformance.town import Town
from tests.sinks.servers.base import Seen


def problems(town: Town, name: str, lives: Sequence[Told]) -> list[str]:
    """Everything that is wrong at one downstream, in words; empty where all is well."""
    downstream, seen = town.downstreams[name], town.seen(name)
    found = [each for told in lives for each in _of_one(town, downstream, told, seen.get(told.incident_id, []))]
    disorder = town.servers[name].disorder()
    return found + [f"{name} {incident}: out of order" for incident in disorder]


def _of_one(town: Town, downstream: Downstream, told: Told, seen: Sequence[Seen]) -> Iterator[str]:
    where = f"{downstream.name} {told.incident_id}"
    if downstream.publishes and not told.published:
        if seen:
            yield f"{where}: shown though nobody was told of it"
        return
    if not seen:
        yield f"{where}: is not there"
        return
    created = max(len(seen), *(each.created for each in seen))
    allowed = 1 + (told.reopened if downstream.created_per_reopening else 0)
    if created > allowed:
        yield f"{where}: made {created} times instead of {allowed} at most"
    wanted = _state(town, downstream, told)
    if seen[-1].state != wanted and not (downstream.ends_alike and {seen[-1].state, wanted} <= ENDED):
        yield f"{where}: is {seen[-1].state}, should be {wanted}"
    yield from (f"{where}: {each.id} is left {each.state}" for each in seen[:-1] if each.state not in ENDED)
    if downstream.calls:
        yield from _calls(where, told, [step for each in seen for step in each.steps])
    yield from _ledger(town, downstream, told)


def _state(town: Town, downstream: Downstream, told: Told) -> str:
    """The state as it is read there."""
    rules = downstream.rules(town.servers[downstream.name].url)
    return rules.canonical("state", STATES.get(told.state, RemoteState.OPEN))


def _calls(where: str, told: Told, steps: Sequence[str]) -> Iterator[str]:
    twice = [step for step, times in Counter(steps).items() if times > 1]
    if twice:
        yield f"{where}: called twice: {', '.join(twice)}"
    strange = set(steps) - set(told.calls)
    if strange:
        yield f"{where}: called without being asked: {', '.join(sorted(strange))}"
    if missing := [step for step in told.calls if step not in steps]:
        yield f"{where}: not called: {', '.join(missing)}"
    known = [step for step in dict.fromkeys(steps) if step in told.calls]
    if known != [step for step in told.calls if step in known]:
        yield f"{where}: called out of order"


def _ledger(town: Town, downstream: Downstream, told: Told) -> Iterator[str]:
    """Nothing that has ended is open in our own books."""
    for entry in town.ledger.values():
        if (entry["sink"], entry["incident_id"]) == (downstream.name, told.incident_id) and entry["orphan"]:
            yield f"{downstream.name} {told.incident_id}: an orphan in the ledger: {entry['reason']}"

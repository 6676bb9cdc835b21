"""An incident desk and drafts for tests of what people and time do to one incident."""

from __future__ import annotations

from typing import Any

from pipeline.core.clocks import sla
from pipeline.core.draft import Draft
from pipeline.core.escalation import calling
from pipeline.core.escalation.escalate import Escalator
from pipeline.core.escalation.oncall import OncallIndex
from pipeline.core.practice import deadlines
from pipeline.core.practice.desk import Desk
from pipeline.core.topology import Topology
from pipeline.models.incident import Incident
from pipeline.models.policy import Config
from tests.core.builders import SHOP, T0, config, policy


def desk(setup: Config | None = None, **fields: Any) -> Desk:
    """A desk; fields are those of the policy of domain ``shop``."""
    known = setup or config(domains={"shop": policy(**fields)})
    topology = Topology(known.catalogue)
    return Desk(known, topology, Escalator(topology, OncallIndex(known.catalogue, known.rotations)))


def logged(at: Desk, now_ms: int = T0, **fields: Any) -> Draft:
    """A draft of a logged P1 incident of the shop, its clocks set and its escalation begun."""
    given: dict[str, Any] = {
        "state": "logged",
        "priority": "P1",
        "domain": "shop",
        "service": SHOP,
        "owner": "shop-team",
        "detected_at_ms": now_ms,
        "logged_at_ms": now_ms,
    }
    draft = Draft(Incident(id="INC-1", space="production", **(given | fields)), now_ms)
    sla.set_clocks(at, draft)
    calling.begin(at, draft)
    return draft


def later(draft: Draft, now_ms: int) -> Draft:
    """The next draft of the same incident."""
    return Draft(draft.incident, now_ms)


def people(draft: Draft) -> list[str]:
    """Who was paged so far."""
    return [page.person for page in draft.incident.escalation.paged]


def run_until(at: Desk, draft: Draft, until_ms: int) -> list[str]:
    """Let time pass, deadline by deadline; the actions that it led to. A deadline that stays due is a failure."""
    done: list[str] = []
    for _ in range(100):
        due_ms = deadlines.deadline_ms(at, draft.incident)
        if due_ms is None or due_ms > until_ms:
            return done
        step = later(draft, due_ms)
        deadlines.on_deadline(at, step)
        done += [entry.action for entry in step.entries]
        after_ms = deadlines.deadline_ms(at, draft.incident)
        assert after_ms is None or after_ms > due_ms, "a deadline must not stay due"
    raise AssertionError("deadlines without end")

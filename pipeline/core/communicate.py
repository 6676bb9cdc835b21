"""Telling people: what a status page says of an incident."""

from __future__ import annotations

from pipeline.core.desk import MACHINE, Desk
from pipeline.core.draft import Draft
from pipeline.models.incident_parts import Communication


def tell(desk: Desk, draft: Draft, state: str, text: str) -> None:
    """Add a status-page update where the policy shows this priority, once for each state in a row.

    Once there is a bridge incident, it alone speaks for its members.
    """
    incident = draft.incident
    told = incident.communications
    policy = desk.policy(incident).communication
    shown = told or (incident.priority in policy.status_page and state != "resolved")
    if incident.bridge_id is not None or not shown or (told and told[-1].state == state):
        return
    told.append(Communication(at_ms=draft.now_ms, page=policy.page_name, state=state, text=text))
    draft.note("status_page", MACHINE, f"status page, {state}: {text}", state=state, page=policy.page_name)

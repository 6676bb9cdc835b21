"""Engagements: the owner of a suspect is brought in with the evidence, and let go when the suspect is cleared.

A suspect is cleared when another one is identified, when nothing about it fires for a while although the incident goes
on, or when a person says so. Then the next suspect's owner is engaged.
"""

from __future__ import annotations

from typing import Final

from pipeline.core.clustering.suspects import is_identified
from pipeline.core.clustering.tally import Tally
from pipeline.core.communication import communicate
from pipeline.core.draft import Draft
from pipeline.core.escalation.escalate import known
from pipeline.core.escalation.paging import page_all
from pipeline.core.escalation.routing import reroute
from pipeline.core.practice.desk import MACHINE, MINUTE_MS, Desk
from pipeline.core.practice.lifecycle import OPEN_STATES
from pipeline.models.escalation import ENGAGEMENTS_MAX, EscalationPath
from pipeline.models.incident import Incident, IncidentChange
from pipeline.models.incident_parts import Engagement, Page, Suspect

CLEARED_MAX: Final = 20
"""Suspects that people have cleared, the newest: an incident lists five at a time."""

ENGAGED: Final = "engaged"
ACKNOWLEDGED: Final = "acknowledged"
HANDED_BACK: Final = "handed_back"
"""States of an engagement."""

BY_SUSPECT: Final = "suspect"
BY_QUIET: Final = "quiet"
BY_PERSON: Final = "person"
BY_END: Final = "end"
"""Why an engagement ended: another suspect, quiet about this one, a person's word, the end of the incident."""


def suspected(incident: Incident, ranked: list[Suspect]) -> list[Suspect]:
    """Suspects without those that a person has cleared."""
    return [each for each in ranked if each.ref not in incident.cleared]


def mark_evident(incident: Incident, tally: Tally) -> None:
    """Mark which suspects are clear enough to be told: one more condition may make them so without another rank."""
    for suspect in incident.suspects:
        suspect.evident = is_identified(suspect, tally)


def identified(desk: Desk, draft: Draft, suspect: Suspect) -> None:
    """A suspect is identified: its kind decides the route, its owner is engaged, and those of others are let go."""
    because = f"{desk.topology.title(suspect.ref)} is suspected instead"
    engaged = engage(desk, draft, suspect)
    hand_back_others(desk, draft, suspect.ref, engaged, because)
    reroute(desk, draft)


def engage(desk: Desk, draft: Draft, suspect: Suspect) -> list[str]:
    """Bring in the on-call of a suspect, with the evidence. Answers who is engaged for it."""
    incident = draft.incident
    path = desk.escalator.path(desk.policy(incident), incident.priority)
    if path is None or not _may_engage(desk, draft, path, suspect):
        return []
    because = f"{desk.topology.title(suspect.ref)} is the probable cause"
    pages = desk.escalator.owners(incident, suspect.ref, draft.now_ms, because)
    called = []
    for page in pages:
        page.evidence = list(suspect.because)
        if known(page.person, incident):
            _inform(draft, page)
        else:
            called.append(page)
        incident.engaged.append(
            Engagement(
                ref=suspect.ref,
                person=page.person,
                rotation=page.rotation,
                since_ms=draft.now_ms,
                because=list(suspect.because),
                reopened=incident.reopened,
            )
        )
    page_all(desk, draft, called, f"suspect:{len(incident.engaged)}:{suspect.ref}")
    return [page.person for page in pages]


def hand_back_others(desk: Desk, draft: Draft, ref: str, stay: list[str], because: str) -> None:
    """Let those go who are engaged for anything but a reference; who stays on for that one is not told."""
    for each in _active(draft.incident):
        if each.ref != ref:
            _hand_back(desk, draft, each, BY_SUSPECT, because, told=each.person not in stay)


def clear_suspect(desk: Desk, draft: Draft, actor: str, ref: str, note: str | None) -> None:
    """A person says that a suspect is not the cause: it is not suspected again, and the next one's owner is engaged."""
    incident = draft.incident
    title = desk.topology.title(ref)
    told = incident.identified == ref
    incident.cleared.append(ref)
    del incident.cleared[:-CLEARED_MAX]
    incident.suspects = [each for each in incident.suspects if each.ref != ref]
    if told:
        incident.identified = None
    text = f"{actor} cleared {title}" + (f": {note}" if note else "")
    draft.note("clear_suspect", actor, text, IncidentChange.UPDATED, ref=ref)
    following = next((each for each in incident.suspects[:1] if each.evident), None)
    if told and following is None:
        communicate.tell(desk, draft, "investigating")
    because = f"{actor} cleared {title}"
    stay: list[str] = []
    if told and following is not None:
        incident.identified = following.ref
        draft.note(
            "identify",
            MACHINE,
            f"suspect {desk.topology.title(following.ref)}: {'; '.join(following.because)}",
            IncidentChange.IDENTIFIED,
            ref=following.ref,
            score=following.score,
            change_id=following.change_id,
        )
        stay = engage(desk, draft, following)
        reroute(desk, draft)
    for each in _active(incident):
        if each.ref == ref:
            _hand_back(desk, draft, each, BY_PERSON, because, told=each.person not in stay)


def watch_quiet(draft: Draft, tally: Tally) -> None:
    """Note since when nothing about an engaged suspect fires; what never fired cannot fall quiet."""
    for each in _active(draft.incident):
        about = tally.about.get(each.ref)
        if about is None or about.open:
            each.quiet_since_ms = None
        elif each.quiet_since_ms is None:
            each.quiet_since_ms = draft.now_ms


def quiet_at_ms(desk: Desk, incident: Incident) -> int | None:
    """When the owner of a suspect that is quiet is let go."""
    path = desk.escalator.path(desk.policy(incident), incident.priority)
    if path is None or incident.resolve_at_ms is not None:  # all is clear, and it is about to be resolved
        return None
    wait_ms = round(path.hand_back_minutes * MINUTE_MS)
    dues = [each.quiet_since_ms + wait_ms for each in _active(incident) if each.quiet_since_ms is not None]
    return min(dues, default=None)


def hand_back_quiet(desk: Desk, draft: Draft) -> None:
    """Let the owners of suspects go that have been quiet for long enough, and engage that of the next suspect."""
    incident = draft.incident
    path = desk.escalator.path(desk.policy(incident), incident.priority)
    if path is None:
        return
    before_ms = draft.now_ms - round(path.hand_back_minutes * MINUTE_MS)
    quiet = [each for each in _active(incident) if each.quiet_since_ms is not None and each.quiet_since_ms <= before_ms]
    if not quiet:
        return
    ruled_out = {each.ref for each in _of_this_life(incident) if each.ended_by in (None, BY_QUIET)}
    following = next((each for each in incident.suspects if each.evident and each.ref not in ruled_out), None)
    stay = engage(desk, draft, following) if following is not None else []
    for each in quiet:
        because = f"{desk.topology.title(each.ref)} is quiet and the incident goes on"
        _hand_back(desk, draft, each, BY_QUIET, because, told=each.person not in stay)


def heard_of(draft: Draft, actor: str) -> None:
    """Somebody has done something about the incident: who was engaged has taken it up."""
    for each in _active(draft.incident):
        if each.person == actor:
            each.state = ACKNOWLEDGED


def end_all(draft: Draft) -> None:
    """Service is restored, or the incident is over otherwise: its end tells everybody, so nobody is told apart."""
    for each in _active(draft.incident):
        each.state, each.ended_by, each.ended_ms, each.quiet_since_ms = HANDED_BACK, BY_END, draft.now_ms, None


def come_back(desk: Desk, draft: Draft) -> None:
    """It is back: nothing is cleared any more, and the owner of the probable cause is engaged again."""
    incident = draft.incident
    incident.cleared.clear()
    del incident.engaged[:-ENGAGEMENTS_MAX]
    suspect = next((each for each in incident.suspects if each.ref == incident.identified), None)
    if suspect is not None and incident.state in OPEN_STATES:
        engage(desk, draft, suspect)


def _active(incident: Incident) -> list[Engagement]:
    return [each for each in incident.engaged if each.ended_ms is None]


def _of_this_life(incident: Incident) -> list[Engagement]:
    """Those since the incident was opened, or reopened last."""
    return [each for each in incident.engaged if each.reopened == incident.reopened]


def _may_engage(desk: Desk, draft: Draft, path: EscalationPath, suspect: Suspect) -> bool:
    """Whether the owner of a suspect may be engaged; where not, the record says why."""
    incident = draft.incident
    if any(each.ref == suspect.ref for each in _active(incident)):
        return False
    title = desk.topology.title(suspect.ref)
    hops = desk.escalator.within(incident, suspect.ref, path.hops_max)
    because = None
    if hops is not None:
        because = f"{hops} hops away, and the policy goes {path.hops_max}"
    elif (engaged := len(_of_this_life(incident))) >= min(path.engagements_max, ENGAGEMENTS_MAX):
        because = f"{engaged} were engaged already, as many as the policy allows"
    if because is not None:
        draft.note("not_engaged", MACHINE, f"nobody is engaged for {title}: {because}", ref=suspect.ref)
    return because is None


def _inform(draft: Draft, page: Page) -> None:
    runbook = f"; runbook {page.runbook}" if page.runbook else ""
    text = f"told {page.person}: {page.because}{runbook}"
    draft.note("inform", MACHINE, text, person=page.person, evidence=page.evidence)


def _hand_back(desk: Desk, draft: Draft, engagement: Engagement, by: str, because: str, *, told: bool) -> None:
    engagement.state, engagement.ended_ms, engagement.ended_by = HANDED_BACK, draft.now_ms, by
    engagement.quiet_since_ms = None
    if told:
        title = desk.topology.title(engagement.ref)
        text = f"handed back from {engagement.person} ({title}): {because}"
        draft.note("hand_back", MACHINE, text, IncidentChange.UPDATED, person=engagement.person, ref=engagement.ref)

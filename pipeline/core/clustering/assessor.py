"""Assessment of an incident from its members: what is broken, who is affected, how urgent, what is suspected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Final

from pipeline.core.clocks import sla
from pipeline.core.clustering.changes import Recent
from pipeline.core.clustering.habits import chronic_words
from pipeline.core.clustering.recalled import UNLISTED, labels_kept
from pipeline.core.clustering.suspects import rank_suspects
from pipeline.core.clustering.tally import Tally
from pipeline.core.communication import communicate
from pipeline.core.draft import Draft
from pipeline.core.escalation import calling, engaging
from pipeline.core.practice import response
from pipeline.core.practice.desk import MACHINE, POLICIES_REMEMBERED_MAX, Desk
from pipeline.core.practice.impacts import Impact, total
from pipeline.core.practice.lifecycle import Step
from pipeline.core.practice.majors import corrected_facts, corrected_impacts, links_told
from pipeline.core.practice.prioritise import Categories, Facts, affected_words, assess, gather, plain
from pipeline.core.terms import terms_of
from pipeline.core.topology import Topology
from pipeline.models.alert import Alert
from pipeline.models.episode import EpisodeEvent
from pipeline.models.incident import NAMED_MAX, Incident, IncidentChange, IncidentState
from pipeline.models.incident_parts import Suspect, TicketLink
from pipeline.models.member import Member
from pipeline.models.policy import DEFAULT_DOMAIN, DomainPolicy
from pipeline.models.summary import Summary

TITLE_CHARACTERS_MAX: Final = 160
"""What ticketing systems and status pages show without cutting."""

SERVICE_LABELS: Final = ("service", "app", "application", "component")
"""Labels by which sources commonly say what an alert is about."""


@dataclass(frozen=True, slots=True)
class Assessor:
    """Keeps an incident's derived fields true."""

    desk: Desk
    topology: Topology
    _categories: dict[str, Categories] = field(default_factory=dict, repr=False, compare=False)

    def categories_of(self, domain: str | None) -> Categories:
        """The categories of the policy pack of a domain in force."""
        known = self._categories.get(domain or "")
        if known is None:
            known = Categories(self.desk.policy_of(domain))
            if len(self._categories) < POLICIES_REMEMBERED_MAX:
                self._categories[domain or ""] = known
        return known

    def member(self, event: EpisodeEvent) -> Member:
        """The member that an episode would be."""
        alert = event.alert
        entity = self.topology.entities.get(alert.entity) if alert.entity else None
        text = plain(alert.name, alert.summary, alert.description)
        layer, hosting = (entity.infrastructure_layer, entity.hosting_model) if entity else (None, None)
        return Member(
            episode_id=event.episode_id,
            alert_key=event.alert_key,
            incident_id="",
            feed=alert.feed,
            feed_class=alert.feed_class,
            summary=alert.summary or alert.name,
            severity=alert.severity,
            opened_at_ms=event.at_ms,
            event_at_ms=alert.event_at_ms if alert.event_at_ms is not None else event.at_ms,
            entity=self.topology.name(alert.entity) or unlisted(alert),
            service=self.topology.name(alert.service),
            host=alert.host,
            domain=alert.domain,
            category=self.categories_of(alert.domain).of(text, alert.labels, layer, alert.feed, hosting),
            ticket=alert.ticket,
            reporter=alert.reporter,
            users_affected=alert.users_affected,
            mentions=list(alert.mentions),
            terms=terms_of(alert.summary, alert.description),
            name=alert.name,
            labels=labels_kept(alert.labels),
        )

    def ticket(self, episode: Member) -> TicketLink:
        """The link to the service-desk ticket behind an episode."""
        return TicketLink(
            id=episode.ticket or "",
            feed=episode.feed,
            state="open" if episode.resolved_at_ms is None else "resolved",
            summary=episode.summary,
            episode_id=episode.episode_id,
        )

    def log(self, draft: Draft, first: Member, tally: Tally, recent: Recent, title: str | None = None) -> None:
        """Log a new incident: what is broken, who is affected, the symptoms; then call people and start clocks.

        ``title``: what it is called; None: as its first episode says.
        """
        incident = draft.incident
        about = first.service or first.entity
        entity = self.topology.entities.get(about) if about else None
        incident.domain = first.domain or DEFAULT_DOMAIN
        self.desk.adopt(incident)
        policy = self.desk.policy(incident)
        incident.service = about
        incident.owner = entity.owner if entity else None
        what = self.topology.title(about) if about else first.host or first.feed
        incident.title = (title or f"{what}: {first.summary}")[:TITLE_CHARACTERS_MAX]
        self._derive(draft, tally, recent, policy)
        if self.desk.step(draft, Step.LOG, MACHINE, f"logged as {incident.priority}: {incident.title}"):
            incident.logged_at_ms = draft.now_ms
        draft.note("affected", MACHINE, incident.who_is_affected, users=incident.users_affected)
        draft.note("priority", MACHINE, "; ".join(incident.priority_because), priority=incident.priority)
        incident.escalation.since_ms = draft.now_ms
        calling.begin(self.desk, draft)
        communicate.tell(self.desk, draft, "investigating")
        self._identify(draft, tally)

    def assess(self, draft: Draft, tally: Tally, recent: Recent, *, anew: bool = False) -> None:
        """Bring a known incident up to date after its members changed.

        ``anew`` lets its priority fall as well, because it goes by another pack now.
        """
        incident = draft.incident
        before, users = incident.priority, incident.users_affected
        self._derive(draft, tally, recent, self.desk.policy(incident), anew=anew)
        if incident.users_affected > users:
            draft.note("affected", MACHINE, incident.who_is_affected, users=incident.users_affected)
        if incident.priority != before:
            because = "; ".join(incident.priority_because)
            text = f"priority {before} -> {incident.priority}: {because}"
            draft.note("priority", MACHINE, text, IncidentChange.UPDATED, priority=incident.priority)
            sla.set_clocks(self.desk, draft)
            if calling.priority_changed(self.desk, draft, before):
                response.forget_workaround(draft)
        if incident.state != IncidentState.RESOLVED:
            self._identify(draft, tally)
            engaging.watch_quiet(draft, tally)

    def _derive(self, draft: Draft, tally: Tally, recent: Recent, policy: DomainPolicy, *, anew: bool = False) -> None:
        incident = draft.incident
        gathered = gather(tally, policy)
        facts = corrected_facts(incident, gathered)
        incident.entities, incident.entities_total = named(tally.about), len(tally.about)
        incident.services, incident.services_total = named(tally.services), len(tally.services)
        incident.symptoms = list(tally.symptoms)
        if gathered is not tally.applied:
            tally.applied = gathered
            self._apply(incident, facts)
        if tally.ranked_for != (tally.about_version, recent.version):
            incident.suspects = engaging.suspected(incident, rank_suspects(tally, recent.by_target))
            tally.ranked_for = (tally.about_version, recent.version)
        engaging.mark_evident(incident, tally)
        incident.category, incident.categories = _categories(incident, tally)
        about = incident.suspects[0].ref if incident.suspects else incident.service
        entity = self.topology.entities.get(about) if about else None
        if entity is not None:
            incident.infrastructure_layer, incident.hosting_model = entity.infrastructure_layer, entity.hosting_model
        incident.runbook = self.desk.escalator.runbook(incident, about)
        if not incident.runbook and incident.service != about:
            incident.runbook = self.desk.escalator.runbook(incident, incident.service)
        chronic = f"chronic, {chronic_words(incident.chronic)}" if incident.chronic is not None else None
        assessment = assess(facts, policy, draft.now_ms, chronic)
        incident.urgency, incident.impact = assessment.urgency, assessment.impact
        if incident.priority_by is not None:
            return
        # Priorities only rise by themselves; lowering one is a person's decision.
        may_fall = anew or incident.logged_at_ms is None
        if may_fall or policy.rank(assessment.priority) <= policy.rank(incident.priority):
            incident.priority, incident.priority_because = assessment.priority, assessment.because

    def _apply(self, incident: Incident, facts: Facts) -> None:
        incident.severity = facts.severity
        corrected = incident.corrected is not None
        incident.users_affected = max(0 if corrected else incident.users_affected, facts.users)
        incident.revenue_per_minute = max(0.0 if corrected else incident.revenue_per_minute, facts.revenue_per_minute)
        incident.sites = facts.sites[:NAMED_MAX]
        incident.reporters = facts.reporters
        incident.regulatory = facts.regulatory
        incident.who_is_affected = affected_words(facts, self.topology)

    def _identify(self, draft: Draft, tally: Tally) -> None:
        """Tell the first suspect that is clear, and engage its owner with the evidence."""
        incident = draft.incident
        if not incident.suspects or incident.suspects[0].ref == incident.identified:
            return
        suspect = incident.suspects[0]
        if not suspect.evident:
            return
        incident.identified = suspect.ref
        title = self.topology.title(suspect.ref)
        because = "; ".join(suspect.because)
        draft.note(
            "identify",
            MACHINE,
            f"suspect {title}: {because}",
            IncidentChange.IDENTIFIED,
            ref=suspect.ref,
            score=suspect.score,
            change_id=suspect.change_id,
        )
        communicate.tell(self.desk, draft, "identified")
        engaging.identified(self.desk, draft, suspect)

    def summary(self, draft: Draft, tally: Tally) -> Summary:
        """What the bridge goes by of the incident; which revision it is and when, is for the caller to add."""
        incident = draft.incident
        facts = gather(tally, self.desk.policy(incident))
        cause = _cause(incident)
        return Summary(
            incident_id=incident.id,
            space=incident.space,
            domain=incident.domain,
            state=incident.state,
            title=incident.title,
            priority=incident.priority,
            service=incident.service,
            owner=incident.owner,
            entities=incident.entities,
            services=incident.services,
            depends=named(tally.depends),
            suspects=[suspect.ref for suspect in incident.suspects[:1]],
            identified=incident.identified,
            regulatory=incident.regulatory,
            impacts=corrected_impacts(summed(facts, incident.id), incident),
            tickets=len(incident.tickets),
            merged_into=incident.merged_into,
            sites=incident.sites,
            reporters=incident.reporters,
            fires=not tally.all_clear(),
            links=links_told(incident) if incident.links or incident.tickets else [],
            declared=None if incident.declared is None else asdict(incident.declared),
            corrected_at_ms=None if incident.corrected is None else incident.corrected.at_ms,
            actions=[asdict(each) for each in incident.corrective_actions],
            cause=cause.ref if cause else None,
            category=incident.category,
            change_id=cause.change_id if cause else None,
            opened_at_ms=incident.opened_at_ms,
            resolved_at_ms=incident.resolved_at_ms,
            bridge_id=incident.bridge_id,
            stated_cause=(incident.resolution or {}).get("cause"),
            review_due=incident.problem_review.due_date if incident.problem_review else None,
        )


def _cause(incident: Incident) -> Suspect | None:
    """The suspect that was told to people, else the first."""
    told = (each for each in incident.suspects if each.ref == incident.identified)
    return next(told, None) or next(iter(incident.suspects), None)


def named(refs: Iterable[str]) -> list[str]:
    """What of names goes on the record: those that came first, at most `NAMED_MAX`."""
    return list(islice(refs, NAMED_MAX))


def summed(facts: Facts, incident_id: str) -> dict[str, Impact]:
    """Impacts for the bridge, at most `NAMED_MAX`: the first ones, and one that makes the sum that of all."""
    if len(facts.impacts) <= NAMED_MAX:
        return facts.impacts
    first = dict(islice(facts.impacts.items(), NAMED_MAX - 1))
    users, revenue = total(first.values())
    rest = f"{incident_id}/others"
    more = max(0, facts.users - users), max(0.0, round(facts.revenue_per_minute - revenue, 2))
    first[rest] = (rest, *more, rest)
    return first


def unlisted(alert: Alert) -> str | None:
    """A name for what the catalogue does not list: the service or the host that the source says, or None.

    It stands for itself in every comparison, so that alerts about one thing meet without a catalogue too.
    """
    for label in SERVICE_LABELS:
        if name := alert.labels.get(label):
            return f"{UNLISTED}service/{name.lower()}"
    return f"{UNLISTED}host/{alert.host.lower()}" if alert.host else None


def _categories(incident: Incident, tally: Tally) -> tuple[str | None, list[str]]:
    """The category of what is suspected, else the first; and all of them, that one first."""
    found = list(tally.categories)
    own = tally.about.get(incident.suspects[0].ref) if incident.suspects else None
    category = (own.category if own else None) or (found[0] if found else None)
    return category, list(dict.fromkeys([category, *found] if category else found))

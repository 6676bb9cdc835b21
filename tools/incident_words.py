"""The fields of an incident in words, for the documentation. A test fails when one is missing or too many."""

from __future__ import annotations

from typing import Final

from pipeline.models.incident import Incident
from pipeline.models.incident_clock import Clock
from pipeline.models.incident_parts import (
    Communication,
    Escalation,
    Page,
    ProblemReview,
    Suspect,
    TicketLink,
    TimelineEntry,
)

SNAPSHOT: Final[dict[str, str]] = {
    "schema": "Version of this layout. Refuse one that you do not know.",
    "id": "`INC-` or `MI-` (bridge incident) and 12 letters or digits. A hash of content, so a replay gives the same.",
    "kind": "`incident`, or `bridge`: the record of a Major Incident that links its members.",
    "space": "Correlation space: only what shares it may meet. By default the environment, such as `production`.",
    "state": "`detected`, `logged`, `acknowledged`, `in_progress`, `resolved`, `closed` or `merged`;"
    " see [lifecycle](lifecycle.md).",
    "revision": "Counts from 1. Each event is one revision, without gaps.",
    "title": "One line: the service and the leading symptom.",
    "priority": "`P1` (highest) to `P4`.",
    "priority_by": "Who fixed the priority by hand; null while the domain's matrix decides it.",
    "priority_because": "Why this priority, as sentences.",
    "urgency": "The level that the domain's rules gave, in the domain's own word.",
    "impact": "The same for impact.",
    "category": "The incident's category in its domain; null where none fits.",
    "categories": "Categories of all its episodes, the incident's own first.",
    "domain": "Service domain, whose policy pack rules it.",
    "policy_version": "`version` of that policy pack.",
    "config_version": "Hash of the configuration directory that it was opened under.",
    "service": "Catalogue reference of the service that it is about; null where none was found.",
    "owner": "Owner of that service by the catalogue.",
    "infrastructure_layer": "Layer of what is broken, from the catalogue: application, database, network and so on.",
    "hosting_model": "`cloud`, `on_prem`, `hybrid` or `saas`, from the catalogue.",
    "runbook": "Address of the runbook for this service and category.",
    "severity": "The worst severity that its sources report.",
    "services": "Affected services, as catalogue references. Of more than 200 those that were hit first.",
    "services_total": "How many services are affected.",
    "entities": "Catalogue entities that its episodes are about. Of more than 200 those that were hit first.",
    "entities_total": "How many entities its episodes are about. Of a bridge incident: of those that its members name.",
    "symptoms": "What was reported, in the words of the sources. The first ten different ones.",
    "who_is_affected": "One sentence for people.",
    "users_affected": "Estimated people affected. Users of one system are counted once.",
    "reporters": "Different people who reported it.",
    "revenue_per_minute": "Money a minute at stake, by the catalogue, in the catalogue's currency.",
    "regulatory": "Regulatory tags of the affected services, such as `pci-dss`.",
    "suspects": "Probable causes, the likeliest first.",
    "identified": "Reference of the probable cause, once one stands out; null before.",
    "opened_at_ms": "When it was opened.",
    "detected_at_ms": "When its first symptom arrived.",
    "logged_at_ms": "When it had its category, priority and owner.",
    "acknowledged_at_ms": "When a person took it.",
    "resolve_at_ms": "When it will count as resolved, if it stays quiet; null while something fires.",
    "resolved_at_ms": "When service was restored.",
    "closed_at_ms": "When it was closed.",
    "updated_at_ms": "When this revision was made.",
    "news_at_ms": "When an episode last joined or changed. The correlation window counts from here.",
    "assignee": "Person or team that has it.",
    "tickets": "Service-desk tickets of the incident.",
    "links": "Records elsewhere (provider cases, vendor tickets, chats): `kind`, `id`, `url`, `state`.",
    "episodes_open": "Episodes that still fire.",
    "episodes_total": "Episodes that ever joined.",
    "alerts_total": "Alerts that were decided into it. Their repeats are not counted.",
    "bridge_id": "Bridge incident that it belongs to.",
    "members": "Ids of member incidents; bridge incidents only.",
    "absorbed": "Ids of the incidents that were merged into it, the newest 100. To acknowledge, assign or link one of "
    "those, or to put a note on it, does so here.",
    "merged_into": "The incident that took its members in, where `state` is `merged`.",
    "clocks": "Service level clocks by name: `response`, `update` and `resolution`; see [clocks](clocks.md).",
    "escalation": "Where it is on its escalation path, and who was called.",
    "communications": "Updates for status pages, oldest first.",
    "resolution": "How it ended: `code`, `summary`, `cause`, `corrective_action`, `by`.",
    "problem_review": "The review that is owed for the underlying problem.",
    "reopened": "How often it was reopened.",
    "chronic": "Why it has the lowest urgency, or null: `alert_key`, `severity` and first `episode_id` of its "
    "condition, in how many `incidents` on how many `days` that was lately, and how many of those `mattered`. "
    "See [alert fatigue](alert-fatigue.md).",
    "commands": "Ids of the newest commands applied, so that a repeated one changes nothing.",
}

PARTS: Final[tuple[tuple[str, type, dict[str, str]], ...]] = (
    (
        "`suspects[]`",
        Suspect,
        {
            "ref": "Catalogue reference.",
            "score": "Relative weight. Compare it within one incident only.",
            "because": "Why, as sentences.",
            "change_id": "The change on it that is suspected, if one is.",
        },
    ),
    (
        "`tickets[]`",
        TicketLink,
        {
            "id": "The desk's own number.",
            "feed": "Feed that brought it.",
            "state": "The state that it should be in.",
            "summary": "Its subject.",
            "episode_id": "Its episode here.",
        },
    ),
    (
        "`clocks.response`, `clocks.update`, `clocks.resolution`",
        Clock,
        {
            "due_at_ms": "When the target will be used up, by its calendar; null while the clock is paused or stopped.",
            "warn_at_ms": "When the next warning goes out; null when none is left, or while the clock does not run.",
            "met_at_ms": "When it was met; null again when that did not last.",
            "breached_at_ms": "When it was missed.",
            "started_at_ms": "What it counts from: detection; for updates the last one.",
            "target_ms": "Working time that it allows.",
            "elapsed_ms": "Working time used until `running_since_ms`, or altogether while it does not run.",
            "running_since_ms": "Until when used time has been counted; null while it does not run.",
            "held_since_ms": "Since when it is paused, or since when somebody waits though it runs.",
            "held_for": "Whom somebody waits for meanwhile, such as `vendor CASE-12`.",
            "paused_ms": "Real time for which it was paused, without the pause that is on.",
            "warned": "Warnings that have gone out of its target.",
            "missed": "Earlier periods of the update clock that were missed.",
            "priority": "The priority whose target it has.",
            "calendar": "The calendar that it counts on.",
            "because": "What has cost time, as sentences; of a missed target why.",
        },
    ),
    (
        "`escalation`",
        Escalation,
        {
            "level": "Index of the next level to fire.",
            "started_at_ms": "What the waits of the path count from.",
            "since_ms": "When it was opened or last reopened: who was called before may be called again.",
            "next_at_ms": "When the next level fires; null when escalation has stopped.",
            "paged": "Calls, oldest first.",
        },
    ),
    (
        "`escalation.paged[]`",
        Page,
        {
            "at_ms": "When.",
            "person": "Who.",
            "rotation": "On-call rotation that named the person.",
            "service": "Service for which.",
            "target": "Target of the escalation level: `oncall`, `dependency`, `owner` and so on.",
            "runbook": "Address of the runbook that was given.",
            "because": "Why.",
        },
    ),
    (
        "`communications[]`",
        Communication,
        {
            "at_ms": "When.",
            "page": "Which status page.",
            "state": "`investigating`, `identified` or `resolved`.",
            "text": "The text.",
        },
    ),
    (
        "`problem_review`",
        ProblemReview,
        {"due_date": "Date, local to the domain.", "because": "Why it is owed."},
    ),
    (
        "`entries[]` of the event",
        TimelineEntry,
        {
            "at_ms": "When.",
            "action": "One word: `detect`, `log`, `join`, `priority`, `page`, `suspect`, `resolve` and so on.",
            "actor": "A person, a system, or `spillway`.",
            "text": "The same in words.",
            "facts": "The same for machines. Its fields depend on the action.",
        },
    ),
)

WHOLE: Final = ("the snapshot", Incident, SNAPSHOT)

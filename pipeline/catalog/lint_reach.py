"""Rules about services, people and names: who answers for what, and what alerts find."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipeline.catalog.annotations import PREFIX
from pipeline.catalog.lint_context import Context, Finding
from pipeline.catalog.problems import Place
from pipeline.catalog.references import short
from pipeline.core.alerts.enrich import PHRASE_WORDS_MAX, TERM_CHARS_MIN
from pipeline.core.alerts.recurrence import Recurrence
from pipeline.core.names import identifying_labels, phrase_of, terms_of
from pipeline.models.maintenance import MaintenanceWindow
from pipeline.models.policy import DEFAULT_DOMAIN

_ALIASES: Final = PREFIX + "aliases"
_ONCALL: Final = PREFIX + "oncall"
_OWNER: Final = "owner"
_SECONDARY: Final = "oncall-secondary"

LOOKED_AHEAD_MS: Final = 28 * 24 * 60 * 60 * 1_000
"""Four weeks: every day of the week and of most rules is in them."""

WINDOW_SHARE_MAX: Final = 0.25
"""Share of the time over which a window is no maintenance any more: nobody works for a quarter of each day."""

COMMON_WORDS: Final = frozenset(
    """
    access account action active admin agent alarm alert alerts all app application applications apps area backend
    backup batch build business change check client cloud cluster code component config connection console container
    core cpu critical customer customers cluster dashboard data database db default deployment desk dev device disk dns
    docker document documents down email error errors event events example external failed failure file files frontend
    gateway group health help high home host hosts http https id incident info infra instance integration internal
    internet issue issues job jobs latency link live load log login logs low main management memory message messages
    metric metrics mobile monitor monitoring name network new node nodes office old online open order page pages
    performance phone platform pod portal prod production problem process project proxy public queue report reports
    request requests response root rule security server servers service services session shared site slow software
    source staging start status stop storage store support system systems task team test tests ticket tickets time
    timeout tool tools traffic update url user users version volume warning web website worker workers
    """.split()
)
"""Words that stand in alerts and tickets about anything. Judged by hand; what a company calls so it may silence."""


def check_reach(context: Context) -> Iterator[Finding]:
    """Every rule about the catalogue and who is on call."""
    yield from _owners(context)
    yield from _rotations(context)
    yield from _unused(context)
    yield from _names(context)
    yield from _aliases(context)
    yield from _windows(context)


def _owners(context: Context) -> Iterator[Finding]:
    uncovered: dict[str, list[str]] = {}
    groups = context.config.catalogue.groups
    for service in context.services:
        if service.owner is None:
            message = f"'{service.name}' has no owner: nobody answers for it"
            yield Finding("service-without-owner", context.place(service.ref), message)
        if not context.config.rotations or context.oncall.rotation_of(service.ref) is not None:
            continue
        if service.owner in groups:  # told at the group, once for all of its services
            uncovered.setdefault(service.owner or "", []).append(service.name)
            continue
        message = f"no rotation covers '{service.name}': give it one, or an owner that has one"
        yield Finding("service-without-rotation", context.place(service.ref, _OWNER), message)
    for ref in context.opened.descriptors:
        if ref.startswith("group:") and (services := uncovered.get(short(ref))):
            names = ", ".join(services[:5]) + (f" and {len(services) - 5} more" if len(services) > 5 else "")
            message = f"group '{short(ref)}' has no {_ONCALL}, and no rotation covers its {names}"
            yield Finding("owner-without-rotation", context.place(ref), message)


def _rotations(context: Context) -> Iterator[Finding]:
    catalogue = context.config.catalogue
    named = {entity.oncall for entity in catalogue.entities.values()}
    named |= {group.oncall for group in catalogue.groups.values()}
    secondary = False
    for policy in context.config.domains.values() or (context.config.policy(None),):
        targets = {target for path in policy.escalation for target in path.targets}
        secondary = secondary or _SECONDARY in targets
        named |= targets
    for name, rotation in sorted(context.config.rotations.items()):
        source = context.opened.packs.sources["rotation", name]
        if not rotation.services and name not in named:
            message = f"rotation '{name}' covers nothing: list services, name it in an {_ONCALL} or an escalation path"
            yield Finding("unused-rotation", source.at(), message)
        elif secondary and len(rotation.people) == 1 and rotation.escalate_to is None:
            message = f"'{rotation.people[0]}' is alone in rotation '{name}': {_SECONDARY} calls nobody else"
            yield Finding("rotation-of-one", source.at("people"), message)


def _unused(context: Context) -> Iterator[Finding]:
    descriptors = context.opened.descriptors
    config = context.config
    entities = config.catalogue.entities.values()
    owners = {entity.owner for entity in entities} | {window.owner for window in config.maintenance}
    owners |= {
        (written.text.partition(":")[2] or written.text).lower()
        for each in descriptors.values()
        if each.kind == "domain" and (written := each.one.get(_OWNER)) is not None
    }
    domains = {entity.domain for entity in entities}
    for ref, each in sorted(descriptors.items()):
        if each.kind == "group" and short(ref) not in owners:
            yield Finding("unused-group", each.place, f"group '{short(ref)}' owns nothing")
        if each.kind == "domain" and short(ref) not in config.domains and short(ref) in domains:
            message = (
                f"domain '{short(ref)}' has no policy pack: it works by the default; write domains/{short(ref)}.yaml"
            )
            yield Finding("domain-without-pack", each.place, message)
    for name in sorted(config.domains):
        if name not in domains and name != DEFAULT_DOMAIN:
            place = context.opened.packs.sources["domain", name].at()
            yield Finding("unused-domain", place, f"nothing in the catalogue belongs to domain '{name}'")


def _names(context: Context) -> Iterator[Finding]:
    catalogue = context.config.catalogue
    terms = terms_of(catalogue)
    found = {term.ref for term in terms.values()} | set(identifying_labels(catalogue).values())
    linked = any(entity.depends_on for entity in catalogue.entities.values())
    for service in context.services:
        if service.ref not in found:
            other = terms.get(phrase_of(service.name))
            taken = f"; '{service.name}' means {other.ref}" if other else ""
            message = f"no alert can find '{service.name}' by a name, alias, host or label of its own{taken}"
            yield Finding("unreachable-service", context.place(service.ref), message)
        if linked and not service.depends_on and not context.topology.dependents(service.ref):
            message = (
                f"'{service.name}' needs nothing and nothing needs it: write dependsOn, or its failures stay alone"
            )
            yield Finding("isolated-service", context.place(service.ref), message)


def _aliases(context: Context) -> Iterator[Finding]:
    for ref, entity in sorted(context.config.catalogue.entities.items()):
        for alias in entity.aliases:
            phrase = phrase_of(alias)
            place = context.place(ref, _ALIASES)
            if phrase in COMMON_WORDS:
                message = f"alias '{alias}' is a common word: texts about other things hold it too"
                yield Finding("common-alias", place, message)
            elif len(phrase) < TERM_CHARS_MIN or phrase.isdigit() or phrase.count(" ") >= PHRASE_WORDS_MAX:
                message = f"alias '{alias}' is not looked for in texts: a lone letter, a number, or too many words"
                yield Finding("unspoken-alias", place, message)


def _windows(context: Context) -> Iterator[Finding]:
    for window in context.config.maintenance:
        place = context.opened.packs.sources["window", window.name].at()
        if window.recurs:
            yield from _recurring(window, place, context.now_ms)
        elif window.end is not None and window.end.timestamp() * 1_000 <= context.now_ms:
            yield Finding(
                "window-past", place, f"maintenance '{window.name}' is over since {window.end:%Y-%m-%d %H:%M %Z}"
            )


def _recurring(window: MaintenanceWindow, place: Place, now_ms: int) -> Iterator[Finding]:
    """A window that comes no more, and one that is on for so long that what it covers is hardly watched."""
    recurs = Recurrence(window)
    around = recurs.around(now_ms)
    if not around or around[-1].end_ms <= now_ms:
        yield Finding("window-past", place, f"maintenance '{window.name}' comes no more")
        return
    coming = recurs.between(now_ms, now_ms + LOOKED_AHEAD_MS)
    share = sum(each.end_ms - each.start_ms for each in coming) / LOOKED_AHEAD_MS
    if share > WINDOW_SHARE_MAX:
        hidden = f"{share:.0%} of the next four weeks"
        yield Finding("window-wide", place, f"maintenance '{window.name}' hides what it covers in {hidden}")

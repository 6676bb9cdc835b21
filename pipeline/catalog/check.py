"""What must hold between files: every name that one file uses is one that another defines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from pipeline.catalog.annotations import PREFIX, RUNBOOK, RUNBOOK_DEFAULT
from pipeline.catalog.check_calendars import check_timezone
from pipeline.catalog.check_console import check_console
from pipeline.catalog.check_escalation import check_escalation
from pipeline.catalog.check_inhibition import check_inhibition
from pipeline.catalog.check_known_errors import check_known_errors
from pipeline.catalog.check_matching import check_matching
from pipeline.catalog.check_moments import check_span
from pipeline.catalog.check_policy import check_policy
from pipeline.catalog.check_privacy import check_privacy
from pipeline.catalog.check_rules import check_rules
from pipeline.catalog.check_sinks import check_sinks
from pipeline.catalog.descriptors import Descriptor
from pipeline.catalog.link import cycles
from pipeline.catalog.oncall import check_rotation
from pipeline.catalog.packs import Packs, Source
from pipeline.catalog.problems import Findings, Place, suggestion
from pipeline.catalog.references import ENTITY_KINDS, NAMESPACE_DEFAULT, full, parse_reference, short
from pipeline.catalog.validate import validated
from pipeline.core.alerts.enrich import Enricher
from pipeline.core.alerts.recurrence import Recurrence, RecurrenceError
from pipeline.feeds import ADAPTERS, packaged_adapters
from pipeline.feeds.packages import ADAPTER_NAME
from pipeline.models.alert import SEVERITY_RANK, Severity
from pipeline.models.catalog import Catalogue
from pipeline.models.fatigue import LEARNED
from pipeline.models.feed import Adapter
from pipeline.models.maintenance import MaintenanceWindow
from pipeline.models.oncall import Rotation
from pipeline.models.policy import DEFAULT_DOMAIN, Config, DomainPolicy, Feed

_FEED_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")  # part of a Kafka topic name
_HOST_LABELS: Final = ("host", "hostname", "instance", "node")  # labels whose values name a machine


def check_all(
    packs: Packs,
    catalogue: Catalogue,
    descriptors: Mapping[str, Descriptor],
    adapters: Mapping[str, Adapter] | None,
    findings: Findings,
) -> None:
    """Every rule that needs more than one file.

    Args:
        packs: all files beside the catalogue.
        catalogue: resolved.
        descriptors: by reference, for the lines.
        adapters: those that exist; None leaves adapters and their options in feeds.yaml unchecked.
        findings: takes what is wrong.
    """
    for name, policy in packs.domains.items():
        check_policy(policy, packs.sources["domain", name], packs, findings)
        check_escalation(policy, packs.sources["domain", name], packs, catalogue.groups, findings)
    _check_entities(packs, catalogue, descriptors, findings)
    _check_aliases(catalogue, descriptors, findings)
    for circle in cycles(catalogue):
        place = descriptors[circle[0]].place
        findings.warning(place, f"dependencies run in a circle: {' -> '.join(circle)}", "dependency-circle")
    _check_rotations(packs, catalogue, findings)
    _check_adapters(packs, adapters or {}, findings)
    _check_feeds(packs, adapters, catalogue, findings)
    short_names = {short(each) for each in catalogue.entities}
    check_sinks(packs, descriptors, short_names, lambda name: bool(resolve_name(name, catalogue)), findings)
    _check_maintenance(packs, catalogue, findings)
    check_console(
        packs, {*packs.domains, *(each.domain for each in catalogue.entities.values() if each.domain)}, findings
    )
    feeds = None if adapters is None else {*adapters, *packs.names("feed"), *packs.names("adapter")}
    check_privacy(packs, feeds, findings)
    if packs.matching:
        names = _every_name(catalogue)
        check_matching(
            packs, feeds, lambda name: name.lower() in names or bool(resolve_name(name, catalogue)), findings
        )
    if packs.correlation.rules or packs.correlation.inhibit or packs.known_errors:
        resolve = Enricher(Config(catalogue=catalogue)).resolve
        check_rules(packs, feeds, resolve, findings)
        check_inhibition(packs, feeds, resolve, findings)
        check_known_errors(packs, resolve, findings)


def with_references(rotation: Rotation, catalogue: Catalogue) -> Rotation:
    """The rotation with each service as its full reference, so that nobody else has to resolve names."""
    refs = (resolve_name(service, catalogue) for service in rotation.services)
    return rotation.model_copy(update={"services": tuple(dict.fromkeys(ref for ref in refs if ref))})


def resolve_name(text: str, catalogue: Catalogue) -> str | None:
    """Reference of the entity that a name or reference means; a Component goes before a Resource."""
    parts = parse_reference(text)
    if parts is None:
        return None
    namespace = parts.namespace or NAMESPACE_DEFAULT
    kinds = (parts.kind,) if parts.kind else ENTITY_KINDS
    tried = (full(kind, namespace, parts.name) for kind in kinds)
    return next((ref for ref in tried if ref in catalogue.entities), None)


def _check_entities(
    packs: Packs, catalogue: Catalogue, descriptors: Mapping[str, Descriptor], findings: Findings
) -> None:
    """Rotations and runbook categories that annotations name. A catalogue alone names rotations that come later."""
    rotations = packs.names("rotation")
    for ref, each in sorted(descriptors.items()):
        entity = catalogue.entities.get(ref)
        oncall = each.fields.get("oncall")
        if oncall is not None and rotations and oncall not in rotations:
            near = suggestion(oncall, rotations)
            findings.problem(each.annotations[PREFIX + "oncall"], f"no rotation is called '{oncall}'{near}")
        if entity is None or (entity.domain and ("domain", entity.domain) in packs.broken):
            continue
        policy = packs.domains.get(entity.domain or "") or packs.domains.get(DEFAULT_DOMAIN)
        if policy is None and entity.domain and not packs.domains:
            continue  # a catalogue alone: the domain's pack, with its categories, comes later
        known = {category.name for category in (policy or DomainPolicy(domain=DEFAULT_DOMAIN)).categories}
        for category in entity.runbooks:
            if category not in known and category != RUNBOOK_DEFAULT:
                place = each.annotations[f"{PREFIX}{RUNBOOK}.{category}"]
                domain = entity.domain or DEFAULT_DOMAIN
                near = suggestion(category, known)
                findings.problem(place, f"domain '{domain}' has no category '{category}'{near}")


def _check_aliases(catalogue: Catalogue, descriptors: Mapping[str, Descriptor], findings: Findings) -> None:
    """A business term that means two things finds only one of them."""
    owners: dict[str, str] = {}
    for ref, entity in sorted(catalogue.entities.items()):
        for alias in entity.aliases:
            first = owners.setdefault(alias, ref)
            if first != ref:
                place = descriptors[ref].annotations.get(PREFIX + "aliases", descriptors[ref].place)
                findings.warning(place, f"alias '{alias}' is also an alias of {first}", "shared-alias")


def _check_rotations(packs: Packs, catalogue: Catalogue, findings: Findings) -> None:
    covered: dict[str, str] = {}
    for name, rotation in sorted(packs.rotations.items()):
        source = packs.sources["rotation", name]
        check_rotation(rotation, source, packs, findings)
        for index, service in enumerate(rotation.services):
            ref = resolve_name(service, catalogue)
            if ref is None:
                near = findings.near(service, {short(each) for each in catalogue.entities})
                findings.problem(source.at("services", index), f"services: nothing is called '{service}'{near}")
            elif covered.setdefault(ref, name) != name:
                where = source.at("services", index)
                findings.problem(where, f"services: {ref} is already covered by rotation '{covered[ref]}'")


def check_packages(findings: Findings) -> None:
    """The adapters of installed packages can be used."""
    for problem in packaged_adapters().problems:
        findings.problem(directory_place(), problem)


def _check_adapters(packs: Packs, adapters: Mapping[str, Adapter], findings: Findings) -> None:
    """Each adapter has a name of its own, and those of packages can be used."""
    check_packages(findings)
    packaged = packaged_adapters().adapters
    for name in packs.names("adapter"):
        source = packs.sources.get(("adapter", name))
        place = source.at() if source is not None else Place(f"adapters/{name}.yaml", 1)
        if not ADAPTER_NAME.fullmatch(name):
            findings.problem(
                place, f"adapter '{name}': must be lower-case letters, digits, '-', '_' or '.', as a topic's name"
            )
        elif name in {*ADAPTERS, *adapters, *packaged}:
            findings.problem(place, f"adapter '{name}' is there already, built in or by a package; choose another name")


def _check_feeds(
    packs: Packs, adapters: Mapping[str, Adapter] | None, catalogue: Catalogue, findings: Findings
) -> None:
    for name, feed in packs.feeds.items():
        source = packs.sources["feed", name]
        if not _FEED_NAME.fullmatch(name):
            findings.problem(
                source.at(), f"feed '{name}': must be lower-case letters, digits, '-', '_' or '.', as a topic's name"
            )
        if adapters is not None:
            _check_adapter(feed, source, packs, adapters, findings)
        for severity, seconds in feed.hold_seconds.items():
            where = source.at("hold_seconds", severity)
            if severity not in SEVERITY_RANK:
                near = suggestion(severity, SEVERITY_RANK)
                findings.problem(where, f"hold_seconds: unknown severity '{severity}'{near}")
            if seconds == LEARNED and severity == Severity.CRITICAL:
                findings.problem(where, "hold_seconds: what is critical waits for no habit; give seconds, or nothing")
            elif not isinstance(seconds, str) and seconds < 0:
                findings.problem(where, f"hold_seconds: {seconds} is less than nothing")
        about = feed.expect.about if feed.expect else None
        if about is not None and resolve_name(about, catalogue) is None:
            findings.problem(source.at("expect", "about"), f"expect: about: the catalogue knows no '{about}'")
        limits = feed.hold_learned
        if limits.least_seconds > limits.most_seconds:
            findings.problem(
                source.at("hold_learned", "most_seconds"),
                f"hold_learned: most_seconds {limits.most_seconds} is less than least_seconds {limits.least_seconds}",
            )


def _check_adapter(
    feed: Feed, source: Source, packs: Packs, adapters: Mapping[str, Adapter], findings: Findings
) -> None:
    """The adapter exists, and takes the options."""
    packaged = packaged_adapters().adapters
    adapter = adapters.get(feed.adapter) or packaged.get(feed.adapter)
    own = packs.names("adapter")
    if feed.adapter in own:
        if feed.options:
            findings.problem(source.at("options"), f"options: adapter '{feed.adapter}' has none")
    elif adapter is None:
        near = suggestion(feed.adapter, {*adapters, *packaged, *own})
        findings.problem(source.at("adapter"), f"adapter: there is no adapter '{feed.adapter}'{near}")
    elif adapter.options is not None and feed.options:
        validated(adapter.options, source.document, findings, (*source.path, "options"))
    elif feed.options:
        findings.problem(source.at("options"), f"options: adapter '{feed.adapter}' has none")


def _check_maintenance(packs: Packs, catalogue: Catalogue, findings: Findings) -> None:
    known = _every_name(catalogue)
    for name, window in packs.maintenance.items():
        source = packs.sources["window", name]
        if window.recurs:
            _check_recurrence(window, source, findings)
        elif window.start is not None and window.end is not None:
            check_span(window.start, window.end, source, findings)
        _check_window_targets(window, source, known, catalogue, findings)


def _check_recurrence(window: MaintenanceWindow, source: Source, findings: Findings) -> None:
    """It can be made out when a window recurs, and its zone is one."""
    if window.timezone is not None:
        check_timezone(window.timezone, source, findings, "timezone")
    try:
        Recurrence(window)
    except RecurrenceError as error:
        if error.field != "timezone":
            findings.problem(source.at(error.field), f"{error.field}: {error}")


def _check_window_targets(
    window: MaintenanceWindow, source: Source, known: set[str], catalogue: Catalogue, findings: Findings
) -> None:
    if not window.targets and not window.labels:
        findings.problem(source.at(), "a window needs targets, labels or both; this one would cover nothing")
    for index, target in enumerate(window.targets):
        if target.lower() not in known and resolve_name(target, catalogue) is None:
            near = findings.near(target, known)
            findings.problem(source.at("targets", index), f"targets: nothing is called '{target}'{near}")


def _domains(packs: Packs, catalogue: Catalogue) -> set[str]:
    """Service domains that the catalogue or a pack knows of."""
    return packs.names("domain") | {each.domain for each in catalogue.entities.values() if each.domain}


def _every_name(catalogue: Catalogue) -> set[str]:
    """References, names, aliases and host labels: all that a target may be written as, lower case."""
    names: set[str] = set()
    for ref, entity in catalogue.entities.items():
        names.update((ref, entity.name, *entity.aliases))
        for label in _HOST_LABELS:
            names.update(host.strip().lower() for host in entity.labels.get(label, "").split(","))
    return names - {""}


def directory_place() -> Place:
    """Where a problem of the directory as a whole is reported."""
    return Place(".", 1)

"""Everything beside the catalogue: policy packs, rotations, feeds, sinks, correlation and maintenance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple, TypeVar

from pydantic import BaseModel

from pipeline.catalog.inherit import inherit, is_abstract
from pipeline.catalog.problems import Findings, Place
from pipeline.catalog.validate import validated
from pipeline.catalog.yaml_lines import Document, Path
from pipeline.models.adapter import AdapterSpec
from pipeline.models.console import ConsoleSettings
from pipeline.models.maintenance import MaintenanceWindow
from pipeline.models.matching import MatchingRule
from pipeline.models.oncall import Rotation
from pipeline.models.policy import CorrelationSettings, DomainPolicy, Feed
from pipeline.models.privacy import Privacy
from pipeline.models.problem import KnownError
from pipeline.models.sinks import SINK_TYPES, Sink

PARENT: Final = "parent pack"
"""Kind of a policy pack that is a parent alone."""

Model = TypeVar("Model", bound=BaseModel)


class Source(NamedTuple):
    """Where a model was read: a document and the path in it."""

    document: Document
    path: Path = ()

    def at(self, *path: str | int) -> Place:
        """Place of a field of the model."""
        return self.document.at(*self.path, *path)


@dataclass(slots=True)
class Packs:
    """What the files beside the catalogue say, each with where it stands.

    Attributes:
        written: policy packs as their files have them, parents of others among them, by the file's name.
        template_files: domain, audience and name of a template -> the file that it stands in.
        sources: file kind and name -> where it stands: ``("domain", "retail")``.
        broken: names of what is written down and not usable, so that references to it are not reported again.
    """

    domains: dict[str, DomainPolicy] = field(default_factory=dict)
    rotations: dict[str, Rotation] = field(default_factory=dict)
    adapters: dict[str, AdapterSpec] = field(default_factory=dict)
    feeds: dict[str, Feed] = field(default_factory=dict)
    sinks: dict[str, Sink] = field(default_factory=dict)
    correlation: CorrelationSettings = field(default_factory=CorrelationSettings)
    maintenance: dict[str, MaintenanceWindow] = field(default_factory=dict)
    known_errors: dict[str, KnownError] = field(default_factory=dict)
    matching: dict[str, MatchingRule] = field(default_factory=dict)
    console: ConsoleSettings = field(default_factory=ConsoleSettings)
    privacy: Privacy = field(default_factory=Privacy)
    written: dict[str, Document] = field(default_factory=dict)
    template_files: dict[tuple[str, str, str], str] = field(default_factory=dict)
    sources: dict[tuple[str, str], Source] = field(default_factory=dict)
    broken: set[tuple[str, str]] = field(default_factory=set)

    def names(self, kind: str) -> set[str]:
        """Names of a kind that are written down, usable or not."""
        return {name for each, name in (*self.sources, *self.broken) if each == kind}


def _single(documents: Sequence[Document], findings: Findings) -> Document | None:
    """The one document that a file shall hold."""
    for extra in documents[1:]:
        findings.problem(extra.at(), "a second document; this file holds one")
    return documents[0] if documents else None


def _add(packs: Packs, findings: Findings, key: tuple[str, str], source: Source, model: Model | None) -> Model | None:
    """Note where a model stands; None where it is broken or its name is taken."""
    if model is None:
        packs.broken.add(key)
        return None
    first = packs.sources.setdefault(key, source)
    if first is not source:
        kind, name = key
        where = first.at()
        findings.problem(source.at(), f"{kind} '{name}' is already defined at {where.file}:{where.line}")
        return None
    return model


def read_domain(packs: Packs, file: PurePosixPath, documents: Sequence[Document], findings: Findings) -> None:
    """A policy pack: one file, named like its domain. What it inherits comes when all are read: `build_domains`."""
    document = _single(documents, findings)
    if document is not None:
        packs.written[file.stem] = document
        return
    packs.broken.add(("domain", file.stem))
    findings.problem(Place(str(file), 1), "empty; a policy pack has at least 'domain'")


def build_domains(packs: Packs, findings: Findings) -> None:
    """The policy packs, each with what it inherits. Those that are parents alone are read, and are no domain's."""
    unreadable = {name for kind, name in packs.broken if kind == "domain"}
    whole = inherit(packs.written, unreadable, findings)
    for name, written in packs.written.items():
        document = whole.get(name)
        abstract = is_abstract(name, written)
        if document is None:
            packs.broken.add((PARENT if abstract else "domain", name))
            continue
        policy = validated(DomainPolicy, document, findings, defaults={"domain": name})
        if policy is not None and policy.domain != name:
            findings.problem(document.at("domain"), f"domain '{policy.domain}' belongs in domains/{policy.domain}.yaml")
            policy = None
        policy = _add(packs, findings, (PARENT if abstract else "domain", name), Source(document), policy)
        if policy is None:
            continue
        # What comes from the built-in pack is stated by nobody.
        policy.model_fields_set.intersection_update(part[0] for part in document.lines if len(part) == 1)
        if not abstract:
            packs.domains[policy.domain] = policy


def read_rotations(packs: Packs, file: PurePosixPath, documents: Sequence[Document], findings: Findings) -> None:
    """Rotations, one a document; the only one of a file may leave its name to the file."""
    for document in documents:
        defaults = {"name": file.stem} if len(documents) == 1 else {}
        rotation = validated(Rotation, document, findings, defaults=defaults)
        written = document.value.get("name") if isinstance(document.value, dict) else None
        name = rotation.name if rotation else written if isinstance(written, str) else file.stem
        if rotation := _add(packs, findings, ("rotation", name), Source(document), rotation):
            packs.rotations[rotation.name] = rotation


def read_adapter(packs: Packs, file: PurePosixPath, documents: Sequence[Document], findings: Findings) -> None:
    """An adapter: one file, named like it. Its paths, formats and conditions are compiled, to know that they can be."""
    from pipeline.feeds.declarative.compile import problems_of  # CEL's engine is for those who use it

    document = _single(documents, findings)
    if document is None:
        findings.problem(Place(str(file), 1), "empty; an adapter has at least 'feed_class', 'kind' and 'alert'")
        return
    spec = validated(AdapterSpec, document, findings, defaults={"name": file.stem})
    if spec is not None and spec.name != file.stem:
        findings.problem(document.at("name"), f"adapter '{spec.name}' belongs in adapters/{spec.name}.yaml")
        spec = None
    for place, message in problems_of(spec) if spec is not None else ():
        # A list of alternatives stands in the file without its 'first'.
        short = tuple(part for part in place if part != "first")
        findings.problem(max(document.at(*place), document.at(*short)), f"{'.'.join(map(str, place))}: {message}")
        spec = None
    if spec := _add(packs, findings, ("adapter", file.stem), Source(document), spec):
        packs.adapters[spec.name] = spec


def _read_named(
    packs: Packs,
    documents: Sequence[Document],
    findings: Findings,
    kind: str,
    model: type[Model] | Callable[[Any], type[Model] | None],
) -> dict[str, Model]:
    """A file that is a mapping of names to settings."""
    document = _single(documents, findings)
    if document is None:
        return {}
    if not isinstance(document.value, dict):
        findings.problem(document.at(), f"expected a mapping: the name of each {kind}, then its settings")
        return {}
    found: dict[str, Model] = {}
    for name in document.value:
        defaults = {"name": name, "adapter": name} if kind == "feed" else {"name": name}
        chosen = model if isinstance(model, type) else model(document.value[name])
        if chosen is None:
            findings.problem(document.at(name, "type"), f"type: must be one of {', '.join(SINK_TYPES)}")
            packs.broken.add((kind, name))
            continue
        built = validated(chosen, document, findings, path=(name,), defaults=defaults)
        if getattr(built, "name", name) != name:
            findings.problem(document.at(name, "name"), f"name differs from its key '{name}'; leave it out")
            built = None
        if built := _add(packs, findings, (kind, name), Source(document, (name,)), built):
            found[name] = built
    return found


def read_feeds(packs: Packs, _: PurePosixPath, documents: Sequence[Document], findings: Findings) -> None:
    """Feeds by name; the adapter is the feed's own name where none is given."""
    packs.feeds.update(_read_named(packs, documents, findings, "feed", Feed))


def read_sinks(packs: Packs, _: PurePosixPath, documents: Sequence[Document], findings: Findings) -> None:
    """Sinks by name."""
    packs.sinks.update(_read_named(packs, documents, findings, "sink", _sink_model))


def _sink_model(settings: Any) -> type[Any] | None:
    """The model of a sink's type; None: there is no such type."""
    kind = settings.get("type", "webhook") if isinstance(settings, dict) else "webhook"
    return SINK_TYPES.get(kind) if isinstance(kind, str) else None


def read_maintenance(packs: Packs, _: PurePosixPath, documents: Sequence[Document], findings: Findings) -> None:
    """Maintenance windows by name."""
    packs.maintenance.update(_read_named(packs, documents, findings, "window", MaintenanceWindow))


def read_known_errors(packs: Packs, _: PurePosixPath, documents: Sequence[Document], findings: Findings) -> None:
    """Known errors by name, in order."""
    packs.known_errors.update(_read_named(packs, documents, findings, "known error", KnownError))


def read_matching(packs: Packs, _: PurePosixPath, documents: Sequence[Document], findings: Findings) -> None:
    """Matching rules by name, in order."""
    packs.matching.update(_read_named(packs, documents, findings, "matching rule", MatchingRule))


def read_correlation(packs: Packs, _: PurePosixPath, documents: Sequence[Document], findings: Findings) -> None:
    """Limits and thresholds of dedupe and correlate."""
    document = _single(documents, findings)
    settings = validated(CorrelationSettings, document, findings) if document else None
    packs.correlation = settings or packs.correlation
    if document is not None:
        packs.sources |= {("rule", name): Source(document, ("rules", name)) for name in packs.correlation.rules}
        of_inhibition = {name: Source(document, ("inhibit", name)) for name in packs.correlation.inhibit}
        packs.sources |= {("inhibition rule", name): source for name, source in of_inhibition.items()}


def read_console(packs: Packs, _: PurePosixPath, documents: Sequence[Document], findings: Findings) -> None:
    """Who may come in to the console."""
    document = _single(documents, findings)
    settings = validated(ConsoleSettings, document, findings) if document else None
    packs.console = settings or packs.console
    if document is not None:
        packs.sources["console", "console"] = Source(document)


def read_privacy(packs: Packs, _: PurePosixPath, documents: Sequence[Document], findings: Findings) -> None:
    """What personal data is taken out, and how long records are kept."""
    document = _single(documents, findings)
    packs.privacy = (validated(Privacy, document, findings) if document else None) or packs.privacy
    if document is not None:
        packs.sources["privacy", ""] = Source(document)


Reader = Callable[[Packs, PurePosixPath, Sequence[Document], Findings], None]

FOLDERS: Final[dict[str, Reader]] = {"adapters": read_adapter, "domains": read_domain, "oncall": read_rotations}
FILES: Final[dict[str, Reader]] = {
    "feeds.yaml": read_feeds,
    "sinks.yaml": read_sinks,
    "correlation.yaml": read_correlation,
    "maintenance.yaml": read_maintenance,
    "known-errors.yaml": read_known_errors,
    "matching.yaml": read_matching,
    "console.yaml": read_console,
    "privacy.yaml": read_privacy,
}

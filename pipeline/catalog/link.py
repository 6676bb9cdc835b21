"""The catalogue put together: references resolved, dependencies turned round, domains and populations inherited."""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from typing import Final

from pipeline.catalog.descriptors import Descriptor, Written
from pipeline.catalog.problems import Findings
from pipeline.catalog.references import ENTITY_KINDS, READ_KINDS, full, parse_reference, short
from pipeline.models.catalog import Catalogue, Entity, Group

# Enough to act on; each costs a pass over the graph.
CYCLES_REPORTED_MAX: Final = 10


class Linker:
    """Resolves the references of all descriptors.

    Attributes:
        descriptors: by reference; where two describe the same entity, the first. Generated ones add to it.
    """

    def __init__(self, descriptors: Iterable[Descriptor], findings: Findings) -> None:
        self._findings = findings
        self._names: dict[tuple[str, ...], set[str]] = {}  # kinds -> names, for suggestions
        self.descriptors: dict[str, Descriptor] = {}
        for each in sorted(descriptors, key=lambda one: one.generated_by is not None):  # people's first
            known = self.descriptors.setdefault(each.ref, each)
            if each.generated_by is not None and known is not each:
                known.add(each)
            elif known is not each:
                where = f"{known.place.file}:{known.place.line}"
                findings.problem(each.place, f"{each.ref} is already described at {where}")

    def catalogue(self, domains_with_policy: Iterable[str]) -> Catalogue:
        """Entities and groups with everything resolved.

        Args:
            domains_with_policy: domains that have a policy pack; an entity may name one of these although no
                descriptor of kind Domain describes it.
        """
        packs = {name.lower() for name in domains_with_policy}
        needs = self._dependencies()
        entities: dict[str, Entity] = {}
        groups: dict[str, Group] = {}
        for ref, each in sorted(self.descriptors.items()):
            if each.kind == "group":
                groups[short(ref)] = Group(name=short(ref), **each.fields)
            elif each.kind in ENTITY_KINDS:
                entities[ref] = Entity(
                    ref=ref,
                    kind=each.kind,
                    name=each.name,
                    owner=self._owner(each),
                    system=self._system(each),
                    domain=self._domain(each, packs),
                    depends_on=tuple(sorted(needs[ref])),
                    location=f"{each.place.file}:{each.place.line}",
                    **each.fields,
                )
        return Catalogue(entities=_inherit(entities), groups=groups)

    def _dependencies(self) -> dict[str, set[str]]:
        """Reference -> what it needs, from both directions in which people write it."""
        needs: dict[str, set[str]] = {ref: set() for ref in self.descriptors}
        for ref, each in self.descriptors.items():
            for written in each.many.get("dependsOn", ()):
                if needed := self._entity(each, written, "dependsOn"):
                    needs[ref].add(needed)
            for written in each.many.get("dependencyOf", ()):
                if dependent := self._entity(each, written, "dependencyOf"):
                    needs[dependent].add(ref)
        for ref, needed_refs in needs.items():
            if ref in needed_refs:
                self._findings.problem(self.descriptors[ref].place, f"{ref} depends on itself")
                needed_refs.discard(ref)
        return needs

    def _entity(self, each: Descriptor, written: Written, field: str) -> str | None:
        return self._resolve(each, written, field, ENTITY_KINDS)

    def _owner(self, each: Descriptor) -> str | None:
        written = each.one.get("owner")
        if written is None:
            return None
        parts = parse_reference(written.text)
        if parts and parts.kind == "user":  # people are not in the catalogue; their name stands for itself
            return parts.name
        found = self._resolve(each, written, "owner", ("group",))
        return short(found) if found else None

    def _system(self, each: Descriptor) -> str | None:
        written = each.one.get("system")
        found = self._resolve(each, written, "system", ("system",)) if written else None
        return short(found) if found else None

    def _domain(self, each: Descriptor, packs: set[str]) -> str | None:
        written = each.one.get("domain")
        if written is None:
            return None
        parts = parse_reference(written.text)
        if parts and parts.kind in (None, "domain") and parts.namespace is None and parts.name in packs:
            return parts.name
        found = self._resolve(each, written, "domain", ("domain",), also=packs)
        return short(found) if found else None

    def _described(self, kinds: tuple[str, ...]) -> bool:
        """Whether the catalogue describes anything of these kinds."""
        return any(each.kind in kinds for each in self.descriptors.values())

    def _resolve(
        self, each: Descriptor, written: Written, field: str, kinds: tuple[str, ...], also: Iterable[str] = ()
    ) -> str | None:
        """The full reference that is meant, or None with a problem noted.

        Args:
            each: who refers; its namespace is meant where none is written.
            written: the reference.
            field: field of spec, for the message.
            kinds: kinds that may stand here, in order of preference.
            also: further names that would have been right, for the suggestion.
        """
        parts = parse_reference(written.text)
        if parts is None:
            self._findings.problem(written.place, f"{field}: '{written.text[:80]}' is not an entity reference")
            return None
        if parts.kind is not None and parts.kind not in kinds:
            if parts.kind not in READ_KINDS:
                return None  # an API or a Location: Backstage knows it, the catalogue of failures does not
            wanted = " or ".join(kinds)
            self._findings.problem(written.place, f"{field}: '{written.text}' must be a {wanted}")
            return None
        namespace = parts.namespace or each.namespace
        tried = [full(kind, namespace, parts.name) for kind in ([parts.kind] if parts.kind else kinds)]
        found = [ref for ref in tried if ref in self.descriptors]
        if len(found) == 1:
            return found[0]
        if not found and not also and not self._described(kinds):
            return tried[0]  # a catalogue without its organisation: the name stands for itself
        if found:
            message = f"{field}: '{written.text}' could be {' or '.join(found)}; write the kind"
        else:
            message = f"{field}: nothing is called '{written.text}'{self._near(parts.name, kinds, also)}"
        self._findings.problem(written.place, message)
        return None

    def _near(self, name: str, kinds: tuple[str, ...], also: Iterable[str]) -> str:
        if kinds not in self._names:
            known = {short(each.ref) for each in self.descriptors.values() if each.kind in kinds}
            self._names[kinds] = known | set(also)
        return self._findings.near(name, self._names[kinds])


def _inherit(entities: dict[str, Entity]) -> dict[str, Entity]:
    """An entity without a domain has its system's; likewise one whose people nobody has named."""
    systems = {short(ref): entity for ref, entity in entities.items() if entity.kind == "system"}
    return {ref: _of_system(entity, systems.get(entity.system or "")) for ref, entity in entities.items()}


def _of_system(entity: Entity, system: Entity | None) -> Entity:
    if system is None:
        return entity
    theirs = {name: getattr(system, name) for name in ("domain", "population") if getattr(entity, name) is None}
    return entity.model_copy(update=theirs) if any(theirs.values()) else entity


def cycles(catalogue: Catalogue) -> list[tuple[str, ...]]:
    """Circles of dependence, each as its references in order, the first repeated at the end; some at most."""
    graph = {ref: set(entity.depends_on) for ref, entity in sorted(catalogue.entities.items())}
    found: list[tuple[str, ...]] = []
    while len(found) < CYCLES_REPORTED_MAX:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            circle: list[str] = error.args[1][::-1]  # graphlib lists each before the one that needs it
            smallest = circle.index(min(circle))
            found.append((*circle[smallest:-1], *circle[:smallest], circle[smallest]))
            graph[circle[0]].discard(circle[1])  # cut, to find the next
        else:
            break
    return sorted(found)

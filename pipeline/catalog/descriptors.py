"""Backstage descriptors: one document -> one descriptor with what it says, its references not yet resolved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.catalog.annotations import GENERATED_BY, read_annotations
from pipeline.catalog.problems import Findings, Place, suggestion
from pipeline.catalog.references import NAMESPACE_DEFAULT, READ_KINDS, full
from pipeline.catalog.yaml_lines import Document

_API_PREFIX: Final = "backstage.io/"
_SPELLING: Final = {kind.capitalize(): kind for kind in READ_KINDS}
# Kinds of Backstage itself that say nothing about failure.
_PASSED_KINDS: Final = frozenset(("API", "User", "Location", "Template", "AiResource"))
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")  # Backstage's own rule
_ONE: Final = ("owner", "system", "domain")  # fields of spec that hold one reference
_MANY: Final = ("dependsOn", "dependencyOf")  # fields of spec that hold a list of references
_READ_OF_SPEC: Final = ("type", *_ONE, *_MANY, "profile")
_PLACEHOLDER: Final = re.compile(r"\$[a-z]{1,30}")  # $text, $json, $yaml, $openapi: Backstage puts a file's text there


@dataclass(slots=True)
class Written:
    """A reference as it stands in the file."""

    text: str
    place: Place


@dataclass(slots=True)
class Descriptor:
    """One entity as its document describes it.

    Attributes:
        ref: ``kind:namespace/name``, lower case.
        fields: fields of `Entity` (of `Group` for a group) that need no other document.
        one: ``owner``, ``system``, ``domain`` -> the reference written there.
        many: ``dependsOn``, ``dependencyOf`` -> the references written there.
        annotations: annotation -> where it stands, for the checks across files.
        generated_by: the import that wrote it; None where people did.
    """

    ref: str
    kind: str
    namespace: str
    name: str
    place: Place
    fields: dict[str, Any] = field(default_factory=dict)
    one: dict[str, Written] = field(default_factory=dict)
    many: dict[str, list[Written]] = field(default_factory=dict)
    annotations: dict[str, Place] = field(default_factory=dict)
    generated_by: str | None = None

    def add(self, other: Descriptor) -> None:
        """Take from another descriptor of the same entity what this one does not say; dependencies add up."""
        for name, value in other.fields.items():
            own = self.fields.get(name)
            if isinstance(value, dict) and isinstance(own, dict):
                self.fields[name] = {**value, **own}
            elif own is None or own in ("", ()) or (name == "title" and own.lower() == self.name):
                self.fields[name] = value
        self.one = {**other.one, **self.one}
        for name, written in other.many.items():
            self.many[name] = [*self.many.get(name, []), *written]
        self.annotations = {**other.annotations, **self.annotations}


def read_descriptor(document: Document, findings: Findings) -> Descriptor | None:
    """The descriptor of one document; None where it is of a kind that is not read, or too broken to be named."""
    body = document.value
    if not isinstance(body, dict):
        findings.problem(document.at(), "not a Backstage descriptor: expected apiVersion, kind, metadata and spec")
        return None
    kind = _kind(document, findings)
    if kind is None:
        return None
    version = body.get("apiVersion")
    if not (isinstance(version, str) and version.startswith(_API_PREFIX)):
        findings.problem(document.at("apiVersion"), "apiVersion must be backstage.io/v1alpha1 or another of theirs")
    metadata = _mapping(document, findings, "metadata")
    name = _name(document, findings, "name", metadata.get("name"))
    namespace = _name(document, findings, "namespace", metadata.get("namespace", NAMESPACE_DEFAULT))
    if name is None or namespace is None:
        return None
    found = Descriptor(full(kind, namespace, name), kind, namespace.lower(), name.lower(), document.at())
    _refuse_placeholders(document, findings, "metadata", body.get("metadata"))
    spec = _mapping(document, findings, "spec")
    for part in _READ_OF_SPEC:
        _refuse_placeholders(document, findings, "spec", spec.get(part), part)
    _read_metadata(document, findings, found, metadata, title=name)
    _read_spec(document, findings, found)
    return found


def _kind(document: Document, findings: Findings) -> str | None:
    kind = document.value.get("kind")
    if not isinstance(kind, str):
        findings.problem(document.at("kind"), "kind is missing: Component, Resource, System, Domain or Group")
        return None
    if kind in _SPELLING:
        return _SPELLING[kind]
    near = suggestion(kind, _SPELLING)
    if kind in _PASSED_KINDS:
        findings.passed(kind, document.at("kind"))
    elif near:
        findings.warning(document.at("kind"), f"kind '{kind}' is not read{near}", "misspelt-kind")
    return None


def _mapping(document: Document, findings: Findings, *path: str) -> Mapping[str, Any]:
    """The mapping at a path; empty where there is none, with a problem where something else stands there."""
    value = document.value
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    if value is None:
        return {}
    if not isinstance(value, dict):
        findings.problem(document.at(*path), f"{'.'.join(path)} must be a mapping of names to values")
        return {}
    return value


def _refuse_placeholders(document: Document, findings: Findings, part: str, value: object, *path: str | int) -> None:
    """A placeholder stands for a text that somebody else would fetch: here the value itself must be written."""
    inner: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        found = next((key for key in value if _PLACEHOLDER.fullmatch(key)), None)
        if found is not None:
            what = ".".join(map(str, (part, *path)))
            message = f"{what}: placeholder {found} is not followed here; write the value itself"
            findings.problem(document.at(part, *path), message)
            return
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    for key, each in inner:
        _refuse_placeholders(document, findings, part, each, *path, key)


def _name(document: Document, findings: Findings, what: str, value: object) -> str | None:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, str) and _NAME.fullmatch(text):
        return text
    wrong = "is missing" if value is None else "must be up to 63 letters, digits, '-', '_' or '.'"
    findings.problem(document.at("metadata", what), f"metadata.{what} {wrong}")
    return None


def _texts(document: Document, findings: Findings, *path: str) -> dict[str, str]:
    """A mapping of texts; numbers and booleans are taken as written words, since people leave quotes out."""
    texts: dict[str, str] = {}
    for key, value in _mapping(document, findings, *path).items():
        text = _word(value)
        if text is None:
            findings.problem(document.at(*path, key), f"{key} must be a text")
        else:
            texts[key] = text
    return texts


def _word(value: object) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else None


def _read_metadata(
    document: Document, findings: Findings, found: Descriptor, metadata: Mapping[str, Any], title: str
) -> None:
    """Title, description, labels and annotations."""
    found.fields["title"] = _word(metadata.get("title")) or title
    written = _texts(document, findings, "metadata", "annotations")
    found.annotations = {key: document.at("metadata", "annotations", key) for key in written}
    found.generated_by = written.get(GENERATED_BY)
    facts = read_annotations(written, found.annotations.__getitem__, findings)
    if found.kind == "group":
        found.fields["oncall"] = facts.get("oncall")
        return
    found.fields["description"] = _word(metadata.get("description")) or ""
    found.fields["labels"] = _texts(document, findings, "metadata", "labels")
    found.fields.update(facts)


def _read_spec(document: Document, findings: Findings, found: Descriptor) -> None:
    """Type, owner, system, domain and dependencies."""
    spec = _mapping(document, findings, "spec")
    if found.kind == "group":
        email = _mapping(document, findings, "spec", "profile").get("email")
        found.fields["email"] = email if isinstance(email, str) else None
        return
    found.fields["type"] = (_word(spec.get("type")) or "").lower()
    for name in _ONE:
        value = spec.get(name)
        if isinstance(value, str) and value.strip():
            found.one[name] = Written(value, document.at("spec", name))
        elif value is not None:
            findings.problem(document.at("spec", name), f"spec.{name} must be one reference")
    for name in _MANY:
        found.many[name] = _references(document, findings, name, spec.get(name))


def _references(document: Document, findings: Findings, name: str, value: object) -> list[Written]:
    if value is None:
        return []
    if not isinstance(value, list):
        findings.problem(document.at("spec", name), f"spec.{name} must be a list of references")
        return []
    written: list[Written] = []
    for index, item in enumerate(value):
        place = document.at("spec", name, index)
        if isinstance(item, str):
            written.append(Written(item, place))
        else:
            findings.problem(place, f"spec.{name} holds something that is no reference")
    return written

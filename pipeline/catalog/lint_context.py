"""What every rule of lint looks at: the configuration, where each part of it stands, and indexes over it."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

from pipeline.catalog.indexes import Indexes
from pipeline.catalog.load import Opened
from pipeline.catalog.problems import Place
from pipeline.catalog.references import NAMESPACE_DEFAULT, full
from pipeline.catalog.yaml_lines import Document
from pipeline.core.escalation.escalate import Escalator
from pipeline.models.catalog import Entity
from pipeline.models.policy import Config


class Finding(NamedTuple):
    """One thing that a rule found.

    Attributes:
        rule: stable name.
        place: file, relative to the directory, and line.
        message: what it is and what to do.
    """

    rule: str
    place: Place
    message: str


class Context(Indexes):
    """A usable directory, for the rules.

    Attributes:
        opened: where everything stands.
        now_ms: the moment that maintenance is judged at, epoch milliseconds.
    """

    def __init__(self, opened: Opened, config: Config, now_ms: int) -> None:
        super().__init__(config)
        self.opened = opened
        self.now_ms = now_ms

    @cached_property
    def escalator(self) -> Escalator:
        """Whom a level calls."""
        return Escalator(self.topology, self.oncall)

    @cached_property
    def services(self) -> list[Entity]:
        """Every Component, by reference."""
        return [each for _, each in sorted(self.config.catalogue.entities.items()) if each.kind == "component"]

    @cached_property
    def _documents(self) -> dict[str, list[Document]]:
        """Reference -> the documents that describe it; imports add to those written by hand."""
        found: dict[str, list[Document]] = {}
        for document in self.opened.documents.values():
            body = document.value
            metadata = body.get("metadata") if isinstance(body, dict) else None
            if isinstance(metadata, dict):
                namespace = str(metadata.get("namespace", NAMESPACE_DEFAULT))
                ref = full(str(body.get("kind")), namespace, str(metadata.get("name")))
                found.setdefault(ref, []).append(document)
        return found

    def written(self, ref: str, *path: str) -> Place | None:
        """Where the description of an entity or group states something; None where it does not."""
        for document in self._documents.get(ref, ()):
            if path in document.lines:
                return document.at(*path)
        return None

    def place(self, ref: str, *written: str) -> Place:
        """Where an entity or group is described; the first of the named fields that is there gives the line."""
        descriptor = self.opened.descriptors[ref]
        for name in written:
            if name in descriptor.annotations:
                return descriptor.annotations[name]
            if name in descriptor.one:
                return descriptor.one[name].place
        return descriptor.place

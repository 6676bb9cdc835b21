"""A configuration directory -> one checked `Config`, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Final

from pipeline.catalog.check import check_all, check_packages, directory_place, with_references
from pipeline.catalog.descriptors import Descriptor, read_descriptor
from pipeline.catalog.link import Linker
from pipeline.catalog.oncall import SUFFIX as CALENDAR_SUFFIX
from pipeline.catalog.oncall import attach_calendars, is_calendar
from pipeline.catalog.packs import FILES, FOLDERS, Packs, build_domains
from pipeline.catalog.problems import ConfigError, Findings, Place, Problem, suggestion
from pipeline.catalog.template_files import SUFFIX as TEMPLATE_SUFFIX
from pipeline.catalog.template_files import attach_templates, is_template
from pipeline.catalog.yaml_lines import FILE_BYTES_MAX, Document, read_documents
from pipeline.core.identity import content_hash
from pipeline.models.feed import Adapter
from pipeline.models.policy import Config

CATALOG_FOLDER: Final = "catalog"
TESTS_FOLDER: Final = "tests"
"""Cases that test the rules (`pipeline.rule_tests`): no part of the configuration, nor of its version."""

_SUFFIX: Final = ".yaml"
_SUFFIX_OTHER: Final = ".yml"

# Files in one directory: a catalogue of 10,000 services fits, a mistaken "/" does not.
FILES_MAX: Final = 20_000


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of reading a directory.

    Attributes:
        config: None where there are problems.
        problems: what makes it unusable, by file and line.
        warnings: what works and is probably not meant, by file and line.
    """

    config: Config | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


@dataclass(slots=True)
class Opened:
    """A directory as read and checked, with where everything stands, for those who say where something comes from.

    Attributes:
        files: every configuration file with its bytes.
        packs: what the files beside the catalogue say, and where.
        descriptors: of the catalogue, by reference.
        documents: of the catalogue, by the place where each begins.
    """

    checked: Checked
    files: dict[str, bytes] = field(default_factory=dict)
    packs: Packs = field(default_factory=Packs)
    descriptors: dict[str, Descriptor] = field(default_factory=dict)
    documents: dict[Place, Document] = field(default_factory=dict)


def load_config(directory: Path | None, adapters: Mapping[str, Adapter] | None = None) -> Config:
    """The configuration of a directory; safe defaults where there is no directory or nothing in it.

    Args:
        directory: where ``catalog/``, ``domains/`` and the rest are.
        adapters: those that exist, to check ``feeds.yaml`` against.

    Raises:
        ConfigError: something is wrong; it holds all problems, not the first alone.
    """
    checked = check_config(directory, adapters)
    if checked.config is None:
        raise ConfigError(checked.problems)
    return checked.config


def check_config(directory: Path | None, adapters: Mapping[str, Adapter] | None = None) -> Checked:
    """Read and check a directory; never raises for what is in it. Arguments as for `load_config`."""
    return open_config(directory, adapters).checked


def open_config(directory: Path | None, adapters: Mapping[str, Adapter] | None = None) -> Opened:
    """As `check_config`, with what was read and where it stands."""
    opened = Opened(Checked(Config(), (), ()))
    findings = Findings()
    if directory is None:
        check_packages(findings)
        opened.checked = Checked(None if findings.problems else Config(), tuple(findings.problems), ())
        return opened
    files = _read_files(directory, findings)
    opened.files = {str(file): data for file, data in files}
    described: list[Descriptor] = []
    calendars: dict[str, bytes] = {}
    templates: dict[str, bytes] = {}
    for file, data in files:
        if is_calendar(file):
            calendars[file.name] = data
            continue
        if is_template(file):
            templates[file.name] = data
            continue
        documents = read_documents(str(file), data, findings)
        reader = FILES.get(str(file)) or FOLDERS.get(file.parts[0])
        if reader is not None:
            reader(opened.packs, file, documents, findings)
            continue
        for document in documents:
            opened.documents[document.at()] = document
            if (descriptor := read_descriptor(document, findings)) is not None:
                described.append(descriptor)
    build_domains(opened.packs, findings)
    attach_calendars(opened.packs, calendars, findings)
    attach_templates(opened.packs, templates, findings)
    findings.remark_passed()
    linker = Linker(described, findings)
    opened.descriptors = linker.descriptors
    config = _assemble(opened.packs, linker, _version(files), adapters, findings)
    problems, warnings = (tuple(sorted(set(each))) for each in (findings.problems, findings.warnings))
    opened.checked = Checked(None if problems else config, problems, warnings)
    return opened


def _assemble(
    packs: Packs,
    linker: Linker,
    version: str,
    adapters: Mapping[str, Adapter] | None,
    findings: Findings,
) -> Config:
    catalogue = linker.catalogue(packs.names("domain"))
    check_all(packs, catalogue, linker.descriptors, adapters, findings)
    return Config(
        version=version,
        catalogue=catalogue,
        domains=packs.domains,
        rotations={name: with_references(each, catalogue) for name, each in packs.rotations.items()},
        adapters=packs.adapters,
        feeds=packs.feeds,
        sinks=packs.sinks,
        correlation=packs.correlation,
        maintenance=tuple(packs.maintenance.values()),
        known_errors=packs.known_errors,
        matching=tuple(packs.matching.values()),
        console=packs.console,
        privacy=packs.privacy,
    )


def _version(files: list[tuple[PurePosixPath, bytes]]) -> str:
    """Hash of names and bytes of all files, whatever order the file system lists them in."""
    if not files:
        return Config().version
    parts = (part for file, data in files for part in (str(file), data.decode("utf-8", "backslashreplace")))
    return content_hash(*parts)


def _read_files(directory: Path, findings: Findings) -> list[tuple[PurePosixPath, bytes]]:
    """Every configuration file with its bytes, by path; what is misplaced or misnamed is a problem."""
    if not directory.is_dir():
        findings.problem(directory_place(), f"there is no directory {directory}")
        return []
    files: list[tuple[PurePosixPath, bytes]] = []
    found = sorted(islice(_walk(directory, findings), FILES_MAX + 1))
    if len(found) > FILES_MAX:
        findings.problem(directory_place(), f"more than {FILES_MAX:,} files; is this the right directory?")
        return []
    for file in found:
        misplaced = _misplaced(file)
        if misplaced is not None:
            findings.problem(Place(str(file), 1), misplaced)
            continue
        try:
            with (directory / file).open("rb") as opened:
                files.append((file, opened.read(FILE_BYTES_MAX + 1)))
        except OSError as error:
            findings.problem(Place(str(file), 1), f"cannot be read: {error.strerror}")
    return files


def _walk(directory: Path, findings: Findings) -> Iterator[PurePosixPath]:
    """YAML files, calendars and templates below a directory.

    Hidden ones are left aside: Kubernetes mounts keep their copies in such.
    """

    def unreadable(error: OSError) -> None:
        where = Path(error.filename).relative_to(directory).as_posix() if error.filename else "."
        findings.problem(Place(where, 1), f"cannot be read: {error.strerror}")

    seen: set[Path] = set()  # a link to a parent must not run forever
    for folder, names, files in os.walk(directory, onerror=unreadable, followlinks=True):
        real = Path(folder).resolve()
        if real in seen:
            names.clear()
            continue
        seen.add(real)
        inside = PurePosixPath(Path(folder).relative_to(directory).as_posix())
        names[:] = sorted(name for name in names if not name.startswith("."))
        if not inside.parts and TESTS_FOLDER in names:
            names.remove(TESTS_FOLDER)
        for name in files:
            if not name.startswith(".") and name.endswith((_SUFFIX, _SUFFIX_OTHER, CALENDAR_SUFFIX, TEMPLATE_SUFFIX)):
                yield inside / name


def _misplaced(file: PurePosixPath) -> str | None:
    """What is wrong with the place of a file; None where it is right."""
    if file.suffix == _SUFFIX_OTHER and file.parts[0] != CATALOG_FOLDER:  # descriptors come as other tools name them
        return f"only *{_SUFFIX} is read; rename it to {file.stem}{_SUFFIX}"
    if len(file.parts) == 1:
        return None if file.name in FILES else f"not a file that Spillway reads{suggestion(file.name, FILES)}"
    folder = file.parts[0]
    if file.suffix in (CALENDAR_SUFFIX, TEMPLATE_SUFFIX):
        where = "oncall" if file.suffix == CALENDAR_SUFFIX else "templates"
        alone = f"*{file.suffix} is read in {where}/ alone; move it there"
        return None if is_calendar(file) or is_template(file) else alone
    known = (CATALOG_FOLDER, *FOLDERS)
    if folder not in known:
        return f"not in a folder that Spillway reads{suggestion(folder, known)}"
    if folder in FOLDERS and len(file.parts) > 2:
        return f"files of {folder}/ are not in folders of their own; move it up"
    return None

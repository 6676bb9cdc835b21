"""Audits in a file that others keep: JSON lines, or one page of HTML; written as they are read, and verified likewise.

The chain of each incident is verified while it is written, and what came of that stands at the top, so the rest waits
in temporary files until it is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import file_digest
from html import unescape
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import IO, Any, Final

import orjson

from pipeline.records import audit_page as page
from pipeline.records.audit import AUDIT_SCHEMA, AuditError

LINE_BYTES_MAX: Final = 256 << 20
"""Of one incident: a hundred thousand actions, with room; what is longer is no audit of one."""

COPY_BYTES: Final = 1 << 20
BROKEN_NAMED_MAX: Final = 20
"""Incidents that the summary names; all of them are marked where they stand."""


@dataclass(slots=True)
class Written:
    """What an export came to.

    Attributes:
        broken: incidents whose chain does not hold.
        sha256: of the file, hexadecimal.
    """

    incidents: int = 0
    revisions: int = 0
    broken: list[str] = field(default_factory=list)
    sha256: str = ""

    def take(self, document: dict[str, Any]) -> None:
        """Count one."""
        self.incidents += 1
        self.revisions += len(document["revisions"])
        if not document["intact"]:
            self.broken.append(str(document["incident"]["id"]))

    def verdict(self) -> str:
        """In words, for the top of the file."""
        if not self.broken:
            return f"All {self.incidents} chains of seals are intact: {self.revisions} revisions."
        named = ", ".join(self.broken[:BROKEN_NAMED_MAX])
        more = f" and {len(self.broken) - BROKEN_NAMED_MAX} more" if len(self.broken) > BROKEN_NAMED_MAX else ""
        return f"{len(self.broken)} of {self.incidents} chains of seals are NOT INTACT: {named}{more}."


def write_lines(
    file: Path, documents: Iterable[dict[str, Any]], about: dict[str, str], seen: Callable[[int], None]
) -> Written:
    """Write JSON lines: what this is, then one incident a line.

    Args:
        file: made anew.
        documents: as `pipeline.records.audit_span` gives them.
        about: what is exported, in words by name.
        seen: told how many incidents are written.
    """
    written = Written()
    with TemporaryFile() as body:
        for document in documents:
            written.take(document)
            body.write(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))
            seen(written.incidents)
        summary = {"incidents": written.incidents, "revisions": written.revisions, "broken": written.broken}
        first = {"schema": AUDIT_SCHEMA, "export": about | summary | {"verdict": written.verdict()}}
        _assemble(file, written, orjson.dumps(first, option=orjson.OPT_APPEND_NEWLINE), [body], b"")
    return written


def write_page(
    file: Path, documents: Iterable[dict[str, Any]], about: dict[str, str], seen: Callable[[int], None]
) -> Written:
    """Write one page of HTML; arguments as for `write_lines`."""
    written = Written()
    with TemporaryFile() as contents, TemporaryFile() as body:
        for document in documents:
            written.take(document)
            contents.write(page.entry(document).encode())
            body.write(page.section(document).encode())
            seen(written.incidents)
        contents.write(page.CONTENTS_END.encode())
        top = page.head("Audit of incidents", list(about.items()), written.verdict(), intact=not written.broken)
        _assemble(file, written, top.encode(), [contents, body], page.TAIL.encode())
    return written


def _assemble(file: Path, written: Written, first: bytes, parts: list[IO[bytes]], last: bytes) -> None:
    with file.open("wb") as out:
        out.write(first)
        for part in parts:
            part.seek(0)
            copyfileobj(part, out, COPY_BYTES)
        out.write(last)
    written.sha256 = sha256_of(file)


def sha256_of(file: Path) -> str:
    """SHA-256 of a file, hexadecimal, as ``sha256sum`` prints it."""
    with file.open("rb") as again:
        return file_digest(again, "sha256").hexdigest()


def read_documents(file: Path) -> Iterator[dict[str, Any]]:
    """The audits in a file of either kind, one after another.

    Raises:
        AuditError: it is none, or what people read in it is not what its evidence says.
        OSError: it cannot be read.
    """
    with file.open("rb") as lines:
        first = lines.peek(1)[:1] if hasattr(lines, "peek") else b""
        yield from _of_page(lines) if first == b"<" else _of_lines(lines)


def _of_lines(lines: IO[bytes]) -> Iterator[dict[str, Any]]:
    announced: int | None = None
    read = 0
    for line in _bounded(lines):
        if not line.strip():
            continue
        try:
            document = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise AuditError(f"not an audit: {error}") from error
        if isinstance(document, dict) and "incident" not in document and isinstance(document.get("export"), dict):
            announced = document["export"].get("incidents")
            continue
        read += 1
        yield document
    if announced is not None and announced != read:
        raise AuditError(f"not all of the export: it had {announced} incidents, and {read} are here")


def _of_page(lines: IO[bytes]) -> Iterator[dict[str, Any]]:
    section: list[str] = []
    for line in _bounded(lines):
        text = line.decode("utf-8", "replace")
        if text.startswith(page.ARTICLE_BEGIN):
            section = [text]
        elif section:
            section.append(text)
            if text.strip() == page.ARTICLE_END:
                yield _of_section(section)
                section = []
    if section:
        raise AuditError("not an audit: the page ends within an incident")


def _of_section(section: list[str]) -> dict[str, Any]:
    evidence = next((each for each in section if each.startswith(page.EVIDENCE_BEGIN)), "")
    inner = evidence.strip().removeprefix(page.EVIDENCE_BEGIN).removesuffix(page.EVIDENCE_END)
    try:
        document = orjson.loads(unescape(inner))
        again = page.section(document)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise AuditError(f"not an audit: the evidence of an incident cannot be read: {error!r}") from error
    if again != "".join(section):
        incident_id = document["incident"]["id"]
        raise AuditError(f"{incident_id}: what people read on the page is not what its evidence says")
    if not isinstance(document, dict):
        raise AuditError("not an audit: the evidence is no object")
    return document


def _bounded(lines: IO[bytes]) -> Iterator[bytes]:
    while line := lines.readline(LINE_BYTES_MAX + 1):
        if len(line) > LINE_BYTES_MAX:
            raise AuditError(f"a line of more than {LINE_BYTES_MAX >> 20} MiB is no audit of one incident")
        yield line

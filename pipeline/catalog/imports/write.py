"""Backstage descriptors as YAML: the same entities give the same bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from pipeline.catalog.annotations import GENERATED_BY
from pipeline.catalog.imports.gathered import COMPONENT, GROUP, Found, ImportFailedError

ENTITIES_OF_A_FILE_MAX: Final = 2_000
"""Some 100,000 lines: a quarter of what one file may hold, and an editor still opens it."""

MARK: Final = "# Written by spillway catalog import ({source}): a further import writes it anew. Put what people know\n"
_MARK_NEXT: Final = "# into a file of its own, under the same kind and name: it leads, and this adds to it.\n"
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*(?::[A-Za-z][A-Za-z0-9_./-]*)?")
_WORDS: Final = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))


def descriptors(found: Iterable[Found], source: str) -> list[dict[str, Any]]:
    """One document for each entity, by kind and name."""
    order = {GROUP: 0, "System": 1, COMPONENT: 2, "Resource": 3}
    return [_document(each, source) for each in sorted(found, key=lambda one: (order[one.kind], one.name))]


def _document(found: Found, source: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": found.name}
    if found.title and found.title != found.name:
        metadata["title"] = found.title
    if found.description:
        metadata["description"] = found.description
    if found.labels:
        metadata["labels"] = dict(sorted(found.labels.items()))
    metadata["annotations"] = {**dict(sorted(found.annotations.items())), GENERATED_BY: source}
    spec: dict[str, Any] = {"type": found.type or "team", "children": []} if found.kind == GROUP else {}
    if found.type and found.kind != GROUP:
        spec["type"] = found.type
    if found.kind == COMPONENT:
        spec["lifecycle"] = "unknown"  # Backstage wants one, and no source says it
    if found.owner is not None:
        spec["owner"] = found.owner
    if found.system is not None:
        spec["system"] = found.system
    if found.needs:
        spec["dependsOn"] = sorted(found.needs)
    return {"apiVersion": "backstage.io/v1alpha1", "kind": found.kind, "metadata": metadata, "spec": spec}


def to_yaml(documents: Sequence[Mapping[str, Any]], source: str) -> str:
    """A file's text, with its mark."""
    return MARK.format(source=source) + _MARK_NEXT + "".join(f"---\n{_mapping(each, '')}" for each in documents)


def write(documents: Sequence[Mapping[str, Any]], source: str, directory: Path) -> list[Path]:
    """Bring the files of an import in a directory up to date; answers those that were changed or removed.

    Raises:
        ImportFailedError: a file of that name was not written by an import, or cannot be written.
    """
    parts = [
        documents[start : start + ENTITIES_OF_A_FILE_MAX] for start in range(0, len(documents), ENTITIES_OF_A_FILE_MAX)
    ]
    texts = {_name(source, number): to_yaml(part, source) for number, part in enumerate(parts, start=1)}
    changed: list[Path] = []
    try:
        present = {path.name: path.read_text("utf-8") for path in directory.glob(f"imported-{source}*.yaml")}
        for name in sorted({*texts, *(each for each in present if _is_ours(each, source))}):
            before, after = present.get(name), texts.get(name)
            if before is not None and not before.startswith(MARK.format(source=source)):
                raise ImportFailedError(f"{directory / name} was not written by an import: rename it, then try again")
            if after is None:
                (directory / name).unlink()
            elif before != after:
                (directory / name).write_text(after, "utf-8")
            if before != after:
                changed.append(directory / name)
    except (OSError, UnicodeDecodeError) as error:
        raise ImportFailedError(f"{directory}: {error}") from error
    return changed


def _name(source: str, number: int) -> str:
    return f"imported-{source}.yaml" if number == 1 else f"imported-{source}-{number}.yaml"


def _is_ours(name: str, source: str) -> bool:
    return re.fullmatch(rf"imported-{re.escape(source)}(-\d+)?\.yaml", name) is not None


def _mapping(value: Mapping[str, Any], indent: str) -> str:
    lines: list[str] = []
    for key, each in value.items():
        if isinstance(each, Mapping):
            lines.append(f"{indent}{_scalar(key)}:\n{_mapping(each, indent + '  ')}" if each else "")
        elif isinstance(each, list) and each:
            items = "".join(f"{indent}  - {_scalar(item)}\n" for item in each)
            lines.append(f"{indent}{_scalar(key)}:\n{items}")
        else:
            lines.append(f"{indent}{_scalar(key)}: {'[]' if isinstance(each, list) else _scalar(each)}\n")
    return "".join(lines)


def _scalar(text: str) -> str:
    """A text as YAML: plain where every reader takes it for a text, else in quotes. No control goes out."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return orjson.dumps("".join(each if each.isprintable() else " " for each in text)).decode()

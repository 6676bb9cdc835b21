"""Which fields of a source's payload its adapter cannot do without: found by taking each out of the samples.

    python -m tools.field_needs      # writes pipeline/feeds/needs.json

A field is needed to be *read* where its adapter refuses the message, makes something else of it, or finds no longer
what has ended, once a pseudonym stands there. It is part of the *identity* where its alerts are told apart by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson

from pipeline.core.privacy.fields import folded, name_beside_value
from pipeline.core.privacy.redactor import Redactor
from pipeline.feeds.needs import FILE
from pipeline.models.alert import Alert
from pipeline.models.decision import BadRecord
from pipeline.models.privacy import Privacy, RedactAction, RedactRule
from tests.feeds.payloads import SAMPLE_OF, Sample

ROOT: Final = Path(__file__).parent.parent

Said = list[tuple[Any, ...]]


def needs() -> dict[str, dict[str, list[str]]]:
    """Adapter -> what it needs: ``reads`` and ``identity``, each paths from the top."""
    found: dict[str, dict[str, set[str]]] = {}
    for sample in SAMPLE_OF.values():
        document = sample.document()
        if not isinstance(document, dict | list):
            continue
        parts = found.setdefault(sample.adapter, {"reads": set(), "identity": set()})
        plain = _said(sample, document)
        for path in sorted(set(_paths(document, ()))):
            written = ".".join(("$", *path))
            pseudonymous = _said(sample, _taken_out(document, written, RedactAction.PSEUDONYMISE))
            if _shape(pseudonymous) != _shape(plain) or not _still_meets(sample, written, pseudonymous):
                parts["reads"].add(written)
            elif _keys(pseudonymous) != _keys(plain):
                parts["identity"].add(written)
    for parts in found.values():
        parts["identity"] -= parts["reads"]
    return {
        name: {part: sorted(paths) for part, paths in sorted(parts.items())} for name, parts in sorted(found.items())
    }


def _still_meets(sample: Sample, path: str, said: Said) -> bool:
    """Whether the end of a condition still finds its beginning: some words mean one of the two."""
    if sample.meets is None:
        return True
    other = SAMPLE_OF[sample.meets]
    ends = _said(other, _taken_out(other.document(), path, RedactAction.PSEUDONYMISE))
    return bool(set(_keys(said)) & set(_keys(ends)))


def _paths(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Paths of all fields that hold a text or a number."""
    if isinstance(value, dict):
        about = name_beside_value(value)
        for name, each in value.items():
            inner = (*path, folded(about if about and name in ("value", "Value") else name))
            if all(part and "." not in part and part not in ("$", "*") for part in inner):
                yield from _paths(each, inner)
    elif isinstance(value, list):
        for each in value:
            yield from _paths(each, path)
    elif isinstance(value, str) and value.startswith(("{", "[")):
        try:
            yield from _paths(orjson.loads(value), path)
        except orjson.JSONDecodeError:
            yield path
    elif isinstance(value, str | int | float) and not isinstance(value, bool) and path:
        yield path


def _taken_out(document: Any, path: str, action: RedactAction) -> Any:
    redactor = Redactor(Privacy(redact={"field": RedactRule(fields=(path,), action=action)})).of_feed("any")
    return document if redactor is None else redactor.document(document)


def _said(sample: Sample, document: Any) -> Said:
    """What an adapter makes of a document, as far as decisions hang on it."""
    try:
        results = sample.read(document)
    except BadRecord as bad:
        return [(bad.reason,)]
    return [_of(each) for each in results]


def _of(result: Alert | BadRecord) -> tuple[Any, ...]:
    if isinstance(result, BadRecord):
        return (result.reason,)
    times = (result.event_at_ms, result.ended_at_ms)
    return result.kind, result.severity, *times, result.alert_key


def _shape(said: Said) -> Said:
    return [each[:-1] if len(each) > 1 else each for each in said]


def _keys(said: Said) -> list[Any]:
    return [each[-1] for each in said]


def main() -> None:
    """Write the file."""
    FILE.write_bytes(orjson.dumps(needs(), option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    main()

"""What adapters share that make labels: facts that may be missing, lists of names, lists of tags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping


def known(labels: Mapping[str, str | None]) -> dict[str, str]:
    """The labels that have a value."""
    return {label: value for label, value in labels.items() if value}


def first_and_all(label: str, names: Iterable[str]) -> dict[str, str]:
    """The first of several names under a label, and where there are more, all of them under its plural."""
    different = list(dict.fromkeys(names))
    if len(different) > 1:
        return {label: different[0], f"{label}s": ", ".join(different)}
    return dict.fromkeys((label,), different[0]) if different else {}


def listed(text: str) -> Iterator[str]:
    """The parts of a list with commas."""
    return (part for each in text.split(",") if (part := each.strip()))


def tag_labels(tags: Iterable[str]) -> dict[str, str]:
    """Tags ``name:value`` as labels. A name may come several times; tags without value share the label ``tags``."""
    labels: dict[str, str] = {}
    bare: list[str] = []
    for tag in dict.fromkeys(tags):
        name, found, value = tag.partition(":")
        if not found or not name:
            bare.append(tag)
        else:
            labels[name] = f"{labels[name]}, {value}" if name in labels else value
    return {**labels, **known({"tags": ", ".join(bare)})}

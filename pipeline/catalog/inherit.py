"""Inheritance of policy packs: ``extends`` names a parent, and what a pack does not say is as the parent has it.

The rules, which hold at any depth of a pack:

- A mapping is merged key by key.
- A list or a value replaces the inherited one.
- ``{before: [...], after: [...]}`` in place of a list adds to the inherited one; an entry with the ``name`` of an
  inherited one takes its place. Where no parent says anything, the inherited list is the built-in one.
- ``null`` in place of an inherited mapping or list takes it away, so that the default is in force.

A merged document still knows the file and the line of each of its values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from pipeline.catalog.problems import Findings, Place, suggestion
from pipeline.catalog.yaml_lines import Document, Path
from pipeline.models.policy import DomainPolicy
from pipeline.models.scales import PRIORITIES_MAX

BUILT_IN: Final = "built-in"
"""Name of the parent of all: the defaults of this release."""

PARENTS_MAX: Final = 8
"""Packs in a line of inheritance: company, region, site and team are four; nobody can follow more."""

EXTENDS: Final = "extends"
ABSTRACT: Final = "abstract"
ABSTRACT_PREFIX: Final = "_"
"""A file whose name begins so is a parent alone, as if it said ``abstract: true``."""

OWN: Final = frozenset(("domain", "title", ABSTRACT, EXTENDS))
"""What a pack says of itself and no heir has."""

_ADDS: Final = frozenset(("before", "after"))


class Tree(NamedTuple):
    """A value with its place.

    Attributes:
        value: a mapping or list of trees, or a scalar.
        place: None for what no file says.
    """

    value: Any
    place: Place | None


def is_abstract(name: str, document: Document) -> bool:
    """Whether a pack is nothing but a parent."""
    return name.startswith(ABSTRACT_PREFIX) or (
        isinstance(document.value, dict) and document.value.get(ABSTRACT) is True
    )


def inherit(documents: Mapping[str, Document], unreadable: set[str], findings: Findings) -> dict[str, Document]:
    """Each pack with all that it inherits; one whose line of inheritance is broken is left out.

    Args:
        documents: of the packs, by name.
        unreadable: packs whose files could not be read, which was told.
        findings: takes what is wrong.
    """
    merged: dict[str, Document] = {}
    for name, document in documents.items():
        line = _line(name, documents, unreadable, findings)
        if line is not None:
            merged[name] = _merged(document, line)
    return merged


def _line(
    name: str, documents: Mapping[str, Document], unreadable: set[str], findings: Findings
) -> list[Document | None] | None:
    """The documents of a pack and its parents, itself first, None for the built-in one; None where that is broken."""
    names, line = [name], list[Document | None]([documents[name]])
    while (document := line[-1]) is not None and isinstance(document.value, dict) and EXTENDS in document.value:
        parent, where = document.value[EXTENDS], document.at(EXTENDS)
        if parent == BUILT_IN:
            line.append(None)
        elif not isinstance(parent, str) or parent not in documents:
            if parent not in unreadable:
                near = suggestion(str(parent), [*documents, BUILT_IN]) or f"; '{BUILT_IN}' is the built-in one"
                findings.problem(where, f"extends: there is no pack '{parent}' in domains/{near}")
            return None
        elif parent in names:
            findings.problem(where, f"extends: runs in a circle: {' -> '.join([*names, parent])}")
            return None
        elif len(names) > PARENTS_MAX:
            findings.problem(where, f"extends: more than {PARENTS_MAX} parents in a line: {' -> '.join(names)}")
            return None
        else:
            names.append(parent)
            line.append(documents[parent])
    return line


def parents(document: Document, documents: Mapping[str, Document]) -> Iterator[str]:
    """Names of the parents of a pack whose line of inheritance is whole, nearest first."""
    while isinstance(document.value, dict) and isinstance(parent := document.value.get(EXTENDS), str):
        yield parent
        if parent == BUILT_IN:
            return
        document = documents[parent]


def _merged(own: Document, line: list[Document | None]) -> Document:
    if not all(each is None or isinstance(each.value, dict) for each in line):
        return own  # what it should be is told when it is validated
    built_in = _built_in([each for each in line if each is not None])
    tree = built_in if line[-1] is None else Tree({}, None)
    for document in reversed(line):
        if document is None:
            continue
        written = _tree(document, document.value, ())
        if document is not own:
            written = Tree({name: each for name, each in written.value.items() if name not in OWN}, written.place)
        tree = _settled(_merge(tree, written), built_in)
    whole = Document(own.file, own.line, None)
    whole.value = _plain(tree, (), whole)
    return whole


def _built_in(line: list[Document]) -> Tree:
    """The built-in pack, in the words of the scale of priorities that is in force in the line."""
    scale = next((each.value["priorities"] for each in line if "priorities" in each.value), None)
    written = {"domain": BUILT_IN} | ({"priorities": scale} if _is_scale(scale) else {})
    content = DomainPolicy.model_validate(written).model_dump(mode="json", exclude={*OWN, "version"})
    return _unplaced(content)


def _is_scale(scale: Any) -> bool:
    usable = isinstance(scale, list) and 0 < len(scale) <= PRIORITIES_MAX
    return usable and all(isinstance(each, str) for each in scale)


def _unplaced(value: Any) -> Tree:
    if isinstance(value, dict):
        return Tree({name: _unplaced(each) for name, each in value.items()}, None)
    return Tree([_unplaced(each) for each in value] if isinstance(value, list) else value, None)


def _tree(document: Document, value: Any, path: Path) -> Tree:
    place = document.at(*path)
    if isinstance(value, dict):
        return Tree({name: _tree(document, each, (*path, name)) for name, each in value.items()}, place)
    if isinstance(value, list):
        return Tree([_tree(document, each, (*path, index)) for index, each in enumerate(value)], place)
    return Tree(value, place)


def _merge(parent: Tree, child: Tree) -> Tree:
    """What a child makes of what it inherits; it has the child's place."""
    if isinstance(parent.value, list) and _adds(child):
        return Tree(_added(parent.value, child.value), child.place)
    if not (isinstance(parent.value, dict) and isinstance(child.value, dict)):
        return child
    merged = dict(parent.value)
    for name, each in child.value.items():
        inherited = parent.value.get(name)
        if inherited is None:
            merged[name] = each
        elif each.value is None and isinstance(inherited.value, dict | list):
            del merged[name]
        else:
            merged[name] = _merge(inherited, each)
    return Tree(merged, child.place)


def _settled(tree: Tree, built_in: Tree) -> Tree:
    """What is added to a list of which no parent says anything is added to the built-in one."""
    if isinstance(built_in.value, list) and _adds(tree):
        return Tree(_added(built_in.value, tree.value), tree.place)
    if not (isinstance(tree.value, dict) and isinstance(built_in.value, dict)):
        return tree
    settled = {
        name: _settled(each, built_in.value[name]) if name in built_in.value else each
        for name, each in tree.value.items()
    }
    return Tree(settled, tree.place)


def _adds(tree: Tree) -> bool:
    """Whether a value is written as what comes before and after an inherited list."""
    value = tree.value
    return (
        isinstance(value, dict)
        and bool(value)
        and value.keys() <= _ADDS
        and all(isinstance(each.value, list) for each in value.values())
    )


def _added(inherited: list[Tree], added: dict[str, Tree]) -> list[Tree]:
    before = added["before"].value if "before" in added else []
    after = added["after"].value if "after" in added else []
    names = {name for each in (*before, *after) if (name := _name(each)) is not None}
    return [*before, *(each for each in inherited if _name(each) not in names), *after]


def _name(entry: Tree) -> str | None:
    """The name by which an entry of a list is the same as another; None where it has none."""
    name = entry.value.get("name") if isinstance(entry.value, dict) else None
    return name.value if name is not None and isinstance(name.value, str) else None


def _plain(tree: Tree, path: Path, whole: Document) -> Any:
    """The value of a tree; the document learns the places on the way."""
    if tree.place is not None:
        whole.lines[path] = tree.place.line
        if tree.place.file != whole.file:
            whole.files[path] = tree.place.file
    if isinstance(tree.value, dict):
        return {name: _plain(each, (*path, name), whole) for name, each in tree.value.items()}
    if isinstance(tree.value, list):
        return [_plain(each, (*path, index), whole) for index, each in enumerate(tree.value)]
    return tree.value

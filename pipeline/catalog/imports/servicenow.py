"""ServiceNow: exports of ``cmdb_ci_*`` and ``cmdb_rel_ci``, as CSV or as the Table API's JSON.

Both name columns as the tables do. A reference is a plain sys_id, a name (CSV shows what people see), or an object
with ``value``, ``display_value`` and ``link``, by how it was asked for.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from pipeline.catalog.annotations import PREFIX
from pipeline.catalog.imports.gathered import (
    COMPONENT,
    RESOURCE,
    Found,
    Gathered,
    ImportFailedError,
    distinct_names,
    slug,
)

# Beginning of a class -> kind and type. The longest beginning wins: classes are built on each other.
CLASSES: Final[dict[str, tuple[str, str]]] = {
    "cmdb_ci_service": (COMPONENT, "service"),
    "cmdb_ci_business_app": (COMPONENT, "application"),
    "cmdb_ci_appl": (COMPONENT, "application"),
    "cmdb_ci_app_server": (COMPONENT, "application"),
    "cmdb_ci_web_server": (COMPONENT, "web-server"),
    "cmdb_ci_web_site": (COMPONENT, "website"),
    "cmdb_ci_db_": (RESOURCE, "database"),
    "cmdb_ci_database": (RESOURCE, "database"),
    "cmdb_ci_msd": (RESOURCE, "database"),
    "cmdb_ci_server": (RESOURCE, "server"),
    "cmdb_ci_linux_server": (RESOURCE, "server"),
    "cmdb_ci_unix_server": (RESOURCE, "server"),
    "cmdb_ci_win_server": (RESOURCE, "server"),
    "cmdb_ci_aix_server": (RESOURCE, "server"),
    "cmdb_ci_solaris_server": (RESOURCE, "server"),
    "cmdb_ci_mainframe": (RESOURCE, "server"),
    "cmdb_ci_computer": (RESOURCE, "server"),
    "cmdb_ci_esx_server": (RESOURCE, "hypervisor"),
    "cmdb_ci_hyper_v_server": (RESOURCE, "hypervisor"),
    "cmdb_ci_vm": (RESOURCE, "virtual-machine"),
    "cmdb_ci_cluster": (RESOURCE, "cluster"),
    "cmdb_ci_vcenter_cluster": (RESOURCE, "cluster"),
    "cmdb_ci_win_cluster": (RESOURCE, "cluster"),
    "cmdb_ci_kubernetes_cluster": (RESOURCE, "kubernetes-cluster"),
    "cmdb_ci_kubernetes_node": (RESOURCE, "node"),
    "cmdb_ci_rack": (RESOURCE, "rack"),
    "cmdb_ci_datacenter": (RESOURCE, "datacenter"),
    "cmdb_ci_zone": (RESOURCE, "zone"),
    "cmdb_ci_availability_zone": (RESOURCE, "availability-zone"),
    "cmdb_ci_logical_datacenter": (RESOURCE, "region"),
    "cmdb_ci_cloud_service_account": (RESOURCE, "provider-account"),
    "cmdb_ci_ip_": (RESOURCE, "network-device"),
    "cmdb_ci_netgear": (RESOURCE, "network-device"),
    "cmdb_ci_lb": (RESOURCE, "load-balancer"),
    "cmdb_ci_storage": (RESOURCE, "storage"),
    "cmdb_ci_san": (RESOURCE, "storage"),
    "cmdb_ci_queue": (RESOURCE, "queue"),
}

# What the parent does to the child, in the words before "::".
PARENT_NEEDS_CHILD: Final = frozenset(
    (
        "depends on", "uses", "runs on", "hosted on", "hosted by", "virtualized by", "instantiated by", "connects to",
        "contained by", "member of", "located in", "located on", "powered by", "provided by", "consumes",
        "receives data from", "impacted by", "supported by", "deployed on", "implement end point from",
    )
)  # fmt: skip
CHILD_NEEDS_PARENT: Final = frozenset(
    (
        "used by", "runs", "hosts", "virtualizes", "instantiates", "connected by", "contains", "members", "houses",
        "powers", "provides", "consumed by", "sends data to", "impacts", "supports", "deploys", "cluster of",
        "implement end point to",
    )
)  # fmt: skip
_RETIRED: Final = frozenset(("retired", "absent", "end of life", "stolen", "7", "100"))
_HOST_TYPES: Final = frozenset(("server", "hypervisor", "virtual-machine", "node"))
_TIER: Final = {"1": "1", "2": "2", "3": "3", "4": "4"}
_SEPARATOR: Final = "::"

Row = Mapping[str, Any]


def gather(files: Iterable[tuple[str, bytes]]) -> Gathered:
    """Entities and dependencies of export files.

    Args:
        files: name and content of each.

    Raises:
        ImportFailedError: a file is neither CSV nor JSON of the Table API.
    """
    gathered = Gathered()
    items: dict[str, Row] = {}
    relations: list[Row] = []
    types: dict[str, str] = {}
    for name, data in files:
        for row in _rows(name, data, gathered):
            if "parent_descriptor" in row:
                types[_identity(row.get("sys_id"))] = f"{_text(row['parent_descriptor'])}{_SEPARATOR}"
            elif "parent" in row and "child" in row:
                relations.append(row)
            else:
                items.setdefault(_identity(row.get("sys_id")) or _text(row.get("name")), row)
    references = _enter(items, gathered)
    for row in relations:
        _relate(row, references, types, gathered)
    return gathered


# -- rows


def _rows(name: str, data: bytes, gathered: Gathered) -> list[Row]:
    text = _decoded(name, data, gathered)
    if text.lstrip()[:1] in ("{", "["):
        return _json_rows(name, text)
    reader = csv.DictReader(io.StringIO(text, newline=""))
    columns = [(column or "").strip().lower() for column in reader.fieldnames or ()]
    if not {"name", "parent", "parent_descriptor"} & set(columns):
        raise ImportFailedError(
            f"{name}: neither CSV nor JSON of ServiceNow: a column 'name' (cmdb_ci) or 'parent' and 'child' "
            "(cmdb_rel_ci) is missing; export with the tables' column names"
        )
    reader.fieldnames = columns
    try:
        return list(reader)
    except csv.Error as error:
        raise ImportFailedError(f"{name}: line {reader.line_num}: not CSV ({error})") from error


def _decoded(name: str, data: bytes, gathered: Gathered) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        gathered.remark(f"{name} is not UTF-8: read as Windows-1252, as older exports are")
        return data.decode("cp1252", "replace")


def _json_rows(name: str, text: str) -> list[Row]:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ImportFailedError(f"{name}: line {error.lineno}, column {error.colno}: not JSON") from error
    rows = document.get("result", document.get("records")) if isinstance(document, dict) else document
    rows = [rows] if isinstance(rows, dict) else rows  # one record asked for by its id
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ImportFailedError(f"{name}: not JSON of the Table API: expected 'result' with a list of records")
    return rows


def _text(cell: object) -> str:
    """What people see of a cell."""
    if isinstance(cell, dict):
        cell = cell.get("display_value") or cell.get("value")
    return str(cell).strip() if isinstance(cell, str | int | float) else ""


def _identity(cell: object) -> str:
    """The id in a cell: of a record itself, or of what it refers to."""
    if isinstance(cell, dict):
        link = cell.get("link")
        found = cell.get("value") or (link.rpartition("/")[2] if isinstance(link, str) else "")
        return str(found or _text(cell)).strip()
    return _text(cell)


# -- entities


def _enter(items: Mapping[str, Row], gathered: Gathered) -> dict[str, str]:
    """Enter all entities; answers id and name of each -> its reference. A name that several have means none."""
    kinds: dict[str, tuple[str, str]] = {}
    for identity, row in items.items():
        known = _kind(row, gathered)
        if known is not None:
            kinds[identity] = known
    names: dict[str, str] = {}
    for kind in (COMPONENT, RESOURCE):
        wanted = ((each, _text(items[each].get("name")), each) for each in kinds if kinds[each][0] == kind)
        names |= distinct_names(wanted)
    references: dict[str, str] = {}
    shared: set[str] = set()
    for identity, (kind, kind_type) in kinds.items():
        found = gathered.add(_found(items[identity], kind, kind_type, names[identity], gathered))
        references[identity] = found.ref
        name = _text(items[identity].get("name")).lower()
        if references.setdefault(name, found.ref) != found.ref:
            shared.add(name)
    for name in shared:
        del references[name]
    return references


def _kind(row: Row, gathered: Gathered) -> tuple[str, str] | None:
    """Kind and type of a record; None, with a remark, where it is left out."""
    if not _text(row.get("name")):
        gathered.remark("a record without a name is left out")
        return None
    if _text(row.get("install_status")).lower() in _RETIRED or _text(row.get("operational_status")).lower() in _RETIRED:
        gathered.remark("what is retired is left out")
        return None
    class_name = _identity(row.get("sys_class_name")).lower()
    best = max((each for each in CLASSES if class_name.startswith(each)), key=len, default=None)
    if best is None:
        said = class_name if class_name.isidentifier() else "(none or a label)"
        gathered.remark(f"class {said} is not known: its records are left out")
        return None
    return CLASSES[best]


def _found(row: Row, kind: str, kind_type: str, name: str, gathered: Gathered) -> Found:
    title = _text(row.get("name"))
    found = Found(kind, name, title=title, description=_text(row.get("short_description")), type=kind_type)
    for column in ("support_group", "managed_by_group", "assignment_group"):
        owner = _text(row.get(column))
        if owner:
            found.owner = gathered.group(owner)
            break
    hosts = [_text(row.get(column)).lower() for column in ("fqdn", "host_name", "ip_address")]
    if kind_type in _HOST_TYPES and any(hosts):
        found.labels["host"] = ",".join(dict.fromkeys(host for host in hosts if host and "," not in host))
    environment = _text(row.get("environment")) or _text(row.get("used_for"))
    if environment and not environment.isdigit():
        found.annotations[PREFIX + "environment"] = slug(environment)
    tier = _TIER.get(_text(row.get("busines_criticality"))[:1])  # the column is spelt so
    if tier is not None:
        found.annotations[PREFIX + "tier"] = tier
    return found


# -- dependencies


def _relate(row: Row, references: Mapping[str, str], types: Mapping[str, str], gathered: Gathered) -> None:
    ends = [_end(row.get(column), references) for column in ("parent", "child")]
    said = types.get(_identity(row.get("type")), _text(row.get("type")))
    word = said.partition(_SEPARATOR)[0].strip().lower()
    parent, child = ends
    if parent is None or child is None:
        gathered.remark("a relation to something that is not in the files, or left out, is left out")
    elif parent == child:
        gathered.remark("a relation of something to itself is left out")
    elif word in PARENT_NEEDS_CHILD:
        gathered.entities[parent].needs.add(child)
    elif word in CHILD_NEEDS_PARENT:
        gathered.entities[child].needs.add(parent)
    elif _SEPARATOR in said:
        gathered.remark(f"relation type '{said[:60]}' says nothing about dependence, or is not known")
    else:
        gathered.remark("a relation type is an id: export with display values, or cmdb_rel_type as well")


def _end(cell: object, references: Mapping[str, str]) -> str | None:
    return references.get(_identity(cell)) or references.get(_text(cell).lower())

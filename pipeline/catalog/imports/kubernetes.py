"""Kubernetes: what ``kubectl get deploy,sts,ds,pod,node,svc -A -o json`` (or ``-o yaml``) prints.

A workload is a Component; it depends on the nodes that its pods run on and on the cluster, a node on its zone, a zone
on its region. Facts are read from the recommended labels, from ``spillway.dev/`` annotations of the workload, which
go over as they are, and from ``backstage.io/kubernetes-id``, which names the Component.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import orjson
import yaml

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

WORKLOADS: Final = ("Deployment", "StatefulSet", "DaemonSet")

NODES_NAMED_MAX: Final = 16
"""A workload on more nodes than this does not go down with one of them: it depends on the cluster alone."""

ZONE: Final = "topology.kubernetes.io/zone"
REGION: Final = "topology.kubernetes.io/region"
_NAME: Final = "app.kubernetes.io/name"
_PART_OF: Final = "app.kubernetes.io/part-of"
_COMPONENT: Final = "app.kubernetes.io/component"
_BACKSTAGE_ID: Final = "backstage.io/kubernetes-id"
_OWNER_LABELS: Final = ("owner", "team")
_CLUSTER_LABELS: Final = (
    "alpha.eksctl.io/cluster-name",
    "eks.amazonaws.com/cluster",
    "kubernetes.azure.com/cluster",
    "cluster.x-k8s.io/cluster-name",
)
_ENDED_PHASES: Final = frozenset(("Succeeded", "Failed"))
_DATABASES: Final = frozenset(("database", "db"))

# Every scalar is a text: no label becomes a date or a number, and no tag an object.
_LOADER: Final = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

Thing = Mapping[str, Any]
Key = tuple[str, str, str]


def gather(files: Iterable[tuple[str, bytes]], cluster: str | None = None) -> Gathered:
    """Entities and dependencies of what kubectl printed.

    Args:
        files: name and content of each.
        cluster: name of the cluster, which kubectl does not print; None: by the nodes' labels, if they have one.

    Raises:
        ImportFailedError: a file is neither JSON nor YAML of Kubernetes.
    """
    gathered = Gathered()
    by_kind: dict[str, list[Thing]] = defaultdict(list)
    for name, data in files:
        for thing in _things(name, data):
            by_kind[str(thing.get("kind"))].append(thing)
    for kind in sorted(by_kind.keys() - {*WORKLOADS, "Pod", "Node", "Service"}):
        gathered.remark(f"kind {kind[:60]} is not read", len(by_kind[kind]))
    cluster_ref = _enter_cluster(by_kind["Node"], cluster, gathered)
    nodes = {_text(node, "metadata", "name"): _enter_node(node, gathered) for node in by_kind["Node"]}
    workloads = _enter_workloads([each for kind in WORKLOADS for each in by_kind[kind]], gathered)
    running = _nodes_of(by_kind["Pod"], workloads, gathered)
    for key, found in workloads.items():
        _place(found, running.get(key, set()), nodes, cluster_ref, gathered)
    _name_services(by_kind["Service"], by_kind, workloads, gathered)
    return gathered


# -- reading


def _things(name: str, data: bytes) -> Iterator[Thing]:
    try:
        documents = [orjson.loads(data)] if data.lstrip()[:1] == b"{" else list(yaml.load_all(data, _LOADER))
    except orjson.JSONDecodeError as error:
        raise ImportFailedError(f"{name}: line {error.lineno}, column {error.colno}: not JSON") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise ImportFailedError(f"{name}: {where}not YAML") from error
    for document in documents:
        if document in (None, ""):
            continue
        if not isinstance(document, dict) or "kind" not in document:
            raise ImportFailedError(f"{name}: not what kubectl prints with -o json or -o yaml: 'kind' is missing")
        items = document.get("items")
        if isinstance(items, list):
            kind = str(document["kind"]).removesuffix("List")  # DeploymentList: its items may leave their kind out
            yield from ({"kind": kind, **each} for each in items if isinstance(each, dict))
        else:
            yield document


def _at(thing: Thing, *path: str) -> object:
    value: object = thing
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _text(thing: Thing, *path: str) -> str:
    value = _at(thing, *path)
    return value if isinstance(value, str) else ""


def _texts(thing: Thing, *path: str) -> dict[str, str]:
    value = _at(thing, *path)
    return {str(key): str(each) for key, each in value.items()} if isinstance(value, dict) else {}


def _list(thing: Thing, *path: str) -> list[Thing]:
    value = _at(thing, *path)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


# -- where things run


def _enter_cluster(nodes: list[Thing], cluster: str | None, gathered: Gathered) -> str | None:
    labels = [_texts(node, "metadata", "labels") for node in nodes]
    told = {each[label] for each in labels for label in _CLUSTER_LABELS if label in each}
    if cluster is None and len(told) == 1:
        (cluster,) = told
    if cluster is None:
        gathered.remark("the cluster's name is not told: give it with --cluster to have it as an entity")
        return None
    return gathered.add(Found(RESOURCE, slug(cluster), title=cluster, type="kubernetes-cluster")).ref


def _enter_node(node: Thing, gathered: Gathered) -> str:
    labels = _texts(node, "metadata", "labels")
    name = _text(node, "metadata", "name")
    addresses = [_text(each, "address").lower() for each in _list(node, "status", "addresses")]
    found = Found(RESOURCE, slug(name), title=name, type="node")
    found.labels["host"] = ",".join(sorted({name.lower(), *filter(None, addresses)}))
    if zone := labels.get(ZONE):
        place = gathered.add(Found(RESOURCE, slug(zone), title=zone, type="zone"))
        found.needs.add(place.ref)
        if region := labels.get(REGION):
            wide = gathered.add(Found(RESOURCE, slug(region), title=region, type="region"))
            if wide is not place:
                place.needs.add(wide.ref)
    elif region := labels.get(REGION):
        found.needs.add(gathered.add(Found(RESOURCE, slug(region), title=region, type="region")).ref)
    else:
        gathered.remark("a node without a zone label")
    return gathered.add(found).ref


# -- workloads


def _key(thing: Thing) -> Key:
    return str(thing.get("kind")), _text(thing, "metadata", "namespace"), _text(thing, "metadata", "name")


def _enter_workloads(workloads: list[Thing], gathered: Gathered) -> dict[Key, Found]:
    """Enter a Component for each workload; of those with one ``backstage.io/kubernetes-id`` one for all."""
    named: dict[Key, str] = {}
    for each in workloads:
        written = _texts(each, "metadata", "labels") | _texts(each, "metadata", "annotations")
        if identity := written.get(_BACKSTAGE_ID):
            named[_key(each)] = slug(identity)
    others = [_key(each) for each in workloads if _key(each) not in named]
    places = Counter((namespace, name) for _, namespace, name in others)
    own = distinct_names(
        ("/".join(key), key[2], key[1] if places[key[1:]] == 1 else f"{key[1]}-{key[0]}") for key in others
    )
    found: dict[Key, Found] = {}
    for each in sorted(workloads, key=_key):
        key = _key(each)
        name = named.get(key) or own["/".join(key)]
        found[key] = gathered.add(_component(each, name, gathered))
    return found


def _component(workload: Thing, name: str, gathered: Gathered) -> Found:
    labels = _texts(workload, "metadata", "labels")
    annotations = _texts(workload, "metadata", "annotations")
    found = Found(COMPONENT, name, title=_text(workload, "metadata", "name"), type="service")
    if labels.get(_COMPONENT, "").lower() in _DATABASES:
        found.type = "database"
    if application := labels.get(_NAME):
        found.labels[_NAME] = application
    if whole := labels.get(_PART_OF):
        found.system = gathered.system(whole)
    owner = next((labels[each] for each in _OWNER_LABELS if labels.get(each)), None)
    if owner is not None:
        found.owner = gathered.group(owner)
    found.annotations = {key: text for key, text in annotations.items() if key.startswith(PREFIX) and text.strip()}
    return found


def _nodes_of(pods: list[Thing], workloads: Mapping[Key, Found], gathered: Gathered) -> dict[Key, set[str]]:
    """Workload -> names of the nodes that its pods run on."""
    running: dict[Key, set[str]] = defaultdict(set)
    for pod in pods:
        node = _text(pod, "spec", "nodeName")
        if not node or _text(pod, "status", "phase") in _ENDED_PHASES:
            continue
        owner = _owner(pod)
        if owner is not None and owner in workloads:
            running[owner].add(node)
        else:
            what = owner[0] if owner else "nobody"
            gathered.remark(f"a pod that belongs to {what[:60]} is left out: its owner is not among the workloads")
    return running


def _owner(pod: Thing) -> Key | None:
    """The workload of a pod: its owner, or, where that is a ReplicaSet, the Deployment behind it."""
    owners = _list(pod, "metadata", "ownerReferences")
    owner = next(
        (each for each in owners if str(each.get("controller")).lower() == "true"), owners[0] if owners else None
    )
    if owner is None:
        return None
    kind, name = _text(owner, "kind"), _text(owner, "name")
    if kind == "ReplicaSet":
        template = _texts(pod, "metadata", "labels").get("pod-template-hash", "")
        kind, name = "Deployment", name.removesuffix(f"-{template}") if template else name.rpartition("-")[0]
    return kind, _text(pod, "metadata", "namespace"), name


def _place(found: Found, running: set[str], nodes: Mapping[str, str], cluster: str | None, gathered: Gathered) -> None:
    """Say what a workload runs on."""
    if cluster is not None:
        found.needs.add(cluster)
    known = {nodes[name] for name in running if name in nodes}
    if unknown := len(running) - len(known):
        gathered.remark("a node that pods run on is not in the files: get nodes as well", unknown)
    if len(known) <= NODES_NAMED_MAX:
        found.needs |= known
    else:
        gathered.remark(f"a workload on more than {NODES_NAMED_MAX} nodes depends on none of them by name")


def _name_services(
    services: list[Thing], by_kind: Mapping[str, list[Thing]], workloads: Mapping[Key, Found], gathered: Gathered
) -> None:
    """A Service that selects one workload is another name of it: alerts say it in the label ``service``."""
    templates = [
        (_key(each), _texts(each, "spec", "template", "metadata", "labels"))
        for kind in WORKLOADS
        for each in by_kind[kind]
    ]
    for service in sorted(services, key=_key):
        selector, (_, namespace, name) = _texts(service, "spec", "selector"), _key(service)
        selected = {
            key for key, labels in templates if selector and key[1] == namespace and selector.items() <= labels.items()
        }
        found = {workloads[key].ref: workloads[key] for key in selected}
        if len(found) != 1:
            gathered.remark(f"a Service that selects {'nothing' if not found else 'several workloads'} names none")
            continue
        (component,) = found.values()
        if slug(name) != component.name:
            component.labels.setdefault("service", name)

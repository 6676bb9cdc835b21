"""OpenTelemetry: a call graph from the service-graph metrics that Tempo or the Collector's connector make of traces.

``traces_service_graph_request_total{client, server, connection_type}`` as Prometheus prints it (text), or as its
query API answers (JSON).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, Final

import orjson
from prometheus_client.parser import text_string_to_metric_families

from pipeline.catalog.imports.gathered import COMPONENT, RESOURCE, Found, Gathered, ImportFailedError, slug

METRIC: Final = "traces_service_graph_request_total"
FAMILY: Final = METRIC.removesuffix("_total")

DATABASE: Final = "database"
MESSAGING: Final = frozenset(("messaging_system", "messaging"))
VIRTUAL: Final = "virtual_node"
OUTSIDE: Final = frozenset(("user", "unknown", ""))
"""Clients that are no service of anybody's: browsers, and what sends no traces."""

Edge = tuple[str, str, str]


def gather(files: Iterable[tuple[str, bytes]]) -> Gathered:
    """Components, databases and who needs whom.

    Args:
        files: name and content of each.

    Raises:
        ImportFailedError: a file is neither Prometheus text nor an answer of the query API.
    """
    gathered = Gathered()
    requests: dict[Edge, float] = {}
    for name, data in files:
        for labels, value in _samples(name, data):
            if "client" not in labels or "server" not in labels:
                gathered.remark("a series without client and server is left out")
                continue
            edge = labels["client"].strip(), labels["server"].strip(), labels.get("connection_type", "").strip()
            requests[edge] = requests.get(edge, 0.0) + (value if isfinite(value) else 0.0)
    for edge in sorted(requests):
        _enter(edge, requests[edge], gathered)
    return gathered


def _samples(name: str, data: bytes) -> Iterable[tuple[Mapping[str, str], float]]:
    return _from_api(name, data) if data.lstrip()[:1] == b"{" else _from_text(name, data)


def _from_api(name: str, data: bytes) -> list[tuple[Mapping[str, str], float]]:
    """Instant vectors, and the last values of ranges."""
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ImportFailedError(f"{name}: line {error.lineno}, column {error.colno}: not JSON") from error
    if document.get("status") != "success":
        kind = document.get("errorType", "no status")
        raise ImportFailedError(f"{name}: not a successful answer of Prometheus ({str(kind)[:60]})")
    result = document.get("data", {}).get("result") if isinstance(document.get("data"), dict) else None
    if not isinstance(result, list):
        raise ImportFailedError(f"{name}: data.result is no list: ask /api/v1/query for {METRIC}")
    return [_from_series(name, series) for series in result]


def _from_series(name: str, series: Any) -> tuple[Mapping[str, str], float]:
    try:
        value = series["value"] if "value" in series else series["values"][-1]
        return {str(key): str(text) for key, text in series["metric"].items()}, float(value[1])
    except (TypeError, KeyError, IndexError, ValueError, AttributeError) as error:
        raise ImportFailedError(f"{name}: a series in data.result has no 'metric' or no 'value'") from error


def _from_text(name: str, data: bytes) -> list[tuple[Mapping[str, str], float]]:
    try:
        families = list(text_string_to_metric_families(data.decode("utf-8-sig")))
    except (ValueError, KeyError, IndexError) as error:
        raise ImportFailedError(f"{name}: not Prometheus text, nor JSON of its query API") from error
    samples = [sample for family in families for sample in family.samples if sample.name in (METRIC, FAMILY)]
    if not samples:
        raise ImportFailedError(f"{name}: there is no series {METRIC}")
    return [(sample.labels, float(sample.value)) for sample in samples]


def _enter(edge: Edge, requests: float, gathered: Gathered) -> None:
    client, server, connection = edge
    if requests <= 0:
        gathered.remark("a connection without requests is left out")
        return
    if server in OUTSIDE:
        gathered.remark("a connection to nobody by name is left out")
        return
    outside = client.lower() in OUTSIDE
    # Of a connection with one side that sends no traces, that side is who calls from outside, or else who is called.
    served = gathered.add(_server(server, "" if outside and connection == VIRTUAL else connection, gathered))
    if outside:
        gathered.remark("calls from outside (a user, or what sends no traces) make nobody depend")
        return
    calling = gathered.add(Found(COMPONENT, slug(client), title=client, type="service"))
    if calling is served:
        gathered.remark("calls of a service to itself make nobody depend")
    elif connection in MESSAGING:
        served.needs.add(calling.ref)  # who consumes has nothing to do without who produces; not the other way round
    else:
        calling.needs.add(served.ref)


def _server(server: str, connection: str, gathered: Gathered) -> Found:
    if connection == DATABASE:
        return Found(RESOURCE, slug(server), title=server, type="database")
    if connection == VIRTUAL:
        return Found(RESOURCE, slug(server), title=server, type="external-service")
    if connection and connection not in MESSAGING:
        gathered.remark(f"connection type '{connection[:60]}' is not known: taken for a call")
    return Found(COMPONENT, slug(server), title=server, type="service")

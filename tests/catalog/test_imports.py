"""Imports: what exports come to, by hand; what is not understood is told; written files are descriptors."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from click.testing import CliRunner, Result

from pipeline.catalog import load_config
from pipeline.catalog.imports import kubernetes, service_graph, servicenow
from pipeline.catalog.imports.gathered import Found, Gathered
from pipeline.catalog.imports.write import descriptors, write
from pipeline.cli.catalog import catalog
from pipeline.core.alerts.enrich import Enricher
from tests.catalog.directory import component
from tests.catalog.directory import write as write_files

SAMPLES: Final = Path(__file__).parent / "samples"
Gather = Callable[..., Gathered]
GATHER: Final[dict[str, Gather]] = {
    "servicenow": servicenow.gather,
    "kubernetes": kubernetes.gather,
    "otel-service-graph": service_graph.gather,
}


def gathered(source: str, *names: str) -> Gathered:
    return GATHER[source]([(name, (SAMPLES / name).read_bytes()) for name in names])


def needs(found: Gathered) -> dict[str, set[str]]:
    """Components and Resources with what they depend on."""
    return {ref: each.needs for ref, each in found.entities.items() if each.kind in ("Component", "Resource")}


CASES: Final[dict[tuple[str, ...], dict[str, set[str]]]] = {
    ("servicenow", "cmdb_ci.csv", "cmdb_rel_ci.csv"): {
        "component:order-entry": {"component:order-entry-app"},
        "component:order-entry-app": {"resource:orderdb", "resource:lnx-muc-017"},
        "resource:orderdb": {"resource:lnx-muc-017"},
        "resource:lnx-muc-017": {"resource:muc-r12"},
        "resource:muc-r12": {"resource:munich-2"},
        "resource:munich-2": set(),
    },
    ("servicenow", "cmdb_ci.json", "cmdb_rel_ci.json", "cmdb_rel_type.json"): {
        "component:payroll": {"resource:reports-5b0f2a9c1b12"},
        "resource:reports-5b0f2a9c1b11": set(),
        "resource:reports-5b0f2a9c1b12": set(),
    },
    ("kubernetes", "kubectl.json"): {
        "component:basket-shop": {
            "resource:ip-10-0-1-7.ec2.internal",
            "resource:ip-10-0-2-9.ec2.internal",
            "resource:shop-eu",
        },
        "component:basket-lab": {"resource:shop-eu"},
        "component:basket-store": {"resource:ip-10-0-2-9.ec2.internal", "resource:shop-eu"},
        "component:log-forwarder": {"resource:shop-eu"},
        "component:prices": {"resource:shop-eu"},
        "resource:shop-eu": set(),
        "resource:ip-10-0-1-7.ec2.internal": {"resource:eu-central-1a"},
        "resource:ip-10-0-2-9.ec2.internal": {"resource:eu-central-1b"},
        "resource:eu-central-1a": {"resource:eu-central-1"},
        "resource:eu-central-1b": {"resource:eu-central-1"},
        "resource:eu-central-1": set(),
    },
    ("otel-service-graph", "service_graph.txt"): {
        "component:storefront": {"component:basket"},
        "component:basket": {"resource:basket-store", "resource:tax.partner.example"},
        "component:order-events": {"component:basket"},
        "component:shipping": {"component:order-events"},
        "resource:basket-store": set(),
        "resource:tax.partner.example": set(),
    },
    ("otel-service-graph", "service_graph.json"): {
        "component:storefront": {"component:basket"},
        "component:basket": {"resource:basket-store"},
        "resource:basket-store": set(),
    },
}


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_an_export_comes_to_entities_and_who_needs_whom(case: tuple[str, ...]) -> None:
    assert needs(gathered(*case)) == CASES[case]


def test_yaml_and_json_of_kubectl_are_one() -> None:
    assert gathered("kubernetes", "kubectl.yaml").entities == gathered("kubernetes", "kubectl.json").entities


@pytest.mark.parametrize(
    ("case", "ref", "facts"),
    [
        (
            ("servicenow", "cmdb_ci.csv"),
            "component:order-entry",
            {
                "title": "Order Entry",
                "type": "service",
                "owner": "order-management",
                "description": "Orders of wholesale customers",
                "annotations": {"spillway.dev/environment": "production", "spillway.dev/tier": "1"},
            },
        ),
        (
            ("servicenow", "cmdb_ci.csv"),
            "resource:lnx-muc-017",
            {"type": "server", "labels": {"host": "lnx-muc-017.corp.northwind.example,10.20.0.17"}},
        ),
        (("servicenow", "cmdb_ci.json"), "component:payroll", {"type": "application", "owner": "hr-systems"}),
        (
            ("kubernetes", "kubectl.json"),
            "component:basket-shop",
            {
                "title": "basket",
                "system": "shop",
                "owner": "storefront",
                "labels": {"app.kubernetes.io/name": "basket", "service": "basket-http"},
                "annotations": {"spillway.dev/tier": "1", "spillway.dev/aliases": "basket, cart"},
            },
        ),
        (("kubernetes", "kubectl.json"), "component:basket-store", {"type": "database", "owner": None}),
        (
            ("kubernetes", "kubectl.json"),
            "resource:ip-10-0-1-7.ec2.internal",
            {"type": "node", "labels": {"host": "10.0.1.7,ip-10-0-1-7.ec2.internal"}},
        ),
        (("otel-service-graph", "service_graph.txt"), "resource:tax.partner.example", {"type": "external-service"}),
    ],
)
def test_facts_are_those_of_the_source(case: tuple[str, ...], ref: str, facts: dict[str, Any]) -> None:
    found = gathered(*case).entities[ref]
    assert {name: getattr(found, name) for name in facts} == facts


@pytest.mark.parametrize(
    ("case", "remarks"),
    [
        (
            ("servicenow", "cmdb_ci.csv", "cmdb_rel_ci.csv"),
            {
                "a record without a name is left out": 1,
                "class u_cmdb_ci_vehicle is not known: its records are left out": 1,
                "what is retired is left out": 1,
                "a relation to something that is not in the files, or left out, is left out": 2,
                "relation type 'Managed by::Manages' says nothing about dependence, or is not known": 1,
            },
        ),
        (
            ("servicenow", "cmdb_ci.json", "cmdb_rel_ci.json"),
            {"a relation type is an id: export with display values, or cmdb_rel_type as well": 2},
        ),
        (
            ("kubernetes", "kubectl.json"),
            {
                "kind ConfigMap is not read": 1,
                "a pod that belongs to Job is left out: its owner is not among the workloads": 1,
                "a Service that selects nothing names none": 1,
            },
        ),
        (
            ("otel-service-graph", "service_graph.txt"),
            {
                "a connection without requests is left out": 1,
                "calls from outside (a user, or what sends no traces) make nobody depend": 1,
                "calls of a service to itself make nobody depend": 1,
            },
        ),
    ],
)
def test_what_is_not_understood_is_counted(case: tuple[str, ...], remarks: dict[str, int]) -> None:
    assert dict(gathered(*case).remarks) == remarks


def test_a_workload_on_many_nodes_depends_on_the_cluster_alone() -> None:
    labels = {"app": "wide"}
    items: list[dict[str, Any]] = [{"kind": "DaemonSet", "metadata": {"name": "wide", "namespace": "x"}}]
    for number in range(kubernetes.NODES_NAMED_MAX + 1):
        name = f"node-{number}"
        items.append({"kind": "Node", "metadata": {"name": name}})
        owners = [{"kind": "DaemonSet", "name": "wide", "controller": True}]
        meta = {"name": f"wide-{number}", "namespace": "x", "labels": labels, "ownerReferences": owners}
        items.append({"kind": "Pod", "metadata": meta, "spec": {"nodeName": name}})
    found = kubernetes.gather([("x", orjson.dumps({"kind": "List", "items": items}))], "prod")
    assert found.entities["component:wide"].needs == {"resource:prod"}


# -- written files


def run(*arguments: str) -> Result:
    return CliRunner().invoke(catalog, ["import", *arguments])


def sample_arguments(source: str) -> tuple[str, ...]:
    names = next(case[1:] for case in CASES if case[0] == source)
    return source, *(str(SAMPLES / name) for name in names)


@pytest.mark.parametrize("source", GATHER)
def test_what_is_written_loads_and_a_second_import_changes_nothing(source: str, tmp_path: Path) -> None:
    folder = tmp_path / "catalog"
    folder.mkdir()
    first = run(*sample_arguments(source), "--output", str(folder))
    assert first.exit_code == 0, first.output
    (file,) = folder.iterdir()
    before = (file.read_bytes(), file.stat().st_mtime_ns)

    second = run(*sample_arguments(source), "--output", str(folder))

    assert "nothing changed" in second.output
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
    assert run(*sample_arguments(source)).stdout_bytes == file.read_bytes()
    entities = load_config(tmp_path).catalogue.entities
    found = needs(GATHER[source]([(each, Path(each).read_bytes()) for each in sample_arguments(source)[1:]]))
    assert {ref.replace("default/", ""): {each.replace("default/", "") for each in entity.depends_on}
            for ref, entity in entities.items() if entity.kind != "system"} == found  # fmt: skip


def test_facts_written_by_hand_lead_and_an_import_adds_to_them(tmp_path: Path) -> None:
    by_hand = component(
        "basket",
        annotations='spillway.dev/tier: "3"\nspillway.dev/runbook: https://runbooks.example/basket',
        spec="owner: sales\ndependsOn: [component:prices]",
    ).replace("  name: basket\n", "  name: basket\n  labels: {team: sales}\n")
    others = "---\n".join((component("prices"), component("sales", kind="Group")))
    write_files(tmp_path, {"catalog/hand.yaml": by_hand, "catalog/others.yaml": others})
    graph = service_graph.gather([("x", (SAMPLES / "service_graph.txt").read_bytes())])
    graph.entities["component:basket"].owner = graph.group("Somebody Else")
    graph.entities["component:basket"].annotations = {"spillway.dev/tier": "1", "spillway.dev/users": "70"}
    graph.entities["component:basket"].labels = {"team": "other", "app": "basket"}
    write(descriptors(graph.entities.values(), "otel-service-graph"), "otel-service-graph", tmp_path / "catalog")

    basket = load_config(tmp_path).catalogue.entities["component:default/basket"]

    assert (basket.owner, basket.tier, basket.users, basket.labels) == (
        "sales",
        3,
        70,
        {"team": "sales", "app": "basket"},
    )
    assert basket.runbooks == {"default": "https://runbooks.example/basket"}
    assert set(basket.depends_on) == {
        "component:default/prices",
        "resource:default/basket-store",
        "resource:default/tax.partner.example",
    }
    assert basket.location == "catalog/hand.yaml:1"


def test_two_files_written_by_hand_may_not_describe_the_same(tmp_path: Path) -> None:
    write_files(tmp_path, {"catalog/a.yaml": component("basket"), "catalog/b.yaml": component("basket")})
    with pytest.raises(Exception, match="already described"):
        load_config(tmp_path)


def test_all_imports_together_are_one_catalogue_that_finds_what_alerts_name(tmp_path: Path) -> None:
    folder = tmp_path / "catalog"
    folder.mkdir()
    for source in GATHER:
        assert run(*sample_arguments(source), "--output", str(folder)).exit_code == 0
    enricher = Enricher(load_config(tmp_path))
    assert enricher.resolve("ip-10-0-2-9.ec2.internal") == "resource:default/ip-10-0-2-9.ec2.internal"
    assert enricher.resolve("10.20.0.17") == "resource:default/lnx-muc-017"
    assert enricher.resolve("cart") == "component:default/basket-shop"


def test_a_file_that_people_wrote_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "imported-kubernetes.yaml").write_text("# mine\n")
    result = run(*sample_arguments("kubernetes"), "--output", str(tmp_path))
    assert result.exit_code == 1
    assert "was not written by an import" in result.output
    assert (tmp_path / "imported-kubernetes.yaml").read_text() == "# mine\n"


def test_many_entities_go_to_several_files_and_files_that_are_too_many_go(tmp_path: Path) -> None:
    many = descriptors((Found("Component", f"c{number}") for number in range(4_500)), "servicenow")
    assert [path.name for path in write(many, "servicenow", tmp_path)] == [
        "imported-servicenow-2.yaml",
        "imported-servicenow-3.yaml",
        "imported-servicenow.yaml",
    ]
    write(many[:3], "servicenow", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["imported-servicenow.yaml"]


@pytest.mark.parametrize(
    ("source", "data", "said"),
    [
        ("servicenow", b"a;b\n1;2\n", "a column 'name'"),
        ("servicenow", b'{"result": "no"}', "expected 'result' with a list"),
        ("servicenow", b'{"result": [', "not JSON"),
        ("kubernetes", b'{"items": []}', "'kind' is missing"),
        ("kubernetes", b"a: [", "not YAML"),
        ("kubernetes", b'{"kind":', "not JSON"),
        ("otel-service-graph", b"some_metric 1\n", "there is no series"),
        ("otel-service-graph", b'{"status": "error", "errorType": "timeout"}', "timeout"),
        ("otel-service-graph", b'{"status": "success", "data": {"result": [{}]}}', "no 'metric'"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place_and_exit_code_1(
    source: str, data: bytes, said: str, tmp_path: Path
) -> None:
    (tmp_path / "given").write_bytes(data)
    result = run(source, str(tmp_path / "given"))
    assert result.exit_code == 1
    assert said in result.output
    assert str(tmp_path / "given") in result.output


def test_clusters_have_files_of_their_own_and_share_their_services(tmp_path: Path) -> None:
    folder = tmp_path / "catalog"
    folder.mkdir()
    for cluster in ("East", "west"):
        deployment = {"kind": "Deployment", "metadata": {"name": "basket", "namespace": "shop"}}
        (tmp_path / "given").write_bytes(orjson.dumps({"kind": "List", "items": [deployment]}))
        result = run("kubernetes", str(tmp_path / "given"), "--cluster", cluster, "--output", str(folder))
        assert result.exit_code == 0, result.output
    names = [path.name for path in sorted(folder.iterdir())]
    assert names == ["imported-kubernetes-east.yaml", "imported-kubernetes-west.yaml"]
    basket = load_config(tmp_path).catalogue.entities["component:default/basket"]
    assert basket.depends_on == ("resource:default/east", "resource:default/west")


def test_exit_codes_say_that_nothing_was_found_or_not_understood(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b'{"kind": "List", "items": []}')
    assert run("kubernetes", str(tmp_path / "empty")).exit_code == 2
    assert run(*sample_arguments("kubernetes"), "--strict").exit_code == 3
    assert run("kubernetes", str(tmp_path / "gone")).exit_code == 1


def test_a_service_graph_is_read_from_prometheus_itself(tmp_path: Path) -> None:
    body = (SAMPLES / "service_graph.json").read_bytes()
    asked: list[str] = []

    class Prometheus(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Prometheus)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_address[1]}/api/v1/query?query=traces_service_graph_request_total"
        result = run("otel-service-graph", address, "--output", str(tmp_path))
    finally:
        server.shutdown()
        server.server_close()
    assert result.exit_code == 0, result.output
    assert asked == ["/api/v1/query?query=traces_service_graph_request_total"]
    assert "component:basket" in (tmp_path / "imported-otel-service-graph.yaml").read_text()

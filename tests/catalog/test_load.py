"""What a good directory comes to."""

from __future__ import annotations

import shutil
from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipeline.catalog import check_config, load_config
from pipeline.core.alerts.enrich import Enricher
from pipeline.core.topology import Topology
from pipeline.feeds import ADAPTERS
from pipeline.models.catalog import HostingModel
from pipeline.models.policy import Config
from tests.catalog.directory import EXAMPLE, component, write


@pytest.fixture(scope="module")
def example() -> Config:
    """The example company."""
    return load_config(EXAMPLE, ADAPTERS)


def test_the_example_company_has_neither_problem_nor_warning() -> None:
    checked = check_config(EXAMPLE, ADAPTERS)

    assert (checked.problems, checked.warnings) == ((), ())


def test_no_directory_and_an_empty_one_are_the_defaults(tmp_path: Path) -> None:
    assert load_config(None) == load_config(tmp_path) == Config()


def test_a_catalogue_alone_works(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, {"catalog/a.yaml": component("checkout")}))

    assert list(config.catalogue.entities) == ["component:default/checkout"]
    assert config.policy(None).matrix["high"]["high"] == "P1"


def test_the_three_domains_of_the_example_differ_in_everything(example: Config) -> None:
    packs = list(example.domains.values())

    assert sorted(example.domains) == ["hospital", "retail", "workplace"]
    for field in ("categories", "impact", "urgency", "matrix", "targets", "escalation", "major_incident",
                  "business_hours", "closure", "communication"):  # fmt: skip
        assert len({repr(getattr(pack, field)) for pack in packs}) == len(packs), field


@pytest.mark.parametrize(
    ("name", "ref"),
    [
        ("payments-db-1", "resource:default/payments-db"),
        ("payments-db", "resource:default/payments-db"),
        ("basket", "component:default/checkout"),
        ("outlook", "component:default/corporate-mail"),
        ("patient chart", "component:default/electronic-health-records"),
        ("log in", "component:default/identity-provider"),
        ("sso.st-gabriel.example", "component:default/identity-provider"),
        ("mail-relay-1", "resource:default/mail-relay-1"),
        ("printer", "component:default/print-service"),
    ],
)
def test_what_people_and_monitors_say_finds_the_entity(example: Config, name: str, ref: str) -> None:
    assert Enricher(example).resolve(name) == ref


def test_health_records_lead_down_to_the_identity_cluster(example: Config) -> None:
    path = Topology(example.catalogue).path(
        "component:default/electronic-health-records", "resource:default/identity-cluster"
    )

    assert [ref.rpartition("/")[2] for ref in path] == [
        "electronic-health-records",
        "identity-provider",
        "identity-cluster",
    ]


def test_every_component_of_the_example_has_somebody_on_call_and_a_runbook(example: Config) -> None:
    covered = {ref for rotation in example.rotations.values() for ref in rotation.services}

    for ref, entity in example.catalogue.entities.items():
        if entity.kind == "component":
            assert ref in covered, ref
            assert entity.runbooks, ref


def test_all_annotations_become_facts(tmp_path: Path) -> None:
    annotations = """\
backstage.io/techdocs-ref: dir:.
spillway.dev/tier: 1
spillway.dev/hosting-model: on-prem
spillway.dev/infrastructure-layer: Database
spillway.dev/users: "6200"
spillway.dev/revenue-per-minute: 9500.5
spillway.dev/regulatory: PCI-DSS, hipaa
spillway.dev/aliases: Outlook,  e-mail , outlook
spillway.dev/oncall: payments
spillway.dev/environment: Staging
spillway.dev/runbook: https://runbooks.example/a
spillway.dev/runbook.capacity: https://runbooks.example/b"""
    files = {
        "catalog/a.yaml": component("Mail", annotations=annotations),
        "oncall/payments.yaml": "people: [amara.okafor]\nstart: 2026-01-05T09:00:00Z\n",
    }
    entity = load_config(write(tmp_path, files)).catalogue.entities["component:default/mail"]

    assert (entity.name, entity.title, entity.tier, entity.users) == ("mail", "Mail", 1, 6_200)
    assert (entity.hosting_model, entity.infrastructure_layer) == (HostingModel.ON_PREM, "database")
    assert entity.revenue_per_minute == 9_500.5
    assert (entity.regulatory, entity.aliases) == (("pci-dss", "hipaa"), ("outlook", "e-mail"))
    assert (entity.oncall, entity.environment) == ("payments", "staging")
    assert entity.runbooks == {"default": "https://runbooks.example/a", "capacity": "https://runbooks.example/b"}
    assert entity.location == "catalog/a.yaml:1"


@pytest.mark.parametrize(
    "spelling",
    ["payments-db", "resource:payments-db", "default/payments-db", "resource:default/payments-db",
     "Resource:Default/Payments-DB"],
)  # fmt: skip
def test_every_spelling_of_a_reference_means_the_same(tmp_path: Path, spelling: str) -> None:
    documents = [
        component("checkout", spec=f"dependsOn: ['{spelling}']"),
        component("payments-db", kind="Resource"),
    ]
    config = load_config(write(tmp_path, {"catalog/a.yaml": "---\n".join(documents)}))

    assert config.catalogue.entities["component:default/checkout"].depends_on == ("resource:default/payments-db",)


def test_a_reference_without_namespace_means_the_own_one(tmp_path: Path) -> None:
    text = """
        apiVersion: backstage.io/v1alpha1
        kind: Component
        metadata: {name: checkout, namespace: Shop}
        spec: {type: service, dependsOn: [payments], owner: group:default/sre}
        ---
        apiVersion: backstage.io/v1alpha1
        kind: Component
        metadata: {name: payments, namespace: shop}
        spec: {type: service, owner: sre}
        ---
        apiVersion: backstage.io/v1alpha1
        kind: Group
        metadata: {name: sre, namespace: shop}
        spec: {type: team, profile: {email: sre@shop.example}}
        ---
        apiVersion: backstage.io/v1alpha1
        kind: Group
        metadata: {name: sre}
        spec: {type: team}
        """
    catalogue = load_config(write(tmp_path, {"catalog/a.yaml": text})).catalogue

    checkout = catalogue.entities["component:shop/checkout"]
    assert checkout.depends_on == ("component:shop/payments",)
    assert checkout.owner == "sre"
    assert catalogue.entities["component:shop/payments"].owner == "shop/sre"
    assert catalogue.groups["shop/sre"].email == "sre@shop.example"


def test_a_dependency_may_be_written_from_either_end(tmp_path: Path) -> None:
    documents = [
        component("checkout"),
        component("payments", spec="dependencyOf: [component:checkout]\ndependsOn: [api:ignored]"),
    ]
    config = load_config(write(tmp_path, {"catalog/a.yaml": "---\n".join(documents)}))

    assert config.catalogue.entities["component:default/checkout"].depends_on == ("component:default/payments",)
    assert config.catalogue.entities["component:default/payments"].depends_on == ()


def test_an_entity_has_its_own_domain_or_its_systems(tmp_path: Path) -> None:
    documents = [
        component("shop", kind="System", spec="domain: retail"),
        component("checkout", spec="system: shop"),
        component("mail", spec="system: shop\ndomain: workplace"),
        component("retail", kind="Domain"),
    ]
    files = {"catalog/a.yaml": "---\n".join(documents), "domains/workplace.yaml": "title: Offices\n"}
    entities = load_config(write(tmp_path, files)).catalogue.entities

    assert entities["component:default/checkout"].domain == "retail"
    assert entities["component:default/mail"].domain == "workplace"


def test_backstages_other_kinds_pass_unread_with_one_remark_each(tmp_path: Path) -> None:
    kinds = ("API", "User", "Location", "Template")
    text = "---\n".join(
        f"apiVersion: other.example/v1\nkind: {kind}\nmetadata: {{}}\nspec: {{definition: {{$text: ./a.json}}}}\n"
        for kind in (*kinds, "API", "API")
    )
    checked = check_config(write(tmp_path, {"catalog/a.yaml": text}))

    assert checked.problems == ()
    assert [(each.line, each.message) for each in checked.warnings] == [
        (2, "kind 'API' says nothing about failure and is not read, nor are 2 more"),
        (7, "kind 'User' says nothing about failure and is not read"),
        (12, "kind 'Location' says nothing about failure and is not read"),
        (17, "kind 'Template' says nothing about failure and is not read"),
    ]
    assert checked.config is not None
    assert checked.config.catalogue.entities == {}


def test_backstages_own_files_are_found_in_any_folder_under_either_suffix(tmp_path: Path) -> None:
    files = {
        "catalog/team-a/basket/catalog-info.yaml": component("basket"),
        "catalog/team-b/catalog-info.yml": "---\n".join((component("prices"), component("stock"))),
    }
    entities = load_config(write(tmp_path, files)).catalogue.entities

    assert sorted(entities) == [f"component:default/{name}" for name in ("basket", "prices", "stock")]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (component("basket", annotations="a: {$text: ./owner.txt}"), 6),
        (component("basket", spec="owner: {$json: ./owner.json}"), 7),
        (component("basket", spec="dependsOn:\n  - {$yaml: ./needs.yaml}"), 8),
    ],
)
def test_placeholders_are_refused_with_what_to_do(tmp_path: Path, text: str, line: int) -> None:
    checked = check_config(write(tmp_path, {"catalog/a.yaml": text}))

    (first, *_) = [each for each in checked.problems if "placeholder" in each.message]
    assert (first.line, first.message.endswith("is not followed here; write the value itself")) == (line, True)


def test_times_of_day_need_no_quotes(tmp_path: Path) -> None:
    text = "business_hours: {timezone: Asia/Tokyo, start: 10:00, end: 17:30, holidays: [2026-12-25]}\n"
    hours = load_config(write(tmp_path, {"domains/retail.yaml": text})).domains["retail"].business_hours

    assert (hours.start, hours.end, hours.holidays) == (time(10), time(17, 30), ("2026-12-25",))
    assert ZoneInfo(hours.timezone)


def test_services_of_a_rotation_become_references(tmp_path: Path) -> None:
    files = {
        "catalog/a.yaml": component("checkout") + "---\n" + component("payments-db", kind="Resource"),
        "oncall/sre.yaml": "services: [payments-db, Component:checkout]\npeople: [noor.haddad]\n"
        "start: 2026-01-05T09:00:00Z\n",
    }
    rotation = load_config(write(tmp_path, files)).rotations["sre"]

    assert rotation.services == ("resource:default/payments-db", "component:default/checkout")


def test_several_rotations_fit_in_one_file(tmp_path: Path) -> None:
    one = "name: {}\npeople: [noor.haddad]\nstart: 2026-01-05T09:00:00Z\n"
    text = one.format("a") + "---\n" + one.format("b")

    assert sorted(load_config(write(tmp_path, {"oncall/all.yaml": text})).rotations) == ["a", "b"]


def test_the_version_is_the_contents_alone(tmp_path: Path, example: Config) -> None:
    copy = tmp_path / "copy"
    read = [*EXAMPLE.rglob("*.yaml"), *EXAMPLE.rglob("*.ics")]
    for file in sorted(read, reverse=True):  # written in another order, at another time
        target = copy / file.relative_to(EXAMPLE)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    (copy / "README.md").write_text("not configuration", encoding="utf-8")
    hidden = copy / "..2026_03_10" / "feeds.yaml"  # as Kubernetes mounts a ConfigMap
    hidden.parent.mkdir()
    hidden.write_text("{", encoding="utf-8")

    assert load_config(copy) == example


def test_any_change_changes_the_version(tmp_path: Path) -> None:
    files = {"feeds.yaml": "zabbix:\n", "sinks.yaml": "# none\n"}
    before = load_config(write(tmp_path, files)).version
    write(tmp_path, {"sinks.yaml": "# nowhere\n"})

    assert load_config(tmp_path).version != before
    assert len(before) == 32


@pytest.mark.parametrize("files", [("retail.yaml",), ("hospital.yaml", "workplace.yaml")])
def test_catalogue_files_without_their_organisation_and_policies_work(tmp_path: Path, files: tuple[str, ...]) -> None:
    (tmp_path / "catalog").mkdir()
    for name in files:
        text = (EXAMPLE / "catalog" / name).read_text()
        (tmp_path / "catalog" / name).write_text(text)
    entities = load_config(tmp_path).catalogue.entities
    assert all(entity.owner for entity in entities.values() if entity.kind == "component")

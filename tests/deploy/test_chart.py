"""The chart itself: nothing generated is stale, helm takes it strictly, and refuses what cannot be meant."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator

from pipeline.settings import VARIABLES
from tests.deploy.conftest import EVERYTHING, Refusal
from tests.deploy.manifests import Manifest, of_kind, parse, pods
from tools.deploy import values_schema
from tools.deploy.derived import runtime_lock
from tools.generate_deploy import CHART, FILES, ROOT, examples, render, rendered

POD, KAFKA = (CHART / "templates" / name for name in ("_pod.tpl", "_kafka.tpl"))

STALE = "is stale; run: python -m tools.generate_deploy"

EXAMPLES = pytest.mark.parametrize("example", examples(), ids=lambda path: path.stem)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_derives_from_the_code_is_up_to_date(path: Path) -> None:
    assert path.read_text() == FILES[path](), f"{path.relative_to(ROOT)} {STALE}"


@EXAMPLES
def test_a_rendered_example_is_what_helm_makes_of_it(helm: Path, example: Path) -> None:
    assert rendered(example).read_text() == render(example, helm), f"{rendered(example).relative_to(ROOT)} {STALE}"


def test_nothing_else_lies_among_the_rendered() -> None:
    assert {each.name for each in rendered(examples()[0]).parent.iterdir()} == {each.name for each in examples()}


@pytest.mark.parametrize("values", [*examples(), EVERYTHING], ids=lambda path: path.stem)
def test_helm_finds_nothing_to_say_of_it(helm: Path, values: Path) -> None:
    command = [str(helm), "lint", "--strict", "--quiet", str(CHART), "--values", str(values)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "")


def test_helm_4_makes_the_same_of_everything_as_helm_3(helm: Path, helm_4: Path) -> None:
    def key(document: Manifest) -> tuple[str, str, str]:
        return (document["kind"], document["metadata"].get("namespace", ""), document["metadata"]["name"])

    three, four = (sorted(parse(render(EVERYTHING, binary)), key=key) for binary in (helm, helm_4))
    assert three == four


def test_values_fit_their_schema_and_every_key_of_either_is_in_both() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    Draft7Validator(values_schema.schema()).validate(values)
    assert _missing(values, values_schema.schema(), "") == []


def _missing(values: Manifest, schema: Manifest, at: str) -> list[str]:
    """Keys that one has and the other has not; what a component may have beside is optional."""
    properties = schema.get("properties")
    if properties is None or not isinstance(values, dict):
        return []
    optional = {"global"} if not at else set()
    if at.startswith(".components."):
        optional = set(properties) - {"enabled", "replicas", "resources"}
    if at.endswith((".dns", ".kafka", ".records", ".sinks", ".startup", ".liveness", ".readiness")):
        optional |= {"initialDelaySeconds"}
    wrong = [f"{at}.{key} is not in values.yaml" for key in properties if key not in values and key not in optional]
    wrong += [f"{at}.{key} is not in the schema" for key in values if key not in properties]
    for key in values:
        wrong += _missing(values[key], properties.get(key, {}), f"{at}.{key}")
    return wrong


def test_every_object_of_the_schema_is_closed_or_left_to_kubernetes() -> None:
    def walk(schema: object) -> None:
        if isinstance(schema, dict):
            if "properties" in schema and isinstance(schema["properties"], dict):
                assert schema.get("additionalProperties") is False, json.dumps(schema)[:200]
            for each in schema.values():
                walk(each)

    walk(values_schema.schema())


def test_every_key_of_values_is_explained() -> None:
    """A comment stands above each key of the first level, or heads the section that begins with it."""
    lines = (CHART / "values.yaml").read_text().splitlines()
    tops = [number for number, line in enumerate(lines) if line and not line.startswith((" ", "#"))]
    explained = ("#", *"abcdefghijklmnopqrstuvwxyz")  # a comment, or a neighbour below the same comment
    assert [
        lines[each] for each in tops if not any(line.startswith(explained) for line in lines[each - 2 : each])
    ] == []


REFUSED = [
    ("kafka.bootstap=a:9092", "bootstap"),
    ("components.dedupe.replica=3", "replica"),
    ("components.dedup.replicas=3", "dedup"),
    ("image.tag=latest", "image.tag"),
    ("image.digest=sha256:short", "image.digest"),
    ("kafka.bootstrap=brokers", "kafka.bootstrap"),
    ("kafka.security=sasl_ssl", "kafka.security"),
    ("kafka.sasl.mechanism=gssapi", "kafka.sasl.mechanism"),
    ("components.pipeline.replicas=0", "components.pipeline.replicas"),
    ("keda.stages.dedupe.enabled=true", "dedupe"),
    ("stopSeconds=0", "stopSeconds"),
    ("settings.SPILLWAY_BATCH_RECORD_MAX=5", "this release knows no variable SPILLWAY_BATCH_RECORD_MAX"),
    ("config.files.feeds=x", "feeds"),
    ("records.existingSecret=", "records.existingSecret: console needs the address of a PostgreSQL"),
    ("shadow.enabled=true", "give the configuration to be tried"),
    ("strimzi.topics.enabled=true", "strimzi.cluster: name the Kafka object"),
    ("strimzi.topics.enabled=true,strimzi.cluster=main", "strimzi.topics.feeds: name the feeds of feeds.yaml"),
    ("console.ingress.enabled=true", "console.ingress.hosts: name at least one"),
]


@pytest.mark.parametrize(("setting", "told"), REFUSED, ids=[setting for setting, _ in REFUSED])
def test_what_cannot_be_meant_is_refused_and_named(refusal: Refusal, setting: str, told: str) -> None:
    assert told in refusal(setting)


def test_what_does_not_go_together_is_refused(refusal: Refusal) -> None:
    assert "needs a name" in refusal("kafka.security=sasl_tls", "kafka.sasl.existingSecret=x")
    assert "needs a password" in refusal("kafka.security=sasl_tls", "kafka.sasl.username=x")
    assert "needs the region" in refusal("kafka.security=sasl_tls", "kafka.sasl.mechanism=aws-iam")
    assert "nobody would sign in" in refusal(
        "strimzi.users.enabled=true", "strimzi.cluster=main", "topicsJob.enabled=false"
    )
    assert "before its user would be there" in refusal(
        "kafka.security=tls", "strimzi.users.enabled=true", "strimzi.cluster=main"
    )
    assert "the rest would stand by" in refusal("layout=stages", "keda.enabled=true", "kafka.partitions=3")
    assert "the rest would stand by" in refusal(
        "layout=stages", "autoscaling.ingest.enabled=true", "autoscaling.ingest.maxReplicas=5"
    )
    assert "needs ClusterIP" in refusal("console.service.type=NodePort", "monitoring.monitors.enabled=true")


def test_what_the_chart_sets_is_not_set_again_and_no_secret_is_in_plain_text(refusal: Refusal) -> None:
    (declared,) = re.findall(r'"spillway.ownVariables" -}}\n(.*?){{-', POD.read_text(), re.DOTALL)
    own = set(yaml.safe_load(declared))
    assert set(re.findall(r"^- name: (SPILLWAY_\w+)", POD.read_text() + KAFKA.read_text(), re.MULTILINE)) <= own | {
        "SPILLWAY_RECORDS_URL"
    }
    assert own <= set(VARIABLES.values())
    for name in ("SPILLWAY_BOOTSTRAP", "SPILLWAY_INSTANCE_ID", "SPILLWAY_LOG_LEVEL", "SPILLWAY_TRACE_URL"):
        assert "set it there" in refusal(f"settings.{name}=x"), name
    for name in ("SPILLWAY_KAFKA_PASSWORD", "SPILLWAY_RECORDS_URL"):
        assert "would stand in the manifest" in refusal(f"settings.{name}=hunter2"), name


def test_links_to_runbooks_lead_to_where_they_are_published(helm: Path) -> None:
    (medium,) = [each for each in examples() if each.stem == "medium"]
    words = ("runbookBase=https://wiki.example/spillway/", "runbookSuffix=.html")
    text = render(medium, helm, *(word for each in words for word in ("--set", f"monitoring.rules.{each}")))
    assert "https://spillway.dev/runbooks/" not in text
    assert "runbook_url: https://wiki.example/spillway/SpillwayAbsent.html" in text
    assert '"url": "https://wiki.example/spillway/SpillwayStageLagging.html"' in text


def test_the_toolbox_signs_in_as_the_operator_and_has_what_sinks_need(helm: Path) -> None:
    (medium,) = [each for each in examples() if each.stem == "medium"]
    documents = parse(render(medium, helm, "--set", "toolbox.enabled=true"))
    (box,) = [each for each in pods(documents) if each.is_toolbox]
    assert "spillway-operator" in {each.get("secret", {}).get("secretName") for each in box.spec["volumes"]}
    names = {each["metadata"]["name"] for each in of_kind(documents, "KafkaUser")}
    assert "spillway-operator" in names
    container = box.spec["containers"][0]
    assert {"secretRef": {"name": "spillway-sinks"}} in container["envFrom"]
    assert "SPILLWAY_RECORDS_URL" in {each["name"] for each in container["env"]}


def test_the_job_of_the_topics_has_an_account_of_its_own(helm: Path) -> None:
    (large,) = [each for each in examples() if each.stem == "large"]
    documents = parse(render(large, helm))
    accounts = {each["metadata"]["name"]: each["metadata"] for each in of_kind(documents, "ServiceAccount")}
    role = "eks.amazonaws.com/role-arn"
    assert accounts["spillway-topics"]["annotations"][role] != accounts["spillway"]["annotations"][role]
    documents = parse(render(large, helm, "--set", "topicsJob.serviceAccount.name=ours"))
    (job,) = of_kind(documents, "Job")
    assert job["spec"]["template"]["spec"]["serviceAccountName"] == "ours"
    assert job["spec"]["ttlSecondsAfterFinished"] == 600
    assert "spillway-topics" not in {each["metadata"]["name"] for each in of_kind(documents, "ServiceAccount")}


def test_pods_of_a_deployment_have_no_name_where_a_stopped_one_would_keep_its_partitions(helm: Path) -> None:
    (medium,) = [each for each in examples() if each.stem == "medium"]
    documents = parse(render(medium, helm, "--set", "settings.SPILLWAY_ON_STOP=wait"))
    for each in pods(documents):
        container = each.spec["containers"][0]
        if container["args"][0] == "run":
            named = "SPILLWAY_INSTANCE_ID" in {variable["name"] for variable in container["env"]}
            assert named == (each.owner["kind"] == "StatefulSet"), each.name


def test_the_small_example_by_itself_is_taken(refusal: Refusal) -> None:
    assert refusal("kafka.partitions=4") == ""


LOCK = """\
# head
aiokafka==0.14.0 ; python_version >= '3.11' \\
    --hash=sha256:11
    # via
    #   faust-streaming
    #   spillway (pyproject.toml)
faust-streaming==0.15.3 \\
    --hash=sha256:22 \\
    --hash=sha256:23
    # via spillway (pyproject.toml)
async-timeout==5.0.1 \\
    --hash=sha256:33
    # via aiokafka
jgo==3.2.0 \\
    --hash=sha256:44
    # via spillway (pyproject.toml)
signer==1.0 \\
    --hash=sha256:66
    # via
    #   spillway (pyproject.toml:dev)
    #   spillway (pyproject.toml)
pytest==9.0 \\
    --hash=sha256:55
    # via spillway (pyproject.toml:dev)
"""


def test_the_image_has_what_the_product_needs_and_no_test_tools() -> None:
    project = """
[project]
dependencies = ["faust-streaming>=0.15", "aiokafka[lz4]>=0.14"]
[project.optional-dependencies]
embedded = ["jgo>=3"]
aws = ["signer>=1"]
"""
    lines = runtime_lock(LOCK, project).splitlines()[1:]
    assert [line.split("==")[0] for line in lines if "==" in line] == [
        *("aiokafka", "faust-streaming", "async-timeout", "signer")
    ]
    assert [line.strip() for line in lines if "--hash" in line] == [
        "--hash=sha256:11",
        "--hash=sha256:22 \\",
        "--hash=sha256:23",
        "--hash=sha256:33",
        "--hash=sha256:66",
    ]

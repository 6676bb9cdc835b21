"""The chart's process layout on this machine: three brokers, PostgreSQL, and every pod of the rendered manifests.

What differs from Kubernetes is what a machine without it lacks: addresses (of Kafka, of PostgreSQL, the ports), the
secrets that operators make, the company's configuration, and how many replicas two cores carry.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pipeline.records.embedded import embedded_postgres
from tests.cluster import kubelet as kubelets
from tests.cluster.kubelet import Kubelet
from tests.cluster.load import TOKEN
from tests.cluster.manifests import WORKLOADS, Document, Manifests
from tests.cluster.pod import Machine
from tests.cluster.workloads import Workload, run_hooks, workload
from tests.faults.cluster import Cluster, cluster
from tests.faults.site import COMPANY as FAULTS_COMPANY
from tests.faults.site import Site
from tests.faults.worker import STAGES

COMPANY: Final = Path(__file__).parent / "company"
REPLICAS: Final = {"ingest": 2, "dedupe": 2, "correlate": 2}
"""Of the stages that decide; of all others two at most."""
OTHERS_MAX: Final = 1
START_SECONDS_MAX: Final = 300.0
RESTARTED_AT: Final = "kubectl.kubernetes.io/restartedAt"
CONFIG_VARIABLE: Final = "SPILLWAY_CONFIG"
FILES_OF_SECRETS: Final = ("ca.crt", "password", "user.crt", "user.key")
"""As Strimzi makes them; the brokers here ask for none."""
PLAIN_KAFKA: Final = {
    "SPILLWAY_KAFKA_SECURITY": "plaintext",
    "SPILLWAY_KAFKA_CA_FILE": "",
    "SPILLWAY_KAFKA_SASL_MECHANISM": "",
    "SPILLWAY_KAFKA_USERNAME": "",
    "SPILLWAY_KAFKA_PASSWORD_FILE": "",
}
PARTITIONS: Final = 4
"""Of topics that take the installation's count: two cores carry no dozen for each of seven stages."""
SETTLE_SECONDS_MAX: Final = 180.0


@dataclass(frozen=True)
class Plan:
    """What is started.

    Attributes:
        manifests: as rendered.
        place: a directory for everything.
        replicas: component -> pods; of others at most `OTHERS_MAX`.
        leave_out: components that are not started.
        addresses: environment variables that name more addresses.
        company: files of the configuration, path -> content; they stand for those of the manifests.
    """

    manifests: Manifests
    place: Path
    replicas: Mapping[str, int] = field(default_factory=lambda: dict(REPLICAS))
    leave_out: frozenset[str] = frozenset()
    addresses: Mapping[str, str] = field(default_factory=dict)
    company: Mapping[str, bytes] = field(default_factory=dict)


@dataclass
class Layout:
    """The running layout.

    Attributes:
        kubelet: runs the pods.
        workloads: component -> its controller.
        brokers: the Kafka cluster.
        site: topics, load and check.
    """

    kubelet: Kubelet
    workloads: dict[str, Workload]
    brokers: Cluster
    site: Site

    def doors(self) -> list[int]:
        """Ports behind the gateway's service."""
        service = service_of(self.kubelet.machine.manifests, "gateway")
        return self.kubelet.endpoints(service["metadata"]["name"], service["spec"]["ports"][0]["port"])

    def upgrade(self, stamp: str, only: tuple[str, ...] = (), at_once: bool = True) -> None:
        """Roll all workloads, as `helm upgrade` with another pod annotation does.

        Args:
            stamp: value of the annotation, another one each time.
            only: components; none: all.
            at_once: all at the same time, as their controllers do; else one after another.
        """
        chosen = [each for name, each in self.workloads.items() if not only or name in only]
        with ThreadPoolExecutor(len(chosen) if at_once else 1) as pool:
            for done in [pool.submit(each.roll, annotated(each.document, stamp)) for each in chosen]:
                done.result()

    def settle(self) -> None:
        """Wait until everything is handled, then end all pods as a shutdown does."""
        self.site.wait_settled(SETTLE_SECONDS_MAX, self.kubelet.check)
        with ThreadPoolExecutor(32) as pool:
            list(pool.map(self.kubelet.delete, self.kubelet.living()))


def annotated(document: Document, stamp: str) -> Document:
    """A workload whose pods have another annotation."""
    changed = copy.deepcopy(document)
    metadata = changed["spec"]["template"].setdefault("metadata", {})
    metadata["annotations"] = (metadata.get("annotations") or {}) | {RESTARTED_AT: stamp}
    return changed


def component_of(document: Document) -> str:
    """The component that a workload or service is, by its label."""
    return str(document["metadata"]["labels"]["app.kubernetes.io/component"])


def service_of(manifests: Manifests, component: str) -> Document:
    """The service of a component."""
    return next(each for each in manifests.of_kind("Service") if component_of(each) == component)


def company_files(directory: Path) -> dict[str, bytes]:
    """Files of a configuration directory, path -> content."""
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()
    }


def default_company() -> dict[str, bytes]:
    """The company of the fault suite, with a door for the gateway."""
    return company_files(FAULTS_COMPANY) | company_files(COMPANY)


def with_company(manifests: Manifests, files: Mapping[str, bytes]) -> Manifests:
    """Manifests whose configuration is another company's."""
    documents = copy.deepcopy(manifests.documents)
    keys = {path: path.replace("/", ".") for path in files}
    names: set[str] = set()
    for document in documents:
        for source in _config_sources(document):
            names.add(source["name"])
            source["items"] = [{"key": key, "path": path} for path, key in keys.items()]
    for document in documents:
        if document["kind"] == "ConfigMap" and document["metadata"]["name"] in names:
            document["data"] = {keys[path]: content.decode() for path, content in files.items()}
    return Manifests(documents)


def _config_sources(document: Document) -> Iterator[Document]:
    """Where a workload's volumes take a ConfigMap from, for the directory that its SPILLWAY_CONFIG names."""
    if document["kind"] not in (*WORKLOADS, "Job"):
        return
    spec = document["spec"]["template"]["spec"]
    mounted = {
        mount["name"]
        for container in spec["containers"]
        for place in (each.get("value") for each in container.get("env", ()) if each["name"] == CONFIG_VARIABLE)
        for mount in container.get("volumeMounts", ())
        if mount["mountPath"] == place
    }
    for volume in spec.get("volumes", ()):
        if volume["name"] in mounted:
            for source in (volume, *volume.get("projected", {}).get("sources", ())):
                if "configMap" in source:
                    yield source["configMap"]


def secrets_of(manifests: Manifests, values: Mapping[str, str]) -> Manifests:
    """Manifests with every Secret that they refer to and do not hold, as an operator makes them beforehand.

    Args:
        manifests: as rendered.
        values: environment variable -> value, for variables that come from those secrets; of others a word.
    """
    held = {each["metadata"]["name"] for each in manifests.of_kind("Secret")}
    made: dict[str, dict[str, str]] = {}
    for document in manifests.of_kind(*WORKLOADS, "Job"):
        for container in document["spec"]["template"]["spec"]["containers"]:
            for entry in container.get("env", ()):
                reference = entry.get("valueFrom", {}).get("secretKeyRef")
                if reference is not None and reference["name"] not in held:
                    made.setdefault(reference["name"], {})[reference["key"]] = values.get(entry["name"], "a-secret")
            for source in container.get("envFrom", ()):
                name = source.get("secretRef", {}).get("name")
                if name is not None and name not in held:
                    made.setdefault(name, {}).update(values)
        for volume in document["spec"]["template"]["spec"].get("volumes", ()):
            name = volume.get("secret", {}).get("secretName")
            if name is not None and name not in held:
                made.setdefault(name, {}).update(dict.fromkeys(FILES_OF_SECRETS, "a-secret"))
    for name, secret in made.items():
        manifests = manifests.with_secret(name, secret)
    return manifests


@contextmanager
def running(plan: Plan, brokers: int = 3) -> Iterator[Layout]:
    """Brokers, PostgreSQL and all pods, for the time of a block."""
    with ExitStack() as stack:
        kafka = stack.enter_context(cluster(plan.place / "kafka", brokers))
        records_url = stack.enter_context(embedded_postgres())
        yield stack.enter_context(installed(plan, kafka, records_url))


@contextmanager
def installed(plan: Plan, kafka: Cluster, records_url: str) -> Iterator[Layout]:
    """The release on brokers that are there: hooks first, then all pods, once all are ready."""
    company = dict(plan.company or default_company())
    directory = plan.place / "company"
    shutil.rmtree(directory, ignore_errors=True)
    for name, content in company.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)
    addresses = {"SPILLWAY_BOOTSTRAP": kafka.bootstrap, "SPILLWAY_RECORDS_URL": records_url, **PLAIN_KAFKA}
    addresses |= {"SPILLWAY_PARTITIONS": str(PARTITIONS), **plan.addresses}
    manifests = secrets_of(with_company(plan.manifests, company), addresses | {"GATEWAY_ALERTMANAGER": TOKEN})
    with ExitStack() as stack:
        machine = Machine(plan.place / "pods", manifests, addresses, stack.enter_context(kubelets.pool()))
        kubelet = stack.enter_context(Kubelet(machine))
        run_hooks(kubelet, "pre-install")
        site = stack.enter_context(closing(_site(kafka, directory, manifests, plan)))
        workloads = {}
        for document in manifests.of_kind(*WORKLOADS):
            component = component_of(document)
            if component not in plan.leave_out:
                most = min(int(document["spec"].get("replicas", 1)), plan.replicas.get(component, OTHERS_MAX))
                workloads[component] = workload(kubelet, document, most)
        pods = [pod for each in workloads.values() for pod in each.start()]
        kubelet.wait_ready(pods, START_SECONDS_MAX)
        yield Layout(kubelet, workloads, kafka, site)


def _site(kafka: Cluster, company: Path, manifests: Manifests, plan: Plan) -> Site:
    """The topics of the release, whose records keep their senders' time, which the checker knows."""
    given = _settings(manifests) | dict(plan.addresses)
    site = Site(
        kafka.bootstrap,
        given.get("SPILLWAY_TOPIC_PREFIX", ""),
        partitions=int(plan.addresses.get("SPILLWAY_PARTITIONS", PARTITIONS)),
        app_id=given.get("SPILLWAY_APP_ID", "spillway"),
        config_dir=company,
        replication_factor=int(given["SPILLWAY_REPLICATION_FACTOR"]),
        min_insync_replicas=int(given["SPILLWAY_MIN_INSYNC_REPLICAS"]),
    )
    site.stages = (*STAGES, *({"problem"} - plan.leave_out))  # it writes commands, too
    return site


def _settings(manifests: Manifests) -> dict[str, Any]:
    """The plain settings of the stages, of env and of the ConfigMaps that they take whole."""
    found: dict[str, Any] = {}
    for document in manifests.of_kind(*WORKLOADS):
        for container in document["spec"]["template"]["spec"]["containers"]:
            for source in container.get("envFrom", ()):
                if (name := source.get("configMapRef", {}).get("name")) is not None:
                    found |= {key: value.decode() for key, value in manifests.data("ConfigMap", name).items()}
            found |= {each["name"]: each["value"] for each in container.get("env", ()) if "value" in each}
    return found

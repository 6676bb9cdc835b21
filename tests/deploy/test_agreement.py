"""What the manifests say agrees with the code: commands, variables, stages, topics, rights, ports and times."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from pipeline.catalog import load_config
from pipeline.cli import main
from pipeline.feeds import feeds_of, required_feeds
from pipeline.flow import STAGES
from pipeline.kafka.grants import Grant, grants_of
from pipeline.kafka.topics import desired_topics
from pipeline.models.policy import Config, Feed
from pipeline.runtime.broker import check_topics, input_topics
from pipeline.runtime.health import STALLED_SECONDS_MAX
from pipeline.settings import VARIABLES, Settings
from tests.deploy.manifests import Manifest, Pod, of_kind, pods
from tests.deploy.test_hardening import NAMES
from tools.deploy.derived import workload
from tools.generate_deploy import CHART

Documents = list[Manifest]

ALL = pytest.mark.parametrize("name", NAMES)

SECRET_NAMES = re.compile(r"^(SPILLWAY_SINK_|GATEWAY_)")
"""Variables that a configuration names, and no setting of a process."""


def environment(pod: Pod, container: Manifest) -> dict[str, str]:
    """The variables of a container; what Kubernetes fills in as it would."""
    found = {}
    for each in container.get("env", ()):
        found[each["name"]] = each.get("value", "from-elsewhere")
        if each.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath") == "metadata.name":
            found[each["name"]] = f"{pod.owner['metadata']['name']}-0"
    return found


@ALL
def test_every_command_exists_with_its_options(manifests: dict[str, Documents], name: str) -> None:
    for pod in pods(manifests[name]):
        for each in pod.containers():
            if pod.is_toolbox:
                assert each["command"] == ["sleep", "infinity"]
                continue
            assert each["command"] == ["spillway"]
            parse_command(each["args"])


def parse_command(words: list[str]) -> None:
    """Fail where `spillway` has no such command or option."""
    _parse(main, words)


def _parse(group: click.Command, words: list[str]) -> None:
    """Parse as click would, without calling anything; a path in a container need not be here."""
    context = click.Context(group)
    while isinstance(group, click.Group):
        _, found, words = group.resolve_command(context, words)
        assert found is not None
        group, context = found, click.Context(found, parent=context)
    for parameter in group.params:
        if isinstance(parameter.type, click.Path):
            parameter.type.exists = False
    group.make_context("spillway", words)


def test_a_command_that_does_not_exist_is_noticed() -> None:
    for words in (["runn"], ["run", "dedup"], ["gateway", "--listn=1:1"], ["topics", "make"]):
        with pytest.raises(click.UsageError):
            _parse(main, words)


@ALL
def test_settings_take_every_environment(manifests: dict[str, Documents], name: str) -> None:
    for pod in pods(manifests[name]):
        for container in pod.containers():
            found = environment(pod, container)
            unknown = [each for each in found if each not in VARIABLES.values() and not SECRET_NAMES.match(each)]
            assert unknown == [], f"{pod.name}: no such variable"
            Settings.from_environment(found)


@ALL
def test_no_variable_stands_twice(manifests: dict[str, Documents], name: str) -> None:
    for pod in pods(manifests[name]):
        for container in pod.containers():
            names = [each["name"] for each in container.get("env", ())]
            assert len(names) == len(set(names)), f"{pod.name}: {names}"


@ALL
def test_every_secret_comes_from_a_secret(manifests: dict[str, Documents], name: str) -> None:
    for pod in pods(manifests[name]):
        for container in pod.containers():
            for each in container.get("env", ()):
                if "RECORDS_URL" in each["name"] or each["name"].endswith("PASSWORD"):
                    assert "secretKeyRef" in each["valueFrom"], f"{pod.name}: {each['name']} is in the clear"


@ALL
def test_processes_of_an_installation_agree_on_brokers_names_and_configuration(
    manifests: dict[str, Documents], name: str
) -> None:
    shared = ("BOOTSTRAP", "APP_ID", "TOPIC_PREFIX", "CONFIG", "PARTITIONS", "KAFKA_SECURITY", "STOP_SECONDS")
    found = {
        tuple(environment(pod, each).get(f"SPILLWAY_{word}") for word in shared)
        for pod in pods(manifests[name])
        for each in pod.containers()
    }
    assert len(found) == 1


@pytest.mark.parametrize("name", [each for each in NAMES if each != "small"])
def test_each_stage_is_the_workload_that_its_state_asks_for(manifests: dict[str, Documents], name: str) -> None:
    hosted = {pod.spec["containers"][0]["args"][1]: pod for pod in pods(manifests[name]) if _hosts(pod)}
    assert set(hosted) == {stage.name for stage in STAGES}
    for stage in STAGES:
        pod = hosted[stage.name]
        assert pod.owner["kind"] == workload(stage)
        # A container that crashed comes back in its pod, and under its name it has its partitions at once.
        assert "SPILLWAY_INSTANCE_ID" in environment(pod, pod.spec["containers"][0])


def _hosts(pod: Pod) -> bool:
    return bool(pod.spec["containers"][0].get("args", [""])[0] == "run")


def test_all_stages_together_are_one_process(manifests: dict[str, Documents]) -> None:
    (pod,) = [each for each in pods(manifests["small"]) if _hosts(each)]
    assert pod.spec["containers"][0]["args"] == ["run"]
    assert pod.owner["kind"] == "StatefulSet"


@ALL
def test_pods_have_time_to_stop_and_probes_to_tell_the_truth(manifests: dict[str, Documents], name: str) -> None:
    for pod in pods(manifests[name]):
        if pod.is_job or pod.is_toolbox:
            continue
        container = pod.spec["containers"][0]
        stop = float(environment(pod, container)["SPILLWAY_STOP_SECONDS"])
        sleep = float(container["lifecycle"]["preStop"]["exec"]["command"][1]) if "lifecycle" in container else 0.0
        assert pod.spec["terminationGracePeriodSeconds"] > stop + sleep
        ports = {each["name"]: each["containerPort"] for each in container["ports"]}
        assert ports["metrics"] == int(environment(pod, container)["SPILLWAY_HTTP_PORT"])
        if "http" in ports:
            assert f"--listen=0.0.0.0:{ports['http']}" in container["args"]
        startup = container["startupProbe"]
        assert startup["periodSeconds"] * startup["failureThreshold"] > STALLED_SECONDS_MAX


@ALL
def test_pods_of_a_deployment_are_spread_among_those_of_their_own_release(
    manifests: dict[str, Documents], name: str
) -> None:
    """A StatefulSet's pod goes before the next one comes, so all of its pods count. A canary is one pod."""
    for pod in pods(manifests[name]):
        if pod.owner["spec"].get("replicas") == 1:
            continue
        for each in pod.spec.get("topologySpreadConstraints", ()):
            keys = ["pod-template-hash"] if pod.owner["kind"] == "Deployment" else None
            assert each.get("matchLabelKeys") == keys, pod.name


@ALL
def test_a_pod_that_is_lost_amid_an_upgrade_comes_back_as_the_new_release(
    manifests: dict[str, Documents], name: str
) -> None:
    """Only where the partition is said; it is not made up where just the type is."""
    for each in of_kind(manifests[name], "StatefulSet"):
        assert each["spec"]["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}


@ALL
def test_services_lead_to_pods_and_ingresses_to_services(manifests: dict[str, Documents], name: str) -> None:
    everyone = pods(manifests[name])
    services = {each["metadata"]["name"]: each["spec"] for each in of_kind(manifests[name], "Service")}
    for spec in services.values():
        mine = [each for each in everyone if spec["selector"].items() <= each.labels.items()]
        assert len(mine) == 1
        ports = {port["name"] for port in mine[0].spec["containers"][0]["ports"]}
        assert {each["targetPort"] for each in spec["ports"]} <= ports
    for ingress in of_kind(manifests[name], "Ingress"):
        for rule in ingress["spec"]["rules"]:
            backend = rule["http"]["paths"][0]["backend"]["service"]
            assert backend["port"]["name"] in {each["name"] for each in services[backend["name"]]["ports"]}
    for pod in everyone:
        if pod.owner["kind"] == "StatefulSet":
            assert services[pod.owner["spec"]["serviceName"]]["clusterIP"] == "None"


@ALL
def test_every_mount_has_its_volume_and_every_volume_its_mount(manifests: dict[str, Documents], name: str) -> None:
    for pod in pods(manifests[name]):
        volumes = {each["name"] for each in pod.spec["volumes"]}
        mounts = {mount["name"] for each in pod.containers() for mount in each["volumeMounts"]}
        assert volumes == mounts, pod.name


@ALL
def test_files_that_variables_name_are_mounted(manifests: dict[str, Documents], name: str) -> None:
    for pod in pods(manifests[name]):
        for container in pod.containers():
            mounted = [mount["mountPath"] for mount in container["volumeMounts"]]
            for variable, value in environment(pod, container).items():
                # To the job it says only that the shadow's topics are wanted.
                if value.startswith("/") and not (pod.is_job and variable == "SPILLWAY_SHADOW_CONFIG"):
                    assert any(value == each or value.startswith(f"{each}/") for each in mounted), variable


@ALL
def test_the_configuration_is_one_that_spillway_takes(
    manifests: dict[str, Documents], name: str, tmp_path: Path
) -> None:
    """Laid out as a kubelet does: a hidden folder with the files, and links that are swapped at a change."""
    maps = {each["metadata"]["name"]: each["data"] for each in of_kind(manifests[name], "ConfigMap")}
    for pod in pods(manifests[name]):
        for volume in pod.spec["volumes"]:
            if volume["name"] not in ("config", "candidate") or "projected" not in volume:
                continue
            place = tmp_path / pod.name.replace("/", "-") / volume["name"]
            _lay_out(volume["projected"]["sources"], maps, place)
            load_config(place)


def _lay_out(sources: list[Manifest], maps: dict[str, dict[str, str]], place: Path) -> None:
    hidden = place / "..2026_12_01"
    for source in sources:
        found = source["configMap"]
        if found["name"] not in maps:
            continue  # an existing one, of the company's own
        items = found.get("items") or [{"key": key, "path": key} for key in maps[found["name"]]]
        for item in items:
            path = hidden / item["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(maps[found["name"]][item["key"]])
    hidden.mkdir(parents=True, exist_ok=True)
    (place / "..data").symlink_to(hidden.name)
    for each in hidden.iterdir():
        (place / each.name).symlink_to(f"..data/{each.name}")


def _settings(documents: Documents, **more: Any) -> Settings:
    pod = pods(documents)[0]
    found = Settings.from_environment(environment(pod, pod.spec["containers"][0]))
    return found.model_copy(update=more)


def _feeds(*names: str) -> Config:
    return Config(feeds={name: Feed(name=name, adapter=name) for name in names})


@pytest.mark.parametrize(("name", "feeds"), [("medium", ("alertmanager",)), ("air-gapped", ("alertmanager", "zabbix"))])
def test_strimzis_topics_are_those_of_the_flow(
    manifests: dict[str, Documents], name: str, feeds: tuple[str, ...]
) -> None:
    config, settings = _feeds(*feeds), _settings(manifests[name])
    made = {each["spec"]["topicName"]: each["spec"] for each in of_kind(manifests[name], "KafkaTopic")}
    wanted = {topic.name: topic for topic in desired_topics(settings, config)}
    spare = {f"alerts.raw.{each}" for each in feeds_of(config)} - {f"alerts.raw.{each}" for each in feeds}
    assert set(wanted) - set(made) == spare
    for topic, spec in made.items():
        assert spec["partitions"] == wanted[topic].partitions, topic
        assert spec["replicas"] == wanted[topic].replication_factor, topic
        assert spec["config"] == dict(wanted[topic].config), topic


@pytest.mark.parametrize(("name", "feeds"), [("medium", ("alertmanager",)), ("air-gapped", ("alertmanager", "zabbix"))])
def test_every_stage_starts_on_the_topics_that_strimzi_makes(
    manifests: dict[str, Documents], name: str, feeds: tuple[str, ...]
) -> None:
    config, settings = _feeds(*feeds), _settings(manifests[name])
    made = {each["spec"]["topicName"]: each["spec"]["partitions"] for each in of_kind(manifests[name], "KafkaTopic")}
    for stage in STAGES:
        inputs = input_topics(stage.name, made, required_feeds(config))
        check_topics(settings, stage.name, inputs, made)


@pytest.mark.parametrize("name", ["medium", "air-gapped"])
def test_strimzis_users_may_what_their_component_needs_and_no_more(manifests: dict[str, Documents], name: str) -> None:
    settings = _settings(manifests[name])
    users = {each["metadata"]["name"]: each["spec"] for each in of_kind(manifests[name], "KafkaUser")}
    components = {pod.labels["app.kubernetes.io/component"]: pod for pod in pods(manifests[name])}
    further = ("operator",) if name == "medium" else ()
    assert set(users) == {f"{settings.app_id}-{component}" for component in (*components, *further)}
    settings = settings.model_copy(update={"shadow_config": Path("shadow")} if further else {})
    for component in (*components, *further):
        allowed = {_grant(each) for each in users[f"{settings.app_id}-{component}"]["authorization"]["acls"]}
        assert allowed == set(grants_of(settings, component)), component


def _grant(acl: Manifest) -> Grant:
    resource = acl["resource"]
    prefixed = resource.get("patternType") == "prefix"
    return Grant(resource["type"], resource.get("name", "kafka-cluster"), prefixed, tuple(acl["operations"]))


@pytest.mark.parametrize("name", ["medium", "air-gapped"])
def test_every_component_signs_in_as_its_own_user(manifests: dict[str, Documents], name: str) -> None:
    users = {each["metadata"]["name"] for each in of_kind(manifests[name], "KafkaUser")}
    for pod in pods(manifests[name]):
        mounted = {
            each["secret"]["secretName"]
            for each in pod.spec["volumes"]
            if each["name"] in ("kafka-user", "kafka-client")
        }
        assert len(mounted & users) == 1
        assert mounted == {f"spillway-{pod.labels['app.kubernetes.io/component']}"}


def test_lag_is_read_from_groups_that_exist(manifests: dict[str, Documents]) -> None:
    for name in ("large", "everything"):
        settings = _settings(manifests[name])
        deployments = {each["metadata"]["name"] for each in of_kind(manifests[name], "Deployment")}
        scaled = of_kind(manifests[name], "ScaledObject")
        assert scaled
        for each in scaled:
            metadata = each["spec"]["triggers"][0]["metadata"]
            assert metadata["consumerGroup"] == settings.group("record")
            assert metadata["bootstrapServers"] == settings.bootstrap
            assert each["spec"]["scaleTargetRef"]["name"] in deployments
            assert 2 <= each["spec"]["minReplicaCount"] <= each["spec"]["maxReplicaCount"] <= settings.partitions


def test_the_topics_are_made_before_anything_starts_and_with_what_is_there_by_then(
    manifests: dict[str, Documents],
) -> None:
    for name in ("small", "everything"):
        (job,) = of_kind(manifests[name], "Job")
        assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
        hooks = [each for each in manifests[name] if "helm.sh/hook" in each["metadata"].get("annotations", {})]
        there = {(each["kind"], each["metadata"]["name"]) for each in hooks}
        spec = job["spec"]["template"]["spec"]
        assert ("ServiceAccount", spec["serviceAccountName"]) in there
        ours = {each["metadata"]["name"] for each in of_kind(manifests[name], "ConfigMap")}
        for volume in spec["volumes"]:
            for source in volume.get("projected", {}).get("sources", ()):
                named = source["configMap"]["name"]
                assert named not in ours or ("ConfigMap", named) in there


def test_only_what_tells_the_world_may_leave(manifests: dict[str, Documents]) -> None:
    public = {"ipBlock": {"cidr": "0.0.0.0/0"}}["ipBlock"]["cidr"]
    reaching = {
        each["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        for each in of_kind(manifests["medium"], "NetworkPolicy")
        for rule in each["spec"].get("egress", ())
        for peer in rule.get("to", ())
        if peer.get("ipBlock", {}).get("cidr") == public
    }
    assert reaching == {"deliver"}
    for each in of_kind(manifests["air-gapped"], "NetworkPolicy"):
        for rule in each["spec"].get("egress", ()):
            assert rule.get("to"), "an air-gapped rule names who is reached"
            assert all(peer.get("ipBlock", {}).get("cidr") != public for peer in rule["to"])


def test_dashboards_and_rules_are_those_of_the_files(manifests: dict[str, Documents]) -> None:
    files = {path.name: path.read_text() for path in (CHART / "files" / "dashboards").glob("*.json")}
    shown = {
        name: text
        for each in of_kind(manifests["medium"], "ConfigMap")
        for name, text in each["data"].items()
        if name.endswith(".json")
    }
    assert {name: text.strip() for name, text in files.items()} == {name: text.strip() for name, text in shown.items()}
    rules = [yaml.safe_load(path.read_text()) for path in sorted((CHART / "files" / "rules").glob("*.yaml"))]
    made = sorted(of_kind(manifests["medium"], "PrometheusRule"), key=lambda each: str(each["metadata"]["name"]))
    assert [each["spec"] for each in made] == rules

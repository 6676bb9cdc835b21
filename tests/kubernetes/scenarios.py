"""What is done to the chart on a cluster, and what must hold meanwhile."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from tests.deploy.conftest import EVERYTHING
from tests.kubernetes.documented import documented, tenants
from tests.kubernetes.place import NAMESPACE, Place, Result, all_ready, kinds, left_over, wanted
from tests.kubernetes.watching import COMPONENT, Tally, Watch, is_ready
from tools.generate_deploy import CHART, EXAMPLES, RELEASE

MEDIUM: Final = EXAMPLES / "medium.yaml"
STATEFUL: Final = ("dedupe", "correlate", "bridge", "problem")
NEVER_READY: Final = r"podAnnotations.spillway\.test/not-ready=yes"
ATOMIC_SECONDS: Final = 25
"""As long as an upgrade whose pods never get ready is given: long enough for the first pod of each workload to go."""
EVICTED: Final = re.compile(r"(?m)^pod/(\S+) evicted$")
HELD_BACK: Final = re.compile(r"error when evicting pods/\"([^\"]+)\".*disruption budget")

FORBIDDEN: Final = ("get secrets", "list pods", "create pods", "get configmaps", "watch endpoints", "list leases")
"""What the account of the pods must not; that it may nothing at all is asked of the list of its rights beside."""


def installs(place: Place, result: Result) -> None:
    """Each example: accepted without a warning, its pods made, spread and ready, its objects gone in the end."""
    for values in (*sorted(EXAMPLES.glob("*.yaml")), EVERYTHING):
        name = values.stem
        if name.startswith("tenant-"):
            continue  # two at once: tests.kubernetes.documented
        with place.namespace() as watch:
            if name == "large":
                place.provide("spillway-config")
            place.install([values], "--wait", "--timeout=4m")
            documents = place.manifest()
            counts = wanted(documents)
            all_ready(watch, counts, f"{name}: all pods ready")
            judge(place, result, name, documents)
            result.facts[name] = f"{len(documents)} objects, {sum(counts.values())} pods ready"
            removed(place, result, name)


def judge_spread(place: Place, result: Result, name: str, documents: list[Any]) -> None:
    """Zones are held apart where the values say so, and none has all pods of a component in any case."""
    hard = [
        each["metadata"]["labels"][COMPONENT]
        for each in documents
        if each["kind"] in ("StatefulSet", "Deployment")
        and any(
            rule["whenUnsatisfiable"] == "DoNotSchedule"
            for rule in each["spec"]["template"]["spec"].get("topologySpreadConstraints", ())
        )
    ]
    for component, zones in place.spread().items():
        skew = max(zones.values()) - min(zones.values())
        result.require(component not in hard or skew <= 1, f"{name}: {component} is held apart, and lies as {zones}")
        alone = sum(zones.values()) > 1 and max(zones.values()) == sum(zones.values())
        result.require(not alone, f"{name}: all pods of {component} are in one zone")


def spreads(place: Place, result: Result) -> None:
    """What is held apart by zones is so after each of two rolls, too."""
    values = EXAMPLES / "large.yaml"
    with place.namespace() as watch:
        place.provide("spillway-config")
        place.install([values], "--wait", "--timeout=4m")
        documents = place.manifest()
        counts, kind_of = wanted(documents), kinds(documents)
        available(place, watch, counts)
        for level in ("info", "error"):
            watch.begin()
            place.client.release(
                "-n", NAMESPACE, "upgrade", RELEASE, str(CHART), "-f", str(values), "--set", f"logLevel={level}"
            )
            rolled(place, watch, counts, {"SPILLWAY_LOG_LEVEL": level})
            judge_roll(result, f"roll to {level}", watch.tally, counts, kind_of)
            judge_spread(place, result, f"after the roll to {level}", documents)
        shown = {name: "/".join(map(str, zones.values())) for name, zones in place.spread().items()}
        result.facts["pods by zone after two rolls"] = ", ".join(f"{name} {zones}" for name, zones in shown.items())


def judge(place: Place, result: Result, name: str, documents: list[Any]) -> None:
    """Pods are spread, services lead to them, budgets see them, and nothing of the cluster is in their hands."""
    judge_spread(place, result, name, documents)
    budgets_and_services(place, result, name)
    for pod in place.pods():
        tokens = [source for each in pod["spec"].get("volumes", ()) for source in _tokens(each)]
        result.require(not tokens, f"{name}: {pod['metadata']['name']} has a token of the cluster")
    for account in {each["spec"]["serviceAccountName"] for each in place.pods()}:
        user = f"--as=system:serviceaccount:{NAMESPACE}:{account}"
        for words in FORBIDDEN:
            said = place.client.say([str(place.client.kubectl), "-n", NAMESPACE, "auth", "can-i", *words.split(), user])
            result.require(said.out.strip() == "no", f"{name}: {account} may {words}")


def budgets_and_services(place: Place, result: Result, name: str) -> None:
    """Selectors mean what they should: counted by the controllers, not by us."""
    ready = dict.fromkeys(place.spread(), 0)
    for pod in place.pods():
        ready[pod["metadata"]["labels"][COMPONENT]] += is_ready(pod)
    for budget in place.client.list("pdb", "-n", NAMESPACE):
        component, status = budget["metadata"]["labels"][COMPONENT], budget["status"]
        result.require(
            status["currentHealthy"] == ready[component] and status["disruptionsAllowed"] == 1,
            f"{name}: the budget of {component} says {status}",
        )
    for each in place.client.list("endpointslices", "-n", NAMESPACE):
        component = each["metadata"]["labels"][COMPONENT]
        result.require(
            len(each["endpoints"] or ()) == ready[component],
            f"{name}: the service of {component} leads to {len(each['endpoints'] or ())} pods",
        )


def _tokens(mounted: Mapping[str, Any]) -> list[Any]:
    return [each for each in mounted.get("projected", {}).get("sources", ()) if "serviceAccountToken" in each]


def removed(place: Place, result: Result, name: str) -> None:
    """``helm uninstall`` leaves the topics and nothing else; and an installation takes them up again."""
    place.client.release("-n", NAMESPACE, "uninstall", RELEASE, "--wait", "--timeout=2m")
    left = left_over(place)
    foreign = [each for each in left if not each.startswith("KafkaTopic/")]
    result.require(not foreign, f"{name}: uninstall leaves {foreign}")
    result.facts[f"{name}_left"] = f"{len(left)} KafkaTopics" if left else "nothing"


def refuses(place: Place, result: Result) -> None:
    """The namespace enforces: a pod that breaks the level is refused, and a workload that would is warned of."""
    pod = {"containers": [{"name": "a", "image": "a", "securityContext": {"privileged": True}}]}
    meta = {"name": "a", "namespace": NAMESPACE, "labels": {"a": "a"}}
    workload = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {"selector": {"matchLabels": {"a": "a"}}, "template": {"metadata": meta, "spec": pod}},
    }
    with place.namespace():
        command = [str(place.client.kubectl), "create", "--dry-run=server", "-f", "-"]
        said = place.client.say(command, json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": pod}))
        result.require(said.code != 0 and "restricted" in said.err, f"a privileged pod is taken: {said}")
        result.facts["a privileged pod"] = said.err.strip()[:120]
        said = place.client.say(command, json.dumps(workload))
        result.require("Warning: would violate PodSecurity" in said.err, f"nothing is warned of: {said}")
        result.facts["a workload of such pods"] = said.err.strip()[:120]


def upgrades(place: Place, result: Result) -> None:
    """A changed value, the way back, an upgrade amid another, a release whose pods never get ready, kept topics."""
    with place.namespace() as watch:
        place.install([MEDIUM], "--wait", "--timeout=4m")
        documents = place.manifest()
        counts, kind_of = wanted(documents), kinds(documents)
        available(place, watch, counts)
        upgrade = ("-n", NAMESPACE, "upgrade", RELEASE, str(CHART), "-f", str(MEDIUM))
        watch.begin()
        place.client.release(*upgrade, "--set", "logLevel=info")
        rolled(place, watch, counts, {"SPILLWAY_LOG_LEVEL": "info"})
        judge_roll(result, "upgrade", watch.tally, counts, kind_of)

        watch.begin()
        place.client.release("-n", NAMESPACE, "rollback", RELEASE, "1")
        rolled(place, watch, counts, {"SPILLWAY_LOG_LEVEL": "warning"})
        judge_roll(result, "rollback", watch.tally, counts, kind_of)
        result.require(place.manifest() == documents, "what a rollback brings back is not what was installed")

        interrupted(place, result, watch, counts, upgrade)
        broken(place, result, watch, counts, upgrade)

        over_kept_topics(place, result, watch, counts, upgrade)

        removed(place, result, "medium")
        place.install([MEDIUM], "--wait", "--timeout=4m")
        all_ready(watch, counts, "all pods ready over kept topics")
        result.facts["installed again over kept topics"] = True


def interrupted(
    place: Place, result: Result, watch: Watch, counts: Mapping[str, int], upgrade: tuple[str, ...]
) -> None:
    """An upgrade while the first pods of StatefulSets are not ready: each is replaced, once, and the roll ends."""
    for component in STATEFUL:
        hold(place, watch, component, f"{RELEASE}-{component}-0")
    watch.begin()
    place.client.release(*upgrade, "--set", "logLevel=info")
    rolled(place, watch, counts, {"SPILLWAY_LOG_LEVEL": "info"})
    for component in STATEFUL:
        gone = [each for each in watch.tally.gone if each.startswith(f"{RELEASE}-{component}-")]
        result.require(len(gone) == counts[component], f"an upgrade with {component}-0 not ready: {gone}")
        least = watch.tally.least[component]
        result.require(least >= counts[component] - 2, f"an upgrade with {component}-0 not ready: {least} ready")
    result.facts["upgrade with the first pods not ready"] = f"{len(watch.tally.gone)} pods replaced, each once"


def broken(place: Place, result: Result, watch: Watch, counts: Mapping[str, int], upgrade: tuple[str, ...]) -> None:
    """A release whose pods never get ready takes one pod of each StatefulSet, and its rollback needs no hand."""
    watch.begin()
    said = place.client.say(
        [str(place.client.helm), *upgrade, "--set-string", NEVER_READY, "--atomic", f"--timeout={ATOMIC_SECONDS}s"]
    )
    result.require(said.code != 0, "an upgrade whose pods never get ready ends well")
    available(place, watch, counts)
    for component, count in counts.items():
        least = watch.tally.least[component]
        enough = count - (component in STATEFUL)
        result.require(least >= enough, f"a release that never gets ready left {least} of {count} {component} ready")
    result.facts["--atomic says"] = said.err.strip().splitlines()[-1][:160]
    history = json.loads(place.client.release("-n", NAMESPACE, "history", RELEASE, "-o", "json"))
    result.facts["history"] = ", ".join(f"{each['revision']} {each['status']}" for each in history)


def over_kept_topics(
    place: Place, result: Result, watch: Watch, counts: Mapping[str, int], upgrade: tuple[str, ...]
) -> None:
    """A canary is switched on and off; its topics are kept, and the way back to it is an upgrade, as the page says."""
    canary = place.plane.place / "canary.yaml"
    canary.write_text(json.dumps({"shadow": {"enabled": True, "files": {"feeds.yaml": "alertmanager: {}\n"}}}))
    place.client.release(*upgrade, "-f", str(canary), "--wait", "--timeout=4m")
    place.client.release(*upgrade, "--wait", "--timeout=4m")
    said = place.client.say([str(place.client.helm), "-n", NAMESPACE, "rollback", RELEASE])
    result.facts["a rollback over kept topics says"] = said.err.strip()[:160] or "nothing"
    place.client.release(*upgrade, "-f", str(canary), "--wait", "--timeout=4m")
    all_ready(watch, {**counts, "shadow": 1}, "the canary is back")
    place.client.release(*upgrade, "--wait", "--timeout=4m")
    all_ready(watch, counts, "the canary is gone")


def available(place: Place, watch: Watch, counts: Mapping[str, int]) -> None:
    """Wait until all pods have been ready for as long as the chart wants: what is younger does not count as there."""
    all_ready(watch, counts, "all pods ready")
    for each in place.client.list("statefulsets,deployments", "-n", NAMESPACE):
        name = f"{each['kind'].lower()}/{each['metadata']['name']}"
        ready = f"--for=jsonpath={{.status.availableReplicas}}={each['spec']['replicas']}"
        place.client.cluster("-n", NAMESPACE, "wait", "--timeout=60s", ready, name)


def rolled(place: Place, watch: Watch, counts: Mapping[str, int], environment: Mapping[str, str]) -> None:
    """Wait as the documentation says, then until each pod has the new environment."""
    for each in place.client.list("statefulsets,deployments", "-n", NAMESPACE):
        name = f"{each['kind'].lower()}/{each['metadata']['name']}"
        place.client.cluster("-n", NAMESPACE, "rollout", "status", name, "--timeout=240s")
    available(place, watch, counts)
    for name, pod in watch.tally.pods.items():
        has = {each["name"]: each.get("value") for each in pod["spec"]["containers"][0]["env"]}
        if not environment.items() <= has.items():
            raise AssertionError(f"{name} has not been replaced: {has}")


def judge_roll(result: Result, what: str, tally: Tally, counts: Mapping[str, int], kind_of: Mapping[str, str]) -> None:
    """StatefulSets from the highest ordinal down, one by one; Deployments never with less than they should have."""
    for component, count in counts.items():
        stateful = kind_of[component] == "StatefulSet"
        least, most = tally.least[component], tally.most[component]
        result.require(least >= count - stateful, f"{what}: {component} fell to {least} ready of {count}")
        result.require(most <= count + (not stateful), f"{what}: {component} grew to {most} pods of {count}")
        if stateful:
            order = [each for each in tally.gone if each.startswith(f"{RELEASE}-{component}-")]
            expected = [f"{RELEASE}-{component}-{number}" for number in reversed(range(count))]
            result.require(order == expected, f"{what}: {component} was replaced in the order {order}")
    result.facts[f"{what}: least ready"] = ", ".join(f"{name} {tally.least[name]}/{counts[name]}" for name in counts)


def drains(place: Place, result: Result) -> None:
    """Two nodes of two zones are drained at once; no component falls below its budget."""
    with place.namespace() as watch:
        place.install([MEDIUM], "--wait", "--timeout=4m")
        counts = wanted(place.manifest())
        available(place, watch, counts)
        nodes = _busiest(place)
        watch.begin()
        command = [str(place.client.kubectl), "drain", "--delete-emptydir-data", "--timeout=200s"]
        with ThreadPoolExecutor(len(nodes)) as pool:
            said = list(pool.map(lambda name: place.client.say([*command, name]), nodes))
        all_ready(watch, counts, "all pods ready after a drain")
        result.require(all(each.code == 0 for each in said), f"a drain fails: {[each.err[-300:] for each in said]}")
        for component, count in counts.items():
            least = watch.tally.least[component]
            result.require(least >= count - 1, f"drain: {component} fell to {least} ready of {count}")
        still = [each["metadata"]["name"] for each in place.pods() if each["spec"]["nodeName"] in nodes]
        result.require(not still, f"still on drained nodes: {still}")
        result.facts |= {
            "drained": " and ".join(nodes),
            "evicted": sum(len(EVICTED.findall(each.out)) for each in said),
            "evictions put off by a budget": sum(len(HELD_BACK.findall(each.err)) for each in said),
            "least ready": ", ".join(f"{name} {watch.tally.least[name]}/{counts[name]}" for name in counts),
        }
        refusal = next((line for each in said for line in each.err.splitlines() if HELD_BACK.search(line)), "")
        result.facts["a budget says"] = refusal
        for name in nodes:
            place.client.cluster("uncordon", name)


def _busiest(place: Place) -> list[str]:
    """Two nodes of different zones that share most components, so that budgets have something to hold."""
    holds: dict[str, set[str]] = {}
    for pod in place.pods():
        holds.setdefault(pod["spec"]["nodeName"], set()).add(pod["metadata"]["labels"][COMPONENT])
    pairs = [(a, b) for a in holds for b in holds if a < b and place.zones[a] != place.zones[b]]
    first, second = max(pairs, key=lambda pair: len(holds[pair[0]] & holds[pair[1]]))
    return [first, second]


def restores(place: Place, result: Result) -> None:
    """Which evictions are taken while pods are not ready, by the policy of each kind of workload."""
    with place.namespace() as watch:
        place.install([MEDIUM], "--wait", "--timeout=4m")
        available(place, watch, wanted(place.manifest()))
        for workload, second in (("dedupe", "spillway-dedupe-1"), ("deliver", "")):
            names = sorted(
                each["metadata"]["name"] for each in place.pods() if each["metadata"]["labels"][COMPONENT] == workload
            )
            hold(place, watch, workload, names[0])
            result.facts[f"{workload}: one not ready, evict it"] = evict(place, names[0])
            result.facts[f"{workload}: one not ready, evict a ready one"] = evict(place, names[-1])
            if second:
                hold(place, watch, workload, second)
                result.facts[f"{workload}: two not ready, evict one of them"] = evict(place, names[0])
        expected = {
            "dedupe: one not ready, evict it": "taken",
            "dedupe: one not ready, evict a ready one": "refused",
            "dedupe: two not ready, evict one of them": "refused",
            "deliver: one not ready, evict it": "taken",
            "deliver: one not ready, evict a ready one": "refused",
        }
        for what, outcome in expected.items():
            result.require(result.facts[what] == outcome, f"{what}: {result.facts[what]}, not {outcome}")


def hold(place: Place, watch: Watch, component: str, name: str) -> None:
    """Make a pod not ready, as one that restores its state, and wait until its budget knows."""
    client = place.client
    client.cluster("-n", NAMESPACE, "annotate", "pod", name, "spillway.test/not-ready=yes")
    conditions = [{"type": each, "status": "False"} for each in ("Ready", "ContainersReady")]
    patch = json.dumps({"status": {"conditions": conditions}})
    client.cluster("-n", NAMESPACE, "patch", "pod", name, "--subresource=status", "-p", patch)
    watch.until(lambda tally: not is_ready(tally.pods[name]), f"{name} not ready", 30.0)
    healthy = watch.tally.ready()[component]
    budget = f"pdb/{RELEASE}-{component}"
    client.cluster("-n", NAMESPACE, "wait", f"--for=jsonpath={{.status.currentHealthy}}={healthy}", budget)


def evict(place: Place, name: str) -> str:
    """Ask for an eviction that is not carried out; whether the server would take it."""
    document = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "deleteOptions": {"dryRun": ["All"]},
    }
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{name}/eviction"
    said = place.client.say([str(place.client.kubectl), "create", "--raw", path, "-f", "-"], json.dumps(document))
    if said.code == 0:
        return "taken"
    return "refused" if "disruption budget" in said.err + said.out else f"failed: {said.err[:200]}"


SCENARIOS: Final[dict[str, Callable[[Place, Result], None]]] = {
    "refuses": refuses,
    "installs": installs,
    "upgrades": upgrades,
    "spreads": spreads,
    "drains": drains,
    "restores": restores,
    "documented": documented,
    "tenants": tenants,
}


def run(name: str, place: Place, act: Callable[[Place, Result], None], logs: Path) -> Result:
    """One scenario; what it raises is a fault, and the logs say more."""
    result = Result(name)
    try:
        act(place, result)
    except Exception as error:  # noqa: BLE001  # the next scenario goes on
        result.faults.append(f"{type(error).__name__}: {error} (logs: {logs})")
    return result

"""Every ``helm`` and ``kubectl`` command of the documentation, as a reader calls it, on a cluster with the chart."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.docs.collected import ROOT, Written, commands, pages
from tests.kubernetes.client import Said, warnings
from tests.kubernetes.place import NAMESPACE, RESTRICTED, Place, Result
from tools.generate_deploy import EXAMPLES, TENANT, examples, release

_INLINE: Final = re.compile(r"`((?:kubectl|helm) -n [^`]+)`")
_BEGINS: Final = re.compile(r"(?:kubectl|helm) ")

NOT_RUN: Final[tuple[tuple[str, str], ...]] = (
    (r"kubectl .*\b(?:exec|logs|port-forward)\b", "needs a kubelet: whom it names is looked up instead"),
    (r"kubectl -n spillway top ", "needs kubelets and the metrics server"),
    (r"kubectl -n kafka get kafka,", "needs Strimzi's definition of Kafka, which is in no package registry"),
    (r".*\.\.\.", "is cut short on its page"),
)
"""What a command begins with -> why it is not run here; everything else is."""

TENANTS: Final = re.compile(r"acme|globex")
PLAIN: Final = re.compile(r"kubectl -n spillway (?:delete job|apply -f deploy/k8s/rendered|wait .*job/)")
"""Those of a reader without Helm, in a namespace of its own."""

REFUSED: Final = (r"helm template .*components\.dedup\.",)
"""What the page shows as refused."""

FILTERED: Final = re.compile(r" \| grep -A5 'Last State'$")
"""It looks for what a pod of KWOK never has: a restart. What stands before it is run."""

READER: Final = {"STAGE": "correlate", "NEW-CHART": "deploy/k8s/spillway", "NODE": "node-a1"}
"""What a reader puts in the place of words in capitals; POD is a pod that is there."""


class Outcome(NamedTuple):
    """A command that was run. Attributes: written: where it stands; said: what it came to."""

    written: Written
    said: Said


def collected() -> list[Written]:
    """Commands in blocks and in sentences, each once and as they stand on their page; the page on Kubernetes first.

    It installs what the others ask.
    """
    found = {each.text: each.page for each in commands() if _BEGINS.match(each.text)}
    for page in pages():
        for text in _INLINE.findall(page.read_text()):
            found.setdefault(text, str(page.relative_to(ROOT)))
    written = [Written(page, text) for text, page in found.items()]
    return sorted(written, key=_position)


def _position(written: Written) -> tuple[bool, str, int]:
    text = re.sub(r"\\\n\s*", "", (ROOT / written.page).read_text())
    return written.page != "docs/kubernetes.md", written.page, text.find(written.text)


def reason(text: str) -> str | None:
    """Why a command is not run; None where it is."""
    return next((why for begins, why in NOT_RUN if re.match(begins, text)), None)


def whom(text: str) -> tuple[str, list[str]] | None:
    """The namespace, and what a command that needs a kubelet means there, as words for ``kubectl get``."""
    found = re.match(r"kubectl -n (\S+) (?:exec|logs|port-forward) (-l \S+|\S+)", text)
    if found is None:
        return None
    target = found[2]
    if target.startswith("-l "):
        return found[1], ["pods", "-l", target[3:]]
    return found[1], [target if "/" in target else f"pod/{target}"]


class Reader:
    """Somebody with a shell, the repository's files and a copy of the configuration.

    Attributes:
        directory: where they are.
    """

    def __init__(self, place: Place, directory: Path) -> None:
        self._place = place
        self.directory = directory
        directory.mkdir()
        (directory / "deploy").symlink_to(ROOT / "deploy")
        shutil.copytree(ROOT / "config", directory / "config")
        shutil.copytree(ROOT / "config", directory / "stricter")
        text = (EXAMPLES / "medium.yaml").read_text()
        (directory / "values.yaml").write_text(text + "toolbox: {enabled: true}\n")
        programs = directory / "bin"
        programs.mkdir()
        for name in ("kubectl", "helm"):
            (programs / name).symlink_to(getattr(place.client, name))
        self._path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"

    def run(self, text: str) -> Said:
        """Type a command."""
        for word, value in READER.items():
            text = re.sub(rf"\b{word}\b", value, text)
        if "POD" in text:
            pods = [each["metadata"]["name"] for each in self._place.pods()]
            text = re.sub(r"\bPOD\b", pods[0], text)
        script = f"export PATH={self._path}\nset -o pipefail\n{FILTERED.sub('', text)}"
        return self._place.client.say(["bash", "-c", script], directory=self.directory)


def documented(place: Place, result: Result) -> None:
    """All of them; what cannot be is listed with its reason."""
    everything = collected()
    left_out = [each for each in everything if reason(each.text) is not None]
    runnable = [each for each in everything if reason(each.text) is None and not TENANTS.search(each.text)]
    plain = [each for each in runnable if PLAIN.match(each.text)]
    reader = Reader(place, place.plane.place / "reader")
    client = place.client
    for name in ("monitoring", "spillway-watch"):
        _namespace(place, name)
    client.cluster("-n", "spillway-watch", "apply", "-f", str(ROOT / "deploy" / "k8s" / "watch" / "watch.yaml"))
    outcomes = []
    for written in runnable:
        if written not in plain:
            text = _whole_block(written)
            outcomes.append(Outcome(written, reader.run(text)))
        if written.text == f"kubectl create namespace {NAMESPACE}":
            _namespace(place, NAMESPACE)
    looked_up = [_look_up(place, reader, result, each) for each in left_out]
    client.cluster("delete", "namespace", NAMESPACE, "--timeout=120s")
    _namespace(place, NAMESPACE)
    outcomes += [Outcome(each, reader.run(each.text)) for each in plain]
    client.cluster("delete", "namespace", NAMESPACE, "spillway-watch", "monitoring", "--timeout=120s")
    for each in outcomes:
        _judge(result, each)
    result.facts |= {
        "commands of the documentation": len(everything),
        "run": len(outcomes),
        "looked up instead": sum(looked_up),
    }
    for written in left_out:
        result.facts[f"not run: {written.text}"] = reason(written.text)


def _whole_block(written: Written) -> str:
    """A command that uses a variable of the shell is run with the lines above it."""
    if "$args" not in written.text:
        return written.text
    blocks = re.findall(r"```[a-z]*\n(.*?)```", (ROOT / written.page).read_text(), re.DOTALL)
    (block,) = [each for each in blocks if "$args" in each]
    return str(block)


def _namespace(place: Place, name: str) -> None:
    place.client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})
    place.client.cluster("-n", name, "wait", "--for=create", "--timeout=30s", "serviceaccount/default")


def _look_up(place: Place, reader: Reader, result: Result, written: Written) -> bool:
    """See that what a command names is there."""
    found = whom(written.text)
    if found is None or found[1] == ["job/spillway-topics"]:  # hooks are gone once they have succeeded
        return False
    namespace, words = found
    said = reader.run(" ".join(["kubectl", "-n", namespace, "get", *words, "-o", "name"]))
    there = said.code == 0 and bool(said.out.strip())
    result.require(there, f"{written.page}: {written.text}: it names nothing that is there: {said.err.strip()}")
    return there


def _judge(result: Result, outcome: Outcome) -> None:
    written, said = outcome
    refused = any(re.match(each, written.text) for each in REFUSED)
    result.require(
        said.code != 0 if refused else said.code == 0 and not warnings(said.err),
        f"{written.page}: {written.text}: exit {said.code}: {(said.err or said.out).strip()[-400:]}",
    )


def tenants(place: Place, result: Result) -> None:
    """Two tenants at once, by the commands of the page; no object of one has a namesake of the other's."""
    reader = Reader(place, place.plane.place / "tenants")
    names = [release(each) for each in examples() if each.stem.startswith(TENANT)]
    _namespace(place, "kafka")
    for written in collected():
        if TENANTS.search(written.text) and reason(written.text) is None:
            _judge(result, Outcome(written, reader.run(written.text)))
    made: dict[str, set[str]] = {}
    for name in names:
        for kind in ("statefulset", "deployment"):
            workloads = place.client.list(kind, "-n", name)
            for each in workloads:
                target = f"{kind}/{each['metadata']['name']}"
                place.client.cluster("-n", name, "rollout", "status", target, "--timeout=200s")
        objects: list[Any] = place.manifest(name, name)
        made[name] = {
            f"{each['kind']}/{each['metadata']['name']}"
            for each in objects
            if each["metadata"].get("namespace") == "kafka"
        }
        result.facts[name] = f"{len(objects)} objects, {len(place.pods(name))} pods ready"
    shared = set.intersection(*made.values())
    result.require(not shared, f"both tenants have {sorted(shared)}")
    result.facts["topics and users beside each other"] = sum(map(len, made.values()))
    place.client.release("-n", names[0], "uninstall", names[0], "--wait", "--timeout=2m")
    users = {each["metadata"]["name"] for each in place.client.list("kafkausers", "-n", "kafka")}
    kept = {each.removeprefix("KafkaUser/") for each in made[names[1]] if each.startswith("KafkaUser/")}
    result.require(users == kept, f"after {names[0]} is gone the users are {sorted(users)}")
    result.facts[f"users left when {names[0]} is gone"] = f"{len(users)}, all of {names[1]}"
    place.client.cluster("delete", "namespace", *names, "kafka", "--timeout=120s")

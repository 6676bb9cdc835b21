"""A control plane as plain processes: etcd, API server, controllers, scheduler, and KWOK in place of kubelets.

All of Kubernetes but the nodes is real. KWOK keeps nodes and writes of each pod that it runs, so no container starts,
no probe is asked, no volume is mounted, no packet is sent.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.cluster.process import Process

STAGES: Final = Path(__file__).parent / "stages.yaml"

START_SECONDS_MAX: Final = 120.0
"""Until the API server says that it is ready: ten seconds on a quiet machine of two cores."""
LOOK_SECONDS: Final = 0.1
"""Between two questions whether a process that starts has come up: it tells nobody."""

USERS: Final = {
    "admin": "system:masters",
    "system:kube-controller-manager": "",
    "system:kube-scheduler": "",
    "kwok": "system:masters",
}
"""User -> group. Each has a token of its own; what the controllers may is what Kubernetes' own roles say."""

NODE: Final = {"cpu": "64", "memory": "256Gi", "pods": "250"}
"""Room enough for every example: what is tried is where pods go, not whether they fit."""


class ControlPlaneError(Exception):
    """A process ended or did not come up; the end of its log says why."""


@dataclass(slots=True)
class ControlPlane:
    """What runs.

    Attributes:
        place: directory of data, logs and kubeconfigs.
        server: address of the API server.
        tokens: user -> its token.
    """

    place: Path
    server: str
    tokens: dict[str, str]
    _processes: dict[str, Process] = field(default_factory=dict)

    @property
    def authority(self) -> Path:
        """The certificate that the server made for itself."""
        return self.place / "apiserver" / "apiserver.crt"

    def kubeconfig(self, user: str) -> Path:
        """What clients of a user read; made at the first call."""
        path = self.place / f"{user.replace(':', '-')}.kubeconfig"
        if not path.exists():
            document = {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [
                    {"name": "here", "cluster": {"server": self.server, "certificate-authority": str(self.authority)}}
                ],
                "users": [{"name": user, "user": {"token": self.tokens[user]}}],
                "contexts": [{"name": "here", "context": {"cluster": "here", "user": user}}],
                "current-context": "here",
            }
            path.touch(0o600)
            path.write_text(json.dumps(document))
        return path

    def open(self, path: str, timeout: float) -> Any:
        """Ask the API server as its administrator; the answer is to be read and closed."""
        request = urllib.request.Request(  # noqa: S310  # our own server
            self.server + path, headers={"Authorization": f"Bearer {self.tokens['admin']}"}
        )
        context = ssl.create_default_context(cafile=str(self.authority))
        return urllib.request.urlopen(request, timeout=timeout, context=context)  # noqa: S310

    def get(self, path: str) -> Any:
        """A document of the API server."""
        with self.open(path, timeout=30.0) as answer:
            return json.load(answer)

    def start(self, program: str, binary: Path, *flags: str) -> None:
        """Start a process; its log is named after the program."""
        log = self.place / f"{program}.log"
        process = Process([str(binary), *flags], dict(os.environ), self.place, log)
        process.take_share()
        self._processes[program] = process

    def check(self) -> None:
        """See that all of them run.

        Raises:
            ControlPlaneError: one has ended.
        """
        for program, process in self._processes.items():
            if process.exit_code is not None:
                end = (self.place / f"{program}.log").read_text(errors="replace")[-1500:]
                raise ControlPlaneError(f"{program} ended with {process.exit_code}: {end}")

    def until_ready(self) -> None:
        """Wait until the API server serves.

        Raises:
            ControlPlaneError: it does not.
        """
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            self.check()
            try:
                with self.open("/readyz", timeout=5.0) as answer:
                    if answer.read() == b"ok":
                        return
            except (OSError, urllib.error.URLError):
                pass
            time.sleep(LOOK_SECONDS)
        raise ControlPlaneError(f"the API server was not ready within {START_SECONDS_MAX:.0f} seconds")

    def end(self) -> None:
        """Kill all, the last one first: nothing of theirs is kept."""
        for process in reversed(self._processes.values()):
            process.kill()


@contextmanager
def running(programs: Mapping[str, Path], place: Path) -> Iterator[ControlPlane]:
    """A control plane without nodes, for as long as the block lasts."""
    etcd, peer, port = _free_ports(3)
    plane = ControlPlane(place, f"https://127.0.0.1:{port}", {user: secrets.token_hex(16) for user in USERS})
    _write_keys(plane)
    try:
        plane.start(
            "etcd",
            programs["etcd"],
            f"--data-dir={place / 'etcd'}",
            f"--listen-client-urls=http://127.0.0.1:{etcd}",
            f"--advertise-client-urls=http://127.0.0.1:{etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-cluster=default=http://127.0.0.1:{peer}",
            "--unsafe-no-fsync",
        )
        plane.start("kube-apiserver", programs["kube-apiserver"], *_server_flags(plane, etcd, port))
        plane.until_ready()
        plane.start("kube-controller-manager", programs["kube-controller-manager"], *_controller_flags(plane))
        scheduler = plane.kubeconfig("system:kube-scheduler")
        plane.start(
            "kube-scheduler",
            programs["kube-scheduler"],
            *(f"--{each}={scheduler}" for each in ("kubeconfig", "authentication-kubeconfig")),
            f"--authorization-kubeconfig={scheduler}",
            "--leader-elect=false",
            f"--secure-port={_free_ports(1)[0]}",
            "--bind-address=127.0.0.1",
        )
        kwok = plane.kubeconfig("kwok")
        plane.start(
            "kwok",
            programs["kwok"],
            f"--kubeconfig={kwok}",
            "--manage-all-nodes=true",
            f"--config={STAGES}",
            "--node-lease-duration-seconds=40",
        )
        yield plane
        plane.check()
    finally:
        plane.end()


def _server_flags(plane: ControlPlane, etcd: int, port: int) -> list[str]:
    place = plane.place
    return [
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={place / 'apiserver'}",
        f"--token-auth-file={place / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={place / 'accounts.pub'}",
        f"--service-account-signing-key-file={place / 'accounts.key'}",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--allow-privileged=true",  # what refuses a privileged pod must be the namespace's level
        "--profiling=false",
    ]


def _controller_flags(plane: ControlPlane) -> list[str]:
    mine = plane.kubeconfig("system:kube-controller-manager")
    return [
        *(f"--{each}={mine}" for each in ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")),
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={plane.place / 'accounts.key'}",
        f"--root-ca-file={plane.authority}",
        "--leader-elect=false",
        f"--secure-port={_free_ports(1)[0]}",
        "--bind-address=127.0.0.1",
    ]


def _write_keys(plane: ControlPlane) -> None:
    """Tokens of the users, and the key that signs those of service accounts."""
    rows = [f'{token},{user},{user},"{USERS[user]}"' for user, token in plane.tokens.items()]
    (plane.place / "tokens.csv").write_text("\n".join(rows) + "\n")
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    form = serialization.Encoding.PEM
    (plane.place / "accounts.key").write_bytes(
        key.private_bytes(form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (plane.place / "accounts.pub").write_bytes(
        key.public_key().public_bytes(form, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def _free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in held]
    finally:
        for each in held:
            each.close()


def node(name: str, zone: str) -> dict[str, Any]:
    """A node of a zone, as KWOK keeps it."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "topology.kubernetes.io/zone": zone,
            },
        },
        "status": {"capacity": NODE, "allocatable": NODE},
    }

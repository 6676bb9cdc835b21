"""helm and kubectl as a person calls them, and what they say of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

COMMAND_SECONDS_MAX: Final = 300
"""Of one command; the longest waits for a roll of a hundred pods."""

_WARNED: Final = re.compile(r"(?i)^(?:Error from server|warning:|[WE]\d{4} .*(?:warnings\.go|would violate).*)")
"""A line of stderr by which kubectl or helm hands on what the server warns of. Helm 3 logs it in the form of klog."""


class RefusedError(Exception):
    """A command failed, or the server warned of what it took; the message has the command and what was said."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a command came to.

    Attributes:
        code: its exit code.
        out: its standard output; ``err`` its standard error.
    """

    code: int
    out: str
    err: str


def warnings(text: str) -> list[str]:
    """Lines of standard error that are warnings."""
    return [line for line in text.splitlines() if _WARNED.match(line)]


@dataclass(frozen=True, slots=True)
class Client:
    """One person at the cluster.

    Attributes:
        kubectl: the program; ``helm`` likewise.
        kubeconfig: who they are.
        home: a directory for what helm keeps.
    """

    kubectl: Path
    helm: Path
    kubeconfig: Path
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """Of their shell."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        return {**kept, "KUBECONFIG": str(self.kubeconfig), "HOME": str(self.home)}

    def say(self, command: Sequence[str], given: str = "", directory: Path | None = None) -> Said:
        """Run a command, however it ends."""
        done = subprocess.run(
            command,
            input=given,
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            env=self.environment,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def must(self, command: Sequence[str], given: str = "") -> str:
        """Run a command that has to succeed without a warning.

        Raises:
            RefusedError: it does not.
        """
        said = self.say(command, given)
        if said.code != 0 or warnings(said.err):
            shown = " ".join(command).replace(str(self.kubectl.parent) + "/", "")
            raise RefusedError(f"{shown}: exit {said.code}: {said.err.strip()[-2000:]}")
        return said.out

    def cluster(self, *words: str, given: str = "") -> str:
        """Kubectl, without a warning.

        Raises:
            RefusedError: the server refuses or warns.
        """
        return self.must([str(self.kubectl), *words], given)

    def release(self, *words: str) -> str:
        """Helm, without a warning.

        Raises:
            RefusedError: the server refuses or warns.
        """
        return self.must([str(self.helm), *words])

    def apply(self, *documents: Any) -> None:
        """Make objects, on the server's side, so that large definitions need no annotation."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(documents)})
        self.cluster("apply", "--server-side", "--force-conflicts", "-f", "-", given=text)

    def list(self, kinds: str, *words: str) -> list[Any]:
        """Objects as documents."""
        found: list[Any] = json.loads(self.cluster("get", kinds, "-o", "json", *words))["items"]
        return found

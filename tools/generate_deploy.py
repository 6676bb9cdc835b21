"""Writes what of the deployment derives from the code: ``python -m tools.generate_deploy``.

The chart's files and schema, the lock of the image, and the examples as Helm renders them. ``tests/deploy`` fails when
one is stale.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tools.deploy import derived, values_schema
from tools.deploy.fetch_tools import helm

ROOT: Final = Path(__file__).parent.parent
DEPLOY: Final = ROOT / "deploy"
CHART: Final = DEPLOY / "k8s" / "spillway"
EXAMPLES: Final = DEPLOY / "k8s" / "examples"
RENDERED: Final = DEPLOY / "k8s" / "rendered"

RELEASE: Final = "spillway"
TENANT: Final = "tenant-"
"""How examples begin that are one tenant's of several: what follows is the name of its release and namespace."""
KUBERNETES: Final = "1.33.0"
"""The version that the examples are rendered for; none of them looks at it."""

HEAD: Final = "# What helm makes of examples/{name}.yaml: `python -m tools.generate_deploy`; not edited by hand.\n"

FILES: Final[dict[Path, Callable[[], str]]] = {
    CHART / "files" / "flow.yaml": derived.flow,
    CHART / "files" / "settings.yaml": derived.settings,
    CHART / "files" / "grants.yaml": derived.grants,
    CHART / "values.schema.json": values_schema.text,
    DEPLOY / "image" / "requirements.lock": lambda: derived.runtime_lock(
        (ROOT / "requirements.lock").read_text(), (ROOT / "pyproject.toml").read_text()
    ),
}
"""File -> what makes its text."""


def examples() -> list[Path]:
    """Values of the examples."""
    return sorted(EXAMPLES.glob("*.yaml"))


def release(values: Path) -> str:
    """The name that a release with these values has, and its namespace: a tenant's own, else the product's."""
    return values.stem.removeprefix(TENANT) if values.stem.startswith(TENANT) else RELEASE


def rendered(example: Path) -> Path:
    """Where what helm makes of an example lies."""
    return RENDERED / example.name


def render(values: Path, binary: Path, *more: str) -> str:
    """What helm makes of the chart with these values.

    Raises:
        subprocess.CalledProcessError: helm refused; its stderr says why.
    """
    name = release(values)
    command = [str(binary), "template", name, str(CHART), "--namespace", name, "--kube-version", KUBERNETES]
    done = subprocess.run([*command, "--values", str(values), *more], check=True, capture_output=True, text=True)  # noqa: S603
    return HEAD.format(name=values.stem) + done.stdout


def main() -> None:
    """Write every file whose content has changed."""
    binary = helm()
    for path, make in FILES.items():
        _write(path, make())
    for example in examples():
        _write(rendered(example), render(example, binary))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
        sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()

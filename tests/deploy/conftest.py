"""Real tools, and every set of manifests that the chart is judged by."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy.manifests import Manifest, parse
from tests.real.debian import program
from tools.deploy import fetch_tools
from tools.generate_deploy import examples, render, rendered

EVERYTHING = Path(__file__).parent / "everything.yaml"
"""Values that switch on what no example does: what is written for it must hold as well."""

Refusal = Callable[..., str]


@pytest.fixture(scope="session")
def helm() -> Path:
    """Helm 3: on PATH, else fetched once."""
    return fetch_tools.helm()


@pytest.fixture(scope="session")
def helm_4() -> Path:
    return fetch_tools.helm(fetch_tools.HELM_4)


@pytest.fixture(scope="session")
def promtool() -> Path:
    return program(("promtool",), "prometheus").path


@pytest.fixture(scope="session")
def manifests(helm: Path) -> dict[str, list[Manifest]]:
    """Name of the example -> its documents; ``everything`` beside them."""
    found = {each.stem: parse(rendered(each).read_text()) for each in examples()}
    return {**found, "everything": parse(render(EVERYTHING, helm))}


@pytest.fixture(scope="session")
def refusal(helm: Path) -> Refusal:
    """What helm says to values of the small example with these changes; nothing where it takes them."""

    def ask(*settings: str) -> str:
        words = [word for setting in settings for word in ("--set", setting)]
        (small,) = [each for each in examples() if each.stem == "small"]
        try:
            render(small, helm, *words)
        except subprocess.CalledProcessError as refused:
            return str(refused.stderr)
        return ""

    return ask

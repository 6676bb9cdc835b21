"""Configuration directories written for one test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Final

EXAMPLE: Final = Path(__file__).parents[2] / "config"


def write(directory: Path, files: Mapping[str, str]) -> Path:
    """Write files, dedented, into a directory."""
    for name, text in files.items():
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
    return directory


def component(name: str, *, annotations: str = "", spec: str = "", kind: str = "Component") -> str:
    """A descriptor: five lines up to its name, then annotations (7: the first), then spec."""
    lines = [f"apiVersion: backstage.io/v1alpha1\nkind: {kind}\nmetadata:\n  name: {name}"]
    if annotations:
        lines.append("  annotations:")
        lines.extend(f"    {line}" for line in annotations.splitlines())
    lines.append("spec:\n  type: service")
    lines.extend(f"  {line}" for line in spec.splitlines())
    return "\n".join(lines) + "\n"

"""Writes rules, their unit tests, dashboards and the heads of runbooks: ``python -m tools.generate_observability``.

All of them come from `tools.observability`; `tests/observability` fails when a file is stale.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from tools.observability import cases, dashboards, runbooks
from tools.observability.catalogue import GROUPS
from tools.observability.model import as_document, to_yaml

ROOT: Final = Path(__file__).parent.parent
RULES: Final = ROOT / "deploy" / "k8s" / "spillway" / "files" / "rules"
DASHBOARDS: Final = RULES.parent / "dashboards"
CASES: Final = ROOT / "deploy" / "prometheus" / "tests"
RUNBOOKS: Final = ROOT / "docs" / "runbooks"


def files() -> dict[Path, str]:
    """Every file that is made, with its text."""
    made = {
        RULES / f"{name}.yaml": to_yaml(as_document(group), "tools/observability") for name, group in GROUPS.items()
    }
    made |= {
        CASES / f"{name}.yaml": to_yaml(document, "tools/observability/cases")
        for name, document in cases.documents(CASES, RULES).items()
    }
    made |= {DASHBOARDS / f"{name}.json": text for name, text in dashboards.documents().items()}
    made |= {path: runbooks.with_head(path) for path in sorted(RUNBOOKS.glob("Spillway*.md"))}
    made[RUNBOOKS / "README.md"] = runbooks.page()
    return made


def stale() -> list[Path]:
    """Files that are not as they would be made now, and files that nothing makes."""
    made = files()
    different = [path for path, text in made.items() if not path.exists() or path.read_text() != text]
    there = [*RULES.glob("*.yaml"), *CASES.glob("*.yaml"), *DASHBOARDS.glob("*.json")]
    return sorted([*different, *(path for path in there if path not in made)])


def main() -> None:
    """Write what is stale, and delete what nothing makes any more."""
    made = files()
    for path in stale():
        if path in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(made[path])
        else:
            path.unlink()
        sys.stdout.write(f"{'wrote' if path in made else 'removed'} {path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()

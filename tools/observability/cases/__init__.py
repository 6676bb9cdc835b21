"""Unit tests of the alerts: for each, series with which it fires, and series with which it does not."""

from __future__ import annotations

import os.path
from pathlib import Path
from typing import Any, Final

from tools.observability.cases import flow, processes, users
from tools.observability.cases.case import Case
from tools.observability.catalogue import GROUPS

CASES: Final[tuple[Case, ...]] = (*users.CASES, *flow.CASES, *processes.CASES)


def documents(tests: Path, rules: Path) -> dict[str, dict[str, Any]]:
    """Files for ``promtool test rules``, by name: one for each pace.

    Args:
        tests: directory that they will stand in.
        rules: directory of the rules.
    """
    named = [os.path.relpath(rules / f"{name}.yaml", tests) for name in GROUPS]
    return {
        f"every-{pace}": {
            "rule_files": named,
            "evaluation_interval": pace,
            "group_eval_order": [group.name for group in GROUPS.values()],
            "tests": [case.document() for case in CASES if case.pace == pace],
        }
        for pace in sorted({case.pace for case in CASES})
    }

"""The threat model names tests and files; all of them are there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "security.md"
NAMED: Final = re.compile(r"`((?:tests|pipeline|tools)/[\w/]+\.py)(?:::(\w+))?`")
EVIDENCE_MIN: Final = 40


def test_every_test_that_the_threat_model_names_is_there() -> None:
    found = NAMED.findall(PAGE.read_text())
    missing = [f"{file}::{name}" for file, name in found if not _is_there(ROOT / file, name)]

    assert missing == []
    assert len(found) > EVIDENCE_MIN


def _is_there(file: Path, name: str) -> bool:
    return file.is_file() and (not name or f"def {name}(" in file.read_text())


def test_every_door_has_its_table_and_every_row_its_evidence() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if re.match(r"\| [STRIDE](, [STRIDE])* \|", line)]
    bare = [row for row in rows if not NAMED.search(row) and "Left to you" not in row]

    assert len(rows) > 30
    assert bare == []

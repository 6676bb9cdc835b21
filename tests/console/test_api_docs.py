"""The examples of docs/api.md do what the page says."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from tests.console.conftest import Client, somebody

PAGE: Final = Path(__file__).parents[2] / "docs" / "api.md"
EXAMPLES: Final = re.findall(r"^(curl .*)\n# (\d{3})$", PAGE.read_text(), re.MULTILINE)


@pytest.mark.parametrize(("line", "status"), EXAMPLES)
def test_an_example_is_answered_as_the_page_says(client: Client, line: str, status: str) -> None:
    asking = client(somebody())
    incident = asking.get("/api/v1/incidents?open=true&kind=incident").json()["items"][0]["id"]
    words = shlex.split(line.replace("$CONSOLE", "").replace("$INCIDENT", incident))
    given: dict[str, list[str]] = {}
    for name, value in pairwise(words):
        if name in ("-X", "-H", "-d"):
            given.setdefault(name, []).append(value)
    (path,) = (each for each in words if each.startswith("/api/"))
    headers = dict(each.split(": ", 1) for each in given["-H"])
    headers.pop("Authorization")
    answer = asking.request(given.get("-X", ["GET"])[0], path, headers=headers, content=given.get("-d", [None])[0])
    assert str(answer.status_code) == status, answer.text


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) > 5

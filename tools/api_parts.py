"""The API's description for the documentation: ``docs/openapi.json``, and a table of its operations."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

from pipeline.console.app import create_app
from pipeline.console.context import Context
from pipeline.models.command import Command
from pipeline.models.policy import Config
from pipeline.models.problem import ProblemCommand
from pipeline.records.address import async_engine_of
from pipeline.settings import Settings

DOCUMENT: Final = Path(__file__).parent.parent / "docs" / "openapi.json"

_NOWHERE: Final = "postgresql://127.0.0.1/none"
"""Nothing connects: the description is of the code alone."""


class _Nowhere:
    async def send(self, command: Command | ProblemCommand, *, topic: str, key: str) -> None:
        """Nothing is sent while a description is made."""


@cache
def description() -> dict[str, Any]:
    """The OpenAPI document."""
    context = Context(Settings(), Config(), async_engine_of(_NOWHERE, 1), _Nowhere())
    document: dict[str, Any] = create_app(context).openapi()
    return document


def text() -> str:
    """The document as the file holds it."""
    return orjson.dumps(description(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode() + "\n"


def operations() -> list[tuple[str, str]]:
    """Method and path of each operation, and what it is for."""
    paths = description()["paths"]
    return [
        (f"`{method.upper()} {path}`", operation["summary"])
        for path, methods in sorted(paths.items())
        for method, operation in methods.items()
    ]

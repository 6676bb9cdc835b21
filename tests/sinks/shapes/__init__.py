"""Shapes of requests, written by hand after the vendors' published descriptions; each names its source."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import orjson
from jsonschema import Draft202012Validator


@cache
def _validator(vendor: str, shape: str) -> Draft202012Validator:
    document = orjson.loads((Path(__file__).parent / f"{vendor}.json").read_bytes())
    return Draft202012Validator({**document, "$ref": f"#/$defs/{shape}"})


def faults(vendor: str, shape: str, value: Any) -> list[str]:
    """What is wrong with a request of a vendor, in words; nothing where it has the shape."""
    return [f"{error.json_path}: {error.message}" for error in _validator(vendor, shape).iter_errors(value)]

"""Adapters of YAML for the tests, made as the configuration makes them."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

from pipeline.catalog import check_config
from pipeline.feeds import ADAPTERS, RawMessage, adapters_of
from pipeline.models.alert import Alert
from pipeline.models.decision import BadRecord
from pipeline.models.feed import Adapter
from tests.catalog.directory import write

# What every adapter needs; tests add what they are about.
LEAST = """\
feed_class: saas
kind: {path: state, map: {on: firing, off: resolved}}
alert:
  identity: [id]
"""


def adapter(directory: Path, text: str, name: str = "declared") -> Adapter:
    """The adapter of a file."""
    checked = check_config(write(directory, {f"adapters/{name}.yaml": text}), ADAPTERS)
    assert checked.config is not None, checked.problems
    return adapters_of(checked.config)[name]


def problems(directory: Path, text: str, name: str = "declared") -> list[str]:
    """What is said about a file: line and sentence."""
    checked = check_config(write(directory, {f"adapters/{name}.yaml": text}), ADAPTERS)
    assert {problem.file for problem in checked.problems} <= {f"adapters/{name}.yaml"}
    return [f"{problem.line}: {problem.message}" for problem in checked.problems]


def with_alert(text: str) -> str:
    """`LEAST` with more facts of the alert."""
    lines = dedent(text).strip("\n").splitlines()
    return LEAST + "".join(f"  {line}\n" for line in lines)


def read(subject: Adapter, document: Any, *headers: tuple[str, bytes]) -> list[Alert | BadRecord]:
    """What an adapter makes of a document; the refusal of a whole message as its only result."""
    try:
        return subject(document, RawMessage("declared", subject.feed_class, headers))
    except BadRecord as bad:
        return [bad]


def only(subject: Adapter, document: Any, *headers: tuple[str, bytes]) -> Alert:
    """The one alert of a document."""
    (alert,) = read(subject, document, *headers)
    assert isinstance(alert, Alert), alert
    return alert


def refusal(subject: Adapter, document: Any, *headers: tuple[str, bytes]) -> str:
    """Why a document of one member is refused."""
    (bad,) = read(subject, document, *headers)
    assert isinstance(bad, BadRecord), bad
    return f"{bad.reason}: {bad.detail}"

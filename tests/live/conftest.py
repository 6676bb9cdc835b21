"""Sites for the tests of the whole pipeline, and a real webhook receiver."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pipeline.demo.receiver import Receiver, receiving
from tests.live.site import Site

MakeSite = Callable[..., Site]


@pytest.fixture
def make_site(kafka: str, prefix: str, database: str, tmp_path: Path) -> Iterator[MakeSite]:
    """Makes this test's site with the given settings; its workers end with the test."""
    with ExitStack() as sites:

        def make(**settings: Any) -> Site:
            site = Site(kafka, prefix, tmp_path, records_url=database, **settings)
            sites.callback(site.close)
            return site

        yield make


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def address(receiver: Receiver) -> Iterator[str]:
    """Where the receiver listens."""
    with receiving(receiver) as url:
        yield url

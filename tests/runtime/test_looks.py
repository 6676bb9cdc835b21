"""How a reload sees that files have changed: by what a look at their names finds, links followed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.runtime.reload import _print_of


def put(place: Path, name: str, text: str) -> None:
    (place / name).parent.mkdir(parents=True, exist_ok=True)
    (place / name).write_text(text)


def swap_link(place: Path) -> None:
    put(place, "..2/a.yaml", "b: 2\n")
    os.utime(place / "..2" / "a.yaml", ns=(1, 1))
    (place / "..new").symlink_to("..2")
    (place / "..new").replace(place / "..data")


def rewrite(place: Path) -> None:
    """Other bytes of the same length, as an editor writes them: aside, then in place."""
    put(place, "new", "b: 2\n")
    (place / "new").replace(place / "catalog" / "x.yaml")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory of its own files, and of one that is mounted as Kubernetes does."""
    put(tmp_path, "catalog/x.yaml", "a: 1\n")
    put(tmp_path, "..1/a.yaml", "a: 1\n")
    os.utime(tmp_path / "..1" / "a.yaml", ns=(1, 1))
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    return tmp_path


@pytest.mark.parametrize(
    "change",
    [
        swap_link,
        rewrite,
        lambda place: put(place, "catalog/team/y.yaml", ""),
        lambda place: (place / "catalog" / "x.yaml").unlink(),
        lambda place: (place / "catalog" / "x.yaml").rename(place / "catalog" / "y.yaml"),
    ],
)
def test_a_change_is_seen(place: Path, change: Callable[[Path], None]) -> None:
    before = _print_of(place)
    assert before == _print_of(place) != ()
    change(place)
    assert _print_of(place) != before


@pytest.mark.parametrize(
    "change",
    [
        lambda place: put(place, ".git/index", "x"),
        lambda place: (place / "catalog" / "up").symlink_to(place, target_is_directory=True),
        lambda place: (place / "catalog" / "gone.yaml").symlink_to(place / "nowhere"),
    ],
)
def test_what_is_no_file_of_it_is_no_change_and_no_look_goes_in_circles(
    place: Path, change: Callable[[Path], None]
) -> None:
    before = _print_of(place)
    change(place)
    assert _print_of(place) == before


def test_a_directory_that_is_gone_looks_empty(place: Path) -> None:
    assert _print_of(place / "nowhere") == _print_of(None) == ()

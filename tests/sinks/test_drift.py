"""Tickets that people close, change or delete behind our back: the command finds them, the real worker repairs them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main
from pipeline.core.identity import short_id
from tests.sinks.conformance.life import Life
from tests.sinks.conformance.table import DOWNSTREAMS, Downstream
from tests.sinks.conformance.town import Town
from tests.sinks.servers.servicenow import ServiceNowServer

SECRETS = {"SECRET_DESK": "secret-password"}
SECONDS_MAX = 100.0


def desk(**fields: Any) -> Downstream:
    """ServiceNow that posts nothing: what people do there has to be looked for."""
    given = {"secret_env": "SECRET_DESK", "user": "spillway.integration", "reconcile_minutes": 0, **fields}
    return Downstream(
        name="desk",
        type="servicenow",
        server=ServiceNowServer,
        settings=lambda url: {"url": url, **given},
        secrets=SECRETS,
        credential=DOWNSTREAMS["servicenow"].credential,
    )


class Place:
    """A town with a desk, and the command as its operator calls it."""

    def __init__(self, town: Town, kafka: str, prefix: str, config: Path) -> None:
        self.town = town
        self.server = cast(ServiceNowServer, town.servers["desk"])
        self._environment = {
            "SPILLWAY_BOOTSTRAP": kafka,
            "SPILLWAY_TOPIC_PREFIX": prefix,
            "SPILLWAY_CONFIG": str(config),
            "COLUMNS": "200",
            **SECRETS,
        }

    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, list(arguments), env=self._environment)

    def reconcile(self, *arguments: str) -> tuple[int, dict[str, str]]:
        """Exit code, and incident -> what was found, of those that are not as they should be."""
        shown = self("sink", "reconcile", "--json", *arguments)
        records = orjson.loads(shown.output)["records"]
        found = {each["incident_id"]: each["finding"] for each in records if each["finding"] != "as it should be"}
        return shown.exit_code, found

    def incidents(self, count: int) -> list[Life]:
        """Incidents that are open here and there, each with its record."""
        now_ms = int(time.time() * 1_000)
        lives = [Life(short_id("INC", f"{self.town}", str(number)), now_ms).opened() for number in range(count)]
        self.town.play(*lives)
        self.town.settle(*lives)
        self.town.wait(lambda: len(self.town.ledger) == count, "the ledger has them")
        return lives

    def commands(self, kind: str) -> list[dict[str, Any]]:
        """Commands of a type that people's changes became."""
        found = (orjson.loads(value) for _, value in self.town.raw["commands"])
        return [each for each in found if each["type"] == kind]


@contextmanager
def place(kafka: str, directory: Path, **fields: Any) -> Iterator[Place]:
    prefix = f"drift-{os.getpid()}-{directory.name}."
    with Town(kafka, prefix, directory, {"desk": desk(**fields)}) as town:
        town.start()
        yield Place(town, kafka, prefix, directory / "config")


def test_drift_is_told_by_a_dry_run_and_repaired_when_it_is_asked_for(kafka: str, tmp_path: Path) -> None:
    with place(kafka, tmp_path) as here:
        here.server.now = datetime.now(UTC)
        lives = here.incidents(4)
        untouched, closed, deleted, changed = (each.incident.id for each in lives)
        assert here.reconcile() == (0, {})

        record = here.server.record_of
        here.server.edit(record(closed), "kim", state="6", close_code="Solved", close_notes="disk full")
        here.server.delete(record(deleted))
        here.server.edit(record(changed), "kim", impact="3", urgency="3")
        drifted = {closed: "closed there", deleted: "deleted there", changed: "changed there"}
        before = len(here.town.outcomes)
        assert here.reconcile() == (1, drifted)
        assert "nothing was changed: --apply has it repaired" in here("sink", "reconcile").output
        here.town.poll(1.0)
        assert len(here.town.outcomes) == before

        assert here.reconcile("--apply") == (0, drifted)
        here.town.wait(lambda: here.commands("resolve"), "the person's end became a command")
        here.town.wait(lambda: here.commands("set_priority"), "the person's priority became a command")
        here.town.wait(lambda: deleted in here.town.seen("desk"), "the deleted record is made again")
        [resolve], [priority] = here.commands("resolve"), here.commands("set_priority")
        assert (resolve["target"]["incident_id"], priority["target"]["incident_id"]) == (closed, changed)
        assert here.town.seen("desk")[untouched][0].created == 1
        here.town.wait(lambda: here.reconcile() == (0, {}), "both sides agree, or it is on its way")


@pytest.mark.parametrize("fields", [{"reconcile_minutes": 0.1}, {"poll_seconds": 15}], ids=["reconciled", "polled"])
def test_the_worker_finds_by_itself_what_people_did_there(kafka: str, tmp_path: Path, fields: dict[str, float]) -> None:
    with place(kafka, tmp_path, **fields) as here:
        here.server.now = datetime.now(UTC)
        [life] = here.incidents(1)
        here.server.edit(
            here.server.record_of(life.incident.id), "kim", state="6", close_code="Solved", close_notes="disk full"
        )
        here.town.wait(lambda: here.commands("resolve"), "the person's end became a command", SECONDS_MAX)
        [resolve] = here.commands("resolve")
        assert resolve["target"]["incident_id"] == life.incident.id
        here.town.poll(1.0)
        assert len(here.commands("resolve")) == 1

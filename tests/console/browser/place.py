"""A company at work: the stages, the console, a ticketing system, and what goes wrong in it."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from time import time
from typing import Any, Final
from zlib import crc32

import orjson
import yaml
from sqlalchemy import create_engine, make_url, text

from pipeline.cli.token import DAYS_DEFAULT
from pipeline.records.access.tokens import create_token
from pipeline.records.store import RecordsStore
from tests.live.site import Site
from tests.live.worker import Worker
from tests.sinks.servers import jira
from tests.support import wait_until

STORIES: Final = Path(__file__).parents[2] / "stories"
SECONDS_MAX: Final = 40.0

START_SECONDS_MAX: Final = 100.0
"""The console listens after three seconds; a machine that is busy with other tests may take long."""

SERVICES: Final = (
    "hr-portal",
    "corporate-website",
    "print-queues",
    "order-tracking",
    "gift-cards",
    "wish-lists",
    "reviews",
)
"""Services that need nothing and that nothing needs: what goes wrong with two of them has nothing in common."""

_SECRET: Final = "SECRET_OPS_DESK"  # the variable's name
_MOMENT: Final = re.compile(rb"2026-03-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_SECOND: Final = re.compile(rb"\b1773\d{6}\b")


class Place:
    """Everything that runs. Made once for all tests of the browser.

    Attributes:
        url: of the console.
        desk: the ticketing system, Jira.
    """

    def __init__(self, kafka: str, postgres: str, prefix: str, directory: Path) -> None:
        self._database = make_url(postgres).set(database=f"browser_{prefix.strip('.').replace('-', '_')}")
        self._owner = create_engine(
            make_url(postgres).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
        )
        with self._owner.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {self._database.database}"))
        self.records_url = self._database.render_as_string(hide_password=False)
        self.desk = jira.JiraServer()
        self._servers = AsyncExitStack()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="desk", daemon=True)
        self._thread.start()
        self._on_loop(self._servers.enter_async_context(self.desk.running()))
        self.site = Site(kafka, prefix, directory, records_url=self.records_url, partitions=1, clock="wall")
        self._log = directory / "console.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._worker: Worker | None = None
        self.url = ""

    def start(self) -> None:
        """Start the stages and the console."""
        entry = {"type": "jira", "url": self.desk.url, "user": jira.USER, "secret_env": _SECRET, "project": "OPS"}
        sinks = {"ops-desk": entry | {"search_again_seconds": 1, "poll_seconds": 1}}
        (self.site.directory / "sinks.yaml").write_text(yaml.safe_dump(sinks), encoding="utf-8")
        self.site.secrets[_SECRET] = jira.TOKEN
        services = yaml.safe_dump_all([_component(each) for each in SERVICES])
        (self.site.directory / "catalog" / "more.yaml").write_text(services, encoding="utf-8")
        self.site.make_topics()
        store = RecordsStore(self.records_url)
        store.migrate()
        store.close()
        self._worker = self.site.worker()
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(  # our own command, with the interpreter that runs us
                [sys.executable, "-m", "pipeline", "console", "--listen", "127.0.0.1:0"],
                env=self.site.settings.model_copy(update={"http_port": 0}).to_environment(),
                stdout=output,
                stderr=output,
            )
        wait_until(self._listens, START_SECONDS_MAX, "the console listens")
        self._worker.wait_ready()

    def _listens(self) -> bool:
        said = self._log.read_text(errors="replace")
        assert self._process is not None
        assert self._process.poll() is None, said[-2_000:]
        if found := re.search(r"console on (http://\S+)/ ;", said):
            self.url = found[1]
        return bool(self.url)

    def close(self) -> None:
        """End all of it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self.site.close()
        self._on_loop(self._servers.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        with self._owner.connect() as connection:
            connection.execute(text(f"DROP DATABASE {self._database.database} WITH (FORCE)"))
        self._owner.dispose()

    def token(self, name: str, role: str, *domains: str) -> str:
        """A token of somebody."""
        grant = {"role": role, "domains": list(domains) or None}
        store = RecordsStore(self.records_url)
        _, whole = store.change(
            lambda connection: create_token(
                connection, name, [grant], days=DAYS_DEFAULT, by="tests", now=datetime.now(UTC)
            )
        )
        store.close()
        return whole

    def play(self, story: str, *, records: int, skip: int = 0) -> None:
        """Send a part of a story, as if it happened now."""
        lines = (STORIES / f"{story}.ndjson").read_bytes().splitlines()[skip : skip + records]
        told = [orjson.loads(each) for each in lines]
        shift = time() - datetime.fromisoformat(told[0]["timestamp"]).timestamp()
        for each in told:
            value = shifted(orjson.dumps(each["value"]), shift)
            self.site.send(each["topic"], value, key=each["key"].encode() if each["key"] else None)
        self.site.flush()

    def fail(self, service: str, summary: str, severity: str = "critical") -> None:
        """A monitor finds something wrong with a service."""
        self._alert(service, summary, severity, "firing")

    def recover(self, service: str, summary: str, severity: str = "critical") -> None:
        """And finds it well again."""
        self._alert(service, summary, severity, "resolved")

    def _alert(self, service: str, summary: str, severity: str, status: str) -> None:
        name = re.sub(r"\W+", "", summary.title())
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        labels = {"severity": severity, "alertname": name, "service": service}
        alert = {
            "status": status,
            "labels": labels,
            "annotations": {"summary": summary},
            "startsAt": now,
            "endsAt": now if status == "resolved" else "0001-01-01T00:00:00Z",
            "generatorURL": "https://prometheus.example/graph",
            "fingerprint": f"{crc32(f'{name} {service}'.encode()):016x}",
        }
        body = {"receiver": "spillway", "status": status, "version": "4", "groupKey": name, "truncatedAlerts": 0}
        common = {
            "groupLabels": {},
            "commonLabels": labels,
            "commonAnnotations": {},
            "externalURL": "https://am.example",
        }
        self.site.send("alerts.raw.alertmanager", orjson.dumps(body | common | {"alerts": [alert]}))
        self.site.flush()

    def ticket(self, incident_id: str) -> str:
        """In what state the ticket of an incident is, in our words; "": there is none."""
        return next((each.state for each in self.desk.seen() if each.incident_id == incident_id), "")

    def incident(self, title: str) -> dict[str, Any]:
        """The snapshot of the incident that is called so, as soon as the store has it."""
        found: list[dict[str, Any]] = self._wait(
            lambda: self._rows("title LIKE :what", f"%{title}%"), f"an incident called {title}"
        )
        return found[0]

    def snapshot(self, incident_id: str) -> dict[str, Any]:
        """The newest snapshot of an incident."""
        return self._rows("id = :what", incident_id)[0]

    def until(self, incident_id: str, what: Callable[[dict[str, Any]], object], words: str) -> dict[str, Any]:
        """The snapshot of an incident as soon as something holds of it."""
        self._wait(lambda: what(self.snapshot(incident_id)), words)
        return self.snapshot(incident_id)

    def _rows(self, condition: str, what: str) -> list[dict[str, Any]]:
        store = RecordsStore(self.records_url)
        try:
            asked = text(f"SELECT snapshot FROM incidents WHERE {condition} ORDER BY opened_at DESC")  # noqa: S608  # of our own words
            return list(store.ask(lambda connection: list(connection.scalars(asked, {"what": what}))))
        finally:
            store.close()

    def _wait(self, ask: Callable[[], Any], what: str) -> Any:
        found: list[Any] = []

        def there() -> bool:
            assert self._worker is not None
            self._worker.check()
            found[:] = [ask()]
            return bool(found[0])

        wait_until(there, SECONDS_MAX, what)
        return found[0]

    def _on_loop(self, work: Any) -> Any:
        async def run() -> Any:
            return await work

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(SECONDS_MAX)


def _component(name: str) -> dict[str, Any]:
    spec = {"type": "service", "lifecycle": "production", "owner": "retail-platform", "system": "shop"}
    metadata = {
        "name": name,
        "title": name.replace("-", " ").capitalize(),
        "annotations": {"spillway.dev/tier": "2", "spillway.dev/users": "400"},
    }
    return {"apiVersion": "backstage.io/v1alpha1", "kind": "Component", "metadata": metadata, "spec": spec}


def shifted(value: bytes, seconds: float) -> bytes:
    """A payload with the moments in it moved."""

    def moment(found: re.Match[bytes]) -> bytes:
        at = datetime.fromisoformat(found[0].decode()).timestamp() + seconds
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()

    value = _MOMENT.sub(moment, value)
    return _SECOND.sub(lambda found: str(int(int(found[0]) + seconds)).encode(), value)

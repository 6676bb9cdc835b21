"""Words that monitors, desks and people write are words on every page, whatever stands in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from typing import Any, Final

import orjson
import pytest

from pipeline.console.context import Context
from pipeline.core.outward.record import RecordProcessor
from pipeline.core.step import Effects
from pipeline.models.policy import Config
from pipeline.records.address import async_engine_of
from pipeline.records.projected import ends_of
from pipeline.records.store import RecordsStore
from pipeline.settings import Settings
from tests.console.conftest import Client, clients_of, somebody
from tests.console.matrix import INCIDENT, MATRIX, PROBLEM, Needs
from tests.console.sent import Sent
from tests.played import OUTAGE_MS, Played, records_of

CANARY: Final = "kanarie"
HOSTILE: Final = f"\"'><script>{CANARY}()</script><img src=x onerror={CANARY}()></title></svg>{{{{7*7}}}}<!--"
ADDRESS: Final = f"javascript:{CANARY}()//"

STRUCTURE: Final = frozenset(
    "id incident_id episode_id problem_id alert_key space kind state change reason priority urgency impact severity "
    "domain domains service services entity entities ref owner action what ended feed feed_class bridge_id members "
    "merged_into commands command_id chain chain_before joined left policy_version config_version step phase mode "
    "categories category audience because_code origin remote_state status infrastructure_layer hosting_model".split()
)
"""What pages look things up by: with other words there would be nothing to see."""

PAGES: Final = (
    *(path for route in MATRIX for method, path in [route.split(" ", 1)] if method == "GET" and "{" not in path),
    f"/incidents/{INCIDENT}",
    f"/incidents/{INCIDENT}/timeline",
    f"/incidents/{INCIDENT}/similar",
    f"/incidents/{INCIDENT}/do/note",
    f"/incidents/{INCIDENT}/do/resolve",
    f"/problems/{PROBLEM}",
    f"/search?q={CANARY}",
    "/services/component:default%2Fcheckout",
)


def hostile(value: Any, name: str = "") -> Any:
    """A document with hostile words wherever people or monitors may write."""
    if isinstance(value, dict):
        return {key: hostile(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [hostile(each, name) for each in value]
    if not isinstance(value, str) or name in STRUCTURE:
        return value
    return ADDRESS if value.startswith(("http://", "https://")) else value + HOSTILE


class Reader(HTMLParser):
    """What a browser would make of a page: what would run, and where links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script" and not (given.get("src") or "").startswith("/static/"):
            self.runs.append(f"<script {given}>")
        if tag == "img" and CANARY in str(given):
            self.runs.append(f"<img {given}>")
        for name, value in attrs:
            if name.startswith("on") or name == "style":
                self.runs.append(f"{tag} {name}={value}")
            if name in {"href", "src", "action", "xlink:href"} and not (value or "").startswith(
                ("/", "#", "?", "http", "mailto:")
            ):
                self.runs.append(f"{tag} {name}={value}")


@pytest.fixture(scope="module")
def in_trouble(played: Played) -> Played:
    """The stories until the middle of the outage, told by somebody who means harm."""
    outputs = [each for each in played.outputs if each.timestamp_ms <= OUTAGE_MS]
    return Played([each._replace(value=orjson.dumps(hostile(orjson.loads(each.value or b"{}")))) for each in outputs])


@pytest.fixture
def console(database: str, in_trouble: Played, company: Config) -> Iterator[Client]:
    store = RecordsStore(database)
    store.migrate()
    processor, effects, records = RecordProcessor(), Effects(), list(records_of(in_trouble))
    processor.handle(records, effects)
    store.write(processor.take(), ends_of(records, {}))
    store.close()
    context = Context(
        Settings(records_url=database), company, async_engine_of(database, 4), Sent(), now_ms=lambda: OUTAGE_MS
    )
    with clients_of(context) as client:
        yield client


def incidents(paths: Iterable[str], client: Any) -> list[str]:
    """These pages, and those of every incident and Major Incident that is known."""
    found = client.get("/api/v1/incidents?limit=100").json()["items"]
    found += client.get("/api/v1/bridges?limit=100").json()["items"]
    return [*paths, *(f"/incidents/{each['id']}" for each in found)]


def test_nothing_that_stands_in_an_alert_a_ticket_or_a_note_runs_on_any_page(console: Client) -> None:
    browser = console(somebody())
    told = 0
    for path in incidents((each for each in PAGES if not each.startswith("/api/")), browser):
        if MATRIX.get(f"GET {path}") and MATRIX[f"GET {path}"][0].needs == Needs.NOBODY:
            continue
        answer = browser.get(path)
        assert answer.status_code < 500, f"{path}: {answer.status_code}"
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        reader = Reader()
        reader.feed(answer.text)
        assert reader.runs == [], f"{path}: {reader.runs[:3]}"
        assert "49<!--" not in answer.text, f"{path}: words were taken for a template"
        told += CANARY in answer.text
    assert told > 5, "hostile words are on the pages, or nothing would be shown by this"


def test_the_reader_notices_what_would_run() -> None:
    reader = Reader()
    reader.feed(f"<p>{HOSTILE}</p><a href='{ADDRESS}'>x</a>")
    assert len(reader.runs) >= 3

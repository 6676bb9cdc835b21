"""The console over a store of a million incidents: how fast people and programs are answered, and told of changes.

A real ``spillway console`` over a real PostgreSQL and a real broker, asked over HTTP. Quick runs have 50,000 incidents.
Each request has arguments of its own. *First* is the first pass after the console and the store have started, with the
store's own cache empty (the page cache of the machine is not); the others follow, by one client and by eight at once.
"""

from __future__ import annotations

import random
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

import orjson
from sqlalchemy import Connection, text

from benchmarks.broker import Broker, running_broker
from benchmarks.console_incidents import SEED
from benchmarks.console_live import streams
from benchmarks.console_load import Ask, Asked, measured
from benchmarks.console_process import Console, running_console
from benchmarks.console_store import CONFIG, filled_store
from benchmarks.console_words import FAILURES, Vocabulary
from benchmarks.results import BenchmarkError, Results, say
from pipeline.catalog import load_config
from pipeline.kafka.topics import TopicsError, apply, desired_topics, plan
from pipeline.records.reading.conditions import OPEN as OPEN_ONES
from pipeline.records.store import RecordsStore
from pipeline.settings import Settings

INCIDENTS: Final = {"quick": 50_000, "full": 1_000_000}
OPEN: Final = 10_000
REQUESTS: Final = {"quick": 20, "full": 100}
FIGURES_SHARE: Final = 0.2
"""Of as many requests: analytics count over hundreds of thousands of rows, up to seconds each, and have no bar."""

FIGURES: Final = ("figures of a quarter, API", "analytics")
CLIENTS: Final = (1, 8)
STREAMS: Final = 500
CHANGES_PER_SECOND: Final = 50.0
CHANGED: Final = 200
STREAM_SECONDS: Final = {"quick": 6.0, "full": 30.0}
PAGES_DEEP: Final = 10
IDS_MAX: Final = 2_000
PARTITIONS: Final = 8
TOPICS_SECONDS_MAX: Final = 120.0

COMMON_WORDS: Final = ("slow", "release", "fail", "memory", "expired", "disk")
DOMAINS: Final = ("retail", "workplace", "health")
QUARTERS: Final = ("2026-Q1", "2026-Q2", "2025-Q3", "2025-Q4")


@dataclass(frozen=True, slots=True)
class Known:
    """What requests ask for.

    Attributes:
        newest: ids of incidents that have all that a page shows.
        open: ids of incidents that are open, the newest first.
        words: from the commonest to the rarest.
    """

    newest: list[str]
    open: list[str]
    words: list[str]
    services: list[str]


def run(results: Results) -> None:
    """Every page and call that a bar hangs on, then the streams, then commands."""
    total, requests = INCIDENTS[results.mode], REQUESTS[results.mode]
    with (
        tempfile.TemporaryDirectory(prefix="spillway-bench-") as place,
        running_broker() as broker,
        filled_store(total, OPEN, results.keep) as url,
    ):
        _make_topics(broker)
        known = _known(url)
        with running_console(url, broker.bootstrap, Path(place)) as console:
            for name, ask in _asks(console, known).items():
                asked = round(requests * FIGURES_SHARE) if name in FIGURES else requests
                _measure(results, console, name, ask, asked, total)
            say(f"console: {STREAMS} streams, {CHANGES_PER_SECOND:g} changes a second")
            seconds = STREAM_SECONDS[results.mode]
            changed = known.newest[:CHANGED]
            figures = streams(console, url, changed, clients=STREAMS, rate=CHANGES_PER_SECOND, seconds=seconds)
            results.add("console", "streams", incidents=total, **figures)


def _make_topics(broker: Broker) -> None:
    """All topics; a broker that is busy serves some of them a moment later, and is asked again."""
    settings, config = Settings(bootstrap=broker.bootstrap, partitions=PARTITIONS), load_config(CONFIG)
    deadline = time.monotonic() + TOPICS_SECONDS_MAX
    while True:
        try:
            apply(broker.admin, plan(broker.admin, desired_topics(settings, config)))
            return
        except TopicsError as not_yet:
            if time.monotonic() > deadline:
                raise BenchmarkError(str(not_yet)) from not_yet


def _measure(results: Results, console: Console, name: str, ask: Ask, requests: int, total: int) -> None:
    """One kind of request: cold, then by one client, then by several."""
    first = measured(console, ask, clients=1, requests=max(5, requests // 5), seed=SEED)
    row: dict[str, Any] = {"incidents": total, "first_p95_ms": first["p95_ms"], "answer_bytes": first["answer_bytes"]}
    for clients in CLIENTS:
        each = max(5, requests // clients)
        found = measured(console, ask, clients=clients, requests=each, seed=SEED + clients * 1_000)
        row |= {f"{figure}_{clients}": found[figure] for figure in ("requests", "p50_ms", "p95_ms", "p99_ms", "max_ms")}
    results.add("console", name, **row)
    say(f"console: {name}: p95 {row['p95_ms_1']} ms alone, {row['p95_ms_8']} ms with eight")


def _known(url: str) -> Known:
    def asked(connection: Connection, where: str) -> list[str]:
        query = text(f"SELECT id FROM incidents WHERE {where} ORDER BY opened_at DESC LIMIT :most")  # noqa: S608  # of our own words
        return list(connection.scalars(query, {"most": IDS_MAX}))

    store = RecordsStore(url)
    newest, open_ones = store.ask(partial(asked, where="true")), store.ask(partial(asked, where=OPEN_ONES))
    store.close()
    services = [each.ref for each in load_config(CONFIG).catalogue.entities.values() if each.kind == "component"]
    return Known(newest, open_ones, Vocabulary(SEED).words, services)


def _asks(console: Console, known: Known) -> dict[str, Ask]:
    """Name -> what is asked, with arguments that change."""
    deep = _deep_cursors(console)
    return {
        "board": lambda n: _path(
            "/", n, domain=(None, *DOMAINS), priority=(None, "P1", "P2,P3"), at_risk=(None, "true")
        ),
        "board, page 10": lambda n: Asked(f"/?{urlencode({'after': n.choice(deep)})}"),
        "board, API": lambda n: _path("/api/v1/board", n, domain=(None, *DOMAINS), limit=("50", "100")),
        "search, common word": lambda n: _search(n, n.choice(COMMON_WORDS)),
        "search, word in half of all": lambda n: _search(n, n.choice(known.words[:5])),
        "search, rare word": lambda n: _search(n, n.choice(known.words[5_000:])),
        "search, several words": lambda n: _search(
            n, " ".join(n.sample(known.words[:200], 2)), domain=n.choice(DOMAINS)
        ),
        "search, words of a failure": lambda n: _search(n, _failure_words(n), priority="P1,P2", open="false"),
        "search, an id": lambda n: _search(n, n.choice(known.newest)),
        "search, API": lambda n: _path("/api/v1/search", n, q=COMMON_WORDS, service=(None, *known.services[:10])),
        "incident": lambda n: Asked(f"/incidents/{n.choice(known.newest)}"),
        "incident, API": lambda n: Asked(f"/api/v1/incidents/{n.choice(known.newest)}"),
        "similar, API": lambda n: Asked(f"/api/v1/incidents/{n.choice(known.newest)}/similar"),
        "list, API": lambda n: _path(
            "/api/v1/incidents",
            n,
            owner=(None, "messaging"),
            state=("closed", "logged"),
            category=("data", "performance"),
        ),
        FIGURES[0]: lambda n: _path(
            "/api/v1/analytics/maturity", n, quarter=QUARTERS, domain=(None, *DOMAINS), by=(None, "priority", "domain")
        ),
        FIGURES[1]: lambda n: _path("/analytics", n, quarter=QUARTERS, domain=(None, *DOMAINS)),
        "command": lambda n: _command(n, known.open),
    }


def _path(path: str, numbers: random.Random, **choices: tuple[str | None, ...]) -> Asked:
    chosen = {name: numbers.choice(each_of) for name, each_of in choices.items()}
    return Asked(f"{path}?{urlencode({name: value for name, value in chosen.items() if value is not None})}")


def _search(numbers: random.Random, words: str, **filters: str) -> Asked:
    months_ago = {} if numbers.random() < 0.7 else {"opened_to": f"2026-0{numbers.randint(1, 9)}-01"}
    return Asked(f"/search?{urlencode({'q': words, **filters, **months_ago})}")


def _failure_words(numbers: random.Random) -> str:
    words = numbers.choice(FAILURES).symptoms[0].replace("{s}", "").replace("{h}", "").split()
    return " ".join(words[:3])


def _deep_cursors(console: Console) -> list[str]:
    """Cursors behind some pages of the board, as somebody gets them who goes on and on."""
    connection = HTTPConnection("127.0.0.1", console.port)
    found, after = [], None
    for page in range(PAGES_DEEP + 5):
        path = "/api/v1/board?" + urlencode({"limit": "100"} | ({"after": after} if after else {}))
        connection.request("GET", path, headers={"Authorization": f"Bearer {console.tokens[0]}"})
        after = orjson.loads(connection.getresponse().read())["next"]
        if after is None:
            break
        if page >= PAGES_DEEP - 2:
            found.append(after)
    connection.close()
    return found or [""]


def _command(numbers: random.Random, ids: list[str]) -> Asked:
    body = orjson.dumps({"type": "note", "note": "looked at, nothing yet"})
    key = str(UUID(int=numbers.getrandbits(128)))
    headers = (("Content-Type", "application/json"), ("Idempotency-Key", key))
    return Asked(f"/api/v1/incidents/{numbers.choice(ids)}/commands", "POST", body, headers)

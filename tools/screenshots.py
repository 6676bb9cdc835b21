"""Pictures of the console for its documentation: ``python -m tools.screenshots`` makes ``docs/pictures/console-*.png``.

The pages are real, over a real PostgreSQL that holds the example's day up to a moment, where the clock stands.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any, Final, NamedTuple

import uvicorn
from playwright.sync_api import Browser, sync_playwright
from starlette.types import Receive, Scope, Send

from pipeline.catalog import load_config
from pipeline.console.app import create_app
from pipeline.console.context import Context
from pipeline.console.identity import Grant, Identity
from pipeline.core.outward.record import RecordProcessor
from pipeline.core.step import Effects, Output, Processor, StreamRecord
from pipeline.examples import config_directory, one_day
from pipeline.flow import STAGE_BY_NAME
from pipeline.kafka.ports import free_ports
from pipeline.models.command import Command, Role
from pipeline.models.policy import Config
from pipeline.models.problem import ProblemCommand
from pipeline.records.address import async_engine_of
from pipeline.records.embedded import embedded_postgres
from pipeline.records.projected import ends_of
from pipeline.records.store import RecordsStore
from pipeline.replay import Replay
from pipeline.settings import Settings
from tools import browser

PICTURES: Final = Path(__file__).parents[1] / "docs" / "pictures"
RUN_ON_SECONDS: Final = 600
START_SECONDS_MAX: Final = 30.0
SETTLE_MS: Final = 700
"""For what a page asks for after it is there."""

BYTES_MAX: Final = 200_000

CHECKOUT: Final = "INC-D5KZHUYBCD7C"
HOSPITAL: Final = "MI-HYERUXJ5CCGK"
IN_THE_FAILURE: Final = datetime(2026, 3, 10, 11, 31, 5, tzinfo=UTC)
AT_NIGHT: Final = datetime(2026, 3, 10, 23, 0, tzinfo=UTC)


class Picture(NamedTuple):
    """One picture.

    Attributes:
        keys: pressed before it is taken.
    """

    name: str
    path: str
    at: datetime
    scheme: str = "light"
    width: int = 1120
    height: int = 800
    keys: tuple[str, ...] = ()


PHONE: Final = (390, 780)

_WHOLE: Final = (
    Picture("board", "/", IN_THE_FAILURE),
    Picture("board-dark", "/", IN_THE_FAILURE, "dark"),
    Picture("board-phone", "/", IN_THE_FAILURE, "light", *PHONE),
    Picture("incident", f"/incidents/{CHECKOUT}", IN_THE_FAILURE, height=840),
    Picture("incident-dark", f"/incidents/{CHECKOUT}", IN_THE_FAILURE, "dark", height=840),
    Picture("incident-phone", f"/incidents/{CHECKOUT}", IN_THE_FAILURE, "dark", *PHONE),
    Picture("resolve", f"/incidents/{CHECKOUT}", IN_THE_FAILURE, keys=("r",)),
    Picture("bridge", f"/incidents/{HOSPITAL}", AT_NIGHT, height=840),
    Picture("search", "/search?q=certificate", AT_NIGHT, height=520),
    Picture("services", "/services", IN_THE_FAILURE, height=800),
    Picture("oncall", "/oncall", IN_THE_FAILURE, height=700),
    Picture("analytics", "/analytics", AT_NIGHT, height=800),
)


class _NoKafka:
    """Nothing is asked for on a picture."""

    async def send(self, command: Command | ProblemCommand, *, topic: str, key: str) -> None:
        raise RuntimeError("nothing is asked for on a picture")


def main() -> int:
    """Take all pictures; exit code 1 where there is no browser."""
    path = browser.path()
    if path is None:
        sys.stderr.write(browser.MISSING + "\n")
        return 1
    config = load_config(config_directory())
    outputs = _outputs(config)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=browser.arguments())
        for at in sorted({each.at for each in _WHOLE}):
            with _console(config, outputs, at) as url:
                for picture in _WHOLE:
                    if picture.at == at:
                        _take(chromium, url, picture)
        chromium.close()
    return 0


def _outputs(config: Config) -> list[Output]:
    found: list[Output] = []

    def watch(processor: Processor, record: StreamRecord, effects: Effects) -> None:
        found.extend(effects.outputs)

    Replay(config, watch=watch).run(one_day(), run_on_seconds=RUN_ON_SECONDS)
    return found


@contextmanager
def _console(config: Config, outputs: list[Output], at: datetime) -> Iterator[str]:
    """A console over what there was at a moment; its clock stands there."""
    at_ms = int(at.timestamp() * 1_000)
    with embedded_postgres() as records_url:
        _fill(records_url, [each for each in outputs if each.timestamp_ms <= at_ms])
        [port] = free_ports(1)
        engine = async_engine_of(records_url, 4)
        app = create_app(Context(Settings(records_url=records_url), config, engine, _NoKafka(), now_ms=lambda: at_ms))
        who = Identity("noor.haddad", "noor.haddad", (Grant(Role.ADMINISTRATOR),), "token", "pictures")

        async def as_somebody(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "spillway.identity": who}, receive, send)

        server = uvicorn.Server(uvicorn.Config(as_somebody, port=port, log_level="warning"))
        thread = Thread(target=server.run, daemon=True)
        thread.start()
        deadline = monotonic() + START_SECONDS_MAX
        while not server.started:
            if monotonic() > deadline:
                raise TimeoutError(f"the console has not started within {START_SECONDS_MAX:.0f} s")
            sleep(0.05)
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        thread.join()


def _fill(url: str, outputs: list[Output]) -> None:
    offsets: Counter[str] = Counter()
    records = []
    for each in outputs:
        if each.topic in STAGE_BY_NAME["record"].reads:
            records.append(StreamRecord(each.topic, 0, offsets[each.topic], each.timestamp_ms, each.key, each.value))
            offsets[each.topic] += 1
    store = RecordsStore(url)
    store.migrate()
    processor = RecordProcessor()
    processor.handle(records, Effects())
    store.write(processor.take(), ends_of(records, {}))
    store.close()


def _take(chromium: Browser, url: str, picture: Picture) -> None:
    size: Any = {"width": picture.width, "height": picture.height}
    scheme: Any = picture.scheme
    context = chromium.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    page.goto(url + picture.path)
    page.wait_for_timeout(SETTLE_MS)
    for key in picture.keys:
        page.keyboard.press(key)
        page.wait_for_timeout(SETTLE_MS)
    page.evaluate("document.querySelector('[data-pulse]')?.remove()")  # nothing is live on a picture
    file = PICTURES / f"console-{picture.name}.png"
    page.screenshot(path=file)
    context.close()
    if file.stat().st_size > BYTES_MAX:
        raise ValueError(f"{file.name} has {file.stat().st_size:,} bytes, {BYTES_MAX:,} at most: make it smaller")


if __name__ == "__main__":
    sys.exit(main())

"""Commands of the documentation that need something that runs: an installation is started by the commands of the pages,
gets alerts, and is asked, changed and stopped as the pages say, from the first to the last of these tests."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from typing import Any, Final

import orjson
import pytest
from confluent_kafka.admin import AdminClient

from pipeline.kafka.ports import free_ports
from tests.docs.answering import Answering, answering
from tests.docs.collected import ROOT, of
from tests.docs.installation import HOST, LAB, READY_SECONDS_MAX, Installation, alert, installed
from tests.docs.reader import Followed
from tests.played import new_database
from tests.support import wait_until

FOLLOWED: Final = Followed(of("live"))
WORKER: Final = "spillway run --config config"
EMBEDDED: Final = "spillway run --embedded --config config"
SHADOW: Final = "spillway shadow run"
WATCH: Final = "spillway watch --ping-env SPILLWAY_PING_URL"
GATEWAYS: Final = ("spillway gateway --config config --listen 0.0.0.0:8080", "spillway gateway --config config")
CONSOLES: Final = ("spillway console --listen 127.0.0.1:8090", "spillway console --config config")
ALONE: Final = (
    "spillway run",
    "spillway run dedupe",
    "spillway run dedupe correlate",
    "SPILLWAY_STAGES=dedupe faust -A pipeline.app worker --without-web",
)
"""Workers that share the stages of one installation."""


@pytest.fixture(scope="module")
def outside() -> Iterator[Answering]:
    """Whoever is pinged."""
    with answering(b"") as outside:
        yield outside


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, kafka: str, postgres: str, outside: Answering
) -> Iterator[Installation]:
    """The installation, with everything that stays."""
    place, prefix = tmp_path_factory.mktemp("site"), f"docs-live-{os.getpid()}."
    with new_database(postgres) as database, installed(place, FOLLOWED, kafka, database, prefix) as site:
        ports = [f"{HOST}:{port}" for port in free_ports(len(GATEWAYS) + len(CONSOLES))]
        site.reader.variables |= {
            "U": f"http://{ports[0]}",
            "CONSOLE": f"http://{ports[len(GATEWAYS)]}",
            "SPILLWAY_PING_URL": f"{outside.url}/ping",
        }
        site.start(WORKER)
        site.start(SHADOW)
        for text, listening in zip((*GATEWAYS, *CONSOLES), ports, strict=True):
            site.start(text, listening)
        yield site.wait_ready(WORKER, SHADOW, *GATEWAYS, *CONSOLES)


@pytest.fixture(scope="module")
def incident(site: Installation) -> str:
    """The incident of the alert that the gateway took, once the desk has a ticket of it."""

    def told(entries: Any) -> bool:
        return bool(entries) and all(each["waiting"] == 0 for each in entries)

    return str(site.asked("spillway sink show desk --json", told)[0]["incident_id"])


def test_the_gateway_answers_as_its_page_says(site: Installation) -> None:
    shown = {
        r"curl -si .*GATEWAY_ALERTMANAGER": r'HTTP/1.1 202 Accepted\r?\n(?s:.*)\{"status":"accepted",',
        r"curl -s \$U/v1/feeds/alertmanager ": r'\{"error":"the authentication was not met"',
        r'curl -s "\$U/v1/feeds/uptimerobot': r'\{"status":"accepted","feed":"uptimerobot"',
        r"curl -s \$U/v2/enqueue .*trigger": r'\{"status":"success",.*"dedup_key":"[0-9a-f]{32}"\}',
        r"curl -s \$U/v2/enqueue .*resolve": r'\{"status":"invalid event",.*is missing or blank',
    }
    for begins, pattern in shown.items():
        said = FOLLOWED.run(site.reader, begins)
        assert re.match(pattern, said), said
    (signature,), (signed,) = FOLLOWED.those("signature="), FOLLOWED.those(r"curl -s \$U/v1/feeds/jira")
    done = site.reader.run(f"{signature.text}\n{signed.text}")
    assert '"status":"accepted","feed":"jira"' in done.stdout


def test_a_worker_says_that_it_is_ready(site: Installation) -> None:
    said = FOLLOWED.run(site.reader, "curl -s localhost:9464/readyz", {"9464": str(site.health[WORKER])})
    ready = orjson.loads(said)
    assert ready["ready"] is True
    shown = re.findall(r'^(\{"ready":true,.*)$', (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    assert set(orjson.loads(shown[0])["stages"]["dedupe"]) == set(ready["stages"]["dedupe"])


def test_a_sink_is_shown_tested_asked_again_and_compared(site: Installation, incident: str) -> None:
    named = {
        "SINK": "desk",
        "INC-...": incident,
        **dict.fromkeys(re.findall(r"INC-\w{12}", " ".join(FOLLOWED.all)), incident),
    }
    FOLLOWED.run(site.reader, "spillway sink show ", named)
    FOLLOWED.run(site.reader, "spillway sink test ", named)
    FOLLOWED.run(site.reader, "spillway sink retry ", named)
    FOLLOWED.run(site.reader, "spillway sink reconcile", named)
    FOLLOWED.run(site.reader, "spillway stats --orphans")
    shown = FOLLOWED.run(site.reader, "spillway incident show ", named)
    assert re.search(r"^ticket +INC\d{7} +open +desk +all told", shown, re.MULTILINE), shown


def test_dead_letters_are_shown_and_sent_back_once(site: Installation) -> None:
    site.produce(LAB, alert("Lab"), b"{")
    letters = site.asked("spillway dead-letter list --json --feed lab", lambda found: len(found) == 2)
    ids = dict.fromkeys(("0:4", "0:17", "PARTITION:OFFSET"), letters[0]["id"])
    assert "unknown_feed in ingest" in FOLLOWED.run(site.reader, "spillway dead-letter show ", ids)
    again = r"spillway dead-letter retry --reason unknown_feed"
    assert FOLLOWED.run(site.reader, f"{again} --dry-run").endswith("would retry 2 records\n")
    assert FOLLOWED.run(site.reader, f"{again}$").endswith("retried 2 records\n")
    assert FOLLOWED.run(site.reader, r"spillway dead-letter retry --stage ").startswith("retried 0 records\n")


def test_tokens_are_made_and_revoked_as_their_page_says(site: Installation) -> None:
    token = FOLLOWED.run(site.reader, "spillway token create .*--days 30").splitlines()[0]
    bot = orjson.loads(FOLLOWED.run(site.reader, "spillway token create .*--json"))
    assert bot["grants"] == [{"role": "responder", "domains": ["retail"]}]
    asking = f'curl -s -o me.json -w "%{{http_code}}" $CONSOLE/api/v1/me -H "Authorization: Bearer {token}"'
    assert site.reader.run(asking).stdout == "200"
    FOLLOWED.run(site.reader, "spillway token revoke ", {"3f9c0d5a71be": token.split("_")[1]})
    assert site.reader.run(asking).stdout == "401"


def test_the_api_answers_as_its_page_says(site: Installation, incident: str) -> None:
    token = FOLLOWED.run(site.reader, "spillway token create .*responder$").splitlines()[0]
    site.reader.variables |= {"TOKEN": token, "INCIDENT": incident}
    answers = dict(re.findall(r"^(curl .*)\n# (\d{3})$", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE))
    (hearing,) = FOLLOWED.those("curl -sN ")
    stream = site.reader.start(hearing.text, "stream")
    try:
        wait_until(lambda: "retry: 2000" in stream.said(), READY_SECONDS_MAX, "the stream begins")
        for written in FOLLOWED.those(r"curl .*\$CONSOLE/api/v1/(?!stream)"):
            done = site.reader.run(f"{written.text} -w '\\n%{{http_code}}'")
            assert done.stdout.splitlines()[-1] == answers[written.text], f"{written.text}: {done.stdout}"
        wait_until(lambda: "event: changed" in stream.said(), READY_SECONDS_MAX, "the note is heard of")
    finally:
        stream.kill()


def test_the_store_is_made_anew_compared_and_relieved_of_what_is_old(site: Installation, postgres: str) -> None:
    FOLLOWED.run(site.reader, "spillway records rebuild$")
    with new_database(postgres) as anew:
        stores = {"postgresql://records/spillway": site.reader.variables["SPILLWAY_RECORDS_URL"]}
        stores["postgresql://records/anew"] = anew
        wait_until(lambda: _caught_up(site), READY_SECONDS_MAX, "the store holds what the topics hold")
        said = FOLLOWED.run(site.reader, "spillway records rebuild --into ", stores)
        assert said.endswith("the store holds what the topics hold\n")
        FOLLOWED.run(site.reader, "spillway records compare ", stores)
    FOLLOWED.run(site.reader, "spillway records retention ")


def _caught_up(site: Installation) -> bool:
    topics = orjson.loads(site.reader.run("spillway records status --json").stdout)["topics"]
    return all(each["records"] == 0 for each in topics)


def test_a_shadow_is_started_looked_at_and_promoted(site: Installation) -> None:
    FOLLOWED.run(site.reader, "spillway shadow start ")
    site.asked("spillway shadow status --json")
    assert "records decided" in FOLLOWED.run(site.reader, "spillway shadow status")
    assert str(site.reader.place / "config") in FOLLOWED.run(site.reader, "spillway shadow promote")


def test_the_watch_pings_while_a_probe_gets_through(site: Installation, outside: Answering) -> None:
    site.start(WATCH)
    wait_until(lambda: outside.paths == ["/ping"], READY_SECONDS_MAX, "a ping comes")
    site.stop(WATCH)


def test_workers_share_the_stages_until_they_are_asked_to_stop(site: Installation) -> None:
    site.stop()
    for text in ALONE:
        site.start(text)
    site.wait_ready(*ALONE).stop()


def test_a_worker_that_brings_its_engines_along_serves_and_takes_them_with_it(site: Installation) -> None:
    bootstrap = f"{HOST}:{free_ports(1)[0]}"
    site.start(EMBEDDED, SPILLWAY_BOOTSTRAP=bootstrap)
    site.wait_ready(EMBEDDED)
    assert AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=READY_SECONDS_MAX).topics
    site.stop(EMBEDDED)
    with pytest.raises(OSError, match="refused"), socket.create_connection((HOST, int(bootstrap.rpartition(":")[2]))):
        pass


def test_every_command_that_needs_what_runs_was_run() -> None:
    assert FOLLOWED.left() == set()

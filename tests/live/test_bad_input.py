"""Bad records among good ones, live: each is in the dead letter with its bytes and a reason, the rest goes on."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime
from typing import cast

import orjson
import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Message
from confluent_kafka.admin import NewTopic

from pipeline.cli.dead_letter import dead_letter
from pipeline.records.store import RecordsStore
from tests.live.conftest import MakeSite
from tests.live.site import HANDLED_SECONDS_MAX, Site
from tests.stories import payloads
from tests.support import wait_until

FEED = "alerts.raw.alertmanager"
STRANGER = "alerts.raw.nobody"
MEGABYTES = 5
LARGE = b'{"alerts": "' + b"x" * (MEGABYTES << 20) + b'"}'
HEADERS = (("traceparent", b"00-1"), ("raw", b"\xff\x00"))

# Topic, value, reason: sent in this order, each with a good record before it and one after.
BAD: tuple[tuple[str, bytes | None, str], ...] = (
    (FEED, b'{"alerts": [', "broken_json"),
    (FEED, b'\xff\xfe{"alerts": []}', "broken_json"),
    (FEED, b"[1, 2]", "wrong_type"),
    (FEED, b'{"alerts": 7}', "wrong_type"),
    (FEED, LARGE, "too_large"),
    (FEED, b"", "empty"),
    (FEED, None, "empty"),
    (STRANGER, b'{"is": "anybody there?"}', "unknown_feed"),
)


def good(number: int) -> dict[str, object]:
    """An error of a condition of its own; errors are not held."""
    labels = {"alertname": f"Errors{number}", "service": "checkout", "severity": "critical"}
    return payloads.alertmanager(labels, f"checkout fails in way {number}", datetime.now(UTC))


def group_with_a_bad_member() -> bytes:
    group = good(100)
    group["alerts"] = [good(101)["alerts"][0], {"status": 5}, good(102)["alerts"][0]]  # type: ignore[index]
    return orjson.dumps(group)


def headers_of(letter: Message) -> dict[str, bytes]:
    return dict(cast(list[tuple[str, bytes]], letter.headers() or []))


def reason_of(letter: Message) -> str:
    return headers_of(letter)["spillway-reason"].decode()


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    site = make_site(partitions=1)
    site.make_topics()
    site.admin.create_topics([NewTopic(site.settings.wire(STRANGER), 1, 1)])[site.settings.wire(STRANGER)].result()
    return site


def ask(site: Site, *arguments: str) -> Result:
    environment = {"SPILLWAY_BOOTSTRAP": site.settings.bootstrap, "SPILLWAY_TOPIC_PREFIX": site.settings.topic_prefix}
    result = CliRunner().invoke(dead_letter, arguments, env=environment)
    assert result.exit_code == 0, result.output
    return result


def test_bad_records_are_kept_with_their_bytes_and_a_reason_and_the_rest_goes_on(site: Site) -> None:
    worker = site.worker().wait_ready()
    for number, (topic, value, reason) in enumerate(BAD):
        site.send(FEED, orjson.dumps(good(number)))
        site.send(topic, value, key=reason.encode(), headers=HEADERS)
    group = group_with_a_bad_member()
    site.send(FEED, group, key=b"group")
    site.send(FEED, orjson.dumps(good(len(BAD))))
    site.flush()
    bad, fine = len(BAD) + 1, len(BAD) + 1 + 2
    letters = site.read("dead.letter", lambda found: len(found) >= bad, f"{bad} dead letters")
    wait_until(lambda: worker.dispositions().total() >= bad + fine, HANDLED_SECONDS_MAX, "every alert is decided")

    (member,) = [letter for letter in letters if letter.key() == b"group"]
    assert (member.value(), reason_of(member)) == (group, "wrong_type")
    whole = [letter for letter in letters if letter.key() != b"group"]
    assert len(letters) == bad
    assert Counter((letter.value(), reason_of(letter)) for letter in whole) == Counter(
        (value, reason) for _, value, reason in BAD
    )
    check_headers(whole)

    decided = worker.dispositions()
    assert decided["dead_lettered"] == bad
    assert decided.total() == bad + fine
    assert decided["opened"] + decided["joined"] == fine
    assert worker.remainder() == 0
    counted = {key: number for key, number in worker.series()["spillway_dead_letters_total"].items() if number}
    assert counted == Counter((reason_of(letter), "ingest") for letter in letters)
    store = RecordsStore(site.settings.records_url or "")
    wait_until(lambda: alerts_in(store) == fine, HANDLED_SECONDS_MAX, "the records store has what was good")
    store.close()
    assert worker.terminate() == 0, worker.said()
    check_commands(site, letters)


def alerts_in(store: RecordsStore) -> int:
    return sum(incident["alerts_total"] for incident in store.incidents())


def check_headers(letters: list[Message]) -> None:
    """What came with a record is still there, and where it came from."""
    now_ms = time.time() * 1_000
    for letter in letters:
        headers = headers_of(letter)
        assert tuple((name, headers[name]) for name, _ in HEADERS) == HEADERS
        assert headers["spillway-stage"] == b"ingest"
        assert headers["spillway-topic"] == (STRANGER if letter.key() == b"unknown_feed" else FEED).encode()
        assert abs(now_ms - int(headers["spillway-timestamp"])) < 120_000
        assert headers["spillway-detail"]


def check_commands(site: Site, letters: list[Message]) -> None:
    """People find them with the command line."""
    listed = orjson.loads(ask(site, "list", "--json").output)
    assert Counter(each["reason"] for each in listed) == Counter(reason_of(letter) for letter in letters)
    large = next(each for each in listed if each["reason"] == "too_large")
    assert large["size_bytes"] == len(LARGE)
    stranger = next(each for each in listed if each["reason"] == "unknown_feed")
    assert stranger["topic"] == STRANGER
    shown = orjson.loads(ask(site, "show", stranger["id"], "--json").output)
    assert shown["value"] == '{"is": "anybody there?"}'

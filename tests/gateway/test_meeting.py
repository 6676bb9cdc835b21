"""What the gateway writes is what the adapters read: headers, queries and events, from HTTP to alerts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import cast

import orjson
import pytest
import yaml
from confluent_kafka import Message

from pipeline import feeds
from pipeline.feeds import ADAPTERS, RawMessage
from pipeline.gateway.headers import KEPT
from pipeline.models.alert import Alert
from tests.feeds.payloads import EXPECTED, SAMPLES
from tests.gateway.house import House

OPEN = {"auth": {"scheme": "none"}}
FEEDS = {
    "cloudevents": {"gateway": OPEN},
    "jira": {"gateway": OPEN},
    "sentry": {"gateway": OPEN},
    "uptimerobot": {"gateway": {**OPEN, "get": True}},
    "xurrent": {"gateway": OPEN},
}


@pytest.fixture(scope="module")
def house(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(kafka, f"meeting-{os.getpid()}.", tmp_path_factory.mktemp("meeting"), FEEDS, {}) as made:
        yield made


def alert_of(feed: str, record: Message) -> Alert:
    adapter = ADAPTERS[feed]
    headers = cast(list[tuple[str, bytes]], record.headers() or [])
    message = RawMessage(feed, "saas", headers, adapter.read_options({}))
    value = record.value() or b""
    document = adapter.decode(value) if adapter.decode else orjson.loads(value)
    found = adapter(document, message)[0]
    assert isinstance(found, Alert)
    return found


def test_every_header_that_an_adapter_reads_is_kept() -> None:
    read = set()
    for module in iter_modules(feeds.__path__):
        for name, value in vars(import_module(f"{feeds.__name__}.{module.name}")).items():
            if re.fullmatch(r"_[A-Z]+_HEADERS?", name):
                read |= {value} if isinstance(value, str) else set(value)
    assert len(read) >= 6
    assert read <= set(KEPT)


@pytest.mark.parametrize(
    ("feed", "sample", "header"),
    [
        ("jira", "jira-ticket-firing.json", "X-Atlassian-Webhook-Identifier"),
        ("sentry", "sentry-metric-firing.json", "Request-ID"),
        ("xurrent", "xurrent-ticket-firing.json", "X-Xurrent-Delivery"),
    ],
)
def test_the_id_of_a_delivery_comes_from_its_header(house: House, feed: str, sample: str, header: str) -> None:
    answer = house.send(f"/v1/feeds/{feed}", (SAMPLES / sample).read_bytes(), {header: "delivery-1"})
    assert answer.status == 202
    assert alert_of(feed, house.records(feed)[-1]).delivery_id == "delivery-1"


def test_a_query_is_read_by_the_adapter(house: House) -> None:
    query = (SAMPLES / "uptimerobot-query.txt").read_text().strip().removeprefix("?")
    assert house.send(f"/v1/feeds/uptimerobot?{query}", None, method="GET").status == 202
    assert alert_of("uptimerobot", house.records("uptimerobot")[-1]).name


def test_a_binary_cloudevent_over_http_is_the_alert_that_it_is_on_kafka(house: House) -> None:
    body = (SAMPLES / "cloudevents-binary-firing.json").read_bytes()
    on_kafka = yaml.safe_load((EXPECTED / "cloudevents-binary-firing.yaml").read_text())["headers"]
    over_http = {re.sub("^ce_", "ce-", name): value for name, value in on_kafka.items()}
    assert over_http.keys() != on_kafka.keys()
    assert house.send("/v1/feeds/cloudevents", body, over_http).status == 202
    record = house.records("cloudevents")[-1]
    assert dict(record.headers() or []) == {name: value.encode() for name, value in on_kafka.items()}
    assert alert_of("cloudevents", record).kind == "firing"

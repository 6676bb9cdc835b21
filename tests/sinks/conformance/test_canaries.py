"""Secrets are planted, and downstreams quote them in their error pages: nowhere that people look do they appear."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from pipeline.sinks.clients import client_of
from pipeline.sinks.limits import Bucket
from tests.sinks.conformance.scenarios import born
from tests.sinks.conformance.table import DOWNSTREAMS
from tests.sinks.conformance.town import Town

CREDENTIAL_CHARACTERS_MIN = 8
CREDENTIALS = ("authorization", "token", "key", "secret", "signature")
FAULTS = ("before", "401", "after")


@pytest.fixture(scope="module")
def town(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A town that has met hostile downstreams, and has written all that it had to say of that."""
    place = tmp_path_factory.mktemp("canaries")
    with Town(kafka, f"{place.name}.", place, DOWNSTREAMS, log_level="debug") as town:
        town.start()
        for server in town.servers.values():
            server.quotes = True
        life = born()
        town.play(life.opened(), life.called("amara.okafor"), life.published("investigating", "We look into it."))
        town.settle(life)
        for fault in FAULTS:
            town.fail(fault)
            town.play(life.noted(f"before {fault}"), life.published("identified", f"More is known ({fault})."))
            town.settle(life)
            town.calm()
        for name, each in town.downstreams.items():
            if each.credential is not None:
                setattr(town.servers[name], *each.credential)
        refused = born()
        town.play(refused.opened(), refused.published("investigating", "We look into it."))
        names = {name for name, each in town.downstreams.items() if each.credential is not None}
        town.wait(lambda: names <= town.tried(refused), "every credential has been refused")
        yield town


def canaries(town: Town) -> dict[str, str]:
    """Whatever must not appear -> what it is: the secrets in every spelling, and what showed who we are on the way."""
    found: dict[str, str] = {}
    for name, secret in town.secrets.items():
        encoded = b64encode(secret.encode()).decode().rstrip("=")
        for spelling in (secret, secret.removeprefix("whsec_"), encoded, quote(secret, safe="")):
            found[spelling] = name
    for server in town.servers.values():
        for attempt in server.journal:
            for header, value in attempt.headers.items():
                credential = value.rpartition(" ")[2]
                if any(word in header.lower() for word in CREDENTIALS) and len(credential) > CREDENTIAL_CHARACTERS_MIN:
                    found[credential] = f"{header} to {type(server).__name__}"
    return found


def sightings(town: Town, where: str, text: str) -> list[str]:
    """Canaries in a text: what they are and where, but not they themselves."""
    return [f"{what} in {where}" for canary, what in canaries(town).items() if canary in text]


def test_every_server_was_shown_a_secret_and_has_quoted_it(town: Town) -> None:
    assert len(canaries(town)) > len(town.secrets)
    refused = {each["sink"] for each in town.outcomes if each["outcome"] != "delivered" and each["detail"]}
    assert {name for name, each in DOWNSTREAMS.items() if each.credential is not None} <= refused


def test_no_secret_is_in_any_record(town: Town) -> None:
    found = [
        sighting
        for topic, records in town.raw.items()
        for key, value in records
        for sighting in sightings(town, topic, (key + b" " + value).decode(errors="replace"))
    ]
    assert found == []
    assert town.raw["deliveries"]
    assert town.raw["deliveries.state"]


def test_no_secret_is_in_what_the_worker_says_and_measures(town: Town) -> None:
    worker = town.workers[-1]
    assert sightings(town, "the log", worker.said()) == []
    assert sightings(town, "/metrics", worker.get("/metrics")) == []
    assert "spillway_" in worker.get("/metrics")


@pytest.mark.parametrize("name", DOWNSTREAMS)
def test_no_secret_is_in_what_a_sink_shows_of_itself(town: Town, name: str) -> None:
    downstream = DOWNSTREAMS[name]
    rules = downstream.rules(town.servers[name].url)

    async def shown() -> str:
        bucket = Bucket(0, 5)
        client = client_of(rules, town.secrets, bucket)
        try:
            return f"{client!r} {client} {rules!r} {bucket!r} {bucket.secrets!r}"
        finally:
            await client.close()

    assert sightings(town, "its representation", asyncio.run(shown())) == []


def test_a_canary_would_be_seen(town: Town) -> None:
    for name, secret in town.secrets.items():
        assert sightings(town, "a text", f"error: token {secret} is wrong"), name

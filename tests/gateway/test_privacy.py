"""Over real HTTP: what the gateway writes to Kafka holds no personal data, and a signature is checked before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.gateway.house import House

FEEDS = {
    "desk": {"adapter": "servicenow", "gateway": {"auth": {"scheme": "none"}, "key": ["$.caller_id"]}},
    "raw": {"adapter": "syslog", "gateway": {"auth": {"scheme": "none"}}},
    "other": {"adapter": "jira", "gateway": {"auth": {"scheme": "none"}}},
}
RULES = """
redact:
  people: {feeds: [desk], fields: [caller_id], action: pseudonymise}
  texts: {feeds: [desk, raw], patterns: [email]}
"""


@pytest.fixture(scope="module")
def house(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    place: Path = tmp_path_factory.mktemp("privacy")
    (place / "privacy.yaml").write_text(RULES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPILLWAY_PRIVACY_KEY", "a key of the test's own")
        with House(kafka, f"privacy-{os.getpid()}.", place, FEEDS, {}) as made:
            yield made


def test_the_raw_topic_holds_pseudonyms_and_the_key_follows_them(house: House) -> None:
    for caller in ("Ann", "Ann", "Bob"):
        body = orjson.dumps({"caller_id": caller, "text": "of ann@x.org", "number": "INC1"})
        assert house.feed("desk", body).status == 202
    first, second, third = house.records("desk", 3)
    values = [orjson.loads(each.value() or b"") for each in (first, second, third)]
    assert [each["text"] for each in values] == ["of [email]"] * 3
    callers = sorted(each["caller_id"] for each in values)
    assert all(each.startswith("anon-") for each in callers)
    assert len(set(callers)) == 2
    assert len({each.key() for each in (first, second, third)}) == 2


def test_text_loses_what_patterns_find_and_a_feed_without_a_rule_goes_byte_for_byte(house: House) -> None:
    assert house.feed("raw", b"<34>1 login of ann@x.org \xff").status == 202
    assert house.values("raw", 1) == [b"<34>1 login of [email] \xff"]
    body = b'{"caller_id":  "Ann", "text": "ann@x.org"}'
    assert house.feed("other", body).status == 202
    assert house.values("other", 1) == [body]


def test_a_large_body_is_redacted_as_well(house: House) -> None:
    body = orjson.dumps({"caller_id": "Ann", "text": "ann@x.org " * 10_000})
    before = len(house.records("desk", 0))
    assert house.feed("desk", body).status == 202
    assert all(b"ann@x.org" not in (each.value() or b"") for each in house.records("desk", before + 1))

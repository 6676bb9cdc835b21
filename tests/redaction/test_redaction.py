"""No person and no secret leaves, and what is left is decided as the original was."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.catalog import load_config
from pipeline.cli.redacting import people_of, things_of
from pipeline.core.step import StreamRecord
from pipeline.core.terms import terms_of
from pipeline.examples import config_directory, one_day
from pipeline.feeds import ADAPTERS
from pipeline.models.alert import Alert
from pipeline.redaction.pseudonyms import Pseudonyms
from pipeline.redaction.redact import Redactor
from pipeline.redaction.rules import RedactionRules, RulesError, read_rules
from pipeline.replay import Replay, incident_lines
from tests.feeds import payloads

KEY = b"a key of thirty-two bytes or so."
OTHER_KEY = b"another key of about that length"
DAY = tuple(one_day())
CONFIG = load_config(config_directory())


def record(value: Any, *, topic: str = "alerts.raw.any") -> StreamRecord:
    return StreamRecord(topic, 0, 0, 0, None, value if isinstance(value, bytes) else orjson.dumps(value))


def redacted(value: Any, rules: RedactionRules | None = None, key: bytes = KEY) -> Any:
    redactor = Redactor(rules or RedactionRules(), key)
    before = record(value)
    redactor.learn(before)
    after = redactor.redacted(before).value
    assert after is not None
    return after.decode(errors="replace") if isinstance(value, bytes) else orjson.loads(after)


def decided(records: list[StreamRecord]) -> tuple[list[list[Any]], list[Any]]:
    """Alerts of each incident, and what became of each alert."""
    outcome = Replay(CONFIG).run(records, run_on_seconds=3_600)
    lines = incident_lines(outcome.decisions, (event.value or b"" for event in outcome.events))
    groups = sorted(sorted(orjson.loads(line)["alerts"]) for line in lines)
    return groups, [(each.origin, each.disposition, each.reason) for each in outcome.decisions]


@pytest.mark.parametrize("key", [KEY, OTHER_KEY])
def test_a_redacted_day_has_the_same_incidents_and_decisions(key: bytes) -> None:
    redactor = Redactor(RedactionRules(), key, people_of(CONFIG), things_of(CONFIG))
    for each in DAY:
        redactor.learn(each)
    without = [redactor.redacted(each) for each in DAY]
    assert redactor.replaced > 100
    assert decided(without) == decided(list(DAY))
    reporters = {match for each in DAY for match in re.findall(rb"5f0000000000000000000\d{3}", each.value or b"")}
    assert len(reporters) > 10
    assert not any(reporter in (each.value or b"") for reporter in reporters for each in without)


@pytest.mark.parametrize("name", sorted(payloads.SAMPLE_OF))
def test_every_source_reads_the_same_alerts_from_its_redacted_message(name: str) -> None:
    sample = payloads.SAMPLE_OF[name]
    raw = StreamRecord("alerts.raw.any", 0, 0, 0, None, sample.file.read_bytes(), sample.headers)
    redactor = Redactor(RedactionRules(), KEY)
    redactor.learn(raw)
    after = redactor.redacted(raw)
    decode = ADAPTERS[sample.adapter].decode or orjson.loads
    before, now = (sample.read(decode(value or b"")) for value in (raw.value, after.value))
    for was, is_now in zip(before, now, strict=True):
        assert isinstance(was, Alert)
        assert isinstance(is_now, Alert)
        for fact in ("kind", "severity", "event_at_ms", "ended_at_ms", "users_affected", "ttl_seconds"):
            assert getattr(was, fact) == getattr(is_now, fact), fact
        assert (was.reporter is None) == (is_now.reporter is None)
        assert was.reporter is None or was.reporter != is_now.reporter


def test_people_are_the_same_pseudonym_in_fields_logins_addresses_and_texts() -> None:
    said = redacted(
        {
            "reporter": {"displayName": "Anna Meier", "emailAddress": "anna.meier@corp.example", "id": 4_711},
            "text": "Outlook hangs. Regards, Anna (anna.meier, Meier's desk); ask bob@else.example",
            "summary": "Outlook hangs",
        }
    )
    first, last = said["reporter"]["displayName"].split()
    assert said["reporter"]["emailAddress"].startswith(f"{first.lower()}.{last.lower()}@")
    assert f"Regards, {first} ({first.lower()}.{last.lower()}, {last}'s desk)" in said["text"]
    assert said["summary"] == "Outlook hangs"
    assert not re.search(r"anna|meier|bob|corp|else|4711", orjson.dumps(said).decode(), re.IGNORECASE)


def test_secrets_go_wherever_they_stand_and_counts_and_words_stay() -> None:
    said = redacted(
        {
            "headers": {"Authorization": "Bearer abc123def456", "X-Api-Key": "k-1"},
            "log": "login with password=hunter2 at https://ops:pw9@host.example/x?token=s3cr3tvalue&page=2",
            "more": "key AKIAABCDEFGHIJKLMNOP, eyJhbGciOiJIUzI1.eyJzdWIiOiIx.c2ln; call +49 (30) 1234567",
            "users": 18_000,
            "Message": orjson.dumps({"user": "Ada Byron", "count": 3}).decode(),
            "basic": "Basic monitoring of the token service",
        }
    )
    text = orjson.dumps(said).decode()
    for secret in ("abc123", "k-1", "hunter2", "pw9", "s3cr3t", "AKIA", "eyJ", "1234567", "Ada", "Byron"):
        assert secret not in text, secret
    assert said["users"] == 18_000
    assert "page=2" in said["log"]
    assert orjson.loads(said["Message"])["count"] == 3
    assert said["basic"] == "Basic monitoring of the token service"


def test_what_is_no_json_is_redacted_as_text_whatever_its_bytes() -> None:
    line = b"<34>1 sshd: password=abc for root from 10.0.0.1, mail a.b@c.example \xff\xe4"
    after = Redactor(RedactionRules(), KEY).redacted(record(line)).value or b""
    assert after.startswith(b"<34>1 sshd: password=[")
    assert after.endswith(b"\xff\xe4")
    assert b"a.b@c" not in after


def test_one_key_gives_one_pseudonym_and_another_key_another() -> None:
    message = {"user": "Ada Byron"}
    assert redacted(message) == redacted(message) != redacted(message, key=OTHER_KEY)


@given(st.lists(st.sampled_from(["Anna", "Meier", "Outlook", "Noor", "login", "slow"]), max_size=8))
def test_texts_keep_how_many_words_they_share(words: list[str]) -> None:
    pseudonyms = Pseudonyms(KEY)
    changed = " ".join(pseudonyms.person(word) for word in words)
    assert len(terms_of(changed)) == len(terms_of(" ".join(words)))


def test_a_name_of_a_team_or_of_a_service_is_not_looked_for_in_texts() -> None:
    redactor = Redactor(RedactionRules(), KEY, things=["Checkout"])
    message = record({"assignee": "Checkout People", "owner_text": "Checkout is slow for People"})
    redactor.learn(message)
    after = orjson.loads(redactor.redacted(message).value or b"")
    assert after["owner_text"] == "Checkout is slow for People"
    assert "Checkout" not in after["assignee"]


def test_a_service_whose_name_looks_like_an_address_keeps_it() -> None:
    redactor = Redactor(RedactionRules(), KEY, things=["orders@db.example.com::sql"])
    message = record(
        {"service": "orders@db.example.com::sql", "text": "mail ada@db.example.com of orders@db.example.com"}
    )
    after = orjson.loads(redactor.redacted(message).value or b"")
    assert after["service"] == "orders@db.example.com::sql"
    assert after["text"].endswith(" of orders@db.example.com")
    assert "ada@" not in after["text"]


def test_a_file_adds_and_takes_away(tmp_path: Path) -> None:
    file = tmp_path / "redaction.yaml"
    file.write_text(
        "people: [opened-for, machine.owner]\nsecrets: [licence]\nnames: [Ada Byron]\nkeep: [process.user]\n"
        "patterns: {badge: 'B-[0-9]{4}'}\n"
    )
    said = redacted(
        {
            "opened_for": "Xu",
            "machine": {"owner": "Yi"},
            "owner": "storefront",
            "licence": "L1",
            "process": {"user": "postgres"},
            "user": "postgres",
            "text": "ADA: badge B-1234",
        },
        read_rules(file),
    )
    assert "Xu" not in said["opened_for"]
    assert said["machine"]["owner"] != "Yi"
    assert said["owner"] == "storefront"
    assert said["licence"] != "L1"
    assert said["process"]["user"] == "postgres" != said["user"]
    assert "1234" not in said["text"]
    assert "ADA" not in said["text"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("people: 3\n", "people: Input should be a valid tuple"),
        ("patterns: {a: '('}\n", "patterns: Value error, pattern a: missing"),
        ("patterns: {a: 'x*'}\n", "matches nothing at all"),
        ("peple: [a]\n", "Extra inputs are not permitted"),
        ("a: [\n", "cannot be read"),
    ],
)
def test_a_file_that_says_no_rules_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "redaction.yaml"
    file.write_text(text)
    with pytest.raises(RulesError, match=re.escape(message)) as raised:
        read_rules(file)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("size", [0, 8, 65])
def test_a_key_that_can_be_tried_through_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="16 to 64 bytes"):
        Pseudonyms(b"x" * size)


@given(st.recursive(st.text() | st.integers() | st.booleans(), lambda inner: st.dictionaries(st.text(), inner)))
def test_any_document_keeps_its_shape(document: Any) -> None:
    try:
        value = orjson.dumps({"user": document})
    except orjson.JSONEncodeError:  # an integer of more than 64 bits, or half of a surrogate pair
        return
    after = Redactor(RedactionRules(), KEY).redacted(record(value)).value or b""
    assert shape(orjson.loads(after)) == shape(orjson.loads(value))


def shape(value: Any) -> Any:
    """Types, without what stands in them."""
    if isinstance(value, dict):
        return [shape(each) for each in value.values()]
    if isinstance(value, list):
        return [shape(each) for each in value]
    return type(value)


EVADING: dict[str, Any] = {
    "a field whose name ends as a secret's": {"labels": {"db_password": "marlin1", "awsSecretAccessKey": "marlin1"}},
    "a secret that is a number": {"password": 90417733},
    "a person who is a number": {"assignee": 90417733},
    "a header among many": {"headers": [{"name": "X-Auth-Token", "value": "marlin1"}]},
    "JSON after a space": {"message": ' {"assignee":"marlin1"}'},
    "JSON in JSON in JSON": {"message": '"{\\"assignee\\":\\"marlin1\\"}"'},
    "JSON that somebody quotes": {"message": 'got {"assignee":"marlin1"} and {\\"password\\":\\"marlin1\\"}'},
    "JSON that is cut off": b'{"assignee":"marlin1","rest":"',
    "JSON after a byte order mark": b'\xef\xbb\xbf{"assignee":"marlin1"}',
    "JSON that is not UTF-8": b'{"assignee":"marlin1","from":"\xff"}',
    "JSON with a number that is none": b'{"assignee":"marlin1","load":NaN}',
    "lines of JSON": b'{"assignee":"marlin1"}\n{"assignee":"marlin1"}',
    "an address without a login": {"message": "cannot reach redis://:marlin1@cache:6379"},
    "an option of a command": {"message": "backup --password marlin1 --host a"},
    "a secret with spaces": {"message": 'password: "the marlin1 of"'},
    "a scheme": {"message": "Authorization: Token marlinmarlin1"},
    "a mention alone": {"message": "ask [~marlin1] please"},
    "an address in a URL": {"message": "see /u/marlin1%40corp.example"},
    "an address as a field": {"votes": {"marlin1@corp.example": 3}},
    "an encrypted key": {
        "message": "-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: AES-128-CBC\n\nmarlin1\n-----END RSA PRIVATE KEY-----"
    },
}


@pytest.mark.parametrize("value", EVADING.values(), ids=EVADING)
def test_a_person_or_secret_leaves_in_no_disguise(value: Any) -> None:
    after = redacted(value)
    text = after if isinstance(after, str) else orjson.dumps(after).decode()
    assert "marlin1" not in text
    assert "90417733" not in text


def test_a_name_is_replaced_as_a_field_and_in_scripts_without_capitals() -> None:
    said = redacted({"assignee": "محمد الخوارزمي", "text": "اتصل محمد الخوارزمي"})
    assert "الخوارزمي" not in said["text"]
    counted = redacted({"assignee": "Ada Lovelace", "votes": {"Ada Lovelace": 3}})
    assert list(counted["votes"]) == [counted["assignee"]]


def test_keys_and_headers_are_redacted_as_values_are() -> None:
    headers = (("context", b'{"assignee":"marlin1"}'), ("X-Auth-Token", b"marlin1"), ("marlin1@corp.example", b"x"))
    before = record({"a": 1})._replace(key=b'{"assignee":"marlin1"}', headers=headers)
    after = Redactor(RedactionRules(), KEY).redacted(before)
    assert "marlin1" not in repr(after)
    assert after.value == before.value


def test_counts_of_people_stay_numbers_that_mean_what_they_meant() -> None:
    value = {"users": 5, "watchers": 2, "token_count": 7}
    assert redacted(value) == value


def test_rules_that_nest_too_deep_are_told_in_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("people: " + "[" * 5_000)
    with pytest.raises(RulesError, match="cannot be read"):
        read_rules(file)

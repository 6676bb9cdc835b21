"""Canaries stand in every field that a rule names: nothing that is written holds one, and decisions survive."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.privacy.redactor import Redactor
from pipeline.core.step import Effects, Processor, StreamRecord
from pipeline.feeds.needs import FILE
from pipeline.models.policy import Config, Feed
from pipeline.models.privacy import Privacy, RedactRule, Unreadable
from pipeline.replay import Replay
from tests.feeds.payloads import SAMPLE_OF
from tools.field_needs import needs

KEY = b"a key of sixteen bytes or more"
START_MS = 1_773_133_200_000
PLANTED = ("canary_person", "canary_mail")
PEOPLE = {
    "people": RedactRule(fields=PLANTED, action="pseudonymise"),  # type: ignore[arg-type]  # pydantic takes the word
    "texts": RedactRule(patterns=("email", "phone", "canary")),
}
CANARY = "canarybird"
NEEDS = orjson.loads(FILE.read_bytes())
SAMPLES = sorted(name for name, sample in SAMPLE_OF.items() if isinstance(sample.document(), dict | list))


def config(rules: dict[str, RedactRule], **privacy: Any) -> Config:
    feeds = {each.adapter: Feed(name=each.adapter, adapter=each.adapter) for each in SAMPLE_OF.values()}
    return Config(feeds=feeds, privacy=Privacy(redact=rules, patterns={"canary": CANARY}, **privacy))


def written(of: Config, records: list[StreamRecord]) -> list[bytes]:
    """Everything that any stage writes to any topic: keys, values, headers; and the state that its changelog gets."""
    found: list[bytes] = []

    def watch(processor: Processor, _: StreamRecord, effects: Effects) -> None:
        for each in effects.outputs:
            found.extend(part for part in (each.key, each.value, *(value for _, value in each.headers)) if part)
        found.extend(part for change in processor.take_changes() for part in change if part)

    Replay(of, watch=watch, privacy_key=KEY).run(records, run_on_seconds=3_600)
    return found


def record(feed: str, value: bytes, headers: tuple[tuple[str, bytes], ...] = (), offset: int = 0) -> StreamRecord:
    return StreamRecord(f"alerts.raw.{feed}", 0, offset, START_MS + offset, None, value, headers)


def planted(value: Any, word: str, draw: Any) -> Any:
    """A document with canaries: a person in a field of that name, and one in the texts that people read."""
    if isinstance(value, dict):
        grown = {name: planted(each, word, draw) for name, each in value.items()}
        return grown | {PLANTED[0]: f"{word} {CANARY}", PLANTED[1]: [f"{CANARY}@x.org", 17]}
    if isinstance(value, list):
        return [planted(each, word, draw) for each in value]
    if isinstance(value, str) and " " in value and draw(st.booleans()):
        return f"{value} {CANARY}@mail.example.org"
    return value


@pytest.mark.parametrize("name", SAMPLES)
@given(data=st.data(), word=st.sampled_from(["Ann", "İ", "日本", "a\\u0000b"]))
@settings(max_examples=4, deadline=None)
def test_no_canary_is_in_anything_that_the_pipeline_writes(name: str, data: st.DataObject, word: str) -> None:
    sample = SAMPLE_OF[name]
    document = planted(sample.document(), word, data.draw)
    value = orjson.dumps(document)
    assert CANARY.encode() in value
    for out in written(config(PEOPLE), [record(sample.adapter, value, sample.headers)]):
        assert CANARY.encode() not in out


def test_nor_in_what_cannot_be_read() -> None:
    broken = b'{"canary_person": "Ann", "text": "ann@x.org canarybird'
    letters = written(config(PEOPLE), [record("jira", broken), record("nobody", b"[]\xff ann@x.org")])
    assert b'{"canary_person": "Ann", "text": "[email] [canary]' in letters
    assert b"[]\xff [email]" in letters
    dropped = written(config(PEOPLE, unreadable=Unreadable.DROP), [record("jira", broken)])
    assert not [each for each in dropped if b"Ann" in each]
    assert b"broken_json" in dropped


@pytest.mark.parametrize("name", [each for each in SAMPLES if NEEDS[SAMPLE_OF[each].adapter]["identity"]])
def test_conditions_stay_apart_and_recover_where_what_tells_them_apart_is_pseudonymised(name: str) -> None:
    sample = SAMPLE_OF[name]
    said = NEEDS[sample.adapter]
    rule = RedactRule(fields=tuple(said["identity"]), action="pseudonymise")  # type: ignore[arg-type]
    feed_redactor = Redactor(Privacy(redact={"identity": rule}), KEY).of_feed(sample.adapter)
    assert feed_redactor is not None
    plain = [each.alert_key for each in sample.read(sample.document()) if not isinstance(each, Exception)]
    made = [
        each.alert_key
        for each in sample.read(feed_redactor.document(sample.document()))
        if not isinstance(each, Exception)
    ]
    assert [plain.index(each) for each in plain] == [made.index(each) for each in made]
    if sample.meets:
        other = SAMPLE_OF[sample.meets]
        ends = {
            each.alert_key
            for each in other.read(feed_redactor.document(other.document()))
            if hasattr(each, "alert_key")
        }
        assert set(made) & ends


def test_without_a_rule_nothing_is_made_and_nothing_is_asked() -> None:
    processors = Replay(Config()).processors
    assert vars(processors["ingest"])["_redactor"] is None


def test_what_adapters_need_is_as_their_samples_say() -> None:
    assert needs() == NEEDS, "write it again: python -m tools.field_needs"

"""What the redactor takes out, what it leaves, and that a second time changes nothing."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.privacy.fields import PathError, path_of
from pipeline.core.privacy.patterns import READY
from pipeline.core.privacy.redactor import FeedRedactor, PrivacyKeyError, Redactor
from pipeline.core.privacy.words import without_personal_data
from pipeline.models.command import Command
from pipeline.models.privacy import Privacy, RedactRule

KEY = b"a key of sixteen bytes or more"


def redactor(*rules: dict[str, Any], key: bytes | None = KEY, **privacy: Any) -> FeedRedactor:
    named = {f"rule-{number}": RedactRule.model_validate(rule) for number, rule in enumerate(rules)}
    made = Redactor(Privacy(redact=named, **privacy), key).of_feed("servicenow")
    assert made is not None
    return made


FOUND = {
    "email": ("write to Ann.Smith+desk@mail.example.org, please", "write to [email], please"),
    "phone": ("call +49 (0)89 123-4567 now", "call [phone] now"),
    "ip": ("from 10.1.2.3 or fe80::1ff:2, not 10.1.2.300 at 12:30:45", "from [ip] or [ip], not 10.1.2.300 at 12:30:45"),
    "payment_card": ("card 4111 1111 1111 1111, order 4111111111111112", "card [payment_card], order 4111111111111112"),
    "iban": (
        "to DE89 3704 0044 0532 0130 00, not DE88370400440532013000",
        "to [iban], not DE88370400440532013000",
    ),
    "us_ssn": ("123-45-6789, never 666-45-6789 or 000-00-0000", "[us_ssn], never 666-45-6789 or 000-00-0000"),
    "es_dni": ("12345678Z, not 12345678A; X1234567L", "[es_dni], not 12345678A; [es_dni]"),
    "it_codice_fiscale": ("RSSMRA85T10A562S, not RSSMRA85T10A562A", "[it_codice_fiscale], not RSSMRA85T10A562A"),
}


@pytest.mark.parametrize("name", READY)
def test_each_ready_made_pattern_takes_what_it_is_for_and_leaves_what_only_looks_like_it(name: str) -> None:
    given_text, expected = FOUND[name]
    assert redactor({"patterns": [name]}).text(given_text) == expected


NAMED = {
    "a name, wherever it is": ("email", {"email": "a"}, {"x": [{"e_mail": "b", "E-Mail": "c"}]}),
    "the end of a path": ("reporter.email", {"reporter": {"email": "a"}}, {"x": {"Reporter": [{"email": "b"}]}}),
    "from the top": ("$.w.*.email", {"w": {"v": {"email": "a"}}}, {"w": [{"u": [{"email": "b"}]}]}),
    "a list of names and values": ("caller", {"fields": [{"name": "caller", "value": "a"}]}, {"caller": "b"}),
    "all in a field": ("person", {"person": {"name": "a", "ids": [1, 2.5]}}, {"person": ["b"]}),
    "JSON within a text": ("email", {"Message": '{"email":"a"}'}, {"m": '[{"email":"b"}]'}),
}


@pytest.mark.parametrize("case", NAMED)
def test_a_field_is_named_by(case: str) -> None:
    path, *documents = NAMED[case]
    for document in documents:
        text = orjson.dumps(redactor({"fields": [path]}).document(document)).decode()
        for value in ('"a"', '"b"', '"c"', "2.5", '\\"a', '\\"b'):
            assert value not in text


def test_what_is_not_named_stays_and_the_document_is_the_very_same() -> None:
    document = {"email_count": 3, "reporter": {"team": "x"}, "open": True, "nothing": None, "list": [1, "two"]}
    subject = redactor({"fields": ["email", "assignee.email", "$.reporter.name"]}, {"patterns": ["email"]})
    assert subject.document(document) is document
    raw = b'{"spaces":  "are kept"}'
    assert subject.value(raw) is raw


def test_actions_remove_the_field_mask_it_or_give_the_same_pseudonym_to_the_same_person() -> None:
    document = {"a": "Ann", "b": "Ann", "c": " ann ", "d": "Bob", "e": 17}
    assert redactor({"fields": ["a"], "action": "remove"}).document({"a": 1, "b": 2}) == {"b": 2}
    assert redactor({"fields": ["a", "e"]}).document(document) == document | {"a": "[redacted]", "e": "[redacted]"}
    made = redactor({"fields": ["a", "b", "c", "d", "e"], "action": "pseudonymise"}).document(document)
    assert made["a"] == made["b"] == made["c"]
    assert len({made["a"], made["d"], made["e"]}) == 3
    assert all(each.startswith("anon-") and len(each) == 25 for each in made.values())


def test_another_key_gives_other_pseudonyms_and_a_short_one_is_refused() -> None:
    rule = {"fields": ["a"], "action": "pseudonymise"}
    made = {redactor(rule, key=key).document({"a": "Ann"})["a"] for key in (KEY, KEY + b"2", None)}
    assert len(made) == 3
    with pytest.raises(PrivacyKeyError, match="needs 16 or more"):
        redactor(rule, key=b"short")


def test_a_pseudonym_in_a_text_is_that_of_the_field() -> None:
    subject = redactor(
        {"fields": ["email"], "action": "pseudonymise"}, {"patterns": ["email"], "action": "pseudonymise"}
    )
    made = subject.document({"email": "Ann@x.org", "text": "by ann@x.org", "ann@x.org": "by ann%40x.org"})
    assert made == {"email": made["email"], "text": f"by {made['email']}", made["email"]: f"by {made['email']}"}


def test_what_is_no_json_loses_what_patterns_find_byte_for_byte() -> None:
    subject = redactor({"patterns": ["email"]}, {"fields": ["email"]})
    assert subject.value(b'<34>1 app: ann@x.org {"email": "bob"') == b'<34>1 app: [email] {"email": "bob"'
    assert subject.value(b"\xff\xfe ann@x.org \x80") == b"\xff\xfe [email] \x80"


def test_what_is_too_deep_goes_as_a_whole() -> None:
    document: Any = {"email": "ann"}
    for _ in range(80):
        document = {"in": document}
    assert b"ann" not in orjson.dumps(redactor({"fields": ["email"]}).document(document))


@pytest.mark.parametrize("path", ["", ".", "a..b", "$", "a.$", "*", "$.*", "x" * 301])
def test_a_path_that_names_nothing_or_everything_is_refused(path: str) -> None:
    with pytest.raises(PathError):
        path_of(path)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(max_size=30)
    | st.sampled_from(
        ["ann@x.org", "10.0.0.1", "+49 89 1234567", "anon-" + "a" * 20, "[email] [redacted]", '{"email":"b"}']
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["email", "caller", "name", "value", "text", "ann@x.org"]), inner, max_size=4)
    ),
    max_leaves=20,
)
RULES = st.lists(
    st.sampled_from(
        [
            {"fields": ["email", "caller.name"], "action": "pseudonymise"},
            {"fields": ["caller"], "action": "mask"},
            {"fields": ["$.text", "value"], "action": "remove"},
            {"patterns": ["email", "phone"], "action": "pseudonymise"},
            {"patterns": ["email", "ip", "word"], "action": "mask"},
            {"patterns": ["phone", "word"], "action": "remove"},
            {"fields": ["text"], "patterns": ["email", "word"], "action": "pseudonymise"},
        ]
    ),
    min_size=1,
    max_size=4,
)


@given(VALUES, RULES)
def test_a_second_time_changes_nothing(document: Any, rules: list[dict[str, Any]]) -> None:
    subject = redactor(*rules, patterns={"word": "[a-z]{4,}"})
    once = subject.document(document)
    assert subject.document(once) is once
    raw = orjson.dumps(document)
    assert subject.value(subject.value(raw)) == subject.value(raw)


def test_rules_are_for_the_feeds_that_they_name() -> None:
    made = Redactor(Privacy(redact={"a": RedactRule(fields=("email",), feeds=("jira",))}))
    assert made.of_feed("jira") is not None
    assert made.of_feed("zabbix") is None
    assert made.of_commands() is None


def test_words_of_commands_lose_what_patterns_find_and_nothing_else_of_a_command_changes() -> None:
    rule = {"patterns": ["email"], "fields": ["secret"], "action": "pseudonymise", "commands": True}
    subject = Redactor(Privacy(redact={"a": RedactRule.model_validate(rule)}), KEY).of_commands()
    asked = Command.model_validate(
        {
            "command_id": "ann@x.org",
            "type": "resolve",
            "actor": "ann@x.org",
            "target": {"incident_id": "INC-1"},
            "note": "ann@x.org has it",
            "resolution": {"code": "fixed", "summary": "asked bob@x.org", "fix": "none"},
        }
    )
    said = without_personal_data(asked, subject)
    assert (said.command_id, said.actor, said.target) == (asked.command_id, asked.actor, asked.target)
    words = (said.note or "", said.resolution.summary if said.resolution else "")
    assert [each.partition("anon-")[0] for each in words] == ["", "asked "]
    assert "@" not in "".join(words)
    assert without_personal_data(said, subject) is said


@pytest.mark.parametrize("rule", [{"fields": ["email"]}, {"fields": ["email"], "patterns": ["phone"]}])
@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ('{"a":', "}")])
def test_what_is_nested_without_end_in_a_field_that_is_named_goes_as_a_whole(
    rule: dict[str, Any], opens: str, closes: str
) -> None:
    deep = f'{{"email":{opens * 1_000}"+49 89 1234567"{closes * 1_000}}}'.encode()
    redacted = redactor(rule).value(deep)
    assert b"1234567" not in redacted
    assert redactor(rule).value(redacted) == redacted

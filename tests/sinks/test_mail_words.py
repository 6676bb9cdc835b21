"""What a mail says: no text adds a header, a tag or a recipient; the same delivery is the same bytes."""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.sinks.streams import Mail
from pipeline.sinks.mail_words import as_html, as_text, mail, message_id, moment, plain, to_audience, to_responders
from pipeline.sinks.told import Call, Words, told
from tests.sinks.receivers import NOW
from tests.sinks.servers.mail import text_of
from tests.sinks.telling import INCIDENT, entry, told_send

RULES = Mail.model_validate(
    {"name": "post", "host": "mail.example", "sender": "spillway@acme.example", "to": ["team@acme.example"]}
)
HEADERS = {
    *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Precedence", "X-Auto-Response-Suppress"),
    *("MIME-Version", "Content-Type"),
}
HOSTILE = [
    "x\r\nBcc: victim@evil.example",
    "x\nContent-Type: text/html\n\n<script>",
    "=?utf-8?q?x=0ABcc=3A_victim=40evil.example?=",
    "\u2028Bcc: victim@evil.example\u2029\x0b\x0c\x85",
    '<script>alert(1)</script> " onmouseover="x',
    "https://evil.example/<b>\"onclick='x'",
    "right\u202eto left",
    ".\r\n.\r\nMAIL FROM:<x@evil.example>",
    "Überlast 数据库 😀" * 100,
]


def taken(text: str) -> EmailMessage:
    """The mail of an incident whose every text is this, as its reader gets it."""
    facts = {"state", "id", "kind", "opened_at_ms", "detected_at_ms", "state_since_ms", "clocks"}
    fields: dict[str, Any] = {name: text for name in INCIDENT if name not in facts} | {
        "suspects": [{"ref": text, "because": [text]}],
        "links": [{"kind": text, "id": text, "url": text, "state": text}],
        "members": [text],
        "resolution": {"code": text, "summary": text},
    }
    said = told(told_send(incident=fields, entries=[entry(text, actor=text)]).body)
    letter = to_responders(said, [Call("key", text, text, None)], "post")
    data = mail(letter._replace(subject=text), RULES, "<1@acme.example>", "<1@acme.example>", NOW).as_bytes()
    assert data.isascii()
    assert max(map(len, data.split(b"\r\n"))) <= 998
    message = message_from_bytes(data, policy=default)
    assert isinstance(message, EmailMessage)
    return message


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_adds_a_header_or_a_tag(text: str) -> None:
    message = taken(text)
    assert set(message.keys()) == HEADERS
    assert message["To"] == "team@acme.example"
    page = text_of(message, "html")
    for tag in ("<script", '<b>"', 'onmouseover="'):
        assert tag not in page
    assert [part.get_content_type() for part in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]


@given(text=st.text(max_size=300) | st.text(alphabet="=?utf8qbB_:\n ", max_size=40))
def test_whatever_the_text_there_is_one_subject_and_nobody_else_is_written_to(text: str) -> None:
    assert set(taken(text).keys()) == HEADERS


@given(text=st.text(), longest=st.integers(min_value=1, max_value=50))
def test_a_line_stays_one_and_within_its_limit(text: str, longest: int) -> None:
    line = plain(text, longest)
    assert len(line) <= longest
    assert len(line.splitlines()) <= 1


def test_addresses_become_links_and_all_else_stays_text() -> None:
    letter = to_audience(
        [Words(1, "public", "status", "investigating", "A & B", "see https://x.example/?a=1&b=2 <now>")]
    )
    page = as_html(letter)
    assert '<a href="https://x.example/?a=1&amp;b=2">https://x.example/?a=1&amp;b=2</a> &lt;now&gt;' in page
    assert "<b>A &amp; B</b>" in page
    assert "see https://x.example/?a=1&b=2 <now>" in as_text(letter)


def test_the_id_of_a_mail_is_that_of_its_delivery() -> None:
    first = message_id("INC-1/1/post", RULES)
    assert first == message_id("INC-1/1/post", RULES) != message_id("INC-1/2/post", RULES)
    assert first.endswith("@acme.example>")
    assert "INC" not in first


@pytest.mark.parametrize(
    ("time_ms", "shown"), [(1_772_590_000_000, "2026-03-04 02:06 UTC"), (None, "?"), ("soon", "?"), (-1, "?")]
)
def test_times_are_in_utc(time_ms: Any, shown: str) -> None:
    assert moment(time_ms) == shown


def test_a_snapshot_of_which_only_the_least_is_left_is_still_a_letter() -> None:
    least = dict.fromkeys(["suspects", "clocks", "links", "tickets", "who_is_affected", "title", "priority"])
    letter = to_responders(told(told_send(incident=least).body), [], "post")
    assert as_text(letter).startswith("INC-D5KZHUYBCD7C\nPriority none, logged")

"""What messages in Slack say: hostile text stays text, long text is cut at the limits, everything fits Block Kit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.practice.lifecycle import UNANSWERED_STATES
from pipeline.models.sinks.chat import Slack
from pipeline.sinks import slack_words
from pipeline.sinks.slack_words import (
    SECTION_CHARACTERS_MAX,
    call_line,
    entry_line,
    escaped,
    link,
    message,
    message_line,
    moment,
    notification,
    sections,
)
from pipeline.sinks.told import Call, Told, told
from tests.sinks.servers.slack import text_of
from tests.sinks.servers.slack_schema import complaint
from tests.sinks.telling import INCIDENT, entry, told_send

RULES = Slack.model_validate(
    {
        "name": "chat",
        "secret_env": "SLACK",
        "channel": "C0INCIDENTS",
        "updates": {"scheme": "slack", "secrets_env": ["SIGNING"]},
    }
)
HOSTILE = [
    "<!channel> look",
    "<@U0BOSS>",
    "<https://evil.example|our bank>",
    "&lt;!here&gt; <!subteam^S1>",
    "one\ntwo\r\n\tthree",
    "<!date^1^{date}^https://evil.example|x>",
    "😀 Überlast in Zürich 数据库",
    "right\u202eto left",
    "a|b`c`*d*_e_~f~",
    "\"quotes\" and 'more'",
]
LONG = "<&>" * 5_000


def showing(**fields: Any) -> Told:
    return told(told_send(incident=fields).body)


def said(blocks: list[dict[str, Any]]) -> str:
    return text_of({"blocks": blocks})


def check(blocks: list[dict[str, Any]]) -> None:
    metadata = {"event_type": "x", "event_payload": {}}
    assert complaint("chat.postMessage", {"channel": "C01", "text": "x", "blocks": blocks, "metadata": metadata}) == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<!channel> look", "&lt;!channel&gt; look"),
        ("a & b", "a &amp; b"),
        ("one\ntwo\r\n\tthree", "one two three"),
        ("right\u202eto left\x00", "right to left"),
        ("Überlast 数据库 😀", "Überlast 数据库 😀"),
    ],
)
def test_text_from_elsewhere_is_escaped_in_one_line(text: str, shown: str) -> None:
    assert escaped(text) == shown


@given(text=st.text(max_size=200), longest=st.integers(min_value=6, max_value=100))
def test_a_cut_never_splits_an_escape_nor_exceeds_its_limit(text: str, longest: int) -> None:
    shown = escaped(text, longest)
    assert len(shown) <= longest
    assert "<" not in shown
    assert ">" not in shown
    for name in ("&amp;", "&lt;", "&gt;"):
        shown = shown.replace(name, "")
    assert "&" not in shown


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_in_an_incident_becomes_a_mention_or_a_link_of_its_own(text: str) -> None:
    facts = {"state", "id", "kind", "opened_at_ms", "detected_at_ms", "state_since_ms", "clocks"}
    fields: dict[str, Any] = {name: text for name in INCIDENT if name not in facts} | {
        "suspects": [{"ref": text, "because": [text]}],
        "links": [{"kind": text, "id": text, "url": f"https://x.example/{text}", "state": text}],
        "tickets": [{"id": text, "state": text}],
        "members": [text],
        "member_states": {text: 2},
        "workaround": text,
        "commander": text,
        "bridge_id": text,
        "merged_into": text,
    }
    blocks = message(showing(**fields), RULES)
    check(blocks)
    lines = [
        entry_line(entry(text, actor=text)),
        message_line(text, text, text),
        call_line(Call(text, text, text, text), {}),
    ]
    everything = said([block for block in blocks if block["type"] != "header"]) + "\n".join(lines)
    for opening in ("<!channel", "<!here", "<!subteam", "<@", "<https://evil", "<!date^1^"):
        assert opening not in everything
    assert all(part.get("verbatim", part["type"] == "plain_text") for part in parts(blocks))
    assert "<!" not in notification(showing(title=text)).replace("&lt;!", "")


def parts(value: Any) -> list[dict[str, Any]]:
    """All text objects."""
    if isinstance(value, list):
        return [part for each in value for part in parts(each)]
    if not isinstance(value, dict):
        return []
    own = [value] if isinstance(value.get("text"), str) else []
    return own + [part for each in value.values() for part in parts(each)]


def test_an_incident_of_long_words_and_long_lists_fits_the_limits() -> None:
    many = [{"ref": LONG, "because": [LONG] * 20, "kind": LONG, "id": LONG, "url": f"https://x.example/{LONG}"}] * 300
    names = ("title", "priority", "service", "owner", "assignee", "commander", "who_is_affected", "bridge_id")
    fields: dict[str, Any] = dict.fromkeys(names, LONG) | dict.fromkeys(
        ("suspects", "links", "tickets", "linked"), many
    )
    fields |= {"members": [LONG] * 500, "workaround": LONG, "runbook": "https://x.example/" + "y" * 5_000}
    clocks = {f"{number}{LONG}": {"held_for": LONG} for number in range(100)}
    check(message(showing(**fields, clocks=clocks), RULES))
    check(message(showing(**fields, state="resolved", resolution={"code": LONG, "summary": LONG}), RULES))
    check(
        sections([entry_line(entry(LONG)), message_line(LONG, LONG, LONG), call_line(Call(LONG, LONG, LONG, LONG), {})])
    )


def test_lines_fill_sections_and_none_is_lost() -> None:
    lines = [f"{number} " + "x" * 1_000 for number in range(11)]
    texts = [block["text"]["text"] for block in sections(lines)]
    assert len(texts) == 6
    assert all(len(text) <= SECTION_CHARACTERS_MAX for text in texts)
    assert "\n".join(texts).split("\n") == lines
    assert sections([]) == []


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://x.example/a?b=1&c=2", "<https://x.example/a?b=1&amp;c=2|CASE-1>"),
        ("javascript:alert(1)", "CASE-1"),
        ("https://x.example/>evil", "CASE-1"),
        ("https://x.example/|evil", "CASE-1"),
        ("https://x.example/" + "&" * 1_000, "CASE-1"),
        ("https://x.example/ with a space", "CASE-1"),
        (None, "CASE-1"),
        (7, "CASE-1"),
    ],
)
def test_only_addresses_of_the_web_become_links(url: Any, shown: str) -> None:
    assert link(url, "CASE-1") == shown


def test_times_are_worded_by_the_reader_s_own_slack_and_what_is_no_time_is_left_out() -> None:
    words = "<!date^1772590000^{date_short_pretty} {time}|2026-03-04T02:06:40.000Z>"
    assert moment(1_772_590_000_000) == words
    assert moment("<!channel>") == moment(None) == ""


@pytest.mark.parametrize(
    ("state", "buttons"),
    [
        ("logged", ["Acknowledge", "Resolve"]),
        ("escalated", ["Acknowledge", "Resolve"]),
        ("reopened", ["Acknowledge", "Resolve"]),
        ("acknowledged", ["Resolve"]),
        ("mitigated", ["Resolve"]),
        ("resolved", []),
        ("closed", []),
        ("merged", []),
        ("cancelled", []),
    ],
)
def test_the_buttons_are_those_that_can_do_something(state: str, buttons: list[str]) -> None:
    def labels(rules: Slack) -> list[str]:
        blocks = message(showing(state=state), rules)
        return [each["text"]["text"] for block in blocks if block["type"] == "actions" for each in block["elements"]]

    assert labels(RULES) == buttons
    assert labels(RULES.model_copy(update={"buttons": False})) == []
    assert labels(RULES.model_copy(update={"updates": None})) == []


def test_a_message_shows_what_somebody_on_a_telephone_has_to_know() -> None:
    text = said(message(told(told_send().body), RULES))
    for words in (
        "[P1] Checkout: 12 % of checkout requests fail",
        "*State*\nlogged, nobody has it yet, since <!date^1772590000^",
        "*Affected*\nabout 18,000 users of Checkout",
        "*Since*\n<!date^1772590000^",
        "*Service*\ncheckout",
        "• response: due <!date^1772590300^",
        "• resolution: met <!date^",
        "• vendor ticket <https://vendor.example/12|CASE-12>: open",
        "• ticket INC0012345: new",
        "<https://runbooks.example/checkout|Runbook>",
    ):
        assert words in text


def test_slack_s_words_for_the_unanswered_are_those_of_the_life_of_an_incident() -> None:
    assert frozenset(UNANSWERED_STATES) == slack_words.UNANSWERED

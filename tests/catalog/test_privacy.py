"""``privacy.yaml``: what loads, what is refused with its line, and what `config check` warns of."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.catalog import check_config, load_config
from pipeline.feeds import ADAPTERS
from pipeline.models.privacy import Privacy, RedactAction
from tests.catalog.directory import write


def told(tmp_path: Path, text: str) -> list[str]:
    feeds = "servicenow: {}\ndesk: {adapter: jira}\n"
    checked = check_config(write(tmp_path, {"privacy.yaml": text, "feeds.yaml": feeds}), ADAPTERS)
    return [str(each) for each in (*checked.problems, *checked.warnings)]


def test_rules_and_times_load_and_without_a_file_there_are_none(tmp_path: Path) -> None:
    text = "retention_months: 6\nredact:\n  people:\n    fields: [caller_id]\n    action: pseudonymise\n"
    privacy = load_config(write(tmp_path, {"privacy.yaml": text}), ADAPTERS).privacy
    assert (privacy.retention_months, privacy.redact["people"].action) == (6, RedactAction.PSEUDONYMISE)
    assert privacy.needs_key
    assert load_config(None).privacy == Privacy()
    assert not Privacy().needs_key


WRONG = {
    "a rule of nothing": ("redact:\n  a: {}\n", "2: redact.a: a rule needs 'fields', 'patterns' or both"),
    "words by fields": ("redact:\n  a: {fields: [x], commands: true}\n", "2: redact.a: 'commands' needs 'patterns'"),
    "a pattern that is not there": (
        "redact:\n  a:\n    patterns: [emial]\n", "3: patterns: there is none called 'emial'; did you mean 'email'?"),
    "a pattern that is none": ("patterns:\n  x: '('\nredact:\n  a: {patterns: [x]}\n", "2: x: not a pattern of RE2"),
    "a pattern of everything": ("patterns:\n  x: 'a*'\nredact:\n  a: {patterns: [x]}\n", "2: x: matches nothing"),
    "a ready-made name": ("patterns:\n  email: 'x'\nredact:\n  a: {patterns: [email]}\n", "2: patterns: 'email' is"),
    "a feed that is not there": (
        "redact:\n  a:\n    feeds: [servicenaw]\n    fields: [x]\n", "3: feeds: there is no feed 'servicenaw'; did"),
    "a path": ("redact:\n  a:\n    fields: ['$']\n", "3: fields: '$': '$' stands at the beginning"),
    "an action": ("redact:\n  a: {fields: [x], action: hide}\n", "2: redact.a.action: input should be"),
    "no time at all": ("retention_months: 0\n", "1: retention_months: input should be greater"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_refused_is(tmp_path: Path, case: str) -> None:
    text, problem = WRONG[case]
    (said,) = told(tmp_path, text)
    assert said.startswith(f"privacy.yaml:{problem}")


WARNED = {
    "what an adapter reads": (
        "redact:\n  a:\n    feeds: [servicenow]\n    fields: [opened_at, priority]\n    action: pseudonymise\n",
        "privacy.yaml:4: 'a' takes out $.openedat, $.priority of feed 'servicenow', which its adapter reads"),
    "what tells conditions apart": (
        "redact:\n  a:\n    fields: [sys_id]\n    action: remove\n",
        "privacy.yaml:3: 'a' takes out $.sysid of feed 'servicenow', which tells one condition from another"),
    "by the adapter of a feed of another name": (
        "redact:\n  a:\n    fields: [$.issue]\n    feeds: [desk]\n", "privacy.yaml:3: 'a' takes out $.issue"),
    "addresses of hosts": ("redact:\n  a:\n    patterns: [ip]\n", "privacy.yaml:3: 'a' takes addresses out of every"),
    "a pattern of no use": ("patterns:\n  x: xyz\n", "privacy.yaml:2: no rule uses the pattern 'x'"),
}  # fmt: skip


@pytest.mark.parametrize("case", WARNED)
def test_a_warning_is(tmp_path: Path, case: str) -> None:
    text, warning = WARNED[case]
    assert any(each.startswith(warning) for each in told(tmp_path, text))


def test_a_rule_that_takes_people_alone_is_no_warning(tmp_path: Path) -> None:
    text = "redact:\n  a:\n    fields: [caller_id, opened_by, reporter.email]\n  b:\n    patterns: [email, iban]\n"
    assert told(tmp_path, text) == []

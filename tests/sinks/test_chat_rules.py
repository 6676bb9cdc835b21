"""What sinks.yaml may say of Slack: which channel, who is who, who may write what."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.models.sinks.chat import Slack

GIVEN = {"name": "chat", "secret_env": "CHAT", "channel": "C0INCIDENTS"}
CHANNELS = [
    {"channel": "C0MAJOR", "kinds": ["bridge"]},
    {"channel": "C0RETAIL1", "domains": ["retail"], "priorities": ["P1"]},
    {"channel": "C0RETAIL", "domains": ["retail"]},
]


@pytest.mark.parametrize(
    ("priority", "domain", "kind", "channel"),
    [
        ("P1", "retail", "bridge", "C0MAJOR"),
        ("P1", "retail", "incident", "C0RETAIL1"),
        ("P2", "retail", "incident", "C0RETAIL"),
        ("P1", "hospital", "incident", "C0INCIDENTS"),
        (None, None, None, "C0INCIDENTS"),
    ],
)
def test_the_first_channel_whose_conditions_all_hold_is_taken(
    priority: str | None, domain: str | None, kind: str | None, channel: str
) -> None:
    rules = Slack.model_validate({**GIVEN, "channels": CHANNELS})
    assert rules.channel_of(priority, domain, kind) == channel


def test_only_ids_can_be_mentioned_and_names_still_say_who_somebody_is() -> None:
    rules = Slack.model_validate({**GIVEN, "people": {"U0ADA": "ada", "ada.lovelace": "ada", "W0GRACE": "grace"}})
    assert rules.mentions == {"ada": "U0ADA", "grace": "W0GRACE"}


def test_all_but_the_state_is_ours_since_slack_has_none_of_it() -> None:
    owners = Slack.model_validate(GIVEN).owners
    assert (owners.state, owners.priority, owners.assignee, owners.title) == ("both", "ours", "ours", "ours")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"channel": "#incidents"}, "must be the id of a channel"),
        ({"channel": "D0DIRECT"}, "must be the id of a channel"),
        ({"channels": [{"channel": "C0OTHER"}]}, "names priorities, domains or kinds"),
        ({"channels": [{"channel": "other", "kinds": ["bridge"]}]}, "must be the id of a channel"),
        ({"people": {"U0ADA": "ada", "U0ADA2": "ada"}}, "ada has two ids"),
        ({"notes": "some"}, "Input should be"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Slack.model_validate({**GIVEN, **fields})

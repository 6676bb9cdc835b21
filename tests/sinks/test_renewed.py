"""Deliver's hooks under another configuration: the same where no sink changed, refused where one cannot work."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.agents.deliver import DeliverHooks
from pipeline.models.policy import Config, CorrelationSettings
from pipeline.settings import Settings, SettingsError
from tests.sinks.receivers import SECRET, sink

DESK = sink("desk", "https://desk.example/hooks")
OTHER = sink("other", "https://other.example/hooks")
BEFORE = Config(sinks={"desk": DESK})


def test_sinks_that_did_not_change_keep_their_connections() -> None:
    hooks = DeliverHooks(Settings(), BEFORE, secret=lambda _: SECRET)
    after = BEFORE.model_copy(update={"correlation": CorrelationSettings(window_seconds=60)})
    assert asyncio.run(hooks.renewed(after)) is hooks


def test_other_sinks_have_hooks_of_their_own() -> None:
    hooks = DeliverHooks(Settings(), BEFORE, secret=lambda _: SECRET)
    after = Config(sinks={"desk": DESK, "other": OTHER})
    assert asyncio.run(hooks.renewed(after)) is not hooks


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (Config(sinks={"desk": DESK.model_copy(update={"secret_env": "MISSING"})}), "MISSING is not set"),
        (Config(sinks={"desk": DESK.model_copy(update={"url": "ftp://desk.example/"})}), "desk"),
    ],
)
def test_a_sink_that_could_not_work_refuses_the_configuration(after: Config, said: str) -> None:
    def known(name: str) -> str:
        if name == "MISSING":
            raise SettingsError(f"{name} is not set")
        return SECRET

    hooks = DeliverHooks(Settings(), BEFORE, secret=known)
    with pytest.raises(ValueError, match=said):
        asyncio.run(hooks.renewed(after))


def test_a_sink_that_is_switched_off_needs_no_secret() -> None:
    def missing(name: str) -> str:
        raise SettingsError(f"{name} is not set")

    hooks = DeliverHooks(Settings(), Config(), secret=missing)
    after = Config(sinks={"desk": DESK.model_copy(update={"enabled": False})})
    assert asyncio.run(hooks.renewed(after)) is not hooks

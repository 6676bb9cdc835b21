"""Figures of the door, without names of people or addresses."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter

from pipeline.console.refusal import Reason

REFUSED: Final = Counter(
    "spillway_console_refused", "Requests that were refused, by reason.", ["reason"], registry=None
)
SIGNED_IN: Final = Counter(
    "spillway_console_sign_ins", "Tries to sign in, by way and outcome.", ["by", "outcome"], registry=None
)
LOG_WRITTEN: Final = Counter(
    "spillway_access_log_written", "Entries of the access log that were written.", registry=None
)
LOG_LOST: Final = Counter(
    "spillway_access_log_lost", "Entries of the access log that could not be written.", registry=None
)
KEYS_FETCHED: Final = Counter(
    "spillway_oidc_keys_fetched", "Fetches of the issuer's keys, by outcome.", ["outcome"], registry=None
)

for _reason in Reason:
    REFUSED.labels(_reason)
for _by in ("token", "oidc"):
    for _outcome in ("in", "refused"):
        SIGNED_IN.labels(_by, _outcome)
for _outcome in ("fetched", "failed"):
    KEYS_FETCHED.labels(_outcome)


def expose(registry: CollectorRegistry) -> None:
    """Have a process show them."""
    for each in (REFUSED, SIGNED_IN, LOG_WRITTEN, LOG_LOST, KEYS_FETCHED):
        registry.register(each)

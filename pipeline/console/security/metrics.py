"""Figures of the door, without names of people or addresses."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter

from pipeline.console.refusal import Reason

REFUSED: Final = Counter("spillway_console_refused", "Requests that were refused, by reason.", ["reason"])
SIGNED_IN: Final = Counter("spillway_console_sign_ins", "Tries to sign in, by way and outcome.", ["by", "outcome"])
LOG_WRITTEN: Final = Counter("spillway_access_log_written", "Entries of the access log that were written.")
LOG_LOST: Final = Counter("spillway_access_log_lost", "Entries of the access log that could not be written.")
KEYS_FETCHED: Final = Counter("spillway_oidc_keys_fetched", "Fetches of the issuer's keys, by outcome.", ["outcome"])

for _reason in Reason:
    REFUSED.labels(_reason)
for _by in ("token", "oidc"):
    for _outcome in ("in", "refused"):
        SIGNED_IN.labels(_by, _outcome)
for _outcome in ("fetched", "failed"):
    KEYS_FETCHED.labels(_outcome)

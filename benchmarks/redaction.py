"""What taking personal data out costs for each message: ``python -m benchmarks.redaction``.

Processor time of the redactor alone, over the samples of every adapter; the least of several rounds.
"""

from __future__ import annotations

import sys
from time import process_time
from typing import Final

from pipeline.core.privacy.patterns import READY
from pipeline.core.privacy.redactor import Redactor
from pipeline.models.privacy import Privacy, RedactAction, RedactRule
from tests.feeds.payloads import SAMPLE_OF

ROUNDS: Final = 7
PASSES: Final = 20
KEY: Final = b"a key for measuring"

RULES: Final[dict[str, RedactRule]] = {
    "two fields": RedactRule(fields=("caller_id", "reporter.email"), action=RedactAction.PSEUDONYMISE),
    "e-mail and phone in all texts": RedactRule(patterns=("email", "phone")),
    "all ready-made patterns in all texts": RedactRule(patterns=tuple(READY)),
}


def microseconds(rule: RedactRule) -> float:
    """Mean of one message, of the fastest round."""
    redactor = Redactor(Privacy(redact={"rule": rule}), KEY)
    work = [(redactor.of_feed(each.adapter), each.document()) for each in SAMPLE_OF.values()]
    best = float("inf")
    for _ in range(ROUNDS):
        began = process_time()
        for _ in range(PASSES):
            for of_feed, document in work:
                if of_feed is not None:
                    of_feed.document(document)
        best = min(best, process_time() - began)
    return best / PASSES / len(work) * 1_000_000


if __name__ == "__main__":
    for name, rule in RULES.items():
        sys.stdout.write(f"{name}: {microseconds(rule):.0f} microseconds\n")

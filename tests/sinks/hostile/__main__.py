"""The fuzzer of answers.

python -m tests.sinks.hostile [--lives N] [--seed N] [--sink NAME] [--number N] [--unreadable]
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time
from collections import Counter
from typing import Final

from rich.console import Console

from tests.sinks.conformance.table import DOWNSTREAMS
from tests.sinks.hostile.bench import Bench

SHOWN_MAX: Final = 25
CHARACTERS_ALIKE: Final = 150
"""Of findings that count as one kind."""


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sinks.hostile", description=__doc__)
    parser.add_argument("--lives", type=int, default=200, help="of each downstream")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same lives")
    parser.add_argument("--sink", action="append", choices=sorted(DOWNSTREAMS), help="it alone; repeatable")
    parser.add_argument("--number", type=int, help="this life alone")
    parser.add_argument("--unreadable", action="store_true", help="damage whole bodies only, so that nothing lies")
    return parser.parse_args()


def _kind(finding: str) -> str:
    return finding.split(": ", 1)[1].split(":", 1)[-1][:CHARACTERS_ALIKE]


def main() -> int:
    asked, console = parse(), Console(soft_wrap=True, markup=False, highlight=False)
    logging.disable(logging.ERROR)  # what the servers think of our requests
    failed = 0
    for name in asked.sink or sorted(DOWNSTREAMS.keys() - {"kafka", "mail"}):
        begin, bench = time.monotonic(), Bench(DOWNSTREAMS[name], asked.seed, only_unreadable=asked.unreadable)
        for number in range(asked.lives) if asked.number is None else [asked.number]:
            asyncio.run(bench.play(number))
        found = bench.findings
        seconds, counts = time.monotonic() - begin, ", ".join(f"{count} {what}" for what, count in found.counts.items())
        console.print(f"{name}: {len(found.wrong)} wrong, {len(found.twice)} made twice, {seconds:.0f} s; {counts}")
        first = {_kind(each): each for each in reversed(found.wrong)}
        for kind, times in Counter(map(_kind, found.wrong)).most_common(SHOWN_MAX):
            console.print(f"  {times} x {first[kind]}")
        failed += len(found.wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

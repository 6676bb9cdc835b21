"""The fuzzer of answers: python -m tests.sinks.hostile [--lives N] [--seed N] [--sink NAME] [--number N] [--unreadable]"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time
from collections import Counter

from tests.sinks.conformance.table import DOWNSTREAMS
from tests.sinks.hostile.bench import Bench


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sinks.hostile", description=__doc__)
    parser.add_argument("--lives", type=int, default=200, help="of each downstream")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sink", action="append", choices=sorted(DOWNSTREAMS))
    parser.add_argument("--number", type=int, help="this life alone")
    parser.add_argument("--unreadable", action="store_true", help="damage whole bodies only, so that nothing lies")
    asked = parser.parse_args()
    failed = 0
    logging.disable(logging.ERROR)  # what the servers think of our requests
    numbers = [asked.number] if asked.number is not None else range(asked.lives)
    for name in asked.sink or sorted(DOWNSTREAMS):
        begin, bench = time.monotonic(), Bench(DOWNSTREAMS[name], asked.seed, only_unreadable=asked.unreadable)
        for number in numbers:
            asyncio.run(bench.play(number))
        found = bench.findings
        seconds = time.monotonic() - begin
        print(f"{name}: {len(found.wrong)} wrong, {len(found.twice)} twice {found.twice[:3]}, {seconds:.0f} s, {dict(found.counts)}")
        kinds = Counter(each.split(": ", 1)[1].split(":", 1)[-1][:150] for each in found.wrong)
        first = {each.split(": ", 1)[1].split(":", 1)[-1][:150]: each for each in reversed(found.wrong)}
        for kind, times in kinds.most_common(25):
            print(f"  {times} x {first[kind]}")
        failed += len(found.wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

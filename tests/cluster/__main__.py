"""The layout under stress: python -m tests.cluster [--only SCENARIO] [--seed N] [--manifests FILE] [--json] ...

Starts three brokers, PostgreSQL and every process of the rendered manifests, lets alerts flow, does what clusters do,
and compares everything that the topics hold with the pure core's. Ends with 0 where everything held.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.cluster import regions
from tests.cluster.layout import Plan
from tests.cluster.manifests import Manifests
from tests.cluster.scenarios import SCENARIOS, Result, run

RENDERED: Final = Path(__file__).parents[2] / "deploy" / "k8s" / "rendered" / "medium.yaml"

LEFT_OUT: Final = frozenset({"problem", "deliver", "record", "console"})
"""They stand behind what is timed and counted here."""


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", action="append", choices=[*SCENARIOS, "regions"], help="repeatable")
    parser.add_argument("--seed", type=int, default=1, help="of the load")
    parser.add_argument("--manifests", type=Path, default=RENDERED, help="rendered manifests (default: medium)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of all pods")
    parser.add_argument("--deciding", action="store_true", help="without the processes behind what is timed")
    parser.add_argument("--mirror-maker", action="store_true", help="regions: MirrorMaker 2 instead of a small mirror")
    parser.add_argument("--json", action="store_true", help="one line of JSON for each run and nothing else")
    parser.add_argument("--keep", type=Path, help="a directory for logs of pods and brokers, to keep them")
    arguments = parser.parse_args()
    for name in arguments.only or [*SCENARIOS, "regions"]:
        if arguments.keep and (arguments.keep / name).exists():
            parser.error(f"{arguments.keep / name} holds an earlier run, whose topics would be counted too: remove it")
    return arguments


def main() -> int:
    arguments = parse()
    results = []
    for name in arguments.only or [*SCENARIOS, "regions"]:
        with tempfile.TemporaryDirectory(prefix="spillway-cluster-") as temporary:
            place = (arguments.keep or Path(temporary)) / name
            place.mkdir(parents=True)
            manifests = Manifests.read(arguments.manifests)
            if name == "regions":
                result = regions.run(manifests, place, arguments.seed, mirror_maker=arguments.mirror_maker)
            else:
                addresses = dict(each.split("=", 1) for each in arguments.set)
                left_out = LEFT_OUT if arguments.deciding else frozenset()
                plan = Plan(manifests, place, addresses=addresses, leave_out=left_out)
                result = run(name, plan, arguments.seed, SCENARIOS[name])
        results.append(result)
        sys.stdout.write((as_json(result) if arguments.json else as_text(result)) + "\n")
        sys.stdout.flush()
    return 0 if all(result.holds for result in results) else 1


def as_json(result: Result) -> str:
    document = {"scenario": result.scenario, "seed": result.seed, "holds": result.holds, "faults": result.faults}
    return json.dumps(document | result.facts)


def as_text(result: Result) -> str:
    lines = [f"{result.scenario} (seed {result.seed}): {'holds' if result.holds else 'DOES NOT HOLD'}"]
    lines += [f"  fault: {fault}" for fault in result.faults]
    lines += [f"  {name.replace('_', ' ')}: {value}" for name, value in result.facts.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

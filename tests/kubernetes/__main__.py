"""The chart on a real control plane: python -m tests.kubernetes --binaries DIR [--only SCENARIO] [--helm-4] ...

Starts etcd, the API server, the controllers and the scheduler, with KWOK in place of kubelets, and does with the chart
what people do with it. Ends with 0 where everything held.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.kubernetes import binaries
from tests.kubernetes.place import Result, prepared
from tests.kubernetes.scenarios import SCENARIOS, run
from tools.deploy import fetch_tools


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.kubernetes", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--binaries", type=Path, required=True, help="where `python -m tests.kubernetes.binaries DIR` has put them"
    )
    parser.add_argument("--only", action="append", choices=[*SCENARIOS], help="repeatable")
    parser.add_argument("--helm-4", action="store_true", help="Helm 4 in place of Helm 3")
    parser.add_argument("--keep", type=Path, help="a directory for logs, to keep them")
    return parser.parse_args()


def as_text(result: Result, seconds: float) -> str:
    lines = [f"{result.scenario}: {'holds' if result.holds else 'DOES NOT HOLD'} ({seconds:.0f} s)"]
    lines += [f"  fault: {fault}" for fault in result.faults]
    lines += [f"  {name.replace('_', ' ')}: {value}" for name, value in result.facts.items()]
    return "\n".join(lines)


def main() -> int:
    arguments = parse()
    try:
        programs = binaries.found(arguments.binaries.resolve())
    except binaries.BinariesError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    helm = fetch_tools.helm(fetch_tools.HELM_4 if arguments.helm_4 else fetch_tools.HELM_3)
    held = True
    with tempfile.TemporaryDirectory(prefix="spillway-kubernetes-") as temporary:
        place_for_logs = (arguments.keep or Path(temporary)).resolve()
        place_for_logs.mkdir(parents=True, exist_ok=True)
        with prepared(programs, helm, place_for_logs) as place:
            version = place.plane.get("/version")["gitVersion"]
            sys.stdout.write(f"Kubernetes {version}, {place.client.release('version', '--short').strip()}\n")
            for name in arguments.only or SCENARIOS:
                began = time.monotonic()
                result = run(name, place, SCENARIOS[name], place_for_logs)
                held = held and result.holds
                sys.stdout.write(as_text(result, time.monotonic() - began) + "\n")
                sys.stdout.flush()
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())

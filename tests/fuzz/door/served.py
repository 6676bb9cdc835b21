"""A gateway in a process of its own, with times that keep no fuzzer waiting: ``python -m tests.fuzz.door.served``.

Arguments: bootstrap, topic prefix, a directory for its configuration. It prints its two ports and ends with its input.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.gateway.limits import Limits
from tests.fuzz.door.schemes import FEEDS, SECRETS
from tests.gateway.house import House


def main() -> None:
    bootstrap, prefix, place = sys.argv[1:]
    limits = Limits(idle_seconds=1.0, body_seconds=1.0)
    with House(bootstrap, prefix, Path(place), FEEDS, SECRETS, limits=limits) as house:
        assert house.listening is not None
        sys.stdout.write(f"{house.port} {house.listening.health_port}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()

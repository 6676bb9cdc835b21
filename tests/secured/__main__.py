"""Each component does all it ever asks of the brokers: ``python -m tests.secured [--one-by-one] [COMPONENT ...]``.

It prints which grants its requests were let through by, of those that it has. With ``--one-by-one`` each operation of
each grant is taken away in turn, and what then fails, and how, is printed. Exit code 1 where a grant is not needed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException

from pipeline.kafka.grants import Grant
from pipeline.kafka.rights import RightsError
from pipeline.kafka.scan import ScanError
from pipeline.kafka.topics import TopicsError
from pipeline.kafka.writer import NotWrittenError
from pipeline.runtime.broker import StartError
from pipeline.runtime.guard import RefusedError
from pipeline.shadow.store import StoreError
from pipeline.watch.probe import WatchError
from tests.secured.deeds import apply_topics, do_everything
from tests.secured.guarded_kafka import GuardedKafka, entries_of
from tests.secured.installation import APP, BY_CERTIFICATE, EVERYBODY, Installation

NO_STORE = "postgresql://nobody:nothing@127.0.0.1:1/none"
"""The deeds of record reach no database."""

FAILURES = (
    AssertionError,
    KafkaError,
    KafkaException,
    NotWrittenError,
    RefusedError,
    RightsError,
    ScanError,
    StartError,
    StoreError,
    TimeoutError,
    TopicsError,
    WatchError,
)


def main() -> int:
    """Do it; how many grants are not needed."""
    asked = argparse.ArgumentParser(prog="python -m tests.secured", description=__doc__)
    asked.add_argument("components", nargs="*", metavar="COMPONENT")
    asked.add_argument("--one-by-one", action="store_true")
    given = asked.parse_args()
    components = given.components or EVERYBODY[:-1]  # nobody can do all that people may do
    with TemporaryDirectory() as place, GuardedKafka(Path(place), f"{APP}-{BY_CERTIFICATE}") as kafka:
        installation = Installation(kafka, Path(place), NO_STORE)
        installation.admit()
        apply_topics(installation, installation.settings_of("topics"))
        lines = [line for each in components for line in _judged(installation, each, one_by_one=given.one_by_one)]
        installation.site.close()
    return 1 if any("NOT NEEDED" in line for line in lines) else 0


def _judged(installation: Installation, component: str, *, one_by_one: bool) -> Iterator[str]:
    began = monotonic()
    do_everything(installation, component)
    user = installation.user_of(component)
    granted = {entry for grant in installation.grants_of(component) for entry in entries_of(grant)}
    used, denied = installation.kafka.used(user), installation.kafka.denied(user)
    unused = "".join(f"; NOT NEEDED: {entry}" for entry in sorted(granted - used))
    took = monotonic() - began
    yield _say(f"{component}: {len(granted & used)} of {len(granted)} used, {len(denied)} denied, {took:.1f} s{unused}")
    if one_by_one:
        for grant in installation.grants_of(component):
            for operation in grant.operations:
                yield _say(f"  {_without(installation, component, replace(grant, operations=(operation,)))}")


def _without(installation: Installation, component: str, lost: Grant) -> str:
    """What happens without one operation."""
    user = installation.user_of(component)
    installation.kafka.revoke(user, [lost])
    try:
        do_everything(installation, component)
        said = "NOT NEEDED"
    except FAILURES as failure:
        said = f"{type(failure).__name__}: {failure}"
    finally:
        installation.kafka.grant(user, [lost])
    return f"without {lost.operations[0]} {lost.resource} {lost.name}: {' '.join(said.split())[:160]}"


def _say(line: str) -> str:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
    return line


if __name__ == "__main__":
    sys.exit(main())

"""MirrorMaker 2 itself, of Apache Kafka, as one process that carries between three sites.

Its jars come from Maven Central, as the embedded broker's do. It runs in its default mode, at least once: killed and
started again it goes back to its last noted position.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from pipeline.kafka.engine import cache_directory, find_java
from tests.cluster.process import Process

# 4.2.1 has no connect-mirror-client on Maven Central.
VERSION: Final = "4.2.0"
COORDINATES: Final = f"org.apache.kafka:connect-mirror:{VERSION}+org.slf4j:slf4j-simple:1.7.36"
FETCH_SECONDS_MAX: Final = 600
_FETCH: Final = "import json, sys, jgo; print(json.dumps([str(jar) for jar in jgo.build(sys.argv[1]).all_jars]))"
SHARED: Final = {
    "replication.policy.class": "org.apache.kafka.connect.mirror.IdentityReplicationPolicy",
    "sync.topic.configs.enabled": "false",
    "sync.topic.acls.enabled": "false",
    "emit.heartbeats.enabled": "false",
    "refresh.topics.interval.seconds": "5",
    # Its plugins say what they are; looking through all jars for others takes longer than all the rest of a start.
    "plugin.discovery": "service_load",
    # One broker a site holds one copy.
    "replication.factor": "1",
    "offset-syncs.topic.replication.factor": "1",
    "heartbeats.topic.replication.factor": "1",
    "checkpoints.topic.replication.factor": "1",
    "offset.storage.replication.factor": "1",
    "config.storage.replication.factor": "1",
    "status.storage.replication.factor": "1",
}


class MirrorMaker:
    """One process for all flows, for the time of a ``with`` block.

    Attributes:
        starts: how often it was started.
    """

    def __init__(self, sites: Mapping[str, str], flows: Mapping[tuple[str, str], Sequence[str]], place: Path) -> None:
        """Describe it.

        Args:
            sites: name -> bootstrap.
            flows: source and target -> topics.
            place: directory for its configuration and log.
        """
        self._place = place
        self._process: Process | None = None
        self.starts = 0
        lines = [f"clusters = {', '.join(sites)}", *(f"{name} = {value}" for name, value in SHARED.items())]
        for name, bootstrap in sites.items():
            lines += [f"{name}.bootstrap.servers = {bootstrap}", f"{name}.consumer.isolation.level = read_committed"]
        for (source, target), topics in flows.items():
            patterns = ", ".join(topic.replace(".", "[.]") for topic in topics)
            lines += [f"{source}->{target}.enabled = true", f"{source}->{target}.topics = {patterns}"]
        (place / "mirror.properties").write_text("\n".join(lines) + "\n")

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()

    def _start(self) -> None:
        java = [str(find_java()), "-Xmx384m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        program = ["-cp", ":".join(jars()), "org.apache.kafka.connect.mirror.MirrorMaker", "mirror.properties"]
        self._process = Process([*java, *program], dict(os.environ), self._place, self._place / "mirror.log")
        self.starts += 1

    def again(self) -> None:
        """Kill it and start it anew: what it had carried since it last noted its position is carried once more."""
        assert self._process is not None
        self._process.kill()
        self._start()

    def check(self) -> None:
        """Fail where it has ended by itself."""
        assert self._process is not None
        assert self._process.exit_code is None, (self._place / "mirror.log").read_text()[-2_000:]


def jars() -> list[str]:
    """Paths of its jars, fetched once."""
    remembered = cache_directory() / f"connect-mirror-{VERSION}-jars.json"
    found: list[str] = json.loads(remembered.read_text()) if remembered.exists() else []
    if found and all(Path(jar).exists() for jar in found):
        return found
    done = subprocess.run(
        [sys.executable, "-c", _FETCH, COORDINATES],
        capture_output=True,
        text=True,
        timeout=FETCH_SECONDS_MAX,
        check=True,
    )
    remembered.write_text(done.stdout)
    return [str(jar) for jar in json.loads(done.stdout)]

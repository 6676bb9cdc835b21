"""Files of the chart that derive from the code: stages and topics, variables, grants, and the lock of the image."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

import yaml

from pipeline.core.migrate import STATE_SCHEMAS
from pipeline.flow import RAW_TOPIC_PREFIX, SHADOW_TOPICS, STAGES, Stage
from pipeline.kafka.grants import COMPONENTS, FURTHER_COMPONENTS, Grant, grants_of
from pipeline.kafka.topics import desired_topics
from pipeline.models.policy import Config, Feed
from pipeline.settings import VARIABLES, Settings

HEAD: Final = "# Generated from the code by `python -m tools.generate_deploy`; not edited by hand.\n"

ANY_FEED: Final = "FEED"
ANY_APP_ID: Final = "APP_ID"
ANY_PREFIX: Final = "TOPIC_PREFIX"
"""What the templates replace by what the values say."""

FROM_VALUES: Final = ("min.insync.replicas",)
"""Settings of topics that the chart's values decide."""

TOGETHER: Final = "pipeline"
"""The component that hosts all stages in one process."""


def workload(stage: Stage) -> str:
    """The kind of workload that a stage is (decision 0032).

    State that is worth waiting for belongs to a pod with a name. Where none is, or where waiting delays what people
    are told, partitions had better move at once.
    """
    return "StatefulSet" if stage.stateful and not stage.outward else "Deployment"


def flow() -> str:
    """Stages in order, and every topic as the cluster should have it."""
    stages = [
        {
            "name": stage.name,
            "workload": workload(stage),
            "stateful": stage.stateful,
            "state_schema": STATE_SCHEMAS.get(stage.name) if stage.stateful else None,
            "purpose": stage.purpose,
        }
        for stage in STAGES
    ]
    return HEAD + _yaml({"stages": stages, "topics": _topics()})


def _topics() -> list[dict[str, Any]]:
    config = Config(feeds={ANY_FEED: Feed(name=ANY_FEED, adapter="alertmanager")})
    wanted = desired_topics(Settings(shadow_config=Path("shadow"), partitions=10_000), config)
    shadows = {topic.name for topic in SHADOW_TOPICS}
    listed = []
    for topic in wanted:
        raw = topic.name.startswith(RAW_TOPIC_PREFIX)
        if raw and topic.name != RAW_TOPIC_PREFIX + ANY_FEED:
            continue  # of adapters that the configuration does not name
        listed.append(
            {
                "name": topic.name,
                "raw": raw,
                "shadow": topic.name in shadows,
                "partitions": None if topic.partitions == 10_000 else topic.partitions,
                "config": {name: value for name, value in topic.config.items() if name not in FROM_VALUES},
            }
        )
    return listed


def settings() -> str:
    """Every variable that a process knows, with its field."""
    return HEAD + _yaml({"variables": {name: field for field, name in sorted(VARIABLES.items(), key=lambda x: x[1])}})


def grants() -> str:
    """What each component may do on the brokers."""
    settings = Settings(app_id=ANY_APP_ID, topic_prefix=ANY_PREFIX, production=True, shadow_config=Path("shadow"))
    found = {name: list(grants_of(settings, name)) for name in (*COMPONENTS, *FURTHER_COMPONENTS)}
    found[TOGETHER] = _united([grant for stage in STAGES for grant in found[stage.name]])
    return HEAD + _yaml({"components": {name: [_document(each) for each in mine] for name, mine in found.items()}})


def _united(granted: list[Grant]) -> list[Grant]:
    """One grant for each resource, with all operations that any of them allows."""
    found: dict[tuple[str, str, bool], Grant] = {}
    for each in granted:
        key = (each.resource, each.name, each.prefixed)
        before = found[key].operations if key in found else ()
        more = tuple(operation for operation in each.operations if operation not in before)
        found[key] = Grant(each.resource, each.name, each.prefixed, before + more)
    return list(found.values())


def _document(grant: Grant) -> dict[str, Any]:
    return {
        "resource": grant.resource,
        "name": grant.name,
        "prefixed": grant.prefixed,
        "operations": list(grant.operations),
    }


_PINNED: Final = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==")
_NEEDED_BY: Final = re.compile(r"^    #(?: via)? +(\S.*)$")
_NAME: Final = re.compile(r"^[A-Za-z0-9._-]+")


EXTRAS: Final = ("aws", "tracing")
"""What else the image has: logins to Amazon MSK, traces to a collector. Engines are services of their own there."""


def runtime_lock(lock: str, project: str) -> str:
    """The part of the lock that the image needs: no test tools, no embedded engines.

    Args:
        lock: text of requirements.lock; uv writes below each pin by whom it is needed.
        project: text of pyproject.toml, which says what the product needs itself.
    """
    said = tomllib.loads(project)["project"]
    extras = said.get("optional-dependencies", {})
    asked = [*said["dependencies"], *(each for extra in EXTRAS for each in extras.get(extra, ()))]
    wanted = {found[0].lower() for each in asked if (found := _NAME.match(each)) is not None}
    blocks: dict[str, list[str]] = {}
    needed_by: dict[str, set[str]] = {}
    name = ""
    for line in lock.splitlines():
        if found := _PINNED.match(line):
            name = found[1].lower()
            blocks[name], needed_by[name] = [], set()
        if not name:
            continue
        if by := _NEEDED_BY.match(line):
            needed_by[name].add(by[1].lower())
        elif not line.startswith("    #"):
            blocks[name].append(line)
    while more := {each for each, by in needed_by.items() if by & wanted} - wanted:
        wanted |= more
    return HEAD + "".join("\n".join(blocks[each]) + "\n" for each in blocks if each in wanted)


def _yaml(document: Any) -> str:
    return yaml.safe_dump(document, sort_keys=False, width=120, allow_unicode=True)

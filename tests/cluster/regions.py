"""Two regions and what stands over both: each decides by itself, a global bridge sees what no region can see alone.

Three sites with a broker each: two regions run the stages that decide, the third runs the bridge. Mirrors carry
summaries and what is asked of bridges to it, and its commands back (docs/multi-region.md).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from pipeline.core.identity import partition_of
from pipeline.core.step import StreamRecord
from pipeline.flow import STAGE_BY_NAME
from tests.cluster.layout import Layout, Plan, company_files, installed
from tests.cluster.manifests import Manifests
from tests.cluster.mirror import Mirror
from tests.cluster.mirror_maker import MirrorMaker
from tests.cluster.scenarios import Result
from tests.faults.cluster import cluster
from tests.faults.corpus import Sent
from tests.faults.site import Site, now_ms
from tests.stories.payloads import alertmanager
from tests.support import wait_until

REGIONS: Final = ("eu", "us")
REGIONAL: Final = frozenset({"ingest", "dedupe", "correlate"})
GLOBAL: Final = frozenset({"bridge"})
COMPANY: Final = Path(__file__).parent / "regional"
UPWARDS: Final = ("incidents.summaries", "bridge.commands")
"""What a region tells the global bridge."""
DOWNWARDS: Final = ("commands",)
"""What the global bridge asks of the regions. Each gets what is asked of all: what is not its own it lets be."""
ONE_COPY: Final = {
    "SPILLWAY_REPLICATION_FACTOR": "1",
    "SPILLWAY_MIN_INSYNC_REPLICAS": "1",
    "SPILLWAY_PRODUCTION": "false",
}
SECONDS_MAX: Final = 300.0
COMPONENTS: Final = frozenset({*STAGE_BY_NAME, "gateway", "console"})


@dataclass
class World:
    """Two regions and the global site.

    Attributes:
        sites: region, or ``global`` -> its layout.
        mirrors: what carries between them.
    """

    sites: dict[str, Layout] = field(default_factory=dict)
    mirrors: list[Mirror | MirrorMaker] = field(default_factory=list)

    def send(self, region: str, topic: str, key: str | None, document: dict[str, Any]) -> None:
        """Hand one record to a region."""
        site = self.sites[region].site
        wire = None if key is None else key.encode()
        partition = 0 if wire is None else partition_of(wire, site.settings.partitions)
        site.send([Sent(topic, partition, wire, orjson.dumps(document), now_ms())])
        site.flush()

    def alert(self, region: str, *, over: bool = False) -> None:
        """The login of a region is down, or well again."""
        at = datetime.now(UTC)
        labels = {
            "alertname": "TargetDown",
            "service": f"login-{region}",
            "environment": f"{region}-production",
            "region": region,
            "severity": "critical",
        }
        document = alertmanager(labels, f"login is down in {region}", at, at if over else None)
        self.send(region, "alerts.raw.alertmanager", None, document)

    def change(self, region: str) -> None:
        """The directory that both regions need has been changed a moment ago."""
        document = {
            "change_id": "directory-7",
            "kind": "deployment",
            "summary": "directory 7 is rolled out",
            "targets": ["directory"],
            "started_at": datetime.now(UTC).isoformat(),
        }
        self.send(region, "changes", f"{region}-production", document)

    def incidents(self, where: str) -> dict[str, dict[str, Any]]:
        """The newest of each incident of a site, by id, with the bridge that it is linked to."""
        return newest(self.sites[where].site)

    def bridges(self) -> dict[str, dict[str, Any]]:
        return self.incidents("global")


def newest(site: Site) -> dict[str, dict[str, Any]]:
    """Incidents of a site as their newest events have them."""
    found: dict[str, dict[str, Any]] = {}
    for place in site.read(["incidents"]).values():
        for record in place:
            event = orjson.loads(record.value or b"{}")
            found[event["incident_id"]] = event["incident"]
    return found


def revisions(site: Site) -> Counter[tuple[str, int]]:
    """How often each revision of each incident was told."""
    events = [orjson.loads(each.value or b"{}") for place in site.read(["incidents"]).values() for each in place]
    return Counter((event["incident_id"], event["revision"]) for event in events)


@contextmanager
def world(manifests: Manifests, place: Path, *, mirror_maker: bool) -> Iterator[World]:
    """All three sites, mirrored, for the time of a block."""
    made = World()
    with ExitStack() as stack:
        kafkas = {name: stack.enter_context(cluster(place / name / "kafka", 1)) for name in (*REGIONS, "global")}
        for name, kafka in kafkas.items():
            runs = GLOBAL if name == "global" else REGIONAL
            plan = Plan(
                manifests,
                place / name,
                replicas={},
                leave_out=COMPONENTS - runs,
                addresses=ONE_COPY,
                company=company_files(COMPANY),
            )
            made.sites[name] = stack.enter_context(installed(plan, kafka, "postgresql://nobody@127.0.0.1/none"))
        flows = {(region, "global"): UPWARDS for region in REGIONS} | {("global", each): DOWNWARDS for each in REGIONS}
        sites = {name: kafka.bootstrap for name, kafka in kafkas.items()}
        if mirror_maker:
            made.mirrors.append(stack.enter_context(MirrorMaker(sites, flows, place)))
        else:
            for (source, target), topics in flows.items():
                made.mirrors.append(stack.enter_context(Mirror(sites[source], sites[target], topics)))
        yield made


def until(condition: Callable[[], object], what: str) -> float:
    """Wait for a condition; seconds that it took."""
    begin = time.monotonic()
    wait_until(condition, SECONDS_MAX, what)
    return round(time.monotonic() - begin, 1)


def run(manifests: Manifests, place: Path, seed: int, *, mirror_maker: bool = False) -> Result:
    """The story: one cause in both regions, a region dies, comes back, and all of it ends."""
    result = Result("regions", seed)
    begin = time.monotonic()
    with world(manifests, place, mirror_maker=mirror_maker) as made:
        result.facts["start_seconds"] = round(time.monotonic() - begin, 1)
        _one_bridge(made, result)
        _a_region_dies(made, result)
        _it_comes_back(made, result)
        _it_is_over(made, result)
        _nothing_is_doubled(made, result)
    result.facts["seconds"] = round(time.monotonic() - begin, 1)
    return result


def _one_bridge(made: World, result: Result) -> None:
    for region in REGIONS:
        made.change(region)
    for region in REGIONS:
        made.alert(region)
    took = until(lambda: any(len(each["members"]) == len(REGIONS) for each in made.bridges().values()), "one bridge")
    result.facts["bridge_opened_seconds"] = took
    (bridge,) = made.bridges().values()
    linked = until(
        lambda: all(_linked(made, region) == [bridge["id"]] for region in REGIONS), "both regions know their bridge"
    )
    result.facts["linked_back_seconds"] = linked
    result.facts["bridge"] = f"{bridge['id']}: {bridge['users_affected']} people, members {bridge['members']}"
    for mirror in made.mirrors:
        mirror.again()


def _linked(made: World, region: str) -> list[str | None]:
    return [each.get("bridge_id") for each in made.incidents(region).values()]


def _a_region_dies(made: World, result: Result) -> None:
    """Its broker and all its processes are gone at once."""
    now = time.monotonic()
    dead = made.sites["eu"]
    for pod in dead.kubelet.living():
        pod.lose(now)
    dead.brokers.kill(1)
    before = revisions(made.sites["us"].site).total()
    made.change("us")
    made.alert("us")
    made.alert("us", over=True)
    result.facts["survivor_goes_on_seconds"] = until(
        lambda: revisions(made.sites["us"].site).total() > before, "the other region decides"
    )
    until(lambda: _state(made, "us") == "resolved", "the other region's incident is over")
    (bridge,) = made.bridges().values()
    if len(bridge["members"]) != len(REGIONS) or bridge["state"] in ("resolved", "closed"):
        result.faults.append(f"the bridge lost its record of the dead region: {bridge['state']}, {bridge['members']}")


def _state(made: World, region: str) -> str:
    return str(next(iter(made.incidents(region).values()))["state"])


def _it_comes_back(made: World, result: Result) -> None:
    begin = time.monotonic()
    back = made.sites["eu"]
    back.brokers.start(1)
    fresh = [pod for each in back.workloads.values() for pod in each.start()]
    back.kubelet.wait_ready(fresh, SECONDS_MAX)
    result.facts["region_back_seconds"] = round(time.monotonic() - begin, 1)


def _it_is_over(made: World, result: Result) -> None:
    made.alert("eu", over=True)
    result.facts["resolved_seconds"] = until(
        lambda: [each["state"] for each in made.bridges().values()] == ["resolved"], "the bridge is resolved"
    )


def _nothing_is_doubled(made: World, result: Result) -> None:
    for name, layout in made.sites.items():
        told = revisions(layout.site)
        if doubled := [each for each, times in told.items() if times > 1]:
            result.faults.append(f"{name}: revisions told twice: {doubled}")
        by_incident: dict[str, list[int]] = {}
        for incident, revision in told:
            by_incident.setdefault(incident, []).append(revision)
        for incident, numbers in by_incident.items():
            if sorted(numbers) != list(range(1, len(numbers) + 1)):
                result.faults.append(f"{name}: {incident} has revisions {sorted(numbers)}")
        if len(by_incident) != 1:
            result.faults.append(f"{name}: {len(by_incident)} incidents instead of one")
    if letters := sum(
        len(each) for name in made.sites for each in made.sites[name].site.read(["dead.letter"]).values()
    ):
        result.faults.append(f"{letters} dead letters")
    for mirror in made.mirrors:
        if isinstance(mirror, MirrorMaker):
            mirror.check()
    summaries = [orjson.loads(each.value or b"{}") for each in _summaries(made)]
    told = Counter((each["incident_id"], each["revision"]) for each in summaries)
    result.facts["summaries_carried"] = told.total()
    result.facts["of_them_again"] = told.total() - len(told)


def _summaries(made: World) -> list[StreamRecord]:
    return [each for place in made.sites["global"].site.read(UPWARDS[:1]).values() for each in place if each.value]

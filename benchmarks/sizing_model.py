"""The model: from a load and what one unit of work costs to partitions, pods, brokers, disk and money.

Everything here is arithmetic over `benchmarks.sizing_costs`; docs/sizing.md says it in words. Pods have one core each,
because a stage decides on one core (Python), and what scales is their number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from typing import Final

from benchmarks.sizing_costs import Costs

MICRO: Final = 1e-6
GIB: Final = 1 << 30
MIB: Final = 1 << 20
GIGABYTE: Final = 1e9
"""Clouds bill by the decimal one."""

HOUR_SECONDS: Final = 3_600
DAY_HOURS: Final = 24
MONTH_HOURS: Final = 730

PARTITION_COUNTS: Final = (12, 24, 48, 96, 192, 384, 768, 1_536)
"""Numbers that many others divide: partitions spread evenly over pods."""

STANDBY_PODS: Final = 2
"""Of a stage: one that works and one that takes over at once."""

STATE_UNEVEN: Final = 1.5
"""The fullest pod holds so much more than its share: spaces differ in size."""

BATCH_MIB: Final = 80
"""What a stage has read and not decided: 64 MiB, and an answer of a broker."""

TOPICS_AS_SET: Final = 17
"""Topics with as many partitions as the installation has, changelogs among them, beside one for each feed."""

FANOUT: Final = 1.6
"""How often a written byte is read: most topics have one reader, those of episodes and incidents two or three."""

REPLICA_CPU: Final = 0.5
"""Of what a leader's write costs a broker, what a follower's copy costs; assumed: one broker was measured."""

BROKER_CORES: Final = 8
BROKER_MEMORY_GIB: Final = 32
BROKER_REPLICAS_MAX: Final = 4_000
"""Replicas of partitions on one broker, by rule of thumb: failover and restart take longer with each."""

BROKER_BYTES_PER_SECOND_MAX: Final = 150e6
"""Written to one broker, copies included: half of what a gp3 volume or a 10 Gbit/s line sustains for long."""

DISK_HEADROOM: Final = 1.3
STORE_BYTES_PER_INCIDENT: Final = 40_000
"""Snapshot, timeline, episodes, deliveries and indexes in PostgreSQL; assumed from the benchmark's store."""

STORE_CORES: Final = 4
STORE_MEMORY_GIB: Final = 16
STORE_EVENTS_PER_CORE: Final = 1_000
"""Events a second that a core of PostgreSQL takes, three rows each; assumed."""

STORM_MINUTES: Final = 10
CATCH_UP_MINUTES: Final = 60
"""What the records store is sized for: a storm of ten minutes is in it within the hour. Nothing waits for it."""

TRANSACTION_CORE_SECONDS: Final = 0.008
"""Of a small transaction, worker and broker together (benchmarks/README.md, 2026-11-25)."""

TRANSACTIONS_PER_SECOND: Final = 10.0
"""Of a partition that is never idle and has time: what bounds the latency of a quiet pipeline."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What is paid. Defaults: list prices on demand in one region of one cloud; put yours in.

    Attributes:
        core_hour: a core with 4 GiB. m7g.large has two for 0.0816 an hour (AWS, us-east-1, June 2026).
        memory_gib_hour: memory above 4 GiB a core; assumed a ninth of the price of a core.
        disk_gigabyte_month: a general-purpose SSD volume (gp3: 0.08).
        zone_gigabyte: traffic between zones, both ends together (twice 0.01).
    """

    core_hour: float = 0.0408
    memory_gib_hour: float = 0.0045
    disk_gigabyte_month: float = 0.08
    zone_gigabyte: float = 0.02


@dataclass(frozen=True, slots=True)
class Load:
    """What comes.

    Attributes:
        alerts_per_second: raw; what is sized for, with headroom by `utilisation`.
        services: in the catalogue.
        news_share: of the alerts in a storm, those that change an episode: begin, end or worsen one. Pods are sized
            for it, so that a storm is decided as it comes.
        changes_per_service_hour: episodes that a service changes on an ordinary day. Disks are sized for it.
        open_per_service: episodes that are open at once, for each service, at the worst.
        episodes_per_incident: how many meet in one.
        gateway_share: of the alerts, those that come over HTTP.
        listeners: people who look at the console at once.
        feeds: raw topics.
        raw_hours: how long raw alerts and `alerts` are kept.
        news_days: how long everything else is kept.
        store_days: how long the records store keeps incidents.
        replicas: copies of each record.
        utilisation: how busy a core may be at the sustained rate; the rest takes storms and catching up.
    """

    alerts_per_second: float
    services: float
    news_share: float = 0.15
    changes_per_service_hour: float = 1.0
    open_per_service: float = 2.0
    episodes_per_incident: float = 10.0
    gateway_share: float = 0.1
    listeners: int = 50
    feeds: int = 10
    raw_hours: float = 24.0
    news_days: float = 30.0
    store_days: float = 730.0
    replicas: int = 3
    utilisation: float = 0.6

    @property
    def news(self) -> float:
        """Alerts a second that change an episode, in a storm."""
        return self.alerts_per_second * self.news_share

    @property
    def daily_news(self) -> float:
        """The same on an ordinary day."""
        return min(self.news, self.services * self.changes_per_service_hour / HOUR_SECONDS)

    @property
    def recorded(self) -> float:
        """Events a second that the records store takes: the day's, and a storm's caught up with."""
        return min(self.news, self.daily_news + self.news * STORM_MINUTES / CATCH_UP_MINUTES)

    @property
    def episodes(self) -> float:
        """Open at once."""
        return self.services * self.open_per_service


@dataclass(frozen=True, slots=True)
class Part:
    """Pods of one kind, over all installations.

    Attributes:
        busy_cores: what they use at the sustained rate.
        memory_gib: of one pod.
    """

    name: str
    pods: int
    cores: float
    busy_cores: float
    memory_gib: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What a load needs.

    Attributes:
        installations: whole pipelines that share the load, such as one a region: more than one where one bridge is
            not enough.
        spaces: correlation spaces that the load must spread over evenly, all installations together.
        partitions: of each installation.
        parts: pods.
        brokers: over all installations.
        written: bytes a second that producers send to the brokers on an ordinary day, compressed.
        disk_gigabytes: of all brokers.
        store_gigabytes: of the records stores.
        elastic_cores: what small transactions take on top while there is time; batches grow as it gets scarce.
        restore_seconds: how long a restarted correlate reads its state.
        money: a month, by what for.
        warnings: what does not fit, or is no sensible load.
    """

    installations: int
    spaces: int
    partitions: int
    parts: tuple[Part, ...]
    brokers: int
    written: float
    disk_gigabytes: float
    store_gigabytes: float
    elastic_cores: float
    restore_seconds: float
    money: dict[str, float]
    warnings: list[str] = field(default_factory=list)

    @property
    def cores(self) -> float:
        """Of all pods, brokers and stores."""
        return sum(each.pods * each.cores for each in self.parts)

    @property
    def memory_gib(self) -> float:
        """Of the same."""
        return sum(each.pods * each.memory_gib for each in self.parts)


def plan(load: Load, costs: Costs, prices: Prices | None = None) -> Plan:
    """Size an installation, or several.

    Raises:
        ValueError: the load is none: not positive, or shares beyond 0 to 1.
    """
    _check(load)
    busy = busy_cores(load, costs)
    installations = max(1, ceil(busy["bridge"] / load.utilisation))
    stages = [_stage(name, busy[name], load, costs, installations) for name in busy]
    partitions = _partitions(max(each.pods for each in stages if each.name in SHARED) / installations)
    brokers = _brokers(load, costs, _written(load, costs, load.news), partitions, installations)
    written = _written(load, costs, load.daily_news)
    store = load.daily_news / load.episodes_per_incident * load.store_days * DAY_HOURS * HOUR_SECONDS
    store_gigabytes = store * STORE_BYTES_PER_INCIDENT / GIGABYTE
    parts = (*stages, *_others(load, costs, busy, brokers, installations))
    disk = _disk_gigabytes(load, costs)
    correlate = next(each for each in stages if each.name == "correlate")
    return Plan(
        installations=installations,
        spaces=max(1, ceil(busy["correlate"] / load.utilisation)),
        partitions=partitions,
        parts=parts,
        brokers=brokers,
        written=written,
        disk_gigabytes=disk,
        store_gigabytes=store_gigabytes,
        elastic_cores=_elastic_cores(load, partitions * installations),
        restore_seconds=load.episodes * costs.episode_keys.value / correlate.pods / costs.restore_keys.value,
        money=_money(parts, disk + store_gigabytes, written, load, prices or Prices()),
        warnings=list(_warnings(load, busy, installations, partitions)),
    )


SHARED: Final = ("ingest", "dedupe", "correlate", "record")
"""Stages whose pods share the partitions of their topics."""


def _check(load: Load) -> None:
    positive = (load.alerts_per_second, load.services, load.utilisation, load.replicas, load.episodes_per_incident)
    if min(positive) <= 0:
        raise ValueError("rates, services, replicas, utilisation and episodes of an incident are above 0")
    if not (0 <= load.news_share <= 1 and 0 <= load.gateway_share <= 1 and load.utilisation <= 1):
        raise ValueError("shares and utilisation are from 0 to 1")


def busy_cores(load: Load, costs: Costs) -> dict[str, float]:
    """Cores that each stage uses at the sustained rate."""
    every = load.alerts_per_second * costs.alert_us.value * MICRO
    news = load.news * costs.news_us.value * MICRO
    dedupe, bridge = costs.dedupe_share.value, costs.bridge_share.value
    return {
        "ingest": every * costs.ingest_share.value,
        "dedupe": every * (1 - costs.ingest_share.value) + news * dedupe,
        "correlate": news * (1 - dedupe - bridge),
        "bridge": news * bridge,
        "record": load.recorded * costs.record_us.value * MICRO,
    }


def _stage(name: str, busy: float, load: Load, costs: Costs, installations: int) -> Part:
    """A stage's pods; state is counted where most of it is."""
    per_installation = (
        STANDBY_PODS if name == "bridge" else max(STANDBY_PODS, ceil(busy / installations / load.utilisation))
    )
    pods = per_installation * installations
    state = load.episodes * costs.episode_bytes.value * STATE_UNEVEN / pods if name in {"correlate", "bridge"} else 0.0
    share = 0.1 if name == "bridge" else 1.0  # summaries, not episodes
    memory = (costs.process_mib.value + BATCH_MIB) * MIB + state * share
    return Part(name, pods, 1.0, busy, memory / GIB)


def _partitions(pods: float) -> int:
    return next((each for each in PARTITION_COUNTS if each >= pods), ceil(pods))


def _elastic_cores(load: Load, partitions: int) -> float:
    """Cores for transactions of few records: of ingest and dedupe for any alert, of correlate for news."""
    most = partitions * TRANSACTIONS_PER_SECOND
    transactions = 2 * min(load.alerts_per_second, most) + min(load.daily_news, most)
    return transactions * TRANSACTION_CORE_SECONDS


def _written(load: Load, costs: Costs, news: float) -> float:
    """Bytes a second that producers send to the brokers, compressed."""
    return (_repeat_bytes(load, costs) + news * costs.news_bytes.value) / costs.compression.value


def _repeat_bytes(load: Load, costs: Costs) -> float:
    return load.alerts_per_second * (costs.raw_bytes.value + costs.hop_bytes.value)


def broker_busy_cores(load: Load, costs: Costs) -> float:
    """Cores of all brokers, copies included."""
    once = load.alerts_per_second * costs.broker_us.value + load.news * costs.broker_news_us.value
    return once * MICRO * (1 + (load.replicas - 1) * REPLICA_CPU)


def _brokers(load: Load, costs: Costs, written: float, partitions: int, installations: int) -> int:
    """By whichever binds: processor, bytes written, replicas of partitions; three at least, for each installation."""
    replicas = partitions * (TOPICS_AS_SET + load.feeds) * load.replicas * installations
    needed = (
        broker_busy_cores(load, costs) / (BROKER_CORES * load.utilisation),
        written * load.replicas / BROKER_BYTES_PER_SECOND_MAX,
        replicas / BROKER_REPLICAS_MAX,
    )
    return max(max(3, load.replicas) * installations, ceil(max(needed)))


def _others(load: Load, costs: Costs, busy: dict[str, float], brokers: int, installations: int) -> tuple[Part, ...]:
    """What is beside the stages that were measured as such."""
    process = (costs.process_mib.value + BATCH_MIB) * MIB / GIB
    requests = load.alerts_per_second * load.gateway_share * costs.request_us.value * MICRO
    gateways = STANDBY_PODS * installations if load.gateway_share else 0
    stores = max(STORE_CORES, ceil(load.recorded / installations / STORE_EVENTS_PER_CORE))
    return (
        Part("problem", STANDBY_PODS * installations, 1.0, 0.0, process),
        Part("deliver", STANDBY_PODS * installations, 1.0, 0.0, process),
        Part("gateway", max(gateways, ceil(requests / load.utilisation)), 1.0, requests, process),
        Part(
            "console",
            max(STANDBY_PODS * installations, ceil(load.listeners / costs.streams_core.value)),
            1.0,
            load.listeners / costs.streams_core.value,
            process,
        ),
        Part("broker", brokers, BROKER_CORES, broker_busy_cores(load, costs), BROKER_MEMORY_GIB),
        Part("PostgreSQL", 2 * installations, stores, load.recorded / STORE_EVENTS_PER_CORE, STORE_MEMORY_GIB),
    )


def _disk_gigabytes(load: Load, costs: Costs) -> float:
    repeats = _repeat_bytes(load, costs) * load.raw_hours * HOUR_SECONDS
    news = load.daily_news * costs.news_bytes.value * load.news_days * DAY_HOURS * HOUR_SECONDS
    return (repeats + news) / costs.compression.value * load.replicas * DISK_HEADROOM / GIGABYTE


def _money(parts: tuple[Part, ...], gigabytes: float, written: float, load: Load, prices: Prices) -> dict[str, float]:
    """A month. Of what is written and read, two thirds cross a zone of three, as does every copy."""
    pods = sum(each.pods * each.cores for each in parts) * prices.core_hour * MONTH_HOURS
    above = sum(each.pods * max(0.0, each.memory_gib - 4 * each.cores) for each in parts)
    crossing = written * (2 / 3 * (1 + FANOUT) + load.replicas - 1) * MONTH_HOURS * HOUR_SECONDS / GIGABYTE
    found = {
        "cores": pods,
        "memory": above * prices.memory_gib_hour * MONTH_HOURS,
        "disk": gigabytes * prices.disk_gigabyte_month,
        "network": crossing * prices.zone_gigabyte,
    }
    return {**found, "all": sum(found.values())}


def _warnings(load: Load, busy: dict[str, float], installations: int, partitions: int) -> list[str]:
    said = []
    if installations > 1:
        said.append(
            f"one bridge decides on one core and would need {busy['bridge']:,.1f}: {installations} installations, such "
            "as one a region, share the load (docs/multi-region.md)"
        )
    spaces = ceil(busy["correlate"] / load.utilisation)
    if spaces > 1:
        said.append(
            f"one space is decided on one core: the load must spread over {spaces:,} spaces or more, each with "
            f"{load.news / spaces:,.0f} changes of episodes a second at most"
        )
    if partitions > PARTITION_COUNTS[-1]:
        said.append(f"{partitions:,} partitions a topic: split into more installations, by region or tenant")
    return said

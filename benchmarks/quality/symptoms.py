"""What monitors and people say when something fails: names, words, severity, and which monitor tells of what.

All of it is a guess at what companies have set up; no words are taken from the real data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from benchmarks.quality.faults import FaultKind


class Symptom(NamedTuple):
    """A condition that a monitor tells of: name, words about the service and a number, severity."""

    name: str
    words: str
    severity: str


ROOT_SYMPTOMS: Final = (
    Symptom("TargetDown", "{service} does not answer health checks", "critical"),
    Symptom("HighErrorRate", "{service} answers {number} % of requests with errors", "critical"),
    Symptom("LatencyHigh", "99th percentile latency of {service} is {number} ms", "error"),
    Symptom("PodCrashLooping", "pods of {service} restarted {number} times in 10 minutes", "error"),
    Symptom("CPUThrottling", "{service} is throttled {number} % of the time", "warning"),
)
CALLER_SYMPTOMS: Final = (
    Symptom("HighErrorRate", "{service} answers {number} % of requests with errors", "error"),
    Symptom("LatencyHigh", "99th percentile latency of {service} is {number} ms", "warning"),
    Symptom("QueueGrowing", "queue of {service} holds {number} messages", "warning"),
)
KIND_SYMPTOMS: Final[Mapping[FaultKind, tuple[Symptom, ...]]] = {
    FaultKind.DATABASE: (
        Symptom("DatabaseConnectionsExhausted", "{service} has no free connections, {number} clients wait", "critical"),
        Symptom("ReplicationLag", "replica of {service} is {number} s behind", "error"),
    ),
    FaultKind.CERTIFICATE: (
        Symptom("CertificateExpired", "certificate of {service} expired {number} minutes ago", "critical"),
        Symptom("TLSHandshakeErrors", "{number} TLS handshakes with {service} failed", "error"),
    ),
    FaultKind.SLOW_BURN: (
        Symptom("MemoryLeak", "memory of {service} grows {number} MiB an hour", "warning"),
        Symptom("ErrorBudgetBurn", "{service} burns its error budget {number} times too fast", "warning"),
    ),
    FaultKind.PROVIDER: (Symptom("ProviderErrors", "{service} refuses {number} % of calls", "critical"),),
}
HOST_SYMPTOMS: Final[Mapping[FaultKind, Symptom]] = {
    FaultKind.HOST: Symptom("HostDown", "{service} is unreachable by ICMP", "critical"),
    FaultKind.RACK: Symptom("SwitchDown", "top of rack switch of {service} lost {number} links", "critical"),
    FaultKind.ZONE: Symptom("ZoneUnreachable", "{number} % of probes into {service} fail", "critical"),
    FaultKind.MAINTENANCE: Symptom("HostDown", "{service} is unreachable by ICMP", "critical"),
}
NOISE_SYMPTOMS: Final = (
    Symptom("DiskFillingUp", "disk of {service} is full in {number} hours", "warning"),
    Symptom("BackupSlow", "backup of {service} took {number} minutes", "info"),
    Symptom("CPUThrottling", "{service} is throttled {number} % of the time", "warning"),
    Symptom("LatencyHigh", "99th percentile latency of {service} is {number} ms", "warning"),
    Symptom("DeadlineMissed", "job of {service} ran {number} minutes late", "error"),
)
PROSE: Final = (
    "{term} is not working, I get an error page",
    "cannot use {term} since this morning",
    "Is there a problem with {term}? Everything hangs",
    "{term} extremely slow, customers are complaining",
    "error when I open {term}",
    "hi team, {term} does not load for me or my colleague. please help",
)
IDLE_PROSE: Final = (
    "how do I change my address in {term}?",
    "please give my new colleague access to {term}",
    "{term}: the export has the wrong columns again",
    "I was charged twice by {term}",
)
"""What people write about when nothing has failed."""
APM_CONDITIONS: Final = frozenset({"HighErrorRate", "LatencyHigh", "ErrorBudgetBurn", "ProviderErrors"})
"""Conditions that a second monitor tells of: it sees requests, not processes, a little later, by a clock of its own."""


def feed_of(symptom: Symptom) -> str:
    """The feed that tells of a condition of a service."""
    return "apm" if symptom.name in APM_CONDITIONS else "metrics"

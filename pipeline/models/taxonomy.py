"""The built-in categories: what service desks count by, for a domain that has none of its own.

The first that matches wins, so what is narrow stands before what is broad. Words match from their beginning. Rather a
word too few than one that takes what belongs to another category: a domain that knows better puts its own before these.
"""

from __future__ import annotations

from typing import Final

from pipeline.models.catalog import HostingModel
from pipeline.models.scales import Category


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(","))


CATEGORIES_DEFAULT: Final = (
    Category(
        name="certificate",
        title="Certificates",
        words=_words("certificate, x509, x 509, tls handshake, ssl, keystore"),
    ),
    Category(
        name="security",
        title="Security",
        words=_words(
            "malware, ransomware, phishing, intrusion, brute force, vulnerability, cve, ddos, denial of service, "
            "data leak, exfiltration, compromised"
        ),
        layers=("security",),
    ),
    Category(
        name="hardware",
        title="Hardware failures",
        words=_words(
            "raid, fan, power supply, psu, disk failure, disk failed, predictive failure, smart error, ecc error, "
            "overheat, chassis, battery"
        ),
    ),
    Category(
        name="capacity",
        title="Capacity",
        words=_words(
            "connections, disk, storage, memory, cpu, queue, saturation, lag, quota, throttl, out of space, inodes, "
            "evicted, oom"
        ),
    ),
    Category(
        name="access",
        title="Sign-in, permissions and access requests",
        words=_words(
            "login, log in, logon, password, permission, sign in, access denied, access request, locked out, mfa, "
            "single sign on, sso"
        ),
        layers=("identity",),
    ),
    Category(
        name="network",
        title="Network",
        words=_words(
            "packet loss, ping, link down, interface down, bgp, dns, vpn, firewall, unreachable, no route, "
            "connection refused, network"
        ),
        layers=("network",),
    ),
    Category(
        name="database",
        title="Databases",
        words=_words("database, deadlock, replication, replica, slow query, tablespace, sql"),
        layers=("database",),
    ),
    Category(
        name="storage",
        title="Storage and backups",
        words=_words("filesystem, file system, volume, nfs, iops, snapshot, backup"),
        layers=("storage",),
    ),
    Category(
        name="configuration",
        title="Configuration and changes",
        words=_words("misconfigur, configuration, feature flag, rollback, deployment failed, config drift"),
    ),
    Category(
        name="third_party",
        title="Providers and vendors",
        words=_words("provider, vendor, third party, carrier"),
        hosting_models=(HostingModel.SAAS,),
    ),
    Category(
        name="software",
        title="Software bugs",
        words=_words("error, exception, crash, latency, 5xx, timeout, timed out, slow, stack trace, segfault"),
    ),
)

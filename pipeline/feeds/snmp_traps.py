"""What SNMP traps mean, whoever received them: which trap begins a condition, which ends it, and of which thing.

Owns the table of standard traps and the options that extend it. A trap that no row names begins a condition that
ends by silence. Traps carry no severity, and are datagrams: the one that ends a condition may be lost.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final, NamedTuple

from pydantic import Field

from pipeline.core.identity import content_hash
from pipeline.models.alert import Alert, Kind, Severity
from pipeline.models.catalog import Frozen
from pipeline.models.feed import RawMessage

# Nobody says that it is over, so an hour of silence does: what stays broken is usually told again by then.
SILENCE_SECONDS_DEFAULT: Final = 3_600
# The standard has a UPS send its trap every minute while it runs on battery: five missing ones are the end.
ON_BATTERY_SILENCE_SECONDS: Final = 300

TRAP_OID: Final = "1.3.6.1.6.3.1.1.4.1.0"
"""The varbind that says which trap it is."""

TRAP_ADDRESS: Final = "1.3.6.1.6.3.18.1.3.0"
"""The varbind in which a proxy names the device (RFC 3584)."""

OID: Final = re.compile(r"\.?\d+(?:\.\d+)+")
"""An OID in numbers."""

Oid = Annotated[str, Field(pattern=rf"^{OID.pattern}$")]


class Trap(Frozen):
    """One row of the table.

    Attributes:
        name: of the condition.
        begins: OID of the trap that begins it.
        ends: OIDs of the traps that end it; without any, silence does.
        index: names or OIDs of varbinds whose instance says which thing of the device it is.
        by_value: their value says it instead of their instance.
        severity: what it counts as.
        ttl_seconds: silence that ends it; only where no trap does.
    """

    name: str
    begins: Oid
    ends: tuple[Oid, ...] = ()
    index: tuple[str, ...] = ()
    by_value: bool = False
    severity: Severity = Severity.UNKNOWN
    ttl_seconds: int | None = Field(default=None, gt=0)


class Options(Frozen):
    """What a feed may set.

    Attributes:
        traps: rows that are added to the table of standard traps, or stand before one of the same OID.
        ttl_seconds: silence that ends a condition which no trap ends.
    """

    traps: tuple[Trap, ...] = ()
    ttl_seconds: int = Field(default=SILENCE_SECONDS_DEFAULT, gt=0)


_INTERFACE: Final = ("ifIndex", "ifAdminStatus", "ifOperStatus", "ifDescr", "ifName")
_PEER: Final = ("bgpPeerRemoteAddr", "bgpPeerLastError", "bgpPeerState")
_GENERIC: Final = "1.3.6.1.6.3.1.1.5"
_BGP: Final = "1.3.6.1.2.1.15"
_UPS: Final = "1.3.6.1.2.1.33.2"
_APC: Final = "1.3.6.1.4.1.318.0"

STANDARD_TRAPS: Final = (
    Trap(name="coldStart", begins=f"{_GENERIC}.1", severity=Severity.WARNING),
    Trap(name="warmStart", begins=f"{_GENERIC}.2", severity=Severity.WARNING),
    Trap(
        name="linkDown", begins=f"{_GENERIC}.3", ends=(f"{_GENERIC}.4",), index=_INTERFACE, severity=Severity.ERROR
    ),
    Trap(name="authenticationFailure", begins=f"{_GENERIC}.5", severity=Severity.WARNING),
    Trap(name="egpNeighborLoss", begins=f"{_GENERIC}.6", severity=Severity.ERROR),
    # RFC 4273, and as RFC 1657 had it; what one agent begins in one form, it ends in the same.
    Trap(
        name="bgpBackwardTransition", begins=f"{_BGP}.0.2", ends=(f"{_BGP}.0.1",), index=_PEER, severity=Severity.ERROR
    ),
    Trap(
        name="bgpBackwardTransition", begins=f"{_BGP}.7.2", ends=(f"{_BGP}.7.1",), index=_PEER, severity=Severity.ERROR
    ),
    Trap(
        name="upsTrapOnBattery", begins=f"{_UPS}.1", severity=Severity.ERROR, ttl_seconds=ON_BATTERY_SILENCE_SECONDS
    ),
    Trap(
        name="upsAlarm", begins=f"{_UPS}.3", ends=(f"{_UPS}.4",), index=("upsAlarmDescr",), by_value=True,
        severity=Severity.ERROR,
    ),
    Trap(name="upsOnBattery", begins=f"{_APC}.5", ends=(f"{_APC}.9",), severity=Severity.ERROR),
    Trap(name="upsLowBattery", begins=f"{_APC}.7", ends=(f"{_APC}.11",), severity=Severity.CRITICAL),
    Trap(name="upsCommunicationLost", begins=f"{_APC}.1", ends=(f"{_APC}.8",), severity=Severity.ERROR),
    Trap(name="newRoot", begins="1.3.6.1.2.1.17.0.1", severity=Severity.WARNING),
    Trap(name="topologyChange", begins="1.3.6.1.2.1.17.0.2", severity=Severity.INFO),
)  # fmt: skip

_TRAP_NAMES: Final[Mapping[str, str]] = {
    **{row.begins: row.name for row in STANDARD_TRAPS},
    f"{_GENERIC}.4": "linkUp",
    f"{_BGP}.0.1": "bgpEstablished",
    f"{_BGP}.7.1": "bgpEstablished",
    f"{_UPS}.3": "upsTrapAlarmEntryAdded",
    f"{_UPS}.4": "upsTrapAlarmEntryRemoved",
    f"{_APC}.1": "communicationLost",
    f"{_APC}.7": "lowBattery",
    f"{_APC}.8": "communicationEstablished",
    f"{_APC}.9": "powerRestored",
    f"{_APC}.11": "returnFromLowBattery",
}
"""What a trap is called where the receiver does not say."""

_COLUMNS: Final[Mapping[str, str]] = {
    "1.3.6.1.2.1.2.2.1.1": "ifIndex",
    "1.3.6.1.2.1.2.2.1.2": "ifDescr",
    "1.3.6.1.2.1.2.2.1.7": "ifAdminStatus",
    "1.3.6.1.2.1.2.2.1.8": "ifOperStatus",
    "1.3.6.1.2.1.31.1.1.1.1": "ifName",
    "1.3.6.1.2.1.31.1.1.1.18": "ifAlias",
    f"{_BGP}.3.1.2": "bgpPeerState",
    f"{_BGP}.3.1.7": "bgpPeerRemoteAddr",
    f"{_BGP}.3.1.14": "bgpPeerLastError",
    "1.3.6.1.2.1.33.1.6.2.1.1": "upsAlarmId",
    "1.3.6.1.2.1.33.1.6.2.1.2": "upsAlarmDescr",
}
_NAMES_OF_THINGS: Final = ("ifAlias", "ifName", "ifDescr", "bgpPeerRemoteAddr", "upsAlarmDescr")
_SWITCHED_OFF: Final = frozenset({("ifAdminStatus", word) for word in ("2", "down", "down(2)")})
_SELF_NAMING: Final = frozenset({"ifIndex", "bgpPeerRemoteAddr"})
"""Columns whose value is the instance; some agents leave the instance away."""

# Never labels: the community is a password, the others say what other fields say, or change with every trap.
_NO_LABELS: Final = frozenset({
    "sysUpTimeInstance", "sysUpTime", "1.3.6.1.2.1.1.3", "snmpTrapOID", "1.3.6.1.6.3.1.1.4.1",
    "snmpTrapEnterprise", "1.3.6.1.6.3.1.1.4.3", "snmpTrapAddress", "1.3.6.1.6.3.18.1.3",
    "snmpTrapCommunity", "1.3.6.1.6.3.18.1.4",
})  # fmt: skip


class Varbind(NamedTuple):
    """One variable of a trap.

    Attributes:
        name: of the column, or its OID where nobody translated it.
        instance: what follows the column: ``14`` of ``ifIndex.14``.
    """

    name: str
    instance: str
    value: str


class Received(NamedTuple):
    """A trap, as a receiver tells it.

    Attributes:
        oid: of the trap, without a leading dot.
        name: of the trap, where the receiver knows it.
        device: address or name of the device.
        labels: what else the receiver says.
    """

    oid: str
    name: str | None
    device: str
    at_ms: int | None
    varbinds: tuple[Varbind, ...]
    labels: Mapping[str, str]


def varbind(key: str, value: str) -> Varbind:
    """A variable from the receiver's key: ``ifIndex.14``, ``IF-MIB::ifIndex.14`` or ``1.3.6.1.2.1.2.2.1.1.14``."""
    key = key.removeprefix(".")
    if key[:1].isdigit():
        for column, name in _COLUMNS.items():
            if key.startswith(f"{column}."):
                return Varbind(name, key[len(column) + 1 :], value)
        column, _, instance = key.rpartition(".")
        return Varbind(column, instance, value)
    name, _, instance = key.rpartition("::")[2].partition(".")
    return Varbind(name, instance, value)


def trap_alert(received: Received, message: RawMessage) -> Alert:
    """The alert of a trap."""
    options: Options = message.options
    row, over = _row(received.oid, options)
    trap_name = received.name or _TRAP_NAMES.get(received.oid) or received.oid
    name = trap_name if row is None else row.name
    index = "" if row is None else _index(row, received.varbinds)
    severity, why = _severity(row, name, received.varbinds)
    thing = _thing(received.varbinds, index)
    return Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=Kind.RESOLVED if over else Kind.FIRING,
        alert_key=content_hash(message.feed, received.device, received.oid if row is None else row.begins, index),
        name=name,
        summary=f"{trap_name}: {thing}" if thing else trap_name,
        severity=severity,
        severity_default_reason=why,
        event_at_ms=None if over else received.at_ms,
        ended_at_ms=received.at_ms if over else None,
        labels={
            "host": received.device,
            "trap": trap_name,
            "oid": received.oid,
            **received.labels,
            **_labels(received.varbinds),
        },
        ttl_seconds=None if over else _ttl_seconds(row, options),
    )


def _row(oid: str, options: Options) -> tuple[Trap | None, bool]:
    """The row that names a trap, and whether the trap ends the condition; the feed's own rows go first."""
    for row in (*options.traps, *STANDARD_TRAPS):
        if oid == row.begins.removeprefix("."):
            return row, False
        if oid in [end.removeprefix(".") for end in row.ends]:
            return row, True
    return None, False


def _index(row: Trap, varbinds: tuple[Varbind, ...]) -> str:
    """Which interface, peer or alarm of the device: from the first varbind of the row that is there."""
    for column in row.index:
        wanted = _COLUMNS.get(column.removeprefix("."), column.removeprefix("."))
        for each in varbinds:
            if each.name != wanted:
                continue
            if row.by_value or (wanted in _SELF_NAMING and each.instance in ("", "0")):
                return each.value
            if each.instance:
                return each.instance
    return ""


def _severity(row: Trap | None, name: str, varbinds: tuple[Varbind, ...]) -> tuple[Severity, str]:
    if row is None or row.severity == Severity.UNKNOWN:
        return Severity.UNKNOWN, "a trap carries no severity"
    if name == "linkDown" and any((each.name, each.value) in _SWITCHED_OFF for each in varbinds):
        return Severity.INFO, "linkDown of an interface that somebody switched off counts as info"
    return row.severity, f"a trap carries no severity: {name} counts as {row.severity}"


def _thing(varbinds: tuple[Varbind, ...], index: str) -> str:
    """What it is about, as a person would call it."""
    values = {each.name: each.value for each in varbinds}
    for name in _NAMES_OF_THINGS:
        if values.get(name):
            return values[name]
    if not index:
        return ""
    return f"interface {index}" if not values.keys().isdisjoint(_INTERFACE) else index


def _labels(varbinds: tuple[Varbind, ...]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for each in varbinds:
        if each.name not in _NO_LABELS:
            # A trap about several interfaces has several of each.
            labels[f"{each.name}.{each.instance}" if each.name in labels else each.name] = each.value
    return labels


def _ttl_seconds(row: Trap | None, options: Options) -> int | None:
    if row is None:
        return options.ttl_seconds
    if row.ends:
        return None
    return row.ttl_seconds or options.ttl_seconds

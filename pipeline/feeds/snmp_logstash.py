"""SNMP traps that Logstash received (input ``snmptrap`` 4): variables are fields named by OID.

``message`` holds the packet as JSON with the community, which is a password: it is read for what version 1 traps
say of themselves, and never kept.
"""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from pipeline.feeds import snmp_traps
from pipeline.feeds.fields import Fields, missing
from pipeline.feeds.snmp_traps import OID, TRAP_ADDRESS, TRAP_OID, Received, trap_alert, varbind
from pipeline.models.alert import Alert, FeedClass
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.ON_PREM

_VARIABLE: Final = re.compile(r"\.?\d+(?:\.\d+)+|(?:[A-Za-z0-9-]+::)[A-Za-z][\w-]*(?:\.\d+)*")
_NO_ADDRESS: Final = "0.0.0.0"  # noqa: S104 - what a version 1 trap writes that knows no address; nobody listens there
_GENERIC_TRAPS: Final = "1.3.6.1.6.3.1.1.5"
_ENTERPRISE_SPECIFIC: Final = 6


class Options(snmp_traps.Options):
    """What a feed may set, beside the table of traps.

    Attributes:
        target: the field below which the input puts the variables, if its setting ``target`` does.
    """

    target: str | None = None


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one event."""
    top = Fields.of(document)
    options: Options = message.options
    fields = top if options.target is None else top.section(options.target.strip("[]"))
    packet = _packet(top)
    variables = {name.removeprefix("."): text for name, text in fields.scalars().items() if _VARIABLE.fullmatch(name)}
    received = Received(
        oid=_trap_oid(variables, packet, fields),
        name=None,
        device=_device(top, variables, packet),
        at_ms=top.time_or_none("@timestamp"),
        varbinds=tuple(varbind(key, value) for key, value in variables.items()),
        labels={},
    )
    return [trap_alert(received, message)]


def _packet(top: Fields) -> dict[str, Any]:
    """The packet that ``message`` describes; empty where it is text for people."""
    text = top.values.get("message")
    if not isinstance(text, str):
        return {}
    try:
        packet = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return packet if isinstance(packet, dict) else {}


def _trap_oid(variables: dict[str, str], packet: dict[str, Any], fields: Fields) -> str:
    """Which trap it is; of version 1 traps by their three numbers, as RFC 3584 translates them."""
    for name in (TRAP_OID, "SNMPv2-MIB::snmpTrapOID.0"):
        if oid := variables.get(name):
            if not OID.fullmatch(oid):
                detail = f"{fields.at(name)}: expected numbers; set oid_mapping_format to dotted_string"
                raise BadRecord(Reason.WRONG_TYPE, detail)
            return oid.removeprefix(".")
    generic, specific, enterprise = (packet.get(name) for name in ("generic_trap", "specific_trap", "enterprise"))
    if isinstance(generic, int) and 0 <= generic < _ENTERPRISE_SPECIFIC:
        return f"{_GENERIC_TRAPS}.{generic + 1}"
    if isinstance(enterprise, str) and enterprise and isinstance(specific, int):
        return f"{enterprise.removeprefix('.')}.0.{specific}"
    raise missing(fields.at(TRAP_OID))


def _device(top: Fields, variables: dict[str, str], packet: dict[str, Any]) -> str:
    """The device that has something to say, which is not the sender where a proxy forwards traps."""
    for address in (variables.get(TRAP_ADDRESS), packet.get("agent_addr")):
        if isinstance(address, str) and address not in ("", _NO_ADDRESS):
            return address
    if isinstance(top.values.get("host"), str):  # without ECS
        return top.text("host")
    return top.section("host").text("ip")

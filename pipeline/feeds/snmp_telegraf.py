"""SNMP traps that Telegraf received (input ``snmp_trap``) and wrote as JSON, one metric or a batch of them.

The tag ``host`` is the machine of Telegraf; the device is ``source``, or what a proxy or a version 1 trap names.
The tag ``community`` is a password and stays behind.
"""

from __future__ import annotations

from typing import Final

from pipeline.feeds.fields import Fields, each_member
from pipeline.feeds.snmp_traps import OID, TRAP_ADDRESS, Options, Received, trap_alert, varbind
from pipeline.models.alert import Alert, FeedClass
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.ON_PREM

__all__ = ["FEED_CLASS", "Options", "parse"]

_METRIC: Final = "snmp_trap"
_NO_ADDRESS: Final = "0.0.0.0"  # noqa: S104 - what a version 1 trap writes that knows no address; nobody listens there


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read a metric, or the metrics of a batch."""
    top = Fields.of(document)
    if top.has("metrics"):
        return each_member(top, "metrics", lambda metric: _trap(metric, message))
    return [_trap(top, message)]


def _trap(metric: Fields, message: RawMessage) -> Alert:
    if metric.text("name") != _METRIC:
        raise BadRecord(Reason.UNKNOWN_SHAPE, f"{metric.at('name')}: not {_METRIC}; other metrics are no traps")
    tags = metric.section("tags")
    oid = tags.text("oid")
    if not OID.fullmatch(oid):
        raise BadRecord(Reason.WRONG_TYPE, f"{tags.at('oid')}: expected an OID in numbers")
    binds = tuple(varbind(key, value) for key, value in metric.section_or_empty("fields").scalars().items())
    known = {"mib": tags.text_or_none("mib"), "collector": tags.text_or_none("host")}
    received = Received(
        oid=oid.removeprefix("."),
        name=tags.text_or_none("name"),
        device=_device(tags, metric.section_or_empty("fields")),
        at_ms=metric.epoch_or_none("timestamp", per_second=1),
        varbinds=binds,
        labels={label: text for label, text in known.items() if text},
    )
    return trap_alert(received, message)


def _device(tags: Fields, fields: Fields) -> str:
    """The device that has something to say, which is not the sender where a proxy forwards traps."""
    for holder, name in ((fields, "snmpTrapAddress.0"), (fields, f".{TRAP_ADDRESS}"), (tags, "agent_address")):
        address = holder.text_or_none(name)
        if address is not None and address != _NO_ADDRESS:
            return address
    return tags.text("source")

"""Syslog lines: RFC 5424, and RFC 3164 where a line can mean one thing only.

Knows the wire form and nothing of conditions. A line of RFC 3164 names no year, so its time says no moment; senders
that write a year or a whole ISO 8601 time have one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from pipeline.feeds.fields import missing
from pipeline.feeds.local_times import local_ms
from pipeline.models.decision import BadRecord, Reason

SEVERITY_WORDS: Final = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
"""Severities of syslog in their order; PRI modulo 8."""

FACILITY_WORDS: Final = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "ntp", "security", "console", "solaris-cron", "local0", "local1", "local2", "local3", "local4", "local5",
    "local6", "local7",
)  # fmt: skip

_PRI_MAX: Final = 191
_COUNTED: Final = re.compile(rb"([1-9]\d{0,6}) (?=<)")
_PRI: Final = re.compile(r"<(\d{1,3})>")
_HEADER: Final = re.compile(r"(\d{1,3}) (\S+) (\S+) (\S+) (\S+) (\S+) ")
_ELEMENT: Final = re.compile(r'\[([^\s=\]"]+)((?:\s+[^\s=\]"]+="(?:[^"\\]|\\.)*")*)\s*\]', re.DOTALL)
_PARAM: Final = re.compile(r'([^\s=\]"]+)="((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED: Final = re.compile(r'\\(["\\\]])')
# A tag ends in a colon. Cisco's firewalls write " : " before theirs, which begins with a percent sign.
_BSD: Final = re.compile(
    r"(?:(?P<month>[A-Z][a-z]{2}) +(?P<day>\d{1,2})(?: (?P<year>\d{4}))? (?P<time>\d\d:\d\d:\d\d(?:\.\d+)?)"
    r"|(?P<iso>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?))"
    r"(?: (?P<host>[A-Za-z0-9](?:[\w.:-]*[\w-])?))? (?:: )?"
    r"(?P<app>%?[A-Za-z_][\w./-]*)(?:\[(?P<procid>[\w.-]+)\])?:(?: |$)(?P<text>.*)",
    re.DOTALL,
)
_MONTHS: Final = {
    name: f"{number:02}"
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}


@dataclass(frozen=True, slots=True)
class Line:
    """One message of syslog, however it was written. What the line does not say is None.

    Attributes:
        severity: 0 is the worst, 7 the least.
        facility: a word of `FACILITY_WORDS`.
        elements: structured data: parameters by the id of their element.
    """

    severity: int
    text: str
    facility: str | None = None
    time_ms: int | None = None
    host: str | None = None
    app: str | None = None
    procid: str | None = None
    msgid: str | None = None
    elements: dict[str, dict[str, str]] = field(default_factory=dict)


def frame(value: bytes) -> str:
    """The line in a record: without octet count (RFC 6587), line end and byte order mark at the front.

    Raises:
        BadRecord: the octet count is not that of the rest.
    """
    if (counted := _COUNTED.match(value)) is not None:
        value = value[counted.end() :]
        if len(value.rstrip(b"\r\n\0")) > int(counted[1]) or len(value) < int(counted[1]):
            raise BadRecord(Reason.UNKNOWN_SHAPE, "$: the octet count is not that of the line; one line a record")
    return value.decode(errors="replace").removeprefix("\ufeff").rstrip("\r\n\0")


def read_line(text: str, zone: str | None) -> Line:
    """Read a line.

    Args:
        text: the line.
        zone: of times without one; None: they say no moment.

    Raises:
        BadRecord: it is neither RFC 5424 nor RFC 3164 with an unmistakable tag.
    """
    pri = _PRI.match(text)
    if pri is None:
        raise BadRecord(Reason.UNKNOWN_SHAPE, "$: no priority in angle brackets at the begin; is this syslog?")
    if int(pri[1]) > _PRI_MAX:
        raise BadRecord(Reason.UNKNOWN_SHAPE, f"$: a priority above {_PRI_MAX}")
    facility, severity = divmod(int(pri[1]), len(SEVERITY_WORDS))
    rest = text[pri.end() :]
    header = _HEADER.match(f"{rest} ")
    if header is not None and header[1] == "1":
        return _structured(severity, FACILITY_WORDS[facility], header, f"{rest} ", zone)
    return _bsd(severity, FACILITY_WORDS[facility], rest, zone)


def _structured(severity: int, facility: str, header: re.Match[str], text: str, zone: str | None) -> Line:
    """RFC 5424. ``text`` ends with one blank more than the line, so that data without a message ends like others."""
    at = header.end()
    elements: dict[str, dict[str, str]] = {}
    if text.startswith("-", at):
        at += 1
    else:
        while (element := _ELEMENT.match(text, at)) is not None:
            params = elements.setdefault(element[1], {})
            for name, value in _PARAM.findall(element[2]):
                params.setdefault(name, _ESCAPED.sub(r"\1", value))
            at = element.end()
        if not elements:
            raise missing("$[structured data]")
    if not text.startswith(" ", at):
        raise BadRecord(Reason.UNKNOWN_SHAPE, "$: structured data does not end in a blank")
    said = [None if word == "-" else word for word in header.groups()]
    return Line(
        severity=severity,
        facility=facility,
        time_ms=None if said[1] is None else _time_ms(said[1], zone),
        host=said[2],
        app=said[3],
        procid=said[4],
        msgid=said[5],
        elements=elements,
        text=text[at + 1 : -1].removeprefix("\ufeff"),
    )


def _bsd(severity: int, facility: str, rest: str, zone: str | None) -> Line:
    """RFC 3164. Without ``tag:`` nobody can tell a host from the first word of the text, so such a line is refused."""
    found = _BSD.fullmatch(rest)
    if found is None:
        raise BadRecord(
            Reason.UNKNOWN_SHAPE,
            "$: neither RFC 5424 nor RFC 3164 with a time and a tag; let the relay write RFC 5424",
        )
    return Line(
        severity=severity,
        facility=facility,
        time_ms=_bsd_time_ms(found, zone),
        host=found["host"],
        app=found["app"],
        procid=found["procid"],
        text=found["text"],
    )


def _bsd_time_ms(found: re.Match[str], zone: str | None) -> int | None:
    if found["iso"]:
        return _time_ms(found["iso"], zone)
    if found["year"] is None or found["month"] not in _MONTHS:
        return None
    return _time_ms(f"{found['year']}-{_MONTHS[found['month']]}-{int(found['day']):02}T{found['time']}", zone)


def _time_ms(text: str, zone: str | None) -> int | None:
    try:
        return local_ms(text, zone)
    except ValueError as error:
        raise BadRecord(Reason.WRONG_TYPE, "$[timestamp]: expected RFC 3339") from error

"""What a syslog line means, whoever parsed it: the condition, whether it began or ended, or that it is no alert.

Syslog has no states. In this order a line says that something ended or began: a state in its structured data, a
word of state in its message id, a phrase of a pair in its text. Every other line that is bad enough begins a
condition that ends by silence.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from pydantic import Field

from pipeline.core.identity import content_hash
from pipeline.feeds.fields import first_line
from pipeline.feeds.local_times import ZoneName
from pipeline.feeds.log_text import DOWN_WORDS, PAIRS, UP_WORDS, Pair, Phrases, spoken, state_word, template
from pipeline.feeds.syslog_line import SEVERITY_WORDS, Line
from pipeline.models.alert import Alert, Kind, Severity
from pipeline.models.catalog import Frozen
from pipeline.models.feed import RawMessage

# Nobody says that it is over, so an hour of silence does: hourly jobs fail again within it.
SILENCE_SECONDS_DEFAULT: Final = 3_600
# Phrases of one configuration; a process has one or two.
_CONFIGURATIONS_REMEMBERED: Final = 16

_SEVERITIES: Final = (
    Severity.CRITICAL, Severity.CRITICAL, Severity.CRITICAL, Severity.ERROR, Severity.WARNING,
    Severity.INFO, Severity.INFO, Severity.INFO,
)  # fmt: skip
# Elements that RFC 5424 itself defines tell about the sender and its clock, not about what happened.
_STANDARD_ELEMENTS: Final = frozenset({"origin", "timeQuality", "meta"})
_OWN_LABELS: Final = frozenset({"host", "app", "procid", "msgid", "facility"})

SyslogSeverity = Literal["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]


class Options(Frozen):
    """What a feed may set.

    Attributes:
        severity_at_least: lines that are less severe are control messages, unless they end something.
        zone: of times without one; None: such times say no moment.
        state_params: parameters of structured data that hold a state: ``up``, ``down``, ``ok``, ``failed``...
        identity_params: parameters that tell conditions of one message id apart, as ``ha@32473.peer`` or ``peer``.
            None: for lines with a state all parameters of private elements but the state, for others none.
        pairs: phrases that begin and end a condition, before those that are built in.
        ttl_seconds: silence that ends what no line ends.
    """

    severity_at_least: SyslogSeverity = "err"
    zone: ZoneName | None = None
    state_params: tuple[str, ...] = ("state", "status")
    identity_params: tuple[str, ...] | None = None
    pairs: tuple[Pair, ...] = ()
    ttl_seconds: int = Field(default=SILENCE_SECONDS_DEFAULT, gt=0)


class _Said(NamedTuple):
    """What a line says of a condition.

    Attributes:
        over: it ended.
        paired: another line will end it, so silence does not.
        condition: what begin and end have in common, beside host and program.
        name: of the condition, where the line has no message id.
    """

    over: bool
    paired: bool
    condition: tuple[str, ...]
    name: str = ""


def line_alert(line: Line, message: RawMessage) -> Alert:
    """The alert of a line."""
    options: Options = message.options
    line = _named(line)
    severe = line.severity <= SEVERITY_WORDS.index(options.severity_at_least)
    said = _said(line, options, severe=severe)
    native = SEVERITY_WORDS[line.severity]
    alert = Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=Kind.FIRING,
        alert_key=content_hash(message.feed, line.host or "", line.app or "", *said.condition),
        name=line.msgid or said.name or line.app or "line",
        summary=first_line(line.text) or line.msgid or line.app or "a line without text",
        description=line.text.strip() if "\n" in line.text.strip() else "",
        severity=_SEVERITIES[line.severity],
        severity_native=native,
        labels=_labels(line),
    )
    if said.over:
        alert.kind, alert.ended_at_ms = Kind.RESOLVED, line.time_ms
        return alert
    alert.event_at_ms = line.time_ms
    if not severe:
        alert.kind = Kind.CONTROL
        alert.summary = f"{native} is below {options.severity_at_least}, from which on lines are alerts"
    elif not said.paired:
        alert.ttl_seconds = options.ttl_seconds
    return alert


def _named(line: Line) -> Line:
    """Cisco devices number their lines, and relays take the number for the program: the mnemonic is its name."""
    if line.app is not None and not line.app.isdigit():
        return line
    mnemonic, _ = spoken(line.text)
    return replace(line, app=mnemonic) if mnemonic else line


def _said(line: Line, options: Options, *, severe: bool) -> _Said:
    stem, well = state_word(line.msgid) if line.msgid else ("", None)
    if well and severe:  # BACK_UP is no recovery
        stem, well = line.msgid or "", None
    state = _state(line, options)
    turn = _phrases(options.pairs).turn_of(line.text) if state is None and well is None else None
    if (state, well, turn) == (None, None, None) and not severe:  # nothing that anybody has to tell apart
        return _Said(False, False, ("below",))
    params = _identity_params(line, options, stateful=(state, well, turn) != (None, None, None))
    if turn is not None:
        return _Said(turn.over, True, ("phrase", turn.subject, *params), template(line.text))
    over = bool(well if state is None else state)
    if line.msgid:
        return _Said(over, state is not None, ("msgid", stem, *params))
    text = template(line.text)
    if state is not None and params:  # the state stands in the data, and the text words it differently
        return _Said(over, True, ("params", *params), text)
    return _Said(over, state is not None, ("text", text, *params), text)


def _state(line: Line, options: Options) -> bool | None:
    """Whether the structured data says that something is well, or not; None where it says neither."""
    for params in line.elements.values():
        for name in options.state_params:
            word = params.get(name, "").strip().lower()
            if word in UP_WORDS or word in DOWN_WORDS:
                return word in UP_WORDS
    return None


def _identity_params(line: Line, options: Options, *, stateful: bool) -> list[str]:
    chosen = options.identity_params
    if chosen is None and not stateful:
        return []
    found = []
    for element, params in sorted(line.elements.items()):
        for name, value in sorted(params.items()):
            if chosen is None:
                wanted = element not in _STANDARD_ELEMENTS and name not in options.state_params
            else:
                wanted = name in chosen or f"{element}.{name}" in chosen
            if wanted:
                found.append(f"{element}.{name}={value}")
    return found


def _labels(line: Line) -> dict[str, str]:
    known = {
        "host": line.host, "app": line.app, "procid": line.procid, "msgid": line.msgid, "facility": line.facility
    }  # fmt: skip
    labels = {label: value for label, value in known.items() if value}
    for element, params in line.elements.items():
        for name, value in params.items():
            if value:  # a parameter never hides what the header says, nor one of another element
                labels[f"{element}.{name}" if name in labels or name in _OWN_LABELS else name] = value
    return labels


@lru_cache(_CONFIGURATIONS_REMEMBERED)
def _phrases(pairs: tuple[Pair, ...]) -> Phrases:
    return Phrases((*pairs, *PAIRS))

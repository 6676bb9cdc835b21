"""Reads what goes into the records store beside incidents and problems, and refuses what is not of its topic.

Suppressions, episodes, what became of deliveries, and the ledger of what is open elsewhere.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final, NamedTuple

from pipeline.core.outward.incident_event import ID_CHARACTERS_MAX, need, read_object, read_time_ms
from pipeline.core.step import Record
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.delivery import DELIVERY_SCHEMA, DIRECTION_IN
from pipeline.models.episode import ANNOUNCED, READ_SCHEMAS, EpisodeChange
from pipeline.models.ledger import LEDGER_SCHEMA
from pipeline.models.suppression import SUPPRESSION_SCHEMA, Ended, Suppression, What

COUNT_MAX: Final = (1 << 63) - 1
"""What a column of whole numbers holds."""

ATTEMPTS_MAX: Final = (1 << 31) - 1
"""What a column of smaller whole numbers holds."""

PAGES_MAX: Final = 1_000
"""People whom one incident calls at once: far more than any path names."""

DIRECTION_OUT: Final = "out"

_CHANGES: Final = frozenset(EpisodeChange)


class EpisodeTold(NamedTuple):
    """One change of one episode; fields as those of `pipeline.models.episode.EpisodeEvent`.

    Attributes:
        alert: the whole alert behind it, or only what is news; see `is_whole`.
    """

    episode_id: str
    alert_key: str
    space: str
    change: str
    reason: str
    at_ms: int
    repeats: int
    alert: dict[str, Any]

    @property
    def is_whole(self) -> bool:
        """Whether the alert says what the episode is about; one that ends an episode does not say it again."""
        return bool(self.alert.get("name") or self.alert.get("summary"))


class DeliveryTold(NamedTuple):
    """What became of one attempt to tell a sink, or of one update from there.

    Attributes:
        partition, offset: of the record; what tells two that say the same apart.
        direction: ``out`` or ``in``.
        outcome: a `DeliveryOutcome`, or of what came in an `UpdateReason`.
        revision, attempt: of what was sent; None of what came in.
        body: the record as it was told.
    """

    partition: int
    offset: int
    incident_id: str
    sink: str
    direction: str
    outcome: str
    revision: int | None
    attempt: int | None
    at_ms: int
    body: dict[str, Any]


class LedgerTold(NamedTuple):
    """How an incident stands in one downstream now.

    Attributes:
        entry: the line of the ledger; None: there is nothing any more.
        at_ms: timestamp of the record.
    """

    sink: str
    incident_id: str
    entry: dict[str, Any] | None
    at_ms: int


def read_episode(record: Record) -> EpisodeTold | None:
    """The change that a record of ``episodes`` holds; None where it announces maintenance, which is no episode's.

    Raises:
        BadRecord: it is not an episode event of a schema that this release reads.
    """
    document = read_object(record, *READ_SCHEMAS)
    change = _word(document, "change")
    if change in ANNOUNCED:
        return None
    if change not in _CHANGES:
        raise BadRecord(Reason.WRONG_TYPE, "change: not a word that this release knows")
    repeats: int = need(document, "repeats", int)
    if not 0 <= repeats < COUNT_MAX:
        raise BadRecord(Reason.WRONG_TYPE, "repeats: not a count")
    return EpisodeTold(
        episode_id=_word(document, "episode_id"),
        alert_key=need(document, "alert_key", str),
        space=need(document, "space", str),
        change=change,
        reason=_word(document, "reason"),
        at_ms=read_time_ms(document, "at_ms"),
        repeats=repeats,
        alert=need(document, "alert", dict),
    )


def read_delivery(record: Record) -> DeliveryTold:
    """What a record of ``deliveries`` tells.

    Raises:
        BadRecord: it is neither the outcome of an attempt nor about an update.
    """
    document = read_object(record, DELIVERY_SCHEMA)
    comes_in = document.get("direction") == DIRECTION_IN
    revision = attempt = None
    if not comes_in:
        revision, attempt = need(document, "revision", int), need(document, "attempt", int)
        if not (0 <= revision <= COUNT_MAX and 0 <= attempt <= ATTEMPTS_MAX):
            raise BadRecord(Reason.WRONG_TYPE, "revision, attempt: not counts")
    return DeliveryTold(
        partition=record.partition,
        offset=record.offset,
        incident_id=_word(document, "incident_id"),
        sink=_word(document, "sink"),
        direction=DIRECTION_IN if comes_in else DIRECTION_OUT,
        outcome=_word(document, "outcome"),
        revision=revision,
        attempt=attempt,
        at_ms=read_time_ms(document, "at_ms"),
        body=document,
    )


def read_ledger(record: Record) -> LedgerTold:
    """The line that a record of ``deliveries.state`` holds, or that there is none any more.

    Raises:
        BadRecord: it is not a line of the ledger.
    """
    if record.value is None:
        sink, _, incident_id = (record.key or b"").decode(errors="replace").partition("/")
        if not (sink and 0 < len(incident_id) <= ID_CHARACTERS_MAX and len(sink) <= ID_CHARACTERS_MAX):
            raise BadRecord(Reason.EMPTY, f"{record.topic}: no value, and a key that names no sink and incident")
        return LedgerTold(sink, incident_id, None, record.timestamp)
    document = read_object(record, LEDGER_SCHEMA)
    need(document, "orphan", bool)
    return LedgerTold(_word(document, "sink"), _word(document, "incident_id"), document, record.timestamp)


def read_suppression(record: Record) -> Suppression:
    """The suppression that a record of ``suppressions`` holds.

    Raises:
        BadRecord: it is not a suppression of this schema.
    """
    document = read_object(record, SUPPRESSION_SCHEMA)
    for name in ("what", "ended", "episode_id", "alert_key", "space", "feed", "summary", "severity"):
        need(document, name, str)
    if document["what"] not in set(What) or document["ended"] not in set(Ended):
        raise BadRecord(Reason.WRONG_TYPE, "what, ended: not words that this release knows")
    _word(document, "episode_id")
    for name in ("since_ms", "until_ms"):
        read_time_ms(document, name)
    for name in ("alerts", "runs"):
        if not 0 <= need(document, name, int) <= COUNT_MAX:
            raise BadRecord(Reason.WRONG_TYPE, f"{name}: not a count")
    for name in ("entity", "service", "domain", "incident_id", "let_in_by", "priority"):
        need(document, name, str, type(None))
    need(document, "decided_by", dict)
    pages = need(document, "pages", list)
    if len(pages) > PAGES_MAX or not all(isinstance(page, dict) for page in pages):
        raise BadRecord(Reason.WRONG_TYPE, f"pages: expected objects, {PAGES_MAX} at most")
    return Suppression(**{each.name: document[each.name] for each in fields(Suppression)})


def _word(document: dict[str, Any], name: str) -> str:
    """A name or an id, which an index takes."""
    found: str = need(document, name, str)
    if not 0 < len(found) <= ID_CHARACTERS_MAX:
        raise BadRecord(Reason.WRONG_TYPE, f"{name}: 1 to {ID_CHARACTERS_MAX} characters")
    return found

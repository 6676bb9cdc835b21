"""The reader: takes a message apart by a specification; each member becomes an alert, a control message, a refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipeline.core.expressions import Facts
from pipeline.core.identity import content_hash
from pipeline.feeds.declarative.choices import Question
from pipeline.feeds.declarative.paths import Member, Path
from pipeline.feeds.declarative.times import Time
from pipeline.feeds.declarative.values import Text, list_at, object_at
from pipeline.feeds.fields import MEMBERS_MAX, first_line, missing, put_link, scalar_text, wrong_type
from pipeline.feeds.severity import Graded
from pipeline.feeds.tickets import reporter_id
from pipeline.models.alert import Alert, Kind, Severity
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

# Of these nothing has ended, whatever the message holds.
_GOING_ON: Final = frozenset({Kind.FIRING, Kind.TICKET, Kind.HEARTBEAT, Kind.ACKNOWLEDGED, Kind.UNACKNOWLEDGED})


def nothing(*_: Any) -> Any:
    """A fact that the specification does not have; also stands for one whose problem refuses the adapter."""


@dataclass(frozen=True, slots=True)
class LabelReaders:
    """Where labels come from; attributes as of `pipeline.models.adapter.Labels`."""

    all_of: Sequence[Path] = ()
    pairs: Sequence[tuple[Path, str, str]] = ()
    named: Mapping[str, Text] | None = None
    without: frozenset[str] = frozenset()

    def read(self, member: Member) -> dict[str, str]:
        """The labels of a member, what is missing left out."""
        labels: dict[str, str] = {}
        for path in self.all_of:
            for name, value in object_at(path, member).items():
                text = scalar_text(value)
                if text is not None:
                    labels[name] = text
        for path, name_field, value_field in self.pairs:
            for index, pair in enumerate(list_at(path, member)):
                if not isinstance(pair, dict):
                    raise wrong_type(f"{path.at(member.where)}[{index}]", "object", pair)
                title, text = scalar_text(pair.get(name_field)), scalar_text(pair.get(value_field))
                if title is not None and text is not None:
                    labels[title] = text
        for name, reader in (self.named or {}).items():
            text = reader(member)
            if text is not None:
                labels[name] = text
        for name in self.without:
            labels.pop(name, None)
        return labels


@dataclass(frozen=True, slots=True, kw_only=True)
class FactReaders:
    """The readers of an alert's facts, for members of one kind; names as of `pipeline.models.adapter.AlertFields`."""

    identity: Sequence[Callable[[Member], str]]
    severity: Callable[[Member, dict[str, Facts]], Graded]
    episode_id: Text = nothing
    delivery_id: Text = nothing
    name: Text = nothing
    summary: Text = nothing
    description: Text = nothing
    event_at: Time = nothing
    ended_at: Time = nothing
    labels: LabelReaders = LabelReaders()
    links: Mapping[str, Text]
    ticket: Text = nothing
    reporter: Text = nothing
    users_affected: Callable[[Member], int | None] = nothing
    ttl_seconds: int | None = None

    def alert(self, member: Member, kind: Kind, known: dict[str, Facts]) -> Alert:
        """The alert of a member."""
        raw = member.raw
        graded = self.severity(member, known)
        name = self.name(member) or ""
        links: dict[str, str] = {}
        for title, reader in self.links.items():
            put_link(links, title, reader(member))
        return Alert(
            feed=raw.feed,
            feed_class=raw.feed_class,
            kind=kind,
            alert_key=content_hash(raw.feed, *[reader(member) for reader in self.identity]),
            source_episode_id=self.episode_id(member),
            delivery_id=self.delivery_id(member),
            name=name,
            summary=first_line(self.summary(member) or "") or name,
            description=self.description(member) or "",
            severity=graded.severity,
            severity_native=graded.native,
            severity_default_reason=graded.default_reason,
            event_at_ms=self.event_at(member),
            ended_at_ms=None if kind in _GOING_ON else self.ended_at(member),
            labels=self.labels.read(member),
            links=links,
            ticket=self.ticket(member),
            reporter=reporter_id(raw.feed, self.reporter(member)),
            users_affected=self.users_affected(member),
            ttl_seconds=self.ttl_seconds,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads messages; attributes as of `pipeline.models.adapter.AdapterSpec`.

    Attributes:
        facts: for every kind.
    """

    split: Path | None
    require: Sequence[tuple[Question, str]]
    skip: Sequence[tuple[Question, str]]
    kind: Callable[[Member, dict[str, Facts]], Kind]
    facts: Mapping[Kind, FactReaders]

    def parse(self, document: object, raw: RawMessage) -> list[Alert | BadRecord]:
        """Read a message; a bad member takes its place and the others go on.

        Raises:
            BadRecord: the message as a whole is refused.
        """
        whole = Member(document, document, raw, "$")
        known: dict[str, Facts] = {}
        skipped = self._decide(whole, known, of_message=True)
        if skipped is not None:
            return [skipped]
        if self.split is None:
            if not isinstance(document, dict):
                raise wrong_type("$", "object", document)
            return [self._read(whole, known)]
        results: list[Alert | BadRecord] = []
        place = self.split.at("$")
        for index, item in enumerate(self._members(whole, self.split)):
            known.pop("member", None)  # what was converted of the message stays
            where = f"{place}[{index}]"
            try:
                if not isinstance(item, dict):
                    raise wrong_type(where, "object", item)
                results.append(self._read(Member(item, document, raw, where), known))
            except BadRecord as bad:
                results.append(bad)
        return results

    def _members(self, whole: Member, split: Path) -> list[Any]:
        place = split.at("$")
        items = split.look(whole)
        if items is None or items == []:
            raise missing(place)
        if not isinstance(items, list):
            raise wrong_type(place, "array", items)
        if len(items) > MEMBERS_MAX:
            raise BadRecord(Reason.TOO_LARGE, f"{place}: {len(items)} members, at most {MEMBERS_MAX}")
        return items

    def _read(self, member: Member, known: dict[str, Facts]) -> Alert:
        skipped = self._decide(member, known, of_message=False)
        if skipped is not None:
            return skipped
        kind = self.kind(member, known)
        return self.facts[kind].alert(member, kind, known)

    def _decide(self, member: Member, known: dict[str, Facts], *, of_message: bool) -> Alert | None:
        """The control message that takes the place of what is no news; None where it is to be read.

        Raises:
            BadRecord: it is not what the specification requires.
        """
        for question, because in self.skip:
            if question.of_message is of_message and question.holds(member, known):
                return _control(member.raw, because)
        for question, otherwise in self.require:
            if question.of_message is of_message and not question.holds(member, known):
                raise BadRecord(Reason.UNKNOWN_SHAPE, f"{member.where}: {otherwise}")
        return None


def _control(raw: RawMessage, because: str) -> Alert:
    """What is no news, so that it is counted and does not vanish."""
    return Alert(
        feed=raw.feed,
        feed_class=raw.feed_class,
        kind=Kind.CONTROL,
        alert_key=content_hash(raw.feed, "control", because),
        name="skipped",
        summary=because,
        severity=Severity.INFO,
        severity_default_reason="a control message has no severity",
    )

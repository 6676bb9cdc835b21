"""Recent changes of one partition's spaces: suspects for incidents, and maintenance that suppresses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from pydantic import ValidationError

from pipeline.core.clustering.suspects import CHANGE_AGE_MS_MAX
from pipeline.core.practice.commands import describe
from pipeline.models.command import Change
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.wire import to_json

CHANGES_KEPT_MAX: Final = 2_000
"""Changes remembered; beyond it the oldest go: bounds state where deployments run by the thousand a day."""


class Recent(NamedTuple):
    """Changes that may be suspected, by what they are about. The same version means the same changes."""

    version: int
    changes: tuple[Change, ...]
    by_target: dict[str, list[Change]]


class ChangeLog:
    """Changes by id, with their targets as catalogue references."""

    def __init__(self, resolve: Callable[[str], str | None]) -> None:
        self._resolve = resolve
        self._changes: dict[str, Change] = {}
        self._suppressors: dict[str, list[Change]] | None = {}
        self._recent = Recent(0, (), {})
        self._recent_is_old = False

    def load(self, value: bytes) -> None:
        """Take one back from the changelog."""
        change = Change.model_validate_json(value)
        self._changes[change.change_id] = change
        self._changed()

    def _changed(self) -> None:
        self._suppressors = None
        self._recent_is_old = True

    def dump(self, change_id: str) -> bytes | None:
        """The state record of a change; None where it is forgotten."""
        change = self._changes.get(change_id)
        return None if change is None else to_json(change.model_dump(mode="json"))

    def take(self, value: bytes | None, now_ms: int) -> list[tuple[str, int | None]]:
        """Take a change in; a known id is brought up to date.

        Returns:
            The ids touched, each with when it next matters, or None where it is forgotten.

        Raises:
            BadRecord: not a change; the detail names the field.
        """
        if not value:
            raise BadRecord(Reason.EMPTY, "a change without a value")
        try:
            change = Change.model_validate_json(value)
        except ValidationError as error:
            raise BadRecord(Reason.WRONG_TYPE, describe(error)) from None
        targets = tuple(dict.fromkeys(self._resolve(target) or target for target in change.targets))
        change = change.model_copy(update={"targets": targets})
        self._changes[change.change_id] = change
        touched: list[tuple[str, int | None]] = [(change.change_id, self._due_ms(change, now_ms))]
        if len(self._changes) > CHANGES_KEPT_MAX:
            oldest = min(self._changes, key=lambda each: (_forget_at_ms(self._changes[each]), each))
            del self._changes[oldest]
            touched.append((oldest, None))
        self._changed()
        return touched

    def due(self, change_id: str, now_ms: int) -> int | None:
        """A deadline of a change has come: forget it when it is too old; answers when it next matters."""
        change = self._changes.get(change_id)
        if change is None:
            return None
        if _forget_at_ms(change) <= now_ms:
            del self._changes[change_id]
            self._changed()
            return None
        return self._due_ms(change, now_ms)

    def deadlines(self, now_ms: int) -> list[tuple[str, int | None]]:
        """All changes with their next deadline, for restoring."""
        return [(change_id, self._due_ms(self._changes[change_id], now_ms)) for change_id in sorted(self._changes)]

    def suppress_any(self) -> bool:
        """Whether any change known suppresses, whenever it runs."""
        return bool(self._suppressing())

    def get(self, change_id: str) -> Change | None:
        """A change that is known."""
        return self._changes.get(change_id)

    def suppressing(
        self,
        refs: Iterable[str],
        now_ms: int,
        labels: Mapping[str, str] | None = None,
        begun_at_ms: int | None = None,
    ) -> str | None:
        """The id of a running change that expects alerts on any of the references, or None.

        Args:
            refs: what an alert is about, and runs on.
            now_ms: the moment.
            labels: of the alert.
            begun_at_ms: when the alert began, where that may have been before the change.
        """
        known, found, carried = self._suppressing(), None, labels or {}
        for ref in refs:
            for change in known.get(ref, ()):
                if not _runs(change, now_ms) or not change.labels.items() <= carried.items():
                    continue
                if begun_at_ms is not None and begun_at_ms < _ms(change.started_at):
                    continue
                found = change.change_id if found is None else min(found, change.change_id)
        return found

    def _suppressing(self) -> dict[str, list[Change]]:
        """Changes that suppress, by what they are about."""
        if self._suppressors is None:
            self._suppressors = {}
            for change in self._changes.values():
                for target in change.targets if change.suppress else ():
                    self._suppressors.setdefault(target, []).append(change)
        return self._suppressors

    def recent(self) -> Recent:
        """Changes that may be suspected, by id. Their targets tell spaces apart."""
        if self._recent_is_old:
            ordered = tuple(self._changes[change_id] for change_id in sorted(self._changes))
            by_target: dict[str, list[Change]] = {}
            for change in ordered:
                for target in change.targets:
                    by_target.setdefault(target, []).append(change)
            self._recent, self._recent_is_old = Recent(self._recent.version + 1, ordered, by_target), False
        return self._recent

    def _due_ms(self, change: Change, now_ms: int) -> int:
        ended_ms = _ms(change.ended_at) if change.ended_at is not None else None
        if change.suppress and ended_ms is not None and ended_ms > now_ms:
            return ended_ms
        return max(_forget_at_ms(change), now_ms + 1)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000)


def _runs(change: Change, now_ms: int) -> bool:
    return _ms(change.started_at) <= now_ms and (change.ended_at is None or now_ms < _ms(change.ended_at))


def _forget_at_ms(change: Change) -> int:
    """A change is suspected for a day after it began, and an open-ended maintenance no longer than that suppresses."""
    return max(_ms(change.started_at), _ms(change.ended_at or change.started_at)) + CHANGE_AGE_MS_MAX

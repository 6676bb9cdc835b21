"""Late topology: alerts that no entity was found for are kept while their episodes are open, and enriched again.

That happens when another configuration decides than the one that examined them last, after a reload and after a
restart alike (docs/decisions/0012-a-reload-is-a-tick-that-names-a-version.md). Owns what is kept and what is asked
again when; what follows for an incident is `pipeline.core.clustering.correlate_late`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import orjson

from pipeline.models.alert import Alert, Kind
from pipeline.models.member import Member
from pipeline.models.wire import to_json

LATE_SCHEMA: Final = 1

KEPT_MAX: Final = 20_000
"""Alerts of one partition, some 6 MiB; the oldest go first. Who has more has no catalogue, rather than a late one."""

TEXT_CHARS_MAX: Final = 2_048
"""Of the description: enrichment looks no further."""

EXAMINED_AT_ONCE: Final = 500
"""Alerts enriched again in one go, at some 15 microseconds each; the others a second of stream time later."""

PAUSE_MS: Final = 1_000

UNDER_WAY_MS: Final = 60_000
"""What ingest has enriched under the old configuration may arrive here that long after the new one has come."""

_HEAD: Final = b"[%d," % LATE_SCHEMA

UNEXAMINED: Final = ""
"""Version of alerts that this configuration has not examined, for sure."""


class Late:
    """Alerts of open episodes that no entity was found for, in the order in which they came.

    Kept is what enrichment looks at and the member does not hold.
    """

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}
        self._asked: str | None = None
        self._waiting: dict[str, None] = {}  # what the version asked for last has not examined, in the same order

    def __contains__(self, episode_id: str) -> bool:
        return episode_id in self._kept

    def keep(self, episode_id: str, alert: Alert, version: str, order: int) -> list[str]:
        """Keep what enrichment needs of an alert; answers the episodes whose records changed.

        Args:
            episode_id: the episode that it opened.
            alert: as it came.
            version: the configuration that examined it, or `UNEXAMINED`.
            order: rank of its episode among the members of the partition, which only rises.
        """
        facts = (alert.name, alert.description[:TEXT_CHARS_MAX], alert.labels)
        if episode_id in self._kept:
            self._asked = None  # it keeps its place
        elif version != self._asked:
            self._waiting[episode_id] = None
        self._kept[episode_id] = to_json((LATE_SCHEMA, order, version, *facts))
        changed = [episode_id]
        if len(self._kept) > KEPT_MAX:
            changed.append(oldest := next(iter(self._kept)))
            self.forget(oldest)
        return changed

    def forget(self, episode_id: str) -> bool:
        """Let an alert go; whether it was kept."""
        self._waiting.pop(episode_id, None)
        return self._kept.pop(episode_id, None) is not None

    def examined(self, episode_id: str, version: str) -> None:
        """Note which configuration has examined an alert in vain."""
        document = orjson.loads(self._kept[episode_id])
        document[2] = version
        self._kept[episode_id] = to_json(document)
        if version == self._asked:
            self._waiting.pop(episode_id, None)
        else:
            self._asked = None

    def alert(self, member: Member) -> Alert:
        """The alert that opened a member's episode, not enriched, with all that enrichment looks at."""
        _, _, _, name, description, labels = orjson.loads(self._kept[member.episode_id])
        return Alert(
            feed=member.feed,
            feed_class=member.feed_class,
            kind=Kind.FIRING,
            alert_key=member.alert_key,
            name=name,
            summary=member.summary,
            description=description,
            labels=labels,
        )

    def unexamined(self, version: str) -> Iterator[str]:
        """Episodes whose alerts a configuration has not examined, in the order in which they came.

        All that is kept is looked through when a version asks first, and not again.
        """
        if version != self._asked:
            self._asked = version
            self._waiting = dict.fromkeys(self._search(version))
        return iter(self._waiting)

    def _search(self, version: str) -> Iterator[str]:
        mark = b'"%b",' % version.encode()  # a version is a hash or a plain word: nothing of it is escaped
        for episode_id, kept in self._kept.items():
            if not kept.startswith(kept[: kept.index(b'"')] + mark):
                yield episode_id

    # -- state

    def load(self, episode_id: str, value: bytes) -> None:
        """Take one record back.

        Raises:
            ValueError: it is of a schema that this release does not read.
        """
        if not value.startswith(_HEAD):
            raise ValueError(f"late alert of another schema, this release reads {LATE_SCHEMA}")
        self._kept[episode_id] = value

    def dump(self, episode_id: str) -> bytes | None:
        """The record of an episode; None where nothing is kept."""
        return self._kept.get(episode_id)

    def restored(self) -> None:
        """All records are back: put them in the order in which they had come."""
        begin = len(_HEAD)
        order = {episode_id: int(kept[begin : kept.index(b",", begin)]) for episode_id, kept in self._kept.items()}
        self._kept = {each: self._kept[each] for each in sorted(order, key=order.__getitem__)}
        self._asked = None

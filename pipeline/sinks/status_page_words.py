"""What a status page is told of an incident: its published messages, and how badly the components are affected. Pure.

Nothing else of an incident leaves: no title, note, name or host. Only what `posts` and `held` return is sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pipeline.core.communication.communicate import LAST_WORDS
from pipeline.core.outward.sides import FINAL_STATES
from pipeline.models.incident import IncidentState
from pipeline.models.remote import Remote, RemoteState
from pipeline.models.sinks.status_pages import Notify, Published, StatusPage
from pipeline.sinks.told import Told, Words

NAME_CHARACTERS_MAX: Final = 255
"""Of an incident at Statuspage (its API, `incident.name`); a line longer than that nobody reads elsewhere either."""

RESOLVED: Final = "resolved"
MONITORING: Final = "monitoring"

_STATUSES: Final[Mapping[str, str]] = {
    "investigating": "investigating",
    "identified": "identified",
    "waiting": "identified",
    "mitigated": MONITORING,
    "resolved": RESOLVED,
    "cancelled": RESOLVED,
    "moved": RESOLVED,
}
"""State of a message -> status there. Who waits for a supplier knows the cause; a workaround is watched; where another
incident speaks, this one has ended."""

_REMOTE: Final[Mapping[str, RemoteState]] = {
    "investigating": RemoteState.OPEN,
    "identified": RemoteState.OPEN,
    MONITORING: RemoteState.MITIGATED,
    RESOLVED: RemoteState.RESOLVED,
    "postmortem": RemoteState.RESOLVED,
}

_SPACES: Final = re.compile(r"\s+")
# C0 and C1 but line feed and tab, and what turns the direction of writing: nobody reads them, and they disguise.
_INVISIBLE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class Post(NamedTuple):
    """One message to be said there.

    Attributes:
        number: of the message in its stream; that of the last one where the words are not a message's.
        page: channel of its stream.
        state: of the message.
        status: there.
        name: what the incident is called there.
        notify: subscribers are notified.
        at_ms: when it was published; 0: it is not known.
        next_update_ms: when the next is promised; None: none is.
    """

    number: int
    page: str
    state: str
    status: str
    name: str
    text: str
    notify: bool
    at_ms: int = 0
    next_update_ms: int | None = None


def posts(rules: Published, told: Told, remote: Remote | None, notify: Notify = "states") -> list[Post]:
    """Messages that have not been said there yet, oldest first.

    Last words are said only to who was told that something is wrong, and nobody is told only now of what is over. Of
    several that come at once, as after an outage of the page, only the newest notifies anybody.

    Args:
        rules: which audience and channel, and whether messages must have been approved.
        told: the incident.
        remote: what is known of it there.
        notify: which messages subscribers are sent.
    """
    kept: Mapping[str, Any] = remote.extra if remote is not None else {}
    page, said = rules.channel or str(kept.get("page", "")), int(kept.get("number", 0))
    is_open = was_open = remote is not None and not remote.ended
    status = str(kept.get("status", "")) if is_open else ""
    found: list[Post] = []
    for words in told.messages:
        last = words.state in LAST_WORDS
        if words.audience != rules.audience or (page and words.page != page) or words.number <= said:
            continue
        if (last and not is_open) or not (last or _approved(rules, words)):
            continue
        before, status = status, _STATUSES.get(words.state, status or "investigating")
        page, is_open = words.page, not last
        found.append(_post(words, status, notify=notify == "all" or (notify == "states" and status != before)))
        if last and not was_open:
            found, status = [], ""
    if any(each.notify for each in found):
        found = [each._replace(notify=each is found[-1]) for each in found]
    return found


def closing(rules: Published, told: Told, remote: Remote | None) -> Post | None:
    """Words for an incident that is over here, still open there, and has nothing more to say; nobody is notified."""
    if remote is None or remote.ended or told.state not in FINAL_STATES:
        return None
    kept = remote.extra
    name, number, page = str(kept.get("name", "")), int(kept.get("number", 0)), str(kept.get("page", ""))
    return Post(number, page, RESOLVED, RESOLVED, name, plain(rules.closing_text), notify=False)


def held(rules: StatusPage, told: Told, kept: Mapping[str, Any], status: str) -> dict[str, str]:
    """Components that the incident holds down there, with their status.

    One that was held is held until the end: a body may have been cut, and what is left out of it is not repaired.

    Args:
        rules: which service is which component.
        told: the incident.
        kept: what is remembered of it.
        status: of the incident there.
    """
    if status == RESOLVED:
        return {}
    named = {word for ref in _services(told.incident) for word in _names(ref)}
    ids = {component for service, component in rules.components.items() if service in named}
    rank = rank_of(told, kept)
    level = rules.component_status(told.incident.get("priority"), rank, mitigated=status == MONITORING)
    return dict.fromkeys(sorted(ids | set(kept.get("components", {}))), level)


def rank_of(told: Told, kept: Mapping[str, Any]) -> int | None:
    """Place of the priority in its scale; where the body was cut, the last one that is known."""
    rank = told.incident.get("priority_rank", kept.get("rank"))
    return rank if isinstance(rank, int) else None


def is_over(told: Told) -> bool:
    """Whether nothing of the incident is broken any more, as far as is known."""
    return told.state == IncidentState.RESOLVED or told.state in FINAL_STATES


def remote_state(status: str) -> RemoteState:
    """A status there in our words; what is unknown counts as open."""
    return _REMOTE.get(status, RemoteState.OPEN)


def plain(text: str) -> str:
    """A text without characters that cannot be seen."""
    return _INVISIBLE.sub("", text.replace("\r\n", "\n")).strip()


def cut(text: str, characters_max: int) -> str:
    """At most so many characters, with a mark where something was cut off."""
    return text if len(text) <= characters_max else text[: characters_max - 1] + "…"


def same(one: str, other: str) -> bool:
    """Whether two texts are the same to a reader: pages fold white space."""
    return _SPACES.sub(" ", one).strip() == _SPACES.sub(" ", other).strip()


def _approved(rules: Published, words: Words) -> bool:
    return rules.approval == "none" or bool(words.approved_by)


def _post(words: Words, status: str, *, notify: bool) -> Post:
    text = plain(words.text)
    subject = _SPACES.sub(" ", plain(words.subject)) or text.partition("\n")[0]
    name = cut(subject, NAME_CHARACTERS_MAX)
    when = words.at_ms, words.next_update_ms
    return Post(words.number, words.page, words.state, status, name, text or name, notify, *when)


def _services(incident: Mapping[str, Any]) -> list[str]:
    services = incident.get("services")
    found = [*(services if isinstance(services, list) else []), incident.get("service")]
    return [each for each in found if isinstance(each, str)]


def _names(ref: str) -> set[str]:
    """A reference as ``component:default/checkout`` in all spellings that a configuration may use."""
    kind, _, rest = ref.rpartition(":")
    name = rest.rpartition("/")[2]
    return {ref, rest, name} | ({f"{kind}:{name}"} if kind else set())

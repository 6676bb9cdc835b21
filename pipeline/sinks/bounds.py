"""What may be remembered of a record elsewhere: a downstream says it, and it travels with each outcome from then on.

An id that cannot be one would stop the outbox that it comes to, and a record that is too large the process that writes
it. So what a downstream made us learn is bounded here, once for all sinks, before anything is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from pipeline.models.command import ID_CHARACTERS_MAX
from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.remote import ADDRESS_CHARACTERS_MAX, Remote, RemoteState, SinkUpdate, web_address
from pipeline.sinks.base import Answer

FIELD_CHARACTERS_MAX: Final = 1_000
"""Of a field that both sides write: what an update takes of a title."""

EXTRA_BYTES_MAX: Final = 256 << 10
"""Of what a sink remembers of its own: 200 calls whose keys are as long as may be; a quarter of what a record takes."""

UPDATE_BYTES_MAX: Final = 768 << 10
"""Of an update: below the mebibyte that its topic takes, with room for what the client adds."""

_ID: Final = re.compile(rf"[^\x00-\x20\x7f-\xa0]{{1,{ID_CHARACTERS_MAX}}}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def bounded(answer: Answer) -> Answer:
    """The answer with what may be remembered of it; where that cannot be a record, nobody knows what was done."""
    remote = answer.remote
    if remote is None:
        return answer
    wrong = _wrong(remote)
    if wrong:
        detail = f"what it says of the record cannot be so: {wrong}"
        kept = DeliveryOutcome.REJECTED if answer.outcome is DeliveryOutcome.REJECTED else DeliveryOutcome.RETRY
        return answer._replace(outcome=kept, detail=detail, unknown=True, remote=None)
    return answer._replace(remote=_cut(remote))


def _wrong(remote: Remote) -> str:
    if not isinstance(remote.id, str) or not _ID.fullmatch(remote.id):
        return f"an id has 1 to {ID_CHARACTERS_MAX} characters, none of them a space or unseen"
    if remote.state not in set(RemoteState):
        return "its state is none"
    try:
        size = len(orjson.dumps(remote.extra))
    except TypeError:  # such as a number that needs more than 64 bits
        return "what is to be remembered is no JSON"
    return f"more than {EXTRA_BYTES_MAX} bytes are to be remembered" if size > EXTRA_BYTES_MAX else ""


def _cut(remote: Remote) -> Remote:
    """The same one where nothing has to be cut."""
    key = _CONTROL.sub(" ", str(remote.key))[:ID_CHARACTERS_MAX]
    url, fields = web_address(remote.url)[:ADDRESS_CHARACTERS_MAX], _fields(remote.fields)
    if (key, url, fields) == (remote.key, remote.url, remote.fields):
        return remote
    return replace(remote, key=key, url=url, fields=fields)


def _fields(fields: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value)[:FIELD_CHARACTERS_MAX] for name, value in fields.items()}


def fitting(update: SinkUpdate) -> SinkUpdate:
    """The update as a record takes it; of its notes the oldest are left out, and the record there has them still."""
    while update.notes and len(update.to_bytes()) > UPDATE_BYTES_MAX:
        update = update.model_copy(update={"notes": update.notes[len(update.notes) // 2 + 1 :]})
    return update

"""What every sink is: it makes attempts, looks up what is there, and lists what has changed there.

A sink answers for every failure that the downstream or the network can cause; an exception out of it is a defect.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from datetime import datetime
from typing import NamedTuple

from pipeline.core.outward.send import Send
from pipeline.models.command import ID_CHARACTERS_MAX
from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.remote import ADDRESS_CHARACTERS_MAX, Fields, Remote, RemoteState, SinkUpdate, UpdateKind


class SinkError(Exception):
    """A sink cannot be used as configured; the message is one line, names the sink and holds no secret."""


class Answer(NamedTuple):
    """What a sink made of one attempt.

    Attributes:
        status: HTTP status; None where no answer came.
        detail: what happened, for a person. Holds no secret.
        retry_after_seconds: how long it asks us to wait, if it does.
        unknown: it may have taken effect though we do not know so: the next attempt looks first.
        remote: what is known of the record there now, also after a failure half-way; None: nothing new.
    """

    outcome: DeliveryOutcome
    status: int | None = None
    detail: str = ""
    retry_after_seconds: int | None = None
    unknown: bool = False
    remote: Remote | None = None


class Trouble(Exception):  # it is no error of the program: the other side's answer, carried up
    """The other side did not do it. ``answer`` says what that means for the delivery."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.detail)
        self.answer = answer


class SinkClient(ABC):
    """One downstream. Made inside a running event loop; one attempt an incident at a time."""

    @abstractmethod
    async def send(self, send: Send, now: datetime) -> Answer:
        """Make one attempt. ``now``: aware."""

    async def look(self, incident_id: str, remote: Remote, now: datetime) -> SinkUpdate | None:
        """The record as it is there now, of kind ``read`` or ``gone``; None where a sink cannot be read.

        Raises:
            Trouble: it could not be looked up now.
        """
        del incident_id, remote, now
        return None

    async def changed(self, since: datetime) -> AsyncIterator[SinkUpdate]:
        """Records of ours that have changed there since, oldest first; none where a sink cannot be asked.

        Raises:
            Trouble: it cannot be asked now.
        """
        del since
        return
        yield

    async def check(self) -> str | None:
        """Ask something that changes nothing, so that a person sees whether address and credential are good.

        Returns:
            What it said, in one line for a person, such as the account that it knows us by; None where the downstream
            has no such question.

        Raises:
            Trouble: it refused, or could not be asked.
        """
        return None

    @abstractmethod
    async def close(self) -> None:
        """Disconnect."""


def gone_update(sink: str, incident_id: str, remote: Remote, now: datetime) -> SinkUpdate:
    """That a record is there no more. However often that is seen, it is one update."""
    return SinkUpdate(
        kind=UpdateKind.GONE,
        update_id=f"{remote.id}/gone"[:ID_CHARACTERS_MAX],
        sink=sink,
        incident_id=incident_id,
        at=now,
        fields=Fields(state=RemoteState.GONE),
        remote_id=remote.id[:ID_CHARACTERS_MAX],
        remote_key=remote.key[:ID_CHARACTERS_MAX],
        remote_url=remote.url[:ADDRESS_CHARACTERS_MAX],
    )

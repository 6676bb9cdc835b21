"""What every route needs: made once by the process, reached by ``request.app.state.context``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import time
from typing import Annotated, Any, Protocol, TypeVar

from fastapi import Depends, Request
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline.console.counting import Counting
from pipeline.console.live import Live
from pipeline.console.metrics import ConsoleMetrics
from pipeline.console.overload import Overload
from pipeline.models.command import Command
from pipeline.models.policy import Config
from pipeline.models.problem import ProblemCommand
from pipeline.settings import Settings

Answer = TypeVar("Answer")


class CommandsOut(Protocol):
    """Takes commands to Kafka."""

    async def send(self, command: Command | ProblemCommand, *, topic: str, key: str) -> None:
        """Write one and wait until the brokers have it.

        Raises:
            Refusal: they do not take it; the message says why.
        """


@dataclass(frozen=True, slots=True)
class Context:
    """One console.

    Attributes:
        engine: of the records store.
        commands: to Kafka.
        config: the company's configuration: catalogue, rotations, packs, and the console's own part.
        live: changes as they happen; None: nobody may listen.
        metrics: counts; None: nothing is counted.
        overload: how far the stages are behind; None: nobody looks.
        now_ms: the clock, epoch milliseconds; tests and the demo have their own.
        counting: whose turn it is to ask for figures, and those that are known.
    """

    settings: Settings
    config: Config
    engine: AsyncEngine
    commands: CommandsOut
    live: Live | None = None
    metrics: ConsoleMetrics | None = None
    overload: Overload | None = None
    now_ms: Callable[[], int] = lambda: int(time() * 1_000)
    counting: Counting = field(default_factory=Counting)

    def now(self) -> datetime:
        """The time by that clock."""
        return datetime.fromtimestamp(self.now_ms() / 1_000, UTC)

    async def ask(self, question: Callable[[Connection], Answer]) -> Answer:
        """Put a question to the records store: a plain function of a connection, as the command line asks it."""
        async with self.engine.connect() as connection:
            return await connection.run_sync(question)

    async def count(self, question: Callable[[Connection], Answer]) -> Answer:
        """Put a question that reads very many rows, when it is its turn: pages and commands do not wait for those.

        Raises:
            Refusal: too many ask such questions.
        """
        async with self.counting.turn():
            return await self.ask(question)

    async def write(self, change: Callable[[Connection], Answer]) -> Answer:
        """The same in a transaction."""
        async with self.engine.begin() as connection:
            return await connection.run_sync(change)


def context_of(request: Request) -> Context:
    """The context of the application that a request came to."""
    found: Any = request.app.state.context
    assert isinstance(found, Context)  # noqa: S101  # `create_app` has put it there
    return found


Here = Annotated[Context, Depends(context_of)]
"""Parameter of a route: the context."""

"""Takes commands in the place of Kafka."""

from __future__ import annotations

from pipeline.models.command import Command
from pipeline.models.problem import ProblemCommand


class Sent:
    """Takes commands as Kafka would, and keeps them."""

    def __init__(self) -> None:
        self.commands: list[tuple[Command | ProblemCommand, str, str]] = []

    async def send(self, command: Command | ProblemCommand, *, topic: str, key: str) -> None:
        self.commands.append((command, topic, key))

"""The door of people's words: what they write loses its personal data before it is a command."""

from __future__ import annotations

from pipeline.console.context import CommandsOut
from pipeline.core.privacy.redactor import FeedRedactor, Redactor
from pipeline.core.privacy.words import without_personal_data
from pipeline.models.command import Command
from pipeline.models.policy import Config
from pipeline.models.problem import ProblemCommand
from pipeline.settings import Settings


class RedactedCommands:
    """Takes commands on to Kafka, their words redacted."""

    def __init__(self, onward: CommandsOut, redactor: FeedRedactor) -> None:
        self._onward = onward
        self._redactor = redactor

    async def send(self, command: Command | ProblemCommand, *, topic: str, key: str) -> None:
        """As `CommandsOut.send`."""
        await self._onward.send(without_personal_data(command, self._redactor), topic=topic, key=key)


def without_personal_data_in(commands: CommandsOut, settings: Settings, config: Config) -> CommandsOut:
    """What takes commands to Kafka by the rules of the configuration; the very same where none is for words.

    Raises:
        SettingsError: rules need a key, and it is not set.
    """
    redactor = Redactor(config.privacy, settings.privacy_key(config.privacy)).of_commands()
    return commands if redactor is None else RedactedCommands(commands, redactor)

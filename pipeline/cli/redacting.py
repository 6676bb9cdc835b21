"""The redactor of a command: its rules, its key, and the names that the configuration knows."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

import click

from pipeline.cli.replay import read_config
from pipeline.core.escalation.oncall_calendar import calendar_people
from pipeline.models.policy import Config
from pipeline.redaction.pseudonyms import KEY_BYTES_MAX
from pipeline.redaction.redact import Redactor
from pipeline.redaction.rules import RedactionRules, RulesError, read_rules
from pipeline.settings import Settings, SettingsError

KEY_VARIABLE: Final = "SPILLWAY_REDACTION_KEY"
"""With the same key two recordings have the same pseudonyms. Without one each gets a key that nobody knows."""


def redactor_of(settings: Settings, rules: Path | None) -> Redactor:
    """The redactor by a file of rules, the key of the environment and the names of the configuration in force.

    Raises:
        click.ClickException: rules, key or configuration cannot be used.
    """
    try:
        key = settings.secret(KEY_VARIABLE).encode()
    except SettingsError:
        key = secrets.token_bytes(KEY_BYTES_MAX)
    config = read_config(settings.config_dir)
    try:
        said = RedactionRules() if rules is None else read_rules(rules)
        return Redactor(said, key, people_of(config), things_of(config))
    except RulesError as error:
        raise click.ClickException(str(error)) from error
    except ValueError as error:
        raise click.ClickException(f"{KEY_VARIABLE}: {error}") from error


def people_of(config: Config) -> list[str]:
    """Names of the people who are on call."""
    people: dict[str, None] = {}
    for rotation in config.rotations.values():
        people |= dict.fromkeys(rotation.everybody())
        people |= dict.fromkeys(person for layer in rotation.whole() for person in calendar_people(layer))
    return list(people)


def things_of(config: Config) -> list[str]:
    """Names of what the catalogue lists, and of the teams that own it."""
    named: list[str] = [*config.domains, *config.rotations]
    for entity in config.catalogue.entities.values():
        named += [entity.name, entity.title, *entity.aliases, entity.owner or "", entity.system or ""]
    return named

"""A resolution code that a person mistyped: what is said to him before the record has it for good."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from pipeline.catalog import ConfigError, load_config
from pipeline.catalog.problems import suggestion
from pipeline.cli.records import environment_settings, read_records
from pipeline.models.closure import USUAL_CODES
from pipeline.models.policy import Config, DomainPolicy


def warn_of_code(asked: dict[str, Any]) -> None:
    """Say on standard error where a code is none that the incident's domain knows; it is sent all the same.

    By the configuration of this machine, if there is one: the incident may go by another pack, which decides.
    """
    config = _config(environment_settings().config_dir)
    if config is None:
        return
    words = doubt(config, _domain(asked) if asked["records_url"] or environment_settings().records_url else None, asked)
    if words is not None:
        click.echo(f"Warning: {words}", err=True)


def doubt(config: Config, domain: str | None, asked: dict[str, Any]) -> str | None:
    """What is doubtful about the code, in words; None: nothing. ``domain``: of the incident, where that is known."""
    code: str = asked["code"]
    packs = [config.policy(domain)] if domain else [*config.domains.values(), config.policy(None)]
    known = dict.fromkeys(each for pack in packs for each in codes_of(pack))
    if code in known:
        return None
    whose = f"the {domain} policy's" if domain else "any policy's here"
    refused = "; it will be refused" if domain and packs[0].closure.codes is not None else ""
    return f"code '{code}' is not one of {whose}{suggestion(code, known)}{refused}; known: {', '.join(known)}"


def codes_of(pack: DomainPolicy) -> Iterable[str]:
    """Codes of a pack: its own, else those that are usual."""
    return pack.closure.codes or USUAL_CODES


def _config(directory: Path | None) -> Config | None:
    try:
        return None if directory is None else load_config(directory)
    except ConfigError:
        return None


def _domain(asked: dict[str, Any]) -> str | None:
    try:
        snapshot = read_records(asked["records_url"], lambda store: store.incident(asked["incident_id"]))
    except click.ClickException:  # whoever names the space needs no store
        return None
    return None if snapshot is None else snapshot.get("domain")

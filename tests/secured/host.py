"""Stages in one process, each with settings of its own: ``python -m tests.secured.host FILE``.

A process for each, as they are deployed, takes seven times as long to start.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry

from pipeline.app import compose, create_app, health_of
from pipeline.catalog import load_config
from pipeline.runtime.process import run, serve
from pipeline.settings import Settings


def main(place: Path) -> None:
    """Host the stages whose settings lie in a file, until a signal asks to stop."""
    ours = Settings.from_environment()
    settings_of: Mapping[str, Settings] = pickle.loads(place.read_bytes())  # noqa: S301  # the test has written it
    config = load_config(ours.config_dir)
    contexts = [
        context
        for stage, settings in settings_of.items()
        for context in compose(settings, config, CollectorRegistry(), [stage])
    ]
    run(serve(lambda: [create_app(context) for context in contexts], health_of(ours, CollectorRegistry())))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

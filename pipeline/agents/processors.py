"""Builds the processors of each stage: the same for live agents, replay and tests."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from pipeline.agents.shared import Shared
from pipeline.core.step import Processor
from pipeline.models.policy import Config


def build_processor(stage: str, shared: Shared) -> Processor:
    """A fresh processor for one partition of a stage. Only that stage's agent is imported."""
    processor: Processor = import_module(f"pipeline.agents.{stage}").processor(shared)
    processor.config_version = shared.config.version
    return processor


def processor_factory(stage: str, config: Config, privacy_key: bytes | None = None) -> Callable[[], Processor]:
    """A factory of processors of one stage, one for each partition. Arguments as for `Shared.of`."""
    shared = Shared.of(config, privacy_key)
    return lambda: build_processor(stage, shared)

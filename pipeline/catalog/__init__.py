"""The configuration directory: services, dependencies, on-call, policies; read, checked and put together."""

from pipeline.catalog.load import Checked, check_config, load_config
from pipeline.catalog.problems import ConfigError, Problem

__all__ = ["Checked", "ConfigError", "Problem", "check_config", "load_config"]

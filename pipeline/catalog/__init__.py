"""The configuration directory: services, dependencies, on-call, policies; read, checked and put together."""

from pipeline.catalog.load import Checked, Opened, check_config, load_config, open_config
from pipeline.catalog.problems import ConfigError, Problem

__all__ = ["Checked", "ConfigError", "Opened", "Problem", "check_config", "load_config", "open_config"]

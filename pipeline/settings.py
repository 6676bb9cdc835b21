"""Settings of a process, from the environment: the only reader of it.

    settings = Settings.from_environment(os.environ)

Everything has a default that works on one machine; a bad value is one line that names the variable and what is
allowed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.flow import PARTITIONS_DEFAULT, STAGE_BY_NAME
from pipeline.models.privacy import KEY_BYTES_MIN, Privacy

Clock = Literal["wall", "recording"]

# A transaction of this many records takes tens of milliseconds: its fixed cost is spread thin, and an alert
# still waits only that long for the others of its batch.
BATCH_RECORDS_MAX: Final = 2_000

LOG_LEVELS: Final = ("debug", "info", "warning", "error")


class SettingsError(Exception):
    """A setting has a value that cannot be used; the message is one line and names the variable."""


class Settings(BaseModel):
    """How one process runs.

    Attributes:
        bootstrap: Kafka brokers, ``host:port`` separated by commas.
        app_id: prefix of consumer groups and transactional ids; one for each installation on a cluster.
        topic_prefix: put in front of every topic name on the wire; for several tenants on one cluster.
        config_dir: the configuration directory; None for the defaults alone.
        shadow_config: the shadow's directory, which `spillway shadow` fills and empties; None for no shadow.
        stages: stages that this process hosts, in flow order; empty for all.
        partitions: partitions of a topic that does not fix its own count.
        replication_factor: copies of each topic.
        min_insync_replicas: copies that must have a record before it counts as written.
        clock: ``wall`` writes ticks by the machine's clock; ``recording`` leaves them to the recording's player.
        records_url: PostgreSQL of the records store.
        http_port: port of metrics and health; 0 for any free one.
        instance_id: name of this process that stays the same over a restart, such as its pod's; with it, partitions
            wait for a restarted process up to the session timeout instead of moving twice.
        production: refuse to start on topics that do not survive the loss of a broker.
        session_timeout_seconds: silence after which a worker's partitions go to another, seconds.
        stop_seconds: how long a stop may take before the process ends hard, seconds; Kubernetes kills after 30.
        batch_records_max: records of one transaction at most.
        log_level: one of `LOG_LEVELS`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bootstrap: str = Field(default="127.0.0.1:9092", pattern=r"^[^\s,]+:\d+(,[^\s,]+:\d+)*$")
    app_id: str = Field(default="spillway", pattern=r"^[A-Za-z0-9._-]{1,100}$")
    topic_prefix: str = Field(default="", pattern=r"^[A-Za-z0-9._-]{0,100}$")
    config_dir: Path | None = None
    shadow_config: Path | None = None
    stages: tuple[str, ...] = ()
    partitions: int = Field(default=PARTITIONS_DEFAULT, ge=1, le=10_000)
    replication_factor: int = Field(default=1, ge=1, le=100)
    min_insync_replicas: int = Field(default=1, ge=1, le=100)
    clock: Clock = "wall"
    records_url: str | None = None
    http_port: int = Field(default=9464, ge=0, le=65_535)
    instance_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._-]{1,200}$")
    production: bool = False
    session_timeout_seconds: float = Field(default=30.0, ge=1, le=300)
    stop_seconds: float = Field(default=25.0, ge=1, le=600)
    batch_records_max: int = Field(default=BATCH_RECORDS_MAX, ge=1, le=100_000)
    log_level: Literal["debug", "info", "warning", "error"] = "warning"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the ``SPILLWAY_*`` variables; one that is empty counts as not set.

        Raises:
            SettingsError: a value cannot be used.
        """
        given = {field: environ[name].strip() for field, name in VARIABLES.items() if environ.get(name, "").strip()}
        values: dict[str, Any] = {
            field: _PARSERS[field](text) if field in _PARSERS else text for field, text in given.items()
        }
        try:
            return cls.model_validate(values)
        except ValidationError as invalid:
            field = str(invalid.errors()[0]["loc"][0])
            raise SettingsError(f"{VARIABLES[field]}={given[field]!r}: allowed is {_ALLOWED[field]}") from None

    def to_environment(self) -> dict[str, str]:
        """The environment of a child process that shall run with these settings: ours, with them in it."""
        given = {
            name: ",".join(value) if isinstance(value, tuple) else str(value)
            for field, name in VARIABLES.items()
            if (value := getattr(self, field)) is not None
        }
        return {**os.environ, **given}

    def wire(self, topic: str) -> str:
        """The name of a logical topic on the wire."""
        return self.topic_prefix + topic

    def group(self, stage: str) -> str:
        """Consumer group of a stage; also its Faust app's id and the start of its transactional ids."""
        return f"{self.app_id}-{stage}"

    def secret(self, name: str) -> str:
        """A secret from the environment variable that the configuration names. Never kept, never shown.

        Raises:
            SettingsError: the variable is not set.
        """
        if not (value := os.environ.get(name, "").strip()):
            raise SettingsError(f"{name} is not set: put the secret that the configuration refers to in it")
        return value

    def privacy_key(self, privacy: Privacy) -> bytes | None:
        """The key of pseudonyms; None where no rule makes any.

        Raises:
            SettingsError: the variable is not set, or its key is too short.
        """
        if not privacy.needs_key:
            return None
        key = self.secret(privacy.key_env).encode()
        if len(key) < KEY_BYTES_MIN:
            raise SettingsError(f"{privacy.key_env}: a key of pseudonyms has {KEY_BYTES_MIN} bytes or more")
        return key


VARIABLES: Final[dict[str, str]] = {
    "bootstrap": "SPILLWAY_BOOTSTRAP",
    "app_id": "SPILLWAY_APP_ID",
    "topic_prefix": "SPILLWAY_TOPIC_PREFIX",
    "config_dir": "SPILLWAY_CONFIG",
    "shadow_config": "SPILLWAY_SHADOW_CONFIG",
    "stages": "SPILLWAY_STAGES",
    "partitions": "SPILLWAY_PARTITIONS",
    "replication_factor": "SPILLWAY_REPLICATION_FACTOR",
    "min_insync_replicas": "SPILLWAY_MIN_INSYNC_REPLICAS",
    "clock": "SPILLWAY_CLOCK",
    "records_url": "SPILLWAY_RECORDS_URL",
    "http_port": "SPILLWAY_HTTP_PORT",
    "instance_id": "SPILLWAY_INSTANCE_ID",
    "production": "SPILLWAY_PRODUCTION",
    "session_timeout_seconds": "SPILLWAY_SESSION_TIMEOUT_SECONDS",
    "stop_seconds": "SPILLWAY_STOP_SECONDS",
    "batch_records_max": "SPILLWAY_BATCH_RECORDS_MAX",
    "log_level": "SPILLWAY_LOG_LEVEL",
}
"""Field -> environment variable; manifests and documentation derive from it."""

_ALLOWED: Final[dict[str, str]] = {
    "bootstrap": "host:port, several separated by commas",
    "app_id": "1 to 100 letters, digits, '.', '_' or '-'",
    "topic_prefix": "up to 100 letters, digits, '.', '_' or '-'",
    "config_dir": "a directory",
    "shadow_config": "a directory of the shadow's own",
    "stages": f"any of {', '.join(STAGE_BY_NAME)}, separated by commas",
    "partitions": "a whole number from 1 to 10000",
    "replication_factor": "a whole number from 1 to 100",
    "min_insync_replicas": "a whole number from 1 to 100",
    "clock": "wall or recording",
    "records_url": "a postgresql:// address",
    "http_port": "a port from 0 (any free one) to 65535",
    "instance_id": "1 to 200 letters, digits, '.', '_' or '-'",
    "production": "true or false",
    "session_timeout_seconds": "a number of seconds from 1 to 300",
    "stop_seconds": "a number of seconds from 1 to 600",
    "batch_records_max": "a whole number from 1 to 100000",
    "log_level": ", ".join(LOG_LEVELS),
}


def _parse_stages(text: str) -> tuple[str, ...]:
    """Stages in flow order, whatever order they are named in.

    Raises:
        SettingsError: one is not a stage.
    """
    named = {name.strip() for name in text.split(",") if name.strip()}
    if unknown := sorted(named - set(STAGE_BY_NAME)):
        raise SettingsError(f"SPILLWAY_STAGES={text!r}: no stage {unknown[0]!r}; allowed is {_ALLOWED['stages']}")
    return tuple(name for name in STAGE_BY_NAME if name in named)


_PARSERS: Final[dict[str, Callable[[str], object]]] = {"stages": _parse_stages, "log_level": str.lower}


def java_home(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The Java installation that the machine prefers (``JAVA_HOME``), for the embedded broker."""
    named = environ.get("JAVA_HOME", "").strip()
    return Path(named) if named else None

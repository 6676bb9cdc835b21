"""Settings of a process, from the environment: the only reader of it.

    settings = Settings.from_environment(os.environ)

Everything has a default that works on one machine; a bad value is one line that names the variable and what is
allowed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from pipeline.flow import PARTITIONS_DEFAULT, STAGE_BY_NAME
from pipeline.models.privacy import KEY_BYTES_MIN, Privacy

Clock = Literal["wall", "recording"]
KafkaSecurity = Literal["plaintext", "tls", "sasl_tls", "sasl_plaintext"]
SaslMechanism = Literal["scram-sha-512", "scram-sha-256", "plain", "aws-iam"]
OnStop = Literal["leave", "wait"]

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
            wait for a process that crashed, and for one that was stopped where ``on_stop`` says so, up to the session
            timeout.
        on_stop: what a process with an ``instance_id`` does with its partitions when it is asked to stop: ``leave``
            gives them to the others of its stage at once, ``wait`` keeps them for its return.
        production: refuse to start on topics that do not survive the loss of a broker.
        session_timeout_seconds: silence after which a worker's partitions go to another, seconds.
        stop_seconds: how long a stop may take before the process ends hard, seconds; Kubernetes kills after 30.
        batch_records_max: records of one transaction at most.
        log_level: one of `LOG_LEVELS`: of what libraries say. Our own lines are few, and all of them are written.
        log_format: lines of the log as JSON, or as text for people.
        trace_url: where traces go, by OTLP over HTTP; None: there are none.
        trace_ratio: share of messages of which a trace begins here, from 0 to 1; others go on with those of producers.
        kafka_security: how the brokers are spoken to: ``plaintext``, ``tls``, and both with a login (``sasl_tls``,
            ``sasl_plaintext``).
        kafka_ca_file: certificates in PEM that vouch for the brokers; None for those of the system.
        kafka_certificate_file: our own certificate in PEM, with its chain, for brokers that ask for one (mTLS).
        kafka_key_file: its private key in PEM, not encrypted.
        kafka_sasl_mechanism: of a login: SCRAM, ``plain`` or ``aws-iam`` (tokens of AWS IAM for Amazon MSK).
        kafka_username: of a login.
        kafka_password: of a login; never shown.
        kafka_password_file: a file that holds the password, such as a mounted Kubernetes secret; read for each client.
        kafka_aws_region: region of the brokers, for ``aws-iam``.
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
    on_stop: OnStop = "leave"
    production: bool = False
    session_timeout_seconds: float = Field(default=30.0, ge=1, le=300)
    stop_seconds: float = Field(default=25.0, ge=1, le=600)
    batch_records_max: int = Field(default=BATCH_RECORDS_MAX, ge=1, le=100_000)
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    log_format: Literal["json", "text"] = "json"
    trace_url: str | None = Field(default=None, pattern=r"^https?://[^\s/]+\S*$")
    trace_ratio: float = Field(default=0.01, ge=0, le=1)
    kafka_security: KafkaSecurity = "plaintext"
    kafka_ca_file: Path | None = None
    kafka_certificate_file: Path | None = None
    kafka_key_file: Path | None = None
    kafka_sasl_mechanism: SaslMechanism = "scram-sha-512"
    kafka_username: str | None = None
    kafka_password: SecretStr | None = None
    kafka_password_file: Path | None = None
    kafka_aws_region: str | None = Field(default=None, pattern=r"^[a-z]{2}(-[a-z]+)+-\d+$")

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
            settings = cls.model_validate(values)
        except ValidationError as invalid:
            field = str(invalid.errors()[0]["loc"][0])
            raise SettingsError(f"{VARIABLES[field]}={given[field]!r}: allowed is {_ALLOWED[field]}") from None
        settings.check_kafka()
        return settings

    def check_kafka(self) -> None:
        """Check that what is said of the way to the brokers goes together.

        Raises:
            SettingsError: it does not; a login or a certificate that would be left out is refused too.
        """
        if problem := _kafka_problem(self):
            raise SettingsError(problem)

    def to_environment(self) -> dict[str, str]:
        """The environment of a child process that shall run with these settings: ours, with them in it."""
        ours = set(VARIABLES.values())
        given = {name: _text(value) for field, name in VARIABLES.items() if (value := getattr(self, field)) is not None}
        return {**{name: value for name, value in os.environ.items() if name not in ours}, **given}

    def on_embedded(self, bootstrap: str) -> Self:
        """The same on a broker that we have brought along, which knows neither TLS nor logins."""
        plain = {field: default for field, default in Settings().model_dump().items() if field.startswith("kafka_")}
        return self.model_copy(update={**plain, "bootstrap": bootstrap})

    def password(self) -> str:
        """The password of a login to the brokers.

        Raises:
            SettingsError: its file cannot be read, or is empty.
        """
        if self.kafka_password_file is None:
            return "" if self.kafka_password is None else self.kafka_password.get_secret_value()
        variable = VARIABLES["kafka_password_file"]
        try:
            password = self.kafka_password_file.read_text().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise SettingsError(f"{variable}={str(self.kafka_password_file)!r} cannot be read: {reason}") from None
        if not password:
            raise SettingsError(f"{variable}={str(self.kafka_password_file)!r} is empty: put the password in it")
        return password

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
    "on_stop": "SPILLWAY_ON_STOP",
    "production": "SPILLWAY_PRODUCTION",
    "session_timeout_seconds": "SPILLWAY_SESSION_TIMEOUT_SECONDS",
    "stop_seconds": "SPILLWAY_STOP_SECONDS",
    "batch_records_max": "SPILLWAY_BATCH_RECORDS_MAX",
    "log_level": "SPILLWAY_LOG_LEVEL",
    "log_format": "SPILLWAY_LOG_FORMAT",
    "trace_url": "SPILLWAY_TRACE_URL",
    "trace_ratio": "SPILLWAY_TRACE_RATIO",
    "kafka_security": "SPILLWAY_KAFKA_SECURITY",
    "kafka_ca_file": "SPILLWAY_KAFKA_CA_FILE",
    "kafka_certificate_file": "SPILLWAY_KAFKA_CERTIFICATE_FILE",
    "kafka_key_file": "SPILLWAY_KAFKA_KEY_FILE",
    "kafka_sasl_mechanism": "SPILLWAY_KAFKA_SASL_MECHANISM",
    "kafka_username": "SPILLWAY_KAFKA_USERNAME",
    "kafka_password": "SPILLWAY_KAFKA_PASSWORD",
    "kafka_password_file": "SPILLWAY_KAFKA_PASSWORD_FILE",
    "kafka_aws_region": "SPILLWAY_KAFKA_AWS_REGION",
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
    "on_stop": "leave or wait",
    "production": "true or false",
    "session_timeout_seconds": "a number of seconds from 1 to 300",
    "stop_seconds": "a number of seconds from 1 to 600",
    "batch_records_max": "a whole number from 1 to 100000",
    "log_level": ", ".join(LOG_LEVELS),
    "log_format": "json or text",
    "trace_url": "the http:// or https:// address of a collector's /v1/traces",
    "trace_ratio": "a number from 0 to 1",
    "kafka_security": ", ".join(get_args(KafkaSecurity)),
    "kafka_ca_file": "a file",
    "kafka_certificate_file": "a file",
    "kafka_key_file": "a file",
    "kafka_sasl_mechanism": ", ".join(get_args(SaslMechanism)),
    "kafka_username": "a name",
    "kafka_password": "a password",
    "kafka_password_file": "a file",
    "kafka_aws_region": "a region of AWS, such as eu-central-1",
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


def _text(value: object) -> str:
    """A setting as its variable holds it."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _kafka_problem(settings: Settings) -> str | None:
    """What of the way to the brokers does not go together, in one line; None where all does."""
    security, mechanism = settings.kafka_security, settings.kafka_sasl_mechanism
    chosen = f"SPILLWAY_KAFKA_SECURITY={security}"
    tls_only = ("kafka_ca_file", "kafka_certificate_file", "kafka_key_file")
    login_only = ("kafka_username", "kafka_password", "kafka_password_file", "kafka_aws_region")
    if "tls" not in security and (unused := _first_set(settings, tls_only)):
        return f"{unused} is set and {chosen} makes no use of it: choose tls or sasl_tls, or take it away"
    if (settings.kafka_certificate_file is None) != (settings.kafka_key_file is None):
        return "SPILLWAY_KAFKA_CERTIFICATE_FILE and SPILLWAY_KAFKA_KEY_FILE go together: set both, or neither"
    if not security.startswith("sasl_"):
        unused = _first_set(settings, login_only)
        return f"{unused} is set and {chosen} logs nobody in: choose sasl_tls, or take it away" if unused else None
    return _iam_problem(settings) if mechanism == "aws-iam" else _login_problem(settings)


def _iam_problem(settings: Settings) -> str | None:
    chosen = "SPILLWAY_KAFKA_SASL_MECHANISM=aws-iam"
    if settings.kafka_security != "sasl_tls":
        return f"{chosen} needs SPILLWAY_KAFKA_SECURITY=sasl_tls: its tokens must not travel in the clear"
    if settings.kafka_aws_region is None:
        return f"{chosen} needs SPILLWAY_KAFKA_AWS_REGION: the region of the brokers"
    if unused := _first_set(settings, ("kafka_username", "kafka_password", "kafka_password_file")):
        return f"{unused} is set and {chosen} takes who we are from AWS: take it away"
    return None


def _login_problem(settings: Settings) -> str | None:
    chosen = f"SPILLWAY_KAFKA_SECURITY={settings.kafka_security}"
    if settings.kafka_aws_region is not None:
        return "SPILLWAY_KAFKA_AWS_REGION is set and only SPILLWAY_KAFKA_SASL_MECHANISM=aws-iam makes use of it"
    if settings.kafka_sasl_mechanism == "plain" and settings.kafka_security != "sasl_tls":
        return f"SPILLWAY_KAFKA_SASL_MECHANISM=plain with {chosen} sends the password in the clear: choose sasl_tls"
    if settings.kafka_username is None:
        return f"{chosen} needs SPILLWAY_KAFKA_USERNAME"
    if (settings.kafka_password is None) == (settings.kafka_password_file is None):
        return f"{chosen} needs SPILLWAY_KAFKA_PASSWORD or SPILLWAY_KAFKA_PASSWORD_FILE, one of the two"
    return None


def _first_set(settings: Settings, fields: Iterable[str]) -> str | None:
    """The variable of the first of these that is set."""
    return next((VARIABLES[field] for field in fields if getattr(settings, field) is not None), None)


def java_home(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The Java installation that the machine prefers (``JAVA_HOME``), for the embedded broker."""
    named = environ.get("JAVA_HOME", "").strip()
    return Path(named) if named else None

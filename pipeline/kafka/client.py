"""How our clients reach the brokers: the one place that makes a client's configuration.

    AdminClient(librdkafka(settings))                       # confluent-kafka
    AIOKafkaProducer(**aiokafka(settings))                  # aiokafka
    faust.App(..., broker_credentials=for_faust(settings))  # Faust

Certificates and passwords are read when a client is made. aiokafka's clients read certificates anew for each connection
once the files have changed; librdkafka's clients keep what they have read.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaConnectionError

from pipeline.kafka.tokens import Token, TokenError, aws_tokens
from pipeline.settings import VARIABLES, Settings, SettingsError

Tokens = Callable[[], Token]

_PROTOCOLS: Final = {
    "plaintext": "PLAINTEXT",
    "tls": "SSL",
    "sasl_tls": "SASL_SSL",
    "sasl_plaintext": "SASL_PLAINTEXT",
}
_OAUTH: Final = "OAUTHBEARER"


class AccessError(SettingsError):
    """Certificates that cannot be used; the message is one line and names the files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The way to the brokers of one cluster, whoever configured it.

    Attributes:
        bootstrap: ``host:port``, separated by commas.
        protocol: Kafka's word: ``PLAINTEXT``, ``SSL``, ``SASL_PLAINTEXT`` or ``SASL_SSL``.
        ca_file: certificates that vouch for the brokers; None for those of the system.
        certificate_file: ours, where the brokers ask for one.
        key_file: its key.
        mechanism: of a login, in Kafka's words; None without one.
        username: of a login by password.
        password: the same; never shown.
        tokens: gives a token, of a login by token.
    """

    bootstrap: str
    protocol: str = "PLAINTEXT"
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    mechanism: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tokens: Tokens | None = field(default=None, repr=False)

    @property
    def encrypted(self) -> bool:
        """Connections are TLS."""
        return self.protocol.endswith("SSL")


def access_of(settings: Settings) -> Access:
    """The way to the installation's own brokers.

    Raises:
        SettingsError: a file that the settings name cannot be read.
    """
    is_login = settings.kafka_security.startswith("sasl_")
    by_token = is_login and settings.kafka_sasl_mechanism == "aws-iam"
    by_password = is_login and not by_token
    for name in ("kafka_ca_file", "kafka_certificate_file", "kafka_key_file"):
        _check_readable(name, getattr(settings, name))
    return Access(
        bootstrap=settings.bootstrap,
        protocol=_PROTOCOLS[settings.kafka_security],
        ca_file=settings.kafka_ca_file,
        certificate_file=settings.kafka_certificate_file,
        key_file=settings.kafka_key_file,
        mechanism=(_OAUTH if by_token else settings.kafka_sasl_mechanism.upper()) if is_login else None,
        username=settings.kafka_username if by_password else None,
        password=settings.password() if by_password else None,
        tokens=partial(_aws_token, settings.kafka_aws_region or "") if by_token else None,
    )


def librdkafka(settings: Settings) -> dict[str, Any]:
    """Configuration of any client of confluent-kafka; errors reach people through our messages, not its log.

    Raises:
        SettingsError: a file that the settings name cannot be read.
    """
    return for_librdkafka(access_of(settings))


def for_librdkafka(access: Access) -> dict[str, Any]:
    """What confluent-kafka's clients take."""
    options: dict[str, Any] = {"bootstrap.servers": access.bootstrap, "log_level": 0}
    if access.protocol == "PLAINTEXT":
        return options
    options["security.protocol"] = access.protocol
    files = {"ca": access.ca_file, "certificate": access.certificate_file, "key": access.key_file}
    options |= {f"ssl.{name}.location": str(path) for name, path in files.items() if path is not None}
    if access.mechanism is not None:
        options["sasl.mechanism"] = access.mechanism
    if access.tokens is not None:
        options["oauth_cb"] = partial(_librdkafka_token, access.tokens)
    elif access.mechanism is not None:
        options |= {"sasl.username": access.username, "sasl.password": access.password}
    return options


def aiokafka(settings: Settings) -> dict[str, Any]:
    """What any client of aiokafka takes, by keyword.

    Raises:
        SettingsError: a file that the settings name cannot be read.
        AccessError: the certificates cannot be used.
    """
    return for_aiokafka(access_of(settings))


def for_aiokafka(access: Access) -> dict[str, Any]:
    """What aiokafka's clients take, by keyword.

    Raises:
        AccessError: the certificates cannot be used.
    """
    return {
        "bootstrap_servers": access.bootstrap.split(","),
        "security_protocol": access.protocol,
        "ssl_context": tls_context(access),
        "sasl_mechanism": access.mechanism or "PLAIN",  # its default; nobody asks for it without SASL
        "sasl_plain_username": access.username,
        "sasl_plain_password": access.password,
        "sasl_oauth_token_provider": None if access.tokens is None else _TokenProvider(access.tokens),
    }


def for_faust(settings: Settings) -> Any:
    """Faust's credentials; None without any.

    Raises:
        SettingsError: a file that the settings name cannot be read.
        AccessError: the certificates cannot be used.
    """
    import faust

    access = access_of(settings)
    context = tls_context(access)
    if access.tokens is not None:
        return faust.auth.OAuthCredentials(oauth_cb=_TokenProvider(access.tokens), ssl_context=context)
    if access.mechanism is not None:
        return faust.SASLCredentials(
            username=access.username, password=access.password, ssl_context=context, mechanism=access.mechanism
        )
    return None if context is None else faust.SSLCredentials(context)


class RenewingContext(ssl.SSLContext):
    """A client's TLS context that reads its files again when they have changed, before the next connection.

    Certificates are renewed on disk while a process runs, and a client makes connections for as long as it lives.
    What cannot be read, or does not fit together because only half of it is written, is looked at again at the next
    connection; until then the former is used. Authorities are added: one that is gone is trusted until a restart.
    """

    _files: tuple[Path | None, Path | None, Path | None] = (None, None, None)
    _seen: tuple[tuple[int, int] | None, ...] = ()

    def use(self, ca_file: Path | None, certificate_file: Path | None, key_file: Path | None) -> None:
        """Read these files now, and again when they change.

        Raises:
            OSError: a file cannot be read, or does not hold what it should (`ssl.SSLError`).
        """
        self._files = (ca_file, certificate_file, key_file)
        self._seen = self._prints()
        # One that is refused would leave a context without any, so another context tries first.
        for context in (ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), self):
            if ca_file is not None:
                context.load_verify_locations(cafile=ca_file)
            if certificate_file is not None:
                context.load_cert_chain(certificate_file, key_file, password=_no_password)

    def wrap_bio(self, *arguments: Any, **more: Any) -> ssl.SSLObject:
        """Begin a connection: asyncio and uvloop call it for each."""
        if self._seen != self._prints():
            try:
                self.use(*self._files)
            except OSError:
                self._seen = ()
        return super().wrap_bio(*arguments, **more)

    def _prints(self) -> tuple[tuple[int, int] | None, ...]:
        """What tells whether a file is another than before."""
        return tuple(_print_of(path) for path in self._files)


def tls_context(access: Access) -> ssl.SSLContext | None:
    """Verifies the brokers' certificates and names, and shows ours; None without TLS.

    Raises:
        AccessError: the certificates cannot be used.
    """
    if not access.encrypted:
        return None
    context = RenewingContext(ssl.PROTOCOL_TLS_CLIENT)  # asks for a certificate, and that it is the host's
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if access.ca_file is None:
            context.load_default_certs()
        context.use(access.ca_file, access.certificate_file, access.key_file)
    except OSError as error:
        raise AccessError(_unusable(access, error)) from None
    return context


def _unusable(access: Access, error: OSError) -> str:
    if access.certificate_file is None:
        return f"{access.ca_file}: not a file of certificates in PEM ({error.strerror or 'unreadable'})"
    return (
        f"{access.ca_file}, {access.certificate_file} and {access.key_file} must be certificates in PEM, and the key "
        "that belongs to the second, without a password"
    )


def _no_password() -> str:
    """Instead of a question on the terminal, which a service has not got."""
    return ""


def _print_of(path: Path | None) -> tuple[int, int] | None:
    try:
        stat = None if path is None else path.stat()
    except OSError:
        return None
    return None if stat is None else (stat.st_ino, stat.st_mtime_ns)


def _check_readable(name: str, path: Path | None) -> None:
    try:
        if path is not None:
            path.open("rb").close()
    except OSError as error:
        raise SettingsError(f"{VARIABLES[name]}={str(path)!r} cannot be read: {error.strerror}") from None


class _TokenProvider(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types
    """Tokens for aiokafka, which asks for one at each connection."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def token(self) -> str:
        """A token that is valid yet.

        Raises:
            KafkaConnectionError: there is none; aiokafka tries again, as where no broker answers.
        """
        try:
            return (await asyncio.to_thread(self._tokens)).text
        except TokenError as error:
            raise KafkaConnectionError(str(error)) from None


def _librdkafka_token(tokens: Tokens, _: str) -> tuple[str, float]:
    """A token for librdkafka, which asks again when four fifths of its life are over."""
    token = tokens()
    return token.text, token.expires_at


def _aws_token(region: str) -> Token:
    return aws_tokens(region).get()

"""Whether brokers can be reached and let us in, and in which words they do not.

librdkafka says on the side why it has no connection, and tries on until the time is over. A login or a certificate that
is refused will be refused again, so whoever asks is told at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, TopicMetadata

LOOK_SECONDS: Final = 0.5
"""Between two looks at what librdkafka says on the side."""

REFUSED: Final = (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED)
UNTRUSTED: Final = (KafkaError._SSL,)


class UnreachableError(Exception):
    """No broker answers, or none lets us in; the message is one line.

    Attributes:
        refused: they are there and do not let us in, or we do not trust them: waiting does not help.
    """

    def __init__(self, sentence: str, *, refused: bool) -> None:
        super().__init__(sentence)
        self.refused = refused


class Ear:
    """Hears what a client of librdkafka says on the side: its ``error_cb``."""

    def __init__(self, client: Mapping[str, Any]) -> None:
        """Describe.

        Args:
            client: configuration of the client.
        """
        self._bootstrap = client["bootstrap.servers"]
        self._who = who_of(client)
        self._refusal: KafkaError | None = None
        self._last: KafkaError | None = None

    def __call__(self, error: KafkaError) -> None:
        """Take a word in."""
        if error.code() in (*REFUSED, *UNTRUSTED):
            self._refusal = error
        elif error.code() != KafkaError._ALL_BROKERS_DOWN:  # it says no more than that
            self._last = error

    def refusal(self) -> UnreachableError | None:
        """Why we are not let in, if we are not."""
        error = self._refusal
        if error is None:
            return None
        words = _one_line(error.str())
        if error.code() in UNTRUSTED:
            return UnreachableError(f"no TLS with the brokers at {self._bootstrap}: {words}", refused=True)
        return UnreachableError(f"the brokers at {self._bootstrap} refuse {self._who}: {words}", refused=True)

    def forget(self) -> None:
        """What was heard is over."""
        self._refusal = self._last = None

    def absence(self) -> UnreachableError:
        """Why nobody answered."""
        said = "" if self._last is None else f" ({_one_line(self._last.str())})"
        return UnreachableError(f"no Kafka broker answers at {self._bootstrap}{said}", refused=False)


def who_of(client: Mapping[str, Any]) -> str:
    """Who a client is to the brokers, for messages."""
    if user := client.get("sasl.username"):
        return f"user {user}"
    if "oauth_cb" in client:
        return "the AWS identity of this process"
    certificate = client.get("ssl.certificate.location")
    return f"the certificate {certificate}" if certificate else "a client without a login"


def list_topics(client: Mapping[str, Any], seconds: float) -> dict[str, TopicMetadata]:
    """Every topic of the cluster that we may know of.

    Args:
        client: configuration of the librdkafka client.
        seconds: how long to wait for an answer.

    Raises:
        UnreachableError: no broker answers, or none lets us in.
    """
    ear = Ear(client)
    options: dict[str, Any] = {**client, "error_cb": ear}
    admin = AdminClient(options)
    deadline = monotonic() + seconds
    while True:
        try:
            left = deadline - monotonic()
            topics: dict[str, TopicMetadata] = admin.list_topics(timeout=min(LOOK_SECONDS, max(0.05, left))).topics
        except KafkaException:
            admin.poll(0)
            if (refusal := ear.refusal()) is not None:
                raise refusal from None
            if monotonic() >= deadline:
                raise ear.absence() from None
        else:
            return topics


def _one_line(words: str) -> str:
    return " ".join(words.split())

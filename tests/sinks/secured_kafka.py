"""A Kafka that only lets in who logs in over TLS, beside the listener of the tests themselves."""

from __future__ import annotations

from pathlib import Path

from confluent_kafka.admin import AdminClient, ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

from pipeline.kafka.embedded import SINGLE_NODE, EmbeddedKafka
from pipeline.kafka.ports import free_ports
from tests.gateway.signing import make_certificate, make_key

USER, PASSWORD = "spillway", "the-password-of-kafka"
HOST = "localhost"
ANSWER_SECONDS_MAX = 30


class SecuredKafka(EmbeddedKafka):
    """One broker. ``with SecuredKafka(place) as kafka``.

    Attributes:
        secured: address of the listener that asks for a login.
        certificate: what a client has to trust.
    """

    def __init__(self, place: Path) -> None:
        super().__init__(place / "broker")
        self.secured = f"{HOST}:{free_ports(1)[0]}"
        self._key = make_key(place, "kafka")
        self.certificate = make_certificate(place, "kafka", self._key, HOST)
        self._store = place / "store.pem"
        self._store.write_text(self._key.read_text() + self.certificate.read_text())

    def __enter__(self) -> SecuredKafka:
        super().__enter__()
        credential = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4_096)
        asked = UserScramCredentialUpsertion(USER, credential, PASSWORD.encode())
        client = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        client.alter_user_scram_credentials([asked])[USER].result(ANSWER_SECONDS_MAX)
        return self

    def _write_properties(self, port: int, controller_port: int) -> None:
        module = "org.apache.kafka.common.security"
        properties = {
            **SINGLE_NODE,
            "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
            "listeners": f"BROKER://127.0.0.1:{port},SECURED://{self.secured},CONTROLLER://127.0.0.1:{controller_port}",
            "advertised.listeners": f"BROKER://127.0.0.1:{port},SECURED://{self.secured}",
            "listener.security.protocol.map": "BROKER:PLAINTEXT,SECURED:SASL_SSL,CONTROLLER:PLAINTEXT",
            "listener.name.secured.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
            "listener.name.secured.plain.sasl.jaas.config": (
                f'{module}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
            ),
            "listener.name.secured.scram-sha-512.sasl.jaas.config": f"{module}.scram.ScramLoginModule required;",
            "listener.name.secured.ssl.keystore.type": "PEM",
            "listener.name.secured.ssl.keystore.location": str(self._store),
            "log.dirs": str(self.directory / "data"),
        }
        lines = [f"{name}={value}" for name, value in properties.items()]
        (self.directory / "server.properties").write_text("\n".join(lines) + "\n")
